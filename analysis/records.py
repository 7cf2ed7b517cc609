"""Results of runs: found under folders, read and checked; files that cannot be read are reported."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from data.errors import InputError
from training.direction import quality
from training.folders import CONFIG, HISTORY, PREDICTIONS, RESULT, SCHEMA
from training.identity import config_id
from training.overrides import split_override
from training.percent import to_percent
from training.trials import trial_of

NEEDED = {"task": str, "status": str, "config_id": str, "seed": int}
SEED = re.compile(r"-seed(\d+)$")  # how the stem of a recorded result ends
SPLITS = {"train": "training"}  # in words


@dataclass(frozen=True)
class Record:
    """The result of one run.

    Args:
        path: the result file, or the run folder if it has no result.
        content: the content of the result; of an unfinished run, the part that its config determines.
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
    def in_run_folder(self) -> bool:
        """Whether ``path`` lies in a run folder, beside config, history and predictions."""
        return self.path.name == RESULT or self.path.is_dir()

    @property
    def hashes(self) -> tuple[tuple[str, str], ...]:
        """The SHA-256 of every split."""
        return tuple(sorted(self.content.get("data", {}).get("sha256", {}).items()))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config, if it is kept beside the result: ``config.yaml``, or ``<row>.yaml`` if recorded."""
        path = self.folder / (CONFIG if self.in_run_folder else f"{self.row}.yaml")
        if not path.is_file():
            return {}
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return loaded if isinstance(loaded, dict) else {}

    @property
    def overrides(self) -> Iterator[tuple[str, str]]:
        """What the command line of the run set, as (key, value)."""
        for _, key, value in map(split_override, self.content.get("overrides", [])):
            if value is not None:
                yield key, value

    @property
    def row(self) -> str:
        """The row of a recorded result in its table: ``<row>-seed<N>.json``."""
        return SEED.sub("", self.path.stem)

    @property
    def experiment(self) -> str | None:
        """The experiment in ``conf/experiment``; of a recorded result, the table in which it is kept."""
        task, experiment = self.content.get("task"), self.content.get("experiment")
        return experiment if self.in_run_folder else f"{task}/{self.path.parent.name}"

    @property
    def seconds(self) -> float | None:
        return self.content.get("training", {}).get("seconds")

    def score(self, split: str, metric: str) -> float | None:
        """The score in percent; None if the run has none."""
        score = self.content.get("metrics", {}).get(split, {}).get(metric)
        return to_percent(metric, score) if isinstance(score, (int, float)) else None

    def baseline(self, split: str, metric: str) -> tuple[str, float] | None:
        """The name and the score in percent of the best trivial predictor of the split, such as the majority class.

        It is read from ``baselines``; if there are none, the majority class is derived from the counts of classes.
        """
        scores = self.content.get("metrics", {}).get(split, {})
        found = {name: entry.get(metric) for name, entry in (scores.get("baselines") or {}).items()}
        counts = [entry["count"] for entry in scores.get("per_class", {}).values()]
        if metric == "accuracy" and len(counts) > 1 and sum(counts):
            found.setdefault("majority", max(counts) / sum(counts))
        if metric == "accuracy" and isinstance(scores.get("chance"), float):
            found.setdefault("chance", scores["chance"])
        known = {name: score for name, score in found.items() if isinstance(score, (int, float))}
        if not known:
            return None
        name = max(known, key=lambda name: quality(metric, known[name]))
        return name, to_percent(metric, known[name])

    @property
    def data_in_words(self) -> str:
        """``sst2: 20,000 training, 872 validation examples, revision a1b2``."""
        data = self.content.get("data", {})
        sizes = ", ".join(f"{size:,} {SPLITS.get(split, split)}" for split, size in data.get("sizes", {}).items())
        revision = f", revision {data['revision']}" if data.get("revision") else ""
        examples = f"{sizes} examples" if sizes else "unknown size"
        return f"{data.get('name', 'unknown data')}: {examples}{revision}"

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The rows of ``history.jsonl`` or ``predictions.jsonl``; none if the file is missing or damaged."""
        path = self.folder / name
        if not self.in_run_folder or not path.is_file():
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
class SearchResult:
    """All records under some folders, and one sentence for each file that cannot be read."""

    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_records(folders: Sequence[Path]) -> SearchResult:
    """Every result under the folders, finished or not, each once."""
    found, seen = SearchResult(), set()
    for folder in folders:
        if not folder.exists():
            raise InputError(f"There is no file or folder {folder}.")
        for path in candidates(folder):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                add(found, path)
    return found


def candidates(folder: Path) -> Iterator[Path]:
    """Results, recorded results (``<row>-seed<N>.json``), and run folders without a result."""
    if folder.is_file():
        yield folder
        return
    paths = sorted(path for pattern in ("*.json", CONFIG) for path in folder.rglob(pattern))
    for path in paths:
        if path.name == RESULT or (path.suffix == ".json" and SEED.search(path.stem)):
            yield path
        elif path.name == CONFIG and not (path.parent / RESULT).exists():
            yield path.parent


def add(found: SearchResult, path: Path) -> None:
    """Read one candidate, or report why it is skipped."""
    try:
        found.records.append(Record(path, unfinished_content(path) if path.is_dir() else load_result(path)))
    except (InputError, OSError) as error:
        found.problems.append(f"{path}: {error}")


def load_result(path: Path) -> dict[str, Any]:
    """The content of a result file, checked: of this suite and schema, with finite scores."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"truncated, or not JSON ({error})") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise InputError("not a result of this suite: it has no schema")
    if content["schema"] != SCHEMA:
        raise InputError(f"schema {content['schema']}; this version reads schema {SCHEMA}")
    for key, kind in NEEDED.items():
        if not isinstance(content.get(key), kind):
            raise InputError(f"not a result of this suite: {key} is {content.get(key)!r}")
    if content["status"] == "ok":
        check_scores(content)
    return content


def check_scores(content: dict[str, Any]) -> None:
    """Check that a finished run has finite scores and a training section."""
    metrics, metric = content.get("metrics"), content.get("selection", {}).get("metric")
    if not isinstance(metrics, dict) or not metrics or not isinstance(metric, str) or "training" not in content:
        raise InputError("incomplete result: metrics, selection or training are missing")
    for split, scores in metrics.items():
        for name, score in scores.items():
            if isinstance(score, float) and not math.isfinite(score):
                raise InputError(f"{split} {name} is NaN or infinite")


def unfinished_content(folder: Path) -> dict[str, Any]:
    """The part of a result that the config of an unfinished run determines."""
    try:
        cfg = OmegaConf.load(folder / CONFIG)
        if not isinstance(cfg, DictConfig) or not {"task", "seed", "data"} <= cfg.keys():
            raise InputError(f"its {CONFIG} is not that of a run")
        identity = {"task": cfg.task, "seed": cfg.seed, "config_id": config_id(cfg)}
        trial = trial_of(cfg) if "search" in cfg else None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"its {CONFIG} cannot be read ({str(error).splitlines()[0]})") from error
    target = OmegaConf.select(cfg, "cell._target_") or OmegaConf.select(cfg, "model.encoder.cell._target_")
    cell = str(target).split(".")[-2:-1]
    return {
        "status": "unfinished",
        "reason": "The run has no result.",
        "cell": "".join(cell),
        **identity,
        **({} if trial is None else {"trial": trial}),
    }
