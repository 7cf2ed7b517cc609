"""How a run ends, whatever ends it: its exit code, its messages, its record, and the folder that is left."""

import errno
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from data.errors import InputError
from training import run
from training.distributed import ALONE, LostProcessError
from training.experiment import resolved
from training.folders import CHECKPOINTS, CONFIG, LOCK, LOG, RESULT
from training.identity import config_id
from training.interrupt import TerminatedError, deferred_interrupts, stop_on_termination
from training.result import Result
from training.sweep import ALL_COMBINATIONS
from training.trainer import DivergedError

CUT_SHORT = (CONFIG, CHECKPOINTS[0])  # of a run that can be resumed
Lives = Callable[..., Any]


def hydra_of(folder: Path, mode: RunMode = RunMode.RUN, **changes: Any) -> DictConfig:
    """What Hydra says of a run."""
    content = {
        "runtime": {"output_dir": str(folder), "choices": {"experiment": "sentiment/imdb"}},
        "overrides": {"task": ["seed=3"]},
        "launcher": {},
        "sweeper": {"_target_": ALL_COMBINATIONS},
        "mode": mode,
    }
    return OmegaConf.merge(content, changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with nothing but a log."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOG).write_text("")
    return tmp_path / "run"


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Lives]:
    """``ended(error, ...)``: what a run returns, or the exit code that it ends with, where an error ends it."""

    def end(error: BaseException | None, mode: RunMode = RunMode.RUN, on_error: str = "continue") -> Any:
        def lead(cfg: DictConfig, hydra: DictConfig, directory: Path, processes: Any) -> float:
            assert (cfg.on_error, hydra.mode, directory, processes) == (on_error, mode, folder, ALONE)
            assert signal.getsignal(signal.SIGTERM) is not before  # as it ends with a record
            if error is not None:
                raise error
            return 0.5

        monkeypatch.setattr(run, "HydraConfig", SimpleNamespace(get=lambda: hydra_of(folder, mode)))
        monkeypatch.setattr(run, "lead", lead)
        try:
            return run.run(OmegaConf.create({"on_error": on_error}))
        except SystemExit as exited:
            return f"exit {exited.code}"

    before = signal.getsignal(signal.SIGTERM)
    yield end
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("mode", [RunMode.RUN, RunMode.MULTIRUN])
def test_a_run_gives_its_score(ended: Lives, mode: RunMode, folder: Path) -> None:
    assert ended(None, mode) == 0.5 and folder.is_dir()


ENDINGS = [
    (InputError("no rows."), 2, "error: no rows."),
    (DivergedError("the loss is NaN."), 1, "error: the loss is NaN."),
    (LostProcessError("process 1 ended."), 1, "error: process 1 ended."),
    (MemoryError("no memory"), 1, "error: no memory"),
    (torch.OutOfMemoryError("no memory"), 1, "error: no memory"),
    (OSError(errno.EACCES, "Permission denied", "a.csv"), 1, "error: a.csv: Permission denied."),
    (OSError(errno.EACCES, "Permission denied"), 1, "error: Permission denied."),
    (OSError("no words"), 1, "error: no words"),
]


@pytest.mark.parametrize(("error", "code", "said"), ENDINGS)
def test_an_error_ends_a_run_with_one_sentence_and_a_job_with_nothing_else(
    ended: Lives, caplog: pytest.LogCaptureFixture, folder: Path, error: Exception, code: int, said: str
) -> None:
    assert ended(error, RunMode.MULTIRUN) is None and caplog.messages == [said]
    assert ended(error, RunMode.MULTIRUN, "stop") == "exit 1" and folder.is_dir()
    assert ended(error) == f"exit {code}" and caplog.messages == [said] * 3
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert folder.exists() != (code == 2)  # the folder of a run that never began


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_without_room_on_a_disk_a_run_is_resumed_later(
    ended: Lives, caplog: pytest.LogCaptureFixture, folder: Path, number: int
) -> None:
    error = OSError(number, "No room", "a.pt")
    assert ended(error) == "exit 1"
    for name in CUT_SHORT:
        (folder / name).write_text("")
    assert ended(error) == "exit 1" and ended(OSError(errno.EACCES, "No", "a.pt")) == "exit 1"
    advice = "Free space there or make it writable, then continue from the last checkpoint with resume=true."
    assert caplog.messages == ["error: a.pt: No room.", f"error: a.pt: No room. {advice}", "error: a.pt: No."]


@pytest.mark.parametrize("mode", [RunMode.RUN, RunMode.MULTIRUN])
@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (TerminatedError(), 143)])
def test_a_run_that_is_stopped_says_whether_it_can_go_on(
    ended: Lives, caplog: pytest.LogCaptureFixture, folder: Path, error: KeyboardInterrupt, code: int, mode: RunMode
) -> None:
    assert ended(error, mode) == f"exit {code}"
    for name in CUT_SHORT:
        (folder / name).write_text("")
    assert ended(error, mode) == f"exit {code}"
    assert caplog.messages == [
        "interrupted: no checkpoint was saved; start again",
        "interrupted: the same command with resume=true continues from the last checkpoint",
    ]


def test_a_fault_of_the_program_is_shown_whole(ended: Lives, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError):
        ended(ZeroDivisionError("by zero"))
    assert caplog.messages == []
    assert ended(ZeroDivisionError("by zero"), RunMode.MULTIRUN) is None
    assert ended(ZeroDivisionError("by zero"), RunMode.MULTIRUN, "stop") == "exit 1"
    assert caplog.messages == ["This job failed."] * 2 and caplog.text.count("ZeroDivisionError: by zero") == 2


def test_no_job_of_a_sweep_runs_in_several_processes(
    ended: Lives, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert ended(None, RunMode.MULTIRUN, "stop") == "exit 1"
    assert caplog.messages == [
        "error: A sweep under torchrun: several processes can train one run only; start it without."
    ]


@pytest.fixture
def led(monkeypatch: pytest.MonkeyPatch, composed: Callable, folder: Path) -> Lives:
    """``led(*overrides, mode=..., **hydra)``: the result of ``lead``, and what it ran or listed."""
    seen: list[Any] = []

    def run_in(*arguments: Any) -> float:
        assert (folder / LOCK).is_file()
        seen.extend(arguments)
        return 0.5

    monkeypatch.setattr(run, "run_in", run_in)
    monkeypatch.setattr(run, "sized_by_data", lambda cfg: (cfg, 12345))
    monkeypatch.setattr(run, "resolved", lambda cfg: cfg)

    def lead(*overrides: str, mode: RunMode = RunMode.RUN, **hydra: Any) -> tuple[Any, list[Any]]:
        seen.clear()
        cfg = composed("sentiment", "seed=3", *overrides)
        hydra.setdefault("overrides", {"task": ["seed=3", *overrides]})
        return run.lead(cfg, hydra_of(folder, mode, **hydra), folder, ALONE), list(seen)

    return lead


def test_the_first_process_runs_in_a_folder_that_it_locks(led: Lives, folder: Path, composed: Callable) -> None:
    score, (directory, cfg, names, alone, processes) = led("cell=gru")
    assert (score, directory, alone, processes) == (0.5, folder, True, ALONE) and not (folder / LOCK).exists()
    assert cfg.threads == "auto" and cfg.test is True and "search" not in cfg
    same = config_id(composed("sentiment", "cell=gru"))
    assert names == {
        "task": "sentiment",
        "experiment": "sentiment/imdb",
        "cell": "gru",
        "config_id": same,
        "options_id": same,
        "seed": 3,
        "overrides": ["seed=3", "cell=gru"],
    }
    assert (
        led(mode=RunMode.MULTIRUN, runtime={"output_dir": "", "choices": {"experiment": None}})[1][2]["experiment"]
        is None
    )


def test_a_job_has_its_share_of_the_cores_and_leaves_the_test_split_of_a_search(led: Lives) -> None:
    search = {"sweeper": {"_target_": "Search"}, "launcher": {"cpus_per_task": 3}}
    _, (_, cfg, names, alone, _) = led(mode=RunMode.MULTIRUN, **search)
    assert cfg.threads == 3 and cfg.test is False and alone is False and names["seed"] == 3
    assert led("threads=2", mode=RunMode.MULTIRUN, **search)[1][1].threads == 2
    assert led("test=true", mode=RunMode.MULTIRUN, **search)[1][1].test is True
    cfg = led(**search)[1][1]  # a run of its own
    assert cfg.threads == "auto" and cfg.test is True
    assert led(mode=RunMode.MULTIRUN)[1][1].threads == "auto"


def test_a_run_of_a_trial_has_what_was_drawn(led: Lives) -> None:
    _, (_, cfg, names, *_) = led("trial=2", "model.dropout=0.25")
    assert cfg.model.dropout == 0.25 and cfg.test is False
    assert names["trial"]["number"] == 2 and names["trial"]["values"]["rate"] == cfg.optimizer.lr
    assert "dropout" not in names["trial"]["values"] and names["config_id"] == config_id(cfg)


def test_a_dry_sweep_lists_a_job_and_runs_none(
    led: Lives, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert led("sweep=dry", "cell=gru") == (None, []) and not folder.exists()
    assert capsys.readouterr().out.endswith("  seed 3  hidden size  128        12,345 parameters  to run\n")
    asked: list[Any] = []
    monkeypatch.setattr(run, "finished", lambda *arguments: asked.extend(arguments) or 0.0)
    led("sweep=dry", "trainer.precision=fp32")
    assert capsys.readouterr().out.endswith("finished\n")
    assert asked[0] == folder and asked[1]["precision"] == "fp32" and asked[1]["seed"] == 3


@pytest.mark.parametrize("wrong", ["sweep=maybe", "on_error=maybe", "trial=x"])
def test_what_a_run_is_to_do_is_checked_first(led: Lives, wrong: str, folder: Path) -> None:
    with pytest.raises(InputError, match=wrong):
        led(wrong)
    assert [path.name for path in folder.iterdir()] == [LOG]


def test_one_process_runs_in_a_folder(folder: Path) -> None:
    new = folder / "new" / "run"
    with run.locked(new), pytest.raises(InputError) as refusal, run.locked(new):
        pass
    assert str(refusal.value) == f"Another process is running in {new}: wait for it, or choose another folder."
    with run.locked(new):
        pass
    assert list(new.iterdir()) == []


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch, folder: Path, composed: Callable) -> Iterator[Lives]:
    """``recording(error, ...)``: record a training that an error ends, or that gives a score of 0.5; the record."""
    done: list[str] = []

    def start(error: BaseException | None, began: bool = True, **how: Any) -> dict[str, Any]:
        def train(cfg: DictConfig, directory: Path, result: Result, processes: Any) -> float:
            assert cfg.threads == torch.get_num_threads() and directory == folder and processes is ALONE
            result.began = began
            if error is not None:
                raise error
            result.add(data={"name": "films"}, metrics={"test": {"accuracy": 0.5}})
            return 0.5

        done.clear()
        monkeypatch.setattr(run, "train", train)
        result = Result(folder, {"task": "sentiment", "cell": "gru", "seed": 3})
        score = run.recorded(composed("sentiment", "device=cpu"), folder, result, **how)
        assert score == 0.5
        return {**json.loads((folder / RESULT).read_text()), "done": list(done)}

    def show(title: str, content: dict[str, Any], directory: Path) -> None:
        assert directory == folder
        done.append(f"{title}, {content['status']}")

    monkeypatch.setattr(run, "write_card", lambda directory: done.append(f"card of {directory.name}"))
    monkeypatch.setattr(run, "show", show)
    for name in CHECKPOINTS:
        (folder / name).write_text("")
    yield start


def test_a_run_that_ends_well_has_a_record_a_card_and_no_checkpoint(recording: Lives, folder: Path) -> None:
    found = recording(None)
    assert found["status"] == "ok" and found["test_scored_in_sweep"] == 0 and "warnings" not in found
    assert found["done"] == ["card of run", "sentiment: gru on films, seed 3, ok"]
    assert not any((folder / name).exists() for name in CHECKPOINTS)
    assert recording(None, in_sweep=True)["test_scored_in_sweep"] == 1
    assert recording(None, in_sweep=True)["done"] == ["card of run"]


def test_a_card_that_cannot_be_written_costs_no_score(recording: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: Path) -> None:
        assert json.loads((directory / RESULT).read_text())["status"] == "ok"  # safe already
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(run, "write_card", fail)
    found = recording(None)
    assert found["status"] == "ok" and found["warnings"] == ["ZeroDivisionError: by zero"]


ADVICE = "Lower trainer.batch_tokens or trainer.batch_sentences, or codec.max_length."


@pytest.mark.parametrize(
    ("error", "raised", "status", "reason"),
    [
        (DivergedError("the loss is NaN."), DivergedError, "diverged", "the loss is NaN."),
        (MemoryError(), MemoryError, "out_of_memory", f"Out of memory. {ADVICE}"),
        (torch.OutOfMemoryError("CUDA is full."), torch.OutOfMemoryError, "out_of_memory", f"CUDA is full. {ADVICE}"),
        (RuntimeError("DefaultCPUAllocator\n"), MemoryError, "out_of_memory", f"DefaultCPUAllocator {ADVICE}"),
        (KeyboardInterrupt(), KeyboardInterrupt, "interrupted", "Stopped by the user."),
        (TerminatedError(), TerminatedError, "interrupted", "Stopped by the user."),
        (ZeroDivisionError("by zero"), ZeroDivisionError, "failed", "ZeroDivisionError: by zero"),
        (InputError("no rows."), InputError, "failed", "InputError: no rows."),
    ],
)  # fmt: skip
def test_a_run_that_does_not_end_well_says_why(
    recording: Lives, folder: Path, error: BaseException, raised: type, status: str, reason: str
) -> None:
    with pytest.raises(raised):
        recording(error)
    found = json.loads((folder / RESULT).read_text())
    assert (found["status"], found["reason"]) == (status, reason)
    assert all((folder / name).exists() for name in CHECKPOINTS)


@pytest.mark.parametrize(
    ("config", "began", "written"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_a_run_that_is_refused_leaves_the_record_of_the_unfinished_one(
    recording: Lives, folder: Path, config: bool, began: bool, written: bool
) -> None:
    if config:
        (folder / CONFIG).write_text("")
    with pytest.raises(InputError):
        recording(InputError("another seed."), began=began)
    assert (folder / RESULT).exists() == written


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, folder: Path, composed: Callable) -> Lives:
    """``running(alone, *overrides)``: the score of ``run_in``, and the config and the record that a training had."""
    seen: list[Any] = []

    def recorded(cfg: DictConfig, directory: Path, result: Result, in_sweep: bool, processes: Any) -> float:
        assert result.directory == directory
        seen[:] = [cfg, result.content, in_sweep, processes, directory]
        return 0.75

    monkeypatch.setattr(run, "recorded", recorded)

    def start(alone: bool, *overrides: str) -> tuple[float, list[Any]]:
        seen.clear()
        cfg = composed("sentiment", "device=cpu", "trainer.precision=fp32", *overrides)
        names = run.identity(cfg, {})
        return run.run_in(folder, cfg, names, alone, ALONE), list(seen)

    return start


def finished_run(running: Lives, folder: Path) -> None:
    """Write the record of a finished job."""
    _, (_, content, *_) = running(False)
    scores = {"metrics": {"validation": {"accuracy": 0.25}}, "selection": {"metric": "accuracy"}}
    record = {**content, **scores, "training": {"precision": "fp32"}, "status": "ok", "ended": "now"}
    (folder / RESULT).write_text(json.dumps(record))


def test_a_finished_job_is_not_run_again(running: Lives, folder: Path) -> None:
    finished_run(running, folder)
    assert running(False) == (0.25, [])
    with pytest.raises(InputError, match="has a finished run: choose another folder"):
        running(True)
    score, (_, content, in_sweep, processes, directory) = running(False, "test=false")
    assert (score, in_sweep, processes, directory) == (0.75, True, ALONE, folder)
    assert content["test"] is False and (folder.parent / "run-before-now" / RESULT).is_file()


def test_a_run_of_its_own_records_what_identifies_it(running: Lives, folder: Path, files: list[str]) -> None:
    score, (cfg, content, in_sweep, *_) = running(True, *files)
    assert score == 0.75 and in_sweep is False and cfg.resume is False
    assert content["options_id"] == config_id(cfg) and content["test"] is True and len(content["files_sha256"]) == 64
    assert running(True)[1][1]["files_sha256"] is None


def unfinished_run(folder: Path, cfg: DictConfig) -> None:
    (folder / CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True))
    (folder / CHECKPOINTS[1]).write_text("")


def test_a_job_resumes_its_unfinished_run_and_a_run_only_if_asked(
    running: Lives, folder: Path, composed: Callable
) -> None:
    with open_dict(cfg := composed("sentiment", "device=cpu", "trainer.precision=fp32")):
        cfg.pop("search")
    unfinished_run(folder, cfg)
    assert running(False)[1][0].resume is True
    assert running(True, "resume=true")[0] == 0.75
    with pytest.raises(InputError) as refusal:
        running(True)
    assert str(refusal.value) == f"{folder} has an unfinished run: add resume=true, or choose another folder."


@pytest.mark.parametrize(
    ("given", "other"),
    [
        (["recipe=embedded"], False),
        (["recipe=embedded", "seed=2"], True),
        (["recipe=embedded", "cell=gru"], True),
        (["recipe=embedded", "match=parameters"], False),
        (["recipe=embedded", "match=parameters", "seed=2"], True),
        (["recipe=adaptive", "cell=gru"], False),
    ],
)
def test_an_unfinished_run_of_other_options_is_not_continued(
    folder: Path, composed: Callable, given: list[str], other: bool
) -> None:
    """Where the data decide some of the options, the checkpoint is compared."""
    unfinished_run(folder, composed("sentiment", "recipe=embedded"))
    cfg = composed("sentiment", *given, "resume=true")
    if not other:
        run.check_folder(cfg, folder)
        return
    with pytest.raises(InputError) as refusal:
        run.check_folder(cfg, folder)
    assert str(refusal.value) == f"{folder} has an unfinished run of another config or seed: give the same options."


@pytest.mark.parametrize(("precision", "asked"), [("auto", None), ("fp32", "fp32")])
def test_a_finished_run_may_have_any_precision_where_none_is_given(
    composed: Callable, precision: str, asked: str | None
) -> None:
    cfg = composed("sentiment", f"trainer.precision={precision}", "test=false")
    known = run.wanted(cfg, {"seed": 5})
    assert known.get("precision") == asked and known["seed"] == 5 and known["test"] is False
    assert known["files_sha256"] is None


@pytest.fixture
def following(monkeypatch: pytest.MonkeyPatch, composed: Callable) -> Iterator[Lives]:
    """``following(error, *overrides)``: the exit code of another process than the first, and the configs it trained."""
    before, handlers = signal.getsignal(signal.SIGTERM), list(logging.getLogger().handlers)

    def follow(error: BaseException | None, *overrides: str) -> tuple[Any, list[DictConfig]]:
        trained: list[DictConfig] = []

        def train_along(cfg: DictConfig, processes: Any) -> None:
            assert processes is ALONE and signal.getsignal(signal.SIGTERM) is not before
            trained.append(cfg)
            if error is not None:
                raise error

        given = ["seed=3", "device=cpu", *overrides]
        monkeypatch.setattr(run, "rank", lambda: 1)
        monkeypatch.setattr(run, "joined", lambda: nullcontext(ALONE))
        monkeypatch.setattr(run, "train_along", train_along)
        monkeypatch.setattr(
            run, "HydraConfig", SimpleNamespace(get=lambda: hydra_of(Path(), overrides={"task": given}))
        )
        try:
            return run.run(composed("sentiment", *given)), trained
        except SystemExit as exited:
            return f"exit {exited.code}", trained

    yield follow
    signal.signal(signal.SIGTERM, before)
    logging.getLogger().handlers[:] = handlers


def test_another_process_trains_along_and_gives_no_score(following: Lives) -> None:
    code, (cfg,) = following(None, "trial=2", "model.dropout=0.25")
    assert code is None and cfg.seed == 3 and cfg.threads == torch.get_num_threads()
    assert cfg.model.dropout == 0.25 and cfg.trial == 2 and cfg.search.group  # drawn as in the first one
    assert following(None, "sweep=dry") == (None, [])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong"), 2),
        (DivergedError("NaN"), 1),
        (RuntimeError("DefaultCPUAllocator: full"), 1),
        (OSError("none"), 1),
        (KeyboardInterrupt(), 130),
        (TerminatedError(), 143),
    ],
)
def test_another_process_ends_with_the_code_of_the_first_and_says_nothing(
    following: Lives, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    logging.getLogger().handlers.clear()  # as Hydra leaves it there
    assert following(error)[0] == f"exit {code}"
    logging.getLogger("training").error("a word")
    assert capsys.readouterr() == ("", "")


def test_threads_and_precision_are_settled_for_this_machine(composed: Callable) -> None:
    assert sys.modules["torch"].get_num_threads() == 1
    with open_dict(cfg := composed("sentiment", "device=cpu")):
        del cfg["test"]
    found = resolved(cfg)
    assert found.test is True and found.threads == 1 and found.trainer.precision in ("fp32", "bf16")


def test_another_thread_leaves_requests_to_stop_as_they_are() -> None:
    before, raised = signal.getsignal(signal.SIGTERM), []

    def start() -> None:
        try:
            stop_on_termination()
            with deferred_interrupts():
                pass
        except ValueError as error:  # Python's, where a thread sets a handler
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert raised == [] and signal.getsignal(signal.SIGTERM) is before
