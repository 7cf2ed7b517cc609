"""Time series in tables, long or wide, with a time column."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from data.errors import InputError, shorten
from data.series import Floats, Series
from data.sources.tables import Row, require_columns
from data.times import Grid, check_order, grid_of, time_of

MISSING = ("", "na", "nan", "null", "none", "n/a", "?")
USUAL_TIMES = ("time", "date", "timestamp", "datetime", "ds", "month", "year", "period")
USUAL_SERIES = ("series", "series_id", "unique_id", "item_id")
WIDE = ("channels", "series")


class Columns(NamedTuple):
    """What the columns of a table are."""

    time: str
    series: str | None
    values: tuple[str, ...]
    covariates: tuple[str, ...]

    def options(self) -> dict[str, str]:
        """The options that name the columns."""
        named = {self.time: "data.time_column"} | ({self.series: "data.series_column"} if self.series else {})
        named |= dict.fromkeys(self.values, "data.value_columns")
        return named | dict.fromkeys(self.covariates, "data.covariates")


class Records(NamedTuple):
    """The rows of one series."""

    times: list[Any]
    places: list[str]
    values: list[list[float]]
    covariates: list[list[float]]


@dataclass(kw_only=True)
class TableLayout:
    """How a table holds time series.

    Args:
        time_column: the column of times; null for one with a usual name, or the first.
        time_format: the form of dates, as ``strptime`` takes it; null for ISO 8601 and whole numbers.
        series_column: of a long table, the column that names the series; null for one with a usual name, or none.
        value_columns: the columns of values; null for all that are neither times, names nor covariates.
        covariates: columns that are known in advance, also of the steps to forecast.
        wide: what several columns of values are: ``channels`` of one series, or ``series`` of their own.
    """

    time_column: str | None
    time_format: str | None
    series_column: str | None
    value_columns: list[str] | None
    covariates: list[str]
    wide: str
    notes: list[str] = field(init=False, default_factory=list)

    def check_layout(self) -> None:
        if self.wide not in WIDE:
            raise InputError(f"data.wide={shorten(self.wide)}: choose channels or series.")

    def columns(self, present: Sequence[str], place: str) -> Columns:
        """What every column is, by the options or by its name."""
        time = self.time_column or usual(present, USUAL_TIMES) or next(iter(present), "")
        series = self.series_column or usual(present, USUAL_SERIES)
        others = [name for name in present if name not in (time, series, *self.covariates)]
        columns = Columns(time, series, tuple(self.value_columns or others), tuple(self.covariates))
        require_columns(columns.options(), present, place)
        if not columns.values:
            raise InputError(f"{place}: there is no column of values beside '{time}': name it with data.value_columns.")
        return columns

    def series_in(self, rows: Iterable[Row], columns: Columns, season: int | None) -> list[Series]:
        """The series in the rows of a table, in the order of their first rows."""
        found: dict[str, Records] = {}
        for row in exploded(rows, columns):
            name = str(row.values[columns.series]) if columns.series else "series"
            records = found.setdefault(name, Records([], [], [], []))
            records.times.append(time_of(row, columns.time, self.time_format))
            records.places.append(row.place)
            records.values.append([number_of(row, column) for column in columns.values])
            records.covariates.append([number_of(row, column) for column in columns.covariates])
        made = (self.on_grid(name, records, columns, season) for name, records in found.items())
        return [part for series in made for part in (apart(series) if self.wide == "series" else [series])]

    def on_grid(self, name: str, records: Records, columns: Columns, season: int | None) -> Series:
        """A series with a step for every time of its grid; the steps that have no row are missing."""
        grid = grid_of(check_order(records.times, records.places, name))
        if inserted := len(grid.times) - len(grid.positions):
            self.notes.append(f"Series '{name}': {inserted} steps without a row count as missing values.")
        values = placed(grid, records.values, len(columns.values))
        covariates = placed(grid, records.covariates, len(columns.covariates))
        chosen = grid.season if season is None else season
        return Series(name, grid.times, values, covariates, columns.values, columns.covariates, chosen)


def usual(present: Sequence[str], names: Sequence[str]) -> str | None:
    """The first column with one of these names, in any case."""
    return next((column for column in present if column.lower() in names), None)


def exploded(rows: Iterable[Row], columns: Columns) -> Iterator[Row]:
    """Rows of single steps; a row that has the steps of a series as lists becomes as many rows."""
    for row in rows:
        lists = {name: row.values[name] for name in columns.options() if isinstance(row.values[name], list)}
        if not lists:
            yield row
            continue
        if len({len(entry) for entry in lists.values()}) > 1:
            raise InputError(f"{row.place}: the lists have different lengths: give one value for every time.")
        for step in range(len(next(iter(lists.values())))):
            yield Row(f"{row.place}, step {step + 1}", row.values | {name: lists[name][step] for name in lists})


def number_of(row: Row, column: str) -> float:
    """The number in a column of a row; NaN where it is missing."""
    text = str(row.values[column]).strip()  # None is one of the words for missing values
    if text.lower() in MISSING:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(
            f"{row.place}: '{shorten(text)}' in column '{column}' is not a number: correct it, leave it empty where "
            f"it is missing, or name the columns to read with data.value_columns=[...]."
        )
    return number


def placed(grid: Grid, rows: list[list[float]], width: int) -> Floats:
    """Rows at their places on a grid, NaN between them."""
    table = np.full((len(grid.times), width), np.nan)
    table[grid.positions] = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    return table


def apart(series: Series) -> list[Series]:
    """Every channel as a series of its own."""
    prefix: Mapping[bool, str] = {True: f"{series.name}, ", False: ""}
    return [
        Series(
            f"{prefix[series.name != 'series']}{channel}",
            series.times,
            series.values[:, index : index + 1],
            series.covariates,
            ("value",),
            series.covariate_names,
            series.season,
        )
        for index, channel in enumerate(series.channels)
    ]
