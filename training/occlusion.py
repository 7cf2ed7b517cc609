"""Which words moved a classifier: how its probability changes where a word is left out (Li et al., 2016)."""

from collections.abc import Sequence
from itertools import islice
from math import ceil
from typing import Any

from training.predict import Answer, Predictor
from training.words import WORD

MOST_PARTS = 200  # of a text: one prediction each

Span = tuple[int, int]


def occlusion(predictor: Predictor, answer: Answer) -> dict[str, Any]:
    """The effect of every word on the predicted label.

    Args:
        predictor: a classifier, whose answers have the probabilities of all labels as ``details``.
        answer: to the text whose words are left out, one after the other.

    Returns:
        ``method``, and ``words`` with ``start`` and ``end`` in the text and ``effect``: the probability of the label
        with the word, less that without it. Of a long text, several words at a time are left out.
    """
    text, label = answer.input, answer.prediction
    spans = parts([match.span() for match in WORD.finditer(text)])
    shorter = quiet_answers(predictor, [text[:start] + text[end:] for start, end in spans])
    effects = [answer.details[label] - other.details[label] for other in shorter]
    words = [
        {"start": start, "end": end, "effect": round(effect, 6)}
        for (start, end), effect in zip(spans, effects, strict=True)
    ]
    return {"method": "occlusion", "words": words}


def parts(spans: Sequence[Span]) -> list[Span]:
    """Spans of neighbouring words, joined where there are too many."""
    size = max(1, ceil(len(spans) / MOST_PARTS))
    starts, ends = islice(spans, 0, None, size), [*islice(spans, size - 1, None, size), *spans[-1:]]
    return [(start, end) for (start, _), (_, end) in zip(starts, ends, strict=False)]


def quiet_answers(predictor: Predictor, texts: Sequence[str]) -> list[Answer]:
    """Answers without warnings, which do not matter for texts with words left out."""
    before, predictor.on_warning = predictor.on_warning, lambda where, what: None
    try:
        return predictor.predict(texts)
    finally:
        predictor.on_warning = before
