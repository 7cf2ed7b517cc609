"""Running again what was run, and holding scores against those recorded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL

from analysis import reproduce, verify


def exit_code(main: Callable[[list[str]], None], *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_run_is_reproduced_to_the_bit(launch: Callable, files: list[str], tmp_path: Path, capsys) -> None:
    folder = launch("sentiment", *files, "threads=1")
    assert exit_code(reproduce.main, str(folder), "--into", str(tmp_path / "again")) == 0
    assert "All scores are the same, to the bit." in capsys.readouterr().out
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    change(folder / "result.json", metrics={"test": {"accuracy": 0.123}}, parameters=7)
    assert exit_code(reproduce.main, str(folder), "--into", str(tmp_path / "third")) == 1
    said = capsys.readouterr().out
    assert "circumstances differ: parameters: 7 then" in said and "scores differ: metrics.test.accuracy: 0.123" in said


def test_what_cannot_be_reproduced_is_told(launch: Callable, files: list[str], tmp_path: Path, capsys) -> None:
    assert exit_code(reproduce.main, str(tmp_path)) == 2 and "is no run folder" in capsys.readouterr().err
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


def test_an_experiment_is_verified_against_its_range(
    results: Path, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["--results", str(results), *SMALL, *files]
    assert exit_code(verify.main, "experiment=sentiment/language", *said, "--into", str(tmp_path / "one")) == 0
    assert "passes  language lstm, seed 1: test accuracy" in capsys.readouterr().out
    assert exit_code(verify.main, "--all", *said, "--into", str(tmp_path / "all")) == 0
    other = ["--results", str(results), *SMALL, *files, "optimizer.lr=0.1"]
    assert exit_code(verify.main, "--all", *other, "--into", str(tmp_path / "other")) == 2
    assert "the experiment is another one now" in capsys.readouterr().err


def test_a_row_of_one_seed_is_left_out(results: Path, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (2, 3):
        (results / "sentiment" / "language" / f"lstm-seed{seed}.json").unlink()
    assert exit_code(verify.main, "--all", "--results", str(results), *SMALL, *files) == 2
    said = capsys.readouterr()
    assert "left out sentiment/language lstm" in said.out and "no range to check against" in said.err


def test_every_data_set_is_found_under_its_name(tmp_path: Path, results: Path, capsys) -> None:
    (tmp_path / "sst2_phrases").mkdir()
    here = [f"data.path={tmp_path}"]
    path = verify.config("sentiment/sst2_phrases", "sentiment", "lstm", 1, here).data.path
    assert path == str(tmp_path / "sst2_phrases")
    assert verify.config("sentiment/imdb", "sentiment", "lstm", 1, here).data.path == str(tmp_path)
    assert "path" not in verify.config("sentiment/language", "sentiment", "lstm", 1, here).data
    options = ["experiment=sentiment/language", "model.no=1", "--results", str(results)]
    assert exit_code(verify.main, *options) == 2 and "model.no" in capsys.readouterr().err


def test_a_run_is_verified_against_its_range(results: Path, tmp_path: Path, capsys) -> None:
    run = tmp_path / "run1"
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 0
    change(run / "result.json", metrics={"validation": {"accuracy": 1.0}, "test": {"accuracy": -7.0}})
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 1
    assert "FAILS   language lstm, seed 1: test accuracy -700.00" in capsys.readouterr().out
    change(run / "result.json", config_id="another")
    assert exit_code(verify.main, f"run={run}", "--results", str(results)) == 2
    assert "No result is recorded of config another" in capsys.readouterr().err


def test_nothing_to_verify_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(verify.main) == 2 and "Verify what?" in capsys.readouterr().err
    assert exit_code(verify.main, "--all", "--results", str(tmp_path)) == 2
