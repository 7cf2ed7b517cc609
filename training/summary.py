"""The few lines that a run ends with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from training.baselines import better_baselines
from training.direction import lower_is_better, quality
from training.percent import is_plain, to_percent
from training.selection import LOSS
from training.titles import baseline_title

GROUPS = 8  # rows of a breakdown that are shown
READABLE = {
    "bleu": "BLEU",
    "bleu_lowercase": "BLEU, lower-cased",
    "chrf": "chrF2++",
    "length_ratio": "length in % of the references",
    "mase": "MASE",
    "smape": "sMAPE",
    "mae": "MAE",
    "rmse": "RMSE",
    "best_possible_mase": "best possible MASE",
}


def show(title: str, result: dict[str, Any], directory: Path) -> None:
    """A table of scores and baselines, what is remarkable about them, the cost, and the folder."""
    console = Console()
    console.print(score_table(title, result["metrics"], result["selection"]["metric"]))
    for sentence in remarks(result):
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
    training = result["training"]
    console.print(
        f"{count(training['epochs'], 'epoch')} in {duration(training['seconds'])}, "
        f"{training['tokens_per_second']:,.0f} tokens/s, {result['parameters']:,} parameters, "
        f"{training['peak_memory_mb']:,.0f} MB of memory at most",
        highlight=False,
    )
    console.print(f"Files: {from_here(directory)}", soft_wrap=True, markup=False, highlight=False)


def from_here(directory: Path) -> Path:
    """The path as commands of this working directory take it: relative if it lies below."""
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory


def score_table(title: str, metrics: dict[str, Any], metric: str) -> Table:
    """Scores of every split, those of baselines, then those by group."""
    table = Table(title=title)
    table.add_column("")
    for split in metrics:
        table.add_column(split, justify="right")
    last = metrics[list(metrics)[-1]]
    for name, score in last.items():
        if isinstance(score, (int, float)):
            cells = (percent(name, scores.get(name)) for scores in metrics.values())
            table.add_row(readable(name), *cells, style="bold" if name == metric else None)
    add_baselines(table, metrics, metric)
    for name, groups in last.items():
        if name.startswith("by_") and groups:
            add_groups(table, metrics, name)
    return table


def add_baselines(table: Table, metrics: dict[str, Any], metric: str) -> None:
    """A row for every baseline that has the metric, the worst score first."""
    last = metrics[list(metrics)[-1]].get("baselines", {})
    known = (name for name in last if metric in last[name])
    names = sorted(known, key=lambda name: quality(metric, last[name][metric]))
    if names:
        table.add_section()
    for name in names:
        found = (scores.get("baselines", {}).get(name, {}).get(metric) for scores in metrics.values())
        table.add_row(f"baseline: {baseline_title(name)}", *(percent(metric, score) for score in found))


def add_groups(table: Table, metrics: dict[str, Any], name: str) -> None:
    """The rows of one breakdown, the groups with most examples where there are many."""
    groups = metrics[list(metrics)[-1]][name]
    largest = sorted(groups, key=lambda group: -groups[group]["count"])[:GROUPS]
    table.add_section()
    for group in [group for group in groups if group in largest]:
        cells = (group_cell(scores.get(name, {}).get(group)) for scores in metrics.values())
        metric = next(iter(groups[group]))
        kind = readable(name.removeprefix("by_"))
        label = group if group.startswith(f"{kind} ") else f"{kind} {group}"  # a series may be called "series 1"
        table.add_row(f"{readable(metric)}, {label}", *cells)


def group_cell(scores: dict[str, float] | None) -> str:
    """The first score of a group and its number of examples; empty where a split has none."""
    if not scores:
        return ""
    metric, score = next(iter(scores.items()))
    return f"{percent(metric, score)} ({scores['count']:,})"


def percent(metric: str, score: float | None) -> str:
    """A score from 0 to 100 with two decimal places, or one in the units of the data with four digits."""
    if score is None:
        return ""
    return f"{score:.4g}" if is_plain(metric) else f"{to_percent(metric, score):.2f}"


def readable(name: str) -> str:
    """The name of a score in a table."""
    return READABLE.get(name, name.replace("_", " "))


def remarks(result: dict[str, Any]) -> Iterator[str]:
    """Sentences on what a reader of the scores must know."""
    metrics, selection = result["metrics"], result["selection"]
    split = list(metrics)[-1]
    if sentence := compared_with_baselines(metrics[split], selection["metric"], split):
        yield sentence
    if unseen := metrics[split].get("unseen_labels"):
        names = ", ".join(list(unseen)[:5]) + (", ..." if len(unseen) > 5 else "")
        yield f"Labels of the {split} split that do not occur in training: {names} ({sum(unseen.values()):,} times)."
    if sentence := selected_by_fallback(selection):
        yield sentence


def compared_with_baselines(scores: dict[str, Any], metric: str, split: str) -> str | None:
    """A sentence where baselines have better scores than the model."""
    better = better_baselines(scores, metric)
    if not better:
        return None
    names = [f"{baseline_title(name)} ({measured(metric, score)})" for name, score in better]
    worse = "a greater error than" if lower_is_better(metric) else "below"
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"The model scores {measured(metric, scores[metric])} on {split}, {worse} {listed}."


def measured(metric: str, score: float) -> str:
    """A score with its unit."""
    value = f"{to_percent(metric, score):.1f}"
    return f"{value} {readable(metric)}" if to_percent(metric, 1.0) == 1.0 else f"{value} %"


def selected_by_fallback(selection: dict[str, Any]) -> str | None:
    """A sentence where the metric was the same in all epochs and another one selected the weights."""
    requested, decided = selection.get("requested_metric"), selection.get("decided_by")
    if requested is None or decided in (None, requested):
        return None
    chosen = "the validation loss" if decided == LOSS else readable(decided)
    return (
        f"Validation {readable(requested)} was the same in all epochs, so {chosen} selected the weights of "
        f"epoch {selection['epoch']}."
    )


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
