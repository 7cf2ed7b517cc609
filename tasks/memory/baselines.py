"""Answers that need no input: a random label, the most frequent one, and the mean."""

from collections import Counter
from collections.abc import Sequence
from statistics import mean

from data.memory import MemorySequence
from training.evaluation import Scores

TOLERANCE = 0.04  # the largest error of a number that counts as correct (Hochreiter & Schmidhuber, 1997)


def references(examples: Sequence[MemorySequence]) -> list[str]:
    """All targets that are scored."""
    return [example.targets[step] for example in examples for step in example.scored]


def label_baselines(train: Sequence[MemorySequence], examples: Sequence[MemorySequence]) -> dict[str, Scores]:
    """Accuracy of a random label and of the most frequent one."""
    counts, targets = Counter(references(train)), references(examples)
    most_frequent = min(counts, key=lambda label: (-counts[label], label))
    return {
        "chance": {"accuracy": 1 / len(counts)},
        "majority": {"accuracy": targets.count(most_frequent) / max(1, len(targets))},
    }


def number_baselines(train: Sequence[MemorySequence], examples: Sequence[MemorySequence]) -> dict[str, Scores]:
    """Scores of the mean of the training targets: in the adding problem, of always 1."""
    answer = mean(map(float, references(train)))
    return {"mean": number_scores([answer - float(target) for target in references(examples)])}


def number_scores(errors: Sequence[float]) -> Scores:
    """The share of errors within ``TOLERANCE``, and their mean square."""
    correct = sum(abs(error) <= TOLERANCE for error in errors)
    return {"accuracy": correct / max(1, len(errors)), "mse": sum(e * e for e in errors) / max(1, len(errors))}
