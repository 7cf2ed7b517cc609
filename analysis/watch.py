"""Shows a running sweep as a live table: ``python -m analysis.watch DIR``.

The table is made from the files of the run folders alone, so the sweep may run in any process or on another machine:
finished jobs with their score, running jobs with epoch and last validation score, failed jobs with the reason, and an
estimate of the time left. ``--once`` prints the table and ends.
"""

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import yaml
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from analysis.command import command_parser, run_command
from analysis.records import Record, find_records
from data.errors import InputError
from training.folders import HISTORY, LOG
from training.percent import to_percent

STALLED_AFTER = 600  # seconds without a change of the run's files
STATES = ("running", "stalled", "failed", "done")


@dataclass(frozen=True)
class Job:
    """The state of one run: ``done``, ``running``, ``stalled`` (no file changed for ten minutes) or ``failed``.

    Args:
        score: validation score in percent; of a running job, that of its last epoch.
        seconds: training time so far.
    """

    name: str
    state: str
    epoch: int
    max_epochs: int | None
    score: float | None
    seconds: float
    detail: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Of a running job, by the time of its epochs so far; None if it has finished none."""
        if self.state != "running" or not self.epoch or not self.max_epochs:
            return None
        return self.seconds / self.epoch * (self.max_epochs - self.epoch)


def read_jobs(folder: Path, now: float) -> list[Job]:
    """Every run under a folder."""
    if not folder.exists():
        raise InputError(f"There is no folder {folder}.")
    return [read_job(record, now) for record in find_records([folder]).records]


def read_job(record: Record, now: float) -> Job:
    """The state of a run, from its result if it has one, otherwise from its history."""
    rows, config = record.history, record.config
    metric = config.get("metric") or record.content.get("selection", {}).get("metric") or "accuracy"
    scores = [row.get("validation", {}).get(metric) for row in rows]
    last = next((score for score in reversed(scores) if isinstance(score, (int, float))), None)
    score = None if last is None else to_percent(metric, last)
    if record.status == "ok":
        score = record.score("validation", record.content["selection"]["metric"])
    state, detail = state_of(record, now)
    trained = record.seconds or sum(row.get("seconds", 0.0) for row in rows)
    epochs = config.get("trainer", {}).get("max_epochs")
    return Job(name_of(record), state, len(rows), epochs if isinstance(epochs, int) else None, score, trained, detail)


def state_of(record: Record, now: float) -> tuple[str, str]:
    """The state of a run and, if it is neither done nor running, the reason."""
    if record.status == "ok":
        return "done", ""
    if record.status != "unfinished":
        return "failed", f"{record.status}: {record.content.get('reason') or 'no reason is recorded'}"
    paths = [record.folder, *(record.folder / name for name in (HISTORY, LOG))]
    idle = now - max(path.stat().st_mtime for path in paths if path.exists())
    return ("stalled", f"no change for {duration(idle)}") if idle > STALLED_AFTER else ("running", "")


def name_of(record: Record) -> str:
    """The cell, trial and seed of a run, with its config id."""
    trial = record.content.get("trial") or {}
    numbers = [f"trial {trial['number']}"] if "number" in trial else []
    numbers.append(f"seed {record.seed}")
    return f"{record.content.get('cell')}, {', '.join(numbers)} [{record.content['config_id']}]"


def count_planned(folder: Path) -> int | None:
    """The number of jobs of a grid sweep, by the overrides in Hydra's ``multirun.yaml``; None if it is not there."""
    path = folder / "multirun.yaml"
    if not path.is_file():
        return None
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return count_grid(content["hydra"]["overrides"]["task"])
    except (yaml.YAMLError, KeyError, TypeError):
        return None


def count_grid(overrides: Sequence[str]) -> int | None:
    """The product of the numbers of values of all overrides; None if one samples from an interval."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        return math.prod(len(list(o.sweep_iterator())) for o in parsed if o.is_sweep_override())
    except (HydraException, TypeError, ValueError):
        return None


def seconds_left(jobs: Sequence[Job], planned: int | None) -> float | None:
    """The expected time until all jobs have ended, if as many run at a time as now; None before any epoch ended.

    A job that has not started is expected to take as long as finished ones, or as running ones will have taken.
    """
    running = [job for job in jobs if job.state == "running"]
    left = [job.seconds_left for job in running if job.seconds_left is not None]
    totals = [job.seconds for job in jobs if job.state == "done"]
    totals = totals or [job.seconds + job.seconds_left for job in running if job.seconds_left is not None]
    if not totals:
        return None
    waiting = max((planned or len(jobs)) - len(jobs), 0)
    unknown = len(running) - len(left)
    expected = sum(left) + (waiting + unknown) * mean(totals)
    return expected / max(len(running), 1)


def duration(seconds: float) -> str:
    """``40 s``, ``3 min``, ``2 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def render(jobs: Sequence[Job], planned: int | None) -> Group:
    """The table of jobs under a line with their numbers and the time left."""
    table = Table()
    for column in ("job", "state", "epoch", "validation", "time", "left"):
        table.add_column(column, justify="left" if column in ("job", "state") else "right")
    table.add_column("reason", overflow="fold")
    for job in sorted(jobs, key=lambda job: (STATES.index(job.state), job.name)):
        table.add_row(*map(escape, row(job)))
    return Group(Text(status_line(jobs, planned), style="bold"), table)


def row(job: Job) -> tuple[str, ...]:
    epoch = f"{job.epoch} of {job.max_epochs}" if job.max_epochs else str(job.epoch)
    score = "" if job.score is None else f"{job.score:.2f}"
    left = "" if job.seconds_left is None else duration(job.seconds_left)
    return job.name, job.state, epoch, score, duration(job.seconds), left, job.detail


def status_line(jobs: Sequence[Job], planned: int | None) -> str:
    """``4 of 6 done, 1 running, 1 failed, about 3 min left``."""
    counts = {state: sum(job.state == state for job in jobs) for state in STATES}
    parts = [f"{counts['done']} of {max(planned or 0, len(jobs))} done"]
    parts += [f"{counts[state]} {state}" for state in ("running", "stalled", "failed") if counts[state]]
    left = seconds_left(jobs, planned)
    if left is not None and not ended(jobs, planned):
        parts.append(f"about {duration(left)} left")
    return ", ".join(parts)


def ended(jobs: Sequence[Job], planned: int | None) -> bool:
    """Whether no job is running and none is waiting."""
    return bool(jobs) and len(jobs) >= (planned or 0) and all(job.state in ("done", "failed") for job in jobs)


def watch(options: argparse.Namespace) -> None:
    """Print the table, and refresh it until all jobs have ended."""

    def table() -> tuple[Group, bool]:
        jobs, planned = read_jobs(options.folder, time.time()), count_planned(options.folder)
        return render(jobs, planned), ended(jobs, planned)

    shown, finished = table()
    if options.once or finished:
        Console().print(shown)
        return
    with Live(shown, auto_refresh=False) as live:
        while not finished:
            time.sleep(options.interval)
            shown, finished = table()
            live.update(shown, refresh=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_parser("watch", __doc__)
    parser.add_argument("folder", type=Path, help="a sweep, or any folder with runs")
    parser.add_argument("--once", action="store_true", help="print the table once and end")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between refreshes; default: 5")
    run_command(parser, watch, arguments)


if __name__ == "__main__":
    main()
