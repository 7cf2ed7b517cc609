"""Scores of baselines, computed beside those of a run and cached by the content of the data."""

import hashlib
import inspect
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.corpus import Corpus
from data.errors import first_line
from data.writing import write_json
from training.direction import quality
from training.evaluation import Evaluation, Scores

log = logging.getLogger(__name__)

CACHE_VARIABLE = "RNNBENCH_CACHE"  # of the environment: another folder for the cache
SOURCES = ("baselines.py", "bleu.py", "metrics.py", "words.py")  # of this package: what scores of baselines depend on


def baseline_scores(
    evaluation: Evaluation, splits: Mapping[str, Sequence[Any]], digests: Mapping[str, str]
) -> dict[str, dict[str, Scores]]:
    """The scores of the baselines on every split but ``train``, from the cache where it has them.

    Args:
        evaluation: of the task, fitted on the training split.
        splits: the examples of every split.
        digests: the content hash of every split.
    """
    paths = {split: cache_file(evaluation, digests["train"], digests[split]) for split in splits if split != "train"}
    cached = {split: read_cached(path) for split, path in paths.items()}
    found = {split: scores for split, scores in cached.items() if scores is not None}
    missing = [split for split in paths if split not in found]
    if missing:
        started = time.perf_counter()
        log.info("computing the scores of baselines on %s", " and ".join(missing))
        computed = evaluation.baselines(splits["train"], {split: splits[split] for split in missing})
        log.info("baselines computed in %.1f s", time.perf_counter() - started)
        for split, scores in computed.items():
            write_cached(paths[split], scores)
        found |= computed
    return {split: found[split] for split in paths}


def add_baselines(metrics: Mapping[Any, dict[str, Any]], evaluation: Evaluation, corpus: Corpus[Any]) -> None:
    """Put the scores of baselines beside those of a model: ``metrics.<split>.baselines``."""
    splits = {name: split.examples for name, split in corpus.splits.items() if name in ("train", *metrics)}
    for split, scores in baseline_scores(evaluation, splits, corpus.description()["sha256"]).items():
        metrics[split]["baselines"] = scores


def cache_folder() -> Path:
    """``$RNNBENCH_CACHE``, or the folder ``rnnbench`` among the user's cached files."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rnnbench")


def cache_file(evaluation: Evaluation, *digests: str) -> Path:
    """The file for an evaluation and data; another one when the code of the baselines or scikit-learn changes."""
    import sklearn

    kind = type(evaluation)
    parts = [kind.__module__, kind.__qualname__, evaluation.baseline_options(), sklearn.__version__, *digests]
    key = hashlib.sha256("\0".join(parts).encode())
    for source in sources(kind):
        key.update(source.read_bytes())
    return cache_folder() / "baselines" / f"{key.hexdigest()[:32]}.json"


def sources(kind: type) -> Iterable[Path]:
    """The files whose code computes baselines and their scores."""
    task = Path(inspect.getfile(kind))
    own = (task.with_name(name) for name in ("baselines.py", "metrics.py"))
    candidates = [task, *own, *(Path(__file__).with_name(name) for name in SOURCES)]
    return [path for path in candidates if path.is_file()]


def read_cached(path: Path) -> dict[str, Scores] | None:
    """The scores in a cache file; None where there are none, or none that are whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if is_scores(content) else None


def is_scores(content: Any) -> bool:
    """Whether this is a dictionary of dictionaries of numbers."""
    return isinstance(content, dict) and all(
        isinstance(scores, dict) and all(type(score) in (int, float) for score in scores.values())
        for scores in content.values()
    )


def write_cached(path: Path, scores: dict[str, Scores]) -> None:
    """Keep scores for other runs on the same data; where that is impossible they are computed again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, scores)
    except OSError as error:
        log.info("the scores of baselines are not cached: %s", first_line(error))


def better_baselines(scores: Mapping[str, Any], metric: str) -> list[tuple[str, float]]:
    """(name, score) of the baselines of a split with better scores than the model, the best first."""
    given = {name: entry[metric] for name, entry in scores.get("baselines", {}).items() if metric in entry}
    level = quality(metric, scores[metric])
    better = [(name, score) for name, score in given.items() if quality(metric, score) > level]
    return sorted(better, key=lambda item: -quality(metric, item[1]))
