"""Figures of forecasts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from data.series import Forecast, Window
from tasks.forecasting.metrics import Errors, mean
from training.plots import save

SEASONS_BEFORE = 3
LEAST_BEFORE = 24  # steps before the origin that are drawn
COLUMNS = 2
ALPHA = (0.15, 0.3, 0.4)  # of the bands, the outermost first


def forecasts(hypotheses: Sequence[Forecast], windows: Sequence[Window], count: int, path: Path) -> None:
    """Forecasts with bands between their quantiles, of windows at equal distances over the split."""
    chosen = sorted({round(place) for place in np.linspace(0, len(windows) - 1, num=min(count, len(windows)))})
    if not chosen:
        return
    rows = -(-len(chosen) // COLUMNS)
    figure = Figure(figsize=(5.2 * COLUMNS, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for place, number in zip(axes, chosen, strict=False):
        draw(place, hypotheses[number], windows[number])
    for place in axes[len(chosen) :]:
        place.axis("off")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    save(figure, path)


def draw(axes: Axes, hypothesis: Forecast, window: Window) -> None:
    """The first channel of a window: what was known, what came, the median and the bands."""
    series, origin = window.series, window.origin
    start = max(0, origin - max(SEASONS_BEFORE * series.season, LEAST_BEFORE))
    ahead = series.times[origin : origin + window.horizon]
    axes.plot(series.times[start:origin], series.values[start:origin, 0], color="black", linewidth=1, label="known")
    axes.plot(ahead, window.future[:, 0], color="tab:green", marker=".", linewidth=1, label="actual")
    axes.plot(ahead, hypothesis.point[:, 0], color="tab:blue", marker=".", linewidth=1.5, label="median forecast")
    for number, (low, high) in enumerate(bands(len(hypothesis.levels))):
        covered = 100 * (hypothesis.levels[high] - hypothesis.levels[low])
        below, above = hypothesis.quantiles[:, 0, low], hypothesis.quantiles[:, 0, high]
        axes.fill_between(
            ahead,
            below,
            above,
            color="tab:blue",
            alpha=ALPHA[min(number, 2)],
            linewidth=0,
            label=f"{covered:.0f} % band",
        )
    channel = f", {series.channels[0]}" if len(series.channels) > 1 else ""
    axes.set_title(f"{series.name}{channel}", fontsize=9, parse_math=False)
    axes.tick_params(axis="x", labelsize=7, rotation=20)
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(alpha=0.3)


def bands(levels: int) -> list[tuple[int, int]]:
    """The outermost pair of quantiles first."""
    return [(number, levels - 1 - number) for number in range(levels // 2)]


def error_by_horizon(errors: Mapping[str, Errors], path: Path) -> None:
    """MASE by the number of steps ahead, of a model and of simple forecasts."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, found), style in zip(errors.items(), ("-o", "--s", ":^"), strict=False):
        by_step = [100 * mean(found.scaled[:, step]) for step in range(found.point.shape[1])]
        axes.plot(range(1, len(by_step) + 1), by_step, style, markersize=4, label=name)
    axes.set(xlabel="steps ahead", ylabel="MASE, %", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(errors))
    save(figure, path)
