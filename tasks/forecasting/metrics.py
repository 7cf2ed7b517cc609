"""Errors of forecasts, as means over all values that are known.

Shape letters: W windows, H steps to forecast, C channels, Q quantiles.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.series import Floats, Forecast, Series, Window, seasonal_step, training_parts

Scores = dict[str, float]


class Errors(NamedTuple):
    """Forecasts beside what came."""

    levels: tuple[float, ...]
    quantiles: Floats  # [W, H, C, Q]
    point: Floats  # [W, H, C]
    actual: Floats  # [W, H, C] NaN where missing
    scales: Floats  # [W, C] of MASE

    @classmethod
    def of(cls, forecasts: Sequence[Forecast], windows: Sequence[Window], scales: "TrainingScales") -> "Errors":
        return cls(
            forecasts[0].levels,
            np.stack([forecast.quantiles for forecast in forecasts]),
            np.stack([forecast.point for forecast in forecasts]),
            np.stack([window.future for window in windows]),
            np.stack([scales.of(window) for window in windows]),
        )

    @property
    def absolute(self) -> Floats:
        """[W, H, C]"""
        return np.abs(self.actual - self.point)

    @property
    def scaled(self) -> Floats:
        """Absolute errors as fractions of the mean seasonal step of the training part: [W, H, C]."""
        return self.absolute / self.scales[:, None]


class TrainingScales:
    """By what MASE divides: the mean absolute error of the seasonal last value in the training part of a series.

    Where that part is shorter than a season, or repeats itself exactly, the error of the last value counts, and where
    there is not even that, the standard deviation.

    Args:
        train: the training windows.
    """

    def __init__(self, train: Sequence[Window]) -> None:
        self.known = {series: scale_of(series, end) for series, end in training_parts(train).items()}

    def of(self, window: Window) -> Floats:
        """[C]; for a series without a training part, from the values before the origin."""
        if window.series not in self.known:
            self.known[window.series] = scale_of(window.series, window.origin)
        return self.known[window.series]


def scale_of(series: Series, end: int) -> Floats:
    """The scale of every channel by its first steps: [C]."""
    values = series.values[:end]
    scale = seasonal_step(values, series.season)
    for other in (seasonal_step(values, 1), np.nanstd(series.values, axis=0)):
        scale = np.where(scale > 0, scale, other)
    return np.where(scale > 0, scale, 1.0)


def forecast_scores(errors: Errors) -> Scores:
    """MASE (Hyndman & Koehler, 2006), sMAPE (from 0 to 2), MAE, RMSE, and scores of the quantiles.

    Series without a unit in common meet in MASE and sMAPE; MAE, RMSE and the pinball loss are in the units of the data.
    """
    points = {
        "mase": mean(errors.scaled),
        "smape": mean(symmetric(errors.point, errors.actual)),
        "mae": mean(errors.absolute),
        "rmse": mean(errors.absolute**2) ** 0.5,
    }
    return points | (quantile_scores(errors) if len(errors.levels) > 1 else {})


def symmetric(point: Floats, actual: Floats) -> Floats:
    """2 |y - f| / (|y| + |f|), 0 where both are 0."""
    total = np.abs(actual) + np.abs(point)
    return np.divide(2 * np.abs(actual - point), total, out=np.where(total == 0, 0.0, np.nan), where=total > 0)


def quantile_scores(errors: Errors) -> Scores:
    """The pinball loss, a mean over the levels, and how often a value lies between the outer quantiles."""
    above = errors.actual[..., None] - errors.quantiles
    levels = np.array(errors.levels)
    losses = np.maximum(levels * above, (levels - 1) * above)
    low, high = errors.quantiles[..., 0], errors.quantiles[..., -1]
    inside = np.where(np.isnan(errors.actual), np.nan, (low <= errors.actual) & (errors.actual <= high))
    return {
        "pinball": mean(losses),
        "scaled_pinball": mean(losses / errors.scales[:, None, :, None]),
        f"coverage_{covered(errors.levels)}": mean(inside),
    }


def covered(levels: Sequence[float]) -> int:
    """What the outer quantiles should cover, in percent."""
    return round(100 * (levels[-1] - levels[0]))


def mean(values: NDArray[np.float64]) -> float:
    """The mean of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0


def grouped(errors: Errors, groups: Mapping[str, Iterable[int]], axis: int) -> dict[str, Scores]:
    """MASE, and the number of values, of the given places along an axis of the errors."""
    found = {}
    for name, places in groups.items():
        values = np.take(errors.scaled, list(places), axis=axis)
        found[name] = {"mase": mean(values), "count": int((~np.isnan(values)).sum())}
    return found
