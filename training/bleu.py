"""Scores of translations through sacreBLEU, each with the signature that says how it was computed."""

from collections.abc import Sequence
from typing import Any


def translation_scores(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """BLEU (13a, mixed case), the same of lower-cased text, and chrF2++: 0 to 100, on plain text, one reference each.

    Raises ValueError where the two cannot be laid side by side: sacreBLEU would score them without a word.
    """
    check(hypotheses, references)
    from sacrebleu.metrics import BLEU, CHRF  # type: ignore[attr-defined]

    metrics = {"bleu": BLEU(), "bleu_lowercase": BLEU(lowercase=True), "chrf": CHRF(word_order=2)}
    scores = {name: metric.corpus_score(hypotheses, [references]).score for name, metric in metrics.items()}
    return scores | {"signatures": {name: str(metric.get_signature()) for name, metric in metrics.items()}}


def bleu_by(
    groups: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], order: Sequence[str]
) -> dict[str, dict[str, float]]:
    """BLEU and count of every group, in the order given; groups that do not occur are left out."""
    check(hypotheses, references)
    from sacrebleu.metrics import BLEU  # type: ignore[attr-defined]

    by_group: dict[str, list[int]] = {group: [] for group in order}
    for row, group in enumerate(groups):
        by_group[group].append(row)
    return {
        group: {
            "bleu": BLEU().corpus_score([hypotheses[row] for row in rows], [[references[row] for row in rows]]).score,
            "count": len(rows),
        }
        for group, rows in by_group.items()
        if rows
    }


def check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Say why two lists are not translations and their references."""
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} translations cannot be scored against {len(references)} references.")
    if not references:
        raise ValueError("There is no translation to score.")
    for kind, texts in (("translation", hypotheses), ("reference", references)):
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str):
                raise ValueError(f"{kind} {number} is not a text but of type {type(text).__name__}.")
            if kind == "reference" and not text.strip():
                raise ValueError(f"reference {number} is empty: there is nothing to score a translation against.")
