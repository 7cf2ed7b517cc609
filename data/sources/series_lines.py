"""Windows to forecast from, in the lines of a table like that of the training data."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import InputError
from data.forecasting import ForecastingCodec
from data.series import Series, Window
from data.sources.tables import quoted_cells, rows_of_cells
from data.sources.time_tables import TableLayout

LAYOUT = ("time_column", "time_format", "series_column", "value_columns", "wide")  # options; null where not given


def windows_of_table(lines: Iterable[tuple[int, str]], name: str, codec: ForecastingCodec, data: Any) -> list[Window]:
    """One window per series. Rows at its end without values give the covariates of the steps to forecast.

    Args:
        lines: of a CSV file, numbered.
        name: stands for the file in errors.
        codec: of the trained model.
        data: the config of the training data, whose layout the table has.
    """
    layout = TableLayout(**{key: data.get(key) for key in LAYOUT}, covariates=list(codec.covariate_names))
    numbered = list(lines)
    if not numbered:
        raise InputError(f"{name}: there are no lines: give a table with a header line.")
    header = next(iter(quoted_cells(Path(name), numbered[:1], ",")), (1, []))[1]
    columns = layout.columns(header, f"{name}:{numbered[0][0]}")
    rows = rows_of_cells(Path(name), quoted_cells(Path(name), numbered, ","), columns.options(), None)
    return [window_of(series, codec, name) for series in layout.series_in(rows, columns, codec.season)]


def window_of(series: Series, codec: ForecastingCodec, name: str) -> Window:
    """A series as a window whose origin is after its last value."""
    if list(series.channels) != codec.channels and len(series.channels) != len(codec.channels):
        raise InputError(
            f"{name}: the table has the values {', '.join(series.channels)}, and the model was trained on "
            f"{', '.join(codec.channels)}: give these columns."
        )
    dated = bool(codec.layout.step.unit)
    if dated != (series.times.dtype.kind == "M"):
        given, wanted = ("whole numbers", "dates such as 2024-01-31") if dated else ("dates", "whole numbers")
        raise InputError(f"{name}: the times are {given}, and the model was trained on {wanted}: give these.")
    known = np.flatnonzero(np.isfinite(series.values).any(axis=1))
    if not len(known):
        raise InputError(f"{name}: series '{series.name}' has no value: give at least one.")
    origin = int(known[-1]) + 1
    return Window(extended(series, origin, codec), origin, codec.horizon, series.name)


def extended(series: Series, origin: int, codec: ForecastingCodec) -> Series:
    """The series with as many steps after the origin as are forecast; covariates that are not given are missing."""
    more = max(0, origin + codec.horizon - len(series))
    times = np.concatenate([series.times, codec.layout.step.after(series.times[-1], more)])

    def padded(values: Any) -> Any:
        return np.concatenate([values, np.full((more, values.shape[1]), np.nan)])

    return Series(
        series.name,
        times,
        padded(series.values),
        padded(series.covariates),
        series.channels,
        series.covariate_names,
        series.season,
    )
