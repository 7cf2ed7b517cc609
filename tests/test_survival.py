"""What survives: a run that is stopped, killed or fails at any step is resumed to the same bits, or refused."""

import errno
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import SMALL
from processes import Command

from data.corpus import Corpus
from training.trainer import Trainer

TRANSLATION = [  # with sampled sub-words; ENGINE adds averaged weights
    "data.sizes={train: 40, validation: 4, test: 4}",
    "codec.tokenizer.vocab_size=110",
    "codec.sampling_alpha=0.5",
    "model.decoder.hidden_size=8",
    "beam=1",
    "model.search.max_length_factor=1",
    "trainer.max_epochs=2",
]
ENGINE = ["trainer.average_decay=0.9", "trainer.checkpoint_steps=3"]


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def outcome(folder: Path) -> tuple:
    """All that must be the same: the weights, the history but for times, the scores."""
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    rows = [{key: value for key, value in row.items() if not key.endswith("seconds")} for row in rows]
    assert result(folder)["status"] == "ok", result(folder)
    return (folder / "model.safetensors").read_bytes(), rows, result(folder)["metrics"]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int, error: type[BaseException] = KeyboardInterrupt) -> None:
    """Raise an error in the place of a step of the training, counted from 0."""
    untouched, steps = Trainer.train_step, iter(range(10**6))

    def train_step(trainer: Trainer, *arguments: object) -> object:
        if next(steps) == step:
            raise error
        return untouched(trainer, *arguments)

    monkeypatch.setattr(Trainer, "train_step", train_step)


@pytest.fixture
def cut(launch: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """``cut(task, *overrides, step=N)``: the folder of a run that was interrupted in a step."""

    def start(task: str, *overrides: str, step: int, folder: str = "cut") -> Path:
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            with pytest.raises(SystemExit) as ended:
                launch(task, *overrides, folder=folder)
        assert ended.value.code == 130
        assert result(tmp_path / folder)["status"] == "interrupted"
        return tmp_path / folder

    return start


def test_a_run_stopped_at_a_random_step_goes_on_to_the_same_bits(launch: Callable, cut: Callable) -> None:
    task, options = "translation", [*TRANSLATION, *ENGINE]
    whole = launch(task, *options, folder="whole")
    steps = result(whole)["training"]["steps"]
    cut(task, *options, step=random.randrange(4, steps))
    assert outcome(launch(task, *options, "resume=true", folder="cut")) == outcome(whole)


@pytest.mark.parametrize("position", [0.0, 0.4, 1.0])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    launch: Callable, files: list[str], cut: Callable, caplog: pytest.LogCaptureFixture, position: float
) -> None:
    options = [*files, *ENGINE]
    folder = cut("sentiment", *options, step=12)
    content = bytearray((folder / "checkpoint.pt").read_bytes())
    content[int(position * (len(content) - 1))] ^= 1
    (folder / "checkpoint.pt").write_bytes(content)
    launch("sentiment", *options, "resume=true", folder="cut")
    assert "checkpoint.pt is damaged" in caplog.text
    assert outcome(folder) == outcome(launch("sentiment", *options, folder="whole"))


def test_a_run_of_which_all_checkpoints_are_damaged_is_refused(
    launch: Callable, files: list[str], cut: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    folder = cut("sentiment", *files, *ENGINE, step=12)
    before = (folder / "model.safetensors").read_bytes()
    for path in folder.glob("checkpoint*.pt"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, *ENGINE, "resume=true", folder="cut")
    assert ended.value.code == 2 and "damaged" in caplog.text
    assert (folder / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("lines", [0, 1, 5])
def test_a_history_that_is_not_of_the_checkpoint_is_repaired(
    launch: Callable, files: list[str], cut: Callable, lines: int
) -> None:
    folder = cut("sentiment", *files, *ENGINE, step=12)
    first = (folder / "history.jsonl").read_text().splitlines()[0]
    (folder / "history.jsonl").write_text(f"{first}\n" * lines)
    launch("sentiment", *files, *ENGINE, "resume=true", folder="cut")
    assert outcome(folder) == outcome(launch("sentiment", *files, *ENGINE, folder="whole"))


def flip_labels(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace('"good"', '"?"').replace('"bad"', '"good"').replace('"?"', '"bad"'))


def other_words(path: Path) -> None:
    path.write_text(path.read_text().replace("film", "picture"))


@pytest.mark.parametrize("change", [flip_labels, other_words])
def test_a_run_does_not_go_on_with_other_data(
    launch: Callable, files: list[str], cut: Callable, caplog: pytest.LogCaptureFixture, reviews: Path, change: Callable
) -> None:
    folder = cut("sentiment", *files, *ENGINE, step=12)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    saved = (reviews / "train.jsonl").read_text()
    change(reviews / "train.jsonl")
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, *ENGINE, "resume=true", folder="cut")
    assert ended.value.code == 2 and "other data" in caplog.text
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (reviews / "train.jsonl").write_text(saved)
    launch("sentiment", *files, *ENGINE, "resume=true", folder="cut")
    assert outcome(folder) == outcome(launch("sentiment", *files, *ENGINE, folder="whole"))


def test_a_folder_that_another_process_uses_is_refused(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    code = "import sys, filelock\nlock = filelock.FileLock(sys.argv[1]); lock.acquire()\n"
    code += "print(1, flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run" / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline()
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files)
    assert ended.value.code == 2 and "Another process" in caplog.text
    assert (tmp_path / "run" / ".lock").exists()
    holder.kill()  # a lock ends with its process, however that ends
    holder.communicate()
    assert result(launch("sentiment", *files))["status"] == "ok"


def test_a_full_disk_ends_a_run_in_a_sentence_and_leaves_its_last_checkpoint(
    launch: Callable,
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write does: without a name

    with monkeypatch.context() as patch:
        untouched, saves = Trainer.save, iter(range(10**6))

        def save(trainer: Trainer) -> None:
            if next(saves) == 3:
                patch.setattr(Path, "write_bytes", full)
            untouched(trainer)

        patch.setattr(Trainer, "save", save)
        with pytest.raises(SystemExit) as ended:
            launch("sentiment", *files, *ENGINE)
    assert ended.value.code == 1
    (message,) = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert message == (
        f"error: {tmp_path / 'run' / 'result.json'}: No space left on device. Free space there or "
        f"make it writable, then continue from the last checkpoint with resume=true."
    )
    launch("sentiment", *files, *ENGINE, "resume=true")
    assert outcome(tmp_path / "run") == outcome(launch("sentiment", *files, *ENGINE, folder="whole"))


ALLOCATION = RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), ALLOCATION])
def test_a_batch_that_does_not_fit_is_split_once(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    from tasks.sentiment.model import SentimentClassifier

    untouched = SentimentClassifier.loss

    def limited(most: int) -> Callable:
        def loss(model: SentimentClassifier, batch: object) -> object:
            if len(batch.rows) > most:
                raise error
            return untouched(model, batch)

        return loss

    monkeypatch.setattr(SentimentClassifier, "loss", limited(4))
    options = ["model.dropout=0", "model.word_dropout=0", "trainer.max_epochs=1"]
    halves = result(launch("sentiment", *files, *options))
    assert halves["training"]["split_batches"] == halves["training"]["steps"]
    monkeypatch.setattr(SentimentClassifier, "loss", untouched)
    whole = launch("sentiment", *files, *options, folder="whole")
    losses = [
        json.loads((f / "history.jsonl").read_text().splitlines()[0])["train_loss"] for f in (tmp_path / "run", whole)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)

    monkeypatch.setattr(SentimentClassifier, "loss", limited(3))
    with pytest.raises(SystemExit):
        launch("sentiment", *files, folder="none")
    found = result(tmp_path / "none")
    assert found["status"] == "out_of_memory" and "trainer.batch_tokens" in found["reason"]


def test_the_schedule_ends_with_the_time_limit(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "seconds", property(lambda trainer: 3.0 * trainer.progress.steps))
    options = ["trainer.max_minutes=1", "trainer.max_epochs=1000", "trainer.patience=1000", "schedule.warmup=0"]
    folder = launch("sentiment", *files, *options, "optimizer.lr=0.01")
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert result(folder)["training"]["steps"] == 20
    assert rows[-1]["learning_rate"] == pytest.approx(0.01 * (1 - 19 / 20))


def test_without_test_the_test_split_is_not_read(
    launch: Callable, files: list[str], reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (reviews / "test.jsonl").write_text("not JSON")
    found = result(launch("sentiment", *files, "test=false"))
    assert found["status"] == "ok" and found["metrics"].keys() == {"validation"}
    assert found["data"]["sha256"].keys() == {"train", "validation"}


def test_processes_killed_at_random_moments_come_to_the_same_bits(
    launch: Callable, files: list[str], tmp_path: Path
) -> None:
    options = [*files, *ENGINE, "trainer.max_epochs=8", "trainer.checkpoint_steps=1"]
    whole = launch("sentiment", *options, folder="whole")
    folder, threads = tmp_path / "killed", [f"threads={torch.get_num_threads()}"]
    for _ in range(3):
        before = time.time()
        started = Command("tasks.sentiment", *SMALL, *options, *threads, f"hydra.run.dir={folder}", "resume=true")
        while started.poll() is None and not any(
            path.stat().st_mtime > before for path in folder.glob("checkpoint.pt")
        ):
            time.sleep(0.01)
        time.sleep(0.2 * random.random())
        started.process.kill()
        started.wait()
    if not (folder / "result.json").exists():
        launch("sentiment", *options, "resume=true", folder="killed")
    assert outcome(folder) == outcome(whole)


def test_terminated_while_reading_data_is_recorded_as_interrupted(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    untouched = Corpus.__init__

    def terminated(corpus: Corpus, *arguments: object, **options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        untouched(corpus, *arguments, **options)

    monkeypatch.setattr(Corpus, "__init__", terminated)
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files)
    assert ended.value.code == 143
    assert result(tmp_path / "run")["status"] == "interrupted"
