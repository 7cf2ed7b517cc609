"""How gradients flow back through time: the norm of dLoss/dh_t by its distance from the loss, gates, and clipping.

A recorder measures before and after a training, on sequences of the validation split. It calls ``Cell.step`` in place
of fused kernels, so that every state is part of the graph and its gradient is exact. Parameters, their gradients and
random states stay as they are: a run with a recorder trains the same bits as one without.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from data.batch import Batch
from data.errors import InputError
from data.writing import write_json
from models.cells.base import Cell, State
from training.model import TaskModel
from training.plots import gradients_by_distance
from training.trainer import Trainer

FILE, PICTURE = "recorder.json", "gradients_by_distance.png"
START, END = "start", "end"
SATURATED = 0.1  # a gate is saturated below this and above 1 minus this (Karpathy et al., 2016)
BAND = (0.1, 0.9)  # quantiles over sequences

Row = dict[str, Any]


@dataclass
class Recorder:
    """Measures a model before and after its training: ``recorder.json`` and ``gradients_by_distance.png``.

    Args:
        examples: the number of sequences, the longest of the validation split.
    """

    examples: int

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise InputError(f"recorder.examples={self.examples}: must be at least 1.")

    def start(self, trainer: Trainer) -> None:
        """Measure the model that has not been trained; one that is resumed keeps what was measured before."""
        if not trainer.progress.steps:
            write_json(trainer.directory / FILE, self.measure(trainer, trainer.model, START))

    def end(self, trainer: Trainer) -> None:
        """Measure the weights that are kept, and write all rows and the picture."""
        rows = read(trainer.directory / FILE)
        for kind, found in self.measure(trainer, trainer.evaluated, END).items():
            rows[kind] = rows.get(kind, []) + found
        rows["clipping"] = [
            {name: epoch[name] for name in ("epoch", "gradient_norm", "clipped_share")} for epoch in trainer.history
        ]
        write_json(trainer.directory / FILE, rows)
        if rows["gradients"]:
            gradients_by_distance(rows["gradients"], trainer.directory / PICTURE)

    def measure(self, trainer: Trainer, model: TaskModel, moment: str) -> dict[str, list[Row]]:
        """The rows ``gradients`` and ``gates`` of a model."""
        encoded = trainer.corpus.splits["validation"].encoded
        lengths = encoded.lengths.reshape(len(encoded.lengths), -1)[:, 0]
        batch = encoded.batch(lengths.argsort(kind="stable")[-self.examples :])
        training = model.training
        with torch.random.fork_rng(), stepping(model.eval()) as cells:
            measured = backward(model, batch.to(trainer.device), cells)
        model.train(training)
        return {kind: [{"moment": moment, **row} for row in rows] for kind, rows in measured.items()}


def read(path: Path) -> dict[str, list[Row]]:
    """The rows of an earlier measurement; none where there is no whole file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def backward(model: TaskModel, batch: Batch, cells: "dict[str, RecordedCell]") -> dict[str, list[Row]]:
    """The rows of a model whose cells are stepped through: gradients of the loss of the last target."""
    loss = model.loss_at_last(batch).total
    ran = {name: cell for name, cell in cells.items() if cell.states}
    states = [entry for cell in ran.values() for state in cell.states for entry in state if entry.requires_grad]
    rows: dict[str, list[Row]] = {"gradients": [], "gates": []}
    gradients = iter(torch.autograd.grad(loss, states, materialize_grads=True) if states else ())
    for name, cell in ran.items():
        found = [
            [(next(gradients) if entry.requires_grad else torch.zeros_like(entry)).double() for entry in state]
            for state in cell.states
        ]
        rows["gradients"] += [{"cell": name, **row} for row in cell.rows(found)]
        rows["gates"] += [{"cell": name, **row} for row in cell.gates.rows()]
    return rows


@contextmanager
def stepping(model: nn.Module) -> "Iterator[dict[str, RecordedCell]]":
    """Within it, the encoder's cells run step by step and keep what they compute."""
    modules = {name: module for name, module in model.named_modules() if isinstance(module, Cell)}
    outermost = {name: cell for name, cell in modules.items() if name.rpartition(".")[0] not in modules}
    cells = {name: RecordedCell(cell) for name, cell in outermost.items()}
    try:
        for recorded in cells.values():
            recorded.cell.scan, recorded.cell.step = recorded.scan, recorded.step  # type: ignore[method-assign]
            recorded.cell.scan_layer = Cell.scan_layer  # type: ignore[method-assign]  # which calls ``scan``
        yield cells
    finally:
        for recorded in cells.values():
            del recorded.cell.scan, recorded.cell.step, recorded.cell.scan_layer


@dataclass
class RecordedCell:
    """The states that a cell went through in its last ``scan``."""

    cell: Cell
    states: list[State] = field(default_factory=list)
    mask: Tensor = field(default_factory=lambda: torch.ones(0, 0, dtype=torch.bool))  # [B, T], in the order of steps
    gates: "Gates" = field(default_factory=lambda: Gates())
    running: bool = False

    def __post_init__(self) -> None:
        self.own_step: Callable[..., State] = self.cell.step
        self.loop = partial(Cell.scan, self.cell)

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        """The loop that every cell inherits, in place of the cell's own kernel."""
        self.states, self.gates, self.running = [], Gates(), True
        self.mask = mask.flip(1) if reverse else mask
        try:
            return self.loop(inputs, mask, state, reverse)
        finally:
            self.running = False

    def step(self, projected: Tensor, state: State) -> State:
        if not self.running:  # a decoder steps on its own
            return self.own_step(projected, state)
        with self.gates.of(self.mask[:, len(self.states)]):
            new = self.own_step(projected, state)
        self.states.append(new)
        return new

    def rows(self, gradients: list[list[Tensor]]) -> list[Row]:
        """Norms by distance, from the gradient [B, features] of every entry of the state of every step.

        ``hidden`` is the norm for h_t alone, ``state`` that for all that the cell carries: an LSTM's cell state too.
        """
        norms = {
            "hidden": torch.stack([entries[0].norm(dim=1) for entries in gradients], dim=1),
            "state": torch.stack([torch.cat(entries, dim=1).norm(dim=1) for entries in gradients], dim=1),
        }
        distances = self.mask.flip(1).cumsum(dim=1).flip(1) - 1
        rows = []
        for distance in range(int(distances.max()) + 1):
            at = self.mask & (distances == distance)
            row = {"distance": distance, "examples": int(at.sum())}
            rows.append(row | {name: quantiles(values[at]) for name, values in norms.items()})
        return rows


def quantiles(values: Tensor) -> dict[str, float]:
    """Median and band over sequences."""
    low, median, high = torch.quantile(values, values.new_tensor([BAND[0], 0.5, BAND[1]])).tolist()
    return {"median": median, "low": low, "high": high}


class Gates(TorchFunctionMode):
    """Counts the saturated outputs of every sigmoid and tanh of a step, in the order in which the step calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, list[int]] = {}  # name -> [below, above, all]
        self.keep, self.calls = torch.ones(0, dtype=torch.bool), 0

    def of(self, keep: Tensor) -> "Gates":
        """For one step, of which only the sequences in ``keep`` [B] count."""
        self.keep, self.calls = keep, 0
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        kind = {"sigmoid": "sigmoid", "tanh": "tanh"}.get(getattr(func, "__name__", ""))
        if kind is not None:
            self.calls += 1
            self.count(f"{kind} {self.calls}", output.detach(), 0.0 if kind == "sigmoid" else -1.0)
        return output

    def count(self, name: str, output: Tensor, lowest: float) -> None:
        kept = output[self.keep]
        margin = SATURATED * (1.0 - lowest)
        found = [int((kept < lowest + margin).sum()), int((kept > 1.0 - margin).sum()), kept.numel()]
        self.counts[name] = [old + new for old, new in zip(self.counts.get(name, [0, 0, 0]), found, strict=True)]

    def rows(self) -> list[Row]:
        """The shares of outputs that are saturated below and above."""
        return [
            {"gate": name, "below": below / max(1, count), "above": above / max(1, count)}
            for name, (below, above, count) in self.counts.items()
        ]
