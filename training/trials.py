"""Trials: hyperparameters drawn from a search space, the same points for every cell.

Trial k is point k of a scrambled low-discrepancy sequence (Owen, 1998) over all names of the space. A trial is a run
like any other whose drawn values are part of its config. What the command line gives is not drawn.
"""

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from data.errors import InputError, shorten
from training.identity import CONF, SHORT, config_id
from training.overrides import split_override

DIGITS = 4  # significant digits of a drawn number
LARGEST = 10_000  # trials
KINDS = ("log", "range", "choice")
DEFAULTS = {"test": False}  # of a trial, where the command line does not say


class Dimension:
    """One name of a search space: the keys that it sets, and their values for positions from 0 to 1.

    Args:
        name: of the entry.
        entry: ``keys``, one of ``log: [low, high]``, ``range: [low, high]`` and ``choice: [...]``, and ``integer``.
    """

    def __init__(self, name: str, entry: Any) -> None:
        self.name = name
        if not isinstance(entry, Mapping) or len(kinds := [kind for kind in KINDS if kind in entry]) != 1:
            raise self.error("give keys, and one of log, range and choice")
        self.kind, self.keys, self.integer = kinds[0], list(entry.get("keys") or []), bool(entry.get("integer"))
        given = entry[self.kind]
        self.values = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
        if not self.keys or not self.values:
            raise self.error("keys and values are lists that are not empty")
        if self.kind != "choice":
            self.check_bounds()

    def check_bounds(self) -> None:
        numbers = [value for value in self.values if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if len(numbers) != 2 or len(self.values) != 2 or not numbers[0] < numbers[1]:
            raise self.error(f"{self.kind} takes two numbers, the lower one first")
        if self.kind == "log" and numbers[0] <= 0:
            raise self.error("log takes numbers greater than 0")

    def error(self, message: str) -> InputError:
        return InputError(f"search.space.{self.name}: {message}.")

    def value(self, position: float) -> Any:
        """The value at a position, 0 <= position < 1."""
        if self.kind == "choice":
            return self.values[min(int(position * len(self.values)), len(self.values) - 1)]
        low, high = map(self.scaled, self.values)
        number = low + position * (high - low)
        number = math.exp(number) if self.kind == "log" else number
        return round(number) if self.integer else float(f"{number:.{DIGITS}g}")

    def position(self, value: Any) -> float:
        """Where a value lies, from 0 to 1; of choices the middle of their part."""
        if self.kind == "choice":
            return (self.values.index(value) + 0.5) / len(self.values)
        low, high = map(self.scaled, self.values)
        return min(max((self.scaled(value) - low) / (high - low), 0.0), 1.0)

    def scaled(self, number: float) -> float:
        return math.log(number) if self.kind == "log" else float(number)

    def keys_in(self, cfg: DictConfig, given: Sequence[str]) -> list[str]:
        """Its keys that a config has, but for those that the command line gives."""
        return [key for key in self.keys if has_key(cfg, key) and not any(covers(name, key) for name in given)]


def dimensions(search: Any) -> list[Dimension]:
    """The dimensions of a search space, in its order."""
    space = search.get("space") if isinstance(search, Mapping) else None
    if not isinstance(space, Mapping) or not space:
        raise InputError("trial: search has no space; choose a file of conf/search with search=NAME.")
    return [Dimension(str(name), entry) for name, entry in space.items()]


def point(number: int, size: int, seed: int, kind: str = "halton") -> list[float]:
    """Point ``number`` of a scrambled sequence, ``halton`` or ``sobol``, with ``size`` coordinates from 0 to 1."""
    from scipy.stats import qmc  # imported by trials only

    sequences = {"halton": qmc.Halton, "sobol": qmc.Sobol}
    if kind not in sequences:
        raise InputError(f"search.sequence={kind}: choose halton or sobol.")
    sequence = sequences[kind](size, scramble=True, seed=seed)
    if number > 0:  # SciPy refuses to skip no point
        sequence.fast_forward(number)
    return [float(value) for value in sequence.random()[0]]


def with_trial(cfg: DictConfig, overrides: Sequence[str] = ()) -> DictConfig:
    """The config of a trial, with the values that it draws; without a trial, the config without its search space.

    ``search`` of a drawn config holds what was drawn, and in ``group`` what the trials of one search share.

    Args:
        overrides: of the command line; what they give is not drawn.
    """
    changed = copy.deepcopy(cfg)
    with open_dict(changed):
        search = changed.pop("search", None)
        if changed.get("trial") is None:
            return changed
        check_number(changed.trial)
        space, given = dimensions(search), given_keys(overrides)
        position = point(changed.trial, len(space), search.seed, search.sequence)
        drawn = [(one, one.keys_in(changed, given), one.value(at)) for one, at in zip(space, position, strict=True)]
        for _, keys, value in drawn:
            for key in keys:
                OmegaConf.update(changed, key, value)
        for key in DEFAULTS.keys() - set(given):
            changed[key] = DEFAULTS[key]
        used = {one.name: {**search.space[one.name], "keys": keys} for one, keys, _ in drawn if keys}
        keys = [key for _, names, _ in drawn for key in names]
        changed.search = {
            "sequence": search.sequence,
            "seed": search.seed,
            "space": used,
            "group": group_id(changed, keys, search),
        }
    return changed


def check_number(number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < LARGEST:
        raise InputError(f"trial={shorten(number)}: give a whole number from 0, or null for no trial.")


def group_id(cfg: DictConfig, drawn: Sequence[str], search: DictConfig) -> str:
    """What the trials of one search share: an identifier of their config without what is drawn, and of the search."""
    rest = copy.deepcopy(cfg)
    with open_dict(rest):
        for key in drawn:
            OmegaConf.update(rest, key, None)
    content = json.dumps([config_id(rest), OmegaConf.to_container(search, resolve=True)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:SHORT]


def given_keys(overrides: Sequence[str]) -> list[str]:
    """The keys, not the groups, that a command line gives values for."""
    keys = [split_override(override)[1] for override in overrides]
    return [key for key in keys if not (CONF / key).is_dir()]


def covers(given: str, key: str) -> bool:
    """Whether a value given for one key settles another: the same, or one below it."""
    return f"{key}.".startswith(f"{given}.")


def has_key(cfg: DictConfig, key: str) -> bool:
    """Whether a config has a key, with any value or null."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return isinstance(node, DictConfig) and name in node


def trial_of(cfg: DictConfig) -> dict[str, Any] | None:
    """The entry ``trial`` of a result: number, group, and the drawn values by name; None where a run is no trial."""
    if cfg.get("trial") is None:
        return None
    first = {name: entry["keys"][0] for name, entry in cfg.search.space.items()}
    values = {str(name): OmegaConf.select(cfg, key) for name, key in first.items()}
    return {"number": cfg.trial, "group": cfg.search.group, "values": values}


def describe_trial(trial: Mapping[str, Any]) -> str:
    """``trial 3: rate 0.002, dropout 0.25``."""
    values = (f"{name} {'null' if value is None else value}" for name, value in trial["values"].items())
    return f"trial {trial['number']}: {', '.join(values)}"
