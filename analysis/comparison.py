"""Which group beats which, by how much and how surely, in words that can be quoted."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import numpy as np

from analysis.groups import Group, Section
from analysis.records import Record
from analysis.statistics import Difference, over_seeds, over_sentences, with_correction

ALL_PAIRS = 10  # groups; where there are more, the best is compared with every other
LEVEL = 0.05
BLEU_DRAWS = 1_000


@dataclass
class Pair:
    """Two groups, the one with the better mean first, and what tests say of their difference in points.

    ``sentences`` is null where the predictions of either are not there.
    """

    better: Group
    worse: Group
    seeds: Difference
    sentences: Difference | None

    @property
    def sure(self) -> bool:
        """Whether the corrected test over seeds leaves little doubt; one seed never does."""
        return self.seeds.corrected is not None and self.seeds.corrected < LEVEL and self.seeds.mean > 0

    @property
    def sentence(self) -> str:
        """What was found, to be quoted."""
        return "; ".join(filter(None, [self.on_seeds, self.on_sentences])) + "."

    @property
    def on_seeds(self) -> str:
        found, names = self.seeds, (self.better.name, self.worse.name)
        if found.corrected is None:
            few = f"with {seeds_said(found)}, too few to say more"
            return f"{names[0]} scores {found.mean:.2f} points above {names[1]} {few}"
        interval = f"95 % interval {found.low:.2f} to {found.high:.2f}"
        how = f"{interval}, {probability(found.corrected)}, {seeds_said(found)}"
        if self.sure:
            return f"{names[0]} beats {names[1]} by {found.mean:.2f} points, {how}"
        return f"{names[0]} is not surely better than {names[1]}: {found.mean:+.2f} points, {how}"

    @property
    def on_sentences(self) -> str:
        found = self.sentences
        if found is None or found.corrected is None:
            return ""
        interval = f", 95 % interval {found.low:.2f} to {found.high:.2f}" if found.low is not None else ""
        number = f"{found.counts[0]:,}"
        return f"on the same {number} sentences {found.mean:+.2f}{interval}, {probability(found.corrected)}"


def seeds_said(difference: Difference) -> str:
    """``5 seeds``, ``5 and 4 seeds``."""
    counts = sorted(set(difference.counts), reverse=True)
    return f"{' and '.join(map(str, counts))} seed{'s' if counts != [1] else ''}"


def probability(p: float) -> str:
    """Two digits, and no false zero."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def compare(section: Section, tests: "SentenceTests") -> list[Pair]:
    """All pairs of the scored groups, or the best with every other where there are many; corrected for being many."""
    groups = section.scored
    chosen = list(combinations(groups, 2)) if len(groups) <= ALL_PAIRS else [(groups[0], g) for g in groups[1:]]
    seeds = with_correction([over_seeds(better.scores, worse.scores) for better, worse in chosen])
    tested = [tests.difference(better, worse) for better, worse in chosen]
    corrected = iter(with_correction([difference for difference in tested if difference is not None]))
    return [
        Pair(better, worse, over, None if on is None else next(corrected))
        for (better, worse), over, on in zip(chosen, seeds, tested, strict=True)
    ]


class SentenceTests:
    """Paired tests on the sentences that the groups of a section were all scored on; every prediction is read once."""

    def __init__(self, section: Section) -> None:
        self.bleu = section.metric.startswith("bleu")
        self.metric = section.metric
        self.marks = {} if self.bleu else {id(group): group_marks(group) for group in section.scored}
        self.texts = {id(group): representative_texts(group) for group in section.scored} if self.bleu else {}

    def difference(self, better: Group, worse: Group) -> Difference | None:
        """In points; None where a group has no predictions, or where they are not of the same sentences."""
        if self.bleu:
            return self.difference_in_bleu(better, worse)
        first, second = self.marks[id(better)], self.marks[id(worse)]
        if first is None or second is None or not np.array_equal(first[1], second[1]):
            return None
        return over_sentences(100 * first[0], 100 * second[0], first[1])

    def difference_in_bleu(self, better: Group, worse: Group) -> Difference | None:
        """By sacreBLEU's approximate randomisation, of one run each: that of the median validation score."""
        first, second = self.texts[id(better)], self.texts[id(worse)]
        if not first or not second or [row[0] for row in first] != [row[0] for row in second]:
            return None
        from sacrebleu.metrics import BLEU  # type: ignore[attr-defined]
        from sacrebleu.significance import PairedTest, Result

        references, said, other = ([row[i] for row in rows] for rows, i in ((first, 0), (first, 1), (second, 1)))
        metric = BLEU(lowercase="lowercase" in self.metric)
        systems: list[tuple[str, Sequence[str]]] = [("second", other), ("first", said)]
        test = PairedTest(systems, {"BLEU": metric}, [references], test_type="ar", n_samples=BLEU_DRAWS)
        _, scores = test()
        baseline, result = cast(list[Result], scores["BLEU"])
        mean = result.score - baseline.score
        return Difference(mean, None, None, result.p_value, "sacreBLEU's approximate randomisation", (len(said),))


def group_marks(group: Group) -> tuple[np.ndarray, np.ndarray] | None:
    """How much of every sentence is right, a mean over seeds, and out of how much: two arrays of [N]."""
    found = [marks(record, group.split) for record in group.finished.values()]
    whole = [found_marks for found_marks in found if found_marks is not None]
    if not whole or any(not np.array_equal(whole[0][1], other[1]) for other in whole):
        return None
    return np.mean([right for right, _ in whole], axis=0), whole[0][1]


def marks(record: Record, split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(right [N], size [N]) of the sentences of a run; None where its predictions are not all there."""
    rows = scored_rows(record, split)
    try:
        pairs = [row_marks(row) for row in rows]
    except (KeyError, TypeError):
        return None
    if not pairs:
        return None
    right, sizes = np.array(pairs, dtype=float).T
    return right, sizes


def scored_rows(record: Record, split: str) -> list[dict[str, Any]]:
    """The predictions of the split that is compared; none where they are of another split or not all there."""
    sizes = record.content.get("data", {}).get("sizes", {})
    written = "test" if "test" in record.content["metrics"] else "validation"
    rows = record.predictions() if written == split else []
    return rows if len(rows) == sizes.get(split, len(rows)) else []


def row_marks(row: dict[str, Any]) -> tuple[float, float]:
    """(right, out of): of one label, or of the tags of a sentence."""
    if "tags" in row:
        tags = row["tags"]
        return float(sum(map(str.__eq__, tags, row["predictions"]))), float(len(tags))
    return float(row["label"] == row["prediction"]), 1.0


def representative(group: Group) -> Record:
    """The run of the median validation score, which is chosen without a look at the test split."""
    ranked = sorted(group.finished.values(), key=lambda record: record.score("validation", group.metric) or 0.0)
    return ranked[(len(ranked) - 1) // 2]


def representative_texts(group: Group) -> list[tuple[str, str]]:
    """(reference, translation) of every sentence, by the run of the median validation score."""
    rows = scored_rows(representative(group), group.split)
    return [(row["reference"], row["prediction"]) for row in rows if {"reference", "prediction"} <= row.keys()]


def answer(section: Section, pairs: Sequence[Pair]) -> str:
    """Which group wins, by how much, how surely and at what cost."""
    groups = section.scored
    if not groups:
        return "No run came to a score."
    best = groups[0]
    bounds = f" (95 % interval {best.interval[0]:.2f} to {best.interval[1]:.2f})" if best.interval else ""
    count = len(best.scores)
    scored = f"{best.name} scores {best.mean:.2f}{bounds} over {count} seed{'s' if count > 1 else ''}"
    if len(groups) == 1:
        return f"{scored}; there is nothing to compare it with."
    own = [pair for pair in pairs if pair.better is best]
    sure, unsure = ([pair.worse.name for pair in own if pair.sure is said] for said in (True, False))
    parts = [f"surely better than {listed(sure)}"] if sure else []
    parts += [f"not surely better than {listed(unsure)}"] if unsure else []
    return f"{scored}: {', '.join(parts)}. {cost(best, groups)}".strip()


def cost(best: Group, groups: Sequence[Group]) -> str:
    """What the best costs, beside the fastest."""
    speeds = {id(group): group.average("tokens_per_second") for group in groups}
    known = [group for group in groups if speeds[id(group)]]
    if not known or not speeds[id(best)]:
        return ""
    fastest = max(known, key=lambda group: speeds[id(group)] or 0)
    if fastest is best:
        return f"It is the fastest too, at {speeds[id(best)]:,.0f} tokens a second."
    factor = (speeds[id(fastest)] or 0) / (speeds[id(best)] or 1)
    return f"{fastest.name} trains {factor:.1f} times as fast, for {best.mean - fastest.mean:.2f} points less."


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; of many the number."""
    if len(names) > 6:
        return f"{len(names)} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
