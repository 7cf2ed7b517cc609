"""How far a sweep is: a line before every job, with the number of jobs and the time that is left."""

import logging
import math
import time
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)

ONE_BY_ONE = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class SweepProgress(Callback):
    """Logs "job 4 of 6, about 3 min left" before every job of a sweep whose jobs run one after another."""

    def __init__(self) -> None:
        self.jobs = 0
        self.started = 0.0

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.hydra.launcher._target_ == ONE_BY_ONE:
            self.jobs = number_of_jobs(list(config.hydra.overrides.task), config.hydra.sweeper)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        number = config.hydra.job.get("num") if self.jobs else None
        if number is not None:
            self.started = self.started or time.monotonic()
            log.info("%s", position(number, self.jobs, time.monotonic() - self.started))


def number_of_jobs(overrides: list[str], sweeper: DictConfig) -> int:
    """The number of jobs of a sweep: Optuna's trials, else the product of the numbers of values; 0: unknown."""
    if "n_trials" in sweeper:
        return int(sweeper.n_trials)
    parsed = OverridesParser.create().parse_overrides(overrides)
    if any(isinstance(override.value(), Glob) for override in parsed):
        return 0
    return math.prod(len(list(override.sweep_iterator())) for override in parsed if override.is_sweep_override())


def position(finished: int, jobs: int, seconds: float) -> str:
    """Where a sweep is before its next job, after some seconds; the time left once a job gives an idea of it."""
    text = f"job {finished + 1} of {jobs}"
    if finished == 0:
        return text
    minutes = seconds / finished * (jobs - finished) / 60
    return f"{text}, about {max(1, round(minutes))} min left"
