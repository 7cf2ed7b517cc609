"""Runs from the config to the run folder: the contract, the same bits twice, and what happens when one is cut short."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import FEW_ROWS, PARTS, ROOT, SMALL
from conftest import options as names
from processes import Command, command
from safetensors.torch import load_file

from training import experiment
from training.interrupt import deferred_interrupts
from training.trainer import Trainer

SIZED = ("sentiment", "tagging", "memory", "translation", "forecasting")  # whose encoder reads embeddings

TIMES = ("seconds", "validation_seconds")


def history(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in rows]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_the_run_folder_keeps_its_contract(launch: Callable, files: list[str]) -> None:
    folder = launch("sentiment", *files)
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "history.jsonl", "model.safetensors", "vocabulary.json", "labels.json", "predictions.jsonl",
        "learning_curve.png", "confusion_matrix.png", "result.json", "checksums.json", "README.md",
    }  # fmt: skip
    found = result(folder)
    assert found["schema"] == 1 and found["status"] == "ok"
    assert (found["task"], found["cell"], found["experiment"], found["seed"]) == ("sentiment", "lstm", None, 1)
    assert found["data"]["sizes"] == {"train": 40, "validation": 40, "test": 40}
    assert all(len(digest) == 64 for digest in found["data"]["sha256"].values())
    assert len(set(found["data"]["sha256"].values())) == 3
    assert found["selection"].keys() == {"metric", "epoch", "score"}
    assert found["training"].keys() == {
        "epochs", "steps", "seconds", "tokens", "tokens_per_second", "padding_share", "peak_memory_mb", "precision",
        "kernel",
    }  # fmt: skip
    assert found["training"]["epochs"] == len(history(folder)) == 3
    assert found["training"]["tokens"] == sum(row["tokens"] for row in history(folder))
    assert found["environment"].keys() >= {"python", "torch", "platform", "cpu", "threads", "device", "commit", "dirty"}
    assert found["parameters"] == sum(tensor.numel() for tensor in load_file(folder / "model.safetensors").values())
    for split in ("validation", "test"):
        scores = found["metrics"][split]
        assert 0 <= scores["accuracy"] <= 1 and 0 <= scores["macro_f1"] <= 1
        assert scores["per_class"].keys() == {"good", "bad"}
        assert sum(group["count"] for group in scores["by_length"].values()) == 40
    predictions = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    right = sum(row["label"] == row["prediction"] for row in predictions)
    assert right / 40 == found["metrics"]["test"]["accuracy"]
    assert all(math.isclose(sum(row["probabilities"].values()), 1, abs_tol=1e-5) for row in predictions)


def test_a_small_model_learns_the_reviews(launch: Callable, files: list[str]) -> None:
    folder = launch(
        "sentiment", *files, "trainer.max_epochs=12", "trainer.patience=12", "optimizer.lr=0.03", "model.dropout=0"
    )
    assert result(folder)["metrics"]["test"]["accuracy"] > 0.95


def test_the_same_command_gives_the_same_bits(launch: Callable, files: list[str]) -> None:
    first, second = (launch("sentiment", *files, folder=name) for name in ("first", "second"))
    other = launch("sentiment", *files, "seed=2", folder="other")
    assert history(first) == history(second) != history(other)
    assert weights(first) == weights(second) != weights(other)
    assert (first / "predictions.jsonl").read_bytes() == (second / "predictions.jsonl").read_bytes()
    assert result(first)["config_id"] == result(other)["config_id"]


@pytest.mark.parametrize("average_decay", [0.0, 0.9])
@pytest.mark.parametrize("moment", ["train_epoch", "save"])
def test_a_run_cut_short_and_resumed_gives_the_same_bits(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, moment: str, average_decay: float
) -> None:
    options = (*files, f"trainer.average_decay={average_decay}")
    whole = launch("sentiment", *options, folder="whole")
    untouched = getattr(Trainer, moment)

    def cut_short(trainer: Trainer, *arguments: int) -> object:
        if trainer.progress.epoch == (1 if moment == "train_epoch" else 2):
            raise KeyboardInterrupt
        return untouched(trainer, *arguments)

    monkeypatch.setattr(Trainer, moment, cut_short)
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *options, folder="cut")
    assert ended.value.code == 130
    monkeypatch.setattr(Trainer, moment, untouched)
    cut = launch("sentiment", *options, "resume=true", folder="cut")
    assert result(cut)["status"] == "ok"
    assert history(cut) == history(whole)
    assert weights(cut) == weights(whole)
    assert result(cut)["metrics"] == result(whole)["metrics"]


def test_an_unfinished_run_is_not_written_over(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(trainer: Trainer) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        original = Trainer.train_epoch
        patch.setattr(Trainer, "train_epoch", lambda t: interrupt(t) if t.progress.epoch else original(t))
        with pytest.raises(SystemExit):
            launch("sentiment", *files)
    for options, said in (([], "add resume=true"), (["resume=true", "seed=2"], "of another config or seed")):
        with pytest.raises(SystemExit) as ended:
            launch("sentiment", *files, *options)
        assert ended.value.code == 2 and said in caplog.text
    finished = launch("sentiment", *files, "resume=true")
    before = (finished / "result.json").read_bytes()
    with pytest.raises(SystemExit):
        launch("sentiment", *files)
    assert (finished / "result.json").read_bytes() == before


def test_a_loss_that_is_no_number_ends_the_run(launch: Callable, files: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, "optimizer.lr=1e30", "trainer.clip_grad_norm=null", "schedule.warmup=0")
    assert ended.value.code == 1
    found = result(tmp_path / "run")
    assert found["status"] == "diverged"
    assert "lower optimizer.lr (now 1e+30) or turn clipping on" in found["reason"]


def test_clipping_keeps_the_step_small(launch: Callable, files: list[str]) -> None:
    folder = launch("sentiment", *files, "trainer.clip_grad_norm=1e-6", "trainer.average_decay=0")
    assert all(row["clipped_share"] == 1 for row in history(folder))
    folder = launch("sentiment", *files, "trainer.clip_grad_norm=null", folder="free")
    assert all(row["clipped_share"] == 0 and row["gradient_norm"] > 1e-6 for row in history(folder))


def test_patience_ends_the_training(launch: Callable, files: list[str]) -> None:
    folder = launch("sentiment", *files, "optimizer.lr=0", "trainer.max_epochs=9", "trainer.patience=2")
    assert len(history(folder)) == 3
    assert result(folder)["selection"]["epoch"] == 1


def test_bf16_is_near_fp32_or_told_to_be_missing(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # the kernels need AVX-512
        with pytest.raises(SystemExit):
            launch("sentiment", *files, "trainer.precision=bf16")
        assert "trainer.precision=bf16: this processor has no kernels for it" in caplog.text
        return
    losses = [
        history(launch("sentiment", *files, f"trainer.precision={precision}", folder=precision))[-1]["train_loss"]
        for precision in ("fp32", "bf16")
    ]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("metric", ["bleu", "per_class"])
def test_a_metric_that_the_task_does_not_give_is_refused_before_the_first_epoch(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, tmp_path: Path, metric: str
) -> None:
    with pytest.raises(SystemExit):
        launch("sentiment", *files, f"trainer.metric={metric}")
    assert f"trainer.metric={metric}: choose one of accuracy, macro_f1." in caplog.text
    assert "epoch" not in caplog.text  # before the first one
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "override, said",
    [
        ("trainer.batch_tokens=many", "trainer.batch_tokens=many: must be a whole number."),
        ("trainer.max_epochs=0", "trainer.max_epochs=0: must be at least 1."),
        ("trainer.average_decay=1", "trainer.average_decay=1: give at least 0 and less than 1."),
        ("model.dropout=half", "model.dropout=half: must be a number."),
        ("model.dropout=1.5", "A dropout rate is at least 0 and less than 1, not 1.5."),
        ("model.encoder.num_layers=0", "An encoder has at least one layer, not 0."),
        ("model.encoder.input_size=5", "model: An encoder with input_size=5 cannot read inputs of 8 features."),
        ("model.encoder.input_size=0", "model.encoder.input_size=0: must be at least 1."),
        ("model.encoder.bidirectional=1", "model.encoder.bidirectional=1: must be true or false."),
        ("codec.keep=middle", "codec.keep is 'start', 'end' or 'both', not 'middle'."),
        ("codec.max_length=-1", "codec.max_length=-1: must be at least 1, or null for no limit."),
        (f"codec.keep={'x' * 5000}", f"'both', not '{'x' * 79}…'."),
        ("cell.forget_bias=high", "forget_bias=high: must be a number or null."),
        ("threads=all", "threads=all: must be a whole number."),
        ("threads=1000000", "threads=1000000: must be at most 1024."),
        ("seed=-1", "seed=-1: must not be negative."),
        ("seed=100000000000000000000000", "seed=100000000000000000000000: must be at most 9223372036854775807."),
        ("optimizer.weight_decay=-1", "optimizer: Invalid weight_decay value: -1."),
        ("baselines=some", "baselines=some: must be true or false."),
        ("split=half", "split=half: this is a section; give values to its keys."),
        ("codec=null", "codec=null: this is a section; give values to its keys."),
        ("reference_cell=7", "reference_cell=7: must be a word."),
        ("codec.vocab_size=1000000000000", "codec.vocab_size=1000000000000: must be at most 10000000."),
        ("optimizer.betas=0.9", "optimizer.betas=0.9: must be a list of 2 values."),
        ("optimizer.betas=[1,2]", "optimizer: Invalid beta parameter at index 0: 1."),
    ],
)
def test_a_value_that_cannot_be_is_told(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, tmp_path: Path, override: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, override)
    assert ended.value.code == 2 and said in caplog.text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("task", "override", "said"),
    [
        *((task, "model.encoder.input_size=5", "model: An encoder with input_size=5") for task in SIZED),
        ("tagging", "model.characters.output_size=1", "model: Vectors of spellings with output_size=1"),
        ("sentiment", "model.characters.output_size=1", "model: Vectors of spellings with output_size=1"),
    ],
)
def test_parts_whose_sizes_do_not_fit_are_refused(
    launch: Callable, caplog: pytest.LogCaptureFixture, task: str, override: str, said: str
) -> None:
    parts = ["characters=ngrams", "codec.max_characters=9"] if "characters" in override else PARTS[task]
    rows = [] if task == "forecasting" else FEW_ROWS
    with pytest.raises(SystemExit) as ended:
        launch(task, *rows, *parts, override)
    assert ended.value.code == 2 and said in caplog.text


@pytest.mark.parametrize("target", ["os.system", "training.device.os.system", "torch.hub.load", "models.cells.no.Cell"])
def test_a_config_cannot_name_what_is_not_ours_or_not_there(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, target: str
) -> None:
    with pytest.raises(SystemExit):
        launch("sentiment", *files, f"evaluation._target_={target}")
    assert f"error: evaluation._target_={target}: " in caplog.text


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["trainer.max_epoch=3"], "max_epoch"),
        (["cell=transformer"], "cell=transformer: there is no such option"),
        (["data=sst2", "data.path=gone"], "error: data.path=gone: there is no such folder"),
        (["data=files", "data.train=gone.csv"], "error: There is no file gone.csv"),
        (["data=files", f"data.train={'x' * 300}.csv"], f"error: {'x' * 79}… cannot be read: File name too long."),
        (["device=tpu"], "error: device=tpu: choose auto, cpu, cuda or mps."),
        (["seed=abc"], "error: seed=abc: must be a whole number."),
    ],
)
def test_a_mistake_on_the_command_line_is_one_clear_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = command("tasks.sentiment", *arguments, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments in ([f"hydra.run.dir={tmp_path / 'file'}"], ["-m", f"hydra.sweep.dir={tmp_path / 'file' / 'in'}"]):
        done = command("tasks.sentiment", *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert re.search(rf"^error: {tmp_path}/file\S*: .*: choose another folder\.$", done.stderr, re.MULTILINE)


def test_help_lists_groups_and_keys_without_torch() -> None:
    code = "import runpy, sys; sys.argv += ['--help']\n"
    code += "try: runpy.run_module('tasks.sentiment', run_name='__main__')\n"
    code += "finally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
    for word in (*names("cell"), "pooling", "trainer.max_epochs", "encoder.num_layers", "seed"):
        assert word in done.stdout


def test_a_run_from_the_command_line_ends_with_its_scores_and_its_folder(files: list[str], tmp_path: Path) -> None:
    done = command("tasks.sentiment", *SMALL, *files, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout and f"Files: {tmp_path / 'run'}" in done.stdout
    assert result(tmp_path / "run")["status"] == "ok"
    for name in ("learning_curve.png", "confusion_matrix.png"):
        assert (tmp_path / "run" / name).read_bytes().startswith(b"\x89PNG")


def test_terminated_is_recorded_as_interrupted(files: list[str], tmp_path: Path) -> None:
    options = [*SMALL, *files, "trainer.max_epochs=4000", "trainer.patience=4000", f"hydra.run.dir={tmp_path / 'run'}"]
    started = Command("tasks.sentiment", *options)
    while started.poll() is None and not (tmp_path / "run" / "checkpoint.pt").exists():
        time.sleep(0.01)
    started.process.terminate()
    assert started.wait() == 143
    assert result(tmp_path / "run")["status"] == "interrupted"


@pytest.mark.parametrize(("epoch", "advice"), [(0, "no checkpoint was saved"), (1, "with resume=true continues")])
def test_an_interrupted_run_says_whether_it_can_be_resumed(
    launch: Callable,
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    epoch: int,
    advice: str,
) -> None:
    original = Trainer.train_epoch

    def stop(trainer: Trainer) -> dict:
        if trainer.progress.epoch == epoch:
            raise KeyboardInterrupt
        return original(trainer)

    monkeypatch.setattr(Trainer, "train_epoch", stop)
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files)
    assert ended.value.code == 130 and advice in caplog.text


def test_terminated_while_pytorch_is_imported_leaves_a_sentence_and_no_folder(files: list[str], tmp_path: Path) -> None:
    options = [*SMALL, *files, f"hydra.run.dir={tmp_path / 'run'}"]
    start = [sys.executable, "-m", "tasks.sentiment", *options]
    process = subprocess.Popen(start, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "run" / "run.log").exists():
        time.sleep(0.01)
    process.terminate()
    _, printed = process.communicate()
    assert process.returncode == 143
    assert printed.splitlines()[-1] == "interrupted before the run began: nothing was saved"
    assert "Traceback" not in printed and not (tmp_path / "run").exists()


def test_a_run_counts_its_own_peak_memory(launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    for name in ("reset_peak_memory", "peak_memory_mb"):
        monkeypatch.setattr(experiment, name, lambda device, name=name: events.append(name) or 7.0)
    folder = launch("sentiment", *files)
    assert events == ["reset_peak_memory", "peak_memory_mb"]
    assert result(folder)["training"]["peak_memory_mb"] == 7.0


def test_while_modules_are_imported_the_first_interrupt_waits_and_the_second_acts_at_once() -> None:
    reached: list[str] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in processes in the background
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        reached.append("end")
    assert reached == ["end"]
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append("never")
    assert reached == ["end"]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_resume_finds_the_unfinished_run_by_itself(
    composed: Callable, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omegaconf import OmegaConf

    from training.folders import run_name
    from training.identity import config_id

    monkeypatch.chdir(tmp_path)
    cfg = composed("sentiment", *files)
    folder = tmp_path / "runs" / "sentiment" / f"2026-01-01_00-00-00-000000-{config_id(cfg)}"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    torch.save({}, folder / "checkpoint.pt")
    resumed = composed("sentiment", *files, "resume=true")
    assert run_name(_root_=resumed) == folder.name
    assert run_name(_root_=cfg) != folder.name
    assert run_name(_root_=composed("sentiment", *files, "resume=true", "seed=2")) != folder.name
    (folder / "result.json").write_text('{"status": "ok"}')
    assert run_name(_root_=resumed) != folder.name
