"""Repeating runs, checking scores against recorded ones, and recording results."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import SMALL

from analysis import record, reproduce, verify


def exit_code(main: Callable[[list[str]], None], *arguments: str) -> int:
    try:
        main(list(arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_run_is_reproduced_bit_for_bit(launch: Callable, files: list[str], tmp_path: Path, capsys) -> None:
    folder = launch("sentiment", *files, "threads=1")
    assert exit_code(reproduce.main, str(folder), "--into", str(tmp_path / "again")) == 0
    assert "All scores are equal, bit for bit." in capsys.readouterr().out
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    change(folder / "result.json", metrics={"test": {"accuracy": 0.123}}, parameters=7)
    assert exit_code(reproduce.main, str(folder), "--into", str(tmp_path / "third")) == 1
    shown = capsys.readouterr().out
    assert (
        "circumstances differ: parameters: 7 before" in shown and "scores differ: metrics.test.accuracy: 0.123" in shown
    )


def test_what_was_not_recorded_then_is_no_difference() -> None:
    before = {"metrics": {"test": {"bleu": 1.0, "chrf": 2.0, "ter": 3.0}}, "seed": 1}
    after = {"metrics": {"test": {"bleu": 1.0, "chrf": 2.5, "length_ratio": 1.0}}, "seed": 2}
    found = list(reproduce.differences(before, after, ("metrics",)))
    assert found == ["metrics.test.chrf: 2.0 before, 2.5 now", "metrics.test.ter: 3.0 before, None now"]


def test_an_unfinished_run_cannot_be_reproduced(launch: Callable, files: list[str], tmp_path: Path, capsys) -> None:
    assert exit_code(reproduce.main, str(tmp_path)) == 2 and "is not a run folder" in capsys.readouterr().err
    folder = launch("sentiment", *files)
    change(folder / "result.json", status="failed")
    assert exit_code(reproduce.main, str(folder)) == 2 and "ended as failed" in capsys.readouterr().err


@pytest.fixture
def results(launch: Callable, files: list[str], tmp_path: Path) -> Path:
    """Three recorded seeds of an experiment on small data."""
    table = tmp_path / "results" / "sentiment" / "language"
    table.mkdir(parents=True)
    for seed in (1, 2, 3):
        folder = launch("sentiment", "experiment=sentiment/language", *files, f"seed={seed}", folder=f"run{seed}")
        shutil.copy(folder / "result.json", table / f"lstm-seed{seed}.json")
    return tmp_path / "results"


def test_an_experiment_is_verified_against_its_recorded_seed(
    results: Path, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--results", str(results), *SMALL, *files]
    assert exit_code(verify.main, "experiment=sentiment/language", *options, "--into", str(tmp_path / "one")) == 0
    assert "passes  language lstm, seed 1: test accuracy" in capsys.readouterr().out
    assert exit_code(verify.main, "--all", *options, "--into", str(tmp_path / "all")) == 0
    other = ["--results", str(results), *SMALL, *files, "optimizer.lr=0.1"]
    assert exit_code(verify.main, "--all", *other, "--into", str(tmp_path / "other")) == 2
    assert "the experiment has changed" in capsys.readouterr().err


def test_a_recorded_seed_is_held_to_its_own_score(
    results: Path, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One recorded seed is enough, the tolerance is small on the same machine, and otherwise reported with a reason."""
    table = results / "sentiment" / "language"
    for seed in (2, 3):
        (table / f"lstm-seed{seed}.json").unlink()
    options = ["--all", "--results", str(results), *SMALL, *files]
    assert exit_code(verify.main, *options, "--into", str(tmp_path / "same")) == 0
    assert "tolerance 0.10 (same machine and precision)" in capsys.readouterr().out
    content = json.loads((table / "lstm-seed1.json").read_text())
    for moved, cpu, expected in ((0.005, None, 1), (0.005, "another", 0), (0.02, "another", 1)):
        shifted = content["metrics"]["test"]["accuracy"]
        metrics = {"test": {"accuracy": shifted - moved}, "validation": content["metrics"]["validation"]}
        environment = content["environment"] | ({"cpu": cpu} if cpu else {})
        change(table / "lstm-seed1.json", metrics=metrics, environment=environment)
        run = tmp_path / "same" / "sentiment" / "language"
        (folder,) = run.iterdir()
        assert exit_code(verify.main, f"run={folder}", "--results", str(results)) == expected
        assert ("another cpu" in capsys.readouterr().out) is (cpu is not None)


def test_threads_are_those_of_the_record(launch: Callable, files: list[str], tmp_path: Path) -> None:
    folder = launch("sentiment", *files, "threads=1")
    content = json.loads((folder / "result.json").read_text())
    change(folder / "result.json", environment=content["environment"] | {"threads": 2})
    reproduce.reproduce(folder, tmp_path / "again")
    assert json.loads((tmp_path / "again" / "result.json").read_text())["environment"]["threads"] == 2
    torch.set_num_threads(1)


def test_record_keeps_results_with_their_configs(launch: Callable, files: list[str], tmp_path: Path, capsys) -> None:
    folder = launch("sentiment", *files, f"data_cache={tmp_path / 'cache'}")
    content = json.loads((folder / "result.json").read_text())
    change(folder / "result.json", environment=content["environment"] | {"dirty": False})
    kept = tmp_path / "kept"
    arguments = ["sentiment/mine", str(folder), "--results", str(kept), "--row", "small"]
    record.main(arguments)
    recorded = json.loads((kept / "sentiment" / "mine" / "small-seed1.json").read_text())
    assert recorded["seed"] == 1
    assert f"data.train={files[3].partition('=')[2]}" in content["overrides"] and "overrides" not in recorded  # paths
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["data"] |= {"train": None, "validation": None, "test": None}  # paths, absolute ones
    config["data_cache"] = None
    assert yaml.safe_load((kept / "sentiment" / "mine" / "small.yaml").read_text()) == config
    (group,) = verify.recorded_groups(kept)
    assert group.first_record.config["seed"] == 1 and group.first_record.experiment == "sentiment/mine"


@pytest.mark.parametrize("dirty", [True, None])
def test_record_refuses_uncommitted_code(launch: Callable, files: list[str], tmp_path: Path, capsys, dirty) -> None:
    folder = launch("sentiment", *files)
    content = json.loads((folder / "result.json").read_text())
    change(folder / "result.json", environment=content["environment"] | {"dirty": dirty})
    assert exit_code(record.main, "sentiment/mine", str(folder), "--results", str(tmp_path / "kept")) == 2
    assert "in no commit" in capsys.readouterr().err and not (tmp_path / "kept").exists()
    change(folder / "result.json", status="failed", reason="No such file.")
    assert exit_code(record.main, "sentiment/mine", str(folder), "--results", str(tmp_path / "kept")) == 2
    assert "no finished run" in capsys.readouterr().err


def test_recorded_results_are_of_committed_code() -> None:
    paths = list(verify.RESULTS.rglob("*-seed*.json"))
    dirty = [path for path in paths if json.loads(path.read_text())["environment"]["dirty"] is not False]
    assert paths and dirty == []


def test_every_data_set_is_found_under_its_name(tmp_path: Path, results: Path, capsys) -> None:
    (tmp_path / "sst2_phrases").mkdir()
    here = [f"data.path={tmp_path}"]
    path = verify.config("sentiment/sst2_phrases", "sentiment", "lstm", 1, here).data.path
    assert path == str(tmp_path / "sst2_phrases")
    assert verify.config("sentiment/imdb", "sentiment", "lstm", 1, here).data.path == str(tmp_path)
    assert "path" not in verify.config("sentiment/language", "sentiment", "lstm", 1, here).data
    options = ["experiment=sentiment/language", "model.no=1", "--results", str(results)]
    assert exit_code(verify.main, *options) == 2 and "model.no" in capsys.readouterr().err


def test_a_new_seed_is_verified_against_the_prediction_interval(results: Path, tmp_path: Path, capsys) -> None:
    run = tmp_path / "run1"
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 0
    change(run / "result.json", seed=9)
    exit_code(verify.main, f"run={run}", "--results", str(results))
    shown = capsys.readouterr().out
    assert "new seed, 99% prediction interval of 3 recorded seeds" in shown
    low, high = map(float, re.findall(r"accepted (\S+) to (\S+):", shown)[-1])
    assert 0 <= low <= high <= 100
    change(run / "result.json", metrics={"validation": {"accuracy": 1.0}, "test": {"accuracy": -7.0}})
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 1
    assert "FAILS   language lstm, seed 9: test accuracy -700.00" in capsys.readouterr().out
    for seed in (2, 3):
        (results / "sentiment" / "language" / f"lstm-seed{seed}.json").unlink()
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 2
    assert "one recorded seed gives no range" in capsys.readouterr().err
    change(run / "result.json", config_id="another")
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 2
    assert "No result is recorded of config another" in capsys.readouterr().err


def test_nothing_to_verify_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(verify.main) == 2 and "Verify what?" in capsys.readouterr().err
    assert exit_code(verify.main, "--all", "--results", str(tmp_path)) == 2
