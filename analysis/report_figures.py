"""The figures of a report, as SVG text within the page.

Every figure is drawn twice, for wide and for narrow screens, of which the page shows one. Text and frames take the
colours of the page, so that they suit dark mode; groups differ in colour (Okabe and Ito, 2008) and in marker.
"""

import io
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from analysis.groups import ComparableGroups, RunGroup
from analysis.statistics import pareto_front
from training.direction import quality
from training.percent import is_percent, to_percent

DRAWN = 8  # groups in one figure; more colours cannot be distinguished
WIDE, NARROW = 9.5, 4.4  # inches
INK, PAPER = "#0f172a", "#fefefe"  # replaced by the colours of the page
LEAST_SPREAD = 0.1  # of an axis of costs, on either side of its middle
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnbench",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.edgecolor": "#94a3b8",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
COLORS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c6d1f", "#6b7280"]
MARKERS = "osD^vP<X"
GREY = "#6b7280"


Draw = Callable[[Figure, bool], None]


def figure(draw: Draw, name: str, description: str, height: float = 3.6, narrow_height: float | None = None) -> str:
    """A figure for wide and one for narrow screens, as HTML.

    Args:
        draw: fills a figure; its second argument is True for a narrow one.
        name: prefix of all ids in the figure.
        description: the text alternative.
        height, narrow_height: in inches.
    """
    wide = svg(draw, False, f"{name}-wide", description, (WIDE, height))
    narrow = svg(draw, True, f"{name}-narrow", description, (NARROW, narrow_height or height))
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def svg(draw: Draw, narrow: bool, name: str, description: str, size: tuple[float, float]) -> str:
    """One figure as an ``<svg>`` element whose ids are unique in the page."""
    with matplotlib.rc_context(STYLE):
        made = Figure(figsize=size, layout="constrained")
        draw(made, narrow)
        text = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        made.savefig(text, format="svg", metadata=metadata, transparent=True)
    found = text.getvalue()
    found = re.sub(r"<metadata>.*?</metadata>", "", found[found.index("<svg") :], flags=re.DOTALL)
    found = re.sub(r' xmlns(:\w+)?="[^"]*"', "", found).replace("xlink:href", "href")
    found = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", found)
    found = found.replace(INK, "currentColor").replace(PAPER, "var(--paper)")
    return found.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)


def drawn_groups(groups: ComparableGroups) -> list[tuple[RunGroup, str, str]]:
    """The groups that figures draw, the best ones, each with its colour and marker."""
    return list(zip(groups.scored, COLORS, MARKERS, strict=False))


def style_of(rank: int) -> tuple[str, str]:
    """Colour and marker of the group at a place; grey for all groups beyond those that have a colour of their own."""
    return (COLORS[rank], MARKERS[rank]) if rank < DRAWN else (GREY, "o")


def legend(made: Figure, axes: Axes, narrow: bool) -> None:
    """Outside the axes: on the right, or at the bottom of a narrow figure."""
    handles, labels = axes.get_legend_handles_labels()
    if narrow:
        made.legend(handles, labels, loc="outside lower center", fontsize=9)
    else:
        made.legend(handles, labels, loc="outside right upper", fontsize=9)


def two_axes(made: Figure, narrow: bool) -> tuple[Axes, Axes]:
    """Two axes side by side, or one above the other in a narrow figure."""
    first, second = made.subplots(2, 1) if narrow else made.subplots(1, 2)
    return first, second


def unit(metric: str) -> str:
    return metric.replace("_", " ") + ("" if is_percent(metric) else ", %")


def metric_in_words(metric: str) -> str:
    """A metric and its unit, for text alternatives."""
    return metric.replace("_", " ") + ("" if is_percent(metric) else " in percent")


def seed_limits(groups: Sequence[RunGroup]) -> tuple[float, float]:
    """The range of all seeds' scores with a margin; wide intervals of few seeds do not stretch it."""
    scores = [score for group in groups for score in group.scores.values()]
    margin = max(0.12 * (max(scores) - min(scores)), 0.25)
    return min(scores) - margin, max(scores) + margin


def scores(groups: ComparableGroups, name: str) -> str:
    """One row for each group: a dot for each seed, the mean, and its 95 % interval."""
    scored = groups.scored

    def draw(made: Figure, narrow: bool) -> None:
        axes = made.subplots()
        for row, group in enumerate(scored):
            color, marker = style_of(row)
            axes.plot(list(group.scores.values()), [row] * len(group.scores), "o", color=color, alpha=0.4, ms=6)
            if group.interval:
                axes.plot(group.interval, [row, row], color=color, linewidth=2.5, solid_capstyle="round")
            axes.plot(group.mean, row, marker, color=color, ms=9, markeredgecolor=PAPER)
        axes.set_yticks(range(len(scored)), [wrapped(group.name, 18 if narrow else 60) for group in scored])
        axes.set_ylim(len(scored) - 0.5, -0.5)
        axes.set_xlim(*seed_limits(scored))
        axes.set_xlabel(f"{groups.split} {unit(groups.metric)}")

    listing = "; ".join(describe(group) for group in scored)
    description = f"{groups.split} {metric_in_words(groups.metric)} of every group, the best first: {listing}."
    return figure(draw, name, description, height=1.1 + 0.38 * len(scored), narrow_height=1.2 + 0.5 * len(scored))


def wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width))


def describe(group: RunGroup) -> str:
    """``gru 90.74, seeds from 90.55 to 90.84``."""
    found = group.scores.values()
    return f"{group.name} {group.mean:.2f}, seeds from {min(found):.2f} to {max(found):.2f}"


def learning_curves(groups: ComparableGroups, name: str) -> str | None:
    """Training loss and validation score by epoch: a thin line for each seed, mean and range over seeds."""
    chosen = [entry for entry in drawn_groups(groups) if any(r.history for r in entry[0].finished.values())]
    if not chosen:
        return None
    histories = {id(group): [r.history for r in group.finished.values() if r.history] for group, _, _ in chosen}

    def draw(made: Figure, narrow: bool) -> None:
        loss, score = two_axes(made, narrow)
        for group, color, marker in chosen:
            seeds = histories[id(group)]
            curves(loss, [[row["train_loss"] for row in rows] for rows in seeds], color, marker, group.name)
            curves(score, [validation(rows, groups.metric) for rows in seeds], color, marker, group.name)
        loss.set(xlabel="epoch", ylabel="training loss")
        score.set(xlabel="epoch", ylabel=f"validation {unit(groups.metric)}")
        legend(made, score, narrow)

    ends = "; ".join(f"{group.name} {describe_curve(histories[id(group)], groups.metric)}" for group, _, _ in chosen)
    description = (
        f"Training loss and validation {metric_in_words(groups.metric)} by epoch. Validation of the first seed: {ends}."
    )
    return figure(draw, name, description, narrow_height=6.5)


def describe_curve(histories: Sequence[Sequence[dict[str, Any]]], metric: str) -> str:
    """``from 80.00 to 91.00 in 5 epochs``."""
    values = validation(histories[0], metric)
    return f"from {values[0]:.2f} to {values[-1]:.2f} in {len(values)} epochs"


def validation(history: Sequence[dict[str, Any]], metric: str) -> list[float]:
    """The score of every epoch in percent; NaN if an epoch has none."""
    return [to_percent(metric, row["validation"].get(metric, np.nan)) for row in history]


def curves(axes: Axes, seeds: Sequence[Sequence[float]], color: str, marker: str, name: str) -> None:
    """A thin line for each seed; mean and range as far as all seeds go."""
    for values in seeds:
        axes.plot(range(1, len(values) + 1), values, color=color, alpha=0.25, linewidth=0.8)
    shortest = min(map(len, seeds))
    common = np.array([values[:shortest] for values in seeds])
    epochs = range(1, shortest + 1)
    axes.plot(epochs, common.mean(axis=0), color=color, linewidth=2, marker=marker, ms=4, label=name)
    axes.fill_between(epochs, common.min(axis=0), common.max(axis=0), color=color, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def costs(groups: ComparableGroups, name: str) -> str:
    """Score against speed and against parameters; the groups that nothing beats in both are joined by a line.

    Groups of one seed are drawn, but not compared.
    """

    def draw(made: Figure, narrow: bool) -> None:
        speed, size = two_axes(made, narrow)
        front(speed, groups, "tokens_per_second", sign=-1)
        front(size, groups, "parameters", sign=1)
        speed.set(xlabel="training tokens/s (more is cheaper)", ylabel=f"{groups.split} {unit(groups.metric)}")
        size.set(xlabel="parameters (fewer is cheaper)")
        legend(made, size, narrow)

    listing = "; ".join(
        f"{group.name} {group.mean:.2f} at {group.average('tokens_per_second') or 0:,.0f} tokens/s "
        f"and {group.average('parameters') or 0:,.0f} parameters"
        for group in groups.scored[:DRAWN]
    )
    description = f"{groups.split} {metric_in_words(groups.metric)} against cost: {listing}."
    return figure(draw, name, description, height=4, narrow_height=7)


def front(axes: Axes, groups: ComparableGroups, name: str, sign: int) -> None:
    """Every group with its 95 % interval, and the Pareto front; ``sign`` is 1 if more is more expensive."""
    found = [(group, group.average(name)) for group in groups.scored]
    known = [(group, number) for group, number in found if number is not None]
    several = [index for index, (group, _) in enumerate(known) if len(group.scores) > 1]
    points = [(sign * known[i][1], quality(known[i][0].metric, known[i][0].mean)) for i in several]
    best = [several[i] for i in pareto_front(points)]
    axes.plot([known[i][1] for i in best], [known[i][0].mean for i in best], "--", color="#94a3b8", zorder=1)
    for index, (group, number) in enumerate(known):
        rank = groups.scored.index(group)
        color, marker = style_of(rank)
        low, high = group.interval or (group.mean, group.mean)
        axes.plot([number, number], [low, high], color=color, linewidth=1.5)
        filled = "full" if index in best else "none"
        label = group.name if rank < DRAWN else None
        axes.plot(number, group.mean, marker, color=color, ms=9, fillstyle=filled, label=label, linestyle="none")
    axes.margins(x=0.15)
    axes.set_ylim(*seed_limits(groups.scored))
    low, high = axes.get_xlim()
    middle, half = (low + high) / 2, (high - low) / 2
    half = max(half, LEAST_SPREAD * middle)  # costs that were made equal are drawn as equal
    axes.set_xlim(middle - half, middle + half)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def breakdowns(groups: ComparableGroups, name: str) -> dict[str, str]:
    """A figure for every ``by_...`` of the scores: mean and range over seeds in every interval."""
    kinds = [
        kind for kind, entry in split_scores(groups.scored[0], groups)[0].items() if kind.startswith("by_") and entry
    ]
    return {kind.removeprefix("by_"): breakdown(groups, kind, f"{name}-{kind}") for kind in kinds}


def split_scores(group: RunGroup, groups: ComparableGroups) -> list[dict[str, Any]]:
    """The scores of the compared split, one dictionary for each seed."""
    return [record.content["metrics"][groups.split] for record in group.finished.values()]


def breakdown(groups: ComparableGroups, kind: str, name: str) -> str:
    """Scores by length, distance or another property of the examples."""
    entries = split_scores(groups.scored[0], groups)[0][kind]
    metric = next(key for key in next(iter(entries.values())) if key != "count")
    tables = [
        (*entry, breakdown_table(entry[0], groups, kind, list(entries), metric)) for entry in drawn_groups(groups)
    ]

    def draw(made: Figure, narrow: bool) -> None:
        axes = made.subplots()
        places = range(len(entries))
        for group, color, marker, table in tables:
            axes.plot(places, table.mean(axis=0), color=color, marker=marker, linewidth=2, label=group.name)
            axes.fill_between(places, table.min(axis=0), table.max(axis=0), color=color, alpha=0.15, linewidth=0)
        labels = [f"{interval}\n({entry['count']:,})" for interval, entry in entries.items()]
        axes.set_xticks(places, labels, fontsize=8 if narrow else None)
        if narrow and len(entries) > 5:
            axes.tick_params(axis="x", rotation=60)
        axes.set(xlabel=f"{kind.removeprefix('by_')} (examples)", ylabel=f"{groups.split} {unit(metric)}")
        legend(made, axes, narrow)

    means = "; ".join(
        f"{group.name}: " + ", ".join(f"{i} {m:.1f}" for i, m in zip(entries, table.mean(axis=0), strict=True))
        for group, _, _, table in tables
    )
    description = f"{groups.split} {metric_in_words(metric)} by {kind.removeprefix('by_')}. {means}."
    return figure(draw, name, description, narrow_height=4.5)


def breakdown_table(
    group: RunGroup, groups: ComparableGroups, kind: str, intervals: Sequence[str], metric: str
) -> np.ndarray:
    """[seeds, intervals] scores in percent; NaN if a seed has none."""
    found = [scores.get(kind, {}) for scores in split_scores(group, groups)]
    rows = [[to_percent(metric, seed.get(i, {}).get(metric, np.nan)) for i in intervals] for seed in found]
    return np.array(rows, dtype=float)
