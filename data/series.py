"""Time series, and the windows on them that are the examples of forecasting.

Shape letters: N steps of a series, H steps to forecast, C channels, K covariates.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.errors import InputError

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64] | NDArray[np.int64]


class Process(NamedTuple):
    """What generated a series: known of generated data only, for the best possible error."""

    deterministic: Floats  # [N, C] trend and seasons
    level: Floats  # [N, C] which shifts at random

    def best(self, origin: int, horizon: int) -> Floats:
        """The best possible point forecast: no later shift of the level, no noise: [H, C]."""
        return self.deterministic[origin : origin + horizon] + self.level[origin - 1]


@dataclass(frozen=True, eq=False)
class Series:
    """One time series of C channels on a regular grid.

    Args:
        name: of the series among those of a data set.
        times: of every step, ascending: dates, or whole numbers.
        values: missing ones are NaN.
        covariates: what is known of every step in advance, beside its time; missing ones are NaN.
        channels, covariate_names: the names of the columns.
        season: the number of steps of a season; 1 where there is none.
        process: what generated it, where that is known.
    """

    name: str
    times: Times  # [N]
    values: Floats  # [N, C]
    covariates: Floats  # [N, K]
    channels: tuple[str, ...]
    covariate_names: tuple[str, ...]
    season: int
    process: Process | None = None

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def digests(self) -> list[str]:
        """A digest of all that is known up to every step, so that equal series have equal digests."""
        names = (self.name, *self.channels, *self.covariate_names, str(self.season))
        digest = hashlib.sha256("\0".join(names).encode())
        rows = np.nan_to_num(np.concatenate([self.values, self.covariates], axis=1), nan=np.inf)
        found = []
        for time, row in zip(self.times.astype(str), rows, strict=True):
            digest.update(f"{time}".encode() + row.tobytes())
            found.append(digest.hexdigest())
        return found

    @cached_property
    def filled(self) -> Floats:
        """The values; in place of a missing one that of the last season, or the last one: [N, C].

        No value depends on a later one. Before the first value of a channel there are zeros.
        """
        filled, season = self.values.copy(), self.season
        last = np.zeros(filled.shape[1])
        for step, row in enumerate(filled):
            before = filled[step - season] if season > 1 and step >= season else last
            row[:] = np.where(np.isnan(row), before, row)
            last = row
        return filled


class Window(NamedTuple):
    """The steps of a series before an origin, and the H steps after it, which are to be forecast."""

    series: Series
    origin: int  # the number of steps that are known
    horizon: int  # H
    text: str = ""  # what it was read from, where it is an input of prediction

    def content(self) -> tuple[str, ...]:
        """All up to the last step to forecast, as a digest."""
        return str(self.origin), str(self.horizon), self.series.digests[self.origin + self.horizon - 1]

    def stratum(self) -> None:
        return None

    @property
    def past(self) -> Floats:
        """[origin, C]"""
        return self.series.values[: self.origin]

    @property
    def future(self) -> Floats:
        """What is to be forecast: [H, C], NaN where it is missing."""
        return self.series.values[self.origin : self.origin + self.horizon]

    @property
    def future_times(self) -> list[str]:
        return time_texts(self.series.times[self.origin : self.origin + self.horizon])


class Forecast(NamedTuple):
    """Quantiles of the steps to forecast."""

    levels: tuple[float, ...]
    quantiles: Floats  # [H, C, Q], ascending

    @property
    def point(self) -> Floats:
        """The median: [H, C]."""
        return self.quantiles[..., self.levels.index(0.5)]


def time_texts(times: Times) -> list[str]:
    """Times as text; dates alone where none has a time of day."""
    if times.dtype.kind == "M" and (times == times.astype("datetime64[D]")).all():
        times = times.astype("datetime64[D]")
    return times.astype(str).tolist()


def training_parts(train: Sequence[Window]) -> dict[Series, int]:
    """Every series of the training split, and how many of its steps belong to it."""
    ends: dict[Series, int] = {}
    for window in train:
        ends[window.series] = max(ends.get(window.series, 0), window.origin + window.horizon)
    return ends


def seasonal_step(values: Floats, season: int) -> Floats:
    """The mean absolute difference of values one season apart, by which MASE scales: [N, C] -> [C].

    NaN for a channel without two such values.
    """
    differences = np.abs(values[season:] - values[:-season])
    known = ~np.isnan(differences)
    sums, counts = np.where(known, differences, 0).sum(axis=0), known.sum(axis=0)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def check_not_constant(series: Series, end: int) -> None:
    """Raise where a channel has no two different values in the training part."""
    for channel, values in zip(series.channels, series.values[:end].T, strict=True):
        known = values[~np.isnan(values)]
        if not len(known):
            raise InputError(
                f"Series '{series.name}' has no value in column '{channel}' in its training part: remove the column, "
                f"or give earlier values."
            )
        if np.ptp(known) == 0:
            raise InputError(
                f"Series '{series.name}' is constant in column '{channel}' in its training part (every value is "
                f"{known[0]:g}): remove it, as there is nothing to learn."
            )
