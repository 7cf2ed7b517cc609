"""The one training loop. Nothing here knows which task it is training."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel

from data.batch import Batch
from data.corpus import Corpus
from data.errors import InputError
from data.writing import write_json_lines
from training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from training.device import autocast, choose_precision
from training.evaluation import Evaluation
from training.folders import HISTORY
from training.inference import predict_split
from training.loss import Loss
from training.model import TaskModel
from training.progress import EpochBar

log = logging.getLogger(__name__)

STEPS_BETWEEN_CHECKS = 20  # reading a loss waits for the device


class DivergedError(RuntimeError):
    """The loss is no number any more."""


@dataclass
class Progress:
    """What a training has come to; all of it that a checkpoint keeps beside weights and optimiser."""

    epoch: int = 0
    steps: int = 0
    best_score: float = -math.inf
    best_epoch: int = 0


class Trainer:
    """Fit a model, and keep the weights that validate best.

    Args:
        model, corpus, evaluation: what to fit, on what, and how it is scored.
        optimizer: over the model's parameters; its rate is the peak of the schedule.
        schedule: the share of the training done -> a factor of the peak rate.
        directory: the run folder, for weights, history and checkpoint.
        device: where.
        seed: of the order of batches and of dropout.
        precision: ``fp32``, ``bf16``, or ``auto`` for bf16 where the hardware multiplies in it.
        metric: the validation score that chooses the weights; higher is better.
        max_epochs: passes over the training split.
        patience: how many epochs without a better score end the training.
        batch_tokens, batch_sentences: the most padded tokens and the most sentences in a batch.
        clip_grad_norm: the largest norm of a gradient (Pascanu et al., 2013); null leaves gradients as they are.
        average_decay: of the exponential moving average of the weights that is evaluated and kept
            (Polyak & Juditsky, 1992); 0 keeps the weights themselves.
    """

    def __init__(
        self,
        model: TaskModel,
        corpus: Corpus[Any],
        evaluation: Evaluation,
        optimizer: torch.optim.Optimizer,
        schedule: Callable[[float], float],
        directory: Path,
        device: torch.device,
        seed: int,
        *,
        precision: str,
        metric: str,
        max_epochs: int,
        patience: int,
        batch_tokens: int,
        batch_sentences: int,
        clip_grad_norm: float | None,
        average_decay: float,
    ) -> None:
        check_bounds(
            max_epochs=max_epochs, patience=patience, batch_tokens=batch_tokens, batch_sentences=batch_sentences
        )
        if not 0 <= average_decay < 1:
            raise InputError(f"trainer.average_decay={average_decay}: at least 0 and less than 1 is wanted here.")
        self.model, self.corpus, self.evaluation = model, corpus, evaluation
        self.optimizer, self.schedule, self.directory = optimizer, schedule, directory
        self.device, self.precision, self.seed = device, choose_precision(precision, device), seed
        self.metric, self.max_epochs, self.patience = metric, max_epochs, patience
        self.batch_tokens, self.batch_sentences = batch_tokens, batch_sentences
        self.clip_grad_norm = math.inf if clip_grad_norm is None else clip_grad_norm
        self.average = AveragedModel(model, multi_avg_fn=moving_average(average_decay)) if average_decay else None
        self.peak_rates = [group["lr"] for group in optimizer.param_groups]
        self.progress = Progress()
        self.history: list[dict[str, Any]] = []

    def fit(self) -> None:
        """Train to the last epoch or until ``patience`` runs out; leave the best weights in place."""
        while self.progress.epoch < self.max_epochs and not self.out_of_patience:
            self.epoch()
        load_weights(self.evaluated, self.directory)

    @property
    def out_of_patience(self) -> bool:
        return self.progress.epoch - self.progress.best_epoch >= self.patience

    def epoch(self) -> None:
        """Train for one epoch, validate, and put all of it on disk; the checkpoint last, so that it is never ahead."""
        trained = self.train_epoch(self.progress.epoch)
        started = time.perf_counter()
        scores = self.score("validation")
        self.progress.epoch += 1
        if better := scores[self.metric] > self.progress.best_score:
            self.progress.best_score, self.progress.best_epoch = scores[self.metric], self.progress.epoch
            save_weights(self.evaluated, self.directory)
        numbers = {name: score for name, score in scores.items() if isinstance(score, (int, float))}
        row = {"epoch": self.progress.epoch, **trained, "validation": numbers}
        row["validation_seconds"] = time.perf_counter() - started
        self.history.append(row)
        write_json_lines(self.directory / HISTORY, self.history)
        self.save()
        log.info(
            "epoch %d/%d  loss %.4f  %s %.4f%s  %.1f s  %s tokens/s",
            self.progress.epoch,
            self.max_epochs,
            row["train_loss"],
            self.metric,
            scores[self.metric],
            " (best)" if better else "",
            row["seconds"],
            f"{row['tokens'] / row['seconds']:,.0f}",
        )

    def train_epoch(self, epoch: int) -> dict[str, Any]:
        """One pass over the training split, in the order and with the dropout that belong to its number."""
        torch.manual_seed(derive_seed(self.seed, epoch))
        self.model.train()
        batches = self.corpus.splits["train"].shuffled(
            self.batch_tokens, self.batch_sentences, derive_seed(self.seed, epoch)
        )
        total, norms = torch.zeros((), device=self.device), torch.zeros(2, device=self.device)
        count = tokens = padded = 0
        started = time.perf_counter()
        with EpochBar(f"epoch {epoch + 1}/{self.max_epochs}", len(batches)) as bar:
            for index, batch in enumerate(batches):
                rate = self.set_rate((epoch + index / len(batches)) / self.max_epochs)
                loss, norm = self.train_step(batch.to(self.device))
                total += loss.total.detach()
                norms += torch.stack([norm, (norm > self.clip_grad_norm).float()])
                count, tokens, padded = count + loss.number, tokens + batch.num_tokens, padded + batch.num_positions
                if index % STEPS_BETWEEN_CHECKS == 0 or index + 1 == len(batches):
                    self.check(total, norms, epoch, index)
                    bar.show(loss=total.item() / count, tokens_per_second=tokens / (time.perf_counter() - started))
                bar.advance()
        self.progress.steps += len(batches)
        return {
            "train_loss": total.item() / count,
            "learning_rate": rate,
            "gradient_norm": norms[0].item() / len(batches),
            "clipped_share": norms[1].item() / len(batches),
            "steps": len(batches),
            "tokens": tokens,
            "padding_share": 1 - tokens / padded,
            "seconds": time.perf_counter() - started,
        }

    def train_step(self, batch: Batch) -> tuple[Loss, Tensor]:
        """One update; the loss, and the norm of the gradient before clipping."""
        with autocast(self.device, self.precision):
            loss = self.model.loss(batch)
        self.optimizer.zero_grad()
        (loss.total / loss.number).backward()
        norm = clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return loss, norm.detach()

    def set_rate(self, progress: float) -> float:
        factor = self.schedule(progress)
        for group, peak in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = peak * factor
        return self.peak_rates[0] * factor

    def check(self, total: Tensor, norms: Tensor, epoch: int, index: int) -> None:
        if not (total.isfinite() and norms[0].isfinite()):
            unclipped = math.isinf(self.clip_grad_norm)
            clipping = "turn clipping on with trainer.clip_grad_norm=1" if unclipped else "clip harder"
            raise DivergedError(
                f"The loss or its gradient is no number any more in epoch {epoch + 1}, by step {index + 1}: lower "
                f"optimizer.lr (now {self.peak_rates[0]:g}) or {clipping}."
            )

    @property
    def evaluated(self) -> TaskModel:
        """The weights that are scored and kept: the average, where there is one."""
        return self.model if self.average is None else cast(TaskModel, self.average.module)

    def score(self, split: str) -> dict[str, Any]:
        hypotheses = self.predict(split, greedy=True)
        scores = self.evaluation.score(hypotheses, self.corpus.splits[split].examples)
        if self.metric not in scores:
            raise InputError(f"trainer.metric={self.metric}: this task gives {', '.join(scores)}.")
        return scores

    def predict(self, split: str, greedy: bool = False) -> list[Any]:
        """What the weights that are kept say of every example of a split, in its order."""
        sizes = (self.batch_tokens, self.batch_sentences)
        examples = self.corpus.splits[split]
        return predict_split(
            self.evaluated, self.corpus.codec, examples, self.device, self.precision, *sizes, greedy=greedy
        )

    def save(self) -> None:
        state = {
            "progress": vars(self.progress),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }
        save_checkpoint(state, self.directory)

    def resume(self) -> bool:
        """Take up the training at the end of its last whole epoch; False where there is none."""
        state = load_checkpoint(self.directory)
        if state is None:
            return False
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        lines = (self.directory / HISTORY).read_text().splitlines()
        self.history = [json.loads(line) for line in lines][: self.progress.epoch]
        return True

    def summary(self) -> dict[str, Any]:
        """The entry ``training`` of a result, but for the device: sums over all epochs, those before a resume too."""
        seconds = sum(row["seconds"] for row in self.history)
        tokens = sum(row["tokens"] for row in self.history)
        padded = sum(row["tokens"] / (1 - row["padding_share"]) for row in self.history)
        return {
            "epochs": self.progress.epoch,
            "steps": self.progress.steps,
            "seconds": seconds + sum(row["validation_seconds"] for row in self.history),
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "padding_share": 1 - tokens / padded,
        }


def check_bounds(**counts: int) -> None:
    """Every count is at least 1."""
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"trainer.{name}={count}: at least 1 is wanted here.")


def moving_average(decay: float) -> Callable[..., None]:
    """An exponential moving average that forgets its first steps sooner: by (1 + n) / (10 + n) while that is less."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))

    return update


def derive_seed(seed: int, epoch: int) -> int:
    """One seed an epoch, so that an epoch is the same whatever came before it in this process."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}".encode()).digest()[:7])
