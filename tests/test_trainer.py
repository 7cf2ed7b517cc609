"""The trainer's loop, on a model of one table: what every step, epoch, checkpoint and refusal does."""

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from data.batch import Batch, Ragged
from data.corpus import Batches, Codec, Corpus, DatasetReader
from data.errors import InputError
from training.checkpoint import load_checkpoint, save_checkpoint
from training.distributed import Processes
from training.evaluation import Evaluation
from training.folders import CHECKPOINTS, HISTORY, WEIGHTS
from training.loss import Loss
from training.model import TaskModel
from training.trainer import (
    DivergedError,
    EpochTotals,
    Progress,
    Trainer,
    check_identity,
    derive_seed,
    first_not_finite,
    moving_average,
    numbers,
    random_state,
    set_random_state,
)

TOKENS = 6  # of the vocabulary, with padding


class Row(NamedTuple):
    """Tokens, and a number to predict for each; 0 for one that is not scored."""

    tokens: tuple[int, ...]
    targets: tuple[int, ...]

    def content(self) -> tuple[str, str]:
        return str(self.tokens), str(self.targets)

    def stratum(self) -> None:
        return None


def numbered(number: int) -> Row:
    """A row of 1 to 4 tokens, of which the first two are scored."""
    places = range(1 + number % 4)
    targets = (1 + (number + 2 * place) % 3 if place < 2 else 0 for place in places)
    return Row(tuple(1 + (number + place) % 5 for place in places), tuple(targets))


TRAIN, VALIDATION = [numbered(row) for row in range(10)], [numbered(row) for row in range(3, 15)]
READ = sum(len(row.tokens) for row in TRAIN)


@dataclass(frozen=True)
class EncodedRows:
    tokens: Ragged
    targets: Ragged
    num_cut: int = 0

    @property
    def lengths(self) -> np.ndarray:
        return self.tokens.lengths

    @property
    def embedded(self) -> Ragged:
        return self.tokens

    def batch(self, rows: np.ndarray) -> Batch:
        tokens, mask = self.tokens.pad(rows)
        targets, _ = self.targets.pad(rows)
        return Batch(rows, tokens, mask, targets, targets > 0)


class RowCodec(Codec[Row]):
    example_type, max_length, sizes = Row, None, {}

    def fit(self, train: Sequence[Row]) -> None: ...

    def encode(self, examples: Sequence[Row]) -> EncodedRows:
        return EncodedRows(Ragged.of(row.tokens for row in examples), Ragged.of(row.targets for row in examples))

    def unlabelled(self, line: str) -> Row:
        return Row(tuple(map(int, line.split())), ())

    def decode(self, predictions: Sequence[Any]) -> list[Any]:
        return [("decoded", *prediction) for prediction in predictions]

    def save(self, directory: Path) -> None: ...

    def load(self, directory: Path) -> None: ...


@dataclass
class Rows(DatasetReader[Row]):
    splits: dict[str, list[Row]]
    name, example_type = "rows", Row

    def read_split(self, split: str) -> list[Row] | None:
        return self.splits.get(split)

    def origin(self) -> dict[str, Any]:
        return {}


class Table(TaskModel):
    """One number per token, its prediction; the loss is half the squared distance from the target.

    Args:
        dropout: of the numbers.
        most: the number of rows that fit into memory.
    """

    def __init__(self, dropout: float = 0.0, most: int = 10**9, error: Exception | None = None) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))  # a parameter without gradients
        self.values = nn.Parameter(torch.linspace(-1, 1, TOKENS))
        self.dropout = nn.Dropout(dropout)
        self.most, self.error = most, error or MemoryError("too large")
        self.batches: list[list[int]] = []  # the rows of all whose loss was asked for in training
        self.low_precision: set[bool] = set()

    def loss(self, batch: Batch) -> Loss:
        self.low_precision.add(torch.is_autocast_enabled("cpu"))
        if self.training:
            self.batches.append(batch.rows.tolist())
        if len(batch.rows) > self.most:
            raise self.error
        errors = (self.dropout(self.values[batch.tokens]) - batch.targets)[batch.target_mask]
        return Loss(errors.square().sum() / 2, len(errors))

    def predict(self, batch: Batch) -> list[Any]:
        return self.predicted("best", batch)

    def predict_greedy(self, batch: Batch) -> list[Any]:
        self.low_precision.add(torch.is_autocast_enabled("cpu"))
        return self.predicted("greedy", batch)

    def predicted(self, how: str, batch: Batch) -> list[tuple[str, list[float]]]:
        assert not self.training and not torch.is_grad_enabled()
        numbers = zip(self.values[batch.tokens], batch.mask, strict=True)
        return [(how, row[mask].tolist()) for row, mask in numbers]


class Scripted(Evaluation):
    """Scores that a test chooses, one dictionary for every call; the last one again and again."""

    def __init__(self, *script: dict[str, Any], tie_breakers: Sequence[str] = ()) -> None:
        self.script, self.tie_breakers = script, tie_breakers
        self.calls: list[tuple[list[Any], list[Row]]] = []

    def score(self, hypotheses: Sequence[Any], examples: Sequence[Row]) -> dict[str, Any]:
        self.calls.append((list(hypotheses), list(examples)))
        return self.script[min(len(self.calls), len(self.script)) - 1]


def accuracies(*values: float) -> Scripted:
    return Scripted(*({"accuracy": value, "per_class": {"a": value}} for value in values))


class Clock:
    """In place of ``time``: what passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now

    def runs_with(self, trainer: Trainer, step: float, validation: float = 0.0) -> None:
        """Every step takes so many seconds from now on, and every validation."""
        score = trainer.evaluation.score

        def scored(*arguments: Any) -> dict[str, Any]:
            self.now += validation
            return score(*arguments)

        def stepped(*_: object) -> None:
            self.now += step

        trainer.evaluation.score = scored  # type: ignore[method-assign]
        trainer.optimizer.register_step_post_hook(stepped)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the trainer, which stands still."""
    clock = Clock()
    monkeypatch.setattr("training.trainer.time", clock)
    return clock


IDENTITY = {"config_id": "c1", "seed": 1, "data": {"train": "abc"}}
OPTIONS: dict[str, Any] = {
    "precision": "fp32",
    "metric": "accuracy",
    "max_epochs": 2,
    "max_minutes": None,
    "patience": 99,
    "batch_tokens": 1000,
    "batch_sentences": 2,
    "clip_grad_norm": None,
    "average_decay": 0.0,
    "checkpoint_minutes": None,
    "checkpoint_steps": None,
}


def constant_rate(progress: float) -> float:
    return 1.0


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., Trainer]:
    """``trainer(model, evaluation, ...)``: a trainer of 5 steps an epoch with SGD at a constant rate of 0.1."""

    def make(
        model: Table | None = None,
        evaluation: Evaluation | None = None,
        schedule: Callable[[float], float] = constant_rate,
        train: Sequence[Row] = TRAIN,
        validation: Sequence[Row] = VALIDATION,
        seed: int = 1,
        lr: float = 0.1,
        momentum: float = 0.0,
        identity: dict[str, Any] | None = None,
        **options: Any,
    ) -> Trainer:
        model = model or Table()
        groups = [{"params": [model.values]}, {"params": [model.unused], "lr": 3 * lr}]
        return Trainer(
            model,
            Corpus(Rows({"train": list(train), "validation": list(validation)}), RowCodec()),
            evaluation or accuracies(0.1, 0.2, 0.3, 0.4),
            torch.optim.SGD(groups, lr=lr, momentum=momentum),
            schedule,
            tmp_path,
            torch.device("cpu"),
            seed,
            identity or IDENTITY,
            **(OPTIONS | options),
        )

    return make


Make = Callable[..., Trainer]


def mean_loss(values: Tensor, rows: Sequence[Row]) -> float:
    """The loss of one batch of all rows, by hand."""
    pairs = [pair for row in rows for pair in zip(row.tokens, row.targets, strict=True) if pair[1]]
    return sum((float(values[token]) - target) ** 2 / 2 for token, target in pairs) / len(pairs)


def gradient(values: Tensor, rows: Sequence[Row]) -> Tensor:
    """Of the same."""
    pairs = [pair for row in rows for pair in zip(row.tokens, row.targets, strict=True) if pair[1]]
    summed = torch.zeros(TOKENS)
    for token, target in pairs:
        summed[token] += values[token] - target
    return summed / len(pairs)


def values(trainer: Trainer) -> Tensor:
    return trainer.model.values.detach().clone()


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]


def saves(trainer: Trainer) -> list[tuple[int, int]]:
    """Epoch and step of every checkpoint that is saved from now on."""
    found: list[tuple[int, int]] = []
    save = trainer.save

    def saved() -> None:
        save()
        state = load_checkpoint(trainer.directory)
        assert state is not None
        found.append((state["progress"]["epoch"], state["progress"]["steps"]))

    trainer.save = saved  # type: ignore[method-assign]
    return found


# what is refused


@pytest.mark.parametrize("name", ["max_epochs", "patience", "batch_tokens", "batch_sentences", "checkpoint_steps"])
def test_a_number_of_less_than_one_is_refused_by_its_name(trainer: Make, name: str) -> None:
    for count in (0, -3):
        with pytest.raises(InputError, match=rf"^trainer\.{name}={count}: .*at least 1"):
            trainer(**{name: count})
    assert getattr(trainer(**{name: 1}), name) == 1


@pytest.mark.parametrize("name", ["max_minutes", "checkpoint_minutes", "clip_grad_norm"])
def test_a_limit_that_is_not_above_zero_is_refused_by_its_name(trainer: Make, name: str) -> None:
    for value in (0, -0.5, math.nan):
        with pytest.raises(InputError, match=rf"^trainer\.{name}={value}: .*greater than 0, or null"):
            trainer(**{name: value})
    assert getattr(trainer(**{name: 0.25}), name) == 0.25 and getattr(trainer(**{name: None}), name) is None


@pytest.mark.parametrize("decay", [-0.1, 1, 1.5, math.nan])
def test_a_decay_of_the_average_outside_its_range_is_refused(trainer: Make, decay: float) -> None:
    with pytest.raises(InputError, match=rf"^trainer\.average_decay={decay}: .*at least 0 and less than 1"):
        trainer(average_decay=decay)


def test_a_schedule_without_values_is_refused_before_anything_is_written(trainer: Make, tmp_path: Path) -> None:
    asked: list[float] = []

    def no_schedule(progress: float) -> float:
        asked.append(progress)
        raise InputError("no rate")

    with pytest.raises(InputError, match="no rate"):
        trainer(schedule=no_schedule)
    assert asked == [0.0] and not list(tmp_path.iterdir())


def test_the_precision_is_one_that_the_device_has(trainer: Make) -> None:
    assert trainer(precision="auto").precision in ("fp32", "bf16")
    with pytest.raises(InputError, match=r"trainer\.precision=fp8"):
        trainer(precision="fp8")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_losses_and_predictions_are_computed_in_the_precision(
    trainer: Make, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr("training.trainer.choose_precision", lambda name, device: name)
    for method in ("train_epoch", "check_metric", "validation_loss"):
        fitted = trainer(precision=precision)
        getattr(fitted, method)()
        assert fitted.model.low_precision == {precision == "bf16"}, method


# steps


def rates(trainer: Trainer) -> list[list[float]]:
    """The rates of every group of parameters at every step from now on."""
    found: list[list[float]] = []

    def record(optimizer: torch.optim.Optimizer, *_: object) -> None:
        found.append([group["lr"] for group in optimizer.param_groups])

    trainer.optimizer.register_step_pre_hook(record)
    return found


def test_the_schedule_gets_the_fraction_of_the_steps_and_scales_all_rates(trainer: Make) -> None:
    asked: list[float] = []

    def schedule(progress: float) -> float:
        asked.append(progress)
        return 1 - progress

    fitted = trainer(schedule=schedule)
    found = rates(fitted)
    fitted.fit()
    fractions = [step / 10 for step in range(10)]
    assert asked == pytest.approx([0.0, *fractions])
    assert found == [pytest.approx([0.1 * (1 - done), 0.3 * (1 - done)]) for done in fractions]
    assert [row["learning_rate"] for row in fitted.history] == pytest.approx([0.06, 0.01])  # of the last step


def test_the_schedule_goes_by_time_where_that_ends_the_training_sooner(trainer: Make, clock: Clock) -> None:
    asked: list[float] = []
    fitted = trainer(schedule=lambda progress: asked.append(progress) or 1.0, max_minutes=1, max_epochs=3)
    clock.runs_with(fitted, step=6, validation=9)
    fitted.fit()
    times = [0, 6, 12, 18, 24, 39, 45, 51, 57]  # validation after the fifth step
    assert asked[1:] == pytest.approx([second / 60 for second in times])
    assert fitted.progress.steps == 9 and fitted.summary()["out_of_time"] is True


def test_the_fraction_by_time_is_at_least_that_by_steps_and_at_most_one(trainer: Make) -> None:
    fitted = trainer(max_minutes=2)
    fitted.progress, fitted.totals = Progress(epoch=1), EpochTotals(batches=2, seconds=6.0)
    assert fitted.fraction_done(4) == pytest.approx(0.75)
    fitted.totals.seconds = 102.0
    assert fitted.fraction_done(4) == pytest.approx(0.85)
    fitted.totals.seconds = 240.0
    assert fitted.fraction_done(4) == 1.0


def test_a_step_follows_the_gradient_of_the_mean_over_predictions(trainer: Make) -> None:
    fitted = trainer(batch_sentences=10, max_epochs=1, lr=0.5)
    before = values(fitted)
    fitted.train_epoch()
    torch.testing.assert_close(values(fitted), before - 0.5 * gradient(before, TRAIN))
    assert fitted.model.unused.item() == 1.0


def test_gradients_of_earlier_steps_are_gone(trainer: Make) -> None:
    fitted = trainer(lr=0.5)
    expected = values(fitted)
    fitted.train_epoch()
    for rows in fitted.model.batches:
        expected = expected - 0.5 * gradient(expected, [TRAIN[row] for row in rows])
    torch.testing.assert_close(values(fitted), expected)


def test_a_gradient_is_clipped_to_the_norm_and_recorded_as_it_was(trainer: Make) -> None:
    fitted = trainer(batch_sentences=10, max_epochs=1, lr=0.5, clip_grad_norm=0.25)
    before = values(fitted)
    norm = gradient(before, TRAIN).norm().item()
    fitted.fit()
    assert norm > 0.25 and (values(fitted) - before).norm().item() == pytest.approx(0.5 * 0.25, rel=1e-4)
    assert fitted.history[0]["gradient_norm"] == pytest.approx(norm)
    assert fitted.history[0]["clipped_share"] == 1


@pytest.mark.parametrize("limit, share", [(None, 0.0), (1.0, 0.5), (0.5, 0.75), (2.5, 0.0)])
def test_the_clipped_share_counts_norms_above_the_limit(trainer: Make, limit: float | None, share: float) -> None:
    fitted = trainer(clip_grad_norm=limit)
    norms = [0.5, 1.0, 1.5, 2.5]
    for norm in norms:
        fitted.totals.count(tokens=3, positions=4, split=0)
        fitted.add([(torch.tensor(6.0), torch.tensor(norm), 3)])
    found = fitted.totals.row(0.1)
    assert found["clipped_share"] == share and found["gradient_norm"] == pytest.approx(sum(norms) / 4)
    assert found["train_loss"] == 2.0 and found["learning_rate"] == 0.1


@pytest.mark.parametrize("sentences", [1, 3, 10])
def test_the_loss_of_an_epoch_is_the_mean_over_predictions_whatever_the_batches(trainer: Make, sentences: int) -> None:
    fitted = trainer(lr=0.0, batch_sentences=sentences, max_epochs=1)
    fitted.fit()
    assert fitted.history[0]["train_loss"] == pytest.approx(mean_loss(values(fitted), TRAIN))
    assert fitted.history[0]["steps"] == math.ceil(10 / sentences)


def test_batches_have_at_most_so_many_tokens(trainer: Make) -> None:
    fitted = trainer(batch_tokens=4, batch_sentences=99)
    fitted.train_epoch()
    assert all(len(rows) * max(len(TRAIN[row].tokens) for row in rows) <= 4 for rows in fitted.model.batches)
    assert sorted(row for rows in fitted.model.batches for row in rows) == list(range(10))


ALLOCATION = RuntimeError("DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("error", [MemoryError("too large"), ALLOCATION, torch.OutOfMemoryError("too large")])
@pytest.mark.parametrize("sentences, most", [(2, 1), (3, 2), (10, 5)])
def test_a_batch_that_does_not_fit_is_trained_on_in_halves(
    trainer: Make, error: Exception, sentences: int, most: int
) -> None:
    whole, halves = (trainer(model, batch_sentences=sentences) for model in (Table(), Table(most=most, error=error)))
    for fitted in (whole, halves):
        fitted.train_epoch()
    torch.testing.assert_close(values(halves), values(whole))
    kept = ("train_loss", "gradient_norm", "steps", "tokens", "padding_share")
    found, expected = halves.totals.row(0.1), whole.totals.row(0.1)
    assert {name: found[name] for name in kept} == pytest.approx({name: expected[name] for name in kept})
    assert found["split_batches"] == sum(len(rows) > most for rows in whole.model.batches) > 0
    assert "split_batches" not in expected
    for rows in whole.model.batches:  # the whole batch, then its halves
        assert rows in halves.model.batches
        if len(rows) > most:
            place = halves.model.batches.index(rows)
            parts = halves.model.batches[place + 1 : place + 3]
            assert [len(part) for part in parts] == [len(rows) // 2, len(rows) - len(rows) // 2]
            assert [row for part in parts for row in part] == rows


def test_a_row_or_a_half_that_does_not_fit_ends_the_training(trainer: Make) -> None:
    for sentences, most in ((1, 0), (10, 4)):
        with pytest.raises(MemoryError, match="too large"):
            trainer(Table(most=most), batch_sentences=sentences).fit()


def test_memory_may_run_out_in_the_backward_pass(trainer: Make) -> None:
    fitted, whole, number = trainer(), trainer(), iter(range(99))

    def fail_first(gradient: Tensor) -> None:
        if next(number) == 0:
            raise ALLOCATION

    fitted.model.values.register_hook(fail_first)
    for one in (fitted, whole):
        one.train_epoch()
    torch.testing.assert_close(values(fitted), values(whole))
    assert fitted.totals.split == 1


def test_an_error_that_is_not_of_memory_is_no_reason_for_halves(trainer: Make) -> None:
    fitted = trainer(Table(most=1, error=RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        fitted.fit()
    assert len(fitted.model.batches) == 1


def test_a_share_without_rows_has_no_loss_and_no_gradient(trainer: Make) -> None:
    fitted = trainer()
    empty = fitted.corpus.splits["train"].encoded.batch(np.array([], dtype=np.int64))
    loss = fitted.backward([empty])
    assert loss.total.item() == 0 and loss.number == 0
    assert fitted.model.values.grad is None and fitted.model.batches == []


# the moving average


def test_the_average_forgets_its_first_steps_sooner() -> None:
    update = moving_average(0.5)
    for count, kept in ((1, 2 / 11), (2, 3 / 12), (7, 8 / 17), (8, 0.5), (1000, 0.5)):
        for number in (count, torch.tensor(count)):
            averaged = [torch.tensor([10.0, 20.0]), torch.tensor([10.0])]
            update(averaged, [torch.tensor([0.0, 0.0]), torch.tensor([0.0])], number)
            assert averaged[0].tolist() == pytest.approx([10 * kept, 20 * kept]), count
            assert averaged[1].tolist() == pytest.approx([10 * kept])


def test_the_average_is_what_is_scored_and_kept(trainer: Make, tmp_path: Path) -> None:
    fitted = trainer(average_decay=0.2, max_epochs=1)
    steps: list[Tensor] = []
    fitted.optimizer.register_step_post_hook(lambda *_: steps.append(values(fitted)))
    fitted.fit()
    average = steps[0]
    for number, step in enumerate(steps[1:], start=1):
        kept = min(0.2, (1 + number) / (10 + number))
        average = kept * average + (1 - kept) * step
    torch.testing.assert_close(fitted.evaluated.values.detach(), average)
    assert not torch.equal(average, values(fitted)) and fitted.evaluated is not fitted.model
    torch.testing.assert_close(load_file(tmp_path / WEIGHTS)["values"], average)
    hypotheses, examples = fitted.evaluation.calls[0]
    for (_, _, predicted), example in zip(hypotheses, examples, strict=True):
        assert predicted == pytest.approx([average[token].item() for token in example.tokens])


def test_without_a_decay_the_weights_themselves_are_kept(trainer: Make, tmp_path: Path) -> None:
    fitted = trainer(max_epochs=1)
    fitted.fit()
    assert fitted.evaluated is fitted.model and fitted.average is None
    assert torch.equal(load_file(tmp_path / WEIGHTS)["values"], values(fitted))


# epochs


@pytest.mark.parametrize(
    "patience, scores, epochs, best",
    [
        (2, [0.1, 0.5, 0.4, 0.3, 0.9], 4, 2),
        (1, [0.5, 0.4, 0.9], 2, 1),
        (2, [0.5, 0.4, 0.6, 0.5, 0.5, 0.9], 5, 3),
        (2, [0.4, 0.5, 0.5, 0.5, 0.9], 4, 2),  # an equal score is no better one
        (9, [0.3, 0.2, 0.4, 0.1, 0.1, 0.1, 0.1], 7, 3),
    ],
)
def test_patience_ends_the_training_and_the_best_weights_are_put_back(
    trainer: Make, tmp_path: Path, patience: int, scores: list[float], epochs: int, best: int
) -> None:
    fitted = trainer(Table(), accuracies(*scores), patience=patience, max_epochs=7)
    after: list[Tensor] = []
    fitted.on_epoch = lambda row: after.append(values(fitted))
    fitted.fit()
    assert fitted.progress.epoch == len(fitted.history) == epochs
    assert (fitted.progress.best_epoch, fitted.progress.best_score) == (best, scores[best - 1])
    assert torch.equal(values(fitted), after[best - 1])
    assert torch.equal(load_file(tmp_path / WEIGHTS)["values"], after[best - 1])
    assert fitted.progress.steps == 5 * epochs


def test_weights_that_were_changed_on_disk_are_not_put_back(trainer: Make, tmp_path: Path) -> None:
    fitted = trainer()
    fitted.on_epoch = lambda row: (tmp_path / WEIGHTS).write_bytes(b"others")
    with pytest.raises(InputError, match="damaged"):
        fitted.fit()


def test_every_row_of_the_history_is_written_and_handed_on(trainer: Make, tmp_path: Path) -> None:
    fitted, received = trainer(), []
    fitted.on_epoch = lambda row: received.append((row, history(tmp_path), load_checkpoint(tmp_path)))
    fitted.fit()
    assert [row["epoch"] for row, *_ in received] == [1, 2]
    for number, (row, written, state) in enumerate(received, start=1):
        assert written[-1] == row and len(written) == number  # the checkpoint and the history are on disk before
        assert state["progress"]["epoch"] == number and state["history"][-1] == row
        assert state["totals"] == asdict(EpochTotals())


def test_a_row_has_the_numbers_of_its_epoch(trainer: Make, clock: Clock) -> None:
    fitted = trainer(Table(), accuracies(0.25, 0.5), lr=0.0, batch_sentences=3)
    clock.runs_with(fitted, step=3, validation=7)
    fitted.fit()
    positions = [sum(len(rows) * max(len(TRAIN[row].tokens) for row in rows) for rows in epoch) for epoch in
                 (fitted.model.batches[:4], fitted.model.batches[4:])]  # fmt: skip
    for row, padded, accuracy in zip(fitted.history, positions, (0.25, 0.5), strict=True):
        assert row["validation"] == {"accuracy": accuracy}  # without tables
        assert (row["steps"], row["tokens"], row["seconds"], row["validation_seconds"]) == (4, READ, 12, 7)
        assert row["padding_share"] == pytest.approx(1 - READ / padded)
        assert row["train_loss"] == pytest.approx(mean_loss(values(fitted), TRAIN))
        assert row["learning_rate"] == 0.0 and row["clipped_share"] == 0
    assert fitted.seconds == 2 * (12 + 7)


def test_the_summary_adds_up_all_epochs(trainer: Make, clock: Clock) -> None:
    fitted = trainer(Table(most=2), batch_sentences=3)
    clock.runs_with(fitted, step=3, validation=7)
    fitted.fit()
    found = fitted.summary()
    positions = sum(row["tokens"] / (1 - row["padding_share"]) for row in fitted.history)
    assert found == {
        "epochs": 2,
        "steps": 8,
        "seconds": 2 * (12 + 7),
        "tokens": 2 * READ,
        "tokens_per_second": 2 * READ / 24,
        "padding_share": pytest.approx(1 - 2 * READ / positions),
        "split_batches": sum(row["split_batches"] for row in fitted.history),
    }
    assert found["split_batches"] == 6  # of 10 rows in batches of 3, one has only 1
    whole = trainer()
    clock.runs_with(whole, step=3)
    whole.fit()
    assert not {"split_batches", "out_of_time"} & whole.summary().keys()


def test_a_time_limit_ends_an_epoch_and_leaves_a_row_of_what_was_done(
    trainer: Make, clock: Clock, tmp_path: Path
) -> None:
    fitted = trainer(max_minutes=1, max_epochs=9)
    clock.runs_with(fitted, step=10, validation=1)
    fitted.fit()
    assert [(row["steps"], row["seconds"]) for row in history(tmp_path)] == [(5, 50), (1, 10)]
    assert fitted.history[1]["tokens"] == sum(len(TRAIN[row].tokens) for row in fitted.model.batches[5])
    found = fitted.summary()
    assert (found["epochs"], found["steps"], found["seconds"], found["out_of_time"]) == (2, 6, 62, True)


def test_a_time_limit_that_is_reached_exactly_has_ended_the_training(trainer: Make, clock: Clock) -> None:
    fitted = trainer(max_minutes=1, max_epochs=9)
    clock.runs_with(fitted, step=10, validation=10)
    fitted.fit()
    assert fitted.progress.steps == 5 and fitted.out_of_time


@pytest.mark.parametrize("seed", [1, 2])
def test_an_epoch_has_an_order_and_a_dropout_of_its_own(trainer: Make, seed: int) -> None:
    def trained(epoch: int) -> tuple[list[list[int]], list[float]]:
        fitted = trainer(Table(dropout=0.5), seed=seed)
        fitted.progress.epoch = epoch
        torch.manual_seed(epoch + 99)  # whatever was drawn before
        fitted.train_epoch()
        return fitted.model.batches, values(fitted).tolist()

    first, again, second = trained(0), trained(0), trained(1)
    assert first == again and first[0] != second[0]


def test_dropout_is_drawn_anew_in_every_epoch(trainer: Make) -> None:
    def trained(epoch: int) -> list[float]:
        fitted = trainer(Table(dropout=0.5), batch_sentences=10)  # one batch, of the same rows
        fitted.progress.epoch = epoch
        fitted.train_epoch()
        return values(fitted).tolist()

    assert trained(0) == trained(0) != trained(1)


def test_seeds_of_epochs_differ_and_stay_what_they_are() -> None:
    seeds = {derive_seed(seed, epoch) for seed in range(12) for epoch in range(12)}
    assert len(seeds) == 144 and all(0 <= seed < 2**56 for seed in seeds)
    assert derive_seed(1, 0) == 46839604361483643 and derive_seed(7, 3) == 4816069768302546  # of recorded runs


# which epoch is kept


def tied(**scores: Sequence[float]) -> Scripted:
    rows = zip(*scores.values(), strict=True)
    return Scripted(*(dict(zip(scores, row, strict=True)) for row in rows), tie_breakers=("macro_f1",))


def test_the_metric_selects_and_its_score_is_named(trainer: Make, caplog: pytest.LogCaptureFixture) -> None:
    fitted = trainer(evaluation=tied(accuracy=[0.1, 0.4, 0.3], macro_f1=[0.9, 0.2, 0.3]), max_epochs=3)
    fitted.fit()
    assert fitted.metrics == ["accuracy", "macro_f1"]
    assert fitted.selection() == {"metric": "accuracy", "epoch": 2, "score": 0.4}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_metric_that_is_its_own_tie_breaker_ranks_once(trainer: Make) -> None:
    assert trainer(metric="macro_f1", evaluation=tied(macro_f1=[0.5])).metrics == ["macro_f1"]


def test_where_the_metric_is_constant_a_tie_breaker_selects(trainer: Make, caplog: pytest.LogCaptureFixture) -> None:
    fitted = trainer(evaluation=tied(accuracy=[0.0, 0.0, 0.0], macro_f1=[0.1, 0.6, 0.3]), max_epochs=3)
    fitted.fit()
    assert fitted.progress.best_epoch == 2
    assert fitted.selection() == {
        "metric": "macro_f1",
        "epoch": 2,
        "score": 0.6,
        "requested_metric": "accuracy",
        "decided_by": "macro_f1",
    }
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("Validation accuracy was the same in all epochs")
    assert "macro_f1 selected epoch 2" in warning


def test_where_all_metrics_are_constant_the_validation_loss_selects(trainer: Make, tmp_path: Path) -> None:
    fitted = trainer(Table(most=3), tied(accuracy=[0.25], macro_f1=[0.5]), max_epochs=3, lr=0.3)
    losses: list[float] = []
    fitted.on_epoch = lambda row: losses.append(mean_loss(values(fitted), VALIDATION))
    fitted.fit()
    assert [row["validation_loss"] for row in history(tmp_path)] == pytest.approx(losses)
    best = losses.index(min(losses)) + 1
    assert fitted.progress.best_epoch == best
    assert fitted.selection() == {
        "metric": "accuracy",
        "epoch": best,
        "score": 0.25,
        "requested_metric": "accuracy",
        "decided_by": "validation_loss",
    }


def test_the_validation_loss_is_computed_while_no_epoch_differs(trainer: Make) -> None:
    fitted = trainer(evaluation=tied(accuracy=[0.1, 0.1, 0.2, 0.2], macro_f1=[0.5] * 4), max_epochs=4)
    fitted.fit()
    assert ["validation_loss" in row for row in fitted.history] == [True, True, False, False]


@pytest.mark.parametrize("most", [1, 3, 5, 99])
def test_the_validation_loss_is_a_mean_over_predictions_in_halves_too(trainer: Make, most: int) -> None:
    fitted = trainer(Table(most=most), batch_sentences=7)
    assert fitted.validation_loss() == pytest.approx(mean_loss(values(fitted), VALIDATION))
    assert not fitted.model.training


def test_a_validation_row_that_does_not_fit_ends_the_training(trainer: Make) -> None:
    with pytest.raises(MemoryError, match="too large"):
        trainer(Table(most=0)).validation_loss()


# scores and predictions


def test_a_split_is_predicted_in_its_order_and_scored_by_greedy_predictions(trainer: Make) -> None:
    fitted = trainer()
    expected = [[values(fitted)[token].item() for token in row.tokens] for row in VALIDATION]
    assert fitted.predict("validation") == [("decoded", "best", numbers) for numbers in expected]
    assert fitted.predict("validation", greedy=True) == [("decoded", "greedy", numbers) for numbers in expected]
    assert fitted.score("validation") == {"accuracy": 0.1, "per_class": {"a": 0.1}}
    assert fitted.evaluation.calls == [([("decoded", "greedy", numbers) for numbers in expected], VALIDATION)]
    fitted.score("train")
    assert fitted.evaluation.calls[1][1] == TRAIN


@pytest.mark.parametrize("limit, largest", [("batch_tokens", 3), ("batch_sentences", 4)])  # of 3 rows of one token
def test_predictions_are_made_in_batches_of_the_training(trainer: Make, limit: str, largest: int) -> None:
    fitted = trainer(**({"batch_tokens": 999, "batch_sentences": 999} | {limit: 4}))
    sizes: list[int] = []
    predict = fitted.model.predict_greedy
    fitted.model.predict_greedy = lambda batch: sizes.append(len(batch.rows)) or predict(batch)
    fitted.score("validation")
    assert sum(sizes) == 12 and max(sizes) == largest


def test_a_metric_is_found_in_the_scores_of_a_few_examples(trainer: Make) -> None:
    fitted = trainer()
    fitted.check_metric()
    ((hypotheses, examples),) = fitted.evaluation.calls
    assert examples == VALIDATION[:8] and [how for _, how, _ in hypotheses] == ["greedy"] * 8
    short = trainer(validation=VALIDATION[:3])
    short.check_metric()
    assert short.evaluation.calls[0][1] == VALIDATION[:3]


def test_a_metric_of_certain_examples_is_found_in_the_scores_of_all(trainer: Make) -> None:
    fitted = trainer(evaluation=Scripted({"other": 1.0}, {"accuracy": 1, "other": 1.0}))
    fitted.check_metric()
    assert [len(examples) for _, examples in fitted.evaluation.calls] == [8, 12]


def test_a_metric_that_is_no_number_is_refused_with_those_that_are(trainer: Make) -> None:
    scores = {"accuracy": {"a": 1.0}, "bleu": 3.5, "count": 7, "signature": "v1"}
    with pytest.raises(InputError, match=r"^trainer\.metric=accuracy: .* bleu, count\.$"):
        trainer(evaluation=Scripted(scores)).check_metric()
    assert numbers(scores) == {"bleu": 3.5, "count": 7}


# checkpoints


def test_checkpoints_are_saved_after_so_many_steps_and_at_the_end_of_an_epoch(trainer: Make) -> None:
    fitted = trainer(checkpoint_steps=2)
    found = saves(fitted)
    fitted.fit()
    assert found == [(0, 2), (0, 4), (1, 5), (1, 7), (1, 9), (2, 10)]


def test_an_epoch_that_ends_where_a_checkpoint_is_due_saves_one(trainer: Make) -> None:
    fitted = trainer(checkpoint_steps=5)
    found = saves(fitted)
    fitted.fit()
    assert found == [(1, 5), (2, 10)]


def test_checkpoints_are_saved_after_so_many_minutes(trainer: Make, clock: Clock) -> None:
    fitted = trainer(checkpoint_minutes=2, batch_sentences=1)  # 10 steps an epoch
    clock.runs_with(fitted, step=40, validation=500)
    found = saves(fitted)
    fitted.fit()
    assert found == [(0, 3), (0, 6), (0, 9), (1, 10), (1, 13), (1, 16), (1, 19), (2, 20)]


def test_without_a_time_or_a_number_of_steps_checkpoints_end_epochs(trainer: Make, clock: Clock) -> None:
    fitted = trainer()
    clock.runs_with(fitted, step=1e6)
    found = saves(fitted)
    fitted.fit()
    assert found == [(1, 5), (2, 10)]


class StopError(Exception):
    """Raised in the place of a step."""


def stop_at(trainer: Trainer, step: int) -> None:
    """Let a step fail, counted from 1 over all epochs."""

    def stop(*_: object) -> None:
        if trainer.progress.steps == step - 1:
            raise StopError

    trainer.optimizer.register_step_pre_hook(stop)


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("step", [3, 4, 6, 7, 8, 10])
def test_a_training_that_was_cut_goes_on_to_the_same_bits(
    trainer: Make, clock: Clock, tmp_path: Path, step: int, decay: float
) -> None:
    def make() -> Trainer:
        model = Table(dropout=0.5)
        fitted = trainer(model, tied(accuracy=[0.5], macro_f1=[0.5]), momentum=0.9, average_decay=decay,
                         checkpoint_steps=2, schedule=lambda progress: 1 - progress, clip_grad_norm=0.5)  # fmt: skip
        clock.runs_with(fitted, step=2, validation=3)
        return fitted

    def outcome(fitted: Trainer) -> tuple[Any, ...]:
        files = (tmp_path / WEIGHTS).read_bytes(), (tmp_path / HISTORY).read_text()
        return values(fitted).tolist(), fitted.evaluated.values.tolist(), fitted.progress, fitted.history, *files

    whole = make()
    whole.fit()
    expected = outcome(whole)
    for name in CHECKPOINTS:
        (tmp_path / name).unlink()
    cut = make()
    stop_at(cut, step)
    with pytest.raises(StopError):
        cut.fit()
    (tmp_path / HISTORY).write_text("behind\n")
    torch.manual_seed(0)
    resumed = make()
    assert resumed.resume() is True
    assert resumed.progress.steps == {3: 2, 4: 2, 6: 5, 7: 5, 8: 7, 10: 9}[step]
    assert history(tmp_path) == resumed.history
    resumed.fit()
    assert outcome(resumed) == expected


def test_without_a_checkpoint_there_is_nothing_to_resume(trainer: Make, tmp_path: Path) -> None:
    fitted = trainer()
    assert fitted.resume() is False
    assert not list(tmp_path.iterdir()) and fitted.progress == Progress()


@pytest.mark.parametrize("key, name", [("config_id", "config"), ("seed", "seed"), ("data", "data")])
def test_a_checkpoint_of_another_identity_is_refused_and_nothing_is_changed(
    trainer: Make, tmp_path: Path, key: str, name: str
) -> None:
    trainer().fit()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = trainer(identity=IDENTITY | {key: "other"})
    weights = values(other)
    with pytest.raises(InputError, match=rf"^{tmp_path} has an unfinished run of other {name}: "):
        other.resume()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert other.progress == Progress() and other.history == [] and torch.equal(values(other), weights)


def test_a_checkpoint_without_an_identity_is_refused(trainer: Make, tmp_path: Path) -> None:
    save_checkpoint({"progress": {"epoch": 1}}, tmp_path)
    with pytest.raises(InputError, match="unfinished run of other config"):
        trainer().resume()


def test_an_identity_is_the_same_by_three_entries_alone(tmp_path: Path) -> None:
    check_identity(IDENTITY | {"more": 1}, IDENTITY | {"less": 2}, tmp_path)
    check_identity({}, {}, tmp_path)
    for key in IDENTITY:
        known = {name: value for name, value in IDENTITY.items() if name != key}
        for saved, current in ((known, IDENTITY), (IDENTITY, known)):
            with pytest.raises(InputError, match="unfinished run of other"):
                check_identity(saved, current, tmp_path)


def test_the_random_state_of_a_device_is_kept_beside_that_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    device, states = torch.device("cuda", 1), {}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.full((2,), device.index))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update({device: state.tolist()}))
    saved, alone = random_state(device), random_state(torch.device("cpu"))
    drawn = torch.rand(3)
    assert saved.keys() == {"cpu", "cuda"} and alone.keys() == {"cpu"}
    set_random_state(alone, torch.device("cpu"))
    assert torch.equal(torch.rand(3), drawn) and states == {}
    set_random_state(saved, device)
    assert torch.equal(torch.rand(3), drawn) and states == {device: [1, 1]}


# what is not finite


LONG = [numbered(row) for row in range(25)]  # losses are read after 20 steps, and at the end


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("step, found", [(1, 20), (7, 20), (20, 20), (21, 25), (25, 25)])
def test_a_loss_that_is_not_finite_is_named_by_epoch_and_batch(
    trainer: Make, bad: float, step: int, found: int
) -> None:
    fitted = trainer(train=LONG, batch_sentences=1)
    loss = fitted.model.loss

    def poisoned(batch: Batch) -> Loss:
        given = loss(batch)
        return given._replace(total=given.total * 0 + bad) if len(fitted.model.batches) == step else given

    fitted.model.loss = poisoned  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match=rf"^The loss became NaN or infinite in epoch 1, batch {step}\b"):
        fitted.fit()
    assert fitted.progress.steps == found


def test_a_gradient_that_is_not_finite_is_named_with_its_parameter(trainer: Make) -> None:
    fitted = trainer(max_epochs=3)
    fitted.progress.epoch = 1
    fitted.model.values.register_hook(lambda gradient: gradient / 0 if len(fitted.model.batches) == 4 else gradient)
    with pytest.raises(DivergedError, match=r"^The gradient became .* in epoch 2, batch 4, first in values:"):
        fitted.train_epoch()


def test_weights_that_are_not_finite_are_found_before_they_are_scored(trainer: Make, tmp_path: Path) -> None:
    fitted = trainer()

    def overflow(*_: object) -> None:
        if fitted.totals.batches == 5:
            fitted.model.unused.data.fill_(math.inf)

    fitted.optimizer.register_step_post_hook(overflow)
    with pytest.raises(DivergedError, match=r"^The weights became .* in epoch 1, batch 5, first in unused:"):
        fitted.fit()
    assert fitted.evaluation.calls == [] and not list(tmp_path.iterdir())


def test_an_average_that_is_not_finite_is_found_too(trainer: Make) -> None:
    fitted = trainer(average_decay=0.9)
    fitted.train_epoch()
    fitted.evaluated.values.data.fill_(math.nan)
    with pytest.raises(DivergedError, match=r"^The weights became .* in epoch 1, batch 5: "):
        fitted.check_weights()


def test_a_validation_loss_that_is_not_finite_ends_the_training(trainer: Make) -> None:
    fitted = trainer(lr=0.0)
    fitted.model.values.data.fill_(1e30)
    fitted.totals.batches = 5
    with pytest.raises(DivergedError, match=r"^The validation loss became .* in epoch 1, batch 5"):
        fitted.validation_loss()


def test_what_to_change_depends_on_what_is_in_force(trainer: Make) -> None:
    assert "lower optimizer.lr (now 0.025) or turn clipping on" in str(trainer(lr=0.025).diverged("loss", 1))
    clipped = str(trainer(clip_grad_norm=1.0).diverged("loss", 1))
    assert "optimizer.lr (now 0.1) or clip harder" in clipped and "first in" not in clipped


def test_the_first_parameter_that_is_not_finite_is_named() -> None:
    model = Table()
    assert first_not_finite(model) is None
    model.values.grad = torch.zeros(TOKENS)
    assert first_not_finite(model) is None
    model.values.grad[2] = -math.inf
    assert first_not_finite(model) == "values"
    model.unused.data.fill_(math.nan)
    assert first_not_finite(model) == "unused"


# what is shown


@dataclass
class Bar:
    """A stand-in for the bar of an epoch that records its calls."""

    title: str
    steps: int
    shown: bool
    told: list[Any] = field(default_factory=list)

    def __enter__(self) -> "Bar":
        bars.append(self)
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, loss: float, tokens_per_second: float) -> None:
        self.told.append((loss, tokens_per_second))

    def advance(self, steps: int = 1) -> None:
        self.told.append(steps)


bars: list[Bar] = []


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Bar]]:
    """The bars of all epochs."""
    monkeypatch.setattr("training.trainer.EpochBar", Bar)
    yield bars
    bars.clear()


def test_the_bar_of_an_epoch_shows_loss_and_speed_whenever_losses_are_read(
    trainer: Make, clock: Clock, shown: list[Bar]
) -> None:
    fitted = trainer(train=LONG, batch_sentences=1, lr=0.0, max_epochs=2)
    clock.runs_with(fitted, step=0.5)
    fitted.fit()
    assert [(bar.title, bar.steps, bar.shown) for bar in shown] == [("epoch 1/2", 25, True), ("epoch 2/2", 25, True)]
    first = [LONG[row] for (row,) in fitted.model.batches[:20]]
    middle = (mean_loss(values(fitted), first), sum(len(row.tokens) for row in first) / 10)
    end = (mean_loss(values(fitted), LONG), sum(len(row.tokens) for row in LONG) / 12.5)
    told = [0, *[1] * 19, pytest.approx(middle), *[1] * 5, pytest.approx(end), 1]
    assert shown[0].told == told


def test_the_bar_of_a_resumed_epoch_starts_where_it_was(trainer: Make, clock: Clock, shown: list[Bar]) -> None:
    cut = trainer(checkpoint_steps=2, lr=0.0)
    clock.runs_with(cut, step=1)
    stop_at(cut, 4)
    with pytest.raises(StopError):
        cut.fit()
    assert shown[0].told == [0, 1, shown[0].told[2], 1, 1] and shown[0].told[2][1] > 0  # shown at the checkpoint
    resumed = trainer(lr=0.0)
    clock.runs_with(resumed, step=1)
    resumed.resume()
    resumed.train_epoch()
    assert shown[1].told[:3] == [2, 1, 1] and shown[1].steps == 5
    assert shown[1].told[3] == pytest.approx((mean_loss(values(resumed), TRAIN), READ / 5))


def test_an_epoch_is_one_line_of_the_log(trainer: Make, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = LONG * 20
    fitted = trainer(
        evaluation=accuracies(0.51239, 0.25), train=rows, lr=0.0, batch_tokens=10**6, batch_sentences=10**6
    )
    clock.runs_with(fitted, step=0.75)
    fitted.fit()
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    loss, tokens = f"loss {mean_loss(values(fitted), LONG):.4f}", sum(len(row.tokens) for row in rows)
    assert lines == [
        f"epoch 1/2  {loss}  accuracy 0.5124 (best)  0.8 s  {tokens / 0.75:,.0f} tokens/s",
        f"epoch 2/2  {loss}  accuracy 0.2500  0.8 s  {tokens / 0.75:,.0f} tokens/s",
    ]
    assert tokens / 0.75 > 1000


# several processes


class Second(Processes):
    """The second process of two, to which the first one gives ``given``."""

    rank, size = 1, 2

    def __init__(self, *given: Any) -> None:
        self.given, self.sent = list(given), []

    def broadcast(self, value: Any) -> Any:
        self.sent.append(value)
        return self.given.pop(0)


def test_a_process_that_is_not_the_first_trains_and_leaves_the_rest_to_it(
    trainer: Make, tmp_path: Path, shown: list[Bar]
) -> None:
    fitted, rows = trainer(checkpoint_steps=2), [{"epoch": 1}]
    fitted.processes = Second((Progress(epoch=2, best_epoch=2), EpochTotals(), rows))
    fitted.fit()
    assert len(fitted.model.batches) == 5 and fitted.progress == Progress(epoch=2, best_epoch=2)
    assert fitted.history == rows and fitted.totals == EpochTotals()
    assert fitted.evaluation.calls == [] and not list(tmp_path.iterdir())
    assert shown[0].shown is False


def test_a_process_that_is_not_the_first_resumes_from_what_the_first_has_read(trainer: Make, tmp_path: Path) -> None:
    cut = trainer(checkpoint_steps=2, average_decay=0.5)
    stop_at(cut, 4)
    with pytest.raises(StopError):
        cut.fit()
    state = load_checkpoint(tmp_path)
    resumed, nothing = trainer(average_decay=0.5), trainer()
    resumed.processes, nothing.processes = Second(state), Second(None)
    assert resumed.resume() is True and nothing.resume() is False
    assert resumed.processes.sent == nothing.processes.sent == [None] and resumed.progress.steps == 2
    assert not (tmp_path / HISTORY).exists()


class Shares(Processes):
    """One of two processes whose other one has the same share of every batch."""

    def __init__(self) -> None:
        self.seeds: list[tuple[int, int]] = []
        self.reduced: list[tuple[nn.Module, Loss, list[int]]] = []

    def shard(self, batches: Batches) -> Batches:
        return replace(batches, rows=[rows[:1] for rows in batches.rows])

    def seed_step(self, seed: int, step: int) -> None:
        self.seeds.append((seed, step))

    def reduce(self, model: nn.Module, loss: Loss, counts: Sequence[int]) -> tuple[Loss, list[int]]:
        self.reduced.append((model, loss, list(counts)))
        return Loss(2 * loss.total, 2 * loss.number), [2 * count for count in counts]

    def broadcast_number(self, value: float) -> float:
        return 100 + value


def test_steps_are_shared_seeded_and_added_up_over_processes(trainer: Make, clock: Clock) -> None:
    fitted = trainer(lr=0.0)
    clock.runs_with(fitted, step=1)
    fitted.processes = shares = Shares()
    found = fitted.train_epoch()
    rows = [TRAIN[row] for (row,) in fitted.model.batches]
    tokens = sum(len(row.tokens) for row in rows)
    assert shares.seeds == [(derive_seed(1, 0), step) for step in range(5)]
    assert all(model is fitted.model for model, *_ in shares.reduced)
    assert [counts for *_, counts in shares.reduced] == [[len(row.tokens), len(row.tokens), False] for row in rows]
    assert (found["tokens"], found["steps"], found["seconds"]) == (2 * tokens, 5, 105)
    assert found["train_loss"] == pytest.approx(mean_loss(values(fitted), rows)) and found["padding_share"] == 0
    assert fitted.totals.predictions == 2 * sum(target > 0 for row in rows for target in row.targets)


def test_a_batch_that_several_processes_split_counts_once() -> None:
    totals = EpochTotals()
    for split in (0, 1, 2):
        totals.count(tokens=5, positions=8, split=split)
    assert (totals.batches, totals.tokens, totals.positions, totals.split) == (3, 15, 24, 2)
