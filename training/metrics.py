"""Scores as shares of 1, from what the model said and what the reader expected."""

from collections.abc import Sequence
from typing import Any

from sklearn.metrics import classification_report

LENGTHS = (5, 10, 20, 40, 80, 160, 320, 640)


def classification_scores(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro F1, and precision, recall, F1 and count of every class that occurs."""
    report = classification_report(references, hypotheses, output_dict=True, zero_division=0.0)
    classes = sorted(set(references) | set(hypotheses))
    return {
        "accuracy": sum(map(str.__eq__, hypotheses, references)) / len(references),
        "macro_f1": report["macro avg"]["f1-score"],
        "per_class": {
            name: {
                "precision": report[name]["precision"],
                "recall": report[name]["recall"],
                "f1": report[name]["f1-score"],
                "count": int(report[name]["support"]),
            }
            for name in classes
        },
    }


def accuracy_by(groups: Sequence[str], right: Sequence[bool], order: Sequence[str]) -> dict[str, dict[str, float]]:
    """Accuracy and count of every group, in the order given; groups that do not occur are left out."""
    by_group: dict[str, list[bool]] = {group: [] for group in order}
    for group, correct in zip(groups, right, strict=True):
        by_group[group].append(correct)
    return {
        group: {"accuracy": sum(marks) / len(marks), "count": len(marks)} for group, marks in by_group.items() if marks
    }


def interval(value: int, bounds: Sequence[int]) -> str:
    """Where a number falls: ``1-4``, ``5-9``, ..., ``640+``."""
    low = max((bound for bound in (0, *bounds) if bound <= value), default=0)
    high = min((bound for bound in bounds if bound > value), default=None)
    if high is None:
        return f"{low}+"
    return str(low) if high == low + 1 else f"{low}-{high - 1}"


def intervals(bounds: Sequence[int]) -> list[str]:
    """All that ``interval`` gives, from low to high."""
    return [interval(bound, bounds) for bound in (0, *bounds)]
