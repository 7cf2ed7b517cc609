"""Sweeps: jobs that are finished are skipped, those that are not go on, and a job that fails ends only itself."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import SMALL, options
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from processes import command

from training.experiment import counter
from training.folders import job_name
from training.identity import config_id
from training.load import load_config
from training.size import match_parameters
from training.sweep import ALL_COMBINATIONS, leave_test_to_the_end, threads_of_a_job
from training.sweep_progress import ONE_BY_ONE, SweepProgress
from training.sweep_table import MOST_ROWS, print_table
from training.trainer import Trainer

SIZES = {"vocab_size": 500, "num_labels": 2}


def status(folder: Path) -> str:
    return json.loads((folder / "result.json").read_text())["status"]


@pytest.mark.parametrize(
    "cell, reference", [(cell, "lstm") for cell in options("cell")] + [(cell, cell) for cell in options("cell")]
)
def test_every_cell_matches_the_reference_within_one_percent(composed: Callable, cell: str, reference: str) -> None:
    cfg = composed("sentiment", f"cell={cell}", "match=parameters", f"reference_cell={reference}")
    count = counter(SIZES)
    wanted = count(composed("sentiment", f"cell={reference}"))
    matched = match_parameters(cfg, count)
    assert count(matched) == pytest.approx(wanted, rel=0.01)
    if cell == reference:
        assert matched.model.encoder.hidden_size == cfg.model.encoder.hidden_size
        assert config_id(matched) == config_id(composed("sentiment", f"cell={cell}"))
    assert config_id(cfg) != config_id(composed("sentiment", f"cell={cell}"))


@pytest.mark.parametrize(
    "override, said",
    [
        ("match=speed", "match=speed: choose parameters"),
        ("reference_cell=cnn", "reference_cell=cnn: there is no such cell; choose from " + ", ".join(options("cell"))),
        ("model.encoder.hidden_size=2", "no hidden size comes within 1 %"),
    ],
)
def test_a_size_that_cannot_be_matched_is_told(composed: Callable, override: str, said: str) -> None:
    cfg = composed("sentiment", "cell=rnn", "match=parameters", "model.embedding_size=2", override)
    with pytest.raises(ValueError, match=said):
        match_parameters(cfg, counter({**SIZES, "vocab_size": 3}))


def test_a_matched_run_records_the_size_that_it_had(launch: Callable, files: list[str]) -> None:
    folder = launch("sentiment", *files, "cell=rnn", "match=parameters", "model.encoder.hidden_size=32")
    cfg, found = load_config(folder), json.loads((folder / "result.json").read_text())
    assert cfg.match is None and cfg.model.encoder.hidden_size > 32
    assert found["config_id"] == config_id(cfg)


def test_a_job_is_named_by_what_it_is(composed: Callable) -> None:
    names = {job_name(_root_=composed("sentiment", *o)) for o in ([], ["seed=2"], ["cell=gru"], ["match=parameters"])}
    assert len(names) == 4
    assert job_name(_root_=composed("sentiment")) == job_name(_root_=composed("sentiment", "on_error=stop"))


def test_a_finished_job_is_skipped_and_a_failed_one_is_run_again(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = launch("sentiment", *files, mode=RunMode.MULTIRUN)
    before = (folder / "result.json").read_bytes()
    launch("sentiment", *files, mode=RunMode.MULTIRUN)
    assert (folder / "result.json").read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", lambda trainer: 1 / 0)
        launch("sentiment", *files, mode=RunMode.MULTIRUN, folder="broken")
        broken = folder.parent / "broken"
        assert status(broken) == "failed"
        assert "ZeroDivisionError" in json.loads((broken / "result.json").read_text())["reason"]
        with pytest.raises(SystemExit) as ended:
            launch("sentiment", *files, "on_error=stop", mode=RunMode.MULTIRUN, folder="broken")
        assert ended.value.code == 1
    assert status(launch("sentiment", *files, mode=RunMode.MULTIRUN, folder="broken")) == "ok"


class Job:
    """What Hydra gives the callbacks of a sweep."""

    def __init__(self, number: int, folder: Path, seed: int, cells: str = "gru,rnn") -> None:
        hydra = {
            "overrides": {"task": [f"cell={cells}", f"seed={seed}"]},
            "job": {"num": number, "name": "sentiment"},
            "runtime": {"output_dir": str(folder)},
            "launcher": {"_target_": ONE_BY_ONE},
            "sweeper": {},
            "sweep": {"dir": str(folder.parent)},
        }
        self.config = OmegaConf.create({"sweep": "run", "hydra": hydra})


def test_a_job_that_was_finished_before_takes_no_time(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = launch("sentiment", *files, "cell=gru", "trainer.max_epochs=1", mode=RunMode.MULTIRUN)
    (started,) = [json.loads((folder / "result.json").read_text())["started"]]
    began = datetime.fromisoformat(started).timestamp()
    progress, clock = SweepProgress(), [began + 600]
    monkeypatch.setattr("time.time", lambda: clock[0])
    caplog.set_level("INFO")
    progress.on_multirun_start(Job(0, folder, 1).config)
    progress.on_job_start(Job(0, folder, 1, "gru").config)
    clock[0] += 100
    progress.on_job_end(Job(0, folder, 1, "gru").config)
    assert re.fullmatch(r"job 1 of 2: gru: accuracy [\d.]+, finished before", caplog.messages[-1])
    clock[0] = began
    progress.on_job_start(Job(0, folder, 1, "gru").config)
    clock[0] += 90
    progress.on_job_end(Job(0, folder, 1, "gru").config)
    assert re.fullmatch(r"job 1 of 2: gru: accuracy [\d.]+ in 90 s; about 2 min left", caplog.messages[-1])


def test_the_table_of_a_sweep_has_the_best_first_and_says_what_is_left_out(tmp_path: Path, capsys) -> None:
    for number in range(MOST_ROWS + 2):
        (tmp_path / str(number)).mkdir()
        score = {"selection": {"metric": "accuracy", "score": number / 100}, "parameters": 1000}
        metrics = {"metrics": {"validation": {"accuracy": number / 100}}, "training": {"seconds": 3.0}}
        content = {"status": "ok", "task": "sentiment", "cell": "gru", "seed": number, **score, **metrics}
        if number == 1:
            content |= {"status": "diverged", "overrides": ["cell=rnn", "seed=1"]}
        (tmp_path / str(number) / "result.json").write_text(json.dumps(content))
    print_table(tmp_path, ["cell", "seed"])
    shown = capsys.readouterr().out
    seeds = [int(number) for number in re.findall(r"gru, seed (\d+)", shown)]
    assert seeds == sorted(seeds, reverse=True) and len(seeds) == MOST_ROWS and "41.00" in shown
    assert "... and 2 more jobs" in shown and f"analysis.compare {tmp_path}" in shown
    print_table(tmp_path / "empty", [])
    assert capsys.readouterr().out == ""


def test_the_table_tells_apart_the_jobs_of_earlier_sweeps_and_leaves_out_what_was_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, test in {"a": "x.csv", "b": "y.csv", "a-before-2026-11-28": "x.csv"}.items():
        (tmp_path / name).mkdir()
        content = {"status": "failed", "task": "sentiment", "cell": "gru", "seed": 1}
        content |= {"overrides": ["data=files", "data.train=t.csv", f"data.test={test}"]}
        (tmp_path / name / "result.json").write_text(json.dumps(content))
    print_table(tmp_path, ["data.train"])
    shown = capsys.readouterr().out
    assert shown.count("train t.csv") == 2
    assert shown.count("train t.csv, test x.csv") == shown.count("train t.csv, test y.csv") == 1


def test_an_interrupted_job_goes_on(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(trainer: Trainer) -> dict:
        if trainer.progress.epoch == 1:
            raise KeyboardInterrupt
        return untouched(trainer)

    untouched = Trainer.train_epoch
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_epoch", interrupt)
        with pytest.raises(SystemExit):
            launch("sentiment", *files, mode=RunMode.MULTIRUN)
    assert status(tmp_path / "run") == "interrupted"
    launch("sentiment", *files, mode=RunMode.MULTIRUN)
    whole = launch("sentiment", *files, folder="whole")
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_dry_sweep_lists_and_leaves_nothing(launch: Callable, files: list[str], capsys, tmp_path: Path) -> None:
    launch("sentiment", *files, "sweep=dry", mode=RunMode.MULTIRUN, folder="dry/job")
    assert "seed 1  hidden size    8" in (shown := capsys.readouterr().out) and "to run" in shown
    assert not (tmp_path / "dry").exists()
    done = launch("sentiment", *files, mode=RunMode.MULTIRUN)
    launch("sentiment", *files, "sweep=dry", mode=RunMode.MULTIRUN)
    assert "finished" in capsys.readouterr().out and status(done) == "ok"


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_from_the_command_line(files: list[str], tmp_path: Path) -> None:
    options = [*SMALL, *files, "cell=rnn,gru", "optimizer.lr=0.01,1e30,-1", "trainer.clip_grad_norm=null"]
    options += [f"hydra.sweep.dir={tmp_path / 'sweep'}", "schedule.warmup=0"]
    done = command("tasks.sentiment", "-m", *options)
    assert done.returncode == 1, done.stderr  # as two jobs failed
    lines = re.findall(r"\] (job \d of 6: .+)$", done.stdout, re.MULTILINE)
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        f"{cell}, lr {rate}" for cell in ("rnn", "gru") for rate in ("0.01", "1e+30", "-1")
    ]
    assert re.fullmatch(r"job 1 of 6: rnn, lr 0.01: accuracy \d+\.\d in \d+ s; about \d+ min left", lines[0])
    assert re.match(r"job 5 of 6: gru, lr 1e\+30: diverged in \d+ s", lines[4])
    assert re.fullmatch(r"job 6 of 6: gru, lr -1: failed in \d+ s", lines[5])
    table = done.stdout.partition("┏")[2].rpartition("Means over seeds")[0]
    assert done.stdout.count("┏") == 1 and table.index("gru, lr 0.01") < table.index("diverged")
    folders = sorted(path for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    assert [path.name.split("-")[0] for path in folders] == ["gru"] * 3 + ["rnn"] * 3
    assert sorted(map(status, folders)) == ["diverged"] * 2 + ["failed"] * 2 + ["ok"] * 2
    failed = [path.name for path in folders if status(path) == "failed"]
    assert all("error: optimizer.lr=-1" in (tmp_path / "sweep" / name / "run.log").read_text() for name in failed)
    assert f"2 failed, for the reason in run.log of each folder: {', '.join(failed)}" in done.stdout


def test_only_jobs_of_this_sweep_that_failed_end_it_with_an_error(tmp_path: Path) -> None:
    progress, finished = SweepProgress(), SimpleNamespace(return_value=0.9)
    progress.on_multirun_start(Job(0, tmp_path / "0", 1).config)
    now, before = "2999-01-01T00:00:00+00:00", "2001-01-01T00:00:00+00:00"
    entries = [("ok", now), ("diverged", now), ("running", now), ("failed", before)]
    for number, (status, started) in enumerate(entries):
        write_result(tmp_path / str(number), status=status, started=started)
        returned = SimpleNamespace(return_value=None) if status != "ok" else finished
        if started == now:
            progress.on_job_end(Job(number, tmp_path / str(number), 1).config, returned)
    progress.on_multirun_end(Job(0, tmp_path / "0", 1).config)
    write_result(tmp_path / "elsewhere", status="out_of_memory", started=now)  # by another process
    assert progress.failed_jobs(tmp_path) == {tmp_path / "elsewhere"}
    progress.on_job_end(Job(5, tmp_path / "nothing", 1).config, SimpleNamespace(return_value=None))
    assert progress.failed_jobs(tmp_path) == {tmp_path / "elsewhere", tmp_path / "nothing"}
    with pytest.raises(SystemExit) as ended:
        progress.on_multirun_end(Job(0, tmp_path / "0", 1).config)
    assert ended.value.code == 1


def test_a_failed_job_counts_once_whatever_way_its_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    progress, relative = SweepProgress(), Path("sweep") / "job"
    progress.on_multirun_start(Job(0, relative, 1).config)
    write_result(relative, status="failed", started="2999-01-01T00:00:00+00:00")
    progress.on_job_end(Job(0, tmp_path / relative, 1).config, SimpleNamespace(return_value=None))
    with pytest.raises(SystemExit):
        progress.on_multirun_end(Job(0, relative, 1).config)
    assert caplog.messages[-1].startswith("1 failed") and caplog.messages[-1].endswith(": job")


def write_result(folder: Path, **content: str) -> None:
    folder.mkdir(parents=True)
    full = {"task": "sentiment", "cell": "gru", "seed": 1, "parameters": 1, "training": {"seconds": 1.0}, **content}
    scores = {"selection": {"metric": "accuracy", "score": 0.9}, "metrics": {"validation": {"accuracy": 0.9}}}
    (folder / "result.json").write_text(json.dumps({**full, **scores}))


@pytest.mark.parametrize(
    "launcher, threads",
    [({}, None), ({"n_jobs": -1}, 1), ({"n_jobs": 1}, 8), ({"n_jobs": 3}, 2), ({"cpus_per_task": 4}, 4),
     ({"cpus_per_task": None}, 1), ({"num_cpus": 2}, 2), ({"num_cpus": 0.5}, 1)],
)  # fmt: skip
def test_jobs_side_by_side_share_the_cores(
    launcher: dict, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert threads_of_a_job(launcher) == threads


@pytest.mark.parametrize(
    ("sweeper", "overrides", "scored"),
    [
        (ALL_COMBINATIONS, ["seed=1"], True),
        ("hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper", ["seed=1"], False),
        ("hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper", ["seed=1", "test=true"], True),
    ],
)
def test_a_search_leaves_the_test_split_unread_unless_asked(sweeper: str, overrides: list[str], scored: bool) -> None:
    cfg = OmegaConf.create({"test": True})
    leave_test_to_the_end(cfg, {"_target_": sweeper}, overrides)
    assert cfg.test is scored


def test_every_hidden_size_of_a_model_is_matched(composed: Callable) -> None:
    cfg: DictConfig = composed("sentiment", "cell=rnn", "match=parameters")
    OmegaConf.set_struct(cfg, False)
    cfg.model.decoder = {"cell": "${cell}", "hidden_size": 256}

    def count(c: DictConfig) -> int:
        return c.model.decoder.hidden_size * (4 if "lstm" in c.cell._target_ else 1)

    matched = match_parameters(cfg, count)
    assert (matched.model.encoder.hidden_size, matched.model.decoder.hidden_size) == (512, 1024)
