"""How diagnostics of memory are scored, and what is written into the run folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.memory import MemoryPrediction, MemorySequence
from data.writing import write_json_lines
from tasks.memory.baselines import label_baselines, number_baselines, number_scores, references
from training.evaluation import Evaluation, Scores
from training.metrics import fraction, interval, intervals, unseen_counts
from training.plots import score_by_group

DISTANCES = (5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)

Sequences = Sequence[MemorySequence]
Predictions = Sequence[MemoryPrediction]


class MemoryEvaluation(Evaluation):
    """Scores over all steps with a target, and by the distance over which it must be remembered."""

    def write(self, directory: Path, hypotheses: Predictions, examples: Sequences) -> None:
        """``predictions.jsonl`` and ``accuracy_by_distance.png``."""
        write_json_lines(directory / "predictions.jsonl", map(row, hypotheses, examples))
        groups = self.score(hypotheses, examples)["by_distance"]
        score_by_group(groups, "accuracy", "distance in tokens", directory / "accuracy_by_distance.png")


class LabelEvaluation(MemoryEvaluation):
    """Accuracy by step, by sequence and by distance."""

    def fit(self, train: Sequences) -> None:
        """Note which labels are known."""
        self.labels = set(references(train))

    def score(self, hypotheses: Predictions, examples: Sequences) -> dict[str, Any]:
        correct = [
            [hypothesis.answers[step] == example.targets[step] for step in example.scored]
            for hypothesis, example in zip(hypotheses, examples, strict=True)
        ]
        flat = [is_correct for steps in correct for is_correct in steps]
        chance, unseen = 1 / len(self.labels), unseen_counts(self.labels, references(examples))
        return {
            "accuracy": fraction(flat),
            "sequence_accuracy": fraction([all(steps) for steps in correct]),
            **({"unseen_labels": unseen} if unseen else {}),
            "by_distance": by_distance(examples, [{"accuracy": is_correct, "chance": chance} for is_correct in flat]),
        }

    def baselines(self, train: Sequences, splits: Mapping[str, Sequences]) -> dict[str, dict[str, Scores]]:
        """A random label, and the most frequent one."""
        return {split: label_baselines(train, examples) for split, examples in splits.items()}


class NumberEvaluation(MemoryEvaluation):
    """The share of answers within 0.04 of the target (``accuracy``), the mean squared error, and both by distance."""

    def fit(self, train: Sequences) -> None:
        """Note the mean of the targets, the best answer without reading the input."""
        targets = [float(target) for target in references(train)]
        self.mean = sum(targets) / len(targets)

    def score(self, hypotheses: Predictions, examples: Sequences) -> dict[str, Any]:
        pairs = [
            (hypothesis.answers[step], float(example.targets[step]))
            for hypothesis, example in zip(hypotheses, examples, strict=True)
            for step in example.scored
        ]
        steps = [
            {**number_scores([answer - target]), "chance": number_scores([self.mean - target])["accuracy"]}
            for answer, target in pairs
        ]
        errors = [answer - target for answer, target in pairs]
        return {**number_scores(errors), "by_distance": by_distance(examples, steps)}

    def baselines(self, train: Sequences, splits: Mapping[str, Sequences]) -> dict[str, dict[str, Scores]]:
        """The mean of the training targets."""
        return {split: number_baselines(train, examples) for split, examples in splits.items()}


def by_distance(examples: Sequences, steps: Iterable[Scores]) -> dict[str, Scores]:
    """Mean scores and count in every interval of the distance, from the scores of every scored step."""
    groups: dict[str, list[Scores]] = {group: [] for group in intervals(DISTANCES)}
    distances = (distance for example in examples for distance in example.distances)
    for distance, scores in zip(distances, steps, strict=True):
        groups[interval(distance, DISTANCES)].append(scores)
    return {
        group: {name: sum(scores[name] for scores in found) / len(found) for name in found[0]} | {"count": len(found)}
        for group, found in groups.items()
        if found
    }


def row(hypothesis: MemoryPrediction, example: MemorySequence) -> dict[str, Any]:
    """The tokens of a sequence, and targets and answers of its scored steps."""
    return {
        "tokens": example.text,
        "steps": example.scored,
        "targets": [example.targets[step] for step in example.scored],
        "answers": [hypothesis.answers[step] for step in example.scored],
    }
