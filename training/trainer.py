"""The one training loop. Nothing here knows which task it is training."""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel

from data.batch import Batch
from data.corpus import Batches, Corpus, Split
from data.errors import InputError
from data.writing import write_json_lines
from training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from training.device import autocast, choose_precision, memory_errors
from training.distributed import Processes
from training.evaluation import Evaluation
from training.folders import HISTORY
from training.inference import predict_split
from training.loss import Loss
from training.model import TaskModel
from training.progress import EpochBar
from training.selection import LOSS, best_epoch, constant, deciding_metric

log = logging.getLogger(__name__)

STEPS_BETWEEN_CHECKS = 20  # reading a loss waits for the device


class DivergedError(RuntimeError):
    """A loss, a gradient or a weight is NaN or infinite."""


@dataclass
class Progress:
    """How far a training has come; all of it that a checkpoint keeps beside weights and optimizer."""

    epoch: int = 0
    steps: int = 0
    best_score: float = -math.inf
    best_epoch: int = 0
    best_weights: str = ""  # SHA-256 of the weights kept


@dataclass
class EpochTotals:
    """Sums over the batches of an epoch so far."""

    batches: int = 0
    loss: float = 0.0
    predictions: int = 0
    gradient_norm: float = 0.0
    clipped: int = 0
    split: int = 0  # batches that did not fit into memory in one piece
    tokens: int = 0
    positions: int = 0
    seconds: float = 0.0

    def count(self, tokens: int, positions: int, split: int) -> None:
        """Add a batch, which ``split`` processes had to compute in halves."""
        self.batches += 1
        self.tokens += tokens
        self.positions += positions
        self.split += split > 0

    def row(self, learning_rate: float) -> dict[str, Any]:
        """The numbers of an epoch in ``history.jsonl``."""
        row = {
            "train_loss": self.loss / self.predictions,
            "learning_rate": learning_rate,
            "gradient_norm": self.gradient_norm / self.batches,
            "clipped_share": self.clipped / self.batches,
            "steps": self.batches,
            "tokens": self.tokens,
            "padding_share": 1 - self.tokens / self.positions,
            "seconds": self.seconds,
        }
        return row | ({"split_batches": self.split} if self.split else {})


@dataclass
class Trainer:
    """Fits a model, and keeps the weights with the best validation score.

    Args:
        model, corpus, evaluation: what to fit, on what, and how it is scored.
        optimizer: over the model's parameters; its rate is the peak of the schedule.
        schedule: the fraction of the training done -> a factor of the peak rate.
        directory: the run folder, for weights, history and checkpoints.
        device: where the model is.
        seed: of the order of batches and of dropout.
        identity: what a checkpoint must have been made by to be resumed: the config and the content of the data.
        precision: ``fp32``, ``bf16``, or ``auto`` for bf16 where the hardware multiplies in it.
        metric: the validation score that selects the weights; higher is better.
        max_epochs: the number of passes over the training split.
        max_minutes: the time that training and validation may take; the schedule ends with it. Null for no limit.
        patience: the number of epochs without a better score after which the training ends.
        batch_tokens, batch_sentences: the maximum number of padded tokens and of sentences in a batch.
        clip_grad_norm: the maximum norm of a gradient (Pascanu et al., 2013); null turns clipping off.
        average_decay: of the exponential moving average of the weights that is evaluated and kept
            (Polyak & Juditsky, 1992); 0 keeps the weights themselves.
        checkpoint_minutes, checkpoint_steps: the time or the number of steps after which a checkpoint is saved within
            an epoch; null for none. There is always one at the end of an epoch.
    """

    model: TaskModel
    corpus: Corpus[Any]
    evaluation: Evaluation
    optimizer: torch.optim.Optimizer
    schedule: Callable[[float], float]
    directory: Path
    device: torch.device
    seed: int
    identity: dict[str, Any]
    _: KW_ONLY
    precision: str
    metric: str
    max_epochs: int
    max_minutes: float | None
    patience: int
    batch_tokens: int
    batch_sentences: int
    clip_grad_norm: float | None
    average_decay: float
    checkpoint_minutes: float | None
    checkpoint_steps: int | None
    progress: Progress = field(init=False, default_factory=Progress)
    totals: EpochTotals = field(init=False, default_factory=EpochTotals)
    history: list[dict[str, Any]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        check_at_least_one(self, "max_epochs", "patience", "batch_tokens", "batch_sentences", "checkpoint_steps")
        check_positive(self, "max_minutes", "checkpoint_minutes", "clip_grad_norm")
        if not 0 <= self.average_decay < 1:
            raise InputError(f"trainer.average_decay={self.average_decay}: give at least 0 and less than 1.")
        self.schedule(0.0)  # raises where its values are none, before anything is written
        self.precision = choose_precision(self.precision, self.device)
        self.max_norm = math.inf if self.clip_grad_norm is None else self.clip_grad_norm
        decay = self.average_decay
        self.average = AveragedModel(self.model, multi_avg_fn=moving_average(decay)) if decay else None
        self.peak_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.random_state: dict[str, Tensor] | None = None  # in which a resumed epoch continues
        self.on_epoch: Callable[[dict[str, Any]], None] = lambda row: None  # receives every row of the history
        self.processes = Processes()  # that train this model; one, unless a run says otherwise

    def fit(self) -> None:
        """Train until the last epoch, the time limit or the end of ``patience``; leave the best weights in place."""
        while self.progress.epoch < self.max_epochs and not self.out_of_patience and not self.out_of_time:
            self.epoch()
        if self.processes.first:
            load_weights(self.evaluated, self.directory, self.progress.best_weights)

    @property
    def out_of_patience(self) -> bool:
        return self.progress.epoch - self.progress.best_epoch >= self.patience

    @property
    def seconds(self) -> float:
        """The time that training and validation have taken so far."""
        return self.totals.seconds + sum(row["seconds"] + row["validation_seconds"] for row in self.history)

    @property
    def out_of_time(self) -> bool:
        return self.max_minutes is not None and self.seconds >= 60 * self.max_minutes

    def epoch(self) -> None:
        """Train for one epoch, and validate."""
        trained = self.train_epoch()
        if self.processes.first:
            self.validate(trained)
        kept = (self.progress, self.totals, self.history)
        self.progress, self.totals, self.history = self.processes.broadcast(kept)

    def validate(self, trained: dict[str, Any]) -> None:
        """Score an epoch, and write it all to disk; the checkpoint last, so that it is never ahead."""
        started = time.perf_counter()
        scores = self.score("validation")
        row = {"epoch": self.progress.epoch + 1, **trained, "validation": numbers(scores)}
        if constant([*self.history, row], self.metrics):
            row[LOSS] = self.validation_loss()
        self.history.append(row)
        self.progress.epoch += 1
        if better := best_epoch(self.history, self.metrics) == self.progress.epoch:
            self.progress.best_score, self.progress.best_epoch = scores[self.metric], self.progress.epoch
            self.progress.best_weights = save_weights(self.evaluated, self.directory)
        row["validation_seconds"] = time.perf_counter() - started
        self.totals = EpochTotals()
        write_json_lines(self.directory / HISTORY, self.history)
        self.save()
        self.report(row, better)
        self.on_epoch(row)

    @property
    def metrics(self) -> list[str]:
        """What epochs are ranked by: the metric, and the tie breakers of the task."""
        return list(dict.fromkeys([self.metric, *self.evaluation.tie_breakers]))

    @torch.no_grad()
    def validation_loss(self) -> float:
        """The mean loss over the predictions of the validation split.

        Raises:
            DivergedError: it is NaN or infinite, as that of weights that are finite and very large.
        """
        self.evaluated.eval()
        batches = self.corpus.splits["validation"].by_length(self.batch_tokens, self.batch_sentences)
        sums = [self.loss_sums(batch, batches) for batch in batches]
        loss = sum(total for total, _ in sums) / max(1, sum(number for _, number in sums))
        if not math.isfinite(loss):
            raise self.diverged("validation loss", self.totals.batches)
        return loss

    def loss_sums(self, batch: Batch, batches: Batches) -> tuple[float, int]:
        """The loss of a batch and the number of its predictions, in halves where it does not fit into memory."""
        try:
            with memory_errors(), autocast(self.device, self.precision):
                loss = self.evaluated.loss(batch.to(self.device))
            return loss.total.item(), int(loss.number)
        except (torch.OutOfMemoryError, MemoryError):
            if len(batch.rows) < 2:
                raise
        half = len(batch.rows) // 2
        parts = [
            self.loss_sums(batches.encoded.batch(rows), batches) for rows in (batch.rows[:half], batch.rows[half:])
        ]
        return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]

    def selection(self) -> dict[str, Any]:
        """The entry ``selection`` of a result: the epoch kept, and by which of its scores.

        Where ``trainer.metric`` was the same in all epochs, the entry says so and names what decided.
        """
        decided = deciding_metric(self.history, self.metrics)
        metric = self.metric if decided == LOSS else decided
        epoch = self.progress.best_epoch
        chosen = {"metric": metric, "epoch": epoch, "score": self.history[epoch - 1]["validation"][metric]}
        if decided == self.metric:
            return chosen
        log.warning("Validation %s was the same in all epochs: %s selected epoch %d.", self.metric, decided, epoch)
        return chosen | {"requested_metric": self.metric, "decided_by": decided}

    def report(self, row: dict[str, Any], better: bool) -> None:
        log.info(
            "epoch %d/%d  loss %.4f  %s %.4f%s  %.1f s  %s tokens/s",
            row["epoch"],
            self.max_epochs,
            row["train_loss"],
            self.metric,
            row["validation"][self.metric],
            " (best)" if better else "",
            row["seconds"],
            f"{row['tokens'] / row['seconds']:,.0f}",
        )

    def train_epoch(self) -> dict[str, Any]:
        """One pass over the training split, in the order and with the dropout that belong to its number."""
        seed = derive_seed(self.seed, self.progress.epoch)
        torch.manual_seed(seed)
        if self.random_state is not None:
            set_random_state(self.random_state, self.device)
            self.random_state = None
        self.model.train()
        batches = self.corpus.splits["train"].shuffled(self.batch_tokens, self.batch_sentences, seed)
        rate = self.train_batches(self.processes.shard(batches), seed)
        self.check_weights()
        return self.totals.row(rate)

    def train_batches(self, batches: Batches, seed: int) -> float:
        """The batches of an epoch that are left; returns the last learning rate."""
        pending: list[tuple[Tensor, Tensor, int]] = []
        title = f"epoch {self.progress.epoch + 1}/{self.max_epochs}"
        saved = started = time.perf_counter()
        before, rate = self.totals.seconds, 0.0
        with EpochBar(title, len(batches), self.processes.first) as bar:
            bar.advance(self.totals.batches)
            for batch in batches.after(self.totals.batches):
                rate = self.set_learning_rate(self.fraction_done(len(batches)))
                self.processes.seed_step(seed, self.totals.batches)
                loss, norm = self.train_step(batch, batches)
                pending.append((loss.total.detach(), norm, loss.number))
                self.progress.steps += 1
                self.totals.seconds = self.processes.broadcast_number(before + time.perf_counter() - started)
                ended = self.totals.batches == len(batches) or self.out_of_time
                save = not ended and self.checkpoint_is_due(saved)
                if len(pending) == STEPS_BETWEEN_CHECKS or ended or save:
                    self.add(pending)
                    pending = []
                    bar.show(self.totals.loss / self.totals.predictions, self.totals.tokens / self.totals.seconds)
                if save:
                    self.save()
                    saved = time.perf_counter()
                bar.advance()
                if ended:
                    break
        return rate

    def fraction_done(self, batches: int) -> float:
        """The fraction of the training that is done: of its steps, or of its time where that ends it sooner."""
        steps = (self.progress.epoch + self.totals.batches / batches) / self.max_epochs
        return steps if self.max_minutes is None else min(1.0, max(steps, self.seconds / (60 * self.max_minutes)))

    def checkpoint_is_due(self, saved: float) -> bool:
        """Whether a checkpoint within the epoch is due, the last one having been saved at ``saved``."""
        steps, minutes = self.checkpoint_steps, self.checkpoint_minutes
        by_steps = steps is not None and self.totals.batches % steps == 0
        return by_steps or (minutes is not None and time.perf_counter() - saved >= 60 * minutes)

    def train_step(self, batch: Batch, batches: Batches) -> tuple[Loss, Tensor]:
        """One update; the loss, and the norm of the gradient before clipping.

        A batch that does not fit into memory is computed in two halves.
        """
        self.optimizer.zero_grad()
        split = False
        try:
            loss = self.backward([batch])
        except (torch.OutOfMemoryError, MemoryError):
            if len(batch.rows) < 2:
                raise
            self.optimizer.zero_grad()
            split, half = True, len(batch.rows) // 2
            loss = self.backward([batches.encoded.batch(rows) for rows in (batch.rows[:half], batch.rows[half:])])
        loss, counts = self.processes.reduce(self.model, loss, [batch.num_tokens, batch.num_positions, split])
        self.totals.count(*counts)
        norm = clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return loss, norm.detach()

    def backward(self, parts: list[Batch]) -> Loss:
        """Gradients of the mean loss over the predictions of all parts; a part without rows has none."""
        number = sum(int(part.target_mask.sum()) for part in parts) if len(parts) > 1 else None
        total, count = torch.zeros((), device=self.device), 0
        for part in [part for part in parts if len(part.rows)]:
            with memory_errors(), autocast(self.device, self.precision):
                loss = self.model.loss(part.to(self.device))
            with memory_errors():
                (loss.total / (number or loss.number)).backward()
            total, count = total + loss.total.detach(), count + loss.number
        return Loss(total, count)

    def set_learning_rate(self, progress: float) -> float:
        factor = self.schedule(progress)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = peak * factor
        return self.peak_rates[0] * factor

    def add(self, steps: list[tuple[Tensor, Tensor, int]]) -> None:
        """Add the last steps to the totals of the epoch.

        Raises:
            DivergedError: the loss or the gradient of one of them is NaN or infinite.
        """
        losses = torch.stack([loss for loss, _, _ in steps]).double().cpu()
        norms = torch.stack([norm for _, norm, _ in steps]).double().cpu()
        finite = losses.isfinite() & norms.isfinite()
        if not finite.all():
            first = int((~finite).nonzero()[0])
            what = "gradient" if losses[first].isfinite() else "loss"
            raise self.diverged(what, self.totals.batches - len(steps) + first + 1)
        for loss, norm, number in zip(losses.tolist(), norms.tolist(), [number for *_, number in steps], strict=True):
            self.totals.loss += loss  # one by one: sums must not depend on where a checkpoint cuts them
            self.totals.predictions += number
            self.totals.gradient_norm += norm
            self.totals.clipped += norm > self.max_norm

    def check_weights(self) -> None:
        """Raise ``DivergedError`` where a weight is NaN or infinite, before anything of it is scored or kept."""
        for model in (self.model, self.evaluated):
            if first_not_finite(model) is not None:
                raise self.diverged("weights", self.totals.batches)

    def diverged(self, what: str, batch: int) -> DivergedError:
        """The error that says what is not finite, where, and what to change."""
        module = first_not_finite(self.model)
        where = f", first in {module}" if module else ""
        clipping = "turn clipping on with trainer.clip_grad_norm=1" if self.max_norm == math.inf else "clip harder"
        return DivergedError(
            f"The {what} became NaN or infinite in epoch {self.progress.epoch + 1}, batch {batch}{where}: lower "
            f"optimizer.lr (now {self.peak_rates[0]:g}) or {clipping}."
        )

    @property
    def evaluated(self) -> TaskModel:
        """The weights that are scored and kept: the average, where there is one."""
        return self.model if self.average is None else cast(TaskModel, self.average.module)

    def check_metric(self) -> None:
        """Refuse a metric that the task does not have before the first epoch, by scores of the untrained model.

        As some scores are those of certain examples only, all are scored where the first few lack the metric.
        """
        split = self.corpus.splits["validation"]
        few = Split.of([split.examples[row] for row in range(min(8, len(split)))], self.corpus.codec)
        if self.metric in numbers(self.evaluation.score(self.predictions(few, greedy=True), few.examples)):
            return
        scores = numbers(self.score("validation"))
        if self.metric not in scores:
            raise InputError(f"trainer.metric={self.metric}: choose one of {', '.join(scores)}.")

    def score(self, split: str) -> dict[str, Any]:
        """Scores of a split, by greedy predictions."""
        return self.evaluation.score(self.predict(split, greedy=True), self.corpus.splits[split].examples)

    def predict(self, split: str, greedy: bool = False) -> list[Any]:
        """The predictions for every example of a split, in its order, by the weights that are kept."""
        return self.predictions(self.corpus.splits[split], greedy)

    def predictions(self, split: Split[Any], greedy: bool) -> list[Any]:
        how = (self.device, self.precision, self.batch_tokens, self.batch_sentences)
        return predict_split(self.evaluated, self.corpus.codec, split, *how, greedy=greedy)

    def save(self) -> None:
        """Save a checkpoint: everything that the rest of the training depends on."""
        if not self.processes.first:
            return
        state = {
            "identity": self.identity,
            "progress": vars(self.progress),
            "totals": vars(self.totals),
            "history": self.history,
            "random_state": random_state(self.device),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }
        save_checkpoint(state, self.directory)

    def resume(self) -> bool:
        """Continue from the last checkpoint; False without one.

        Raises:
            InputError: the checkpoint is of another config or of other data. Nothing is changed then.
        """
        state = self.processes.broadcast(load_checkpoint(self.directory) if self.processes.first else None)
        if state is None:
            return False
        check_identity(state.get("identity", {}), self.identity, self.directory)
        self.progress, self.totals = Progress(**state["progress"]), EpochTotals(**state["totals"])
        self.history = state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.random_state = state["random_state"] if self.totals.batches else None
        if self.processes.first:
            write_json_lines(self.directory / HISTORY, self.history)
        return True

    def summary(self) -> dict[str, Any]:
        """The entry ``training`` of a result, but for the device: sums over all epochs, those before a resume too."""
        seconds = sum(row["seconds"] for row in self.history)
        tokens = sum(row["tokens"] for row in self.history)
        positions = sum(row["tokens"] / (1 - row["padding_share"]) for row in self.history)
        summary = {
            "epochs": self.progress.epoch,
            "steps": self.progress.steps,
            "seconds": seconds + sum(row["validation_seconds"] for row in self.history),
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "padding_share": 1 - tokens / positions,
        }
        split = sum(row.get("split_batches", 0) for row in self.history)
        notes = {"split_batches": split, "out_of_time": self.out_of_time}
        return summary | {name: note for name, note in notes.items() if note}


def check_identity(saved: dict[str, Any], current: dict[str, Any], directory: Path) -> None:
    """Raise where a checkpoint was made by another config or on other data."""
    for key, name in {"config_id": "config", "seed": "seed", "data": "data"}.items():
        if saved.get(key) != current.get(key):
            raise InputError(
                f"{directory} has an unfinished run of other {name}: resume it with the options and files that it was "
                f"started with, or choose another folder. Nothing of it was changed."
            )


def check_at_least_one(trainer: Trainer, *names: str) -> None:
    for name in names:
        if (count := getattr(trainer, name)) is not None and count < 1:
            raise InputError(f"trainer.{name}={count}: must be at least 1.")


def check_positive(trainer: Trainer, *names: str) -> None:
    for name in names:
        if (value := getattr(trainer, name)) is not None and not value > 0:
            raise InputError(f"trainer.{name}={value}: give a number greater than 0, or null.")


def numbers(scores: dict[str, Any]) -> dict[str, float]:
    """The scores that are plain numbers; the others are tables and signatures."""
    return {name: score for name, score in scores.items() if isinstance(score, (int, float))}


def first_not_finite(model: nn.Module) -> str | None:
    """The name of the first parameter whose values or gradient are NaN or infinite."""
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        if not parameter.isfinite().all() or (gradient is not None and not gradient.isfinite().all()):
            return name
    return None


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators that dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def moving_average(decay: float) -> Callable[..., None]:
    """An exponential moving average that forgets its first steps sooner: by (1 + n) / (10 + n) while that is less."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))

    return update


def derive_seed(seed: int, epoch: int) -> int:
    """One seed per epoch, so that an epoch is the same whatever came before it in this process."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}".encode()).digest()[:7])
