"""How sure a difference is: intervals and tests over seeds and over test sentences, and Holm's correction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RANDOMISATIONS, RESAMPLES = 10_000, 2_000


@dataclass(frozen=True)
class Difference:
    """One mean minus another, in the unit of the scores.

    ``low`` and ``high`` bound the 95 % interval, ``p`` is that of the two-sided ``test``; null where there is too
    little to say. ``counts`` are the seeds, or the sentences, on either side; paired where there is one number.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    test: str
    counts: tuple[int, ...]
    corrected: float | None = None


def mean_interval(scores: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean by Student's t; None for fewer than two scores."""
    if len(scores) < 2:
        return None
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(scores) - 1) * np.std(scores, ddof=1) / math.sqrt(len(scores))
    return float(np.mean(scores) - half), float(np.mean(scores) + half)


def prediction_interval(scores: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """Where one score more of the same kind falls; None for fewer than two scores."""
    count = len(scores)
    if count < 2:
        return None
    half = stats.t.ppf((1 + confidence) / 2, count - 1) * np.std(scores, ddof=1) * math.sqrt(1 + 1 / count)
    return float(np.mean(scores) - half), float(np.mean(scores) + half)


def over_seeds(first: Mapping[int, float], second: Mapping[int, float]) -> Difference:
    """Paired over the seeds that both have, where two or more differ by more or less; else Welch's test on all."""
    differences = np.round([first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())], 9)
    if len(differences) >= 2 and np.ptp(differences) > 0:
        bounds = mean_interval(differences.tolist()) or (math.nan, math.nan)
        p = float(stats.ttest_1samp(differences, 0).pvalue)
        return Difference(float(differences.mean()), *bounds, p, "paired t test", (len(differences),))
    scores, others = list(first.values()), list(second.values())
    mean, counts = float(np.mean(scores) - np.mean(others)), (len(scores), len(others))
    if min(counts) < 2 or np.std(scores) == np.std(others) == 0:
        return Difference(mean, None, None, None, "none: too few seeds", counts)
    tested = stats.ttest_ind(scores, others, equal_var=False)
    interval = tested.confidence_interval(CONFIDENCE)
    return Difference(mean, float(interval.low), float(interval.high), float(tested.pvalue), "Welch's t test", counts)


def over_sentences(first: np.ndarray, second: np.ndarray, sizes: np.ndarray) -> Difference:
    """Shares right on the same sentences: paired approximate randomisation, and an interval by paired bootstrap.

    Args:
        first, second: [N] how much of each sentence is right, a mean over seeds.
        sizes: [N] how much there is to be right about: 1, or the number of words.
    """
    differences = np.round(first - second, 9)
    low, high = bootstrap_interval(differences, sizes)
    mean = float(differences.sum() / sizes.sum())
    return Difference(mean, low, high, randomisation_p(differences), "approximate randomisation", (len(sizes),))


def randomisation_p(differences: np.ndarray) -> float:
    """Of a sum whose terms may as well have had the other sign (Noreen, 1989).

    Terms of one size are drawn together: their signs sum to a binomial, so that 10,000 draws cost milliseconds.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    flips = np.random.default_rng(0).binomial(counts, 0.5, size=(RANDOMISATIONS, len(counts)))
    sums = (2 * flips - counts) @ sizes
    extreme = np.count_nonzero(np.abs(sums) >= abs(differences.sum()) - 1e-9)
    return float((1 + extreme) / (1 + RANDOMISATIONS))


def bootstrap_interval(differences: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of sum(differences) / sum(sizes) over sentences drawn anew (Koehn, 2004)."""
    kinds, counts = np.unique(np.stack([differences, sizes], axis=1), axis=0, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES) @ kinds
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for being many (Holm, 1979): any of them is wrongly below 0.05 in one family of twenty."""
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(np.argsort(values, kind="stable")):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected


def with_correction(differences: Sequence[Difference]) -> list[Difference]:
    """The same with ``corrected`` filled in, for those that have a p value."""
    tested = iter(holm([difference.p for difference in differences if difference.p is not None]))
    return [replace(d, corrected=None if d.p is None else next(tested)) for d in differences]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which (cost, quality) no other point beats in both; by cost, the least first."""
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
