"""By what two runs are recognised as the same experiment, on the same data.

An experiment is the options and values that it is made of (``config_id``) and the content of its data. The identifier
holds the names of options, never Python paths, so that moving or renaming a class changes none.
"""

import copy
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from data.errors import InputError, shorten

CONF = Path(__file__).parents[1] / "conf"

NOT_THE_EXPERIMENT = (
    "hydra",
    "seed",
    "device",
    "threads",
    "resume",
    "on_error",
    "sweep",
    "experiment",
    "recipe",
    "test",
    "baselines",
    "trial",  # its values are in the config
    "search",
    "recorder",
    "tracker",
    "data_cache",
)
NOT_THE_TRAINING = ("checkpoint_minutes", "checkpoint_steps")  # keys of ``trainer`` that change no result
PATHS = (
    "path",
    "train",
    "validation",
    "test",
    "folder",
    "features",
)  # keys of ``data`` that say where files lie on this machine
NOT_THE_CONTENT = ("streaming",)  # keys of ``data`` that say how rows are read
SHORT = 8  # characters of an identifier


def config_id(cfg: DictConfig) -> str:
    """Eight characters that two runs share if and only if their options and values are the same.

    Seed, device, number of threads and the places of files do not count. ``dropout=0`` equals ``dropout=0.0``.
    """
    content = json.dumps(canonical(experiment(cfg)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:SHORT]


def experiment(cfg: DictConfig) -> Any:
    """The config without what does not belong to the experiment, as plain values."""
    rest = copy.deepcopy(cfg)
    OmegaConf.set_readonly(rest, False)
    with open_dict(rest):
        for key in NOT_THE_EXPERIMENT:
            rest.pop(key, None)
        rest.seed, rest.device = None, None  # other values may refer to them
        if rest.get("match") is None:  # a matched size is a size like any other
            rest.pop("match", None)
            rest.pop("reference_cell", None)
        for key in NOT_THE_TRAINING:
            rest.get("trainer", {}).pop(key, None)
        for key in (*PATHS, *NOT_THE_CONTENT):
            if key in rest.data:
                rest.data[key] = None
    return OmegaConf.to_container(rest, resolve=True)


def canonical(value: Any) -> Any:
    """The same for equal numbers, for values that are null or not there, and for classes that moved.

    ``_target_`` becomes the name of an option; an option that is added later, null by default, changes no identifier.
    """
    if isinstance(value, dict):
        given = {key: item for key, item in value.items() if item is not None}
        return {key: option_name(item) if key == "_target_" else canonical(item) for key, item in given.items()}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def option_name(target: Any) -> str:
    """The option of ``conf/`` that names a class, as ``cell/lstm``; the name of the class where none does."""
    return options_by_target().get(str(target), str(target).rpartition(".")[2])


@cache
def options_by_target() -> dict[str, str]:
    """An option for every target: of several that name it the shortest, which a new option seldom displaces."""
    options: dict[str, str] = {}
    for path in sorted(CONF.rglob("*.yaml"), key=lambda path: (len(path.stem), path)):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "_target_" in content:
            options.setdefault(str(content["_target_"]), path.relative_to(CONF).with_suffix("").as_posix())
    return options


def given_files(data: DictConfig) -> list[str]:
    """The files and folders that a config reads its data from, as it names them."""
    return [str(data[key]) for key in PATHS if data.get(key) is not None]


def files_digest(data: DictConfig) -> str | None:
    """SHA-256 of the content of all files that a config reads its data from; None where it names no files.

    A folder counts with all its files; ``corpus/train`` with ``corpus/train.en``, ``corpus/train.de`` and so on.

    Raises:
        InputError: a file cannot be read.
    """
    names = given_files(data)
    if not names:
        return None
    digest = hashlib.sha256()
    for name in names:
        try:
            for file in files_of(Path(name)):
                digest.update(f"{file.name}:{file.stat().st_size}:".encode())
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise InputError(f"{shorten(error.filename or name)} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def files_of(path: Path) -> Iterable[Path]:
    """The files that a name stands for: itself, those of a folder, or those of a pair (``train.en``, ``train.de``)."""
    if path.is_file():
        return [path]
    found = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.name}.*")
    return sorted(file for file in found if file.is_file())


def files_label(data: DictConfig) -> str:
    """A short hash of the files that a config names, for the names of folders; empty without files."""
    names = given_files(data)
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:SHORT] if names else ""
