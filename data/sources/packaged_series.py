"""Real time series that statsmodels ships: no network, no download."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from data.errors import InputError
from data.series import Series, Times
from data.sources.series import SeriesReader
from data.times import grid_of


@dataclass(kw_only=True)
class StatsmodelsSeries(SeriesReader):
    """One series of a data set in ``statsmodels.datasets``.

    Args:
        name: the module of the data set.
        year_column: the column of years; null where the index of the table has the times.
        channel: the name of the values. A table with twelve columns beside the years has the months of a year in a row.
    """

    name: str
    year_column: str | None
    channel: str

    def origin(self) -> dict[str, Any]:
        import statsmodels

        return {"source": f"statsmodels.datasets.{self.name}", "revision": statsmodels.__version__}

    def read_series(self) -> list[Series]:
        frame = self.frame()
        self.check_times(frame)
        if self.year_column is None:
            times, table = frame.index.to_numpy().astype("datetime64[s]"), frame
        else:
            times, table = frame[self.year_column].to_numpy().astype(np.int64), frame.drop(columns=self.year_column)
        values = table.to_numpy(dtype=np.float64)
        if values.shape[1] == 12:
            times, values = months_of(times), values.reshape(-1, 1)
        if values.shape[1] != 1:
            raise InputError(f"data.name={self.name} has several columns of values: choose a data set with one.")
        season = grid_of(times).season if self.season is None else self.season
        return [Series(self.name, times, values, np.zeros((len(times), 0)), (self.channel,), (), season)]

    def check_times(self, frame: Any) -> None:
        """Raise where the table does not have its times where the options say."""
        listed = ", ".join(map(str, frame.columns))
        if self.year_column is None and frame.index.dtype.kind != "M":
            raise InputError(f"data.name={self.name}: the table has no dates: give data.year_column, one of {listed}.")
        if self.year_column is not None and self.year_column not in frame:
            raise InputError(f"data.year_column={self.year_column}: choose one of {listed}.")

    def frame(self) -> Any:
        """The table of the data set."""
        try:
            import_module("statsmodels.datasets")
        except ModuleNotFoundError as error:
            raise InputError(
                f"data.name={self.name} is a data set of statsmodels ({error}): pip install 'rnnbench[forecasting]'."
            ) from error
        try:
            load = import_module(f"statsmodels.datasets.{self.name}").load_pandas
        except (ModuleNotFoundError, AttributeError) as error:
            raise InputError(f"data.name={self.name}: statsmodels has no data set of this name.") from error
        return load().data


def months_of(years: Times) -> Times:
    """The first day of every month of consecutive years."""
    first = np.datetime64(f"{years[0]:04}-01", "M")
    return np.arange(first, first + 12 * len(years)).astype("datetime64[s]")
