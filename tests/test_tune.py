"""Searches: trials grouped and summarised, what explains them, and the final runs of the best."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra.types import RunMode
from rich.console import Console

from analysis import tune, verify
from analysis.compare import main as compare
from analysis.importance import importance, importance_of_search, middles
from analysis.records import find_records
from analysis.search_tables import show_searches, tables
from analysis.trials import Search, as_csv, expected_best, expected_curve, searches, summary
from training.load import load_config
from training.trials import Dimension

SPACE = {
    "rate": {"keys": ["optimizer.lr"], "log": [0.001, 0.1]},
    "start": {"keys": ["recurrent_weights"], "choice": [None, "orthogonal"]},
}
TARGETS = {"lstm": "models.cells.lstm.LSTMCell", "gru": "models.cells.gru.GRUCell"}


def write_trial(root: Path, cell: str, number: int, score: float | None, seed: int = 1) -> Path:
    """A run folder of a trial; without a score, one that diverged."""
    folder = root / f"{cell}-{number}-seed{seed}"
    folder.mkdir(parents=True)
    rate, start = round(0.001 * 100 ** ((number + 0.5) / 12), 6), [None, "orthogonal"][number % 2]
    values = {"rate": rate, "start": start}
    config = {
        "task": "sentiment", "metric": "accuracy", "seed": seed, "trial": number, "optimizer": {"lr": rate},
        "recurrent_weights": start, "data": {"name": "d"}, "model": {"encoder": {"cell": {"_target_": TARGETS[cell]}}},
        "search": {"seed": 0, "group": f"group-{cell}", "space": SPACE},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    content = {
        "schema": 1, "status": "ok" if score is not None else "diverged", "task": "sentiment", "cell": cell,
        "experiment": None, "config_id": f"{cell}{number}", "seed": seed, "parameters": 10,
        "trial": {"number": number, "group": f"group-{cell}", "values": values},
        "data": {"name": "d", "sha256": {"train": "a", "validation": "b"}, "sizes": {"train": 9, "validation": 100}},
        "environment": {"threads": 2},
        "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:15:00+00:00",
    }  # fmt: skip
    if score is None:
        content["reason"] = "The loss became NaN."
    else:
        content["metrics"] = {"validation": {"accuracy": score / 100}}
        content["selection"] = {"metric": "accuracy", "epoch": 1, "score": score / 100}
        content["training"] = {"seconds": 600.0, "steps": 50, "kernel": "ATen", "precision": "fp32"}
    (folder / "result.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Twelve trials of two cells: the GRU is good at one rate only, and diverges at the highest."""
    for number in range(12):
        write_trial(tmp_path / "sweep", "lstm", number, 80 + number)
        write_trial(tmp_path / "sweep", "gru", number, None if number == 11 else 95 if number == 4 else 70)
    return tmp_path / "sweep"


def only(folder: Path) -> Search:
    (found,) = searches(find_records([folder]).records)
    return found


def test_trials_are_grouped_ranked_and_costed(sweep: Path) -> None:
    found = only(sweep)
    gru, lstm = (summary(group) for group in found.groups)
    assert (gru["name"], lstm["name"]) == ("gru", "lstm")
    assert (gru["best"], gru["best_trial"], gru["near_best"]) == (pytest.approx(95), 4, 1)
    assert (lstm["best"], lstm["best_trial"], lstm["near_best"]) == (pytest.approx(91), 11, 3)
    assert gru["values"] == {"rate": pytest.approx(0.005623), "start": None}
    assert lstm["core_hours"] == pytest.approx(12 * 0.25 * 2) and lstm["runs"] == 12


def test_a_failed_trial_counts_as_the_worst_and_is_shown(sweep: Path) -> None:
    found = only(sweep)
    gru = found.groups[0]
    assert gru.failed == [11] and gru.scores[11] == pytest.approx(70) and len(gru.scores) == 12
    (note,) = found.notes
    assert note.startswith("gru, trial 11, seed 1: diverged, counts as 70.00, the worst score of the search.")
    assert "The loss became NaN." in note


def test_a_group_of_failures_alone_is_kept(tmp_path: Path) -> None:
    for number in range(2):
        write_trial(tmp_path, "lstm", number, 80)
        write_trial(tmp_path, "gru", number, None)
    lstm, gru = only(tmp_path).groups
    assert lstm.best == 0 and gru.best is None and list(gru.scores.values()) == pytest.approx([80, 80])


def test_unequal_budgets_are_reported(sweep: Path) -> None:
    write_trial(sweep, "lstm", 12, 85)
    assert only(sweep).notes[0] == "gru lacks trials 12, which other groups have: the budgets are not equal."


def test_a_trial_of_several_seeds_has_the_mean(tmp_path: Path) -> None:
    for seed, score in ((1, 80), (2, 90)):
        write_trial(tmp_path, "lstm", 0, score, seed)
    write_trial(tmp_path, "lstm", 1, 88)
    write_trial(tmp_path, "lstm", 1, None, seed=2)
    (group,) = only(tmp_path).groups
    assert group.finished == {0: pytest.approx(85)} and group.failed == [1] and len(group.records) == 4


def test_the_expected_best_is_that_of_drawing_trials(sweep: Path) -> None:
    scores = np.array([50.0, 60, 60, 90])
    drawn = np.random.default_rng(0).choice(scores, size=(200_000, 3)).max(axis=1)
    expected, deviation = expected_best(scores.tolist(), 3)
    assert expected == pytest.approx(drawn.mean(), abs=0.1) and deviation == pytest.approx(drawn.std(), abs=0.1)
    assert expected_best(scores.tolist(), 1)[0] == pytest.approx(scores.mean())
    curve = [mean for mean, _ in expected_curve(only(sweep).groups[0])]
    assert len(curve) == 12 and curve == sorted(curve) and curve[-1] < 95


def test_the_hyperparameter_that_matters_explains_the_variance() -> None:
    generator = np.random.default_rng(0)
    points = generator.random((60, 3))
    scores = (10 * np.square(points[:, 1] - 0.5) + 0.01 * points[:, 0]).tolist()
    same = [lambda positions: positions] * 3
    found = importance(["a", "b", "c"], same, points.tolist(), scores)
    assert found is not None and found.explained > 0.8
    assert found.alone["b"] > 0.9 and max(found.alone["a"], found.alone["c"]) < 0.05
    assert importance(["a", "b", "c"], same, points[:7].tolist(), scores[:7]) is None
    assert importance(["a", "b", "c"], same, points.tolist(), [1.0] * 60) is None


def test_interactions_are_in_the_total_only() -> None:
    points = np.random.default_rng(0).random((200, 2))
    sides = np.sign(points - 0.5)
    found = importance(["a", "b"], [middles(2)] * 2, (sides / 4 + 0.5).tolist(), (sides[:, 0] * sides[:, 1]).tolist())
    assert found is not None
    assert max(found.alone.values()) < 0.1 and min(found.total.values()) > 0.9


def test_which_group_is_one_of_the_hyperparameters(tmp_path: Path) -> None:
    for number in range(12):
        write_trial(tmp_path, "lstm", number, 90 + 0.01 * number)
        write_trial(tmp_path, "gru", number, 60 + 0.01 * number)
    found = importance_of_search(only(tmp_path))
    assert found is not None and found.alone["group"] > 0.9 and found.count == 24


def test_all_trials_are_in_the_csv(sweep: Path) -> None:
    rows = list(csv.DictReader(as_csv([only(sweep)]).splitlines()))
    assert len(rows) == 24 and {row["group"] for row in rows} == {"gru", "lstm"}
    failed = [row for row in rows if row["status"] == "diverged"]
    assert len(failed) == 1 and failed[0]["validation"] == "" and float(failed[0]["rate"]) > 0.06


def test_compare_shows_searches_beside_runs(sweep: Path, capsys: pytest.CaptureFixture) -> None:
    files = {form: sweep.parent / f"page.{form}" for form in ("html", "json", "markdown", "trials")}
    compare([str(sweep), *(part for form, path in files.items() for part in (f"--{form}", str(path)))])
    shown = capsys.readouterr().out
    page = files["html"].read_text()
    (figure,) = {
        *re.findall(r'aria-label="(Validation accuracy in percent of every trial by rate, start\.[^"]*)"', page)
    }
    assert "The best trials: gru 95.00 with rate 0.005623, start null; lstm 91.00 with rate 0.0825" in figure
    for words in (
        "d: 9 training, 100 validation examples<br>",
        "best of n trials",
        "95.00 (trial 4)",
        "within 2 points",
        "1 of 12",
        "core hours",
    ):
        assert words in page
    assert "trial 11, seed 1: diverged" in page and page.count("<svg") == 4 and "trial 11, seed 1: diverged" in shown
    content = json.loads(files["json"].read_text())
    assert [group["best_trial"] for group in content["searches"][0]["groups"]] == [4, 11]
    assert content["searches"][0]["importances"]["lstm"]["alone"]["rate"] > 0.5
    assert "| gru | 12 (1 failed) | 95.00 (trial 4) |" in (markdown := files["markdown"].read_text())
    assert "| group | best of 1 | best of 2 | best of 4 | best of 8 | best of 12 |" in markdown
    assert len(files["trials"].read_text().splitlines()) == 25
    with pytest.raises(SystemExit):
        compare([str(sweep), "--csv", str(sweep / "none.csv")])


def test_every_table_has_equal_rows(sweep: Path) -> None:
    for rows in tables(only(sweep)):
        assert len({tuple(row) for row in rows}) == 1
    show_searches([only(sweep)], Console(width=80, quiet=True))


def test_the_position_of_every_drawn_value_is_known(sweep: Path) -> None:
    for group in only(sweep).groups:
        for one in group.dimensions:
            assert isinstance(one, Dimension)
            assert all(0 <= one.position(group.values(number)[one.name]) <= 1 for number in group.scores)


def test_the_best_trials_are_trained_with_fresh_seeds(
    launch: Callable, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report_figures.svg", lambda *drawn: "")  # other tests draw

    def trial(cell: str, number: int, *options: str) -> Path:
        given = [*files, "trainer.max_epochs=1", f"cell={cell}", f"trial={number}", *options]
        return launch("sentiment", *given, mode=RunMode.MULTIRUN, folder=f"sweep/{cell}{number}")

    folders = {(cell, number): trial(cell, number) for cell, number in (("rnn", 0), ("rnn", 1), ("gru", 0))}
    command = [str(tmp_path / "sweep"), "--seeds", "1"]
    tune.main([*command, "--list"])
    assert capsys.readouterr().out.count("to run") == 2 and not (tmp_path / "sweep" / "best").exists()
    tune.main(command)
    finals = {path.name: json.loads((path / "result.json").read_text()) for path in (tmp_path / "sweep/best").iterdir()}
    assert sorted(name.split("-")[0] for name in finals) == ["gru", "rnn"]
    assert {content["seed"] for content in finals.values()} == {2}
    for content in finals.values():
        chosen = json.loads((folders[content["cell"], content["tuned"]["trial"]] / "result.json").read_text())
        assert "test" in content["metrics"] and "trial" not in content
        assert content["config_id"] == chosen["config_id"] and content["tuned"]["trials"] in (1, 2)
    before = {path: path.read_bytes() for path in (tmp_path / "sweep/best").rglob("result.json")}
    assert (tmp_path / "sweep" / "tuned.html").is_file() and (tmp_path / "sweep" / "trials.csv").is_file()
    tune.main(command)
    assert {path: path.read_bytes() for path in before} == before


def test_a_tuned_row_is_verified_by_its_own_config(
    launch: Callable, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    table = tmp_path / "results" / "sentiment" / "language"
    table.mkdir(parents=True)
    options = ["experiment=sentiment/language", *files, "optimizer.lr=0.01", "trainer.max_epochs=1"]
    folder = launch("sentiment", *options, "threads=1")
    content = json.loads((folder / "result.json").read_text()) | {"tuned": {"trial": 3}}
    (table / "lstm-seed1.json").write_text(json.dumps(content))
    command = ["experiment=sentiment/language", "--results", str(tmp_path / "results"), "--into", str(tmp_path / "new")]
    with pytest.raises(SystemExit):
        verify.main(command)
    assert "has no config beside it" in capsys.readouterr().err
    shutil.copy(folder / "config.yaml", table / "lstm.yaml")
    verify.main(command)
    assert "passes  language lstm, seed 1" in capsys.readouterr().out
    assert load_config(next((tmp_path / "new").rglob("config.yaml")).parent).optimizer.lr == 0.01


def test_without_trials_there_is_nothing_to_tune(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        tune.main([str(tmp_path)])
    assert ended.value.code == 2 and "has no trials" in capsys.readouterr().err
