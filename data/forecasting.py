"""Windows on time series as batches of scaled numbers, and forecasts in the units of the series.

Shape letters: B windows, T steps before the origin, H steps to forecast, C channels, F inputs, K features of a step.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.batch import Batch, Ragged
from data.calendar import CALENDAR_SIZE, calendar
from data.corpus import Codec
from data.errors import InputError
from data.scaling import Known, Scale, Scaling
from data.series import Floats, Forecast, Series, Window, training_parts
from data.windows import Step, WindowLayout, step_of, window_of_line
from data.writing import write_json

SCALES = "scales.json"
MOST_LEVELS = 99


@dataclass(frozen=True)
class WindowBatch(Batch):
    """B windows, scaled. ``tokens`` [B, T, F] are the inputs of every step, ``targets`` [B, H, C]."""

    future: Tensor  # [B, H, K] what is known of the steps to forecast
    last: Tensor  # [B, C] the last value, in the scale of the inputs
    spread: NDArray[np.float64]  # [B, 1, C] and
    reference: NDArray[np.float64]  # [B, H, C] turn what is predicted into the units of the series

    def unscale(self, predictions: Tensor) -> Floats:
        """Predictions [B, H, C, Q] in the units of the series."""
        return predictions.detach().double().cpu().numpy() * self.spread[..., None] + self.reference[..., None]


@dataclass(frozen=True)
class EncodedWindows:
    """Windows on series that lie one after the other in flat arrays, scaled when a batch is made of them."""

    values: Floats  # [N, C] of all series; NaN where missing
    filled: Floats  # [N, C] the same without gaps
    covariates: Floats  # [N, K] of the calendar and of the data; never missing
    seasons: NDArray[np.int64]  # [rows] steps of a season
    firsts: NDArray[np.int64]  # [rows] the first step of the series
    origins: NDArray[np.int64]  # [rows] the first step to forecast
    levels: Floats  # [rows, C] mean and
    spreads: Floats  # [rows, C] standard deviation of the training part
    window: int
    horizon: int
    scaling: Scaling
    num_cut: int = 0

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.minimum(self.origins - self.firsts, self.window)

    @property
    def embedded(self) -> Ragged:
        """No tokens."""
        return Ragged.of([[] for _ in self.origins])

    def batch(self, rows: np.ndarray) -> WindowBatch:
        lengths, origins = self.lengths[rows], self.origins[rows]
        columns = np.arange(max(1, lengths.max(initial=0)))
        mask = columns < lengths[:, None]
        past = np.where(mask, (origins - lengths)[:, None] + columns, origins[:, None] - 1)
        ahead = origins[:, None] + np.arange(self.horizon)
        scale = self.scale(rows, past, mask, ahead)
        targets = (self.values[ahead] - scale.reference) / scale.spread[:, None]
        observed = torch.from_numpy(np.isfinite(targets))
        return WindowBatch(
            rows=rows,
            tokens=as_tensor(self.inputs(rows, past, scale) * mask[..., None]),
            mask=torch.from_numpy(mask),
            targets=as_tensor(np.nan_to_num(targets)),
            target_mask=observed,
            future=as_tensor(self.known_ahead(rows, ahead, scale)),
            last=as_tensor((self.filled[origins - 1] - scale.level) / scale.spread),
            spread=scale.spread[:, None],
            reference=scale.reference,
        )

    def scale(self, rows: np.ndarray, past: np.ndarray, mask: np.ndarray, ahead: np.ndarray) -> Scale:
        """How the windows of some rows are scaled."""
        values = np.where(mask[..., None], self.values[past], np.nan)
        seasonal = self.season_before(rows, ahead)
        last = self.filled[self.origins[rows] - 1]
        return self.scaling.scale(Known(values, last, seasonal, self.levels[rows], self.spreads[rows]))

    def season_before(self, rows: np.ndarray, steps: np.ndarray) -> Floats:
        """The values of the last season before the origin that is known, at the phase of some steps: [B, S, C]."""
        season, origin = self.seasons[rows][:, None], self.origins[rows][:, None]
        ago = np.maximum(steps - origin, 0) // season + 1
        before = steps - season * ago
        return self.filled[np.where(before < self.firsts[rows][:, None], np.minimum(steps, origin) - 1, before)]

    def inputs(self, rows: np.ndarray, past: np.ndarray, scale: Scale) -> Floats:
        """Value, the value a season before the next step, whether the value is known, and covariates: [B, T, F]."""
        level, spread = scale.level[:, None], scale.spread[:, None]
        value = (self.values[past] - level) / spread
        season = (self.season_before(rows, past + 1) - level) / spread
        known = np.isfinite(value)
        return np.concatenate([np.nan_to_num(value), season, known, self.covariates[past]], axis=-1)

    def known_ahead(self, rows: np.ndarray, ahead: np.ndarray, scale: Scale) -> Floats:
        """The value of the last season, the reference and the covariates of the steps to forecast: [B, H, K]."""
        level, spread = scale.level[:, None], scale.spread[:, None]
        season, reference = self.season_before(rows, ahead), scale.reference
        return np.concatenate([(season - level) / spread, (reference - level) / spread, self.covariates[ahead]], -1)


def as_tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


class ForecastingCodec(Codec[Window]):
    """Windows <-> scaled numbers.

    Args:
        window: T, the maximum number of steps before an origin that are read.
        scaling: how windows are scaled; what it needs of the training part is learned there.
        quantiles: the levels of the quantiles that are forecast, ascending, 0.5 among them; ``[0.5]`` for points alone.
    """

    example_type = Window
    max_length = None

    def __init__(self, window: int, scaling: Scaling, quantiles: list[float]) -> None:
        if window < 1:
            raise InputError(f"codec.window={window}: must be at least 1.")
        check_quantiles(quantiles)
        self.window, self.scaling, self.quantiles = window, scaling, tuple(quantiles)

    def fit(self, train: Sequence[Window]) -> None:
        """Learn the mean and the standard deviation of every series, and of every channel of all."""
        parts = training_parts(train)
        longest = max(window.origin for window in train)
        if self.window > longest:
            raise InputError(
                f"codec.window={self.window} is longer than the training series: the longest has {longest} steps "
                f"before its last origin; lower codec.window, or give longer series."
            )
        first = train[0].series
        self.channels, self.covariate_names = list(first.channels), list(first.covariate_names)
        self.horizon, self.season = train[0].horizon, max(series.season for series in parts)
        self.step = step_of(first.times).saved()
        self.scales = {series.name: moments(series.values[:end]) for series, end in parts.items()}
        self.covariate_scale = moments(np.concatenate([series.covariates[:end] for series, end in parts.items()]))
        levels, spreads = (np.array([scale[i] for scale in self.scales.values()]) for i in (0, 1))
        self.unknown = (np.median(levels, axis=0).tolist(), np.median(spreads, axis=0).tolist())

    @property
    def layout(self) -> WindowLayout:
        """What a window to forecast from must have."""
        channels, covariates = tuple(self.channels), tuple(self.covariate_names)
        return WindowLayout(channels, covariates, self.horizon, self.season, Step(*self.step))

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        channels, covariates = len(self.channels), CALENDAR_SIZE + 2 * len(self.covariate_names)
        return {
            "num_inputs": 3 * channels + covariates,
            "num_known": 2 * channels + covariates,
            "num_channels": channels,
            "horizon": self.horizon,
        }

    def encode(self, examples: Sequence[Window]) -> EncodedWindows:
        distinct = list(dict.fromkeys(window.series for window in examples))
        starts = np.cumsum([0, *map(len, distinct)])
        place = dict(zip(distinct, starts.tolist(), strict=False))
        firsts = np.array([place[window.series] for window in examples])
        scales = [self.scales.get(window.series.name, self.unknown) for window in examples]
        return EncodedWindows(
            values=np.concatenate([series.values for series in distinct]),
            filled=np.concatenate([series.filled for series in distinct]),
            covariates=np.concatenate([self.covariates(series) for series in distinct]),
            seasons=np.array([window.series.season for window in examples]),
            firsts=firsts,
            origins=firsts + np.array([window.origin for window in examples]),
            levels=np.array([scale[0] for scale in scales]),
            spreads=np.array([scale[1] for scale in scales]),
            window=self.window,
            horizon=self.horizon,
            scaling=self.scaling,
        )

    def covariates(self, series: Series) -> Floats:
        """The calendar, the data's own covariates in scale, and whether these are known: [N, K]."""
        level, spread = map(np.array, self.covariate_scale)
        own = (series.covariates - level) / spread
        return np.concatenate([calendar(series), np.nan_to_num(own), np.isfinite(own)], axis=1)

    def unlabelled(self, line: str) -> Window:
        return window_of_line(line, self.layout)

    def decode(self, predictions: Sequence[Any]) -> list[Forecast]:
        """Quantiles [H, C, Q] in the units of the series -> forecasts; quantiles that cross are sorted."""
        return [Forecast(self.quantiles, np.sort(np.asarray(row, dtype=np.float64), axis=-1)) for row in predictions]

    def save(self, directory: Path) -> None:
        write_json(directory / SCALES, {name: getattr(self, name) for name in SAVED})

    def load(self, directory: Path) -> None:
        path = directory / SCALES
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            raise InputError(f"{path} is missing or is not JSON: the run folder is damaged.") from None
        check_saved(content, path)
        for name in SAVED:
            setattr(self, name, content[name])


SAVED = {
    "channels": list,
    "covariate_names": list,
    "horizon": int,
    "season": int,
    "step": list,
    "scales": dict,
    "covariate_scale": list,
    "unknown": list,
}


def check_saved(content: Any, path: Path) -> None:
    """Raise where the content of a file is not what a codec saves."""
    whole = isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in SAVED.items())
    if not whole or not 1 <= content["horizon"] <= 100_000 or not 1 <= len(content["channels"]) <= 100_000:
        raise InputError(f"{path} does not contain the scales of the series: the run folder is damaged.")
    widths = {"unknown": len(content["channels"]), "covariate_scale": len(content["covariate_names"])}
    pairs = [*((name, content[name]) for name in widths), *(("unknown", pair) for pair in content["scales"].values())]
    for name, pair in pairs:
        try:
            right = np.array(pair, dtype=np.float64).shape == (2, widths[name])
        except (TypeError, ValueError):
            right = False
        if not right:
            raise InputError(f"{path}: {name} has another number of columns: the run folder is damaged.")


def check_quantiles(quantiles: Sequence[float]) -> None:
    """Raise where levels are not ascending between 0 and 1 with 0.5 among them."""
    ascending = list(quantiles) == sorted(set(quantiles))
    if not ascending or 0.5 not in quantiles or not 0 < min(quantiles) <= max(quantiles) < 1:
        raise InputError(
            f"codec.quantiles={list(quantiles)}: give ascending levels between 0 and 1 with 0.5 among them, or [0.5]."
        )


def moments(values: Floats) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of every column; 0 and 1 where these are not known: [N, C] -> two [C]."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / count)
    return mean.tolist(), np.where(spread > 0, spread, 1).tolist()
