"""Weights and training state on disk: whole or not there, checked when read, and never a pickle that can run code."""

import hashlib
import io
import logging
import pickle
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from data.errors import InputError
from data.writing import write_with
from training.folders import CHECKPOINTS, WEIGHTS

log = logging.getLogger(__name__)

DIGEST = 64  # hexadecimal digits of SHA-256, which a checkpoint file begins with


def save_weights(model: nn.Module, directory: Path) -> str:
    """Write every tensor once, tied ones under their first name; returns the SHA-256 of the file's bytes."""
    tensors: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict().items():
        tensors.setdefault(tensor.data_ptr(), (name, tensor.contiguous()))
    content = safetensors.torch.save(dict(tensors.values()))
    write_with(directory / WEIGHTS, lambda beside: beside.write_bytes(content))
    return hashlib.sha256(content).hexdigest()


def load_weights(model: nn.Module, directory: Path, digest: str | None = None) -> None:
    """Read the weights of a run folder into a model.

    Raises:
        InputError: there are none, or they are not those of ``digest``.
    """
    path = directory / WEIGHTS
    if not path.is_file():
        raise InputError(f"{directory} has no {WEIGHTS}: it is not a run folder, or its run ended in the first epoch.")
    if digest is not None and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise InputError(f"{path} is not the file that this run has written: it is damaged. Run again without resume.")
    safetensors.torch.load_model(model, str(path))


def save_checkpoint(state: dict[str, Any], directory: Path) -> None:
    """Write the state with its checksum; the checkpoint before it is kept until the next one."""
    newest, older = (directory / name for name in CHECKPOINTS)
    content = io.BytesIO()
    torch.save(state, content)
    data = content.getvalue()
    if newest.is_file():
        newest.replace(older)
    write_with(newest, lambda beside: beside.write_bytes(hashlib.sha256(data).hexdigest().encode() + data))


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """The newest state that is not damaged; None where there is no checkpoint.

    Raises:
        InputError: all checkpoints of the folder are damaged.
    """
    paths = [path for name in CHECKPOINTS if (path := directory / name).is_file()]
    for path in paths:
        state = read_checkpoint(path)
        if state is not None:
            return state
        log.warning("%s is damaged and is not used", path)
    if paths:
        raise InputError(
            f"All checkpoints in {directory} are damaged: the run cannot be resumed. Choose another folder."
        )
    return None


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state of a file; None where its checksum differs, or where it holds what no checkpoint does."""
    content = path.read_bytes()
    digest, data = content[:DIGEST], content[DIGEST:]
    if hashlib.sha256(data).hexdigest().encode() != digest:
        return None
    try:
        return torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError):
        return None


def remove_checkpoints(directory: Path) -> None:
    for name in CHECKPOINTS:
        (directory / name).unlink(missing_ok=True)
