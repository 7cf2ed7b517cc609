"""Windows on time series, split by time: from a user's files and from the hub."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.corpus import SPLITS, DatasetReader
from data.errors import InputError
from data.series import Series, Window, check_not_constant, time_texts
from data.sources.hub import HubReader
from data.sources.tables import Row, decoding, read_table, require_file, table_format
from data.sources.time_tables import Columns, TableLayout, exploded
from data.times import time_of

AUTO = "auto"
LONGEST_AUTO = 48  # steps to forecast where the data choose
WITHOUT_SEASON = 8


@dataclass(kw_only=True)
class SeriesReader(DatasetReader[Window]):
    """Windows on time series. Training, validation and test are consecutive in time, never drawn at random.

    A window of the validation or test part has all its steps to forecast in that part; the steps before it, of earlier
    parts too, are known: origins roll through the part.

    Args:
        horizon: H, the number of steps to forecast; ``auto`` for one season, as far as the parts have room for it.
        season: the number of steps of a season; null to choose by the distance of the times.
        validation_share, test_share: the fractions of the time that the last parts cover; 0 for no test part.
        stride: steps between two training windows.
        test_stride: steps between two origins of validation and test.
    """

    example_type = Window

    horizon: int | str
    season: int | None
    validation_share: float
    test_share: float
    stride: int
    test_stride: int
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for option in ("stride", "test_stride"):
            if getattr(self, option) < 1:
                raise InputError(f"data.{option}={getattr(self, option)}: must be at least 1.")
        if self.horizon != AUTO and (isinstance(self.horizon, str) or self.horizon < 1):
            raise InputError(f"data.horizon={self.horizon}: must be auto, or at least 1.")
        if self.season is not None and self.season < 1:
            raise InputError(f"data.season={self.season}: must be at least 1, or null to choose by the times.")
        if not (self.validation_share > 0 and 0 <= self.test_share < 1 - self.validation_share):
            raise InputError(
                f"data.validation_share={self.validation_share} data.test_share={self.test_share}: must be fractions "
                f"that leave a part of the time for training; only the second may be 0."
            )

    @property
    def title(self) -> str:
        """What messages call the data set."""
        return f"'{self.name}'"

    @abstractmethod
    def read_series(self) -> list[Series]:
        """All series with all their steps."""

    @property
    def missing_test_message(self) -> str:
        return "data.test_share is 0, so there is no test score."

    @cached_property
    def series(self) -> list[Series]:
        """The series that have a part in training, none of them constant there."""
        found = self.read_series()
        if not found or not any(map(len, found)):
            raise InputError(f"{self.title} has no rows: give a series.")
        return found

    @cached_property
    def starts(self) -> tuple[Any, Any]:
        """The first times of the validation and of the test part."""
        times = self.times
        test = round(len(times) * (1 - self.test_share))
        validation = round(len(times) * (1 - self.test_share - self.validation_share))
        self.check_room(validation, len(times))
        return times[validation], times[test] if test < len(times) else self.end

    @property
    def times(self) -> Any:
        """All times of all series, ascending."""
        return np.unique(np.concatenate([series.times for series in self.series]))

    @property
    def end(self) -> Any:
        """A time after all others."""
        return max(series.times[-1] for series in self.series) + 1

    def check_room(self, validation: int, steps: int) -> None:
        if not 0 < validation < steps:
            raise InputError(f"{self.title} has {steps} steps: too few to train on the first and score the last.")

    def part(self, series: Series, split: str) -> tuple[int, int]:
        """The first step of a part of a series, and the one after its last."""
        bounds = [0, *np.searchsorted(series.times, np.array(self.starts)).tolist(), len(series)]
        number = SPLITS.index(split)
        return bounds[number], bounds[number + 1]

    @cached_property
    def steps(self) -> int:
        """H."""
        if self.horizon != AUTO:
            return int(self.horizon)
        season = max(series.season for series in self.series)
        room = min(max(end - start for start, end in self.parts(split)) for split in self.split_names)
        wanted = min(season if season > 1 else WITHOUT_SEASON, LONGEST_AUTO)
        return max(1, min(wanted, room // 2))

    @property
    def split_names(self) -> tuple[str, ...]:
        return SPLITS if self.test_share else SPLITS[:2]

    def parts(self, split: str) -> list[tuple[int, int]]:
        return [self.part(series, split) for series in self.series]

    def read_split(self, split: str) -> list[Window] | None:
        if split not in self.split_names:
            return None
        windows = [window for series in self.series for window in self.windows(series, split)]
        if not windows:
            longest = max(end - start for start, end in self.parts(split))
            raise InputError(
                f"data.horizon={self.steps} is longer than the {split} part of {self.title}, which has {longest} "
                f"steps: lower data.horizon, or give a longer series."
            )
        if split == "train":
            self.note_parts()
        return windows

    def windows(self, series: Series, split: str) -> Iterator[Window]:
        """The windows of a part in which a value before and a value after the origin are known."""
        start, end = self.part(series, split)
        last = end - self.steps
        if split == "train":
            start = max(1, min(series.season, last))
            if last >= start:
                check_not_constant(series, end)
        known: NDArray[np.bool_] = np.asarray(np.isfinite(series.values).any(axis=1))
        first = int(known.argmax()) + 1
        for origin in range(max(start, first), last + 1, self.stride if split == "train" else self.test_stride):
            if known[origin : origin + self.steps].any():
                yield Window(series, origin, self.steps)

    def note_parts(self) -> None:
        """Report what was split where."""
        count = f"{len(self.series)} series" if len(self.series) > 1 else f"1 series of {len(self.series[0]):,} steps"
        later = self.split_names[1:]
        starts = time_texts(np.array(self.starts[: len(later)]))
        parts = ", ".join(f"{split} from {start}" for split, start in zip(later, starts, strict=True))
        self.notes.append(f"{count}, split by time: {parts}; {self.steps} steps are forecast from every origin.")


@dataclass(kw_only=True)
class TableSeries(SeriesReader, TableLayout):
    """Series in tables, one per split that is given; the parts that are not given are the last ones of the time.

    A test table without a validation table leaves the last part of the time before it for validation.
    """

    @property
    @abstractmethod
    def given(self) -> list[str]:
        """The splits that have tables of their own, ``train`` first."""

    @abstractmethod
    def column_names(self) -> list[str]: ...

    @abstractmethod
    def table(self, split: str, columns: Columns) -> Iterable[Row]:
        """The rows of the table of a split, with these columns."""

    @property
    def split_names(self) -> tuple[str, ...]:
        if len(self.given) == 1:
            return super().split_names
        return SPLITS if "test" in self.given else SPLITS[:2]

    @property
    def missing_test_message(self) -> str:
        return super().missing_test_message if len(self.given) == 1 else "There is no test table, so no test score."

    def read_series(self) -> list[Series]:
        columns = self.columns(self.column_names(), self.title)
        self.tables = {split: list(self.table(split, columns)) for split in self.given}
        for split, rows in self.tables.items():
            if not rows:
                raise InputError(f"{self.title}: the {split} table has no rows: give a table with rows.")
        return self.series_in((row for rows in self.tables.values() for row in rows), columns, self.season)

    @cached_property
    def starts(self) -> tuple[Any, Any]:
        """By time; where splits have tables of their own, the first times in these."""
        if len(self.given) == 1:
            return super().starts
        columns = self.columns(self.column_names(), self.title)
        first = {
            split: min(time_of(row, columns.time, self.time_format) for row in exploded(self.tables[split], columns))
            for split in self.given[1:]
        }
        test = first.get("test", self.end)
        return first["validation"] if "validation" in first else self.start_of_last(test), test

    def start_of_last(self, end: Any) -> Any:
        """The first time of the validation part, where the test part begins at ``end``."""
        times = self.times[self.times < end]
        number = round(len(times) * (1 - self.validation_share))
        self.check_room(number, len(times))
        return times[number]


@dataclass(kw_only=True)
class FileSeries(TableSeries):
    """Series in a user's CSV, TSV, JSON or Parquet files, long or wide, with a time column.

    Args:
        train: the file; the last parts of its time are validation and test, unless they have files of their own.
        validation, test: files with the steps that follow; null. With a test file alone, the validation part is the
            last part of the time before it.
    """

    name = "series_files"

    train: str
    validation: str | None
    test: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_layout()

    @property
    def title(self) -> str:
        return self.train

    @property
    def files(self) -> dict[str, Path]:
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: Path(file) for split, file in named.items() if file is not None}

    @property
    def given(self) -> list[str]:
        return list(self.files)

    def origin(self) -> dict[str, Any]:
        return {"source": f"files: {', '.join(path.name for path in self.files.values())}", "revision": None}

    def column_names(self) -> list[str]:
        columns = columns_of(self.files["train"])
        if not columns:
            raise InputError(f"{self.train}: there are no rows: give a file with rows.")
        return columns

    def table(self, split: str, columns: Columns) -> Iterable[Row]:
        return read_table(self.files[split], columns.options())


@dataclass(kw_only=True)
class HubSeries(TableSeries, HubReader[Window]):
    """Series of a hub data set, or of a local folder in the same layout: long, wide, or a series per row as lists."""

    def __post_init__(self) -> None:
        SeriesReader.__post_init__(self)
        HubReader.__post_init__(self)
        self.check_layout()

    @property
    def given(self) -> list[str]:
        return [split for split in SPLITS if split in self.splits]

    def column_names(self) -> list[str]:
        if "train" not in self.splits:
            raise InputError(f"{self.title} has no train split, only {', '.join(self.splits)}: give one that has.")
        return self.splits["train"].column_names

    def table(self, split: str, columns: Columns) -> Iterable[Row]:
        return self.rows(split, columns.options())


def columns_of(path: Path) -> list[str]:
    """The names of the columns of a file."""
    require_file(path)
    if table_format(path) == ".parquet":
        from pyarrow import parquet

        with decoding(path):
            return list(parquet.read_schema(path).names)
    row = next(read_table(path, {}), None)
    return [] if row is None else list(row.values)
