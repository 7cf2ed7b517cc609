"""Times in tables: parsed, checked for their order, and put on a regular grid."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.errors import InputError, shorten
from data.series import Times
from data.sources.tables import Row

DAY = 86_400  # seconds
QUARTER = re.compile(r"(\d{4})-?[Qq]([1-4])")
MONTH = re.compile(r"\d{4}-\d{2}")
LONGEST_GRID = 10  # times the number of rows: of sparser times no steps are inserted


class Grid(NamedTuple):
    """Times at equal distances, and where the given ones stand among them."""

    times: Times
    positions: NDArray[np.int64]
    season: int  # steps of a day, week or year, by the distance of the steps; 1 without seasons


def time_of(row: Row, column: str, form: str | None) -> np.datetime64 | int:
    """The time in a column of a row: a date and time in seconds, or a whole number.

    Args:
        form: of dates, as ``strptime`` takes it; None for ISO 8601, ``2024-01``, ``2024Q1``, or a whole number.
    """
    value = row.values[column]
    try:
        parsed = parse_time(value, form)
    except ValueError:
        parsed = None
    if parsed is None:
        wanted = f"a time of the form {form}" if form else "a date such as 2024-01-31, or a whole number"
        advice = "" if form else ", or give its form with data.time_format, as in '%d.%m.%Y'"
        raise InputError(f"{row.place}: '{shorten(value)}' in column '{column}' is not a time: write {wanted}{advice}.")
    return parsed


def parse_time(value: Any, form: str | None) -> np.datetime64 | int | None:
    """A date and time, or a whole number; None for anything else."""
    if isinstance(value, (datetime, date)):
        return in_seconds(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value).strip()
    if form:
        return in_seconds(datetime.strptime(text, form))
    if re.fullmatch(r"-?\d{1,7}", text):
        return int(text)
    if quarter := QUARTER.fullmatch(text):
        return np.datetime64(f"{quarter[1]}-{3 * int(quarter[2]) - 2:02}-01", "s")
    if MONTH.fullmatch(text):
        return np.datetime64(f"{text}-01", "s")
    return in_seconds(datetime.fromisoformat(text))


def in_seconds(value: date | datetime) -> np.datetime64:
    """A date and time without a zone; that of a zone becomes UTC."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "s")


def check_order(times: Sequence[Any], places: Sequence[str], name: str) -> Times:
    """The times of a series as an array.

    Raises:
        InputError: a time is repeated or comes after a later one, or dates and numbers are mixed.
    """
    first: dict[Any, str] = {}
    for number, (time, place) in enumerate(zip(times, places, strict=True)):
        if isinstance(time, int) != isinstance(times[0], int):
            raise InputError(f"{place}: dates and whole numbers are mixed in the times of '{name}': write one kind.")
        if time in first:
            raise InputError(
                f"{place}: the time {time} of series '{name}' is repeated (first: {first[time]}): remove one of the "
                f"rows, or name the column that tells the series apart with data.series_column=NAME."
            )
        if number and time < times[number - 1]:
            raise InputError(
                f"{place}: the time {time} of series '{name}' comes after {times[number - 1]}: sort the rows by time."
            )
        first[time] = place
    return np.array(times, dtype=np.int64 if isinstance(times[0], int) else "datetime64[s]")


def grid_of(times: Times) -> Grid:
    """The regular grid that ascending times lie on; where they lie on none, the times themselves."""
    months = months_of(times)
    numbers = months if months is not None else times.astype(np.int64)
    step = Counter(np.diff(numbers).tolist()).most_common(1)[0][0] if len(numbers) > 1 else 1
    season = season_of(int(step), months is not None, times.dtype.kind == "M")
    positions, rest = np.divmod(numbers - numbers[0], step)
    if rest.any() or positions[-1] >= LONGEST_GRID * len(times):
        return Grid(times, np.arange(len(times)), season)
    steps = np.arange(positions[-1] + 1)
    return Grid(at_steps(times, steps * step, months is not None), positions, season)


def months_of(times: Times) -> NDArray[np.int64] | None:
    """The number of the month of every time, where all are of the same day of a month, or of its last."""
    if times.dtype.kind != "M" or len(times) < 2 or np.diff(times).min() < np.timedelta64(28 * DAY, "s"):
        return None
    months = times.astype("datetime64[M]")
    from_start, to_end = times - months, (months + 1).astype("datetime64[s]") - times
    if len(set(from_start.tolist())) > 1 and len(set(to_end.tolist())) > 1:
        return None
    return months.astype(np.int64)


def at_steps(times: Times, distances: NDArray[np.int64], monthly: bool) -> Times:
    """The times at some distances from the first: in months, in seconds, or in the unit of whole numbers."""
    if not monthly:
        return times[0] + distances  # of dates, numbers count seconds
    first = times[0].astype("datetime64[M]")
    months = first + distances.astype("timedelta64[M]")
    offset = times[0] - first.astype("datetime64[s]")
    starts = months.astype("datetime64[s]") + offset
    ends = (months + 1).astype("datetime64[s]") - ((first + 1).astype("datetime64[s]") - times[0])
    from_start = {(time - time.astype("datetime64[M]")).astype(int) for time in times}
    return starts if len(from_start) == 1 else ends


def season_of(step: int, monthly: bool, dated: bool) -> int:
    """How many steps make a year, a week or a day: 12 of months, 52 of weeks, 7 of days, 24 of hours."""
    if not dated:
        return 1
    if monthly:
        return max(1, 12 // step)
    if step >= 6 * DAY:
        return max(1, round(365.25 * DAY / step))
    return 7 if step >= DAY else max(1, DAY // max(step, 60))
