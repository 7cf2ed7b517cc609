"""The figures of a comparison page, each as SVG text that stands in the page itself."""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from analysis.groups import ComparableGroups, RunGroup
from analysis.statistics import pareto_front
from training.percent import is_percent, to_percent

DRAWN = 10  # groups in one figure: there are no more colours that an eye tells apart
LEAST_SPREAD = 0.1  # of an axis of costs, either side of its middle
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnbench",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.edgecolor": "#94a3b8",
    "legend.frameon": False,
}
COLORS = ["#2563eb", "#ea580c", "#16a34a", "#9333ea", "#dc2626", "#0891b2", "#ca8a04", "#db2777", "#475569", "#65a30d"]


def figure(draw: Callable[[Figure], None], name: str, width: float = 9.5, height: float = 3.6) -> str:
    """What ``draw`` puts on a figure, as an ``<svg>`` element whose ids are the figure's own."""
    with matplotlib.rc_context(STYLE):
        made = Figure(figsize=(width, height), layout="constrained")
        draw(made)
        text = io.StringIO()
        made.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{name}" ', svg, count=1)


def colored(section: ComparableGroups) -> list[tuple[RunGroup, str]]:
    """The groups that figures draw, the best ones, each with its colour."""
    return list(zip(section.scored, COLORS, strict=False))


def legend(made: Figure, axes: Axes) -> None:
    """Beside the axes, where it hides nothing."""
    made.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9)


def unit(metric: str) -> str:
    return metric.replace("_", " ") + ("" if is_percent(metric) else ", %")


def scores(section: ComparableGroups, name: str) -> str:
    """A row a group: a dot a seed, the mean, and its 95 % interval."""
    groups = section.scored

    def draw(made: Figure) -> None:
        axes = made.subplots()
        for row, group in enumerate(groups):
            color = COLORS[row] if row < DRAWN else "#475569"
            axes.plot(list(group.scores.values()), [row] * len(group.scores), "o", color=color, alpha=0.35, ms=6)
            if group.interval:
                axes.plot(group.interval, [row, row], color=color, linewidth=2.5, solid_capstyle="round")
            axes.plot(group.mean, row, "D", color=color, ms=8, markeredgecolor="white")
        axes.set_yticks(range(len(groups)), [group.name for group in groups])
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlabel(f"{section.split} {unit(section.metric)}")

    return figure(draw, name, height=1.1 + 0.38 * len(groups))


def learning_curves(section: ComparableGroups, name: str) -> str | None:
    """Training loss and validation score by epoch: a thin line a seed, mean and range where all seeds are there."""
    drawn = [(group, color) for group, color in colored(section) if any(r.history for r in group.finished.values())]
    if not drawn:
        return None

    def draw(made: Figure) -> None:
        loss, score = made.subplots(1, 2)
        for group, color in drawn:
            histories = [record.history for record in group.finished.values() if record.history]
            curves(loss, [[row["train_loss"] for row in rows] for rows in histories], color, group.name)
            curves(score, [validation(rows, section.metric) for rows in histories], color, group.name)
        loss.set(xlabel="epoch", ylabel="training loss")
        score.set(xlabel="epoch", ylabel=f"validation {unit(section.metric)}")
        legend(made, score)

    return figure(draw, name)


def validation(history: Sequence[dict[str, Any]], metric: str) -> list[float]:
    """The score of every epoch in points; gaps where an epoch has none."""
    return [to_percent(metric, row["validation"].get(metric, np.nan)) for row in history]


def curves(axes: Axes, seeds: Sequence[Sequence[float]], color: str, name: str) -> None:
    for values in seeds:
        axes.plot(range(1, len(values) + 1), values, color=color, alpha=0.25, linewidth=0.8)
    shortest = min(map(len, seeds))
    common = np.array([values[:shortest] for values in seeds])
    epochs = range(1, shortest + 1)
    axes.plot(epochs, common.mean(axis=0), color=color, linewidth=2, marker="o", ms=3, label=name)
    axes.fill_between(epochs, common.min(axis=0), common.max(axis=0), color=color, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def costs(section: ComparableGroups, name: str) -> str:
    """Quality against speed and against parameters, the groups that nothing beats in both joined by a line."""

    def draw(made: Figure) -> None:
        speed, size = made.subplots(1, 2)
        front(speed, section, "tokens_per_second", dear=-1)
        front(size, section, "parameters", dear=1)
        speed.set(xlabel="training tokens a second (more is cheaper)", ylabel=f"{section.split} {unit(section.metric)}")
        size.set(xlabel="parameters (fewer is cheaper)")
        legend(made, size)

    return figure(draw, name, height=4)


def front(axes: Axes, section: ComparableGroups, name: str, dear: int) -> None:
    """Every group with its 95 % interval, and the Pareto front; ``dear`` is 1 where more costs more."""
    found = [(group, group.average(name)) for group in section.scored]
    known = [(group, number) for group, number in found if number is not None]
    best = pareto_front([(dear * number, group.mean) for group, number in known])
    axes.plot([known[i][1] for i in best], [known[i][0].mean for i in best], "--", color="#94a3b8", zorder=1)
    for index, (group, number) in enumerate(known):
        rank = section.scored.index(group)
        color = COLORS[rank] if rank < DRAWN else "#475569"
        low, high = group.interval or (group.mean, group.mean)
        axes.plot([number, number], [low, high], color=color, linewidth=1.5)
        filled = "full" if index in best else "none"
        label = group.name if rank < DRAWN else None
        axes.plot(number, group.mean, "o", color=color, ms=9, fillstyle=filled, label=label, linestyle="none")
    axes.margins(x=0.15, y=0.15)
    low, high = axes.get_xlim()
    middle, half = (low + high) / 2, (high - low) / 2
    half = max(half, LEAST_SPREAD * middle)  # costs that were made equal are drawn as equal
    axes.set_xlim(middle - half, middle + half)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def breakdowns(section: ComparableGroups, name: str) -> dict[str, str]:
    """A figure for every ``by_...`` of the scores: mean and range over seeds in every interval."""
    kinds = [kind for kind in split_scores(section.scored[0], section)[0] if kind.startswith("by_")]
    return {kind.removeprefix("by_"): breakdown(section, kind, f"{name}-{kind}") for kind in kinds}


def split_scores(group: RunGroup, section: ComparableGroups) -> list[dict[str, Any]]:
    """The scores of the compared split, a dictionary a seed."""
    return [record.content["metrics"][section.split] for record in group.finished.values()]


def breakdown(section: ComparableGroups, kind: str, name: str) -> str:
    entries = split_scores(section.scored[0], section)[0][kind]
    intervals = list(entries)
    metric = next(key for key in next(iter(entries.values())) if key != "count")

    def draw(made: Figure) -> None:
        axes = made.subplots()
        for group, color in colored(section):
            found = [scores.get(kind, {}) for scores in split_scores(group, section)]
            rows = [[to_percent(metric, seed.get(i, {}).get(metric, np.nan)) for i in intervals] for seed in found]
            table = np.array(rows, dtype=float)
            axes.plot(intervals, table.mean(axis=0), color=color, marker="o", linewidth=2, label=group.name)
            axes.fill_between(intervals, table.min(axis=0), table.max(axis=0), color=color, alpha=0.15, linewidth=0)
        labels = [f"{interval}\n({entries[interval]['count']:,})" for interval in intervals]
        axes.set_xticks(range(len(intervals)), labels)
        axes.set(xlabel=f"{kind.removeprefix('by_')} (examples)", ylabel=f"{section.split} {unit(metric)}")
        legend(made, axes)

    return figure(draw, name)
