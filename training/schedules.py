"""Learning rate schedules: the fraction of a training done, 0 to 1 -> a factor of the peak rate."""

import math

from data.errors import InputError


def constant(progress: float, warmup: float) -> float:
    """Rise over the first ``warmup`` fraction, then stay."""
    return rise(progress, warmup)


def linear(progress: float, warmup: float, final: float) -> float:
    """Rise over the first ``warmup`` fraction, then fall in a line to ``final``."""
    return min(rise(progress, warmup), fall(1 - after_warmup(progress, warmup), final))


def cosine(progress: float, warmup: float, final: float) -> float:
    """Rise over the first ``warmup`` fraction, then fall to ``final`` along half a cosine.

    Loshchilov & Hutter, 2017.
    """
    half_cosine = (1 + math.cos(math.pi * after_warmup(progress, warmup))) / 2
    return min(rise(progress, warmup), fall(half_cosine, final))


def rise(progress: float, warmup: float) -> float:
    """From 0 to 1 in a line, then 1."""
    if not 0 <= warmup < 1:
        raise InputError(f"schedule.warmup={warmup}: give a fraction of the training, at least 0 and less than 1.")
    return min(1.0, progress / warmup) if warmup > 0 else 1.0


def after_warmup(progress: float, warmup: float) -> float:
    """The fraction done of what follows the warm-up."""
    return max(0.0, progress - warmup) / (1 - warmup) if warmup < 1 else 1.0


def fall(height: float, final: float) -> float:
    """From 1 at height 1 to ``final`` at height 0."""
    if not 0 <= final <= 1:
        raise InputError(f"schedule.final={final}: give a fraction of the peak rate, at least 0 and at most 1.")
    return final + (1 - final) * height
