"""How captions are scored, and what is written into the run folder."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from data.captioning import Caption, CaptionedImage, open_image
from data.sources.scenes import Fact, facts_of_caption
from data.writing import write_json_lines
from tasks.captioning.pictures import attention_sheet, caption_sheet
from training.bleu import AUTOMATIC, check_tokenization, choose_tokenization
from training.evaluation import Evaluation, Scores

FACTS = "facts"  # the metadata of generated scenes that no group is made of


class CaptioningEvaluation(Evaluation):
    """BLEU and chrF2++ against all captions of an image, and, of generated scenes, which of their facts are stated.

    Args:
        pictures: the number of images on the sheet of images with captions.
        attention_maps: the number of images that attention is drawn over.
        tokenize: sacreBLEU's tokenization for BLEU; null or ``auto`` for the one that suits the script of the captions.
    """

    tie_breakers = ("chrf",)

    def __init__(self, pictures: int, attention_maps: int, tokenize: str | None = None) -> None:
        self.pictures, self.attention_maps = pictures, attention_maps
        self.tokenize = tokenize or AUTOMATIC
        check_tokenization(self.tokenize)
        self.tokenization = "13a" if self.tokenize == AUTOMATIC else self.tokenize

    def fit(self, train: Sequence[CaptionedImage]) -> None:
        """Choose the tokenization by the training captions, so that all splits have the same."""
        if self.tokenize == AUTOMATIC:
            self.tokenization = choose_tokenization([caption for example in train for caption in example.captions])

    def score(self, hypotheses: Sequence[Caption], examples: Sequence[CaptionedImage]) -> dict[str, Any]:
        captions = [hypothesis.text for hypothesis in hypotheses]
        scores, signatures = text_scores(captions, examples, self.tokenization)
        return {
            **fact_scores(captions, examples),
            **scores,
            "signatures": signatures,
            **by_group(captions, examples),
        }

    def baselines(
        self, train: Sequence[CaptionedImage], splits: Mapping[str, Sequence[CaptionedImage]]
    ) -> dict[str, dict[str, Scores]]:
        """The most frequent caption, and a caption of the training image with the most similar pixels."""
        from tasks.captioning.baselines import captions_of_baselines

        return {
            split: {
                name: fact_scores(captions, examples) | text_scores(captions, examples, self.tokenization)[0]
                for name, captions in captions_of_baselines(train, examples).items()
            }
            for split, examples in splits.items()
        }

    def baseline_options(self) -> str:
        return self.tokenization

    def write(self, directory: Path, hypotheses: Sequence[Caption], examples: Sequence[CaptionedImage]) -> None:
        """``predictions.jsonl``, ``captions.png`` and ``attention_<n>.png``."""
        pairs = list(zip(hypotheses, examples, strict=True))
        rows = (row(number, *pair) for number, pair in enumerate(pairs, start=1))
        write_json_lines(directory / "predictions.jsonl", rows)
        shown = [(image, *pair) for pair in pairs[: self.pictures] if (image := picture(pair[1])) is not None]
        caption_sheet(
            [(image, hypothesis.text, example.captions[0]) for image, hypothesis, example in shown],
            directory / "captions.png",
        )
        attended = [(image, hypothesis) for image, hypothesis, _ in shown if any(hypothesis.attention)]
        for number, (image, hypothesis) in enumerate(attended[: self.attention_maps], start=1):
            attention_sheet(image, hypothesis, directory / f"attention_{number}.png")


def row(number: int, hypothesis: Caption, example: CaptionedImage) -> dict[str, Any]:
    """What is written of one image."""
    written = {
        "image": f"image {number}" if isinstance(example.image, np.ndarray) else example.name,
        "references": example.captions,
        "prediction": hypothesis.text,
        "n_best": [{"caption": text, "score": score} for text, score in hypothesis.alternatives],
    }
    if FACTS not in example.metadata:
        return written
    stated, shown = facts_of_caption(hypothesis.text), example.metadata[FACTS]
    found = {"right": stated & shown, "wrong": stated - shown, "missing": shown - stated}
    groups = {name: group for name, group in example.metadata.items() if name != FACTS}
    scored = [len(found["right"]), len(shown)]
    names = ["facts_right", *(f"facts_right_{group}" for group in groups.values())]
    return {
        **written,
        **groups,
        "facts": {name: sorted(map(" ".join, facts)) for name, facts in found.items()},
        "scored": dict.fromkeys(names, scored),
    }


def picture(example: CaptionedImage) -> Any:
    """The image of an example; None where only its features are there."""
    missing = isinstance(example.image, str) and example.array is not None and not Path(example.image).is_file()
    return None if missing else open_image(example)


def text_scores(
    captions: Sequence[str], examples: Sequence[CaptionedImage], tokenize: str
) -> tuple[Scores, dict[str, str]]:
    """BLEU of lower-cased text and chrF2++, each against all references of an image, 0 to 100; and their signatures."""
    from sacrebleu.metrics import BLEU, CHRF  # type: ignore[attr-defined]

    if len(captions) != len(examples) or not captions:
        raise ValueError(f"{len(captions)} captions cannot be scored for {len(examples)} images.")
    streams: Any = list(zip_longest(*(example.captions for example in examples)))  # None where an image has fewer
    metrics = {"bleu_lowercase": BLEU(lowercase=True, tokenize=tokenize, force=True), "chrf": CHRF(word_order=2)}
    scores = {name: metric.corpus_score(captions, streams).score for name, metric in metrics.items()}
    return scores, {name: str(metric.get_signature()) for name, metric in metrics.items()}


def fact_scores(captions: Sequence[str], examples: Sequence[CaptionedImage]) -> Scores:
    """Which facts of generated scenes are stated; nothing for images whose facts are unknown.

    ``facts_right`` and ``facts_missing`` are fractions of all facts, stated and not stated, and ``facts_right_<group>``
    is the same of a group of images; ``facts_wrong`` is the fraction of the stated facts that do not hold; ``exact`` is
    the fraction of the captions that state all facts and no others.
    """
    pairs = [
        (facts_of_caption(caption), example.metadata)
        for caption, example in zip(captions, examples, strict=True)
        if FACTS in example.metadata
    ]
    if not pairs:
        return {}
    counts = [(stated, metadata[FACTS]) for stated, metadata in pairs]
    total = sum(len(stated) for stated, _ in counts)
    wrong = sum(len(stated - shown) for stated, shown in counts)
    groups = sorted({str(group) for _, metadata in pairs for name, group in metadata.items() if name != FACTS})
    return {
        "facts_right": recall(counts),
        **{
            f"facts_right_{group}": recall([(stated, m[FACTS]) for stated, m in pairs if group in m.values()])
            for group in groups
        },
        "facts_wrong": wrong / max(1, total),
        "facts_missing": 1 - recall(counts),
        "exact": sum(stated == shown for stated, shown in counts) / len(counts),
    }


def recall(pairs: Sequence[tuple[frozenset[Fact], frozenset[Fact]]]) -> float:
    """The recall of facts: the fraction of those shown that are stated, from pairs (stated, shown)."""
    return sum(len(stated & shown) for stated, shown in pairs) / max(1, sum(len(shown) for _, shown in pairs))


def by_group(captions: Sequence[str], examples: Sequence[CaptionedImage]) -> dict[str, Any]:
    """Right facts by kind, and captions without a mistake by group of the data: ``by_fact``, ``by_combination``."""
    tables: dict[str, Any] = {}
    known = [(facts_of_caption(c), e.metadata) for c, e in zip(captions, examples, strict=True) if FACTS in e.metadata]
    if not known:
        return tables
    tables["by_fact"] = by_kind([(stated, metadata[FACTS]) for stated, metadata in known])
    for name in [name for name in known[0][1] if name != FACTS]:
        tables[f"by_{name}"] = {
            group: {
                "exact": sum(stated == m[FACTS] for stated, m in known if m[name] == group) / count,
                "count": count,
            }
            for group in sorted({m[name] for _, m in known})
            if (count := sum(m[name] == group for _, m in known))
        }
    return tables


def by_kind(pairs: Sequence[tuple[frozenset[Fact], frozenset[Fact]]]) -> dict[str, Scores]:
    """The fraction of right facts of every kind: count, scale, color, relation."""
    totals: dict[str, list[int]] = {}
    for stated, shown in pairs:
        for fact in shown:
            total = totals.setdefault(kind_of(fact), [0, 0])
            total[0] += fact in stated
            total[1] += 1
    return {kind: {"facts_right": right / count, "count": count} for kind, (right, count) in sorted(totals.items())}


def kind_of(fact: Fact) -> str:
    return fact[1] if fact[1] in ("count", "scale", "color") else "relation"
