"""95 % confidence intervals of the scores of one model, by the bootstrap over the examples of a split.

They say how much a score would vary with other examples of this kind, not with another seed of the training.
"""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000
QUANTILES = (0.025, 0.975)

Interval = tuple[float, float]


def resampled_sums(statistics: np.ndarray) -> np.ndarray:
    """Sums over resampled examples, equal examples drawn together: [examples, numbers] -> [RESAMPLES, numbers]."""
    distinct, counts = np.unique(statistics, axis=0, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES)
    return drawn @ distinct


def accuracy_interval(correct: Sequence[int], sizes: Sequence[int]) -> Interval:
    """The interval of an accuracy: the number of correct predictions in every example, and of predictions."""
    sums = resampled_sums(np.stack([correct, sizes], axis=1).astype(float))
    low, high = np.quantile(sums[:, 0] / np.maximum(sums[:, 1], 1), QUANTILES)
    return float(low), float(high)


def bleu_interval(hypotheses: Sequence[str], references: Sequence[str], tokenize: str) -> Interval:
    """The interval of BLEU, from 0 to 100 (Koehn, 2004)."""
    from sacrebleu.metrics import BLEU  # type: ignore[attr-defined]

    bleu = BLEU(tokenize=tokenize, effective_order=True)
    found = [bleu.sentence_score(text, [reference]) for text, reference in zip(hypotheses, references, strict=True)]
    statistics = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in found])
    sums = resampled_sums(statistics).astype(int).tolist()
    order = len(found[0].counts)
    scores = [
        BLEU.compute_bleu(row[:order], row[order:-2], row[-2], row[-1], smooth_method="exp").score for row in sums
    ]
    low, high = np.quantile(scores, QUANTILES)
    return float(low), float(high)
