"""Windows to forecast from, as lines: JSON objects, or the numbers of one channel."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError, shorten
from data.series import Floats, Series, Times, Window, time_texts
from data.times import check_order, parse_time

TIMES, VALUES, COVARIATES = "times", "values", "covariates"
LONGEST = 1_000_000  # steps
LARGEST = 1e100  # of a value
FIRST = np.datetime64("2024-01-01", "s")  # the date in examples


class Step(NamedTuple):
    """The distance of two steps: in months, in seconds, or in whole numbers."""

    size: int
    unit: str  # M, s, or empty

    def saved(self) -> list[Any]:
        return [self.size, self.unit]

    def after(self, time: Any, count: int) -> Times:
        """The next times."""
        ahead = self.size * np.arange(1, count + 1)
        if not self.unit:
            return int(time) + ahead
        if self.unit == "s":
            return np.datetime64(time, "s") + ahead.astype("timedelta64[s]")
        month = np.datetime64(time, "M")
        within = np.datetime64(time, "s") - month.astype("datetime64[s]")
        return (month + ahead.astype("timedelta64[M]")).astype("datetime64[s]") + within


class WindowLayout(NamedTuple):
    """What a window to forecast from has."""

    channels: tuple[str, ...]
    covariates: tuple[str, ...]
    horizon: int
    season: int
    step: Step


def step_of(times: Times) -> Step:
    """The usual distance of two steps."""
    if len(times) < 2:
        return Step(1, "s" if times.dtype.kind == "M" else "")
    distance = int(np.median(np.diff(times).astype(np.int64)))
    if times.dtype.kind != "M":
        return Step(distance, "")
    months = np.diff(times.astype("datetime64[M]").astype(np.int64))
    by_month = len(set((times - times.astype("datetime64[M]")).tolist())) == 1
    return Step(int(np.median(months)), "M") if by_month else Step(distance, "s")


def window_of_line(line: str, layout: WindowLayout) -> Window:
    """A window in a line: ``{"times": [...], "values": [...], "covariates": {...}}``, or numbers between commas.

    ``values`` is a list of numbers or, of several channels, a list of rows or an object of lists; null is missing.
    Covariates are given of the steps to forecast as well.

    Raises:
        InputError: the line is no window.
    """
    content = content_of(line)
    values = table(content.get(VALUES), layout.channels, VALUES)
    if not np.isfinite(values).any():
        raise InputError("a window needs at least one known value in 'values'.")
    times = times_of(content.get(TIMES), len(values), layout.step)
    total = len(values) + layout.horizon
    covariates = np.full((total, len(layout.covariates)), np.nan)
    if layout.covariates:
        given = table(content.get(COVARIATES), layout.covariates, COVARIATES)
        if len(given) != total:
            raise InputError(
                f"'covariates' has {len(given)} steps: give {total}, those of the {len(values)} values and of the "
                f"{layout.horizon} steps to forecast."
            )
        covariates = given
    return window_of(layout, times, values, covariates, str(content.get("series", "series")), line)


def form_of_line(layout: WindowLayout) -> str:
    """What a line that ``window_of_line`` reads is like, for those who type one."""
    times = ", ".join(f'"{time}"' for time in time_texts(dates_from(FIRST, layout.step)))
    value = json.dumps([number + 0.5 for number in range(len(layout.channels))])
    listed = ", ".join(f"{json.dumps(name)}: [...]" for name in layout.covariates)
    parts = {
        TIMES: f"[{times}, ...]" if times else "",
        VALUES: f"[{value if len(layout.channels) > 1 else '1.5'}, ...]",
        COVARIATES: f"{{{listed}}}" if listed else "",
    }
    given = [f'"{key}": {form}' for key, form in parts.items() if form]
    if given == [f'"{VALUES}": [1.5, ...]']:
        return "Numbers between commas."
    ahead = f" Covariates are also those of the {layout.horizon} steps to forecast." if listed else ""
    return f"JSON such as {{{', '.join(given)}}}.{ahead}"


def dates_from(start: np.datetime64, step: Step) -> Times:
    """A date and the one a step later; none where steps are whole numbers."""
    return np.array([start, step.after(start, 1)[0]] if step.unit else [], dtype="datetime64[s]")


def window_of(
    layout: WindowLayout, times: Times, values: Floats, covariates: Floats, name: str = "series", text: str = ""
) -> Window:
    """The window on the end of a series: N times, values [N, C], and covariates [N + H, K] of all steps."""
    ahead = np.full((layout.horizon, values.shape[1]), np.nan)
    series = Series(
        name,
        np.concatenate([times, layout.step.after(times[-1], layout.horizon)]),
        np.concatenate([values, ahead]),
        covariates,
        layout.channels,
        layout.covariates,
        layout.season,
    )
    return Window(series, len(values), layout.horizon, text)


def content_of(line: str) -> Mapping[str, Any]:
    """The object in a line; numbers between commas are its values."""
    text = line.strip()
    if not text.startswith(("{", "[")):
        return {VALUES: [number_or_none(cell) for cell in text.split(",")]}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not JSON ({shorten(error)}): write an object with 'values', or numbers between commas."
        ) from error
    content = {VALUES: content} if isinstance(content, list) else content
    if unknown := set(content) - {TIMES, VALUES, COVARIATES, "series"}:
        raise InputError(f"'{shorten(min(unknown))}' is not known: a window has times, values, covariates and series.")
    return content


def number_or_none(cell: str) -> float | None:
    """A number; None where the cell is empty."""
    try:
        return float(cell) if cell.strip() else None
    except ValueError:
        raise InputError(
            f"'{shorten(cell)}' is not a number: write numbers between commas, or a JSON object with 'values'."
        ) from None


def table(given: Any, names: Sequence[str], key: str) -> Floats:
    """Numbers by step and column, NaN where they are missing: [N, columns]."""
    wanted = f"give {key} as a list" + (f" of rows with {', '.join(names)}" if len(names) > 1 else " of numbers")
    if isinstance(given, Mapping):
        if missing := [name for name in names if name not in given]:
            raise InputError(f"'{key}' has no '{shorten(missing[0])}': {wanted}.")
        columns = [given[name] if isinstance(given[name], list) else [] for name in names]
        if len({len(column) for column in columns}) > 1:
            raise InputError(f"the lists in '{key}' have different lengths: {wanted}.")
        given = list(zip(*columns, strict=True))
    if not isinstance(given, list) or not 0 < len(given) <= LONGEST:
        raise InputError(f"'{key}' is missing, empty or too long: {wanted}.")
    rows = [list(row) if isinstance(row, (list, tuple)) else [row] for row in given]
    if any(len(row) != len(names) for row in rows):
        raise InputError(f"a step in '{key}' does not have {len(names)} numbers: {wanted}.")
    return np.array([[number(value, key) for value in row] for row in rows], dtype=np.float64)


def number(value: Any, key: str) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        raise InputError(f"{shorten(repr(value))} in '{key}' is not a number: write null where a value is missing.")
    return float(value)


def times_of(given: Any, count: int, step: Step) -> Times:
    """The times of a window, which models of dated series need; numbers from 0 on by default."""
    if given is None and not step.unit:
        return np.arange(count) * step.size
    if not isinstance(given, list) or len(given) < count:
        raise InputError(f"'times' must have the time of each of the {count} values, as this model knows the calendar.")
    found = []
    for value in given[:count]:
        time = parsed(value)
        if time is None or isinstance(time, int) == bool(step.unit):
            wanted = "dates such as 2024-01-31" if step.unit else "whole numbers"
            raise InputError(f"{shorten(repr(value))} in 'times' is not a time: this model was trained on {wanted}.")
        found.append(time)
    return check_order(found, [f"times[{number}]" for number in range(count)], "window")


def parsed(value: Any) -> Any:
    """A parsed time; None if it cannot be parsed."""
    try:
        return parse_time(value, None)
    except (ValueError, OverflowError):
        return None
