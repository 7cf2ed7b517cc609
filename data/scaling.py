"""Scaling of windows: what a model reads and predicts has a size of about 1, whatever the units of a series.

Shape letters: B windows, T steps before the origin, H steps to forecast, C channels.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from data.series import Floats

TINY = 1e-8  # of a level: windows that vary less are constant


class Scale(NamedTuple):
    """How the values of B windows are scaled, and from what the forecasts are counted."""

    level: Floats  # [B, C] what is 0 among the inputs
    spread: Floats  # [B, C] what is 1 among inputs and targets
    reference: Floats  # [B, H, C] what is 0 among the targets


class Known(NamedTuple):
    """What is known of B windows at their origins."""

    past: Floats  # [B, T, C] NaN where missing, and before the first step
    last: Floats  # [B, C] the last value
    seasonal: Floats  # [B, H, C] for every step to forecast, the value of the last season
    training_level: Floats  # [B, C] the mean of the training part of the series
    training_spread: Floats  # [B, C] its standard deviation


class Scaling(ABC):
    """The scale of windows, from what is known at their origins and from the training part."""

    @abstractmethod
    def scale(self, known: Known) -> Scale: ...


class StandardScaling(Scaling):
    """By mean and standard deviation of the training part of every series and channel."""

    def scale(self, known: Known) -> Scale:
        return around(known, known.training_level, known.training_spread)


class WindowScaling(Scaling):
    """By mean and standard deviation of the window itself (as RevIN, Kim et al., 2022, without its learned part)."""

    def scale(self, known: Known) -> Scale:
        return around(known, *of_window(known))


class LastScaling(Scaling):
    """By the last value and the standard deviation of the window: forecasts are changes from the last value."""

    def scale(self, known: Known) -> Scale:
        _, spread = of_window(known)
        return around(known, known.last, spread)


class SeasonScaling(Scaling):
    """By the window; forecasts are changes from the value of the last season."""

    def scale(self, known: Known) -> Scale:
        return Scale(*of_window(known), known.seasonal)


def around(known: Known, level: Floats, spread: Floats) -> Scale:
    """A scale whose forecasts are counted from the level."""
    return Scale(level, spread, np.broadcast_to(level[:, None], known.seasonal.shape))


def of_window(known: Known) -> tuple[Floats, Floats]:
    """Mean and standard deviation of what is known of a window; those of the training part where it does not vary."""
    present = ~np.isnan(known.past)
    count = np.maximum(present.sum(axis=1), 1)
    level = np.where(present, known.past, 0).sum(axis=1) / count
    deviation = np.where(present, known.past - level[:, None], 0)
    spread = np.sqrt((deviation**2).sum(axis=1) / count)
    level = np.where(present.any(axis=1), level, known.training_level)
    constant = spread <= TINY * np.abs(level)
    return level, np.where(constant, known.training_spread, spread)
