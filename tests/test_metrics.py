"""Classification scores, groups, words of any script, and which epoch a training keeps."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from training.direction import lower_is_better, quality
from training.intervals import RESAMPLES, accuracy_interval, resampled_sums
from training.metrics import (
    accuracy_by,
    classification_scores,
    fraction,
    interval,
    intervals,
    label_scores,
    unseen_counts,
)
from training.selection import best_epoch, constant, deciding_metric
from training.words import join_words, lowercase_words, number_of_words, script_share, words

ODD_LABELS = ["accuracy", "macro avg", "weighted avg", "micro avg", "", " ", "a", "a\0", "0", "False", "好评"]


def test_scores_are_those_of_scikit_learn() -> None:
    references, hypotheses = ["a", "b", "b", "c", "c", "c"], ["a", "b", "c", "c", "a", "d"]
    scores = classification_scores(hypotheses, references)
    assert scores["accuracy"] == accuracy_score(references, hypotheses) == 0.5
    assert scores["macro_f1"] == pytest.approx(f1_score(references, hypotheses, average="macro", zero_division=0))
    assert scores["per_class"]["c"] == {"precision": 1 / 2, "recall": 1 / 3, "f1": pytest.approx(0.4), "count": 3}
    assert scores["per_class"]["a"] == {"precision": 1 / 2, "recall": 1, "f1": pytest.approx(2 / 3), "count": 1}
    assert label_scores(hypotheses, references) == {"accuracy": 0.5, "macro_f1": scores["macro_f1"]}


def test_a_class_that_occurs_on_one_side_only_scores_0_and_is_reported() -> None:
    per_class = classification_scores(["new", "a"], ["a", "old"])["per_class"]
    assert per_class["new"] == {"precision": 0, "recall": 0, "f1": 0, "count": 0}
    assert per_class["old"] == {"precision": 0, "recall": 0, "f1": 0, "count": 1}


@pytest.mark.parametrize("name", ODD_LABELS)
def test_any_label_is_scored_under_its_own_name(name: str) -> None:
    scores = classification_scores([name, name, "other"], [name, "other", "other"])
    assert scores["per_class"][name] == {"precision": 1 / 2, "recall": 1, "f1": pytest.approx(2 / 3), "count": 1}
    assert scores["accuracy"] == pytest.approx(2 / 3) and len(scores["per_class"]) == 2


def test_all_odd_labels_at_once_stay_apart() -> None:
    scores = classification_scores(ODD_LABELS, ODD_LABELS)
    assert list(scores["per_class"]) == sorted(ODD_LABELS) and scores["macro_f1"] == 1
    assert {entry["count"] for entry in scores["per_class"].values()} == {1}


def test_scores_without_examples_are_0() -> None:
    assert classification_scores([], []) == {"accuracy": 0, "macro_f1": 0, "per_class": {}}
    assert fraction([]) == 0 and fraction([True, False, False, True]) == 0.5


def test_labels_that_training_does_not_have_are_counted() -> None:
    assert unseen_counts(["a"], ["b", "a", "c", "b"]) == {"b": 2, "c": 1}
    assert unseen_counts(["a"], ["a"]) == {}


def test_accuracy_by_group_in_the_given_order() -> None:
    groups = accuracy_by(["x", "y", "x"], [True, True, False], ["y", "none", "x"])
    assert list(groups.items()) == [("y", {"accuracy": 1, "count": 1}), ("x", {"accuracy": 0.5, "count": 2})]
    with pytest.raises(ValueError, match="shorter"):
        accuracy_by(["x", "y"], [True], ["x", "y"])


@pytest.mark.parametrize(
    "value, name", [(-3, "0-4"), (0, "0-4"), (4, "0-4"), (5, "5"), (6, "6-9"), (9, "6-9"), (10, "10+"), (99, "10+")]
)
def test_intervals(value: int, name: str) -> None:
    assert interval(value, (5, 6, 10)) == name
    assert intervals((5, 6, 10)) == ["0-4", "5", "6-9", "10+"] and intervals((1, 3)) == ["0", "1-2", "3+"]


@pytest.mark.parametrize(
    "text, pieces, number",
    [
        ("Don't go , now!", ["Don't", "go", ",", "now", "!"], 4),
        ("女孩想要猫。", ["女", "孩", "想", "要", "猫", "。"], 6),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"], 2),
        ("cafe\u0301 l’eau", ["cafe\u0301", "l’eau"], 2),
        ("กา ที่", ["ก", "า", "ที่"], 3),
        ("한국어 문장", ["한국어", "문장"], 2),
        ("iPhone 手机", ["iPhone", "手", "机"], 3),
        ("  ", [], 0),
    ],
)
def test_words_of_many_scripts(text: str, pieces: list[str], number: int) -> None:
    assert words(text) == pieces and number_of_words(text) == number


@pytest.mark.parametrize("text", ["A man, (old) walks.", "女孩想要猫。", "eine Frau: ja!", "用 iPhone 打", "", "one"])
def test_words_are_joined_to_the_text_that_they_came_from(text: str) -> None:
    assert join_words(words(text)) == text


def test_the_share_of_a_script_counts_letters_alone() -> None:
    assert script_share("女孩 ab 123 ...", "Han") == 0.5
    assert script_share("かな漢字", "Han", "Hiragana") == 1 and script_share("123", "Han") == 0


def test_the_share_of_a_script_is_of_all_letters() -> None:
    assert script_share("ab漢", "Han") == 1 / 3 and script_share("", "Han") == 0
    assert script_share("ก่ข", "Thai") == 1  # a tone mark is of the script, but no letter


def test_words_stand_apart_from_what_needs_a_space() -> None:
    assert join_words(["a", "(", "b", ")", "c", "猫", "d", "猫", "猫"]) == "a (b) c 猫 d 猫猫"
    assert join_words([]) == "" and join_words(["猫", "。"]) == "猫。" and lowercase_words("The CAT") == ["the", "cat"]


def test_an_interval_of_accuracy_is_that_of_resampled_examples() -> None:
    correct = [1] * 100 + [0] * 100
    low, high = accuracy_interval(correct, [1] * 200)
    assert (low, high) == pytest.approx((0.5 - 0.069, 0.5 + 0.069), abs=0.012)  # 1.96 standard errors
    assert (low, high) == accuracy_interval(correct[::-1], [1] * 200)  # of equal examples the order is nothing
    assert accuracy_interval([1, 2], [1, 2]) == (1, 1) and accuracy_interval([0] * 3, [1] * 3) == (0, 0)
    assert accuracy_interval([1], [1]) == (1, 1) and accuracy_interval([0], [0]) == (0, 0)
    assert accuracy_interval([1], [2]) == (0.5, 0.5)


def test_examples_of_an_interval_count_as_often_as_they_occur_and_by_their_sizes() -> None:
    low, high = accuracy_interval([9, 0, 0, 0], [9, 1, 1, 1])
    assert low == 0 and high == 27 / 28  # the first example is drawn four times in 0.4 % of cases, three times in 5 %
    sums = resampled_sums(np.array([[1, 0], [0, 1], [0, 1], [0, 1]]))
    assert sums.shape == (RESAMPLES, 2) and set(sums.sum(axis=1)) == {4}
    assert sums.mean(axis=0) == pytest.approx([1, 3], abs=0.1)


def test_errors_are_better_when_they_are_lower() -> None:
    assert lower_is_better("mase") and lower_is_better("pinball_0.9") and not lower_is_better("accuracy")
    assert quality("mase", 2.0) == -2 and quality("accuracy", 2.0) == 2


def history(*scores: tuple[float, ...]) -> list[dict]:
    """Epochs of (bleu, chrf) or (bleu, chrf, validation loss)."""
    rows = [{"validation": {"bleu": bleu, "chrf": chrf}} for bleu, chrf, *_ in scores]
    return [
        row | ({"validation_loss": entry[2]} if len(entry) > 2 else {}) for row, entry in zip(rows, scores, strict=True)
    ]


@pytest.mark.parametrize(
    "scores, epoch, metric",
    [
        ([(1, 5), (3, 4), (2, 6)], 2, "bleu"),
        ([(0, 5), (0, 7), (0, 6)], 2, "chrf"),
        ([(0, 5), (0, 7)], 2, "chrf"),
        ([(0, 0, 3.0), (0, 0, 2.0), (0, 0, 2.5)], 2, "validation_loss"),
        ([(0, 0, 3.0), (0, 0, 2.0), (0, 1)], 3, "chrf"),
        ([(0, 0, 3.0), (4, 1), (4, 1)], 2, "bleu"),
        ([(0, 0, 2.0)], 1, "bleu"),
    ],
)
def test_the_first_metric_that_tells_epochs_apart_selects_one(scores: list, epoch: int, metric: str) -> None:
    rows = history(*scores)
    assert best_epoch(rows, ("bleu", "chrf")) == epoch
    assert deciding_metric(rows, ("bleu", "chrf")) == metric
    assert constant(rows, ("bleu", "chrf")) == (metric == "validation_loss" or len(scores) == 1)
