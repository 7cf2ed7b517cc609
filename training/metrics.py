"""Classification scores as fractions of 1, and the groups by which scores are broken down."""

from collections.abc import Iterable, Sequence
from operator import eq
from typing import Any

from sklearn.metrics import precision_recall_fscore_support

LENGTHS = (5, 10, 20, 40, 80, 160, 320, 640)


def classification_scores(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro-averaged F1, and precision, recall, F1 and count of every class that occurs in either.

    A class that is never predicted has precision 0; one that occurs in no reference has recall 0 and count 0.
    """
    classes = sorted(set(references) | set(hypotheses))
    ids = {name: number for number, name in enumerate(classes)}  # names could be taken for something else on the way
    if not classes:
        return {"accuracy": 0.0, "macro_f1": 0.0, "per_class": {}}
    precision, recall, f1, count = precision_recall_fscore_support(
        [ids[name] for name in references],
        [ids[name] for name in hypotheses],
        labels=range(len(classes)),
        zero_division=0.0,
    )
    return {
        "accuracy": accuracy(hypotheses, references),
        "macro_f1": float(f1.mean()),
        "per_class": {
            name: {
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(f1[number]),
                "count": int(count[number]),
            }
            for name, number in ids.items()
        },
    }


def label_scores(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Accuracy and macro-averaged F1 alone."""
    scores = classification_scores(hypotheses, references)
    return {name: scores[name] for name in ("accuracy", "macro_f1")}


def accuracy(hypotheses: Sequence[Any], references: Sequence[Any]) -> float:
    """The fraction of equal pairs."""
    return fraction([eq(*pair) for pair in zip(hypotheses, references, strict=True)])


def fraction(values: Sequence[bool]) -> float:
    """The fraction of values that are true; 0 without any."""
    return sum(values) / len(values) if values else 0.0


def unseen_counts(known: Iterable[str], references: Iterable[str]) -> dict[str, int]:
    """How often every label that the training split does not have occurs among the references."""
    seen = set(known)
    counts: dict[str, int] = {}
    for label in references:
        if label not in seen:
            counts[label] = counts.get(label, 0) + 1
    return dict(sorted(counts.items()))


def accuracy_by(groups: Sequence[str], correct: Sequence[bool], order: Sequence[str]) -> dict[str, dict[str, float]]:
    """Accuracy and count of every group that occurs, in the given order."""
    by_group: dict[str, list[bool]] = {group: [] for group in order}
    for group, mark in zip(groups, correct, strict=True):
        by_group[group].append(mark)
    return {group: {"accuracy": fraction(found), "count": len(found)} for group, found in by_group.items() if found}


def interval(value: int, bounds: Sequence[int]) -> str:
    """The interval that a number falls into: ``1-4``, ``5-9``, ..., ``640+``."""
    low = max((bound for bound in (0, *bounds) if bound <= value), default=0)
    high = min((bound for bound in bounds if bound > value), default=None)
    if high is None:
        return f"{low}+"
    return str(low) if high == low + 1 else f"{low}-{high - 1}"


def intervals(bounds: Sequence[int]) -> list[str]:
    """All that ``interval`` gives, from low to high."""
    return [interval(bound, bounds) for bound in (0, *bounds)]
