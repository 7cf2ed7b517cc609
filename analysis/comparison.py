"""Which group is better, by how much and with what evidence, in sentences that can be quoted.

Two kinds of test answer two questions. The test over seeds asks whether models trained from other seeds would differ
as well; only it supports "better". The test on sentences asks whether these trained models would differ on other
sentences; the headline falls back on it, and says so, where the test over seeds is not significant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from typing import Any, cast

import numpy as np

from analysis.groups import ComparableGroups, RunGroup
from analysis.records import Record
from analysis.statistics import UNBOUNDED, Difference, seed_test, sentence_test, with_correction
from training.direction import lower_is_better
from training.titles import baseline_title

MAX_ALL_PAIRS = 10  # groups; of more, the pairs of the best are reported, corrected for all pairs
LEVEL = 0.05
BLEU_DRAWS = 1_000
LEAST_SPEEDUP = 1.1  # smaller differences of speed are not reported

Correctness = tuple[np.ndarray, np.ndarray]


@dataclass
class Pair:
    """Two groups, the one with the better mean first, and the tests of their difference.

    ``sentences`` is None if either group has no predictions, or if they are not of the same sentences.
    """

    better: RunGroup
    worse: RunGroup
    seeds: Difference
    sentences: Difference | None

    @property
    def one_seed(self) -> bool:
        """Whether either group has a single seed: such a pair supports no claim."""
        return min(len(self.better.scores), len(self.worse.scores)) < 2

    @property
    def significant(self) -> bool:
        """Whether the corrected test over seeds is significant."""
        return is_significant(self.seeds)

    @property
    def significant_on_sentences(self) -> bool:
        """Whether the corrected test on sentences is significant, for groups of two seeds or more."""
        return not self.one_seed and self.sentences is not None and is_significant(self.sentences)

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        return "; ".join(filter(None, [self.on_seeds, self.on_sentences])) + "."

    @property
    def on_seeds(self) -> str:
        found, (better, worse) = self.seeds, (self.better.name, self.worse.name)
        if found.corrected is None:
            reason = "too few seeds to compare" if self.one_seed else "no variance over seeds to test against"
            return f"{better} and {worse} differ by {found.mean:.2f} points with {describe_seeds(found)}: {reason}"
        interval = f"95 % interval {found.low:.2f} to {found.high:.2f}"
        evidence = f"{interval}, {describe_p(found.corrected)}, {describe_seeds(found)}"
        if self.significant:
            return f"{better} is significantly better than {worse} by {found.mean:.2f} points, {evidence}"
        return f"{better} is not significantly better than {worse}: {found.mean:+.2f} points, {evidence}"

    @property
    def on_sentences(self) -> str:
        found = self.sentences
        if found is None or found.corrected is None:
            return ""
        interval = f", 95 % interval {found.low:.2f} to {found.high:.2f}" if found.low is not None else ""
        where = f"the trained models on the same {found.counts[0]:,} sentences"
        return f"{where}: {found.mean:+.2f} points{interval}, {describe_p(found.corrected)}"


def is_significant(difference: Difference) -> bool:
    """Whether the first mean is higher and the corrected p value is below 5 %."""
    return difference.corrected is not None and difference.corrected < LEVEL and difference.mean > 0


def describe_seeds(difference: Difference) -> str:
    """``5 seeds``, ``5 and 4 seeds``."""
    counts = list(dict.fromkeys(difference.counts))
    return f"{' and '.join(map(str, counts))} {plural('seed', max(counts))}"


def plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def describe_p(p: float) -> str:
    """A p value with two digits; never 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def compare(groups: ComparableGroups, tests: "SentenceTests") -> list[Pair]:
    """Tests of all pairs of groups with scores; of many groups, the pairs of the best.

    p values are corrected for all pairs in either case, since the best group was chosen by the scores being tested.
    """
    scored = groups.scored
    pairs = list(combinations(scored, 2)) if len(scored) <= MAX_ALL_PAIRS else [(scored[0], g) for g in scored[1:]]
    testable = sum(len(group.scores) > 1 for group in scored)
    bounds = {"bounds": UNBOUNDED} if lower_is_better(groups.metric) else {}
    tests_over_seeds = [seed_test(better.qualities, worse.qualities, **bounds) for better, worse in pairs]
    seeds = with_correction(tests_over_seeds, count_pairs(testable))
    tested = [tests.difference(better, worse) for better, worse in pairs]
    known = [difference for difference in tested if difference is not None]
    family = len(known) if len(scored) <= MAX_ALL_PAIRS else count_pairs(len(scored))
    corrected = iter(with_correction(known, family))
    return [
        Pair(better, worse, over, None if on is None else next(corrected))
        for (better, worse), over, on in zip(pairs, seeds, tested, strict=True)
    ]


def count_pairs(count: int) -> int:
    return count * (count - 1) // 2


class SentenceTests:
    """Paired tests on the sentences that comparable groups were all scored on; every prediction is read once."""

    def __init__(self, groups: ComparableGroups) -> None:
        self.bleu = groups.metric.startswith("bleu")
        self.metric = groups.metric
        self.correctness = {} if self.bleu else {id(g): group_correctness(g, self.metric) for g in groups.scored}
        self.texts = {id(group): representative_texts(group) for group in groups.scored} if self.bleu else {}

    def difference(self, better: RunGroup, worse: RunGroup) -> Difference | None:
        """In percentage points; None if a group has no predictions, or if they are not of the same sentences."""
        if self.bleu:
            return self.difference_in_bleu(better, worse)
        first, second = self.correctness[id(better)], self.correctness[id(worse)]
        if first is None or second is None or not np.array_equal(first[1], second[1]):
            return None
        return sentence_test(100 * first[0], 100 * second[0], first[1])

    def difference_in_bleu(self, better: RunGroup, worse: RunGroup) -> Difference | None:
        """By sacreBLEU's approximate randomization, of one run of each group: that of the median validation score."""
        first, second = self.texts[id(better)], self.texts[id(worse)]
        if not first or not second or [row[0] for row in first] != [row[0] for row in second]:
            return None
        from sacrebleu.metrics import BLEU  # type: ignore[attr-defined]
        from sacrebleu.significance import PairedTest, Result

        streams: Any = list(zip_longest(*(row[0] for row in first)))  # None where a sentence has fewer
        hypotheses, others = ([row[1] for row in rows] for rows in (first, second))
        metric = BLEU(lowercase="lowercase" in self.metric)
        systems: list[tuple[str, Sequence[str]]] = [("second", others), ("first", hypotheses)]
        test = PairedTest(systems, {"BLEU": metric}, streams, test_type="ar", n_samples=BLEU_DRAWS)
        _, scores = test()
        baseline, result = cast(list[Result], scores["BLEU"])
        mean = result.score - baseline.score
        test_name = "sacreBLEU's approximate randomization"
        return Difference(mean, None, None, result.p_value, test_name, (len(hypotheses),))


def group_correctness(group: RunGroup, metric: str) -> Correctness | None:
    """Correct predictions in every sentence, averaged over seeds, and the number of predictions: two arrays [N]."""
    found = [correctness(record, group.split, metric) for record in group.finished.values()]
    complete = [entry for entry in found if entry is not None]
    if not complete or any(not np.array_equal(complete[0][1], other[1]) for other in complete):
        return None
    return np.mean([correct for correct, _ in complete], axis=0), complete[0][1]


def correctness(record: Record, split: str, metric: str) -> Correctness | None:
    """(correct [N], size [N]) of the sentences of a run; None if its predictions are incomplete."""
    rows = scored_rows(record, split)
    try:
        pairs = [row_correctness(row, metric) for row in rows]
    except (KeyError, TypeError):
        return None
    if not pairs:
        return None
    correct, sizes = np.array(pairs, dtype=float).T
    return correct, sizes


def scored_rows(record: Record, split: str) -> list[dict[str, Any]]:
    """The predictions of the compared split; none if they are of another split or incomplete."""
    sizes = record.content.get("data", {}).get("sizes", {})
    written = "test" if "test" in record.content["metrics"] else "validation"
    rows = record.predictions() if written == split else []
    return rows if len(rows) == sizes.get(split, len(rows)) else []


def row_correctness(row: dict[str, Any], metric: str) -> tuple[float, float]:
    """(correct, total) of one label, of the tags of a sentence, or of what a row says that it counts for a metric."""
    if "scored" in row:
        correct, total = row["scored"].get(metric, (0, 0))
        return float(correct), float(total)
    if "tags" in row:
        tags = row["tags"]
        return float(sum(map(str.__eq__, tags, row["predictions"]))), float(len(tags))
    return float(row["label"] == row["prediction"]), 1.0


def representative(group: RunGroup) -> Record:
    """The run of the median validation score, chosen without using the test split."""
    ranked = sorted(group.finished.values(), key=lambda record: record.score("validation", group.metric) or 0.0)
    return ranked[(len(ranked) - 1) // 2]


def representative_texts(group: RunGroup) -> list[tuple[list[str], str]]:
    """(references, hypothesis) of every sentence, from the run of the median validation score."""
    rows = scored_rows(representative(group), group.split)
    return [(found, row["prediction"]) for row in rows if (found := references(row)) and "prediction" in row]


def references(row: dict[str, Any]) -> list[str]:
    """What the text of a prediction is compared with; none where the prediction is no text."""
    return [row["reference"]] if "reference" in row else row.get("references", [])


def headline(groups: ComparableGroups, pairs: Sequence[Pair]) -> str:
    """Which group is best, with what evidence, above which baseline and at what cost."""
    scored = groups.scored
    if not scored:
        return "No run has a score."
    several = [group for group in scored if len(group.scores) > 1]
    best = (several or scored)[0]
    parts = [describe_score(best), verdict(best, scored, pairs)]
    if best.at_baseline:
        name, level = best.baseline or ("", 0.0)
        where = f"no clear gain over the baseline of {level:.2f}, {baseline_title(name)}"
        parts = [f"{describe_score(best, with_baseline=False)}, {where}: no claim is made."]
    elif len(several) > 1:
        parts.append(cost(best, several))
    return " ".join(filter(None, parts))


def describe_score(group: RunGroup, with_baseline: bool = True) -> str:
    """``gru scores 90.74 (95 % interval 90.34 to 91.13) over 3 seeds (baseline 50.00, the most frequent class):``."""
    interval = f" (95 % interval {group.interval[0]:.2f} to {group.interval[1]:.2f})" if group.interval else ""
    count = len(group.scores)
    score = f"{group.name} scores {group.mean:.2f}{interval} over {count} {plural('seed', count)}"
    if not with_baseline or group.baseline is None:
        return score + (":" if with_baseline else "")
    name, level = group.baseline
    return f"{score} (baseline {level:.2f}, {baseline_title(name)}):"


def verdict(best: RunGroup, scored: Sequence[RunGroup], pairs: Sequence[Pair]) -> str:
    """What the tests show about the best group and every other."""
    if len(scored) == 1:
        return "there is no other group to compare it with."
    if len(best.scores) < 2:
        return "too few seeds to compare."
    own = [pair for pair in pairs if best in (pair.better, pair.worse)]
    names: dict[str, list[str]] = {}
    for pair in own:
        other = pair.worse if pair.better is best else pair.better
        names.setdefault(finding(pair), []).append(other.name)
    return f"{', '.join(f'{found} {join_names(names[found])}' for found in FINDINGS if found in names)}."


BETTER = "significantly better than"
BETTER_ON_SENTENCES = "significantly better on the test sentences, but not over seeds, than"
NOT_BETTER = "not significantly better than"
TOO_FEW_SEEDS = "with too few seeds to compare with"
FINDINGS = (BETTER, BETTER_ON_SENTENCES, NOT_BETTER, TOO_FEW_SEEDS)


def finding(pair: Pair) -> str:
    """What a pair shows, by the test over seeds, or by that on sentences if the first is not significant."""
    if pair.one_seed:
        return TOO_FEW_SEEDS
    if pair.significant:
        return BETTER
    return BETTER_ON_SENTENCES if pair.significant_on_sentences else NOT_BETTER


def cost(best: RunGroup, groups: Sequence[RunGroup]) -> str:
    """How much faster the fastest group above its baseline trains, and how many points that costs."""
    usable = [group for group in groups if not group.at_baseline]
    speeds = {id(group): group.average("tokens_per_second") or 0.0 for group in usable}
    fastest = max(usable, key=lambda group: speeds[id(group)])
    if not speeds[id(best)]:
        return ""
    if fastest is best:
        others = [speeds[id(group)] for group in groups if group is not best and id(group) in speeds]
        clearly = bool(others) and speeds[id(best)] >= LEAST_SPEEDUP * max(others)
        return f"It is also the fastest, at {speeds[id(best)]:,.0f} tokens/s." if clearly else ""
    factor = speeds[id(fastest)] / speeds[id(best)]
    if factor < LEAST_SPEEDUP:
        return ""
    kernels = fastest.distinct_values("kernel"), best.distinct_values("kernel")
    across = f" ({kernels[0]} against {kernels[1]} kernels)" if kernels[0] != kernels[1] else ""
    loss = abs(best.mean - fastest.mean)
    worse = "its error is {:.2f} points higher" if lower_is_better(best.metric) else "scores {:.2f} points less"
    return f"{fastest.name} trains {factor:.1f} times as fast{across}, and {worse.format(loss)}."


def join_names(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; of more than six the number."""
    if len(names) > 6:
        return f"{len(names)} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
