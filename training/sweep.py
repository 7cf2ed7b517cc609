"""What a job of a sweep does otherwise than a run alone: skip what is finished, take up what is not, share cores."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from data.errors import InputError
from training.folders import CHECKPOINT, LOG, RESULT, config_id

LEFT_BY_HYDRA = {"multirun.yaml"}


def finished(directory: Path) -> float | None:
    """The validation score of a run that a folder holds; None where there is none that came to its end."""
    path = directory / RESULT
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if content.get("status") != "ok":
        return None
    return content["metrics"]["validation"][content["selection"]["metric"]]


def check_choices(cfg: DictConfig) -> None:
    """Say which values ``sweep`` and ``on_error`` may have."""
    for key, choices in {"sweep": ("run", "dry"), "on_error": ("continue", "stop")}.items():
        if cfg[key] not in choices:
            raise InputError(f"{key}={cfg[key]}: choose {' or '.join(choices)}.")


def mark_for_resume(cfg: DictConfig, directory: Path) -> None:
    """Let a job go on from the last whole epoch of an earlier start of the same sweep; its folder tells the config."""
    if (directory / CHECKPOINT).is_file():
        cfg.resume = True


def describe(cfg: DictConfig, parameters: int, directory: Path) -> str:
    """A job in a line: config id, seed, hidden size, parameters, and whether it is finished."""
    state = "finished" if finished(directory) is not None else "to run"
    size = cfg.model.encoder.hidden_size
    return f"{config_id(cfg)}  seed {cfg.seed}  hidden size {size:>4}  {parameters:>12,} parameters  {state}"


def remove_dry_run_folders(directory: Path) -> None:
    """Remove a folder of a job that was only listed, and that of its sweep, if nothing else was ever in them."""
    if directory.is_dir() and {path.name for path in directory.iterdir()} <= {LOG}:
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
