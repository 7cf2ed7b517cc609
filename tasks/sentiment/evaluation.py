"""How sentiment analysis is scored, and what it leaves in the run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.classification import LabelledText, LabelPrediction
from data.writing import write_json_lines
from training.evaluation import Evaluation
from training.metrics import LENGTHS, accuracy_by, classification_scores, interval, intervals
from training.plots import confusion_matrix

FACET_BOUNDS = (1, 2, 4, 6, 8, 10, 12, 16, 24, 32, 64)


class SentimentEvaluation(Evaluation):
    """Accuracy, F1, and accuracy by length in words and by every field that the data carry."""

    def score(self, hypotheses: Sequence[LabelPrediction], examples: Sequence[LabelledText]) -> dict[str, Any]:
        said = [hypothesis.label for hypothesis in hypotheses]
        expected = [example.label for example in examples]
        right = [a == b for a, b in zip(said, expected, strict=True)]
        lengths = [interval(len(example.text.split()), LENGTHS) for example in examples]
        scores = classification_scores(said, expected)
        scores["by_length"] = accuracy_by(lengths, right, intervals(LENGTHS))
        for field in examples[0].metadata:
            groups = [interval(example.metadata[field], FACET_BOUNDS) for example in examples]
            scores[f"by_{field}"] = accuracy_by(groups, right, intervals(FACET_BOUNDS))
        return scores

    def write(self, directory: Path, hypotheses: Sequence[LabelPrediction], examples: Sequence[LabelledText]) -> None:
        """``predictions.jsonl`` and ``confusion_matrix.png``."""
        rows = (
            {
                "text": example.text,
                "label": example.label,
                "prediction": said.label,
                "probabilities": said.probabilities,
            }
            for said, example in zip(hypotheses, examples, strict=True)
        )
        write_json_lines(directory / "predictions.jsonl", rows)
        said = [hypothesis.label for hypothesis in hypotheses]
        confusion_matrix(said, [example.label for example in examples], directory / "confusion_matrix.png")
