"""The outcomes of the jobs of a sweep: a line for each, and a table of all."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.direction import quality
from training.folders import RESULT, SET_ASIDE, read_result
from training.identity import PATHS
from training.percent import to_percent
from training.summary import duration, percent, readable

MOST_ROWS = 40
NAMED_BY_VALUE = ("cell", "data", "experiment")  # the name of their option alone says what it is


def job_title(overrides: Iterable[str], varied: Sequence[str]) -> str:
    """``gru, seed 2`` of the overrides of a job, for the keys that its sweep varied."""
    values = parsed(overrides)
    return ", ".join(key_and_value(key, values[key]) for key in varied if key in values)


def parsed(overrides: Iterable[str]) -> dict[str, str]:
    return dict(override.lstrip("+").partition("=")[::2] for override in overrides)


def key_and_value(key: str, value: str) -> str:
    if key in NAMED_BY_VALUE:
        return value
    if key.rpartition(".")[0] == "data" and key.rpartition(".")[2] in PATHS:
        value = "/".join(Path(value).parts[-2:])
    return f"{key.rpartition('.')[2].replace('_', ' ')} {value}"


def outcome(result: dict[str, Any], seconds: float | None) -> str:
    """The validation score of a job and its time, or how it ended; without ``seconds`` it was finished before."""
    text = result.get("status", "failed")
    if text == "ok":
        metric, score = result["selection"]["metric"], result["selection"]["score"]
        text = f"{readable(metric)} {to_percent(metric, score):.1f}"
    return f"{text}, finished before" if seconds is None else f"{text} in {duration(seconds)}"


def started_at(result: dict[str, Any]) -> float:
    """When a run was started, in seconds as of ``time.time``."""
    return datetime.fromisoformat(result["started"]).timestamp()


def print_table(folder: Path, varied: Sequence[str]) -> None:
    """Print a table of all jobs in the folder of a sweep, the best validation score first, and how to compare them.

    Runs that were set aside, as they are of other data, have no row.
    """
    paths = [path for path in sorted(folder.glob(f"*/{RESULT}")) if SET_ASIDE not in path.parent.name]
    results = [result for path in paths if (result := read_result(path.parent))]
    if not results:
        return
    console = Console()
    console.print(sweep_table(sorted(results, key=best_first), told_apart_by(results, varied)))
    if len(results) > MOST_ROWS:
        console.print(f"... and {len(results) - MOST_ROWS} more jobs")
    compare = f"Means over seeds and tests: python -m analysis.compare {folder}"
    console.print(compare, soft_wrap=True, markup=False, highlight=False)


def told_apart_by(results: Iterable[dict[str, Any]], varied: Sequence[str]) -> list[str]:
    """What this sweep varied, and what else differs between the jobs of its folder: earlier sweeps may be in it."""
    values: dict[str, set[str]] = {}
    jobs = [parsed(result.get("overrides", ())) for result in results]
    for key in dict.fromkeys(key for job in jobs for key in job):
        values[key] = {job.get(key, "") for job in jobs}
    return list(dict.fromkeys([*varied, *(key for key in values if len(values[key]) > 1)]))


def best_first(result: dict[str, Any]) -> float:
    if result["status"] != "ok":
        return float("inf")
    return -quality(result["selection"]["metric"], result["selection"]["score"])


def sweep_table(results: Sequence[dict[str, Any]], varied: Sequence[str]) -> Table:
    """A row for each result: what its job varied, scores, parameters and time."""
    metric = next((result["selection"]["metric"] for result in results if result["status"] == "ok"), "score")
    table = Table(title=f"{results[0]['task']}: {readable(metric)}")
    for column in ("job", "validation", "test", "parameters", "time"):
        table.add_column(column, justify="left" if column == "job" else "right", no_wrap=column != "job")
    for result in results[:MOST_ROWS]:
        table.add_row(job_title(result.get("overrides", ()), varied) or title(result), *cells(result))
    return table


def title(result: dict[str, Any]) -> str:
    return f"{result['cell']}, seed {result['seed']}"


def cells(result: dict[str, Any]) -> Iterable[str]:
    """The scores, the number of parameters and the time of a run; how it ended in the place of scores, if not well."""
    if result["status"] != "ok":
        return (result["status"],)
    metric, metrics = result["selection"]["metric"], result["metrics"]
    scores = (percent(metric, metrics.get(split, {}).get(metric)) for split in ("validation", "test"))
    return (*scores, f"{result['parameters']:,}", duration(result["training"]["seconds"]))
