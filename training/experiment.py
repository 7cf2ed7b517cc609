"""One experiment from its config to scores: read the data, build the model, train, score."""

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from data.corpus import Corpus
from data.errors import InputError, shorten
from data.spelling import Spelling
from data.writing import write_text
from models.characters import ShapeCharacters
from models.orthogonal import orthogonal_recurrence
from models.shapes import shapes_only
from training.baselines import add_baselines
from training.build import build, call, check_types
from training.checksums import write_checksums
from training.device import (
    choose_device,
    choose_precision,
    keep_freed_memory,
    limit_kernel_cache,
    peak_memory_mb,
    reset_peak_memory,
    use_deterministic_kernels,
)
from training.distributed import Processes
from training.evaluation import Evaluation
from training.folders import CONFIG
from training.identity import config_id
from training.model import TaskModel
from training.plots import learning_curve
from training.recipe import has_recipe, read_corpus
from training.recorder import Recorder
from training.result import Result, environment
from training.size import match_parameters
from training.tracking import tracked, tracker_of
from training.trainer import Trainer

log = logging.getLogger(__name__)

SECTIONS = ("data", "codec", "split", "model", "optimizer", "schedule", "trainer", "evaluation")
SIZES: dict[str, dict[str, int]] = {}  # of corpora that jobs of this process were listed with


def resolved(cfg: DictConfig) -> DictConfig:
    """The config with ``auto`` resolved for this machine: the precision, and the number of threads.

    A config that an older version saved lacks ``test``; it scored the test split.
    """
    if cfg.get("test") is None:
        OmegaConf.update(cfg, "test", True, force_add=True)
    types = {"seed": int, "device": str, "resume": bool, "test": bool, "baselines": bool, "data_cache": str | None}
    check_types(cfg, {**types, "threads": int if cfg.threads != "auto" else str, "reference_cell": str})
    for section in SECTIONS:
        if not isinstance(cfg[section], DictConfig):
            raise InputError(f"{section}={shorten(cfg[section])}: this is a section; give values to its keys.")
    if cfg.threads != "auto":
        if cfg.threads < 1:
            raise InputError(f"threads={cfg.threads}: give auto, or at least 1.")
        torch.set_num_threads(cfg.threads)
    cfg.threads = torch.get_num_threads()
    cfg.trainer.precision = choose_precision(cfg.trainer.precision, choose_device(cfg.device))
    return cfg


def train(cfg: DictConfig, directory: Path, result: Result, processes: Processes) -> float:
    """From the config to a finished run folder, by the first process of a run; returns the validation score."""
    tracker = tracker_of(cfg)
    cfg, trainer, description = prepared(cfg, directory, processes)
    model, device = trainer.model, trainer.device
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kernel = model.kernel_name(device)
    result.add(config_id=trainer.identity["config_id"], data=description, parameters=parameters)
    result.add(environment=environment(device))
    where = f"{device}, {trainer.precision}, {kernel}" + (f", {processes.size} processes" if processes.size > 1 else "")
    log.info("%s, %s parameters, %s", result.title, f"{parameters:,}", where)

    trainer.check_metric()
    if cfg.resume and not trainer.resume():
        log.info("There is nothing to resume: no earlier run of this config and seed saved a checkpoint.")
    result.began = True
    trainer.corpus.codec.save(directory)
    write_text(directory / CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
    with tracked(tracker, result, cfg, trainer.history) as trainer.on_epoch:
        return fit_and_score(cfg, trainer, result)


def train_along(cfg: DictConfig, processes: Processes) -> None:
    """The same training in a process that is not the first one: it writes and scores nothing."""
    cfg, trainer, _ = prepared(cfg, Path(), processes)
    if cfg.resume:
        trainer.resume()
    trainer.fit()


def prepared(cfg: DictConfig, directory: Path, processes: Processes) -> tuple[DictConfig, Trainer, dict[str, Any]]:
    """The config with what its data decide, the trainer that it names, and the entry ``data`` of a result."""
    device = processes.device(choose_device(cfg.device))
    limit_kernel_cache()
    keep_freed_memory()
    use_deterministic_kernels(device)
    reset_peak_memory(device)
    torch.manual_seed(cfg.seed)

    log.info("reading the data")
    cfg, corpus = read_corpus(cfg)
    for note in corpus.notes:
        log.info("%s", note)
    cfg = match_parameters(cfg, counter(corpus.sizes))
    model: TaskModel = build(cfg.model, **corpus.sizes).to(device)
    describe_characters(model, corpus.codec.spelling)
    initialise(cfg, model, corpus)
    description = corpus.description()
    identity = {"config_id": config_id(cfg), "seed": cfg.seed, "data": trained_on(description)}
    processes.check_same({**identity, "sizes": corpus.sizes, "lengths": lengths_digest(corpus)})
    processes.broadcast_weights(model)
    evaluation: Evaluation = build(cfg.evaluation)
    evaluation.fit(corpus.splits["train"].examples)
    optimizer = build_optimizer(cfg, model)
    trainer: Trainer = build(cfg.trainer)(
        model, corpus, evaluation, optimizer, build(cfg.schedule), directory, device, cfg.seed, identity
    )
    trainer.processes = processes
    return cfg, trainer, description


def fit_and_score(cfg: DictConfig, trainer: Trainer, result: Result) -> float:
    """Train, score, and write all that a run folder holds; returns the validation score."""
    directory, device, evaluation, corpus = trainer.directory, trainer.device, trainer.evaluation, trainer.corpus
    fit(cfg, trainer, result)
    write_checksums(directory, corpus.codec)

    metrics, predictions = scored(trainer, evaluation, corpus)
    chosen = trainer.selection()
    kernel = trainer.model.kernel_name(device)
    memory = {"peak_memory_mb": peak_memory_mb(device), "precision": trainer.precision, "kernel": kernel}
    result.add(metrics=metrics, selection=chosen, training=trainer.summary() | memory)
    result.write("ok")  # the scores are safe before anything is drawn

    if cfg.baselines:
        export(result, lambda: add_baselines(metrics, evaluation, corpus))
    last = list(predictions)[-1]
    examples = corpus.splits[last].examples
    export(result, lambda: result.add(intervals={last: evaluation.intervals(predictions[last], examples)}))
    export(result, lambda: evaluation.write(directory, predictions[last], examples))
    curve = directory / "learning_curve.png"
    export(result, lambda: learning_curve(trainer.history, chosen["metric"], trainer.progress.best_epoch, curve))
    return metrics["validation"][chosen["metric"]]


def fit(cfg: DictConfig, trainer: Trainer, result: Result) -> None:
    """Train; with a recorder, which measures before and after, if the config names one."""
    if cfg.get("recorder") is None:
        trainer.fit()
        return
    recorder: Recorder = build(cfg.recorder, Recorder)
    export(result, lambda: recorder.start(trainer))
    trainer.fit()
    export(result, lambda: recorder.end(trainer))


def trained_on(description: dict[str, Any]) -> dict[str, str]:
    """The content hashes of what a training depends on: a test split may be left out or added later."""
    return {split: digest for split, digest in description["sha256"].items() if split != "test"}


def lengths_digest(corpus: Corpus[Any]) -> str:
    """SHA-256 of the lengths of all training examples, which batches are made by."""
    return hashlib.sha256(np.ascontiguousarray(corpus.splits["train"].encoded.lengths).tobytes()).hexdigest()


def export(result: Result, write: Callable[[], object]) -> None:
    """Write predictions or a picture; what fails is reported, and costs no score."""
    try:
        write()
    except Exception as error:
        log.warning("A file of the run folder could not be written (%s: %s)", type(error).__name__, error)
        result.warn(f"{type(error).__name__}: {error}")


def build_optimizer(cfg: DictConfig, model: TaskModel) -> torch.optim.Optimizer:
    """The optimizer over all parameters.

    Raises:
        InputError: its learning rate is not a finite number that is not negative, or it refuses another value.
    """
    rate = cfg.optimizer.get("lr")
    if rate is not None and not (isinstance(rate, (int, float)) and 0 <= rate < float("inf")):
        raise InputError(f"optimizer.lr={rate}: give a number, 0 or greater.")
    return call(build(cfg.optimizer), "optimizer", {"params": model.parameters()})


def scored(trainer: Trainer, evaluation: Evaluation, corpus: Corpus[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scores and the predictions of the validation and the test split, where there are these."""
    metrics: dict[str, Any] = {}
    predictions: dict[str, Any] = {}
    for split in [name for name in ("validation", "test") if name in corpus.splits]:
        predictions[split] = trainer.predict(split)
        metrics[split] = evaluation.score(predictions[split], corpus.splits[split].examples)
    return metrics, predictions


def describe_characters(model: TaskModel, spelling: Spelling | None) -> None:
    """Tell the parts of a model that read the shapes of words which characters are capitals, digits ..."""
    for part in model.modules():
        if isinstance(part, ShapeCharacters) and spelling is not None:
            part.describe(spelling.kinds())


def initialise(cfg: DictConfig, model: TaskModel, corpus: Corpus[Any]) -> None:
    """Replace the initial weights of embeddings and recurrences, where the config asks for it."""
    if cfg.get("embeddings") is not None:
        start_embeddings(cfg, model, corpus)
    start_recurrence(cfg.get("recurrent_weights"), model)


def start_embeddings(cfg: DictConfig, model: TaskModel, corpus: Corpus[Any]) -> None:
    """Initialise the embedding with vectors from the training split, as the config says."""
    if not hasattr(model, "embedding"):
        raise InputError(f"embeddings: the model of task={cfg.task} embeds no tokens of its inputs; leave it null.")
    started, shape = time.perf_counter(), model.embedding.vectors.weight.shape
    vectors: np.ndarray = build(cfg.embeddings)(corpus.splits["train"].encoded.embedded, *shape, cfg.seed)
    model.embedding.initialise(torch.from_numpy(vectors))
    log.info("embeddings made from the training split in %.1f s", time.perf_counter() - started)


def start_recurrence(rule: str | None, model: TaskModel) -> None:
    """Let the recurrent weights start by the rule that a config names, if any."""
    if rule not in (None, "orthogonal"):
        raise InputError(f"recurrent_weights={rule}: choose orthogonal, or null for the rule of the cell.")
    if rule is not None and not orthogonal_recurrence(model):
        log.info("recurrent_weights=%s has no effect: this cell has no recurrent weight matrix", rule)


def sized_by_data(cfg: DictConfig) -> tuple[DictConfig, int]:
    """The config with its recipe's choices and matched sizes, and the parameters of its model."""
    key = str([OmegaConf.to_container(cfg[part], resolve=True) for part in ("data", "codec", "split")])
    if has_recipe(cfg) or key not in SIZES:  # a recipe's choices depend on more than these parts
        cfg, corpus = read_corpus(cfg)
        SIZES[key] = corpus.sizes
    count = counter(SIZES[key])
    cfg = match_parameters(cfg, count)
    return cfg, count(cfg)


def counter(sizes: dict[str, int]) -> Callable[[DictConfig], int]:
    """Counts the parameters of a config's model without making room for them."""

    def count(cfg: DictConfig) -> int:
        with shapes_only():
            return sum(parameter.numel() for parameter in build(cfg.model, **sizes).parameters())

    return count
