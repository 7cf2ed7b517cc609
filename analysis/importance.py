"""How much of the variance of validation scores each hyperparameter explains: functional ANOVA.

A random forest (scikit-learn) is fitted to the trials, and the variance of its predictions over the whole search space
is decomposed (Hutter et al., 2014) by Sobol' indices (SciPy): the first-order index is the share of one hyperparameter
alone, the total index includes its interactions with others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.trials import Search, TrialGroup
from training.trials import Dimension

LEAST_TRIALS = 8
TREES = 128
SAMPLES = 512  # a power of two, as Sobol sequences ask for


@dataclass(frozen=True)
class Importance:
    """The shares of variance, by name.

    Args:
        count: the number of trials.
        alone: first-order indices, from 0 to 1.
        total: with interactions.
        explained: R^2 of the forest on trials that a tree was not fitted to; not above 0 if it explains nothing.
    """

    count: int
    alone: dict[str, float]
    total: dict[str, float]
    explained: float


def importance_of_group(group: TrialGroup) -> Importance | None:
    """The hyperparameters of one group; None for too few trials."""
    points = [[one.position(group.values(n)[one.name]) for one in group.dimensions] for n in group.scores]
    names = [one.name for one in group.dimensions]
    return importance(names, [draw_position(one) for one in group.dimensions], points, list(group.scores.values()))


def importance_of_search(search: Search) -> Importance | None:
    """The hyperparameters that all groups drew, and which group it is, as one more hyperparameter."""
    if len(search.groups) < 2:
        return None
    shared = [one for one in search.groups[0].dimensions if all(one.name in names_of(group) for group in search.groups)]
    count, points, scores = len(search.groups), [], []
    for index, group in enumerate(search.groups):
        for number, score in group.scores.items():
            drawn = [one.position(group.values(number)[one.name]) for one in shared]
            points.append([(index + 0.5) / count, *drawn])
            scores.append(score)
    moves = [middles(count), *map(draw_position, shared)]
    return importance(["group", *(one.name for one in shared)], moves, points, scores)


def names_of(group: TrialGroup) -> set[str]:
    return {one.name for one in group.dimensions}


def middles(count: int) -> Callable[[np.ndarray], np.ndarray]:
    """Positions -> the middle of the part of ``count`` equal parts that each lies in."""
    return lambda positions: (np.minimum(np.floor(positions * count), count - 1) + 0.5) / count


def draw_position(one: Dimension) -> Callable[[np.ndarray], np.ndarray]:
    """Positions -> positions that values have: of choices, only the middles of their parts."""
    return middles(len(one.values)) if one.kind == "choice" else lambda positions: positions


def importance(
    names: Sequence[str],
    moves: Sequence[Callable[[np.ndarray], np.ndarray]],
    points: Sequence[Sequence[float]],
    scores: Sequence[float],
) -> Importance | None:
    """The decomposition for points [N, names] from 0 to 1 and their scores [N]; None where nothing can be explained."""
    if len(scores) < LEAST_TRIALS or not names or np.ptp(scores) == 0:
        return None
    from scipy import stats
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0).fit(np.asarray(points), np.asarray(scores))

    def predict(drawn: np.ndarray) -> np.ndarray:
        moved = [move(row) for move, row in zip(moves, drawn, strict=True)]
        return forest.predict(np.stack(moved, axis=1))

    found = stats.sobol_indices(func=predict, n=SAMPLES, dists=[stats.uniform()] * len(names), rng=0)
    alone, total = np.clip(found.first_order, 0, 1), np.clip(found.total_order, 0, 1)
    by_name = [dict(zip(names, map(float, values.ravel()), strict=True)) for values in (alone, total)]
    return Importance(len(scores), by_name[0], by_name[1], float(forest.oob_score_))
