"""What several tests stand on: the configs, and small data sets written here."""

import gc
import json
import pickle
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import composing
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

import training.folders
from data.batch import Batch
from training.model import TaskModel

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"

assert training.folders.run_name  # composing a run folder needs its resolver
composing.remember()


def options(group: str) -> list[str]:
    """The names in a config group: a new file is tested the day it is born."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def attending_decoders() -> list[str]:
    """The decoders whose context is chosen by ``attention=...``."""
    folder = CONF / "decoder"
    return [name for name in options("decoder") if "attention: ${attention}" in (folder / f"{name}.yaml").read_text()]


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small tensors gain nothing from threads."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def cache_of_baselines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave the user's cache as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def pickled(task: str, *overrides: str, hydra: bool) -> bytes:
    """A composed config, which tests ask for again and again."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return pickle.dumps(compose(task, overrides=list(overrides), return_hydra_config=hydra))


def compose_config(task: str, *overrides: str, hydra: bool = False) -> DictConfig:
    """A config as the command line gives it, with Hydra's own part if asked for."""
    return pickle.loads(pickled(task, *overrides, hydra=hydra))


@pytest.fixture
def composed() -> Callable[..., DictConfig]:
    """``composed(task, *overrides)``: a config as the command line gives it."""
    return compose_config


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A folder with train, validation and test JSON-lines of short reviews with two labels."""
    folder = tmp_path / "reviews"
    folder.mkdir()
    for split, offset in {"train": 0, "validation": 1, "test": 2}.items():
        rows = []
        for number in range(40):
            good = number % 2 == 0
            cue = ["warm", "bright", "fine"] if good else ["dull", "flat", "bleak"]
            filler = " ".join(["and so on"] * ((number + offset) % 4))
            rows.append({"text": f"A {cue[number % 3]} film {filler} .", "label": "good" if good else "bad"})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def files(reviews: Path) -> list[str]:
    """The overrides that read ``reviews``."""
    return [
        "data=files",
        "recipe=embedded",
        "codec.min_count=1",
        *(f"data.{split}={reviews / split}.jsonl" for split in ("train", "validation", "test")),
    ]


SMALL = [
    "model.embedding_size=8",
    "model.encoder.hidden_size=8",
    "trainer.max_epochs=3",
    "trainer.precision=fp32",
    "trainer.batch_sentences=8",
    "device=cpu",
    "baselines=false",
]


DRAWING = [
    "training.experiment.learning_curve",
    "training.recorder.gradients_by_distance",
    "tasks.captioning.evaluation.attention_sheet",
    "tasks.captioning.evaluation.caption_sheet",
    "tasks.forecasting.plots.error_by_horizon",
    "tasks.forecasting.plots.forecasts",
    "tasks.memory.evaluation.score_by_group",
    "tasks.sentiment.evaluation.confusion_matrix",
    "tasks.tagging.evaluation.confusion_matrix",
    "tasks.translation.evaluation.attention_map",
]


def draw_nothing(*arguments: Any) -> None:
    """In place of a function that draws into its last argument, a path."""
    arguments[-1].touch()


@pytest.fixture
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of runs, also of those in copies of this process, are empty files, as drawing takes longest.

    Not so for tests that are marked ``draws``.
    """
    if request.node.get_closest_marker("draws") is None:
        for function in DRAWING:
            monkeypatch.setattr(function, draw_nothing)


@pytest.fixture
def launch(undrawn: None, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """``launch(task, *overrides, folder=...)``: a small run in this process, as the command line starts it.

    With ``mode=RunMode.MULTIRUN`` it is a job of a sweep.
    """

    def start(task: str, *overrides: str, folder: str = "run", mode: RunMode = RunMode.RUN) -> Path:
        from training.run import run

        directory = tmp_path / folder
        directory.mkdir(parents=True, exist_ok=True)
        cfg = compose_config(task, *SMALL, *overrides, hydra=True)
        with open_dict(cfg):
            cfg.hydra.runtime.output_dir = str(directory)
            cfg.hydra.mode = mode
            cfg.hydra.job.config_name = task
        HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        run(cfg)
        return directory

    before = signal.getsignal(signal.SIGTERM)
    yield start
    signal.signal(signal.SIGTERM, before)  # a run takes it as a request to record how it ended
    HydraConfig.instance().cfg = None


def assert_learns(model: TaskModel, batch: Batch, steps: int) -> None:
    """Every parameter has a gradient, and a few steps of training on one batch clearly reduce its loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(steps):
        loss = model.loss(batch)
        losses.append(loss.total.item() / loss.number)
        if losses[-1] < 0.9 * losses[0]:
            return
        optimizer.zero_grad()
        loss.total.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    raise AssertionError(f"the loss stays at {losses}")


TEXT_TASKS = ("memory", "sentiment", "tagging", "translation")  # whose inputs are lines of text
TASKS = (*TEXT_TASKS, "captioning")
SAVED = (*TASKS, "forecasting")
FEW_ROWS = ["data.sizes.train=40", "data.sizes.validation=10", "data.sizes.test=10"]
PARTS = {
    "memory": ["data=recall"],
    "sentiment": ["pooling=max_mean", "codec.min_count=1"],
    "tagging": ["characters=ngrams_convolution_shape", "head=crf"],
    "translation": ["codec.tokenizer.vocab_size=120", "model.decoder.hidden_size=8"],
    "captioning": [
        "data.image_size=16",
        "model.encoder.channels=[8,8,8]",
        "model.decoder.hidden_size=8",
        "model.search.max_length_extra=8",
    ],
    "forecasting": ["data.number=4", "data.length=120", "data.horizon=3", "codec.window=24", "model.num_features=8"],
}


def small(task: str) -> list[str]:
    """Overrides for a small model of a task and little data."""
    return [*SMALL, *([] if task == "forecasting" else FEW_ROWS), *PARTS[task]]


def save_run(task: str, folder: Path, *overrides: str) -> None:
    """The files of a run that ended after no step."""
    cfg = compose_config(task, *small(task), *overrides)
    from data.corpus import Corpus
    from training.build import build
    from training.checkpoint import save_weights
    from training.checksums import write_checksums

    codec = build(cfg.codec)
    corpus = Corpus(build(cfg.data), codec, **cfg.split)
    folder.mkdir()
    codec.save(folder)
    save_weights(build(cfg.model, **corpus.sizes), folder)
    (folder / training.folders.CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True))
    write_checksums(folder, codec)


@pytest.fixture
def stopped(launch: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``stopped(task, *overrides, batches=N)``: a run that ends after N batches of its second epoch, as by Ctrl-C.

    With ``batches=0`` it ends before the first; otherwise a checkpoint must be due then.
    """
    from training.trainer import Trainer

    def start(task: str, *overrides: str, batches: int = 0, **options: str) -> None:
        save, train_epoch = Trainer.save, Trainer.train_epoch

        def save_and_stop(trainer: Trainer) -> None:
            save(trainer)
            if trainer.progress.epoch == 1 and trainer.totals.batches == batches > 0:
                raise KeyboardInterrupt

        def stop_or_train(trainer: Trainer) -> dict[str, Any]:
            if trainer.progress.epoch == 1 and batches == 0:
                raise KeyboardInterrupt
            return train_epoch(trainer)

        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(Trainer, "save", save_and_stop)
            patch.setattr(Trainer, "train_epoch", stop_or_train)
            launch(task, *overrides, **options)

    return start


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder of every task."""
    folder = tmp_path_factory.mktemp("runs")
    for task in SAVED:
        save_run(task, folder / task)
    return {task: folder / task for task in SAVED}
