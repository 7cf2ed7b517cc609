"""Figures of a run."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.writing import write_text, write_with
from training.fonts import Labels, drawable, report_legend

matplotlib.use("Agg")
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # which weight of a font is missing

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


def score_by_group(groups: Mapping[str, Mapping[str, float]], metric: str, kind: str, path: Path) -> None:
    """A score in every group with its number of predictions, and that of chance where it is known (dotted)."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    names = list(groups)
    axes.plot(names, [groups[name][metric] for name in names], marker="o", label=metric)
    if all("chance" in group for group in groups.values()):
        axes.plot(names, [groups[name]["chance"] for name in names], color="tab:gray", linestyle=":", label="chance")
    axes.set_xticks(range(len(names)), [f"{name}\n({groups[name]['count']:,})" for name in names], fontsize=8)
    axes.set(xlabel=f"{kind} (predictions)", ylabel=metric, ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def gradients_by_distance(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The norm of dLoss/dstate by the distance from the loss: median and band over sequences, before and after."""
    moments = list(dict.fromkeys(row["moment"] for row in rows))
    figure = Figure(figsize=(4 * len(moments) + 1, 3.4), layout="constrained")
    for axes, moment in zip(figure.subplots(1, len(moments), sharey=True, squeeze=False)[0], moments, strict=True):
        drawn = [row for row in rows if row["moment"] == moment]
        for cell in dict.fromkeys(row["cell"] for row in drawn):
            draw_band(axes, [row for row in drawn if row["cell"] == cell], cell)
        axes.set(title=f"at the {moment} of the training", xlabel="distance from the loss, in tokens", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.axes[0].set_ylabel("norm of dLoss/dstate")
    save(figure, path)


def draw_band(axes: Axes, rows: Sequence[dict[str, Any]], label: str) -> None:
    """One line with its band; what is 0 in 32 bits is drawn at the smallest number that is not."""
    distances = [row["distance"] for row in rows]
    median, low, high = ([max(row["state"][name], 1e-45) for row in rows] for name in ("median", "low", "high"))
    (line,) = axes.plot(distances, median, label=label)
    axes.fill_between(distances, low, high, alpha=0.2, color=line.get_color())


def confusion_matrix(hypotheses: Sequence[Any], references: Sequence[Any], path: Path) -> None:
    """How often each reference class (row) was predicted as which class (column): counts, and fractions of the row.

    Of many classes the most frequent ones are drawn. Where labels are shortened or replaced, what they stand
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
