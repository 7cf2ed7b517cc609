"""Weights and training state on disk: whole or not there, and never a pickle that can run code."""

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from data.errors import InputError
from data.writing import write_with
from training.folders import CHECKPOINT, WEIGHTS


def save_weights(model: nn.Module, directory: Path) -> None:
    """Every tensor once, tied ones under their first name; equal weights give equal bytes."""
    tensors: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict().items():
        tensors.setdefault(tensor.data_ptr(), (name, tensor.contiguous()))
    write_with(directory / WEIGHTS, lambda beside: safetensors.torch.save_file(dict(tensors.values()), str(beside)))


def load_weights(model: nn.Module, directory: Path) -> None:
    path = directory / WEIGHTS
    if not path.is_file():
        raise InputError(
            f"{directory} holds no {WEIGHTS}: it is no run folder, or its run ended before the first epoch did."
        )
    safetensors.torch.load_model(model, str(path))


def save_checkpoint(state: dict[str, Any], directory: Path) -> None:
    write_with(directory / CHECKPOINT, lambda beside: torch.save(state, beside))


def load_checkpoint(directory: Path) -> dict[str, Any] | None:
    """The state after the last whole epoch; None where no epoch was ended."""
    path = directory / CHECKPOINT
    return torch.load(path, weights_only=True, map_location="cpu") if path.is_file() else None
