"""Forecasting: windows and their split by time, scaling, scores, baselines, runs of every shape, and prediction."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pyarrow
import pytest
import statsmodels
import torch
from conftest import CONF, assert_learns, compose_config, options
from omegaconf import OmegaConf
from pyarrow import parquet
from sklearn import metrics as sklearn_metrics
from test_compare import only, pairs_of, write_run

from analysis.comparison import headline
from analysis.tables import group_values
from analysis.trials import TrialGroup, expected_curve
from data.calendar import calendar
from data.corpus import Corpus
from data.errors import InputError
from data.forecasting import ForecastingCodec
from data.scaling import WindowScaling
from data.series import Forecast, Series, Window, time_texts, training_parts
from data.sources.generated_series import GeneratedSeries
from data.sources.packaged_series import StatsmodelsSeries
from data.sources.series import FileSeries, HubSeries, SeriesReader
from data.sources.series_lines import windows_of_table
from data.sources.tables import Row
from data.sources.time_tables import Columns, TableLayout, exploded, number_of
from data.windows import Step, WindowLayout, form_of_line, window_of_line
from tasks import load
from tasks.forecasting.baselines import Baselines, best_forecasts, seasonal_last_value, states_of
from tasks.forecasting.evaluation import ForecastingEvaluation
from tasks.forecasting.metrics import Errors, TrainingScales, forecast_scores
from tasks.forecasting.predict import ForecastingPredictor
from training.build import build
from training.predict import main
from training.recipe import read_corpus
from training.summary import compared_with_baselines, percent

QUICK = ["data.number=4", "data.length=120", "data.horizon=3", "codec.window=24", "model.num_features=8"]
QUICK += ["data.stride=4", "data.test_stride=3", "evaluation.pictures=2"]


def dates(count: int, start: str = "2015-01") -> list[str]:
    return [f"{month}-01" for month in (np.datetime64(start, "M") + np.arange(count)).astype(str)]


def wave(count: int, season: int = 12, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.1, count)
    return np.sin(2 * np.pi * np.arange(count) / season) + 5 + noise


def series_of(values: np.ndarray, season: int = 12, name: str = "a") -> Series:
    values = np.asarray(values, dtype=float)
    values = values.reshape(len(values), values.shape[1] if values.ndim > 1 else 1)
    times = (np.datetime64("2000-01", "M") + np.arange(len(values))).astype("datetime64[s]")
    channels = tuple(f"c{number}" for number in range(values.shape[1]))
    return Series(name, times, values, np.zeros((len(values), 0)), channels, (), season)


def windows_of(series: Series, horizon: int = 3) -> list[Window]:
    return [Window(series, origin, horizon) for origin in range(series.season, len(series) - horizon + 1)]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., FileSeries]:
    """``table(text, ...)``: the reader of a CSV file with this text."""
    defaults = OmegaConf.to_container(OmegaConf.load(CONF / "data" / "series_files.yaml"))
    del defaults["_target_"]

    def read(text: str, **given: object) -> FileSeries:
        path = tmp_path / "series.csv"
        path.write_text(text)
        return FileSeries(**{**defaults, "train": str(path), **given})

    return read


def csv(values: np.ndarray, header: str = "date,value") -> str:
    rows = zip(dates(len(values)), values.reshape(len(values), -1).tolist(), strict=True)
    return "\n".join([header, *(",".join([time, *map(str, row)]) for time, row in rows)]) + "\n"


# --- data ---


def test_parts_follow_each_other_in_time_and_targets_stay_in_their_part(table: Callable) -> None:
    reader = table(csv(wave(100)), horizon=4)
    found = {split: reader.read_split(split) for split in ("train", "validation", "test")}
    steps = {
        split: {step for window in windows for step in range(window.origin, window.origin + 4)}
        for split, windows in found.items()
    }
    assert max(steps["train"]) < min(steps["validation"]) <= max(steps["validation"]) < min(steps["test"])
    assert steps["test"] == set(range(85, 100)) and steps["validation"] == set(range(70, 85))
    assert [window.origin for window in found["test"]] == list(range(85, 97))  # origins roll through the part


def test_a_series_of_several_files_is_split_by_them(table: Callable, tmp_path: Path) -> None:
    lines = csv(wave(60)).splitlines()
    for split, rows in {"validation": lines[31:46], "test": lines[46:]}.items():
        (tmp_path / f"{split}.csv").write_text("\n".join([lines[0], *rows]))
    paths = {split: str(tmp_path / f"{split}.csv") for split in ("validation", "test")}
    reader = table("\n".join(lines[:31]), horizon=2, **paths)
    assert reader.read_split("validation")[0].origin == 30 and reader.read_split("test")[0].origin == 45


@pytest.mark.parametrize("wide, count", [("channels", 1), ("series", 2)])
def test_a_wide_table_has_channels_or_series(table: Callable, wide: str, count: int) -> None:
    values = np.stack([wave(50), wave(50, seed=1)], axis=1)
    found = table(csv(values, "date,x,y"), wide=wide).series
    assert len(found) == count and sum(len(series.channels) for series in found) == 2


def test_a_long_table_is_that_of_its_series(table: Callable) -> None:
    rows = [
        f"{time},{name},{number + shift}"
        for number, time in enumerate(dates(40))
        for name, shift in (("b", 0), ("a", 9))
    ]
    found = table("ds,unique_id,y\n" + "\n".join(rows)).series
    assert [series.name for series in found] == ["b", "a"]
    assert found[1].values[:, 0].tolist() == [number + 9 for number in range(40)]


def test_a_hub_folder_of_lists_and_one_of_rows_give_the_same_series(composed: Callable, tmp_path: Path) -> None:
    times, values = dates(40), wave(40).tolist()
    (tmp_path / "lists").mkdir()
    (tmp_path / "rows").mkdir()
    row = {"item_id": "s", "timestamp": times, "target": values}
    (tmp_path / "lists" / "train.jsonl").write_text(json.dumps(row) + "\n")
    rows = [{"item_id": "s", "timestamp": time, "target": value} for time, value in zip(times, values, strict=True)]
    (tmp_path / "rows" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = [
        build(composed("forecasting", "data=hub_series", f"data.path={tmp_path / kind}").data).series
        for kind in ("lists", "rows")
    ]
    assert found[0][0].digests == found[1][0].digests and len(found[0][0]) == 40


@pytest.fixture
def hub_series(composed: Callable, tmp_path: Path) -> Callable[..., HubSeries]:
    """``hub_series(split=rows, ...)``: the reader of a folder with these rows of steps or of lists."""

    def read(*overrides: str, **splits: list[dict]) -> HubSeries:
        for split, rows in splits.items():
            (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return build(composed("forecasting", "data=hub_series", f"data.path={tmp_path}", *overrides).data)

    return read


STEPS = [{"timestamp": time, "target": number % 5} for number, time in enumerate(dates(40))]


def as_lists(rows: list[dict]) -> list[dict]:
    return [{key: [row[key] for row in rows] for key in ("timestamp", "target")}]


@pytest.mark.parametrize("form", [list, as_lists], ids=["rows", "lists"])
@pytest.mark.parametrize(
    "starts, expected",
    [
        ({"test": 30}, [24, 30]),  # without a validation table, the last part of the time before the test table
        ({"validation": 30}, [30, 40]),
        ({"validation": 20, "test": 33}, [20, 33]),
    ],
    ids=["train and test", "train and validation", "all"],
)
def test_splits_of_the_hub_decide_where_parts_begin(
    hub_series: Callable, form: Callable, starts: dict[str, int], expected: list[int]
) -> None:
    bounds = [0, *starts.values(), 40]
    parts = zip(["train", *starts], pairwise(bounds), strict=True)
    splits = {split: form(STEPS[first:last]) for split, (first, last) in parts}
    reader = hub_series("data.horizon=1", "data.validation_share=0.2", **splits)
    validation, test = expected
    assert [window.origin for window in reader.read_split("train")] == list(range(12, validation))
    assert [window.origin for window in reader.read_split("validation")] == list(range(validation, test))
    found = reader.read_split("test")
    assert found is None if "test" not in starts else [window.origin for window in found] == list(range(test, 40))


def test_a_data_set_of_the_hub_without_a_train_split_is_refused(hub_series: Callable) -> None:
    with pytest.raises(InputError, match=r"has no train split, only validation, test: give one that has\.$"):
        hub_series(validation=STEPS, test=STEPS).read_split("train")


def packaged(name: str, year_column: str | None, **changes: object) -> StatsmodelsSeries:
    options = {"horizon": 1, "season": None, "validation_share": 0.2, "test_share": 0.2, "stride": 1, "test_stride": 1}
    return StatsmodelsSeries(name=name, year_column=year_column, channel="x", **options | changes)


@pytest.mark.parametrize(
    "name, year_column, message",
    [
        ("nile", None, "data.name=nile: the table has no dates: give data.year_column, one of year, volume."),
        ("nile", "month", "data.year_column=month: choose one of year, volume."),
        ("macrodata", "year", "data.name=macrodata has several columns of values: choose a data set with one."),
        ("gone", None, "data.name=gone: statsmodels has no data set of this name."),
        ("utils", None, "data.name=utils: statsmodels has no data set of this name."),
    ],
)
def test_a_packaged_data_set_without_one_dated_series_is_refused(
    name: str, year_column: str | None, message: str
) -> None:
    with pytest.raises(InputError) as error:
        packaged(name, year_column).read_split("train")
    assert str(error.value) == message


def test_packaged_series_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "statsmodels"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(
        InputError, match=r"nile is a data set of statsmodels \(.*\): pip install 'rnnbench\[forecasting\]'\.$"
    ):
        packaged("nile", "year").read_series()


def test_years_with_a_column_for_every_month_are_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    months = {f"m{month}": [month + 0.5, month + 12.5] for month in range(12)}
    table = pandas.DataFrame({"YEAR": [1999, 2000], **months})
    monkeypatch.setattr(StatsmodelsSeries, "frame", lambda self: table)
    (series,) = packaged("x", "YEAR").read_series()
    assert series.values[:, 0].tolist() == [month + 0.5 for month in range(24)]
    assert series.times.dtype == "datetime64[s]" and time_texts(series.times) == dates(24, "1999-01")
    assert (series.name, series.channels, series.season, series.covariates.shape) == ("x", ("x",), 12, (24, 0))
    assert packaged("x", "YEAR", season=6).read_series()[0].season == 6


def test_packaged_series_have_years_or_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    (nile,) = packaged("nile", "year").read_series()
    assert nile.times.tolist() == list(range(1871, 1971)) and nile.values[:2].tolist() == [[1120], [1160]]
    assert nile.season == 1
    index = pandas.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-03"])
    monkeypatch.setattr(StatsmodelsSeries, "frame", lambda self: pandas.DataFrame({"v": [1, 2, 3]}, index))
    (series,) = packaged("x", None).read_series()
    assert time_texts(series.times) == ["2020-01-01", "2020-01-02", "2020-01-03"] and series.season == 7
    assert series.values.dtype == float and series.covariate_names == ()
    origin = packaged("nile", "year").origin()
    assert origin == {"source": "statsmodels.datasets.nile", "revision": statsmodels.__version__}


@dataclass(kw_only=True)
class Given(SeriesReader):
    """Windows on series that are given."""

    name = "given"
    made: list[Series]

    def origin(self) -> dict:
        return {}

    def read_series(self) -> list[Series]:
        return self.made


def given(*series: Series, **changes: object) -> Given:
    options = {"horizon": 2, "season": None, "validation_share": 0.2, "test_share": 0.2, "stride": 1, "test_stride": 1}
    return Given(made=list(series), **options | changes)


def origins(reader: SeriesReader, split: str) -> list[int]:
    return [window.origin for window in reader.read_split(split)]


@pytest.mark.parametrize(
    "season, length, test_share, expected",
    [
        (12, 200, 0.2, 12),  # a season
        (12, 100, 0.2, 10),  # half of the shortest part
        (12, 100, 0.1, 5),
        (12, 100, 0.0, 10),  # no test part
        (2, 200, 0.2, 2),
        (1, 200, 0.2, 8),  # without a season
        (300, 1000, 0.2, 48),  # at most
        (12, 10, 0.1, 1),  # at least
    ],
)
def test_the_data_choose_how_many_steps_are_forecast(
    season: int, length: int, test_share: float, expected: int
) -> None:
    series = series_of(np.arange(length), season)
    reader = given(series, series_of(np.arange(4), 1, "short"), horizon="auto", test_share=test_share)
    assert reader.steps == expected
    assert {window.horizon for window in reader.read_split("train")} == {expected}
    assert given(series, horizon=3).steps == 3


def test_windows_start_a_season_into_the_series_and_follow_at_the_strides() -> None:
    series = series_of(np.arange(40.0), season=4)
    reader = given(series, stride=5, test_stride=3)
    assert [origins(reader, split) for split in ("train", "validation", "test")] == [
        [4, 9, 14, 19],
        [24, 27, 30],
        [32, 35, 38],
    ]
    assert origins(given(replace(series, season=99)), "train") == [22]  # where there is room for one window only
    assert origins(given(replace(series, season=1), horizon=20), "train") == [1, 2, 3, 4]


def test_windows_have_a_known_value_before_and_after_their_origin() -> None:
    values = np.arange(40.0)
    values[:6] = values[15:21] = np.nan
    series = series_of(values, season=2)
    reader = given(series)
    assert origins(reader, "train") == [*range(7, 15), 20, 21, 22]
    empty = series_of(np.full(40, np.nan), name="empty")
    assert {window.series.name for window in given(series, empty).read_split("test")} == {"a"}
    with pytest.raises(InputError) as error:
        given(empty).read_split("train")
    assert str(error.value) == (
        "Series 'empty' has no value in column 'c0' in its training part: remove the column, or give earlier values."
    )


def test_parts_of_all_series_begin_at_the_same_time() -> None:
    whole = series_of(np.arange(40.0), season=1)
    late = replace(
        whole, name="late", times=whole.times[25:], values=whole.values[25:], covariates=whole.covariates[25:]
    )
    reader = given(whole, late)
    assert [reader.parts(split) for split in ("train", "validation", "test")] == [
        [(0, 24), (0, 0)],
        [(24, 32), (0, 7)],
        [(32, 40), (7, 15)],
    ]
    assert [window.series.name for window in reader.read_split("validation")].count("late") == 5
    assert reader.notes == []
    assert reader.read_split("train") and reader.notes == [
        "2 series, split by time: validation from 2002-01-01, test from 2002-09-01; 2 steps are forecast from every "
        "origin."
    ]
    reader = given(whole, test_share=0.0)
    assert origins(reader, "validation") == list(range(32, 39)) and reader.read_split("test") is None
    reader.read_split("train")
    note = "1 series of 40 steps, split by time: validation from 2002-09-01; 2 steps are forecast from every origin."
    assert reader.notes == [note] and reader.missing_test_message == "data.test_share is 0, so there is no test score."


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stride": 0}, "data.stride=0: must be at least 1."),
        ({"test_stride": 0}, "data.test_stride=0: must be at least 1."),
        ({"horizon": 0}, "data.horizon=0: must be auto, or at least 1."),
        ({"horizon": "all"}, "data.horizon=all: must be auto, or at least 1."),
        ({"season": 0}, "data.season=0: must be at least 1, or null to choose by the times."),
        *(
            (
                {"validation_share": validation, "test_share": test},
                f"data.validation_share={validation} data.test_share={test}: must be fractions that leave a part of "
                f"the time for training; only the second may be 0.",
            )
            for validation, test in ((0, 0.2), (1, 0), (0.5, 0.5), (0.2, -0.1))
        ),
    ],
)
def test_options_of_windows_have_bounds(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        given(series_of(wave(9)), **changes)
    assert str(error.value) == message
    lowest = {"stride": 1, "test_stride": 1, "horizon": 1, "season": 1, "test_share": 0}
    assert given(series_of(wave(9)), **lowest).horizon == 1


CONSTANT = (
    "Series 'a' is constant in column 'c0' in its training part (every value is 3): remove it, as there is nothing to "
    "learn."
)


@pytest.mark.parametrize(
    "series, changes, message",
    [
        ([], {}, "'given' has no rows: give a series."),
        ([series_of(np.zeros((0, 1)))], {}, "'given' has no rows: give a series."),
        ([series_of([1])], {}, "'given' has 1 steps: too few to train on the first and score the last."),
        (
            [series_of([1, 2])],
            {"validation_share": 0.8, "test_share": 0.1},
            "'given' has 2 steps: too few to train on the first and score the last.",
        ),
        (
            [series_of(np.arange(40))],
            {"horizon": 25},
            "data.horizon=25 is longer than the train part of 'given', which has 24 steps: lower data.horizon, or give "
            "a longer series.",
        ),
        (
            [series_of(np.arange(40))],
            {"horizon": 9, "split": "validation"},
            "data.horizon=9 is longer than the validation part of 'given', which has 8 steps: lower data.horizon, or "
            "give a longer series.",
        ),
        (
            [series_of(np.full(40, 3.0))],
            {},
            CONSTANT,
        ),
        ([series_of(np.full(40, 3.0), season=99)], {}, CONSTANT),  # a single window
        ([series_of([*np.full(24, 3.0), *np.arange(16)])], {}, CONSTANT),
    ],
)
def test_series_without_windows_are_refused(series: list[Series], changes: dict, message: str) -> None:
    split = changes.pop("split", "train")
    with pytest.raises(InputError) as error:
        given(*series, **changes).read_split(split)
    assert str(error.value) == message
    assert given(series_of([1, 2])).parts("validation") == [(1, 2)]


def test_files_of_all_parts_are_named_and_bounds_are_their_first_times(table: Callable, tmp_path: Path) -> None:
    lines = csv(wave(60)).splitlines()
    paths = {split: str(tmp_path / f"{split}.csv") for split in ("validation", "test")}
    for split, rows in {"validation": lines[31:46], "test": lines[46:]}.items():
        (tmp_path / f"{split}.csv").write_text("\n".join([lines[0], *rows]))
    reader = table("\n".join(lines[:31]), horizon=2, **paths)
    assert [origins(reader, split)[0] for split in ("validation", "test")] == [30, 45]
    assert reader.origin() == {"source": "files: series.csv, validation.csv, test.csv", "revision": None}
    assert reader.split_names == ("train", "validation", "test")
    assert table(GOOD, season=5).series[0].season == 5
    reader = table("\n".join(lines[:31]), horizon=2, validation=paths["validation"])
    assert reader.read_split("test") is None and origins(reader, "validation") == list(range(30, 44))
    assert reader.missing_test_message == "There is no test table, so no test score."
    assert table(GOOD).missing_test_message == "data.test_share is 0, so there is no test score."
    reader = table("\n".join(lines[:46]), horizon=2, test=paths["test"], validation_share=0.2)
    assert [origins(reader, split)[0] for split in ("validation", "test")] == [36, 45]
    (tmp_path / "validation.csv").write_text(lines[0] + "\n")
    with pytest.raises(InputError) as error:
        table(GOOD, validation=paths["validation"]).read_split("train")
    assert str(error.value) == f"{tmp_path}/series.csv: the validation table has no rows: give a table with rows."
    (tmp_path / "no.jsonl").write_text("")
    with pytest.raises(InputError) as error:
        table("", train=str(tmp_path / "no.jsonl")).read_split("train")
    assert str(error.value) == f"{tmp_path}/no.jsonl: there are no rows: give a file with rows."


def test_columns_of_parquet_are_found_by_its_schema(table: Callable, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"ds": dates(40), "y": wave(40).tolist()}), path)
    (series,) = table("", train=str(path)).series
    assert series.channels == ("y",) and len(series) == 40
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"a\.parquet"):
        table("", train=str(path)).read_split("train")
    with pytest.raises(InputError, match="There is no file"):
        table("", train=str(tmp_path / "gone.parquet")).read_split("train")


# --- tables of series ---


def layout(**changes: object) -> TableLayout:
    names = {"time_column": None, "series_column": None, "value_columns": None, "covariates": []}
    return TableLayout(**names | {"time_format": None, "wide": "channels"} | changes)


@pytest.mark.parametrize(
    "present, changes, expected",
    [
        (["v", "Date", "w"], {}, ("Date", None, ("v", "w"), ())),
        (["v", "w"], {}, ("v", None, ("w",), ())),  # the first, where no name is usual
        (["ds", "Unique_ID", "y"], {}, ("ds", "Unique_ID", ("y",), ())),
        (["ds", "y", "p"], {"covariates": ["p"]}, ("ds", None, ("y",), ("p",))),
        (["a", "b", "c", "d"], {"time_column": "b", "series_column": "c"}, ("b", "c", ("a", "d"), ())),
        (["ds", "a", "b"], {"value_columns": ["b"]}, ("ds", None, ("b",), ())),
    ],
)
def test_columns_are_found_by_their_names_or_by_the_options(present: list, changes: dict, expected: tuple) -> None:
    assert layout(**changes).columns(present, "t") == expected


@pytest.mark.parametrize("name", ["time", "DATE", "timestamp", "datetime", "ds", "month", "year", "period"])
def test_usual_names_of_times_and_of_series_are_known(name: str) -> None:
    for series in ("series", "series_id", "unique_id", "item_id"):
        assert layout().columns(["v", series, name], "t") == (name, series, ("v",), ())


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"time_column": "gone"},
            "t: there is no column 'gone'; it has ds, y: name the column with data.time_column=NAME.",
        ),
        (
            {"series_column": "gone"},
            "t: there is no column 'gone'; it has ds, y: name the column with data.series_column=",
        ),
        (
            {"value_columns": ["gone"]},
            "t: there is no column 'gone'; it has ds, y: name the column with data.value_colum",
        ),
        (
            {"covariates": ["gone"]},
            "t: there is no column 'gone'; it has ds, y: name the column with data.covariates=NAM",
        ),
        (
            {"covariates": ["y"]},
            "t: there is no column of values beside 'ds': name it with data.value_columns.",
        ),
    ],
)
def test_columns_that_are_not_there_are_named_with_their_option(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        layout(**changes).columns(["ds", "y"], "t")
    assert str(error.value).startswith(message)
    with pytest.raises(InputError) as error:
        layout(wide="b" * 99).check_layout()
    assert str(error.value) == f"data.wide={'b' * 79}…: choose channels or series."


def rows(*values: dict) -> list[Row]:
    return [Row(f"t:{number}", row) for number, row in enumerate(values, start=2)]


def test_a_long_table_with_gaps_is_put_on_its_grid() -> None:
    table = rows(
        {"t": "1", "s": "b", "x": "1", "y": "na", "k": "7"},
        {"t": "5", "s": 3, "x": 2, "y": 3, "k": None},
        {"t": "2", "s": "b", "x": "2", "y": "-1.5", "k": "8"},
        {"t": "4", "s": "b", "x": "3", "y": "0", "k": "9"},
        {"t": "6", "s": 3, "x": 2, "y": 3, "k": None},
    )
    made = layout(covariates=["k"])
    columns = Columns("t", "s", ("x", "y"), ("k",))
    one, other = made.series_in(table, columns, None)
    nan = np.nan
    assert (one.name, one.times.tolist(), one.season) == ("b", [1, 2, 3, 4], 1)
    np.testing.assert_array_equal(one.values, [[1, nan], [2, -1.5], [nan, nan], [3, 0]])
    np.testing.assert_array_equal(one.covariates, [[7], [8], [nan], [9]])
    assert (one.channels, one.covariate_names, other.name, len(other)) == (("x", "y"), ("k",), "3", 2)
    assert made.notes == ["Series 'b': 1 steps without a row count as missing values."]
    assert [series.season for series in layout(covariates=["k"]).series_in(table, columns, 5)] == [5, 5]
    apart = layout(covariates=["k"], wide="series").series_in(table, columns, 4)
    assert [series.name for series in apart] == ["b, x", "b, y", "3, x", "3, y"]
    assert {series.channels for series in apart} == {("value",)} and {series.season for series in apart} == {4}
    np.testing.assert_array_equal(apart[0].values, one.values[:, :1])
    np.testing.assert_array_equal(apart[1].values, one.values[:, 1:])
    np.testing.assert_array_equal(apart[1].covariates, one.covariates)
    assert apart[1].covariate_names == ("k",) and apart[1].times is apart[0].times
    columns = columns._replace(series=None)
    alone = layout(wide="series").series_in(table[:1] + table[2:4], columns, None)
    assert [series.name for series in alone] == ["x", "y"]


def test_times_have_the_given_form_and_mistakes_their_row() -> None:
    columns = Columns("t", None, ("v",), ())
    table = rows({"t": "31.01.2020", "v": 1}, {"t": "01.02.2020", "v": 2})
    (series,) = layout(time_format="%d.%m.%Y").series_in(table, columns, None)
    assert time_texts(series.times) == ["2020-01-31", "2020-02-01"] and series.season == 7
    for form, wanted in (
        ("%Y", "a time of the form %Y."),
        (
            None,
            "a date such as 2024-01-31, or a whole number, or give its form with data.time_format, as in '%d.%m.%Y'.",
        ),
    ):
        with pytest.raises(InputError) as error:
            layout(time_format=form).series_in(table, columns, None)
        assert str(error.value) == f"t:2: '31.01.2020' in column 't' is not a time: write {wanted}"
    with pytest.raises(InputError, match=r"^t:3: the time 1 of series 'series' is repeated \(first: t:2\): remove"):
        layout().series_in(rows({"t": "1", "v": 1}, {"t": "1", "v": 2}), columns, None)


@pytest.mark.parametrize("cell", [None, "", " ", "NA", "nan", "NULL", "None", "n/a", "?"], ids=repr)
def test_a_missing_value_may_be_written_in_many_ways(cell: object) -> None:
    assert np.isnan(number_of(Row("t:1", {"v": cell}), "v"))


@pytest.mark.parametrize("cell", ["x", "1e999", "-inf", "1,5"])
def test_a_cell_that_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(InputError) as error:
        number_of(Row("t:1", {"v": f" {cell}"}), "v")
    assert str(error.value) == (
        f"t:1: '{cell}' in column 'v' is not a number: correct it, leave it empty where it is missing, or name the "
        f"columns to read with data.value_columns=[...]."
    )
    assert number_of(Row("t:1", {"v": " 1.5e2 "}), "v") == 150 and number_of(Row("t:1", {"v": 3}), "v") == 3


def test_a_row_of_lists_is_a_row_for_every_step() -> None:
    columns = Columns("t", "s", ("v",), ("k",))
    listed = rows({"t": [1, 2], "s": "a", "v": [5, 6], "k": 0, "z": [1, 2, 3]}, {"t": 3, "s": "a", "v": 7, "k": 0})
    found = list(exploded(listed, columns))
    assert [row.place for row in found] == ["t:2, step 1", "t:2, step 2", "t:3"]
    assert [[row.values[name] for name in "tsvk"] for row in found] == [[1, "a", 5, 0], [2, "a", 6, 0], [3, "a", 7, 0]]
    with pytest.raises(InputError) as error:
        list(exploded(rows({"t": [1, 2], "s": "a", "v": [5], "k": 0}), columns))
    assert str(error.value) == "t:2: the lists have different lengths: give one value for every time."


# --- tables to forecast from ---


def fitted(*covariates: str) -> ForecastingCodec:
    """A codec of two channels and a season of 3, which forecasts 2 steps."""
    values = np.stack([wave(30), wave(30, seed=1)], axis=1)
    known = np.arange(30.0 * len(covariates)).reshape(30, -1)
    series = replace(series_of(values, season=3), covariates=known, covariate_names=covariates, channels=("x", "y"))
    codec = ForecastingCodec(4, WindowScaling(), [0.5])
    codec.fit(windows_of(series, horizon=2))
    return codec


def windows_in(text: str, codec: ForecastingCodec, **data: object) -> list[Window]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=5)]
    return windows_of_table(lines, "in.csv", codec, data)


def test_a_table_gives_a_window_for_every_series_after_its_last_value() -> None:
    text = "ds,item_id,x,y\n2020-01-01,a,1,2\n2020-01-01,b,3,4\n2020-02-01,a,5,\n2020-03-01,a,,\n"
    one, other = windows_in(text, fitted())
    assert (one.text, one.origin, one.horizon, other.text, other.origin) == ("a", 2, 2, "b", 1)
    assert (one.series.name, other.series.name) == ("a", "b")
    months = "".join(f"2020-0{month},,\n" for month in (2, 3, 4))  # more steps than are forecast
    (long,) = windows_in(f"ds,x,y\n2020-01,1,2\n{months}", fitted())
    assert (long.origin, len(long.series)) == (1, 4)
    nan = np.nan
    np.testing.assert_array_equal(one.series.values, [[1, 2], [5, nan], [nan, nan], [nan, nan]])
    assert one.future_times == ["2020-03-01", "2020-04-01"] and one.series.season == other.series.season == 3
    assert one.series.channels == ("x", "y") and one.series.covariates.shape == (4, 0)


def test_a_table_has_the_layout_and_the_covariates_of_the_training_data() -> None:
    text = "p;when;x;y\n".replace(";", ",") + "1,01.2020,1,2\n2,02.2020,3,4\n3,03.2020,,\n"
    options = {"time_column": "when", "time_format": "%m.%Y", "value_columns": ["x", "y"], "covariates": ["p"]}
    (window,) = windows_in(text, fitted("p"), **options)
    np.testing.assert_array_equal(window.series.covariates[:, 0], [1, 2, 3, np.nan])
    assert window.series.covariate_names == ("p",) and window.origin == 2
    with pytest.raises(InputError, match=r"^in\.csv:5: there is no column 'p'"):
        windows_in(text.replace("p,", "q,"), fitted("p"), **options)


def test_channels_of_other_names_are_taken_in_order_and_another_number_is_refused() -> None:
    (window,) = windows_in("ds,u,v\n2020-01-01,1,2\n2020-02-01,3,4\n", fitted())
    assert window.past.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(InputError) as error:
        windows_in("ds,u,v,w\n2020-01-01,1,2,3\n", fitted())
    message = "in.csv: the table has the values u, v, w, and the model was trained on x, y: give these columns."
    assert str(error.value) == message


def test_times_of_a_table_are_of_the_kind_that_the_model_knows() -> None:
    numbered = fitted()
    numbered.step = [2, ""]
    (window,) = windows_in("ds,x,y\n3,1,2\n5,3,4\n", numbered)
    assert window.series.times.tolist() == [3, 5, 7, 9]
    for codec, times, message in (
        (fitted(), ["3", "4"], "whole numbers, and the model was trained on dates such as 2024-01-31: give these."),
        (numbered, ["2020-01-01", "2020-01-02"], "dates, and the model was trained on whole numbers: give these."),
    ):
        with pytest.raises(InputError) as error:
            windows_in("ds,x,y\n" + "".join(f"{time},1,2\n" for time in times), codec)
        assert str(error.value) == f"in.csv: the times are {message}"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "in.csv: there are no lines: give a table with a header line."),
        ("ds,x,y\n2020-01-01,,\n2020-02-01,,\n", "in.csv: series 'series' has no value: give at least one."),
        (
            "ds,x,y\n2020-01-01,1\n",
            "in.csv:6: 2 cells in a row under 3 column names: check the separator and the quotes.",
        ),
        ("ds,x,y\nyesterday,1,2\n", "in.csv:6: 'yesterday' in column 'ds' is not a time: write a date"),
        ("\n", "in.csv:5: there is no column ''; it has none"),
        ('"ds,x,y\n', "in.csv:5: unexpected end of data: check the quotes."),
        ('ds,x,y\n"2020,1,2\n', "in.csv:6: unexpected end of data: check the quotes."),
    ],
)
def test_a_table_that_cannot_be_forecast_from_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        windows_in(text, fitted())
    assert str(error.value).startswith(message)


def test_steps_without_a_row_are_missing_values(table: Callable) -> None:
    lines = csv(wave(40)).splitlines()
    reader = table("\n".join(lines[:10] + lines[13:]))
    (series,) = reader.series
    assert len(series) == 40 and np.isnan(series.values[9:12]).all() and np.isfinite(series.values[12:]).all()
    assert "3 steps without a row" in " ".join(reader.notes)


@pytest.mark.parametrize(
    "times, season",
    [
        (dates(30), 12),
        ([f"{year}-03-31" for year in range(1990, 2020)], 1),
        ([str(year) for year in range(1990, 2020)], 1),
        ([f"{year}Q{quarter}" for year in range(2000, 2008) for quarter in range(1, 5)], 4),
        ((np.datetime64("2020-01-01") + np.arange(30)).astype(str).tolist(), 7),
        ((np.datetime64("2020-01-01T00") + np.arange(30)).astype(str).tolist(), 24),
        ((np.datetime64("2020-01-01") + 7 * np.arange(30)).astype(str).tolist(), 52),
    ],
    ids=["months", "ends of years", "numbers", "quarters", "days", "hours", "weeks"],
)
def test_the_season_follows_from_the_times(table: Callable, times: list[str], season: int) -> None:
    text = "time,v\n" + "\n".join(f"{time},{number % 5}" for number, time in enumerate(times))
    (series,) = table(text).series
    assert series.season == season and len(series) == len(times)


GOOD = csv(wave(40))
BAD = {
    "order": (GOOD.replace("2015-03-01", "2014-03-01"), {}, "series.csv:4: the time 2014-03-01T00:00:00 of series"),
    "repeated": (GOOD.replace("2015-03-01", "2015-02-01"), {}, "series.csv:4: .* is repeated \\(first: .*:3\\)"),
    "cell": (GOOD.replace("2015-04-01,", "2015-04-01,x"), {}, "series.csv:5: 'x.*' in column 'value' is not a number"),
    "time": (GOOD.replace("2015-05-01", "May 2015"), {}, "series.csv:6: 'May 2015' in column 'date' is not a time"),
    "mixed": (GOOD.replace("2015-05-01", "7"), {}, "dates and whole numbers are mixed"),
    "constant": (csv(np.full(40, 3.0)), {}, "is constant in column 'value'"),
    "empty": ("date,value\n", {}, "no rows|no column"),
    "long horizon": (GOOD, {"horizon": 30}, "data.horizon=30 is longer than"),
    "columns": (GOOD, {"value_columns": ["sold"]}, "there is no column 'sold'"),
    "wide": (GOOD, {"wide": "both"}, "data.wide=both: choose channels or series"),
    "shares": (GOOD, {"test_share": 0.9}, "must be fractions"),
    "infinite": (GOOD.replace(f"2015-04-01,{wave(40)[3]}", "2015-04-01,inf"), {}, "series.csv:5: 'inf' in column"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_in_one_sentence(table: Callable, name: str) -> None:
    text, given, message = BAD[name]
    with pytest.raises(InputError, match=message) as error:
        reader = table(text, **given)
        for split in ("train", "validation", "test"):
            reader.read_split(split)
    assert "\n" not in str(error.value)


def test_a_window_longer_than_the_series_is_refused(table: Callable) -> None:
    codec = ForecastingCodec(100, WindowScaling(), [0.5])
    with pytest.raises(InputError, match=r"codec\.window=100 is longer than the training series"):
        Corpus(table(GOOD, horizon=2), codec)


@pytest.mark.parametrize("quantiles", [[], [0.1, 0.9], [0.5, 0.1], [0.5, 0.5], [0.0, 0.5]])
def test_quantiles_must_be_levels_around_the_median(quantiles: list[float]) -> None:
    with pytest.raises(InputError, match=r"codec\.quantiles"):
        ForecastingCodec(3, WindowScaling(), quantiles)


def test_equal_series_of_other_formats_have_equal_hashes(table: Callable, tmp_path: Path) -> None:
    def hashes(reader: FileSeries) -> list:
        return [window.content() for window in reader.read_split("train")]

    first = hashes(table(GOOD))
    rows = [dict(zip(("date", "value"), line.split(","), strict=True)) for line in GOOD.splitlines()[1:]]
    (tmp_path / "same.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert hashes(table("", train=str(tmp_path / "same.jsonl"))) == first
    assert hashes(table(GOOD.replace("2015-04-01,", "2015-04-01,1"))) != first


def test_the_calendar_of_a_part_is_that_of_the_whole() -> None:
    whole = series_of(wave(50))
    part = replace(whole, times=whole.times[20:], values=whole.values[20:], covariates=whole.covariates[20:])
    np.testing.assert_allclose(calendar(part), calendar(whole)[20:], atol=1e-6)


# --- scaling ---


@pytest.fixture
def corpus(composed: Callable) -> Callable[..., Corpus]:
    return lambda *overrides: read_corpus(composed("forecasting", *QUICK, *overrides))[1]


@pytest.mark.parametrize("scaling", options("scaling"))
def test_scaling_is_undone(corpus: Callable, scaling: str) -> None:
    split = corpus(f"scaling={scaling}", "data.missing=0.1").splits["test"]
    rows = np.arange(0, len(split), 2)
    batch = split.encoded.batch(rows)
    found = batch.unscale(batch.targets[..., None])[..., 0]
    actual = np.stack([split.examples[row].future for row in rows])
    known = batch.target_mask.numpy()
    assert (known == np.isfinite(actual)).all() and not known.all()
    np.testing.assert_allclose(found[known], actual[known], rtol=1e-4)


@pytest.mark.parametrize("scaling", options("scaling"))
def test_nothing_of_the_future_is_read(corpus: Callable, scaling: str) -> None:
    made = corpus(f"scaling={scaling}")
    window = made.splits["test"].examples[5]
    series = window.series
    changed = series.values.copy()
    changed[window.origin :] = 1e6
    other = window._replace(series=replace(series, values=changed))
    first, second = (made.codec.encode([one]).batch(np.array([0])) for one in (window, other))
    for name in ("tokens", "future", "last"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert np.array_equal(first.reference, second.reference)


def test_scales_are_those_of_the_training_part(corpus: Callable) -> None:
    made = corpus()
    series, end = next(iter(training_parts([*made.splits["train"].examples]).items()))
    level, spread = made.codec.scales[series.name]
    assert level[0] == pytest.approx(np.nanmean(series.values[:end]))
    assert spread[0] == pytest.approx(np.nanstd(series.values[:end]))


def test_a_window_does_not_depend_on_its_batch(corpus: Callable) -> None:
    split = corpus("data.missing=0.1").splits["train"]
    rows = np.array([0, len(split) // 2, len(split) - 1])
    together = split.encoded.batch(rows)
    assert len(set(split.encoded.lengths[rows].tolist())) > 1
    for place, row in enumerate(rows):
        alone = split.encoded.batch(np.array([row]))
        steps = alone.tokens.shape[1]
        torch.testing.assert_close(together.tokens[place, :steps], alone.tokens[0])
        assert not together.tokens[place, steps:].any() and not together.mask[place, steps:].any()


# --- scores ---


def test_scores_agree_with_scikit_learn() -> None:
    series = series_of(np.stack([wave(60), 7 * wave(60, seed=3)], axis=1))
    windows = windows_of(series)
    levels = (0.1, 0.5, 0.9)
    noise = np.random.default_rng(1).normal(0, 1, (len(windows), 3, 2, 1))
    quantiles = np.stack([window.future for window in windows])[..., None] + noise + np.array([-0.5, 0.1, 0.8])
    forecasts = [Forecast(levels, row) for row in quantiles]
    scores = forecast_scores(Errors.of(forecasts, windows, TrainingScales(windows)))
    actual = np.stack([window.future for window in windows]).ravel()
    point = quantiles[..., 1].ravel()
    assert scores["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(actual, point))
    assert scores["rmse"] == pytest.approx(sklearn_metrics.root_mean_squared_error(actual, point))
    losses = [
        sklearn_metrics.mean_pinball_loss(actual, quantiles[..., q].ravel(), alpha=level)
        for q, level in enumerate(levels)
    ]
    assert scores["pinball"] == pytest.approx(np.mean(losses))
    by_channel = []
    for channel in range(2):
        values = series.values[:, channel]
        naive = sklearn_metrics.mean_absolute_error(values[12:], values[:-12])
        truth = np.stack([window.future for window in windows])[..., channel]
        by_channel.append(
            sklearn_metrics.mean_absolute_error(truth.ravel(), quantiles[..., channel, 1].ravel()) / naive
        )
    assert scores["mase"] == pytest.approx(np.mean(by_channel))
    inside = (quantiles[..., 0].ravel() <= actual) & (actual <= quantiles[..., 2].ravel())
    assert scores["coverage_80"] == pytest.approx(inside.mean())
    assert scores["smape"] == pytest.approx(np.mean(2 * np.abs(actual - point) / (np.abs(actual) + np.abs(point))))


def test_missing_values_are_not_scored() -> None:
    values = wave(60)
    windows = windows_of(series_of(values))
    forecasts = [Forecast((0.5,), window.future[..., None] + 1) for window in windows]
    gap = values.copy()
    gap[40:45] = np.nan
    missing = windows_of(series_of(gap))
    shifted = [Forecast((0.5,), np.nan_to_num(window.future)[..., None] + 1) for window in missing]
    for found, examples in ((forecasts, windows), (shifted, missing)):
        assert forecast_scores(Errors.of(found, examples, TrainingScales(examples)))["mae"] == pytest.approx(1)


# --- baselines ---


def test_exponential_smoothing_is_that_of_statsmodels_and_reads_nothing_later() -> None:
    pytest.importorskip("statsmodels")
    series = series_of(wave(90) + 0.05 * np.arange(90))
    states = states_of(series, 0, 70)
    assert states is not None and states.period == 12
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    trend = {"trend": "add", "damped_trend": True} if states.damping < 1 or states.slope.any() else {}
    model = {"error": "add", "seasonal": "add", "seasonal_periods": 12, **trend}
    fitted = ETSModel(series.values[:70, 0], initialization_method="heuristic", **model).fit(disp=False)
    np.testing.assert_allclose(states.forecast(Window(series, 70, 15)), fitted.forecast(15), rtol=1e-6)
    later = series.values.copy()
    later[80:] = 99
    other = states_of(replace(series, values=later), 0, 70)
    np.testing.assert_allclose(other.forecast(Window(series, 80, 5)), states.forecast(Window(series, 80, 5)))


def test_the_seasonal_last_value_is_that_of_a_season_before() -> None:
    series = series_of(np.arange(40.0), season=4)
    assert seasonal_last_value(Window(series, 20, 6))[:, 0].tolist() == [16, 17, 18, 19, 16, 17]


def test_quantiles_of_baselines_cover_what_they_should() -> None:
    series = series_of(wave(400))
    windows = windows_of(series)
    found = Baselines(windows[:300]).forecasts(windows[300:])
    for name in ("last_value", "seasonal_last_value", "exponential_smoothing"):
        scores = forecast_scores(Errors.of(found[name], windows[300:], TrainingScales(windows)))
        assert 0.8 < scores["coverage_90"] <= 1, name


def test_the_best_possible_error_is_that_of_the_noise(composed: Callable) -> None:
    cfg = composed("forecasting", "data.number=10", "data.missing=0", "data.shifts=0", "data.horizon=1")
    windows = build(cfg.data).read_split("test")
    best = best_forecasts(windows)
    assert best is not None
    errors = [
        abs(float((window.future - forecast.point)[0, 0])) / unit_of(window.series)
        for window, forecast in zip(windows, best, strict=True)
    ]
    assert np.mean(errors) == pytest.approx(0.5 * (2 / np.pi) ** 0.5, rel=0.15)


def generated(**changes: object) -> list[Series]:
    options = {"number": 300, "length": 36, "noise": 0.0, "shifts": 0.0, "missing": 0.0, "seed": 5}
    windows = {"horizon": 1, "season": None, "validation_share": 0.2, "test_share": 0.2, "stride": 1, "test_stride": 1}
    return GeneratedSeries(**options | windows | changes).read_series()


def test_generated_series_are_trend_and_seasons_on_a_level_in_units_of_their_own() -> None:
    series = generated()
    assert [one.name for one in series[:2]] == ["series 1", "series 2"] and len(series) == 300
    assert time_texts(series[0].times) == dates(36, "1990-01") and series[0].season == 12
    assert series[0].channels == ("value",) and series[0].covariates.shape == (36, 0)
    month = np.arange(36)
    year = np.sin(2 * np.pi * month / 12) + 0.5 * np.cos(4 * np.pi * month / 12)
    process = np.stack([one.process.deterministic[:, 0] for one in series], axis=1)
    (slopes, strengths), residuals, *_ = np.linalg.lstsq(np.stack([month, year], axis=1), process, rcond=None)
    level = np.stack([one.process.level[:, 0] for one in series], axis=1)
    assert residuals.max() < 1e-12 * process.max() ** 2 and np.ptp(level, axis=0).max() == 0
    np.testing.assert_allclose(np.stack([one.values[:, 0] for one in series], axis=1), process + level)
    noisy = generated(noise=1.0, number=100, length=400)  # what is around the level has the size of the unit
    units = np.array([np.std(one.values - one.process.deterministic - one.process.level) for one in noisy])
    levels = np.array([one.process.level[0, 0] for one in noisy]) / units
    assert 1.8 < levels.min() < 2.5 and 9.5 < levels.max() < 11 and levels.mean() == pytest.approx(6, abs=0.8)
    assert 0.9 < units.min() < 1.3 and 750 < units.max() < 1100
    assert np.median(units) == pytest.approx(10**1.5, rel=0.5)
    unit = level[0] / 6  # on average
    assert np.median(strengths / unit) == pytest.approx(1, rel=0.2)
    assert np.std(slopes / unit) == pytest.approx(0.012, rel=0.3)
    ratio = strengths / strengths.mean()
    assert ratio.std() > 0


def test_levels_shift_as_often_and_as_far_as_asked_for() -> None:
    series = generated(shifts=4.0, length=200)
    jumps = np.stack([np.diff(one.process.level[:, 0]) for one in series])
    happens = jumps != 0
    assert happens.sum(axis=1).mean() == pytest.approx(4, rel=0.1)
    (one,) = generated(number=1, length=900, shifts=900.0, noise=1.0)  # a shift at every step
    steps = np.diff(one.process.level[:, 0])
    unit = np.std(one.values - one.process.deterministic - one.process.level)
    assert (steps != 0).all() and abs(np.mean(steps)) < 0.4 * np.std(steps)
    assert np.std(steps) / unit == pytest.approx(1.5, rel=0.1)


def test_values_are_missing_as_often_as_asked_for() -> None:
    series = generated(missing=0.25, noise=0.5)
    assert np.isnan([one.values for one in series]).mean() == pytest.approx(0.25, rel=0.05)
    assert not np.isnan([one.process.level for one in series]).any()
    source = GeneratedSeries(
        number=1,
        length=9,
        noise=0,
        shifts=0,
        missing=0,
        seed=1,
        horizon=1,
        season=None,
        validation_share=0.2,
        test_share=0.2,
        stride=1,
        test_stride=1,
    )
    assert source.origin() == {"source": "generated", "revision": None}


def unit_of(series: Series) -> float:
    """The standard deviation of the noise of a generated series is half of its unit."""
    assert series.process is not None
    return float(np.std(series.values - series.process.deterministic - series.process.level) / 0.5)


def test_generated_series_are_the_same_for_a_seed(composed: Callable) -> None:
    first, again, other = (
        build(composed("forecasting", "data.number=2", f"data.seed={seed}").data).series[1].digests[-1]
        for seed in (1, 1, 2)
    )
    assert first == again != other


# --- models and runs ---


@pytest.mark.parametrize("forecast", options("forecast"))
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_way_to_forecast_learns(composed: Callable, forecast: str, cell: str) -> None:
    cfg, corpus = read_corpus(
        composed("forecasting", *QUICK, f"forecast={forecast}", f"cell={cell}", "model.encoder.hidden_size=8")
    )
    torch.manual_seed(0)
    model = build(cfg.model, **corpus.sizes)
    batch = corpus.splits["train"].encoded.batch(np.arange(16))
    assert_learns(model, batch, steps=15)
    model.eval()
    forecasts = corpus.codec.decode(model.predict(batch))
    assert forecasts[0].quantiles.shape == (3, 1, 5)
    assert all((np.diff(one.quantiles, axis=-1) >= 0).all() for one in forecasts)


@pytest.mark.parametrize("shape", options("shape"))
def test_every_shape_runs_and_answers(launch: Callable, shape: str) -> None:
    small = [option for option in QUICK if not option.startswith(("data.horizon", "codec.window"))]
    given = [] if shape == "many_to_one" else ["data.horizon=3"]
    given += [] if shape == "one_to_many" else ["codec.window=24"]
    folder = launch("forecasting", f"shape={shape}", *small, *given, "trainer.batch_tokens=512")
    result = json.loads((folder / "result.json").read_text())
    horizon, window = (1 if shape == "many_to_one" else 3), (1 if shape == "one_to_many" else 24)
    assert result["status"] == "ok" and not result.get("warnings")
    assert len(result["metrics"]["test"]["by_horizon"]) == horizon
    assert {"forecasts.png", "error_by_horizon.png", "predictions.jsonl"} <= {path.name for path in folder.iterdir()}
    months = dates(window)
    (answer,) = load(folder, device="cpu").predict([json.dumps({"times": months, "values": wave(window).tolist()})])
    assert len(answer.prediction) == horizon and answer.details["times"][0].startswith(str(dates(window + 1)[-1]))


def test_the_lowest_error_selects_the_weights(launch: Callable) -> None:
    folder = launch("forecasting", *QUICK, "trainer.max_epochs=6", "optimizer.lr=0.2", "trainer.average_decay=0")
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    scores = [row["validation"]["mase"] for row in rows]
    result = json.loads((folder / "result.json").read_text())
    assert result["selection"]["epoch"] == int(np.argmin(scores)) + 1
    assert result["metrics"]["validation"]["mase"] == pytest.approx(min(scores), rel=1e-4)


def test_a_run_that_is_stopped_goes_on_to_the_same_bits(launch: Callable, stopped: Callable) -> None:
    given = [*QUICK, "trainer.checkpoint_steps=2", "trainer.max_epochs=2", "model.dropout=0.2"]
    whole = launch("forecasting", *given, folder="whole")
    stopped("forecasting", *given, batches=4, folder="cut")
    cut = launch("forecasting", *given, "resume=true", folder="cut")
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.draws
def test_it_learns_a_series_that_repeats_itself(launch: Callable, table: Callable, tmp_path: Path) -> None:
    (tmp_path / "wave.csv").write_text(csv(wave(150)))
    own = ["data=series_files", f"data.train={tmp_path / 'wave.csv'}", "trainer.max_epochs=10", "data.horizon=4"]
    folder = launch("forecasting", *own, "model.encoder.hidden_size=24", "baselines=true", "optimizer.lr=0.01")
    test = json.loads((folder / "result.json").read_text())["metrics"]["test"]
    assert test["mase"] < test["baselines"]["seasonal_last_value"]["mase"] < test["baselines"]["last_value"]["mase"]


# --- prediction ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on two channels with a covariate."""
    from training.checkpoint import save_weights
    from training.checksums import write_checksums
    from training.folders import CONFIG

    made = tmp_path_factory.mktemp("run")
    values = np.stack([wave(60), wave(60, seed=1), np.arange(60) % 3], axis=1)
    (made / "train.csv").write_text(csv(values, "date,x,y,promo"))
    own = ["data=series_files", f"data.train={made / 'train.csv'}", "data.covariates=[promo]", "data.horizon=3"]
    small = ["codec.window=10", "model.encoder.hidden_size=8", "trainer.max_epochs=1", "trainer.batch_tokens=512"]
    cfg, corpus = read_corpus(compose_config("forecasting", *own, *small))
    corpus.codec.save(made)
    save_weights(build(cfg.model, **corpus.sizes), made)
    (made / CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True))
    write_checksums(made, corpus.codec)
    return made


@pytest.fixture
def ask(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable:
    """``ask(text, *options)``: the exit code and both outputs of the prediction command."""

    def run(text: str, *given: str) -> tuple[int, str, str]:
        from tasks.forecasting import predict

        monkeypatch.setattr(sys, "argv", ["predict", f"run={folder}", *given])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code = 0
        try:
            main(ForecastingPredictor, predict.__doc__)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def window_line(**changed: object) -> str:
    rows = np.stack([wave(12), wave(12, seed=1)], axis=1).tolist()
    content = {"times": dates(12), "values": rows, "covariates": [0, 1, 2] * 5, "series": "s"}
    return json.dumps({key: value for key, value in {**content, **changed}.items() if value is not ...})


def test_lines_and_tables_have_the_same_answers(ask: Callable) -> None:
    code, written, error = ask(window_line() + "\n")
    answer = json.loads(written)
    assert (code, error) == (0, "")
    assert np.array(answer["forecast"]).shape == (3, 2) and list(answer["quantiles"]) == [
        "0.05",
        "0.25",
        "0.5",
        "0.75",
        "0.95",
    ]
    assert [time[:10] for time in answer["times"]] == dates(15)[12:]
    values = np.stack([wave(12), wave(12, seed=1)], axis=1).tolist()
    rows = [[*row, number % 3] for number, row in enumerate(values)] + [["", "", number % 3] for number in (12, 13, 14)]
    text = "date,x,y,promo\n" + "\n".join(
        ",".join([time, *map(str, row)]) for time, row in zip(dates(15), rows, strict=True)
    )
    _, table, _ = ask(text, "reads=csv")
    np.testing.assert_allclose(json.loads(table)["forecast"], answer["forecast"], rtol=1e-6)


def test_json_with_the_fields_of_every_task(ask: Callable) -> None:
    row = json.loads(ask(window_line(), "format=json")[1])
    assert list(row) == ["input", "prediction", "score"] and row["score"] <= 0


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "at least one known value|is missing|does not have 2 numbers"),
        ("some words", "'some words' is not a number"),
        ("{", "not JSON"),
        (window_line(values=...), "'values' is missing"),
        (window_line(values=[1, 2]), "a step in 'values' does not have 2 numbers"),
        (window_line(values={"x": [1] * 12, "y": [1] * 11}), "lists in 'values' have different lengths"),
        (window_line(values=[["a", 1]] * 12), "'a' in 'values' is not a number"),
        (window_line(values=[[None, None]] * 12), "at least one known value"),
        (window_line(times=...), "'times' must have the time of each of the 12 values"),
        (window_line(times=list(range(12))), "this model was trained on dates"),
        (window_line(times=dates(12)[::-1]), "comes after"),
        (window_line(covariates=[1]), "'covariates' has 1 steps: give 15"),
        (window_line(colour=1), "'colour' is not known"),
    ],
)
def test_bad_windows_are_refused_with_their_line(ask: Callable, line: str, message: str) -> None:
    code, written, error = ask(f"{window_line()}\n{line}\n")
    assert code == 2 and written.count("\n") == 1
    assert error.startswith("error: standard input:2: ") and error.count("\n") == 1
    import re

    assert re.search(message, error)


def test_short_windows_are_answered_with_a_warning(ask: Callable) -> None:
    line = window_line(times=dates(2), values=[[1, 2], [2, 3]], covariates=[0] * 5)
    code, written, error = ask(line)
    assert code == 0 and written and "shorter than the 10 steps" in error


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"horizon": 3}'])
def test_damaged_scales_are_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    codec = ForecastingCodec(10, WindowScaling(), [0.5])
    (tmp_path / "scales.json").write_text(damage)
    with pytest.raises(InputError, match="damaged"):
        codec.load(tmp_path)


def test_scores_know_their_direction() -> None:
    from training.baselines import better_baselines
    from training.direction import lower_is_better, quality

    assert lower_is_better("mase") and lower_is_better("ter") and not lower_is_better("bleu")
    assert quality("mase", 0.8) > quality("mase", 0.9) and quality("accuracy", 0.9) > quality("accuracy", 0.8)
    scores = {"mase": 0.9, "baselines": {"a": {"mase": 0.8}, "b": {"mase": 1.0}, "c": {"mase": 0.7}}}
    assert better_baselines(scores, "mase") == [("c", 0.7), ("a", 0.8)]


def test_evaluation_scores_every_horizon_and_series() -> None:
    train = [*windows_of(series_of(wave(60))), *windows_of(series_of(wave(60, seed=2), name="b"))]
    evaluation = ForecastingEvaluation(pictures=0)
    evaluation.fit(train)
    perfect = [Forecast((0.5,), window.future[..., None]) for window in train]
    scores = evaluation.score(perfect, train)
    assert (
        scores["mase"] == 0
        and list(scores["by_horizon"]) == ["1", "2", "3"]
        and list(scores["by_series"]) == ["a", "b"]
    )


def write_errors(root: Path, cell: str, mean: float, naive: float = 1.1) -> None:
    for seed in (1, 2, 3):
        error = mean + 0.01 * seed
        scores = {"mase": error, "baselines": {"last_value": {"mase": naive}, "seasonal_last_value": {"mase": 1.3}}}
        selection = {"metric": "mase", "epoch": 3, "score": error}
        write_run(root, cell, seed, 0.5, metrics={"validation": {"mase": error}, "test": scores}, selection=selection)


def test_groups_are_compared_by_the_lower_error(tmp_path: Path) -> None:
    for cell, mean in (("rnn", 1.9), ("lstm", 0.7), ("gru", 0.8)):
        write_errors(tmp_path, cell, mean)
    section = only(tmp_path)
    assert [group.name for group in section.scored] == ["lstm", "gru", "rnn"]
    lstm, _, rnn = section.scored
    assert (group_values(lstm)["best"], group_values(lstm)["worst"]) == pytest.approx((71, 73))
    assert group_values(lstm)["baseline_name"] == "last value"
    assert lstm.baseline == ("last_value", pytest.approx(110)) and not lstm.at_baseline and rnn.at_baseline
    pairs = pairs_of(section)
    found = {(pair.better.name, pair.worse.name): pair.seeds for pair in pairs}
    assert found["lstm", "rnn"].mean == pytest.approx(120) and found["lstm", "rnn"].low == pytest.approx(120, abs=5)
    assert all(pair.seeds.mean > 0 for pair in pairs)
    assert headline(section, pairs).startswith("lstm scores 72.00")


def test_the_summary_says_whether_a_baseline_has_a_smaller_error() -> None:
    scores = {"mase": 0.9, "baselines": {"last_value": {"mase": 0.8}, "seasonal_last_value": {"mase": 1.2}}}
    sentence = compared_with_baselines(scores, "mase", "test")
    assert sentence == "The model scores 90.0 % on test, a greater error than the last value (80.0 %)."
    assert percent("rmse", 1234.5) == "1234" and percent("mase", 0.9) == "90.00"


def test_the_best_trial_of_a_search_has_the_lowest_error() -> None:
    group = TrialGroup(
        "key", "mase", {n: [SimpleNamespace(score=lambda *_, e=e: e)] for n, e in enumerate((90, 70, 95))}
    )
    assert group.best == 1 and group.near == 1
    curve = [expected for expected, _ in expected_curve(group)]
    assert curve[0] == pytest.approx(85) and curve == sorted(curve, reverse=True) and curve[-1] >= 70


@pytest.mark.parametrize("channels", [("sales",), ("sales", "visits")])
@pytest.mark.parametrize("covariates", [(), ("price", 'a "quoted" name')])
@pytest.mark.parametrize("step", [Step(1, ""), Step(1, "M"), Step(3600, "s")])
def test_the_form_of_a_line_can_be_read(channels: tuple[str, ...], covariates: tuple[str, ...], step: Step) -> None:
    layout = WindowLayout(channels, covariates, 3, 1, step)
    form = form_of_line(layout)
    line = "1, 2"
    if channels[1:] or covariates or step.unit:
        text = form.removeprefix("JSON such as ").replace("[...]", "[1, 2, 3, 4]").replace(", ...", "")
        line = json.dumps(json.JSONDecoder().raw_decode(text)[0])
    else:
        assert form == "Numbers between commas."
    window = window_of_line(line, layout)
    assert window.past.shape[1] == len(channels) and window.series.covariates.shape[1] == len(covariates)
    assert (window.series.times.dtype.kind == "M") == bool(step.unit)
