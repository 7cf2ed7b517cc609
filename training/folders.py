"""The folders that runs write to, and the names of the files in them.

Importing this registers the resolvers that ``conf/base.yaml`` names run folders with.
"""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from training.identity import config_id, files_label, option_name
from training.trials import with_trial

CONFIG, RESULT, HISTORY, LOG = "config.yaml", "result.json", "history.jsonl", "run.log"
PREDICTIONS = "predictions.jsonl"
WEIGHTS = "model.safetensors"
CHECKPOINTS = ("checkpoint.pt", "checkpoint.old.pt")  # the newest, and the one before it
LOCK = ".lock"
SET_ASIDE = "-before-"  # in the name of a folder with a finished run that a job of a sweep has replaced

SCHEMA = 1  # of result.json


def run_name(*, _root_: DictConfig) -> str:
    """``<time>-<config id>``; with ``resume=true`` the newest unfinished run of the same config and seed, if any.

    Of several, one that reads the same files is preferred.
    """
    identity = config_id(drawn(_root_))
    if _root_.get("resume"):
        folders = sorted(Path("runs", _root_.task).glob(f"*-{identity}"), reverse=True)
        saved = {folder: OmegaConf.load(folder / CONFIG) for folder in folders if unfinished(folder)}
        same_seed = [folder for folder, cfg in saved.items() if cfg.seed == _root_.seed]
        files = files_label(_root_.data)
        same_files = [folder for folder in same_seed if files_label(saved[folder].data) == files]
        if chosen := same_files or same_seed:
            return chosen[0].name
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}-{identity}"


def unfinished(folder: Path) -> bool:
    """Whether a run was stopped or failed after it had saved a checkpoint, so that it can be resumed."""
    if not (folder / CONFIG).is_file() or not any((folder / name).is_file() for name in CHECKPOINTS):
        return False
    return status_of(folder) != "ok"


def status_of(folder: Path) -> str | None:
    """The status that the result of a folder has; None where it has none that can be read."""
    return read_result(folder).get("status")


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a folder; empty where there is none, or none that can be read."""
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def remove_empty_run(directory: Path) -> None:
    """Remove the folder of a run that never began; a folder with any other file stays as it is."""
    if directory.is_dir() and {path.name for path in directory.iterdir()} <= {RESULT, LOG}:
        shutil.rmtree(directory)


def job_name(*, _root_: DictConfig) -> str:
    """``<cell>-<config id>-<files>-seed<seed>``: a job of a sweep that is started again finds its folder.

    ``<files>`` tells apart jobs that read other files; it is left out where a config names none.
    """
    parts = [cell_name(_root_), config_id(drawn(_root_)), files_label(_root_.data), f"seed{_root_.seed}"]
    return "-".join(filter(None, parts))


def drawn(root: DictConfig) -> DictConfig:
    """A config with the values of its trial; those that its command line gives are not drawn."""
    return with_trial(root, OmegaConf.select(root, "hydra.overrides.task") or ())


def cell_name(cfg: DictConfig) -> str:
    """The cell of a model, as its option is called; ``none`` for a model without one."""
    target = OmegaConf.select(cfg, "cell._target_")
    return "none" if target is None else option_name(target).rpartition("/")[2]


def register_resolvers() -> None:
    """Let configs name folders by ``${run_name:}`` and ``${job_name:}``."""
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)


register_resolvers()
