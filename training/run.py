"""The life of a run: build what a config names, train it, score it, write it down."""

import json
import logging
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from data.corpus import Corpus
from data.errors import InputError
from data.writing import write_text
from training.build import build, check_types
from training.checksums import write_checksums
from training.device import be_deterministic, bound_kernel_cache, choose_device, peak_memory_mb
from training.evaluation import Evaluation
from training.folders import CHECKPOINT, CONFIG, LOG, RESULT, config_id
from training.interrupt import stop_on_termination
from training.load import load_config
from training.model import TaskModel
from training.plots import learning_curve
from training.recipe import has_recipe, read
from training.result import Result, environment
from training.size import match_parameters
from training.summary import show
from training.sweep import check_choices, describe, finished, mark_for_resume, remove_dry_run_folders, threads_of_a_job
from training.trainer import DivergedError, Trainer

log = logging.getLogger(__name__)

SIZES: dict[str, dict[str, int]] = {}  # of corpora that jobs of this process were listed with


def run(cfg: DictConfig) -> float | None:
    """Train, score and record what a config names; the validation score, so that a sweep can rank runs, if any."""
    hydra = HydraConfig.get()
    directory = Path(hydra.runtime.output_dir)
    alone = hydra.mode == RunMode.RUN
    stop_on_termination()
    try:
        check_choices(cfg)
        if cfg.sweep == "dry":
            print(describe(*sized_by_data(cfg), directory))
            remove_dry_run_folders(directory)
            return None
        if not alone:
            if (score := finished(directory)) is not None:
                log.info("finished already, and skipped: %s", directory)
                return score
            mark_for_resume(cfg, directory)
            share_cores(cfg, hydra.launcher)
        check_folder(cfg, directory)
        return recorded(cfg, directory, Result(directory, identity(cfg, hydra.runtime.choices)))
    except (InputError, DivergedError, torch.OutOfMemoryError, MemoryError) as error:
        log.error("error: %s", error)
        if not alone and cfg.on_error != "stop":
            return None  # the other jobs of a sweep go on; what became of this one is in its folder
        if isinstance(error, InputError) and alone:
            remove_empty_run(directory)
            sys.exit(2)
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("interrupted: the same command with resume=true goes on from the last whole epoch")
        sys.exit(130)
    except Exception:
        if alone:
            raise
        log.exception("This job failed.")
        if cfg.on_error == "stop":
            sys.exit(1)
        return None


def recorded(cfg: DictConfig, directory: Path, result: Result) -> float:
    """The run, with its result on disk however it ends."""
    try:
        score = train(cfg, directory, result)
    except DivergedError as error:
        result.write("diverged", str(error))
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        result.write("out_of_memory", str(error) or "The machine has no more memory.")
        raise
    except KeyboardInterrupt:
        result.write("interrupted", "Stopped by the user.")
        raise
    except Exception as error:
        result.write("failed", f"{type(error).__name__}: {error}")
        raise
    (directory / CHECKPOINT).unlink(missing_ok=True)
    return score


def train(cfg: DictConfig, directory: Path, result: Result) -> float:
    """From the config to a finished run folder."""
    check_types(cfg, {"seed": int, "device": str, "resume": bool, "threads": int if cfg.threads != "auto" else str})
    if cfg.threads != "auto":
        torch.set_num_threads(cfg.threads)
    device = choose_device(cfg.device)
    bound_kernel_cache()
    be_deterministic(device)
    torch.manual_seed(cfg.seed)

    cfg, corpus = read(cfg)
    for note in corpus.notes:
        log.info("%s", note)
    cfg = match_parameters(cfg, counter(corpus.sizes))
    check_unfinished_run(cfg, directory)
    result.add(config_id=config_id(cfg))
    model: TaskModel = build(cfg.model, **corpus.sizes).to(device)
    if cfg.get("embeddings") is not None:
        start_embeddings(cfg, model, corpus)
    evaluation: Evaluation = build(cfg.evaluation)
    evaluation.fit(corpus.splits["train"].examples)
    optimizer: torch.optim.Optimizer = build(cfg.optimizer)(model.parameters())
    trainer: Trainer = build(cfg.trainer)(
        model, corpus, evaluation, optimizer, build(cfg.schedule), directory, device, cfg.seed
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kernel = model.kernel_name(device)
    result.add(data=corpus.description(), parameters=parameters, environment=environment(device))
    log.info("%s, %s parameters, %s, %s, %s", result.title, f"{parameters:,}", device, trainer.precision, kernel)

    corpus.codec.save(directory)
    write_text(directory / CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
    if cfg.resume and not trainer.resume():
        log.info("Nothing to resume: no earlier run of this config and seed stopped after a whole epoch.")
    trainer.fit()
    write_checksums(directory, corpus.codec)

    metrics = {}
    for split in [name for name in ("validation", "test") if name in corpus.splits]:
        hypotheses, examples = trainer.predict(split), corpus.splits[split].examples
        metrics[split] = evaluation.score(hypotheses, examples)
    evaluation.write(directory, hypotheses, examples)
    learning_curve(trainer.history, trainer.metric, trainer.progress.best_epoch, directory / "learning_curve.png")
    chosen = {"metric": trainer.metric, "epoch": trainer.progress.best_epoch, "score": trainer.progress.best_score}
    memory = {"peak_memory_mb": peak_memory_mb(device), "precision": trainer.precision, "kernel": kernel}
    result.add(metrics=metrics, selection=chosen, training=trainer.summary() | memory)
    result.write("ok")
    show(result.title, result.content, directory)
    return metrics["validation"][trainer.metric]


def start_embeddings(cfg: DictConfig, model: TaskModel, corpus: Corpus[Any]) -> None:
    """Give the model the vectors that its config makes of the training split."""
    if not hasattr(model, "embedding"):
        raise InputError(f"embeddings: the model of task={cfg.task} embeds no tokens of its inputs; leave it null.")
    started, shape = time.perf_counter(), model.embedding.vectors.weight.shape
    vectors: np.ndarray = build(cfg.embeddings)(corpus.splits["train"].encoded.embedded, *shape, cfg.seed)
    model.embedding.initialise(torch.from_numpy(vectors))
    log.info("embeddings made from the training split in %.1f s", time.perf_counter() - started)


def sized_by_data(cfg: DictConfig) -> tuple[DictConfig, int]:
    """The config with its recipe's choices and matched sizes, and the parameters of its model."""
    key = str([OmegaConf.to_container(cfg[part], resolve=True) for part in ("data", "codec", "split")])
    if has_recipe(cfg) or key not in SIZES:  # a recipe's choices depend on more than these parts
        cfg, corpus = read(cfg)
        SIZES[key] = corpus.sizes
    count = counter(SIZES[key])
    cfg = match_parameters(cfg, count)
    return cfg, count(cfg)


def counter(sizes: dict[str, int]) -> Callable[[DictConfig], int]:
    """Counts the parameters of a config's model without making room for them."""

    def count(cfg: DictConfig) -> int:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build(cfg.model, **sizes).parameters())

    return count


def share_cores(cfg: DictConfig, launcher: DictConfig) -> None:
    """Give a job of a parallel sweep its share of the cores, unless the command line gives it another."""
    threads = threads_of_a_job(launcher)
    if cfg.threads == "auto" and threads is not None:
        cfg.threads = threads


def identity(cfg: DictConfig, choices: dict[str, str]) -> dict[str, Any]:
    """What tells this run from others, known before it starts."""
    return {
        "task": cfg.task,
        "experiment": choices.get("experiment"),
        "cell": choices["cell"],
        "config_id": config_id(cfg),
        "seed": cfg.seed,
    }


def check_folder(cfg: DictConfig, directory: Path) -> None:
    """A finished result is never lost, and a run goes on only as what it was."""
    if (directory / RESULT).is_file() and json.loads((directory / RESULT).read_text())["status"] == "ok":
        raise InputError(f"{directory} holds a finished run: choose another folder.")
    if (directory / CHECKPOINT).is_file():
        if not cfg.resume:
            raise InputError(f"{directory} holds an unfinished run: add resume=true, or choose another folder.")
        if cfg.get("match") is None and not has_recipe(cfg):  # else the data decide what the config is
            check_unfinished_run(cfg, directory)


def check_unfinished_run(cfg: DictConfig, directory: Path) -> None:
    """A run goes on only under the config and the seed that it began with."""
    if not (directory / CHECKPOINT).is_file():
        return
    before = load_config(directory)
    if config_id(before) != config_id(cfg) or before.seed != cfg.seed:
        raise InputError(f"{directory} holds an unfinished run of another config or seed: give the same options.")


def remove_empty_run(directory: Path) -> None:
    """Leave nothing half-written of a run that never began; a folder that holds anything else stays as it is."""
    if {path.name for path in directory.iterdir()} <= {RESULT, LOG}:
        shutil.rmtree(directory)
