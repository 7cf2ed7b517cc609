"""The README's figures from the recorded results: ``python -m analysis.figures``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
FIGURES = Path(__file__).parent / "readme_figures"
FEWEST = 20  # sentences in a group that is drawn

Runs = list[dict[str, Any]]


def recorded(table: str, row: str) -> Runs:
    """The recorded seeds of a row."""
    paths = sorted((RESULTS / table).glob(f"{row}-seed*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def rows(table: str) -> list[str]:
    return sorted({path.stem.rsplit("-seed", 1)[0] for path in (RESULTS / table).glob("*.json")})


def draw(lines: dict[str, Runs], groups: str, metric: str, factor: int, **labels: Any) -> Figure:
    """A test score by group, one line per row of a table: mean over seeds, with a band from the worst to the best."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes: Axes = figure.subplots()
    for name, runs in lines.items():
        found = [run["metrics"]["test"][groups] for run in runs]
        drawn = [group for group, entry in found[0].items() if entry["count"] >= FEWEST]
        scores = factor * np.array([[entries[group][metric] for group in drawn] for entries in found])
        seeds = f"{len(runs)} seed{'s' if len(runs) > 1 else ''}"
        (line,) = axes.plot(drawn, scores.mean(axis=0), marker="o", label=f"{name} ({seeds})")
        axes.fill_between(drawn, scores.min(axis=0), scores.max(axis=0), alpha=0.15, color=line.get_color())
    axes.set(**labels)
    figure.legend(loc="outside upper center", ncols=len(lines))
    axes.grid(alpha=0.3)
    return figure


def language_by_distance() -> Figure:
    lines = {cell: recorded("sentiment/language", cell) for cell in rows("sentiment/language")}
    where = "tokens between the cue and the word that it acts on"
    figure = draw(lines, "by_distance", "accuracy", 100, xlabel=where, ylabel="test accuracy, %", ylim=(45, 101))
    figure.axes[0].axhline(50, color="gray", linewidth=0.8, linestyle=":")
    return figure


def multi30k_by_length() -> Figure:
    tables = {"luong": "multi30k", "bahdanau": "multi30k_bahdanau", "plain": "multi30k_plain"}
    lines = {name: recorded(f"translation/{table}", "lstm") for name, table in tables.items()}
    return draw(
        lines, "by_length", "bleu", 1, xlabel="words of the source sentence", ylabel="test BLEU", ylim=(0, None)
    )


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    for figure in (language_by_distance, multi30k_by_length):
        figure().savefig(FIGURES / f"{figure.__name__}.png", dpi=120)
