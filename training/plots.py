"""Pictures of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from data.writing import write_with

matplotlib.use("Agg")


def save(figure: Figure, path: Path) -> None:
    write_with(path, lambda beside: figure.savefig(beside, dpi=150, bbox_inches="tight"))


def learning_curve(history: Sequence[dict[str, Any]], metric: str, best_epoch: int, path: Path) -> None:
    """Training loss and validation score by epoch, the epoch whose weights were kept marked."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    loss, score = figure.subplots(1, 2)
    loss.plot(epochs, [row["train_loss"] for row in history], marker="o", color="tab:gray")
    loss.set(title="training loss", xlabel="epoch")
    scores = [row["validation"][metric] for row in history]
    score.plot(epochs, scores, marker="o", color="tab:blue")
    score.plot(best_epoch, scores[best_epoch - 1], marker="o", markersize=11, fillstyle="none", color="tab:red")
    score.set(title=f"validation {metric} (circle: weights kept)", xlabel="epoch")
    for axes in (loss, score):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    save(figure, path)


def confusion_matrix(hypotheses: Sequence[str], references: Sequence[str], path: Path) -> None:
    """How often each class (row) was called which (column), as shares of the row, with the counts."""
    from sklearn.metrics import confusion_matrix as count

    names = sorted(set(references) | set(hypotheses))
    counts = count(references, hypotheses, labels=names)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = max(3.0, 0.55 * len(names) + 1.5)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=90 if len(names) > 4 else 0)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="true")
    for row in ticks:
        for column in ticks:
            if counts[row, column]:
                color = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, counts[row, column], ha="center", va="center", color=color, fontsize=7)
    save(figure, path)


def attention_map(weights: Sequence[Sequence[float]], source: Sequence[str], target: Sequence[str], path: Path) -> None:
    """How much of each source piece (column) went into each target piece (row)."""
    figure = Figure(figsize=(0.32 * len(source) + 1.5, 0.3 * len(target) + 1.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(range(len(target)), target, fontsize=8, parse_math=False)
    axes.set(xlabel="source", ylabel="translation")
    save(figure, path)
