"""The figures of a search: expected best score by number of trials, and scores by each hyperparameter."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.report_figures import figure, legend, metric_in_words, style_of, unit
from analysis.search_tables import readable
from analysis.trials import Search, TrialGroup, expected_curve
from training.trials import Dimension

ACROSS = 3  # axes beside each other
JITTER = 0.12  # of the distance between two choices


def expected(search: Search, name: str) -> str:
    """The expected validation score of the best of n trials, with one standard deviation."""

    def draw(made: Figure, narrow: bool) -> None:
        axes = made.subplots()
        for place, group in enumerate(search.groups):
            color, marker = style_of(place)
            curve = np.array(expected_curve(group))
            counts, worst, best = np.arange(1, len(curve) + 1), min(group.scores.values()), max(group.scores.values())
            axes.plot(counts, curve[:, 0], color=color, marker=marker, ms=4, linewidth=2, label=group.name)
            low, high = (np.clip(curve[:, 0] + sign * curve[:, 1], worst, best) for sign in (-1, 1))
            axes.fill_between(counts, low, high, color=color, alpha=0.12, linewidth=0)
        axes.set(xlabel="trials", ylabel=f"validation {unit(search.metric)}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(made, axes, narrow)

    listing = "; ".join(f"{group.name} {curve_text(group)}" for group in search.groups)
    return figure(draw, name, f"Expected validation score of the best of n trials: {listing}.", narrow_height=4.5)


def curve_text(group: TrialGroup) -> str:
    """``70.00 with one trial, 85.00 with 12``."""
    curve = expected_curve(group)
    return f"{curve[0][0]:.2f} with one trial, {curve[-1][0]:.2f} with {len(curve)}"


def by_hyperparameter(search: Search, name: str) -> str | None:
    """The score of every trial against each drawn value; failed trials are hollow."""
    drawn = {one.name: one for group in search.groups for one in group.dimensions}
    if not drawn:
        return None

    def draw(made: Figure, narrow: bool) -> None:
        across = 1 if narrow else ACROSS
        grid = made.subplots(math.ceil(len(drawn) / across), across, squeeze=False, sharey=True)
        for axes, one in zip(grid.flat, drawn.values(), strict=False):
            scatter(axes, one, search.groups)
        for axes in grid.flat[len(drawn) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel(unit(search.metric))
        legend(made, grid[0, 0], narrow)

    rows = math.ceil(len(drawn) / ACROSS)
    best = "; ".join(filter(None, (best_in_words(group) for group in search.groups)))
    description = (
        f"Validation {metric_in_words(search.metric)} of every trial by {listing(drawn)}. The best trials: {best}."
    )
    return figure(draw, name, description, height=2.5 * rows, narrow_height=2.4 * len(drawn))


def best_in_words(group: TrialGroup) -> str:
    """``gru 85.00 with rate 0.01, clip 1``: the best trial and what it drew; empty if all failed."""
    if group.best is None:
        return ""
    values = ", ".join(
        f"{name.replace('_', ' ')} {readable(value)}" for name, value in group.values(group.best).items()
    )
    return f"{group.name} {group.finished[group.best]:.2f} with {values}"


def listing(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


def scatter(axes: Axes, one: Dimension, groups: Sequence[TrialGroup]) -> None:
    """The scores of all groups that drew one hyperparameter."""
    for place, group in enumerate(groups):
        color, marker = style_of(place)
        having = [number for number in group.scores if one.name in group.values(number)]
        points = [(axis_value(one, group.values(number)[one.name], place), group.scores[number]) for number in having]
        for filled, label in ((True, group.name), (False, None)):
            chosen = [point for n, point in zip(having, points, strict=True) if (n in group.finished) == filled]
            x, y = [x for x, _ in chosen], [y for _, y in chosen]
            fill = "full" if filled else "none"
            axes.plot(x, y, marker, color=color, fillstyle=fill, linestyle="none", ms=5, alpha=0.8, label=label)
    if one.kind == "log":
        axes.set_xscale("log")
    if one.kind == "choice":
        axes.set_xticks(range(len(one.values)), ["null" if v is None else str(v) for v in one.values])
        axes.set_xlim(-0.5, len(one.values) - 0.5)
    axes.set_xlabel(one.name.replace("_", " "))


def axis_value(one: Dimension, value: object, place: int) -> float:
    """Where a value is drawn; of choices beside each other, one column for each group."""
    if one.kind == "choice":
        return one.values.index(value) + JITTER * (place % 5 - 2) / 2
    return float(value)  # type: ignore[arg-type]
