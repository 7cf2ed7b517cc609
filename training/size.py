"""How many parameters a config has, and hidden sizes that give another cell as many."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf, open_dict

from data.errors import InputError

CELLS = Path(__file__).parents[1] / "conf" / "cell"
TOLERANCE = 0.01
LARGEST = 64  # times the hidden size that the config gives

Count = Callable[[DictConfig], int]  # a config -> the parameters of its model


def match_parameters(cfg: DictConfig, count: Count) -> DictConfig:
    """The config with hidden sizes that give its model as many parameters as it had with ``reference_cell``.

    All layers that have a cell grow or shrink by one factor. Raises ``InputError`` where no size comes within 1 %.
    """
    if cfg.get("match") is None:
        return cfg
    if cfg.match != "parameters":
        raise InputError(f"match={cfg.match}: choose parameters, or null for the sizes that the config gives.")
    wanted = count(with_cell(cfg, cfg.reference_cell))
    base, best = smallest_reaching(cfg, count, wanted)
    found = min((sized(cfg, base, size) for size in (best - 1, best) if size), key=lambda c: abs(count(c) - wanted))
    if abs(count(found) / wanted - 1) > TOLERANCE:
        raise InputError(
            f"match=parameters: no hidden size comes within 1 % of the {wanted:,} parameters that "
            f"{cfg.reference_cell} has; the nearest has {count(found):,}. A larger model has a size that does."
        )
    return found


def smallest_reaching(cfg: DictConfig, count: Count, wanted: int) -> tuple[int, int]:
    """(the hidden size of the encoder, the smallest with which the model has so many parameters)."""
    base = cfg.model.encoder.hidden_size
    low, high = 1, LARGEST * base
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(sized(cfg, base, middle)) >= wanted else (middle + 1, high)
    return base, low


def with_cell(cfg: DictConfig, name: str) -> DictConfig:
    """The config with another cell, of its default options."""
    path = CELLS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CELLS.glob("*.yaml")))
        raise InputError(f"reference_cell={name}: there is no such cell; choose from {known}.")
    changed = copy.deepcopy(cfg)
    with open_dict(changed):
        changed.cell = OmegaConf.load(path)
    return changed


def sized(cfg: DictConfig, base: int, size: int) -> DictConfig:
    """The config with every hidden size times ``size / base``; what matched it is settled and named no more."""
    changed = copy.deepcopy(cfg)
    for layer in layers(changed.model):
        layer.hidden_size = max(1, round(layer.hidden_size * size / base))
    changed.match = None
    return changed


def layers(part: Any) -> Iterator[DictConfig]:
    """Every part of a model's config that has a cell and a hidden size of its own."""
    if isinstance(part, DictConfig):
        if {"cell", "hidden_size"} <= part.keys() and not OmegaConf.is_interpolation(part, "hidden_size"):
            yield part
        for key in part:
            if not OmegaConf.is_interpolation(part, cast(str, key)) and not OmegaConf.is_missing(part, key):
                yield from layers(part[key])
