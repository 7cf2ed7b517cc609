"""A finished run, from its folder alone."""

from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from data.corpus import Codec
from data.errors import InputError
from training.build import build
from training.checkpoint import load_weights
from training.folders import CONFIG
from training.model import TaskModel


def load(directory: Path, device: torch.device) -> tuple[DictConfig, Codec[Any], TaskModel]:
    """The config, the codec and the model of a run, from its folder alone."""
    cfg = load_config(directory)
    codec: Codec[Any] = build(cfg.codec)
    codec.load(directory)
    model: TaskModel = build(cfg.model, **codec.sizes)
    load_weights(model, directory)
    return cfg, codec, model.to(device).eval()


def load_config(directory: Path) -> DictConfig:
    """The resolved config of a run."""
    if not (directory / CONFIG).is_file():
        raise InputError(f"{directory} is no run folder: it holds no {CONFIG}. Give run=DIR, a folder under runs/.")
    return cast(DictConfig, OmegaConf.load(directory / CONFIG))
