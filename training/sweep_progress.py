"""How far a sweep is: a line for every job, with its score and the time that is left, and one table at the end."""

import logging
import math
import sys
import time
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from training.folders import RESULT, read_result

log = logging.getLogger(__name__)

FAILED = ("failed", "out_of_memory")
ONE_BY_ONE = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class SweepProgress(Callback):
    """Logs "job 4 of 6: gru, seed 2: accuracy 99.10 in 41 s; about 3 min left" after every job of a sweep.

    The jobs are numbered where they run one after another. A job that was finished before takes no time, and does not
    count for the time that is left. What these lines need is imported late, so that no --help waits for it.

    A sweep with failed jobs ends with exit code 1, as a single run does. One that diverged has not failed: that is what
    its options lead to, and tables count it.
    """

    def __init__(self) -> None:
        self.jobs = 0
        self.varied: list[str] = []
        self.began = 0.0
        self.durations: list[float] = []
        self.sweep_began = 0.0
        self.without_score: set[Path] = set()  # folders of jobs of this process

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.sweep_began = time.time()
        overrides = list(config.hydra.overrides.task)
        self.varied = varied_keys(overrides, config.hydra.sweeper)
        if config.hydra.launcher._target_ == ONE_BY_ONE:
            self.jobs = number_of_jobs(overrides, config.hydra.sweeper)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.began = time.time()

    def on_job_end(self, config: DictConfig, job_return: Any = None, **kwargs: Any) -> None:
        from training.sweep_table import outcome, started_at

        number = config.hydra.job.get("num")
        if number is None or config.get("sweep") == "dry":
            return
        folder = Path(config.hydra.runtime.output_dir).resolve()
        if job_return is not None and job_return.return_value is None:
            self.without_score.add(folder)
        result = read_result(folder)
        seconds = time.time() - self.began
        skipped = result.get("status") == "ok" and started_at(result) < int(self.began)
        self.durations += [] if skipped else [seconds]
        text = f"{self.title(config)}: {outcome(result, None if skipped else seconds)}"
        if self.jobs:
            text = f"job {number + 1} of {self.jobs}: {text}{time_left(self.durations, self.jobs - number - 1)}"
        log.info("%s", text)

    def title(self, config: DictConfig) -> str:
        from training.sweep_table import job_title

        return job_title(list(config.hydra.overrides.task), self.varied) or config.hydra.job.name

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from training.sweep_table import print_table

        folder = Path(config.hydra.sweep.dir)
        print_table(folder, self.varied)
        if failed := self.failed_jobs(folder.resolve()):
            names = ", ".join(sorted(path.name for path in failed))
            log.error("%d failed, for the reason in run.log of each folder: %s", len(failed), names)
            sys.exit(1)

    def failed_jobs(self, folder: Path) -> set[Path]:
        """The folders of the jobs of this sweep that failed, also in other processes; not those of earlier starts."""
        from training.sweep_table import started_at

        failed = {path for path in self.without_score if read_result(path).get("status", "failed") in FAILED}
        for path in folder.glob(f"*/{RESULT}"):
            result = read_result(path.parent)
            if result.get("status") in FAILED and "started" in result and started_at(result) >= int(self.sweep_began):
                failed.add(path.parent)
        return failed


def varied_keys(overrides: list[str], sweeper: DictConfig) -> list[str]:
    """The keys of which a sweep tries several values: those of its overrides, and of a sweeper's search space."""
    keys = [] if sweeper.get("params") is None else [str(key) for key in sweeper.params]
    for override in OverridesParser.create().parse_overrides(overrides):
        if override.is_sweep_override():
            keys.append(str(override.key_or_group))
    return list(dict.fromkeys(keys))


def number_of_jobs(overrides: list[str], sweeper: DictConfig) -> int:
    """The number of jobs of a sweep: Optuna's trials, else the product of the numbers of values; 0: unknown."""
    if "n_trials" in sweeper:
        return int(sweeper.n_trials)
    parsed = OverridesParser.create().parse_overrides(overrides)
    if any(isinstance(override.value(), Glob) for override in parsed):
        return 0
    try:
        return math.prod(len(list(override.sweep_iterator())) for override in parsed if override.is_sweep_override())
    except HydraException:  # an interval, which only a search can sample
        return 0


def time_left(durations: list[float], jobs: int) -> str:
    """The time that the rest of a sweep takes, if its jobs take as long as those before; empty if unknown."""
    if not durations or not jobs:
        return ""
    minutes = sum(durations) / len(durations) * jobs / 60
    return f"; about {max(1, round(minutes))} min left"
