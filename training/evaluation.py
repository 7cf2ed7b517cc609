"""What a task makes of what its model says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Evaluation(Protocol):
    """How a task is scored, and what it leaves in the run folder."""

    def fit(self, train: Sequence[Any]) -> None:
        """Learn from the training split what scores are told apart by or compared with, where there is any such."""

    def score(self, hypotheses: Sequence[Any], examples: Sequence[Any]) -> dict[str, Any]:
        """Scores by name; the plain numbers among them go into the history, ``by_...`` into tables."""

    def write(self, directory: Path, hypotheses: Sequence[Any], examples: Sequence[Any]) -> None:
        """Predictions and pictures of one split."""
