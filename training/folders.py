"""Where a run writes, and by what two runs are told to be the same experiment.

Importing this registers the resolvers that ``conf/base.yaml`` names run folders with.
"""

import copy
import hashlib
import json
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

CONFIG, RESULT, HISTORY, LOG = "config.yaml", "result.json", "history.jsonl", "run.log"
PREDICTIONS = "predictions.jsonl"
WEIGHTS, CHECKPOINT = "model.safetensors", "checkpoint.pt"

SCHEMA = 1  # of result.json

NOT_THE_EXPERIMENT = ("hydra", "seed", "device", "threads", "resume", "on_error", "sweep", "experiment", "recipe")
PATHS = ("path", "train", "validation", "test")  # keys of ``data`` that say where files lie on this machine


def config_id(cfg: DictConfig) -> str:
    """Eight characters that two runs share exactly when they differ in nothing but seed, device and paths."""
    rest = copy.deepcopy(cfg)
    OmegaConf.set_readonly(rest, False)
    with open_dict(rest):
        for key in NOT_THE_EXPERIMENT:
            rest.pop(key, None)
        rest.seed, rest.device = None, None  # others may refer to them
        if rest.get("match") is None:  # a matched size is a size like any other
            rest.pop("match", None)
            rest.pop("reference_cell", None)
        for key in PATHS:
            if key in rest.data:
                rest.data[key] = None
    content = json.dumps(OmegaConf.to_container(rest, resolve=True), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def run_name(*, _root_: DictConfig) -> str:
    """``<time>-<config id>``; with ``resume=true`` the newest unfinished run of the same config and seed, if any."""
    identity = config_id(_root_)
    if _root_.get("resume"):
        folders = sorted(Path("runs", _root_.task).glob(f"*-{identity}"), reverse=True)
        for folder in filter(unfinished, folders):
            if OmegaConf.load(folder / CONFIG).seed == _root_.seed:
                return folder.name
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}-{identity}"


def unfinished(folder: Path) -> bool:
    """A run that was stopped between two epochs and can go on."""
    if not (folder / CONFIG).is_file() or not (folder / CHECKPOINT).is_file():
        return False
    result = folder / RESULT
    return not result.is_file() or json.loads(result.read_text())["status"] == "interrupted"


def job_name(*, _root_: DictConfig) -> str:
    """``<cell>-<config id>-seed<seed>``: a job of a sweep that is started again finds what it left."""
    cell = _root_.cell._target_.split(".")[-2]
    return f"{cell}-{config_id(_root_)}-seed{_root_.seed}"


def register_resolvers() -> None:
    """Let configs name folders by ``${run_name:}`` and ``${job_name:}``."""
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)


register_resolvers()
