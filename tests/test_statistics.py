"""Statistics of comparisons: against SciPy and textbook values, and their error rates on simulated scores."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from analysis.comparison import MAX_ALL_PAIRS, count_pairs
from analysis.statistics import (
    above,
    bootstrap_interval,
    clip,
    holm,
    mean_interval,
    pareto_front,
    prediction_interval,
    randomization_p,
    seed_test,
    sentence_test,
    with_correction,
)


def test_interval_of_a_mean_is_students() -> None:
    scores = [1.0, 2.0, 3.0, 4.0]
    half = 3.182446 * 1.290994 / 2  # t(3, 97.5 %), standard deviation, square root of 4
    assert mean_interval(scores) == pytest.approx((2.5 - half, 2.5 + half), abs=1e-5)
    assert prediction_interval(scores, 0.95) == pytest.approx((2.5 - half * 5**0.5, 2.5 + half * 5**0.5), abs=1e-5)
    assert mean_interval([1.0]) is None and prediction_interval([1.0], 0.95) is None
    assert mean_interval([1.0, 2.0]) is not None and prediction_interval([1.0, 2.0], 0.95) is not None


def test_intervals_stay_within_the_bounds_of_the_score() -> None:
    high = mean_interval([99.7, 99.9], (0, 100))
    assert high is not None and high[1] == 100 and 98 < high[0] < 99.7
    low = prediction_interval([1.0, 3.0], 0.99, (0, 100))
    assert low is not None and low[0] == 0 and low[1] == pytest.approx(100)
    assert clip((-1.0, 0.5), (0, 1)) == (0, 0.5) and clip((0.5, 2.0), (0, 1)) == (0.5, 1)
    found = seed_test({1: 99.0, 2: 60.0}, {1: 0.0, 2: 1.0})
    assert found.low is not None and found.high is not None and -100 <= found.low <= found.high <= 100


def test_equal_seeds_are_paired() -> None:
    first, second = {1: 80.0, 2: 82.0, 3: 81.0}, {3: 80.5, 1: 79.0, 2: 80.5}
    found = seed_test(first, second)
    expected = stats.ttest_rel([80, 82, 81], [79, 80.5, 80.5])
    assert found.mean == pytest.approx(1.0) and found.counts == (3,) and found.test == "paired t test"
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize("second", [{3: 79.0, 4: 80.5, 5: 80.0}, {1: 79.0, 2: 80.5, 3: 80.0}])
def test_unequal_seeds_are_compared_by_welch_with_all_scores(second: Mapping[int, float]) -> None:
    found = seed_test({1: 80.0, 2: 82.0}, second)
    expected = stats.ttest_ind([80, 82], [79, 80.5, 80], equal_var=False)
    assert found.p == pytest.approx(expected.pvalue) and found.counts == (2, 3) and found.test == "Welch's t test"
    assert found.mean == pytest.approx(81 - 239.5 / 3)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize("second", [{1: 79.0}, {2: 79.0}, {1: 79.0, 2: 79.5}])
def test_one_seed_gives_no_p_value(second: Mapping[int, float]) -> None:
    found = seed_test({1: 80.0}, second)
    assert found.mean == pytest.approx(80 - np.mean(list(second.values())))
    assert found.p is None and found.low is None and found.high is None and found.test == "none: too few seeds"
    assert found.counts == (1, len(second))


def test_two_equal_seeds_are_paired() -> None:
    found = seed_test({1: 80.0, 2: 82.0}, {2: 80.5, 1: 79.0})
    assert found.p == pytest.approx(stats.ttest_rel([80, 82], [79, 80.5]).pvalue) and found.counts == (2,)


def test_equal_differences_have_no_paired_test() -> None:
    assert seed_test({1: 80.0, 2: 81.0}, {1: 80.0, 2: 81.0}).p == pytest.approx(1)
    found = seed_test({1: 80.0, 2: 81.0}, {1: 79.0, 2: 80.0})
    assert found.test == "Welch's t test" and found.p == pytest.approx(stats.ttest_ind([80, 81], [79, 80]).pvalue)
    assert seed_test({1: 80.0, 2: 80.0}, {1: 79.0, 2: 79.0}).p is None


def test_randomization_of_one_seed_is_the_sign_test() -> None:
    differences = np.array([1.0] * 15 + [-1.0] * 5 + [0.0] * 180)
    assert randomization_p(differences) == pytest.approx(stats.binomtest(15, 20).pvalue, abs=0.01)
    assert randomization_p(np.zeros(10)) == 1


def test_randomization_of_several_seeds_agrees_with_flipping_each_sign() -> None:
    generator = np.random.default_rng(1)
    differences = generator.choice([-1.0, -0.5, 0.0, 0.5, 1.0], 60, p=[0.1, 0.15, 0.3, 0.25, 0.2])
    signs = generator.choice([-1, 1], (20_000, 60))
    expected = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9)
    assert randomization_p(differences) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("wins", [40, 60, 100])
def test_small_p_values_are_bounded_from_above(wins: int) -> None:
    """p values below what 10,000 draws resolve are not smaller than those of the exact sign test."""
    exact = stats.binomtest(wins, wins).pvalue
    found = randomization_p(np.ones(wins))
    assert exact <= found < 1e-4 and found == pytest.approx(2 * np.exp(-wins / 2))


def test_bootstrap_agrees_with_scipy() -> None:
    differences = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], 300, p=[0.1, 0.7, 0.2])
    low, high = stats.bootstrap((differences,), np.mean, method="percentile", rng=0).confidence_interval
    assert bootstrap_interval(differences, np.ones(300)) == pytest.approx((low, high), abs=0.01)


def test_draws_have_a_fixed_seed() -> None:
    """The same scores give the same p value and the same interval in every report."""
    signs = 2 * np.random.default_rng(0).binomial(np.array([20]), 0.5, size=(10_000, 1)) - 20
    for wins in (11, 12, 13, 14, 15):
        p = (1 + np.count_nonzero(abs(signs) >= 2 * wins - 20)) / 10_001
        for size in (1.0, 0.5):
            assert randomization_p(size * np.array([1] * wins + [-1] * (20 - wins))) == pytest.approx(p, abs=1e-12)
    squares = np.arange(50.0) ** 2
    means = np.random.default_rng(0).multinomial(50, np.full(50, 1 / 50), size=2_000) @ squares / 50
    assert bootstrap_interval(squares, np.ones(50)) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_sentences_count_by_their_words() -> None:
    found = sentence_test(np.array([3.0, 2.0, 5.0]), np.array([2.0, 2.0, 3.0]), np.array([4.0, 2.0, 6.0]))
    assert found.mean == pytest.approx(3 / 12) and found.counts == (3,) and found.test == "approximate randomization"
    assert found.low is not None and found.high is not None and 0 <= found.low <= found.mean <= found.high <= 1 / 3
    means_over_seeds = sentence_test(np.array([1.0, 0.4]), np.array([0.5, 0.7]), np.ones(2))
    assert means_over_seeds.mean == pytest.approx(0.1) and means_over_seeds.p == randomization_p(np.array([0.5, -0.3]))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0]) and holm([]) == []
    assert holm([0.01, 0.04], family=10) == pytest.approx([0.1, 0.36])


def test_correction_skips_differences_without_a_p_value() -> None:
    tested = seed_test({1: 80.0, 2: 82.0, 3: 81.0}, {1: 79.0, 2: 80.5, 3: 80.5})
    without = seed_test({1: 80.0}, {1: 79.0})
    found = with_correction([without, tested], family=3)
    assert found[0].corrected is None and found[1].corrected == pytest.approx(3 * (tested.p or 0))


def test_equal_p_values_are_corrected_in_their_order() -> None:
    assert holm([0.2, 0.01, 0.01]) == pytest.approx([0.2, 0.03, 0.03])
    assert holm([0.04, 0.001]) == pytest.approx([0.04, 0.002])
    assert holm([0.9, 0.6]) == [1.0, 1.0]


def test_above_is_the_binomial_test() -> None:
    assert above(0.6, 0.5, 200) and not above(0.6, 0.58, 200) and above(0.2, 0.1, 200)
    assert not above(0.6, 0.5, 20) and not above(0.4, 0.5, 200) and not above(0.5, 0.5, 200)


def test_pareto_front_holds_what_nothing_beats() -> None:
    assert pareto_front([(1, 50), (2, 70), (3, 60), (2, 65), (4, 80)]) == [0, 1, 4]
    assert pareto_front([(1, 50), (1, 60), (2, 60), (0.5, 40)]) == [3, 1]


def false_claims(groups: int, seeds: int, paired: bool, trials: int = 100) -> float:
    """The fraction of simulated comparisons of equal groups in which any pair is reported as significant.

    As in ``comparison.compare``: all pairs, or those of the best of more than ten groups.
    """
    generator = np.random.default_rng(1)
    claims = 0
    for _ in range(trials):
        scores = generator.normal(80, 1, (groups, seeds))
        scores = scores[np.argsort(-scores.mean(axis=1))]
        named = [{seed + (0 if paired else seeds * i): s for seed, s in enumerate(row)} for i, row in enumerate(scores)]
        pairs = list(combinations(named, 2)) if groups <= MAX_ALL_PAIRS else [(named[0], other) for other in named[1:]]
        tested = with_correction([seed_test(a, b) for a, b in pairs], count_pairs(groups))
        claims += any(d.corrected is not None and d.corrected < 0.05 for d in tested)
    return claims / trials


@pytest.mark.parametrize(("groups", "seeds", "paired"), [(3, 3, True), (5, 5, True), (4, 5, False), (12, 5, True)])
def test_equal_groups_are_rarely_called_different(groups: int, seeds: int, paired: bool) -> None:
    """The family-wise error rate is 5 %; 100 trials of it scatter by 2 %. The scores are fixed by a seed."""
    assert false_claims(groups, seeds, paired) <= 0.06


def test_equal_groups_are_rarely_called_different_on_sentences() -> None:
    """Twelve groups, each correct on its own random 80 % of 300 sentences; the best is tested against the others."""
    generator = np.random.default_rng(2)
    claims = 0
    for _ in range(25):
        correct = generator.random((12, 300)) < 0.8
        best, *others = sorted(correct, key=lambda row: -row.sum())
        sizes = np.ones(300)
        tested = with_correction(
            [sentence_test(100.0 * best, 100.0 * other, sizes) for other in others], count_pairs(12)
        )
        claims += any(d.corrected is not None and d.corrected < 0.05 for d in tested)
    assert claims / 25 <= 0.04
