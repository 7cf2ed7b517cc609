"""Results of runs, wherever they lie: read, and what cannot be read told and counted."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from data.errors import InputError
from training.folders import CONFIG, HISTORY, PREDICTIONS, RESULT, SCHEMA, config_id

NEEDED = {"task": str, "status": str, "config_id": str, "seed": int}
HUNDRED = ("bleu", "chrf", "ter")  # metrics that are given as 0 to 100; all others are shares of 1


@dataclass(frozen=True)
class Record:
    """What one run came to.

    Args:
        path: of the result, or of the folder of a run that left none.
        content: the result; of an unfinished run as much as its config tells.
    """

    path: Path
    content: dict[str, Any]

    @property
    def folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def seed(self) -> int:
        return self.content["seed"]

    @property
    def status(self) -> str:
        return self.content["status"]

    @property
    def whole(self) -> bool:
        """Whether ``path`` stands in a run folder, with its config and its predictions."""
        return self.path.name == RESULT or self.path.is_dir()

    @property
    def hashes(self) -> tuple[tuple[str, str], ...]:
        """The content of every split, by its hash."""
        return tuple(sorted(self.content.get("data", {}).get("sha256", {}).items()))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config, where it lies beside the result."""
        path = self.folder / CONFIG
        if not self.whole or not path.is_file():
            return {}
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return loaded if isinstance(loaded, dict) else {}

    def score(self, split: str, metric: str) -> float | None:
        """In points; None where the run has no such score."""
        score = self.content.get("metrics", {}).get(split, {}).get(metric)
        return points(metric) * score if isinstance(score, (int, float)) else None

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The rows of ``history.jsonl`` or ``predictions.jsonl``; none where the file is not there or not whole."""
        path = self.folder / name
        if not self.whole or not path.is_file():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        except ValueError:
            return []

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        return self.lines(HISTORY)

    def predictions(self) -> list[dict[str, Any]]:
        return self.lines(PREDICTIONS)


@dataclass
class Found:
    """All records under some folders, and a sentence for everything that is none."""

    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def points(metric: str) -> float:
    """What a score is multiplied by to be read in points of 100."""
    return 1.0 if metric.startswith(HUNDRED) else 100.0


def find(folders: Sequence[Path]) -> Found:
    """Every result under the folders, finished or not, each once."""
    found, seen = Found(), set()
    for folder in folders:
        if not folder.exists():
            raise InputError(f"There is no folder {folder}.")
        for path in candidates(folder):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                add(found, path)
    return found


def candidates(folder: Path) -> Iterator[Path]:
    """Results, recorded results (``<row>-seed<N>.json``), and the folders of runs that left none."""
    if folder.is_file():
        yield folder
        return
    paths = sorted(path for pattern in ("*.json", CONFIG) for path in folder.rglob(pattern))
    for path in paths:
        if path.name == RESULT or (path.suffix == ".json" and "-seed" in path.stem):
            yield path
        elif path.name == CONFIG and not (path.parent / RESULT).exists():
            yield path.parent


def add(found: Found, path: Path) -> None:
    """Read one candidate, or say why it is skipped."""
    try:
        found.records.append(Record(path, unfinished(path) if path.is_dir() else checked(path)))
    except (InputError, OSError) as error:
        found.problems.append(f"{path}: {error}")


def checked(path: Path) -> dict[str, Any]:
    """The content of a result file that is one of this suite's, of this schema, with finite scores."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"truncated, or no JSON ({error})") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise InputError("not a result of this suite: it names no schema")
    if content["schema"] != SCHEMA:
        raise InputError(f"schema {content['schema']}; this version reads schema {SCHEMA}")
    for key, kind in NEEDED.items():
        if not isinstance(content.get(key), kind):
            raise InputError(f"not a result of this suite: {key} is {content.get(key)!r}")
    if content["status"] == "ok":
        check_scores(content)
    return content


def check_scores(content: dict[str, Any]) -> None:
    """A finished run has scores that are numbers, and says what it cost."""
    metrics, metric = content.get("metrics"), content.get("selection", {}).get("metric")
    if not isinstance(metrics, dict) or not metrics or not isinstance(metric, str) or "training" not in content:
        raise InputError("not a whole result: metrics, selection or training are missing")
    for split, scores in metrics.items():
        for name, score in scores.items():
            if isinstance(score, float) and not math.isfinite(score):
                raise InputError(f"{split} {name} is {score}: no number")


def unfinished(folder: Path) -> dict[str, Any]:
    """What the config of a run folder without a result tells of the run."""
    try:
        cfg = OmegaConf.load(folder / CONFIG)
        if not isinstance(cfg, DictConfig) or not {"task", "seed", "data"} <= cfg.keys():
            raise InputError(f"its {CONFIG} is not that of a run")
        identity = {"task": cfg.task, "seed": cfg.seed, "config_id": config_id(cfg)}
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"its {CONFIG} cannot be read ({str(error).splitlines()[0]})") from error
    cell = str(OmegaConf.select(cfg, "cell._target_")).split(".")[-2:-1]
    return {"status": "unfinished", "reason": "The run left no result.", "cell": "".join(cell), **identity}
