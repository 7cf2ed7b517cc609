"""The life of a run: what it checks before it starts, and how it ends."""

import errno
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from data.errors import InputError
from training.card import write_card
from training.checkpoint import remove_checkpoints
from training.device import memory_errors
from training.distributed import ALONE, LostProcessError, Processes, joined
from training.experiment import export, resolved, sized_by_data, train, train_along
from training.folders import CHECKPOINTS, LOCK, cell_name, remove_empty_run, status_of, unfinished
from training.identity import config_id, files_digest
from training.interrupt import exit_code, stop_on_termination
from training.load import load_config
from training.ranks import one_process_only, rank
from training.recipe import has_recipe
from training.result import Result
from training.summary import show
from training.sweep import (
    check_choices,
    count_test_scores,
    describe,
    finished,
    leave_test_to_the_end,
    mark_for_resume,
    remove_dry_run_folders,
    set_aside,
    threads_of_a_job,
)
from training.trainer import DivergedError
from training.trials import trial_of, with_trial

log = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

# with one sentence
ENDS_A_RUN = (InputError, DivergedError, LostProcessError, torch.OutOfMemoryError, MemoryError, OSError)


def run(cfg: DictConfig) -> float | None:
    """Train, score and record what a config names; the validation score, so that a sweep can rank runs, if any.

    Of several processes that ``torchrun`` started, the first does so, and the others train along.
    """
    if rank() > 0:
        follow(cfg)
        return None
    hydra = HydraConfig.get()
    directory = Path(hydra.runtime.output_dir)
    alone = hydra.mode == RunMode.RUN
    stop_on_termination()
    try:
        if not alone:
            one_process_only("A sweep", "start it without")
        with joined() as processes:
            return lead(cfg, hydra, directory, processes)
    except ENDS_A_RUN as error:
        log.error("error: %s", sentence(error, directory))
        if not alone and cfg.on_error != "stop":
            return None  # the other jobs of a sweep continue; the folder of this one has the reason
        if isinstance(error, InputError) and alone:
            remove_empty_run(directory)
            sys.exit(2)
        sys.exit(1)
    except KeyboardInterrupt as interrupt:
        resumable = "the same command with resume=true continues from the last checkpoint"
        log.error("interrupted: %s", resumable if unfinished(directory) else "no checkpoint was saved; start again")
        sys.exit(exit_code(interrupt))
    except Exception:
        if alone:
            raise
        log.exception("This job failed.")
        if cfg.on_error == "stop":
            sys.exit(1)
        return None


def sentence(error: BaseException, directory: Path) -> str:
    """An error that ends a run in words; of a disk that is full or read-only, with the file and what to do."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    what = f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    resumable = error.errno in NO_ROOM and unfinished(directory)
    advice = "Free space there or make it writable, then continue from the last checkpoint with resume=true."
    return f"{what} {advice}" if resumable else what


def lead(cfg: DictConfig, hydra: HydraConf, directory: Path, processes: Processes) -> float | None:
    """What the first process of a run does, or the only one: list it, or run it in its folder."""
    alone = hydra.mode == RunMode.RUN
    check_choices(cfg)
    cfg = with_trial(cfg, list(hydra.overrides.task))
    if not alone:
        share_cores(cfg, hydra.launcher)
        leave_test_to_the_end(cfg, hydra.sweeper, hydra.overrides.task)
    names = {**identity(cfg, hydra.runtime.choices), "overrides": list(hydra.overrides.task)}
    if cfg.sweep == "dry":
        is_finished = finished(directory, wanted(cfg, names)) is not None
        print(describe(*sized_by_data(cfg), is_finished))
        remove_dry_run_folders(directory)
        return None
    with locked(directory):
        return run_in(directory, resolved(cfg), names, alone, processes)


def follow(cfg: DictConfig) -> None:
    """What the other processes of a run do; the first one reports their errors."""
    logging.getLogger().addHandler(logging.NullHandler())
    stop_on_termination()
    try:
        with joined() as processes:
            cfg = with_trial(cfg, list(HydraConfig.get().overrides.task))
            if cfg.sweep != "dry":
                with memory_errors():
                    train_along(resolved(cfg), processes)
    except ENDS_A_RUN as error:
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt as interrupt:
        sys.exit(exit_code(interrupt))


def run_in(directory: Path, cfg: DictConfig, names: dict[str, Any], alone: bool, processes: Processes = ALONE) -> float:
    """The run in its folder, which no other process uses; a job of a sweep that is finished is not run again."""
    known = wanted(cfg, names)
    if not alone:
        if (score := finished(directory, known)) is not None:
            return score
        set_aside(directory)
        mark_for_resume(cfg, directory)
    check_folder(cfg, directory)
    result = Result(directory, {**names, "test": cfg.test, "files_sha256": known["files_sha256"]})
    return recorded(cfg, directory, result, in_sweep=not alone, processes=processes)


def wanted(cfg: DictConfig, names: Mapping[str, Any]) -> dict[str, Any]:
    """What a finished run must have been made of to stand for this one; of any precision where it is ``auto``."""
    known = {**names, "test": cfg.test, "files_sha256": files_digest(cfg.data)}
    precision = cfg.trainer.precision
    return known if precision == "auto" else {**known, "precision": precision}


def recorded(
    cfg: DictConfig,
    directory: Path,
    result: Result,
    in_sweep: bool = False,
    processes: Processes = ALONE,
) -> float:
    """The run, with its result on disk however it ends; a sweep ends with one table of all its jobs instead."""
    try:
        with processes.errors(), memory_errors():
            score = train(resolved(cfg), directory, result, processes)
    except DivergedError as error:
        result.write("diverged", str(error))
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        advice = "Lower trainer.batch_tokens or trainer.batch_sentences, or codec.max_length."
        result.write("out_of_memory", f"{str(error) or 'Out of memory.'} {advice}")
        raise
    except KeyboardInterrupt:
        result.write("interrupted", "Stopped by the user.")
        raise
    except Exception as error:
        if result.began or not unfinished(directory):  # a refused run leaves the earlier one as it is
            result.write("failed", f"{type(error).__name__}: {error}")
        raise
    result.add(test_scored_in_sweep=count_test_scores(directory.parent))
    result.write("ok")
    export(result, lambda: write_card(directory))
    result.write("ok")  # again: writing the card may have added a warning
    remove_checkpoints(directory)
    if not in_sweep:
        show(result.title, result.content, directory)
    return score


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes out of a run folder; the system releases the lock when the process ends, however it does.

    Raises:
        InputError: another process has it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / LOCK
    try:
        with FileLock(path, timeout=0):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
    except Timeout:
        raise InputError(f"Another process is running in {directory}: wait for it, or choose another folder.") from None


def share_cores(cfg: DictConfig, launcher: DictConfig) -> None:
    """Give a job of a parallel sweep its share of the cores, unless the command line sets ``threads``."""
    threads = threads_of_a_job(launcher)
    if cfg.threads == "auto" and threads is not None:
        cfg.threads = threads


def identity(cfg: DictConfig, choices: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies this run and is known before it starts."""
    trial = trial_of(cfg)
    return {
        "task": cfg.task,
        "experiment": choices.get("experiment"),
        "cell": cell_name(cfg),
        "config_id": config_id(cfg),
        "options_id": config_id(cfg),  # before the data decide what the options leave to them
        "seed": cfg.seed,
        **({} if trial is None else {"trial": trial}),
    }


def check_folder(cfg: DictConfig, directory: Path) -> None:
    """Raise where a run would overwrite a finished result, or continue an unfinished run of another kind."""
    if status_of(directory) == "ok":
        raise InputError(f"{directory} has a finished run: choose another folder.")
    if any((directory / name).is_file() for name in CHECKPOINTS):
        if not cfg.resume:
            raise InputError(f"{directory} has an unfinished run: add resume=true, or choose another folder.")
        before = load_config(directory)
        decided_by_data = cfg.get("match") is not None or has_recipe(cfg)  # then the checkpoint is compared
        other = not decided_by_data and config_id(before) != config_id(cfg)
        if other or before.seed != cfg.seed:
            raise InputError(f"{directory} has an unfinished run of another config or seed: give the same options.")
