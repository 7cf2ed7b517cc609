"""Sweeps: jobs that are finished are skipped, those that are not go on, and a job that fails ends only itself."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import SMALL, options
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from processes import command

from data.errors import InputError
from training.experiment import counter
from training.folders import job_name
from training.identity import config_id
from training.load import load_config
from training.size import layers, match_parameters, sized, smallest_reaching
from training.sweep import (
    ALL_COMBINATIONS,
    check_choices,
    count_test_scores,
    describe,
    finished,
    leave_test_to_the_end,
    mark_for_resume,
    remove_dry_run_folders,
    set_aside,
    threads_of_a_job,
)
from training.sweep_progress import ONE_BY_ONE, SweepProgress
from training.sweep_table import MOST_ROWS, job_title, outcome, print_table, sweep_table, told_apart_by
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
        ("hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper", ["++test=true", "seed=1"], True),
        ("hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper", ["data.test=x"], False),
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


RESULT = {
    "status": "ok",
    "options_id": "0a1b2c3d",
    "files_sha256": "ff",
    "training": {"precision": "fp32"},
    "metrics": {"validation": {"accuracy": 0.5, "macro_f1": 0.4}},
    "selection": {"metric": "macro_f1"},
}
WANTED = {"options_id": "0a1b2c3d", "files_sha256": "ff", "test": True, "precision": "fp32", "seed": 3}


@pytest.mark.parametrize(
    ("changes", "wanted", "score"),
    [
        ({}, {}, 0.4),
        ({"test": True}, {}, 0.4),
        ({"status": "failed"}, {}, None),
        ({"test": False}, {}, None),
        ({}, {"test": False}, None),
        ({}, {"options_id": "11111111"}, None),
        ({}, {"files_sha256": None}, None),
        ({}, {"precision": "bf16"}, None),
        ({"training": "none"}, {}, None),
        ({"training": "none"}, {"precision": None}, 0.4),
        ({"seed": 4}, {}, 0.4),
    ],
)
def test_a_finished_run_is_one_of_the_same_options_files_precision_and_scores(
    tmp_path: Path, changes: dict, wanted: dict, score: float | None
) -> None:
    (tmp_path / "result.json").write_text(json.dumps(RESULT | changes))
    assert finished(tmp_path, WANTED | wanted) == score
    assert finished(tmp_path / "nothing", WANTED | wanted) is None


def test_a_run_of_any_precision_is_finished_where_none_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(RESULT | {"training": {"precision": "bf16"}}))
    assert finished(tmp_path, {key: value for key, value in WANTED.items() if key != "precision"}) == 0.4


def test_a_finished_run_of_other_data_is_moved_aside_and_kept_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for ending in ("", "-2", "-3"):
        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        (folder / "result.json").write_text(json.dumps(RESULT | {"ended": "2026-01-02T03:04:05"}))
        for name in ("model.safetensors", "run.log", ".lock"):
            (folder / name).write_text(ending)
        caplog.clear()
        set_aside(folder)
        aside = tmp_path / f"job-before-2026-01-02T03-04-05{ending}"
        assert {path.name for path in aside.iterdir()} == {"result.json", "model.safetensors"}
        assert {path.name for path in folder.iterdir()} == {"run.log", ".lock"}
        assert (aside / "model.safetensors").read_text() == ending
        said = f"the finished run of other data or scores in {folder} was moved to {aside}"
        assert caplog.messages == [said] and caplog.records[0].levelname == "WARNING"


def test_a_run_that_did_not_finish_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "result.json").write_text(json.dumps(RESULT | {"status": "interrupted"}))
    set_aside(tmp_path / "job")
    assert [path.name for path in tmp_path.iterdir()] == ["job"] and (tmp_path / "job" / "result.json").is_file()
    (tmp_path / "job" / "result.json").write_text(json.dumps(RESULT))
    set_aside(tmp_path / "job")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "job-before-"]


def test_runs_that_scored_a_test_split_are_counted(tmp_path: Path) -> None:
    for number, metrics in enumerate(({"test": {}}, {"validation": {}}, {"test": {}, "validation": {}}, None)):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "result.json").write_text(json.dumps({"metrics": metrics} if metrics else {}))
    assert count_test_scores(tmp_path) == 2


@pytest.mark.parametrize(
    ("key", "choices"), [("sweep", "choose run or dry."), ("on_error", "choose continue or stop.")]
)
def test_what_a_sweep_does_is_one_of_two(key: str, choices: str) -> None:
    for sweep, on_error in (("run", "stop"), ("dry", "continue")):
        check_choices(OmegaConf.create({"sweep": sweep, "on_error": on_error}))
    with pytest.raises(InputError) as refusal:
        check_choices(OmegaConf.create({"sweep": "dry", "on_error": "stop", key: "maybe"}))
    assert str(refusal.value) == f"{key}=maybe: {choices}"


@pytest.mark.parametrize(
    ("name", "resumed"), [("checkpoint.pt", True), ("checkpoint.old.pt", True), ("model.safetensors", False)]
)
def test_a_job_with_a_checkpoint_is_resumed(tmp_path: Path, name: str, resumed: bool) -> None:
    cfg = OmegaConf.create({"resume": False})
    (tmp_path / name).write_bytes(b"")
    mark_for_resume(cfg, tmp_path)
    assert cfg.resume is resumed


def test_a_listed_job_is_one_line(composed: Callable) -> None:
    cfg = composed("sentiment", "seed=7", "model.encoder.hidden_size=64")
    line = f"{config_id(cfg)}  seed 7  hidden size   64     1,234,567 parameters  "
    assert describe(cfg, 1234567, is_finished=False) == f"{line}to run"
    assert describe(cfg, 1234567, is_finished=True) == f"{line}finished"
    OmegaConf.set_struct(cfg, False)
    cfg.model = {"_target_": "tasks.sentiment.model.SentimentClassifier"}
    cfg.trial, cfg.search.group, cfg.search.space = 3, "aa", {"rate": {"keys": ["optimizer.lr"]}}
    cfg.optimizer.lr = 0.25

    line = f"{config_id(cfg)}  seed 7  hidden size    0             5 parameters  to run  trial 3: rate 0.25"
    assert describe(cfg, 5, is_finished=False) == line


@pytest.mark.parametrize(
    ("in_job", "beside", "left"),
    [
        (["run.log", ".lock"], ["multirun.yaml"], []),
        ([], [], []),
        (None, ["multirun.yaml"], []),
        (["run.log", "result.json"], [], ["sweep", "sweep/job", "sweep/job/result.json", "sweep/job/run.log"]),
        (["run.log"], ["other"], ["sweep", "sweep/other"]),
    ],
)
def test_a_job_that_is_listed_leaves_no_folder_but_one_with_files(
    tmp_path: Path, in_job: list[str] | None, beside: list[str], left: list[str]
) -> None:
    sweep = tmp_path / "sweep"
    (sweep if in_job is None else sweep / "job").mkdir(parents=True)
    for name in [*(f"job/{name}" for name in in_job or []), *beside]:
        (sweep / name).write_text("")
    remove_dry_run_folders(sweep / "job")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == left
    remove_dry_run_folders(tmp_path / "gone" / "job")


@pytest.mark.parametrize(("jobs", "threads"), [(-2, 1), (-6, 2), (-8, 8), (-20, 8), (4, 2), (16, 1)])
def test_jobs_below_zero_count_from_the_number_of_cores(
    jobs: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)) if process == 0 else set(), raising=False)
    assert threads_of_a_job({"n_jobs": jobs}) == threads
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert threads_of_a_job({"n_jobs": jobs}) == threads
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert threads_of_a_job({"n_jobs": 1}) == threads_of_a_job({"n_jobs": 2}) == 1


def progress_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **changes: Any) -> tuple[SweepProgress, DictConfig]:
    """The progress of a sweep at its first job, which takes 60 seconds, and the config of this job."""
    progress, cfg = SweepProgress(), Job(0, tmp_path / "job", 1).config
    monkeypatch.setattr("time.time", lambda: 1000.0)
    progress.on_multirun_start(OmegaConf.merge(cfg, changes))
    monkeypatch.setattr("time.time", lambda: 1060.0)
    cfg = OmegaConf.merge(cfg, {"hydra": {"overrides": {"task": ["cell=gru", "seed=1"]}}}, changes)
    progress.on_job_start(cfg)
    monkeypatch.setattr("time.time", lambda: 1120.0)
    return progress, cfg


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["job 1 of 2: gru: failed in 60 s; about 1 min left"]),
        ({"hydra": {"launcher": {"_target_": "joblib"}}}, ["gru: failed in 60 s"]),
        ({"hydra": {"overrides": {"task": ["seed=1"]}}}, ["job 1 of 1: sentiment: failed in 60 s"]),
        ({"hydra": {"job": {"num": 1}}}, ["job 2 of 2: gru: failed in 60 s"]),
        ({"hydra": {"job": {"num": None}}}, []),
        ({"sweep": "dry"}, []),
    ],
)
def test_a_job_that_ends_is_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict, said: list[str]
) -> None:
    caplog.set_level("INFO")
    progress, cfg = progress_of(monkeypatch, tmp_path, **changes)
    progress.on_job_end(cfg)
    assert caplog.messages == said
    assert progress.failed_jobs(tmp_path) == set()  # nothing is known of what the job returned


def test_the_time_left_is_that_of_the_jobs_that_ran(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    progress, cfg = progress_of(monkeypatch, tmp_path, hydra={"overrides": {"task": ["cell=a,b,c,d"]}})
    started = {number: datetime.fromtimestamp(1060 + number, UTC).isoformat() for number in (-1, 0)}
    for number, (status, begin) in enumerate([("ok", -1), ("ok", 0), ("failed", -1)]):
        write_result(tmp_path / str(number), status=status, started=started[begin])
        output = {"hydra": {"runtime": {"output_dir": str(tmp_path / str(number))}, "job": {"num": number}}}
        progress.on_job_end(OmegaConf.merge(cfg, output, {"hydra": {"overrides": {"task": ["cell=a"]}}}))
        monkeypatch.setattr("time.time", lambda number=number: 1300.0 + 120 * number)

    assert caplog.messages == [
        "job 1 of 4: a: accuracy 90.0, finished before",
        "job 2 of 4: a: accuracy 90.0 in 4 min; about 8 min left",
        "job 3 of 4: a: failed in 6 min; about 5 min left",
    ]


def test_a_sweep_whose_jobs_failed_ends_with_their_table_and_names(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress, cfg = progress_of(monkeypatch, tmp_path)
    for number, (status, second) in enumerate([("failed", 0), ("out_of_memory", 1), ("failed", -1), ("diverged", 5)]):
        started = datetime.fromtimestamp(1000 + second, UTC).isoformat()
        write_result(tmp_path / f"{3 - number}", status=status, started=started)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "result.json").write_text(json.dumps({"status": "failed"}))  # of whichever start
    assert progress.failed_jobs(tmp_path) == {tmp_path / "2", tmp_path / "3"}
    (tmp_path / "odd" / "result.json").unlink()
    with pytest.raises(SystemExit) as ended:
        progress.on_multirun_end(cfg)
    assert ended.value.code == 1
    assert caplog.messages == ["2 failed, for the reason in run.log of each folder: 2, 3"]
    assert caplog.records[0].levelname == "ERROR" and "out_of_memory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("result", "seconds", "said"),
    [
        ({}, 3.0, "failed in 3 s"),
        ({"status": "diverged"}, 180.0, "diverged in 3 min"),
        ({"status": "ok", "selection": {"metric": "accuracy", "score": 0.912}}, 3.0, "accuracy 91.2 in 3 s"),
        ({"status": "ok", "selection": {"metric": "bleu", "score": 23.456}}, None, "BLEU 23.5, finished before"),
    ],
)
def test_a_job_ends_with_its_score_or_its_status(result: dict, seconds: float | None, said: str) -> None:
    assert outcome(result, seconds) == said


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("cell=gru", "gru"),
        ("data=files", "files"),
        ("experiment=sentiment/imdb", "sentiment/imdb"),
        ("model.encoder.cell=x", "cell x"),
        ("trainer.max_epochs=3", "max epochs 3"),
        ("data.path=/a/b/c/d", "path c/d"),
        ("data.other.path=a/b/c/d", "path a/b/c/d"),
        ("data.text_column=a/b/c/d", "text column a/b/c/d"),
        ("codec.path=a/b/c/d", "path a/b/c/d"),
        ("optimizer.lr=a=b", "lr a=b"),
    ],
)
def test_a_job_is_named_in_words(override: str, said: str) -> None:
    key = override.partition("=")[0]
    assert job_title([override], [key]) == job_title([f"++{override}", "seed=2"], ["no", key]) == said


def job_result(score: float | None, *overrides: str, **changes: Any) -> dict[str, Any]:
    """The result of a job; of one that diverged without a score."""
    content = {"task": "translation", "cell": "gru", "seed": 3, "overrides": overrides, "parameters": 12345}
    if score is None:
        return {**content, "status": "diverged", **changes}
    scores = {"selection": {"metric": "bleu", "score": score}, "training": {"seconds": 300.0}}
    return {**content, "status": "ok", **scores, "metrics": {"validation": {"bleu": score}}, **changes}


def test_a_table_has_a_row_for_every_job() -> None:
    both = {"metrics": {"validation": {"bleu": 20.0}, "test": {"bleu": 19.0}}}
    jobs = [job_result(None, "seed=1"), job_result(20.0, "seed=2", **both), job_result(10.0)]
    table = sweep_table(jobs, ["seed"])
    assert table.title == "translation: BLEU"
    assert [column.header for column in table.columns] == ["job", "validation", "test", "parameters", "time"]
    assert [column.justify for column in table.columns] == ["left", *["right"] * 4]
    assert [column.no_wrap for column in table.columns] == [False, *[True] * 4]
    assert list(zip(*(column.cells for column in table.columns), strict=True)) == [
        ("seed 1", "diverged", "", "", ""),
        ("seed 2", "20.00", "19.00", "12,345", "5 min"),
        ("gru, seed 3", "10.00", "", "12,345", "5 min"),
    ]
    assert sweep_table(jobs[:1], ["seed"]).title == "translation: score"


def test_jobs_come_best_first_and_those_without_a_score_last(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number, error in enumerate((None, 3.0, 1.0, 2.0)):
        content = job_result(error, f"seed={number}")
        if error is not None:
            content |= {"selection": {"metric": "mae", "score": error}, "metrics": {"validation": {"mae": error}}}
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "result.json").write_text(json.dumps(content))
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "result.json").write_text("damaged")
    print_table(tmp_path, [])
    printed = capsys.readouterr().out
    assert re.findall(r"seed (\d)", printed) == ["2", "3", "1", "0"] and "more jobs" not in printed
    assert printed.splitlines()[-1] == f"Means over seeds and tests: python -m analysis.compare {tmp_path}"


def test_the_command_that_compares_jobs_is_printed_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    folder = tmp_path / "[red]" / "2026"
    for number in range(MOST_ROWS):
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "result.json").write_text(json.dumps(job_result(1.0, f"seed={number}")))
    print_table(folder, ["seed"])
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"Means over seeds and tests: python -m analysis.compare {folder}"
    assert "more jobs" not in printed


def test_jobs_are_told_apart_by_what_varies_in_their_folder() -> None:
    jobs = [job_result(1.0, "cell=gru", "seed=1", "a=1"), job_result(1.0, "cell=gru", "seed=2"), {"status": "failed"}]
    assert told_apart_by(jobs[:2], []) == ["seed", "a"]
    assert told_apart_by(jobs[:2], ["cell", "seed"]) == ["cell", "seed", "a"]
    assert told_apart_by(jobs, ["b"]) == ["b", "cell", "seed", "a"]
    assert told_apart_by([job_result(1.0, "a="), job_result(1.0)], []) == []


def linear(cfg: DictConfig) -> int:
    """Parameters of a model that has 4 or 1 for every feature of the hidden state."""
    return cfg.model.encoder.hidden_size * (4 if "lstm" in cfg.cell._target_ else 1)


def test_a_size_is_matched_as_well_as_it_can_be(composed: Callable) -> None:
    cfg = composed("sentiment", "cell=gru", "match=parameters", "model.encoder.hidden_size=100")
    cases = {lambda c: linear(c): 400, lambda c: linear(c) // 3 * 3: 399, lambda c: 7 + linear(c): 400}
    for count, size in cases.items():
        matched = match_parameters(cfg, count)
        assert matched.model.encoder.hidden_size == size and matched.match is None
        assert cfg.model.encoder.hidden_size == 100 and cfg.match == "parameters"
    unmatched = composed("sentiment", "cell=gru")
    assert match_parameters(unmatched, linear) is unmatched


def test_the_nearer_of_two_sizes_is_taken(composed: Callable) -> None:
    cfg = composed("sentiment", "cell=gru", "match=parameters", "model.encoder.hidden_size=100")
    for wanted, size in ((1004, 100), (1006, 101), (1005, 100)):
        count = lambda c, wanted=wanted: wanted if "lstm" in c.cell._target_ else 10 * c.model.encoder.hidden_size  # noqa: E731
        assert match_parameters(cfg, count).model.encoder.hidden_size == size


def test_a_size_that_cannot_be_matched_says_by_how_much(composed: Callable) -> None:
    cfg = composed("sentiment", "cell=gru", "match=parameters", "model.encoder.hidden_size=1")
    known = {1: 1000, 2: 5000}

    def count(c: DictConfig) -> int:
        return 2000 if "lstm" in c.cell._target_ else known.get(c.model.encoder.hidden_size, 9000)

    with pytest.raises(InputError) as refusal:
        match_parameters(cfg, count)
    assert str(refusal.value) == (
        "match=parameters: no hidden size comes within 1 % of the 2,000 parameters that lstm has; the nearest has "
        "1,000. A larger model has a size that does."
    )
    for near, far in ((2019, 2021), (1981, 1979)):
        known[2] = near
        assert match_parameters(cfg, count).model.encoder.hidden_size == 2
        known[2] = far
        with pytest.raises(InputError, match=f"the nearest has {far:,}"):
            match_parameters(cfg, count)


def test_another_size_than_the_largest_is_found_and_no_layer_vanishes() -> None:
    cfg = OmegaConf.create(
        {
            "match": "parameters",
            "model": {
                "encoder": {"cell": 1, "hidden_size": 10},
                "list": [1],
                "small": {"cell": 1, "hidden_size": 2},
                "same": {"cell": 1, "hidden_size": "${model.encoder.hidden_size}"},
                "copy": "${model.encoder}",
                "missing": "???",
                "plain": {"hidden_size": 5},
                "deep": {"part": {"cell": None, "hidden_size": 20}},
            },
        }
    )
    assert [layer.hidden_size for layer in layers(cfg.model)] == [10, 2, 20]
    smaller = sized(cfg, 10, 2)
    assert (smaller.model.encoder.hidden_size, smaller.model.small.hidden_size) == (2, 1)
    assert smaller.model.deep.part.hidden_size == 4 and smaller.model.plain.hidden_size == 5
    assert smaller.match is None and cfg.match == "parameters" and cfg.model.encoder.hidden_size == 10
    for wanted, size in ((1, 1), (639, 639), (640, 640), (10**6, 640)):
        assert smallest_reaching(cfg, lambda c: c.model.encoder.hidden_size, wanted) == (10, size)
