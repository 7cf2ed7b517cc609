"""The console command: its help, dispatch and messages; the list of experiments; the live table of a sweep."""

import json
import os
import subprocess
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, options
from rich.console import Console

from analysis import __main__ as command
from analysis import experiments, watch

TASKS = sorted(path.parent.name for path in ROOT.glob("tasks/*/__main__.py"))


def test_help_names_every_command_without_importing_torch() -> None:
    code = (
        "import sys; from analysis.__main__ import main; main(['-h']); assert not {'torch', 'hydra'} & {*sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in (*TASKS, *command.ANALYSES):
        assert f"\n  {name} " in done.stdout


def test_the_project_installs_the_command() -> None:
    module, _, function = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"][
        "rnnbench"
    ].partition(":")
    assert getattr(import_module(module), function) is command.main


@pytest.mark.parametrize("name", command.ANALYSES)
def test_every_analysis_is_a_module_with_a_summary(name: str) -> None:
    assert command.resolve(name) == f"analysis.{name}" and command.summary(f"analysis.{name}")


@pytest.mark.parametrize(("misspelt", "nearest"), [("compair", "compare"), ("sentimnet", "sentiment")])
def test_a_misspelt_command_gets_the_nearest_name(misspelt: str, nearest: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([misspelt])
    assert ended.value.code == 2 and f"Did you mean {nearest}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "module", "rest"),
    [
        (["sentiment", "cell=gru", "-m"], "tasks.sentiment", ["cell=gru", "-m"]),
        (["tagging", "predict", "run=DIR"], "tasks.tagging.predict", ["run=DIR"]),
        (["compare", "predict"], "analysis.compare", ["predict"]),
    ],
)
def test_arguments_are_passed_on(arguments: list[str], module: str, rest: list[str], monkeypatch) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(sys, "argv", ["rnnbench"])
    monkeypatch.setattr(command.runpy, "run_module", lambda name, **_: started.append((name, sys.argv[1:])))
    command.main(arguments)
    assert started == [(module, rest)]


@pytest.mark.parametrize("task", sorted(path.name for path in (ROOT / "conf" / "experiment").iterdir()))
def test_all_experiments_are_listed_with_their_records(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    experiments.main([task])
    shown = capsys.readouterr().out
    for name in options(f"experiment/{task}"):
        assert f"{task}/{name} " in shown
    several = any((ROOT / "analysis" / "results" / task).rglob("*-seed2.json"))
    assert ("±" in shown) == several and "experiment" in shown.splitlines()[0]


def test_experiments_of_no_task_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        experiments.main(["sentimnt"])
    assert ended.value.code == 2 and "sentiment, tagging, translation" in capsys.readouterr().err


def write_job(folder: Path, seed: int, epochs: int, status: str | None = None, **content: object) -> Path:
    folder.mkdir(parents=True)
    model = {"encoder": {"cell": {"_target_": "models.cells.gru.GRUCell"}}}
    config = {"task": "sentiment", "metric": "accuracy", "seed": seed, "data": {}, "model": model}
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"trainer": {"max_epochs": 4}}))
    rows = [{"epoch": e, "seconds": 10.0, "validation": {"accuracy": 0.5 + e / 10}} for e in range(1, epochs + 1)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if status:
        result = {"schema": 1, "status": status, "task": "sentiment", "cell": "gru", "config_id": "x", "seed": seed}
        (folder / "result.json").write_text(json.dumps(result | content))
    return folder


@pytest.fixture
def running_sweep(tmp_path: Path) -> Path:
    """One job done, one running, one stalled, one failed, and two that have not started."""
    scores = {"metrics": {"validation": {"accuracy": 0.9}}, "selection": {"metric": "accuracy"}}
    write_job(tmp_path / "a", 1, 4, "ok", training={"seconds": 60.0}, **scores)
    write_job(tmp_path / "b", 2, 1)
    stalled = write_job(tmp_path / "c", 3, 2)
    for path in (*stalled.iterdir(), stalled):
        os.utime(path, (time.time() - 3000,) * 2)
    write_job(tmp_path / "d", 4, 0, "diverged", reason="The loss is NaN in step 3.")
    overrides = {"hydra": {"overrides": {"task": ["cell=gru", "seed=1,2,3", "optimizer.lr=0.1,0.2"]}}}
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump(overrides))
    return tmp_path


def test_a_running_sweep_is_shown(running_sweep: Path) -> None:
    jobs, planned = watch.read_jobs(running_sweep, time.time()), watch.count_planned(running_sweep)
    found = {job.name.partition(" [")[0]: job for job in jobs}
    assert {name: job.state for name, job in found.items()} == {
        "gru, seed 1": "done", "gru, seed 2": "running", "gru, seed 3": "stalled", "gru, seed 4": "failed"
    }  # fmt: skip
    assert found["gru, seed 1"].score == pytest.approx(90) and found["gru, seed 2"].score == pytest.approx(60)
    assert found["gru, seed 2"].seconds_left == pytest.approx(30) and found["gru, seed 3"].seconds_left is None
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(watch.render(jobs, planned))
    text = console.export_text()
    line = "1 of 6 done, 1 running, 1 stalled, 1 failed, about 2 min left"  # 30 s + 2 jobs of 60 s
    for shown in (line, "1 of 4", "no change for 50 min", "diverged: The loss is NaN in step 3."):
        assert shown in text
    assert not watch.ended(jobs, planned)


def test_trials_are_named_by_their_number(tmp_path: Path) -> None:
    write_job(tmp_path / "a", 1, 4, "diverged", reason="NaN.", trial={"number": 7, "group": "g", "values": {}})
    assert watch.read_jobs(tmp_path, time.time())[0].name == "gru, trial 7, seed 1 [x]"


def test_the_table_ends_with_the_sweep(running_sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b", "c"):
        for path in (running_sweep / name).iterdir():
            path.unlink()
    (running_sweep / "multirun.yaml").unlink()
    watch.main([str(running_sweep)])
    assert "1 of 2 done, 1 failed" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        watch.main([str(running_sweep / "gone")])
    assert ended.value.code == 2


def test_the_table_follows_the_sweep_until_it_ends(
    running_sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (running_sweep / "multirun.yaml").unlink()
    ends = {"b": "failed", "c": "out_of_memory"}

    def next_job_ends(seconds: float) -> None:
        name, status = ends.popitem()
        result = {"schema": 1, "status": status, "task": "sentiment", "cell": "gru", "config_id": "x", "seed": 1}
        (running_sweep / name / "result.json").write_text(json.dumps(result | {"reason": f"{status} it is"}))

    monkeypatch.setattr(watch.time, "sleep", next_job_ends)
    watch.main([str(running_sweep), "--interval", "0"])
    assert "1 of 4 done, 3 failed" in capsys.readouterr().out and not ends


@pytest.mark.parametrize(
    ("overrides", "count"),
    [(["seed=1,2,3", "cell=rnn,gru"], 6), (["seed=range(1,5)"], 4), (["seed=1"], 1), (["lr=interval(0,1)"], None)],
)
def test_jobs_of_a_grid_are_counted(overrides: list[str], count: int | None) -> None:
    assert watch.count_grid(overrides) == count


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (150, "2 min"), (7500, "2 h 5 min")])
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert watch.duration(seconds) == text
