"""Generated time series with a known best possible error: no network, no download."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.series import Floats, Process, Series
from data.sources.series import SeriesReader

FIRST = np.datetime64("1990-01", "M")


@dataclass(kw_only=True)
class GeneratedSeries(SeriesReader):
    """Monthly series: trend, seasons of a year, shifts of the level at random times, and normal noise.

    All series have the shape of their seasons in common, by two harmonics of the month; a series has its own level,
    trend, strength of seasons, noise and shifts. Whoever knew all this, and the level of today, would still err by the
    noise and by the shifts to come: that is the best possible error.

    Args:
        number: of series.
        length: steps of a series.
        noise: the standard deviation of the noise, where the seasons have an amplitude of about 1.
        shifts: the expected number of shifts of the level in a series.
        missing: the fraction of values that are missing.
        seed: of the series; independent of the seed of the run.
    """

    name = "generated_series"

    number: int
    length: int
    noise: float
    shifts: float
    missing: float
    seed: int

    def origin(self) -> dict[str, Any]:
        return {"source": "generated", "revision": None}

    def read_series(self) -> list[Series]:
        generator = np.random.Generator(np.random.PCG64(self.seed))
        times = (FIRST + np.arange(self.length)).astype("datetime64[s]")
        return [self.generate(f"series {number + 1}", times, generator) for number in range(self.number)]

    def generate(self, name: str, times: Any, generator: np.random.Generator) -> Series:
        """One series, in units of its own."""
        unit, level = 10 ** generator.uniform(0, 3), generator.uniform(2, 10)
        deterministic = self.trend(generator) + generator.uniform(0.5, 1.5) * seasons(self.length)
        shifted = level + self.shifted(generator)
        values = deterministic + shifted + self.noise * generator.standard_normal((self.length, 1))
        values[generator.random(self.length) < self.missing] = np.nan
        none = np.zeros((self.length, 0))
        process = Process(unit * deterministic, unit * shifted)
        return Series(name, times, unit * values, none, ("value",), (), 12, process)

    def trend(self, generator: np.random.Generator) -> Floats:
        """A straight line: [N, 1]."""
        return (generator.normal(0, 0.01) * np.arange(self.length, dtype=np.float64))[:, None]

    def shifted(self, generator: np.random.Generator) -> Floats:
        """The sum of all shifts so far: [N, 1]."""
        happens = generator.random(self.length) < self.shifts / self.length
        sizes: Floats = happens * generator.normal(0, 1.5, self.length)
        return sizes.cumsum()[:, None]


def seasons(length: int) -> Floats:
    """What all series have in common: a year of two harmonics: [N, 1]."""
    phase = 2 * np.pi * np.arange(length) / 12
    return (np.sin(phase) + 0.5 * np.cos(2 * phase))[:, None]
