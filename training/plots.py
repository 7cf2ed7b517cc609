"""Figures of a run."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.writing import write_text, write_with
from training.fonts import Labels, drawable, report_legend

matplotlib.use("Agg")

MOST_CLASSES = 50  # in a confusion matrix
MOST_PIECES = 80  # of a side in a map of attention


def save(figure: Figure, path: Path) -> None:
    write_with(path, lambda temporary: figure.savefig(temporary, dpi=150, bbox_inches="tight"))


def learning_curve(history: Sequence[dict[str, Any]], metric: str, best_epoch: int, path: Path) -> None:
    """Training loss and validation score by epoch, with the epoch marked whose weights were kept."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    loss, score = figure.subplots(1, 2)
    loss.plot(epochs, [row["train_loss"] for row in history], marker="o", color="tab:gray")
    loss.set(title="training loss", xlabel="epoch")
    points = [(row["epoch"], row["validation"][metric]) for row in history if metric in row["validation"]]
    score.plot([epoch for epoch, _ in points], [value for _, value in points], marker="o", color="tab:blue")
    for epoch, value in points:
        if epoch == best_epoch:
            score.plot(epoch, value, marker="o", markersize=11, fillstyle="none", color="tab:red")
    score.set_title(f"validation {metric} (circle: weights kept)", parse_math=False)
    score.set_xlabel("epoch")
    for axes in (loss, score):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    save(figure, path)


def confusion_matrix(hypotheses: Sequence[Any], references: Sequence[Any], path: Path) -> None:
    """How often each reference class (row) was predicted as which class (column): counts, and fractions of the row.

    Of many classes the most frequent ones are drawn. Where labels are drawn otherwise than they are, what they stand
    for is written beside the figure (``confusion_matrix.txt``).
    """
    references, hypotheses = [str(name) for name in references], [str(name) for name in hypotheses]
    names = most_frequent_classes(hypotheses, references)
    counts = count_pairs(hypotheses, references, names)
    labels = drawable(names)
    size = max(3.5, 0.5 * len(names) + 2.0)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    totals = [max(1, sum(row)) for row in counts]
    fractions = [[count / total for count in row] for row, total in zip(counts, totals, strict=True)]
    image = axes.imshow(fractions or [[0.0]], cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="fraction of the reference class", shrink=0.8)
    label_axis(axes, "x", labels, rotation=90 if len(names) > 4 or max(map(len, labels.texts), default=0) > 8 else 0)
    label_axis(axes, "y", labels)
    all_classes = len(set(references) | set(hypotheses))
    of = f" ({len(names)} most frequent of {all_classes} classes)" if all_classes > len(names) else ""
    axes.set(xlabel="predicted", ylabel="reference", title=f"confusion matrix: {len(references):,} predictions{of}")
    write_counts(axes, counts, fractions)
    save(figure, path)
    report_legend(labels, path)
    if labels.legend:
        lines = (f"{text}\t{' '.join(name.split())}\n" for text, name in labels.legend.items())
        write_text(path.with_suffix(".txt"), "".join(lines))


def most_frequent_classes(hypotheses: Sequence[str], references: Sequence[str]) -> list[str]:
    """The classes that are drawn, in alphabetical order."""
    counts = Counter(references)
    counts.update(dict.fromkeys(hypotheses, 0))
    return sorted(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_CLASSES])


def count_pairs(hypotheses: Sequence[str], references: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """[references][hypotheses]: how often each pair of classes occurs."""
    counts = Counter(zip(references, hypotheses, strict=True))
    return [[counts[reference, predicted] for predicted in names] for reference in names]


def write_counts(axes: Axes, counts: Sequence[Sequence[int]], fractions: Sequence[Sequence[float]]) -> None:
    """Counts above 0 into their cells, in a colour that contrasts with the cell's."""
    for row, values in enumerate(counts):
        for column, count in enumerate(values):
            if count:
                color = "white" if fractions[row][column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=7)


def attention_map(weights: Sequence[Sequence[float]], source: Sequence[str], target: Sequence[str], path: Path) -> None:
    """The weight of each source piece (column) for each target piece (row)."""
    source, target = source[:MOST_PIECES], target[:MOST_PIECES]
    shown = [list(row[: len(source)]) for row in weights[: len(target)]]
    figure = Figure(figsize=(0.32 * len(source) + 2.5, 0.3 * len(target) + 1.8), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shown or [[0.0]], cmap="Greys", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=axes, label="attention weight")
    label_axis(axes, "x", pieces(source), rotation=90)
    label_axis(axes, "y", pieces(target))
    axes.set(
        xlabel="source", ylabel="translation", title=f"attention: {len(source)} source pieces, {len(target)} generated"
    )
    save(figure, path)


def pieces(texts: Sequence[str]) -> Labels:
    """Pieces of text as labels; equal pieces have equal labels."""
    kinds = list(dict.fromkeys(texts))
    labels = drawable(kinds)
    shown = dict(zip(kinds, labels.texts, strict=True))
    return Labels([shown[text] for text in texts], labels.families, labels.legend)


def label_axis(axes: Axes, axis: str, labels: Labels, rotation: int = 0) -> None:
    """Labels at the ticks of an axis, as plain text in fonts that have their characters."""
    set_ticks = axes.set_xticks if axis == "x" else axes.set_yticks
    set_ticks(range(len(labels.texts)), labels.texts, rotation=rotation, fontsize=8, parse_math=False)
    for tick in (axes.get_xticklabels if axis == "x" else axes.get_yticklabels)():
        tick.set_fontfamily(labels.families)
