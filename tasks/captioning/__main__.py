"""Train and score a captioner: ``python -m tasks.captioning decoder=stacked``."""

import hydra
from omegaconf import DictConfig

from training.commandline import run_task, start
from training.folders import register_resolvers


@hydra.main(version_base="1.3", config_path="../../conf", config_name="captioning")
def main(cfg: DictConfig) -> float | None:
    register_resolvers()  # named here, so that the worker of a parallel launcher has them before it composes
    return run_task(cfg)


if __name__ == "__main__":
    start("captioning", main)
