"""What distinguishes a job of a sweep from a single run: it skips finished work, resumes the rest and shares cores."""

import contextlib
import itertools
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data.errors import InputError
from training.folders import CHECKPOINTS, LOCK, LOG, RESULT, SET_ASIDE, read_result
from training.identity import config_id
from training.size import layers
from training.trials import describe_trial, trial_of

log = logging.getLogger(__name__)

ALL_COMBINATIONS = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # any other sweeper searches
LEFT_BY_HYDRA = {"multirun.yaml"}
COMPARED = ("options_id", "precision", "files_sha256", "test")


def finished(directory: Path, wanted: Mapping[str, Any]) -> float | None:
    """The validation score of the run that a folder has; None if it has no finished one of ``wanted``.

    Args:
        directory: the folder of a job.
        wanted: what the result must say of its options, precision, files and suite of scores.
    """
    content = read_result(directory)
    if content.get("status") != "ok" or not same_run(content, wanted):
        return None
    return content["metrics"]["validation"][content["selection"]["metric"]]


def same_run(content: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a result is of these options, of files of this content, of this precision and suite of scores."""
    training = content.get("training")
    found = {"test": True, **content, "precision": training.get("precision") if isinstance(training, dict) else None}
    return all(found.get(key) == wanted[key] for key in COMPARED if key in wanted)


def set_aside(directory: Path) -> None:
    """Move a finished run that is of other data or scores out of the way: a finished result is never lost."""
    content = read_result(directory)
    if content.get("status") == "ok":
        ended = str(content.get("ended", "")).replace(":", "-")
        aside = new_folder(directory.with_name(f"{directory.name}{SET_ASIDE}{ended}"))
        for path in directory.iterdir():
            if path.name not in (LOG, LOCK):
                path.rename(aside / path.name)
        log.warning("the finished run of other data or scores in %s was moved to %s", directory, aside)


def new_folder(wanted: Path) -> Path:
    """Make a folder of a name, or of the first of ``name-2``, ``name-3``, ... that is free, and return it."""
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("unreachable")


def count_test_scores(folder: Path) -> int:
    """How many runs of a folder have scored a test split."""
    contents = (read_result(path.parent) for path in folder.glob(f"*/{RESULT}"))
    return sum("test" in content.get("metrics", {}) for content in contents)


def check_choices(cfg: DictConfig) -> None:
    """Say which values ``sweep`` and ``on_error`` may have."""
    for key, choices in {"sweep": ("run", "dry"), "on_error": ("continue", "stop")}.items():
        if cfg[key] not in choices:
            raise InputError(f"{key}={cfg[key]}: choose {' or '.join(choices)}.")


def leave_test_to_the_end(cfg: DictConfig, sweeper: Mapping[str, Any], overrides: Iterable[str]) -> None:
    """Leave the test split unread in a search, whose sweeper chooses jobs by scores, unless the command line says."""
    given = any(override.lstrip("+").startswith("test=") for override in overrides)
    if sweeper["_target_"] != ALL_COMBINATIONS and not given:
        cfg.test = False


def mark_for_resume(cfg: DictConfig, directory: Path) -> None:
    """Let a job resume from the checkpoint of an earlier start of the same sweep; its folder name has the config id."""
    if any((directory / name).is_file() for name in CHECKPOINTS):
        cfg.resume = True


def describe(cfg: DictConfig, parameters: int, is_finished: bool) -> str:
    """A job in a line: config id, seed, hidden size, parameters, and whether it is finished."""
    state = "finished" if is_finished else "to run"
    size = next((layer.hidden_size for layer in layers(cfg.model)), 0)
    line = f"{config_id(cfg)}  seed {cfg.seed}  hidden size {size:>4}  {parameters:>12,} parameters  {state}"
    trial = trial_of(cfg)
    return line if trial is None else f"{line}  {describe_trial(trial)}"


def remove_dry_run_folders(directory: Path) -> None:
    """Remove a folder of a job that was only listed, and that of its sweep, if nothing else was ever in them."""
    if directory.is_dir() and {path.name for path in directory.iterdir()} <= {LOG, LOCK}:
        shutil.rmtree(directory)
    if directory.parent.is_dir() and {path.name for path in directory.parent.iterdir()} <= LEFT_BY_HYDRA:
        shutil.rmtree(directory.parent)


def threads_of_a_job(launcher: Mapping[str, Any]) -> int | None:
    """The share of the cores of a job that a launcher runs beside others; None where it has them all."""
    for key in ("cpus_per_task", "num_cpus"):  # submitit's and Ray's; a job that asks for none is given one
        if key in launcher:
            return max(1, int(launcher[key] or 1))
    jobs = launcher.get("n_jobs")
    if jobs is None:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // (jobs if jobs > 0 else max(1, cores + 1 + jobs)))
