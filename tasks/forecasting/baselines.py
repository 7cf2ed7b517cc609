"""Forecasts without a network: the last value, that of the last season, and exponential smoothing."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from data.series import Floats, Forecast, Series, Window, training_parts

log = logging.getLogger(__name__)

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
POINT = (0.5,)
MOST_FITS = 60  # series and channels that exponential smoothing is fitted to
LONGEST_SEASON = 60  # steps that exponential smoothing has a state for
FEWEST_STEPS = 10

Points = Callable[[Window], Floats]  # a window -> [H, C]


def last_value(window: Window) -> Floats:
    return np.repeat(window.series.filled[window.origin - 1 : window.origin], window.horizon, axis=0)


def seasonal_last_value(window: Window) -> Floats:
    """The value of the last season that is known, of a shorter series the last value."""
    season, filled = window.series.season, window.series.filled
    steps = window.origin - season + np.arange(window.horizon) % season
    return filled[np.where(steps < 0, window.origin - 1, steps)]


SIMPLE: Mapping[str, Points] = {"last_value": last_value, "seasonal_last_value": seasonal_last_value}


def points(forecast: Points, windows: Sequence[Window]) -> list[Forecast]:
    """Point forecasts of some windows."""
    return [Forecast(POINT, forecast(window)[..., None]) for window in windows]


def simple_forecasts(windows: Sequence[Window]) -> dict[str, list[Forecast]]:
    """Those that need no training."""
    return {name.replace("_", " "): points(forecast, windows) for name, forecast in SIMPLE.items()}


def best_forecasts(windows: Sequence[Window]) -> list[Forecast] | None:
    """The best possible forecasts; None where it is not known what generated a series."""
    processes = [window.series.process for window in windows]
    known = [process for process in processes if process is not None]
    if len(known) < len(windows):
        return None
    best = (process.best(window.origin, window.horizon) for process, window in zip(known, windows, strict=True))
    return [Forecast(POINT, point[..., None]) for point in best]


class Baselines:
    """Forecasters fitted to the training part; their quantiles are those of their errors there, by step.

    Args:
        train: the training windows.
    """

    def __init__(self, train: Sequence[Window]) -> None:
        self.train = train
        self.forecasters: dict[str, Points] = dict(SIMPLE)
        smoothing = fit_smoothing(train)
        if smoothing is not None:
            self.forecasters["exponential_smoothing"] = smoothing

    def forecasts(self, windows: Sequence[Window]) -> dict[str, list[Forecast]]:
        """The forecasts of every baseline."""
        return {name: self.with_quantiles(forecast, windows) for name, forecast in self.forecasters.items()}

    def with_quantiles(self, forecast: Points, windows: Sequence[Window]) -> list[Forecast]:
        """Points with the quantiles of the errors that they had in the training part of the same series."""
        errors: dict[Series, list[Floats]] = {}
        for window in self.train:
            errors.setdefault(window.series, []).append(window.future - forecast(window))
        offsets = {series: offset_quantiles(np.stack(found)) for series, found in errors.items()}
        unknown = np.zeros((windows[0].horizon, len(windows[0].series.channels), len(LEVELS)))
        return [
            Forecast(LEVELS, forecast(window)[..., None] + offsets.get(window.series, unknown)) for window in windows
        ]


def offset_quantiles(errors: Floats) -> Floats:
    """The quantiles of errors around their median: [W, H, C] -> [H, C, Q]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of steps without a known value
        quantiles = np.nanquantile(errors, LEVELS, axis=0)
    centred = quantiles - quantiles[LEVELS.index(0.5)]
    return np.nan_to_num(np.moveaxis(centred, 0, -1))


class States(NamedTuple):
    """What exponential smoothing knows of a channel after every step."""

    first: int  # step
    level: Floats  # [N]
    slope: Floats  # [N] zeros without a trend
    season: Floats  # [N] zeros without seasons
    damping: float
    period: int

    def forecast(self, window: Window) -> Floats:
        """From the state at the origin: [H]."""
        last = window.origin - 1 - self.first
        if last < 0:
            return np.repeat(window.series.filled[window.origin - 1, :1], window.horizon)
        ahead = np.arange(window.horizon)
        trend = np.cumsum(self.damping ** (ahead + 1)) * self.slope[last]
        seasonal = np.maximum(last + 1 - self.period + ahead % self.period, 0)
        return self.level[last] + trend + self.season[seasonal]


def fit_smoothing(train: Sequence[Window]) -> Points | None:
    """Exponential smoothing with additive errors (ETS), fitted to the training part and run over all steps.

    With or without a damped trend and seasons, by AICc. A forecast depends on no later step than its origin. None
    without statsmodels, or where there are too many series.
    """
    try:
        import statsmodels.tsa.exponential_smoothing.ets  # noqa: F401
    except ModuleNotFoundError:
        log.info("exponential smoothing is left out: pip install 'rnnbench[forecasting]' for statsmodels")
        return None
    parts = training_parts(train)
    if sum(len(series.channels) for series in parts) > MOST_FITS:
        log.info("exponential smoothing is left out: there are more than %d series", MOST_FITS)
        return None
    states = {
        (series, channel): states_of(series, channel, end)
        for series, end in parts.items()
        for channel in range(len(series.channels))
    }

    def forecast(window: Window) -> Floats:
        found = [states.get((window.series, channel)) for channel in range(len(window.series.channels))]
        simple = seasonal_last_value(window)
        columns = [simple[:, c] if state is None else state.forecast(window) for c, state in enumerate(found)]
        return np.stack(columns, axis=1)

    return forecast


def states_of(series: Series, channel: int, end: int) -> States | None:
    """The states of the model with the lowest AICc; None for a series that is too short for any."""
    known = ~np.isnan(series.values[:, channel])
    first = int(known.argmax())
    values, fitted = series.filled[first:, channel], end - first
    if fitted < FEWEST_STEPS:
        return None
    seasons = [1, series.season] if 1 < series.season <= min(LONGEST_SEASON, (fitted - 1) // 2) else [1]
    found = [fit_one(values[:fitted], trend, period) for trend, period in product((False, True), seasons)]
    usable = [result for result in found if result is not None]
    if not usable:
        return None
    best, trend, period = min(usable, key=lambda result: float(result[0].aicc))
    return run_over(values, first, best, trend, period)


def fit_one(values: Floats, trend: bool, period: int) -> tuple[Any, bool, int] | None:
    """A fitted model; None where the fit fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fitted = model_of(values, trend, period, initialization_method="heuristic").fit(disp=False)
        except (ValueError, np.linalg.LinAlgError, FloatingPointError):
            return None
    return (fitted, trend, period) if np.isfinite(fitted.aicc) else None


def model_of(values: Floats, trend: bool, period: int, **initialization: Any) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    parts = {"trend": "add", "damped_trend": True} if trend else {}
    parts |= {"seasonal": "add", "seasonal_periods": period} if period > 1 else {}
    return ETSModel(values, error="add", **parts, **initialization)


def run_over(values: Floats, first: int, fitted: Any, trend: bool, period: int) -> States:
    """The states after every step, by the parameters and the initial state of the training part."""
    start: dict[str, Any] = {"initial_level": fitted.initial_level}
    start |= {"initial_trend": fitted.initial_trend} if trend else {}
    start |= {"initial_seasonal": fitted.initial_seasonal} if period > 1 else {}
    result = model_of(values, trend, period, initialization_method="known", **start).smooth(fitted.params)
    zeros = np.zeros(len(values))
    return States(
        first,
        np.asarray(result.level),
        np.asarray(result.slope) if trend else zeros,
        np.asarray(result.season) if period > 1 else zeros,
        float(fitted.damping_trend) if trend else 1.0,
        period,
    )
