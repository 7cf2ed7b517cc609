"""A finished run, from its folder alone. Nothing in the folder is trusted: every file is checked before it is used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError, safe_open
from torch import nn

from data.corpus import Codec
from data.errors import InputError, first_line, shorten
from models.shapes import shapes_only
from training.build import build, build_at
from training.bundle import opened
from training.checkpoint import load_weights
from training.checksums import verify_checksums
from training.folders import CONFIG, WEIGHTS
from training.model import TaskModel

TASKS = Path(__file__).parents[1] / "tasks"
LARGEST_CONFIG = 100_000  # bytes
DEEPEST_CONFIG = 30  # nested nodes
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.bool: "BOOL"}


def load(run: Path, device: torch.device) -> tuple[DictConfig, Codec[Any], TaskModel]:
    """The config, the codec and the model of a run, from its folder or its bundle alone.

    Raises:
        InputError: a file of the folder is missing, damaged, or asks for what a run never needs.
    """
    with opened(run) as directory:
        return load_folder(directory, device)


def load_folder(directory: Path, device: torch.device) -> tuple[DictConfig, Codec[Any], TaskModel]:
    """``load`` from a folder."""
    cfg = load_config(directory)
    if not (directory / WEIGHTS).is_file():
        raise InputError(
            f"{directory} has no {WEIGHTS}: it is not a run folder, or its run stopped before an epoch ended."
        )
    verify_checksums(directory)
    try:
        codec: Codec[Any] = build_at(cfg, "codec", Codec)
        codec.load(directory)
        model = load_model(cfg, codec.sizes, directory)
    except OmegaConfBaseException as error:
        raise InputError(f"{directory / CONFIG}: {first_line(error)}.") from error
    except InputError as error:
        raise error if str(directory) in str(error) else InputError(f"{directory / CONFIG}: {error}") from error
    return cfg, codec, model.to(device).eval()


def load_task(run: Path) -> str:
    """The name of the task of a run, from its folder or its bundle.

    Raises:
        InputError: it is not a task of this suite.
    """
    with opened(run) as directory:
        task = load_config(directory).get("task")
        known = sorted(path.parent.name for path in TASKS.glob("*/predict.py"))
        if task not in known:
            raise InputError(f"{directory / CONFIG}: task={shorten(task)}: the tasks are {', '.join(known)}.")
        return str(task)


def load_model(cfg: DictConfig, sizes: dict[str, int], directory: Path) -> TaskModel:
    """A model with its weights, built only where the weights file has what it needs."""
    with shapes_only():
        check_weights(build_at(cfg, "model", TaskModel, **sizes), directory / WEIGHTS)
    model: TaskModel = build(cfg.model, TaskModel, **sizes)
    load_weights(model, directory)
    for name, parameter in model.state_dict().items():
        if not parameter.isfinite().all():
            raise InputError(f"{directory / WEIGHTS}: {name} is NaN or infinite in places: train the model again.")
    return model


def check_weights(model: nn.Module, path: Path) -> None:
    """Compare the names, shapes and types in a weights file with those of a model on the meta device.

    Raises:
        InputError: they differ, or the file is damaged.
    """
    found = stored_tensors(path)
    state = model.state_dict(keep_vars=True)
    for name, stored in found.items():
        wanted = state.get(name)
        if wanted is None:
            raise InputError(f"{path}: the model of {CONFIG} has no weights named {shorten(name)}.")
        if stored != (DTYPES.get(wanted.dtype), list(wanted.shape)):
            raise InputError(
                f"{path}: {name} is {stored[0]} {stored[1]}, and the model of {CONFIG} has "
                f"{DTYPES.get(wanted.dtype)} {list(wanted.shape)}."
            )
    stored_ids = {id(state[name]) for name in found}  # of tied weights one name is stored
    for name, wanted in state.items():
        if id(wanted) not in stored_ids:
            raise InputError(f"{path} has no weights named {name}, which the model of {CONFIG} needs.")


def stored_tensors(path: Path) -> dict[str, tuple[str, list[int]]]:
    """The type and shape of every tensor in a weights file, by name; none of them is read."""
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return {name: (part.get_dtype(), part.get_shape()) for name, part in slices.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: {first_line(error)}.") from error


def load_config(directory: Path) -> DictConfig:
    """The resolved config of a run.

    Raises:
        InputError: there is none, or it is damaged, too large, or not resolved.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise InputError(f"{directory} is not a run folder: it has no {CONFIG}. Give run=DIR, a folder under runs/.")
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise InputError(f"{path} has more than {LARGEST_CONFIG:,} bytes: it is not the config of a run.")
        text = path.read_text(encoding="utf-8")
        check_yaml(text, path)
        cfg = OmegaConf.create(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged: {first_line(error)}.") from error
    if not isinstance(cfg, DictConfig):
        raise InputError(f"{path} is not the config of a run: it is not a mapping.")
    check_resolved(cfg, path)
    return cfg


def check_yaml(text: str, path: Path) -> None:
    """Raise where YAML has aliases, tags or deep nesting: no run writes them, and they take memory or run code."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        marked = isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None)
        if marked or depth > DEEPEST_CONFIG:
            line = event.start_mark.line + 1
            raise InputError(f"{path}:{line}: aliases, tags and deep nesting are not allowed in the config of a run.")


def check_resolved(cfg: DictConfig, path: Path) -> None:
    """Raise where a value refers to another or calls a resolver: the config of a run is resolved when it is written."""
    for value in texts(OmegaConf.to_container(cfg, resolve=False)):
        if "${" in value:
            raise InputError(f"{path}: '{shorten(value)}': references and resolvers are not allowed in a run's config.")


def texts(node: Any) -> Iterator[str]:
    """All strings in nested mappings and lists, keys included."""
    if isinstance(node, dict):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list):
        for item in node:
            yield from texts(item)
    elif isinstance(node, str):
        yield node
