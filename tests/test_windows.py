"""Times and their grids, the calendar, scales and windows, by small series whose numbers are known."""

import json
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.calendar import CALENDAR_SIZE, calendar
from data.errors import InputError
from data.forecasting import ForecastingCodec, check_quantiles, moments
from data.scaling import Known, LastScaling, Scaling, SeasonScaling, StandardScaling, WindowScaling
from data.series import (
    Forecast,
    Process,
    Series,
    Window,
    check_not_constant,
    seasonal_step,
    time_texts,
    training_parts,
)
from data.times import check_order, grid_of, parse_time
from data.windows import Step, WindowLayout, form_of_line, step_of, window_of, window_of_line

NAN = np.nan
HOUR, DAY = 3600, 86_400
NUMBERED = Step(1, "")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[s]")


def every(seconds: int, count: int, start: str = "1970-01-01") -> np.ndarray:
    return np.datetime64(start, "s") + seconds * np.arange(count).astype("timedelta64[s]")


def series_of(values: Any, times: np.ndarray | None = None, season: int = 1, **changes: Any) -> Series:
    values = np.asarray(values, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    times = np.arange(len(values)) if times is None else times
    channels = tuple(f"c{number}" for number in range(values.shape[1]))
    return replace(Series("a", times, values, np.zeros((len(values), 0)), channels, (), season), **changes)


# --- times ---


@pytest.mark.parametrize(
    "value, expected",
    [
        ("12", 12),
        (" -7 ", -7),
        ("1234567", 1234567),
        (12, 12),
        (12.0, 12),
        (12.5, None),
        (True, None),
        (None, None),
        ([1], None),
        ("2024Q1", "2024-01-01"),
        ("2024-q4", "2024-10-01"),
        ("2024-02", "2024-02-01"),
        ("2024-02-03", "2024-02-03"),
        ("2024-02-03 04:05:06", "2024-02-03T04:05:06"),
        ("2024-02-03T04:05:06+02:00", "2024-02-03T02:05:06"),
        (date(2024, 2, 3), "2024-02-03"),
        (datetime(2024, 2, 3, 4, 5, 6, 999), "2024-02-03T04:05:06"),
        (datetime(2024, 2, 3, 4, tzinfo=timezone(timedelta(hours=-1))), "2024-02-03T05:00:00"),
        (datetime(2024, 2, 3, 4, tzinfo=UTC), "2024-02-03T04:00:00"),
    ],
    ids=repr,
)
def test_times_are_dates_in_utc_or_whole_numbers(value: Any, expected: Any) -> None:
    found = parse_time(value, None)
    assert found == (np.datetime64(expected, "s") if isinstance(expected, str) else expected)
    assert found.dtype == "datetime64[s]" if isinstance(expected, str) else isinstance(found, (int, type(None)))


def test_a_zone_is_that_of_the_text_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_time("2024-02-03T04:00:00+02:00", None) == np.datetime64("2024-02-03T02:00:00", "s")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["x2024Q1", "2024Q5", "2024-13", "12345678", "1.5", "", "2024-02x"])
def test_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text, None)


def test_a_form_reads_numbers_too() -> None:
    assert parse_time(2024, "%Y") == np.datetime64("2024-01-01", "s")
    assert parse_time(" 03/02/24 ", "%d/%m/%y") == np.datetime64("2024-02-03", "s")


@pytest.mark.parametrize(
    "times, message",
    [
        ([1, np.datetime64("2020", "s")], "p1: dates and whole numbers are mixed in the times of 'a': write one kind."),
        (
            [1, 2, 1],
            "p2: the time 1 of series 'a' is repeated (first: p0): remove one of the rows, or name the column that "
            "tells the series apart with data.series_column=NAME.",
        ),
        ([5, 7, 6], "p2: the time 6 of series 'a' comes after 7: sort the rows by time."),
    ],
)
def test_times_out_of_order_are_named_with_their_places(times: list, message: str) -> None:
    with pytest.raises(InputError) as error:
        check_order(times, ["p0", "p1", "p2"][: len(times)], "a")
    assert str(error.value) == message


def test_times_in_order_are_an_array_of_their_kind() -> None:
    assert check_order([1, 2], ["", ""], "a").dtype == np.int64
    assert check_order([*days("2020-01-01")], [""], "a").dtype == "datetime64[s]"


@pytest.mark.parametrize(
    "given, missing, season",
    [
        (["2020-01-31", "2020-02-29", "2020-04-30"], {2: "2020-03-31"}, 12),  # ends of months
        (["2020-01-31T12", "2020-02-29T12", "2020-04-30T12"], {2: "2020-03-31T12"}, 12),
        (["2020-01-15", "2020-02-15", "2020-04-15"], {2: "2020-03-15"}, 12),
        (["2021-02-01", "2021-03-01", "2021-05-01"], {2: "2021-04-01"}, 12),
        (["2021-02-01", "2021-03-01"], {}, 12),
        (["2020-01-01", "2020-01-07", "2020-01-19"], {2: "2020-01-13"}, 61),
        (["2019-03-31", "2019-06-30", "2019-12-31"], {2: "2019-09-30"}, 4),
        (["2019-01-01", "2020-01-01", "2022-01-01"], {2: "2021-01-01"}, 1),
        (["2020-01-01", "2020-01-29", "2020-03-25", "2020-04-22"], {2: "2020-02-26"}, 13),  # four weeks
        (["2020-01-01", "2020-01-02", "2020-01-04"], {2: "2020-01-03"}, 7),
        (["2020-01-01", "2020-01-08", "2020-01-22"], {2: "2020-01-15"}, 52),
        (["2020-01-01T00", "2020-01-01T06", "2020-01-01T18"], {2: "2020-01-01T12"}, 4),
        (["2020-01-01T00:00:00", "2020-01-01T00:00:01", "2020-01-01T00:00:03"], {2: "2020-01-01T00:00:02"}, 1440),
        (["2020-01-01T00:00", "2020-01-01T00:10"], {}, 144),
        (["2020-01-01"], {}, 1440),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_dates_lie_on_a_grid_of_months_or_of_seconds(given: list[str], missing: dict[int, str], season: int) -> None:
    whole = list(given)
    for place, text in missing.items():
        whole.insert(place, text)
    grid = grid_of(days(*given))
    assert grid.times.tolist() == days(*whole).tolist() and grid.season == season
    assert grid.times[grid.positions].tolist() == days(*given).tolist()


@pytest.mark.parametrize(
    "given, whole",
    [
        ([3, 5, 7, 11], [3, 5, 7, 9, 11]),
        ([3, 5, 6], [3, 5, 6]),  # on no grid
        ([0, 2, 3, 5, 7], [0, 2, 3, 5, 7]),
        ([0, 1, 29], list(range(30))),
        ([0, 1, 30], [0, 1, 30]),  # too sparse
        ([4], [4]),
    ],
)
def test_whole_numbers_lie_on_a_grid_where_most_steps_have_one_size(given: list[int], whole: list[int]) -> None:
    grid = grid_of(np.array(given))
    assert grid.times.tolist() == whole and grid.season == 1
    assert grid.times[grid.positions].tolist() == given


@pytest.mark.parametrize(
    "times",
    [
        ["2020-01-01", "2020-01-28", "2020-03-28"],
        ["2020-01-01", "2020-02-01", "2020-03-02", "2020-05-01"],
        ["2020-01-31", "2020-02-29", "2020-03-30", "2020-05-31"],
    ],
)
def test_dates_that_are_no_months_are_not_put_on_months(times: list[str]) -> None:
    assert grid_of(days(*times)).times.tolist() == days(*times).tolist()


def test_times_as_text_have_a_time_of_day_where_one_has() -> None:
    assert time_texts(days("2020-01-01", "2020-01-02")) == ["2020-01-01", "2020-01-02"]
    assert time_texts(days("2020-01-01", "2020-01-02T01")) == ["2020-01-01T00:00:00", "2020-01-02T01:00:00"]
    assert time_texts(np.array([3, 4])) == ["3", "4"]


# --- the calendar ---


def phases(series: Series) -> np.ndarray:
    """The phases of the day, the week, the year and the season in turns, NaN where a cycle is not used: [N, 4]."""
    found = calendar(series)
    assert found.shape == (len(series), CALENDAR_SIZE)
    sine, cosine = found[:, :4], found[:, 4:]
    used = (sine != 0) | (cosine != 0)
    np.testing.assert_allclose((sine**2 + cosine**2)[used], 1)
    return np.where(used, np.arctan2(sine, cosine) / (2 * np.pi) % 1, NAN).round(9) % 1


@pytest.mark.parametrize(
    "times, season, expected",
    [
        (every(6 * HOUR, 5), 4, [[0, 0.25, 0.5, 0.75, 0], np.arange(5) / 28, np.arange(5) / 4 / 365.25, "day"]),
        (every(6 * HOUR, 2), 4, [[0, 0.25], [0, 1 / 28], [0, 0.25 / 365.25], "day"]),
        (every(12 * HOUR, 3), 2, [[0, 0.5, 0], [0, 1 / 14, 1 / 7], [0, 0.5 / 365.25, 1 / 365.25], "day"]),
        (every(28 * DAY, 3), 13, [None, None, None, [0, 1 / 13, 2 / 13]]),
        (days("1970-01-01", "1970-07-01", "1971-01-01"), 2, [None, None, None, [0, 0.5, 0]]),
        (days("1970-01-01", "1971-01-01", "1972-01-01"), 3, [None, None, None, [0, 1 / 3, 2 / 3]]),
        (np.array([8, 12, 16]), 4, [None, None, None, [0.5, 0.75, 0]]),
        (every(12 * HOUR, 3), 1, [[0, 0.5, 0], [0, 1 / 14, 1 / 7], [0, 0.5 / 365.25, 1 / 365.25], None]),
        (every(13 * HOUR, 3), 1, [None, [0, 13 / 168, 26 / 168], np.arange(3) * 13 / 24 / 365.25, None]),
        (every(DAY, 3, "1970-01-08"), 7, [None, [0, 1 / 7, 2 / 7], [7 / 365.25, 8 / 365.25, 9 / 365.25], "week"]),
        (days("1970-07-01", "1970-08-01", "1970-09-01"), 12, [None, None, None, [0.5, 7 / 12, 8 / 12]]),
        (days("1970-04-01", "1970-07-01", "1970-10-01"), 4, [None, None, None, [0.25, 0.5, 0.75]]),
        (every(7 * DAY, 3), 52, [None, None, None, [0, 1 / 52, 2 / 52]]),
        (np.array([5, 6, 7]), 4, [None, None, None, [0.25, 0.5, 0.75]]),
        (np.array([5, 6, 7]), 1, [None] * 4),
    ],
    ids=[
        "six hours",
        "two",
        "half days in a day",
        "four weeks",
        "half years",
        "years",
        "fours",
        "half days",
        "thirteen hours",
        "days",
        "months",
        "quarters",
        "weeks",
        "numbers",
        "no season",
    ],
)
def test_the_calendar_is_the_phase_in_every_cycle_that_a_step_fits_into_twice(
    times: np.ndarray, season: int, expected: list
) -> None:
    found = phases(series_of(np.zeros(len(times)), times, season))
    for column, wanted in enumerate(expected):
        if isinstance(wanted, str):  # the season is this cycle
            wanted = found[:, ["day", "week"].index(wanted)]
        if wanted is None and column == 2 and times.dtype.kind == "M":
            continue  # the year, by its own test
        np.testing.assert_allclose(found[:, column], [NAN] * len(times) if wanted is None else wanted, atol=1e-8)


@pytest.mark.parametrize("step, used", [(182, True), (183, False)])
def test_the_year_is_a_cycle_where_a_step_is_at_most_half_of_it(step: int, used: bool) -> None:
    found = phases(series_of([0, 0, 0], every(step * DAY, 3)))[:, 2]
    np.testing.assert_allclose(found, np.arange(3) * step / 365.25 % 1 if used else [NAN] * 3, atol=1e-8)


def test_a_single_step_has_the_phase_of_its_season_alone() -> None:
    assert np.isnan(phases(series_of([0], days("2020-01-01")))).all()
    np.testing.assert_allclose(phases(series_of([0], np.array([1]), 4))[0], [NAN, NAN, NAN, 0.25])


# --- series ---


def test_the_best_forecast_has_the_level_before_the_origin() -> None:
    process = Process(np.array([[1.0], [2], [3], [4]]), np.array([[10.0], [20], [30], [40]]))
    assert process.best(2, 2).tolist() == [[23], [24]] and process.best(1, 1).tolist() == [[12]]


def test_the_content_of_a_window_is_all_up_to_its_last_step() -> None:
    series = series_of(np.arange(8.0))
    window = Window(series, 2, 3)
    assert window.content() == ("2", "3", series.digests[4]) and window.stratum() is None and len(series) == 8
    changed = replace(series, values=series.values + (np.arange(8) == 5)[:, None])
    assert Window(changed, 2, 3).content() == window.content() != Window(changed, 3, 3).content()
    assert window.past.tolist() == [[0], [1]] and window.future.tolist() == [[2], [3], [4]]
    assert window.future_times == ["2", "3", "4"]
    assert Forecast((0.1, 0.5), np.array([[[1.0, 2]]])).point.tolist() == [[2]]


def test_training_parts_end_with_their_last_windows() -> None:
    one, other = series_of(np.arange(9.0)), series_of(np.arange(9.0), name="b")
    windows = [Window(one, 4, 2), Window(one, 3, 2), Window(other, 1, 2)]
    assert training_parts(windows) == {one: 6, other: 3}


def test_seasonal_steps_are_mean_differences_of_known_values() -> None:
    values = np.array([[1.0, NAN], [2, 1], [4, NAN], [NAN, 1], [10, NAN]])
    np.testing.assert_array_equal(seasonal_step(values, 2), [4.5, 0])
    np.testing.assert_array_equal(seasonal_step(values, 4), [9, NAN])
    np.testing.assert_array_equal(seasonal_step(values, 5), [NAN, NAN])


def test_a_channel_has_two_different_values_in_its_training_part() -> None:
    with pytest.raises(InputError, match=r"constant in column 'c0' in its training part \(every value is 7\)"):
        check_not_constant(series_of([NAN, 7, NAN]), 3)
    series = series_of([[1, 7], [2, NAN], [2, 7], [2, 8]])
    check_not_constant(series, 4)
    with pytest.raises(InputError) as error:
        check_not_constant(series, 3)
    assert str(error.value) == (
        "Series 'a' is constant in column 'c1' in its training part (every value is 7): remove it, as there is nothing "
        "to learn."
    )


# --- scales ---


def known(past: list, **changes: Any) -> Known:
    given = {"last": [[9.0]], "seasonal": [[[5.0], [6.0]]], "training_level": [[100.0]], "training_spread": [[3.0]]}
    return Known(**{name: np.array(value) for name, value in {"past": past, **given, **changes}.items()})


@pytest.mark.parametrize(
    "scaling, expected",
    [
        (StandardScaling(), (100, 3, [100, 100])),
        (WindowScaling(), (4, 2, [4, 4])),
        (LastScaling(), (9, 2, [9, 9])),
        (SeasonScaling(), (4, 2, [5, 6])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_levels_and_spreads_are_those_of_the_scaling(scaling: Scaling, expected: tuple) -> None:
    scale = scaling.scale(known([[[2.0], [6.0], [NAN]]]))
    assert scale.level.tolist() == [[expected[0]]] and scale.spread.tolist() == [[expected[1]]]
    assert scale.reference.tolist() == [[[value] for value in expected[2]]]


@pytest.mark.parametrize(
    "past, level, spread",
    [
        ([[[NAN], [NAN]]], 100, 3),
        ([[[7.0], [7.0]]], 7, 3),
        ([[[7.0], [NAN]]], 7, 3),
        ([[[1e9], [1e9 + 1]]], 1e9 + 0.5, 3),  # a tiny part of the level
        ([[[1e7], [1e7 + 1]]], 1e7 + 0.5, 0.5),
        ([[[-1e9], [-1e9 - 1]]], -1e9 - 0.5, 3),
        ([[[0.0], [0.0]]], 0, 3),
    ],
)
def test_a_window_that_does_not_vary_has_the_spread_of_the_training_part(
    past: list, level: float, spread: float
) -> None:
    scale = WindowScaling().scale(known(past))
    assert scale.level.tolist() == [[level]] and scale.spread.tolist() == [[spread]]


def test_every_window_of_a_batch_has_a_scale_of_its_own() -> None:
    scale = WindowScaling().scale(
        Known(*map(np.array, ([[[NAN], [NAN]], [[2.0], [6.0]]], [[9.0]] * 2, [[[5.0]]] * 2, [[7.0]] * 2, [[3.0]] * 2)))
    )
    assert scale.level.tolist() == [[7], [4]] and scale.spread.tolist() == [[3], [2]]


def test_moments_are_those_of_known_values() -> None:
    values = np.array([[1.0, NAN, 4], [3, NAN, 4], [NAN, NAN, 4]])
    assert moments(values) == ([2, 0, 4], [1, 1, 1])
    assert moments(np.array([[0.0], [6.0]])) == ([3], [3])
    assert moments(np.array([[NAN], [6.0]])) == ([6], [1])


# --- windows in batches ---


@pytest.fixture
def series() -> Series:
    """Two channels of 12 quarters with one covariate; the values of the first are 1 to 12 and one is missing."""
    times = np.datetime64("2000-01", "M") + 3 * np.arange(12)
    values = np.stack([np.arange(1.0, 13), 10 * np.arange(1.0, 13)], axis=1)
    values[5, 0] = NAN
    covariates = np.array([[0.0], [2.0]] * 6)
    covariates[3] = NAN
    return series_of(values, times.astype("datetime64[s]"), 4, covariates=covariates, covariate_names=("k",))


@pytest.fixture
def codec(series: Series) -> ForecastingCodec:
    made = ForecastingCodec(3, StandardScaling(), [0.25, 0.5])
    made.fit([Window(series, origin, 2) for origin in (4, 6)])
    return made


def test_what_is_learned_is_that_of_the_training_part(codec: ForecastingCodec, series: Series) -> None:
    level, spread = codec.scales["a"]
    assert level == pytest.approx([np.mean([1, 2, 3, 4, 5, 7, 8]), 45])
    assert spread == pytest.approx([np.std([1, 2, 3, 4, 5, 7, 8]), np.std(10 * np.arange(1, 9))])
    covariate = np.array([0, 2, 0, 0, 2, 0, 2])
    assert codec.covariate_scale == ([pytest.approx(covariate.mean())], [pytest.approx(covariate.std())])
    assert codec.unknown == (pytest.approx(level), pytest.approx(spread))
    assert codec.layout == (("c0", "c1"), ("k",), 2, 4, Step(3, "M"))
    assert codec.sizes == {"num_inputs": 16, "num_known": 14, "num_channels": 2, "horizon": 2}
    others = [
        replace(series, name=name, values=factor * series.values, season=factor)
        for name, factor in zip("bcd", (2, 9, 3), strict=True)
    ]
    many = ForecastingCodec(3, StandardScaling(), [0.5])
    many.fit([Window(one, 6, 2) for one in others])
    assert many.season == 9 and list(many.scales) == ["b", "c", "d"]
    assert many.unknown == (pytest.approx(3 * np.array(level)), pytest.approx(3 * np.array(spread)))  # medians


def test_a_series_has_its_own_scale_and_an_unknown_one_that_in_the_middle(series: Series) -> None:
    codec = ForecastingCodec(3, StandardScaling(), [0.5])
    others = [
        replace(series, name=name, values=factor * series.values) for name, factor in zip("bc", (1, 3), strict=True)
    ]
    codec.fit([Window(one, 6, 2) for one in others])
    encoded = codec.encode([Window(one, 6, 2) for one in (others[1], others[0], series)])
    (_, level), spread = (np.array(codec.scales[name][0]) for name in "bc"), codec.scales["b"][1]
    assert encoded.levels == pytest.approx(level / 3 * np.array([[3], [1], [2]]))
    assert encoded.spreads == pytest.approx(np.array(spread) * np.array([[3], [1], [2]]))


def test_a_batch_has_scaled_values_of_now_of_the_season_and_of_the_calendar(
    codec: ForecastingCodec, series: Series
) -> None:
    other = replace(series, name="new", values=series.values[:, ::-1].copy())
    examples = [Window(other, 2, 2), Window(series, 8, 2)]
    encoded = codec.encode(examples)
    assert encoded.lengths.tolist() == [2, 3] and len(encoded.embedded) == 2 and not len(encoded.embedded.values)
    assert encoded.origins.tolist() == [2, 20] and encoded.firsts.tolist() == [0, 12] and encoded.num_cut == 0
    batch = encoded.batch(np.array([1, 0]))
    level, spread = map(np.array, codec.scales["a"])
    assert batch.rows.tolist() == [1, 0] and batch.mask.tolist() == [[True] * 3, [True, True, False]]

    def scaled(values: list) -> np.ndarray:
        return (np.array(values, dtype=float) - level) / spread

    tokens = batch.tokens.numpy().astype(float)
    np.testing.assert_allclose(tokens[0, :, :2], np.nan_to_num(scaled([[NAN, 60], [7, 70], [8, 80]])), rtol=1e-5)
    np.testing.assert_allclose(tokens[0, :, 2:4], scaled([[3, 30], [4, 40], [5, 50]]), rtol=1e-5)
    assert tokens[0, :, 4:6].tolist() == [[0, 1], [1, 1], [1, 1]]
    np.testing.assert_allclose(tokens[0, :, 6:14], calendar(series)[5:8], atol=1e-6)
    mean, deviation = codec.covariate_scale[0][0], codec.covariate_scale[1][0]
    np.testing.assert_allclose(tokens[0, :, 14], (np.array([2, 0, 2]) - mean) / deviation, rtol=1e-5)
    assert tokens[0, :, 15].tolist() == [1, 1, 1] and not tokens[1, 2].any()
    np.testing.assert_allclose(tokens[1, :2, :2], scaled([[10, 1], [20, 2]]), rtol=1e-5)
    np.testing.assert_allclose(tokens[1, :2, 2:4], scaled([[10, 1], [20, 2]]), rtol=1e-5)  # before the first season
    np.testing.assert_allclose(batch.targets[0], scaled([[9, 90], [10, 100]]), rtol=1e-5)
    assert batch.target_mask.all() and batch.unscale(batch.targets[..., None])[0, :, :, 0] == pytest.approx(
        np.array([[9, 90], [10, 100]])
    )
    future = batch.future.numpy().astype(float)
    np.testing.assert_allclose(future[0, :, :2], scaled([[5, 50], [2, 60]]), rtol=1e-5)
    np.testing.assert_allclose(future[0, :, 2:4], 0, atol=1e-6)  # the reference is the level
    np.testing.assert_allclose(future[0, :, 4:12], calendar(series)[8:10], atol=1e-6)
    np.testing.assert_allclose(future[1, :, :2], scaled([[20, 2], [20, 2]]), rtol=1e-5)
    np.testing.assert_allclose(batch.last[0], scaled([8, 80]), rtol=1e-5)
    assert batch.future.shape[2] == codec.sizes["num_known"] and batch.tokens.shape[2] == codec.sizes["num_inputs"]
    assert future[1, 1, 12:].tolist() == [0, 0] and future[1, 0, 13] == 1  # the covariate of a step is missing


def test_a_target_that_is_missing_is_zero_and_not_scored(codec: ForecastingCodec, series: Series) -> None:
    batch = codec.encode([Window(series, 4, 2)]).batch(np.array([0]))
    assert batch.target_mask.tolist() == [[[True, True], [False, True]]] and batch.targets[0, 1, 0] == 0


def test_forecasts_are_counted_from_the_last_season(series: Series) -> None:
    codec = ForecastingCodec(3, SeasonScaling(), [0.5])
    codec.fit([Window(series, 6, 2)])
    batch = codec.encode([Window(series, 8, 2)]).batch(np.array([0]))
    assert batch.reference[0].tolist() == [[5, 50], [2, 60]]
    spread = np.std([[60], [70], [80]], axis=0)[0]
    np.testing.assert_allclose(batch.spread[0, 0], [0.5, spread])
    np.testing.assert_allclose(batch.targets[0, :, 1], [40 / spread, 40 / spread], rtol=1e-5)
    np.testing.assert_allclose(batch.future[0, :, 2], (np.array([5, 2]) - 7.5) / 0.5, rtol=1e-5)


def test_seasons_far_ahead_repeat_the_last_one_that_is_known() -> None:
    series = series_of(np.arange(1.0, 13), season=3)
    codec = ForecastingCodec(2, SeasonScaling(), [0.5])
    codec.fit([Window(series, 4, 8)])
    batch = codec.encode([Window(series, 4, 8)]).batch(np.array([0]))
    assert batch.reference[0, :, 0].tolist() == [2, 3, 4, 2, 3, 4, 2, 3]
    assert codec.encode([Window(series, 2, 8)]).batch(np.array([0])).reference[0, :3, 0].tolist() == [2, 1, 2]


def test_changes_are_counted_from_the_last_value() -> None:
    series = series_of([1.0, 2, 4, 8, 16, 32])
    codec = ForecastingCodec(1, LastScaling(), [0.5])
    codec.fit([Window(series, 3, 2)])
    batch = codec.encode([Window(series, 4, 2)]).batch(np.array([0]))
    assert batch.reference[0].tolist() == [[8], [8]] and batch.tokens.shape == (1, 1, codec.sizes["num_inputs"])
    codec = ForecastingCodec(1, SeasonScaling(), [0.5])
    codec.fit([Window(series, 3, 2)])  # without seasons, the last value
    assert codec.encode([Window(series, 4, 2)]).batch(np.array([0])).reference[0].tolist() == [[8], [8]]


def test_forecasts_are_sorted_quantiles(codec: ForecastingCodec) -> None:
    (forecast,) = codec.decode([[[[2, 1], [3, 4]]]])
    assert forecast.levels == (0.25, 0.5) and forecast.quantiles.tolist() == [[[1, 2], [3, 4]]]
    assert forecast.quantiles.dtype == np.float64


def test_what_was_learned_is_saved(codec: ForecastingCodec, series: Series, tmp_path: Path) -> None:
    codec.save(tmp_path)
    other = ForecastingCodec(3, StandardScaling(), [0.5])
    other.load(tmp_path)
    assert other.layout == codec.layout and other.sizes == codec.sizes
    windows = [Window(series, 8, 2), Window(replace(series, name="new"), 8, 2)]
    one, again = (made.encode(windows).batch(np.arange(2)) for made in (codec, other))
    assert torch.equal(one.tokens, again.tokens) and torch.equal(one.future, again.future)


NO_SCALES = "does not contain the scales of the series"
DAMAGES = [
    *(("horizon", value, f" {NO_SCALES}") for value in (0, 100_001, "2", None)),
    *((key, None, f" {NO_SCALES}") for key in ("channels", "covariate_names", "step", "covariate_scale", "unknown")),
    ("channels", [], f" {NO_SCALES}"),
    ("season", "4", f" {NO_SCALES}"),
    ("scales", [], f" {NO_SCALES}"),
    ("channels", ["x"], ": unknown has another number of columns"),
    ("covariate_names", [], ": covariate_scale has another number of columns"),
    ("covariate_scale", [[1, 2], [3, 4]], ": covariate_scale has another number of columns"),
    *(
        ("scales", {"a": pair}, ": unknown has another number of columns")
        for pair in ([[1], [1]], [[1, 2], "x"], [[1, 2], [3]], [[1, 2]], {"b": 1})
    ),
    *(("unknown", pair, ": unknown has another number of columns") for pair in ([[1], [1]], [])),
]


@pytest.mark.parametrize("key, value, message", DAMAGES)
def test_every_part_of_the_saved_scales_is_checked(
    codec: ForecastingCodec, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    codec.save(tmp_path)
    path = tmp_path / "scales.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(InputError) as error:
        codec.load(tmp_path)
    assert str(error.value) == f"{path}{message}: the run folder is damaged."


@pytest.mark.parametrize("horizon", [1, 100_000])
def test_saved_horizons_have_bounds(codec: ForecastingCodec, tmp_path: Path, horizon: int) -> None:
    codec.save(tmp_path)
    path = tmp_path / "scales.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"horizon": horizon}))
    codec.load(tmp_path)
    assert codec.sizes["horizon"] == horizon


def test_scales_that_are_not_there_are_named(codec: ForecastingCodec, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        codec.load(tmp_path)
    path = tmp_path / "scales.json"
    assert str(error.value) == f"{path} is missing or is not JSON: the run folder is damaged."
    for content in ("{", "[" * 100_000):
        path.write_text(content)
        with pytest.raises(InputError, match="is missing or is not JSON"):
            codec.load(tmp_path)


def test_options_of_the_codec_have_bounds(series: Series) -> None:
    with pytest.raises(InputError) as error:
        ForecastingCodec(0, StandardScaling(), [0.5])
    assert str(error.value) == "codec.window=0: must be at least 1."
    for window, refused in ((6, False), (7, True)):
        codec = ForecastingCodec(window, StandardScaling(), [0.5])
        windows = [Window(series, origin, 2) for origin in (4, 6)]
        if not refused:
            codec.fit(windows)
            continue
        with pytest.raises(InputError) as error:
            codec.fit(windows)
        assert str(error.value) == (
            "codec.window=7 is longer than the training series: the longest has 6 steps before its last origin; lower "
            "codec.window, or give longer series."
        )
    assert ForecastingCodec(1, StandardScaling(), [0.5]).window == 1


@pytest.mark.parametrize(
    "levels", [[], [0.1, 0.9], [0.9, 0.5], [0.5, 0.5], [0, 0.5], [0.5, 1], [-0.1, 0.5], [0.5, 1.1], [0.4, 0.5, 0.45]]
)
def test_levels_ascend_between_zero_and_one_around_the_median(levels: list[float]) -> None:
    with pytest.raises(InputError) as error:
        check_quantiles(levels)
    advice = "give ascending levels between 0 and 1 with 0.5 among them, or [0.5]."
    assert str(error.value) == f"codec.quantiles={levels}: {advice}"
    check_quantiles([0.5])
    check_quantiles([0.001, 0.5, 0.999])


# --- windows in lines ---


@pytest.mark.parametrize(
    "times, expected",
    [
        (days("2020-01-31T06", "2020-02-29T06"), (29 * DAY, "s")),
        (days("2020-01-15", "2020-02-15", "2020-04-15", "2020-05-15"), (1, "M")),
        (days("2020-01-01", "2020-07-01", "2021-01-01"), (6, "M")),
        (days("2020-01-01", "2020-01-02", "2020-01-04", "2020-01-05"), (DAY, "s")),
        (days("2021-02-01", "2021-03-01"), (1, "M")),  # 28 days
        (days("2021-02-01", "2021-02-28"), (27 * DAY, "s")),
        (days("2020-01-01"), (1, "s")),
        (np.array([3, 5, 7]), (2, "")),
        (np.array([3]), (1, "")),
    ],
)
def test_the_usual_step_is_in_months_seconds_or_numbers(times: np.ndarray, expected: tuple[int, str]) -> None:
    step = step_of(times)
    assert step == expected and step.saved() == [*expected]


@pytest.mark.parametrize(
    "step, last, expected",
    [
        (Step(2, ""), 5, [7, 9]),
        (Step(90, "s"), "2020-01-01T00:00:30", ["2020-01-01T00:02:00", "2020-01-01T00:03:30"]),
        (Step(3, "M"), "2020-10-15T06:00:00", ["2021-01-15T06:00:00", "2021-04-15T06:00:00"]),
    ],
)
def test_the_next_times_are_whole_steps_ahead(step: Step, last: Any, expected: list) -> None:
    last = np.datetime64(last, "s") if isinstance(last, str) else last
    assert step.after(last, 2).astype(str).tolist() == [str(one) for one in expected]
    assert len(step.after(last, 0)) == 0


def layout(channels: str = "x", covariates: str = "", horizon: int = 2, step: Step = NUMBERED) -> WindowLayout:
    return WindowLayout(tuple(channels), tuple(covariates), horizon, 4, step)


@pytest.mark.parametrize(
    "line, channels, expected",
    [
        ("1, ,2.5", "x", [[1], [NAN], [2.5]]),
        ("  [1, null, 2]  ", "x", [[1], [NAN], [2]]),
        ('{"values": [[1], [2]]}', "x", [[1], [2]]),
        ('{"values": {"x": [1, 2]}}', "x", [[1], [2]]),
        ('{"values": {"y": [3, 4], "x": [1, null], "z": []}}', "xy", [[1, 3], [NAN, 4]]),
        ("[[1, 2], [3, null]]", "xy", [[1, 2], [3, NAN]]),
        ("[1e100, -1e100]", "x", [[1e100], [-1e100]]),
    ],
)
def test_values_are_numbers_rows_or_lists_by_name(line: str, channels: str, expected: list) -> None:
    window = window_of_line(line, layout(channels))
    np.testing.assert_array_equal(window.past, expected)
    assert window.origin == len(expected) and window.horizon == 2 and window.text == line
    assert window.series.channels == tuple(channels) and window.series.season == 4 and window.series.name == "series"
    assert window.series.times.tolist() == list(range(len(expected) + 2)) and np.isnan(window.future).all()
    assert window.series.covariates.shape == (len(expected) + 2, 0) and window.series.covariates.dtype == float


def test_a_window_has_a_name_times_and_covariates_of_its_own() -> None:
    content = {"values": [1, 2], "times": ["2020-01", "2020-02"], "series": 7, "covariates": [1, None, 3]}
    window = window_of_line(json.dumps(content), layout(covariates="k", horizon=1, step=Step(1, "M")))
    assert window.series.name == "7" and time_texts(window.series.times) == ["2020-01-01", "2020-02-01", "2020-03-01"]
    np.testing.assert_array_equal(window.series.covariates[:, 0], [1, NAN, 3])
    assert window.series.covariate_names == ("k",) and window.future_times == ["2020-03-01"]
    numbered = window_of_line('{"values": [1, 2], "times": [5, 8, 9]}', layout(step=Step(3, "")))
    assert numbered.series.times.tolist() == [5, 8, 11, 14]
    assert window_of_line("1,2", layout(step=Step(3, ""))).series.times.tolist() == [0, 3, 6, 9]
    plain = window_of(layout(), np.array([4]), np.array([[1.0]]), np.zeros((3, 0)))
    assert (plain.series.name, plain.text, plain.origin) == ("series", "", 1)


DATES = "this model was trained on dates such as 2024-01-31."
NUMBERS = "this model was trained on whole numbers."


@pytest.mark.parametrize(
    "line, form, message",
    [
        ("1,x y", {}, "'x y' is not a number: write numbers between commas, or a JSON object with 'values'."),
        ("inf", {}, "inf in 'values' is not a number: write null where a value is missing."),
        ("[true]", {}, "True in 'values' is not a number: write null where a value is missing."),
        ('["1"]', {}, "'1' in 'values' is not a number: write null where a value is missing."),
        ("[1.1e100]", {}, "1.1e+100 in 'values' is not a number: write null where a value is missing."),
        (
            "{",
            {},
            "not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)): write an object "
            "with 'values', or numbers between commas.",
        ),
        ("[" * 100_000, {}, "not JSON (maximum recursion depth exceeded"),
        ('{"b": 1, "a": 2}', {}, "'a' is not known: a window has times, values, covariates and series."),
        ("{}", {}, "'values' is missing, empty or too long: give values as a list of numbers."),
        ("[]", {}, "'values' is missing, empty or too long: give values as a list of numbers."),
        ("[[1, 2]]", {}, "a step in 'values' does not have 1 numbers: give values as a list of numbers."),
        (
            "1",
            {"channels": "xy"},
            "a step in 'values' does not have 2 numbers: give values as a list of rows with x, y.",
        ),
        ('{"values": {"x": [1]}}', {"channels": "xy"}, "'values' has no 'y': give values as a list of rows with x, y."),
        (
            '{"values": {"x": [1], "y": 2}}',
            {"channels": "xy"},
            "the lists in 'values' have different lengths: give values as a list of rows with x, y.",
        ),
        ("[null]", {}, "a window needs at least one known value in 'values'."),
        ("1", {"covariates": "k"}, "'covariates' is missing, empty or too long: give covariates as a list of numbers."),
        (
            '{"values": [1], "covariates": [1, 2]}',
            {"covariates": "k"},
            "'covariates' has 2 steps: give 3, those of the 1 values and of the 2 steps to forecast.",
        ),
        (
            "1,2",
            {"step": Step(1, "s")},
            "'times' must have the time of each of the 2 values, as this model knows the calend",
        ),
        (
            '{"values": [1, 2], "times": [1]}',
            {},
            "'times' must have the time of each of the 2 values, as this model kno",
        ),
        ('{"values": [1], "times": 3}', {}, "'times' must have the time of each of the 1 values, as this model knows"),
        ('{"values": [1], "times": [3]}', {"step": Step(1, "s")}, f"3 in 'times' is not a time: {DATES}"),
        ('{"values": [1], "times": ["2020-01"]}', {}, f"'2020-01' in 'times' is not a time: {NUMBERS}"),
        ('{"values": [1], "times": ["x"]}', {}, f"'x' in 'times' is not a time: {NUMBERS}"),
        ('{"values": [1], "times": [null]}', {"step": Step(1, "M")}, f"None in 'times' is not a time: {DATES}"),
        (
            '{"values": [1, 2], "times": [1, 1]}',
            {},
            "times[1]: the time 1 of series 'window' is repeated (first: times[0])",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_lines_that_are_no_windows_say_what_is_wrong(line: str, form: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        window_of_line(line, layout(**form))
    assert str(error.value).startswith(message) and (message[-1] != "." or str(error.value) == message)


def test_a_window_has_at_most_a_million_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.windows.LONGEST", 2)
    assert len(window_of_line("1,2", layout()).past) == 2
    with pytest.raises(InputError, match=r"^'values' is missing, empty or too long"):
        window_of_line("1,2,3", layout())


@pytest.mark.parametrize(
    "form, expected",
    [
        ({}, "Numbers between commas."),
        ({"channels": "xy"}, 'JSON such as {"values": [[0.5, 1.5], ...]}.'),
        (
            {"step": Step(1, "M")},
            'JSON such as {"times": ["2024-01-01", "2024-02-01", ...], "values": [1.5, ...]}.',
        ),
        (
            {"covariates": "kl", "horizon": 3, "step": Step(HOUR, "s")},
            'JSON such as {"times": ["2024-01-01T00:00:00", "2024-01-01T01:00:00", ...], "values": [1.5, ...], '
            '"covariates": {"k": [...], "l": [...]}}. Covariates are also those of the 3 steps to forecast.',
        ),
    ],
)
def test_the_form_of_a_line_shows_what_the_model_reads(form: dict, expected: str) -> None:
    assert form_of_line(layout(**form)) == expected
