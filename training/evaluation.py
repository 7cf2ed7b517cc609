"""How the engine scores the predictions of a task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Scores = dict[str, float]


class Evaluation(Protocol):
    """Scores of a task, those of its baselines, and the files written into the run folder."""

    tie_breakers: Sequence[str] = ()  # scores that rank epochs with equal values of ``trainer.metric``, in this order
    hub_task: str = "other"  # what the Hugging Face hub calls the task

    def fit(self, train: Sequence[Any]) -> None:
        """Learn from the training split what scores depend on, such as the known words."""

    def score(self, hypotheses: Sequence[Any], examples: Sequence[Any]) -> dict[str, Any]:
        """Scores by name; the plain numbers among them go into the history, ``by_...`` into tables."""

    def intervals(self, hypotheses: Sequence[Any], examples: Sequence[Any]) -> dict[str, tuple[float, float]]:
        """95 % confidence intervals of scores that have any, by name."""
        return {}

    def baselines(self, train: Sequence[Any], splits: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Scores]]:
        """Scores of simple models fitted on ``train``: for every split, by baseline and metric."""
        return {split: {} for split in splits}

    def baseline_options(self) -> str:
        """The options that the scores of baselines depend on, as far as the data do not determine them."""
        return ""

    def write(self, directory: Path, hypotheses: Sequence[Any], examples: Sequence[Any]) -> None:
        """Write predictions and figures of one split."""
