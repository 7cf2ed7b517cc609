"""Forecasting: windows and their split by time, scaling, scores, baselines, runs of every shape, and prediction."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import CONF, assert_learns, compose_config, options
from omegaconf import OmegaConf
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
from data.series import Forecast, Series, Window, training_parts
from data.sources.series import FileSeries
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
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
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
