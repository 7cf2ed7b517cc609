"""Confidence intervals and tests of differences, over seeds and over test sentences, with Holm's correction.

Scores are in percent. Intervals of bounded scores are clipped to their bounds: the true value lies within them, so the
coverage stays the same.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RANDOMIZATIONS, RESAMPLES = 10_000, 2_000
BOUNDS = (0.0, 100.0)
NOT_NEGATIVE = (0.0, math.inf)
UNBOUNDED = (-math.inf, math.inf)
PAIRED, WELCH, TOO_FEW = "paired t test", "Welch's t test", "none: too few seeds"
RANDOMIZATION = "approximate randomization"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """The difference of two means, in percentage points.

    Args:
        mean: of the first minus that of the second.
        low, high: 95 % confidence interval, not corrected for the number of pairs; None if it cannot be estimated.
        p: two-sided p value of ``test``; None if there are too few seeds.
        test: name of the test.
        counts: number of seeds, or of sentences, of either side; a single number if the test is paired.
        corrected: p corrected for the number of pairs.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    test: str
    counts: tuple[int, ...]
    corrected: float | None = None


def clip(interval: Interval, bounds: Interval) -> Interval:
    """The part of an interval that lies within ``bounds``."""
    low, high = (float(min(max(end, bounds[0]), bounds[1])) for end in interval)
    return low, high


def mean_interval(scores: Sequence[float], bounds: Interval = UNBOUNDED) -> Interval | None:
    """The 95 % confidence interval of the mean by Student's t; None for fewer than two scores."""
    if len(scores) < 2:
        return None
    return t_interval(scores, CONFIDENCE, float(stats.sem(scores)), bounds)


def prediction_interval(scores: Sequence[float], confidence: float, bounds: Interval = UNBOUNDED) -> Interval | None:
    """The interval in which the score of one more seed falls; None for fewer than two scores."""
    if len(scores) < 2:
        return None
    scale = float(np.std(scores, ddof=1)) * math.sqrt(1 + 1 / len(scores))
    return t_interval(scores, confidence, scale, bounds)


def t_interval(scores: Sequence[float], confidence: float, scale: float, bounds: Interval) -> Interval:
    """The mean plus and minus a multiple of ``scale`` by Student's t, clipped to ``bounds``."""
    half = stats.t.ppf((1 + confidence) / 2, len(scores) - 1) * scale
    center = np.mean(scores)
    return clip((center - half, center + half), bounds)


def seed_test(
    first: Mapping[int, float], second: Mapping[int, float], bounds: Interval = (-BOUNDS[1], BOUNDS[1])
) -> Difference:
    """A t test over seeds: paired if both groups have the same seeds, otherwise Welch's.

    Welch's test also replaces the paired one if all differences are equal, which leaves no variance to estimate.
    """
    if first.keys() == second.keys() and len(first) > 1:
        differences = np.round([first[seed] - second[seed] for seed in sorted(first)], 9)
        if np.ptp(differences) > 0:
            tested = stats.ttest_1samp(differences, 0)
            return from_t_test(float(differences.mean()), tested, PAIRED, (len(differences),), bounds)
    scores, others = list(first.values()), list(second.values())
    mean, counts = float(np.mean(scores) - np.mean(others)), (len(scores), len(others))
    if min(counts) < 2 or np.ptp(scores) == np.ptp(others) == 0:
        return Difference(mean, None, None, None, TOO_FEW, counts)
    return from_t_test(mean, stats.ttest_ind(scores, others, equal_var=False), WELCH, counts, bounds)


def from_t_test(mean: float, tested: Any, test: str, counts: tuple[int, ...], bounds: Interval) -> Difference:
    """The difference that a t test of SciPy found, within bounds: two percentages differ by at most 100 points."""
    interval = tested.confidence_interval(CONFIDENCE)
    low, high = clip((interval.low, interval.high), bounds)
    return Difference(mean, low, high, float(tested.pvalue), test, counts)


def sentence_test(first: np.ndarray, second: np.ndarray, sizes: np.ndarray) -> Difference:
    """A paired test on the same sentences: approximate randomization, with an interval by the paired bootstrap.

    It treats the trained models as fixed: it asks whether they differ on other sentences of this kind, not whether
    models trained from other seeds would.

    Args:
        first, second: [N] number of correct predictions in each sentence, averaged over seeds, times 100.
        sizes: [N] number of predictions in each sentence: 1, or the number of words.
    """
    differences = np.round(first - second, 9)
    low, high = bootstrap_interval(differences, sizes)
    mean = float(differences.sum() / sizes.sum())
    return Difference(mean, low, high, randomization_p(differences), RANDOMIZATION, (len(sizes),))


def randomization_p(differences: np.ndarray) -> float:
    """The p value of a sum under random signs of its terms (Noreen, 1989).

    Terms of equal size are drawn together: the sum of their signs is binomial, so 10,000 draws take milliseconds. For
    p values too small to be estimated by draws, Hoeffding's bound (1963), which is never below the exact p, is used.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    if not len(sizes):
        return 1.0
    observed = abs(float(differences.sum()))
    flips = np.random.default_rng(0).binomial(counts, 0.5, size=(RANDOMIZATIONS, len(counts)))
    sums = (2 * flips - counts) @ sizes
    drawn = (1 + np.count_nonzero(np.abs(sums) >= observed - 1e-9)) / (1 + RANDOMIZATIONS)
    bound = 2 * math.exp(-(observed**2) / (2 * float((differences**2).sum())))
    return float(min(drawn, bound))


def bootstrap_interval(differences: np.ndarray, sizes: np.ndarray) -> Interval:
    """The 95 % confidence interval of sum(differences) / sum(sizes) over resampled sentences (Koehn, 2004)."""
    distinct, counts = np.unique(np.stack([differences, sizes], axis=1), axis=0, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES) @ distinct
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def holm(values: Sequence[float], family: int | None = None) -> list[float]:
    """p values corrected for the number of tests (Holm, 1979).

    Args:
        family: number of hypotheses, if it is larger than the number of ``values``. Hypotheses without a p value are
            taken to rank last, which can only raise the corrected values.
    """
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(np.argsort(values, kind="stable")):
        highest = max(highest, min(1.0, ((family or len(values)) - rank) * values[index]))
        corrected[index] = highest
    return corrected


def with_correction(differences: Sequence[Difference], family: int | None = None) -> list[Difference]:
    """The same differences with ``corrected`` filled in where there is a p value."""
    tested = iter(holm([difference.p for difference in differences if difference.p is not None], family))
    return [replace(d, corrected=None if d.p is None else next(tested)) for d in differences]


def above(score: float, level: float, count: int) -> bool:
    """Whether the fraction ``score`` of ``count`` correct is significantly above ``level``, by the binomial test."""
    return bool(stats.binomtest(round(score * count), count, level, alternative="greater").pvalue < 1 - CONFIDENCE)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (cost, quality) that no other beats in both, by increasing cost."""
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
