"""How sentiment analysis is scored, and what is written into the run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.classification import LabelledText, LabelPrediction
from data.writing import write_json_lines
from training.evaluation import Evaluation, Scores
from training.intervals import accuracy_interval
from training.metrics import (
    LENGTHS,
    accuracy_by,
    classification_scores,
    interval,
    intervals,
    label_scores,
    unseen_counts,
)
from training.plots import confusion_matrix
from training.words import number_of_words

METADATA_BOUNDS = (1, 2, 4, 6, 8, 10, 12, 16, 24, 32, 64)


class SentimentEvaluation(Evaluation):
    """Accuracy, F1, and accuracy by length in words and by every metadata field of the data."""

    hub_task = "text-classification"

    def fit(self, train: Sequence[LabelledText]) -> None:
        """Note which labels are known."""
        self.labels = {example.label for example in train}

    def score(self, hypotheses: Sequence[LabelPrediction], examples: Sequence[LabelledText]) -> dict[str, Any]:
        predicted = [hypothesis.label for hypothesis in hypotheses]
        references = [example.label for example in examples]
        correct = [a == b for a, b in zip(predicted, references, strict=True)]
        lengths = [interval(number_of_words(example.text), LENGTHS) for example in examples]
        scores = classification_scores(predicted, references)
        if unseen := unseen_counts(self.labels, references):
            scores["unseen_labels"] = unseen
        scores["by_length"] = accuracy_by(lengths, correct, intervals(LENGTHS))
        for field in examples[0].metadata if examples else ():
            groups = [interval(example.metadata[field], METADATA_BOUNDS) for example in examples]
            scores[f"by_{field}"] = accuracy_by(groups, correct, intervals(METADATA_BOUNDS))
        return scores

    def intervals(
        self, hypotheses: Sequence[LabelPrediction], examples: Sequence[LabelledText]
    ) -> dict[str, tuple[float, float]]:
        correct = [hypothesis.label == example.label for hypothesis, example in zip(hypotheses, examples, strict=True)]
        return {"accuracy": accuracy_interval(correct, [1] * len(correct))}

    def baselines(
        self, train: Sequence[LabelledText], splits: Mapping[str, Sequence[LabelledText]]
    ) -> dict[str, dict[str, Scores]]:
        """Chance, the most frequent label, and two linear models of words and bigrams."""
        from tasks.sentiment.baselines import predictions

        texts = [[example.text for example in examples] for examples in splits.values()]
        fitted = predictions(([example.text for example in train], [example.label for example in train]), texts)
        return {
            split: {"chance": {"accuracy": 1 / len({example.label for example in train})}}
            | {
                name: label_scores(predicted[number], [example.label for example in examples])
                for name, predicted in fitted.items()
            }
            for number, (split, examples) in enumerate(splits.items())
        }

    def write(self, directory: Path, hypotheses: Sequence[LabelPrediction], examples: Sequence[LabelledText]) -> None:
        """``predictions.jsonl`` and ``confusion_matrix.png``."""
        rows = (
            {
                "text": example.text,
                "label": example.label,
                "prediction": hypothesis.label,
                "probabilities": hypothesis.probabilities,
            }
            for hypothesis, example in zip(hypotheses, examples, strict=True)
        )
        write_json_lines(directory / "predictions.jsonl", rows)
        predicted = [hypothesis.label for hypothesis in hypotheses]
        confusion_matrix(predicted, [example.label for example in examples], directory / "confusion_matrix.png")
