"""Which epoch's weights are kept.

The epoch with the best validation score wins, the first of equal ones. Where ``trainer.metric`` has the same value in
all epochs (BLEU of a young model is often 0), the tie breakers of the task decide; where these are constant too, the
validation loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from training.direction import quality

LOSS = "validation_loss"

History = Sequence[Mapping[str, Any]]


def best_epoch(history: History, metrics: Sequence[str]) -> int:
    """The number of the epoch whose weights are kept, counted from 1."""
    return max(range(len(history)), key=lambda index: (rank(history[index], metrics), -index)) + 1


def rank(row: Mapping[str, Any], metrics: Sequence[str]) -> tuple[float, ...]:
    """What an epoch is ranked by; greater is better."""
    return *(quality(name, row["validation"][name]) for name in metrics), -row.get(LOSS, float("inf"))


def constant(history: History, metrics: Sequence[str]) -> bool:
    """Whether every metric is the same in all epochs."""
    return len({tuple(row["validation"][name] for name in metrics) for row in history}) <= 1


def deciding_metric(history: History, metrics: Sequence[str]) -> str:
    """The first metric that differs between epochs, or ``validation_loss``; with one epoch, the first."""
    if len(history) < 2:
        return metrics[0]
    return next((name for name in metrics if not constant(history, [name])), LOSS)
