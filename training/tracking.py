"""A run as its tracker follows it. What fails there is reported, and costs the run nothing."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf

from training.build import build
from training.folders import RESULT
from training.result import Result
from training.trackers.base import NoTracker, RunInfo, Tracker, numbers

log = logging.getLogger(__name__)

IDENTITY = ("task", "experiment", "cell", "config_id", "seed")
RESULTS = ("metrics", "training", "parameters")  # the parts of a result with numbers to compare runs by


class Tracking:
    """Passes a run on to a tracker, until a call fails.

    Args:
        tracker: the tracker.
        result: records what failed, and has what the tracker shows.
    """

    def __init__(self, tracker: Tracker, result: Result) -> None:
        self.tracker, self.result, self.failed = tracker, result, False

    def call(self, method: Callable[..., None], *arguments: Any) -> None:
        """Call a method of the tracker; an error of any kind, its own or of its package, is the last."""
        if self.failed:
            return
        try:
            method(*arguments)
        except Exception as error:
            self.failed = True
            name, reason = self.tracker.extra, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            log.warning("tracker=%s failed and is switched off for the rest of this run (%s)", name, reason)
            self.result.warn(f"tracker={name}: {reason}")

    def start(self, cfg: DictConfig, history: Sequence[dict[str, Any]]) -> None:
        """The start of a run, and the epochs that a resumed one has behind it."""
        config: Any = OmegaConf.to_container(cfg, resolve=True)
        identity = {key: self.result.content.get(key) for key in IDENTITY}
        run = RunInfo(self.result.title, self.result.directory.resolve(), identity, config)
        self.call(self.tracker.start, run)
        for row in history:
            self.epoch(row)

    def epoch(self, row: dict[str, Any]) -> None:
        """A row of ``history.jsonl``."""
        self.call(self.tracker.log_epoch, row["epoch"], numbers(row))

    def finish(self, status: str) -> None:
        """The end, with the numbers and the files of the run."""
        content = {key: self.result.content[key] for key in RESULTS if key in self.result.content}
        folder = self.result.directory.resolve()
        files = [path for path in (folder / RESULT, *sorted(folder.glob("*.png"))) if path.is_file()]
        self.call(self.tracker.finish, status, numbers(content), files)


def tracker_of(cfg: DictConfig) -> Tracker:
    """The tracker of a config, whose package is installed; the config of an earlier version has none.

    Raises:
        InputError: its package is not installed.
    """
    tracker: Tracker = NoTracker() if cfg.get("tracker") is None else build(cfg.tracker, Tracker)
    tracker.check()
    return tracker


@contextmanager
def tracked(
    tracker: Tracker, result: Result, cfg: DictConfig, history: Sequence[dict[str, Any]]
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """The life of a run in its tracker; gives what takes the row of an epoch."""
    tracking, status = Tracking(tracker, result), "failed"
    tracking.start(cfg, history)
    try:
        yield tracking.epoch
        status = "ok"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        tracking.finish(status)
