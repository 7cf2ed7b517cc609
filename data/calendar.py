"""Covariates from the time of a step: the phase of the day, the week, the year and the season."""

import numpy as np

from data.series import Floats, Series, Times

DAY = 86_400  # seconds
YEAR = 365.25 * DAY
CYCLES = (DAY, 7 * DAY, YEAR)  # a cycle is used where a step is at most half of it


def calendar(series: Series) -> Floats:
    """Sine and cosine of the phase of every step in the day, the week, the year and the season: [N, 8].

    Of cycles that the steps are too long for, and of whole numbers in place of dates, they are 0.
    """
    phases = [cycle_phase(series.times, cycle) for cycle in CYCLES]
    phases.append(step_numbers(series.times) / series.season if series.season > 1 else np.full(len(series), np.nan))
    angles = 2 * np.pi * np.stack(phases, axis=1)
    return np.nan_to_num(np.concatenate([np.sin(angles), np.cos(angles)], axis=1))


def cycle_phase(times: Times, cycle: float) -> Floats:
    """How many cycles have passed since 1970; NaN where the steps are too long for the cycle, or are no dates."""
    if times.dtype.kind != "M" or len(times) < 2 or 2 * step_size(times) > cycle:
        return np.full(len(times), np.nan)
    return times.astype(np.int64) / cycle


def step_numbers(times: Times) -> Floats:
    """The number of every step since 1970, or since 0, so that a part of a series has the phases of the whole."""
    if len(times) < 2:
        return times.astype(np.float64)
    step = step_size(times)
    if times.dtype.kind != "M" or step <= 28 * DAY:
        return np.round(times.astype(np.int64) / step)
    return times.astype("datetime64[M]").astype(np.int64) / max(1, round(12 * step / YEAR))


def step_size(times: Times) -> float:
    """The distance of two steps, in seconds; of whole numbers, in these."""
    return float(np.median(np.diff(times).astype(np.int64)))


CALENDAR_SIZE = 2 * (len(CYCLES) + 1)
