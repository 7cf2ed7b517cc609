"""Train and score on diagnostics of memory: ``python -m tasks.memory data=recall cell=lstm``."""

import hydra
from omegaconf import DictConfig

from training.commandline import start
from training.folders import register_resolvers
from training.waiting import choose_wait_policy


@hydra.main(version_base="1.3", config_path="../../conf", config_name="memory")
def main(cfg: DictConfig) -> float | None:
    register_resolvers()  # named here, so that the worker of a parallel launcher has them before it composes
    choose_wait_policy()  # before torch is imported
    from training.run import run  # here, so that --help does not wait for torch

    return run(cfg)


if __name__ == "__main__":
    start("memory", main)
