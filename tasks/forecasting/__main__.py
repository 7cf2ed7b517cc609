"""Train and score a forecaster: ``python -m tasks.forecasting cell=gru``."""

import hydra
from omegaconf import DictConfig

from training.commandline import start
from training.folders import register_resolvers
from training.waiting import choose_wait_policy


@hydra.main(version_base="1.3", config_path="../../conf", config_name="forecasting")
def main(cfg: DictConfig) -> float | None:
    register_resolvers()  # named here, so that the worker of a parallel launcher has them before it composes
    choose_wait_policy()  # before torch is imported
    from training.run import run  # here, so that --help does not wait for torch

    return run(cfg)


if __name__ == "__main__":
    start("forecasting", main)
