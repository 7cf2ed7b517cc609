"""How the learning rate goes: the share of a training done, 0 to 1 -> a factor of the peak rate."""

import math

from data.errors import InputError


def _warm(progress: float, warmup: float) -> float:
    if not 0 <= warmup < 1:
        raise InputError(f"schedule.warmup={warmup}: give a fraction of the training, at least 0 and less than 1.")
    return min(1.0, progress / warmup) if warmup > 0 else 1.0


def constant(progress: float, warmup: float) -> float:
    """Rise over the first ``warmup`` share, then stay."""
    return _warm(progress, warmup)


def linear(progress: float, warmup: float, final: float) -> float:
    """Rise over the first ``warmup`` share, then fall in a line to ``final``."""
    return min(_warm(progress, warmup), 1 - (1 - final) * max(0.0, progress - warmup) / (1 - warmup))


def cosine(progress: float, warmup: float, final: float) -> float:
    """Rise over the first ``warmup`` share, then fall along half a cosine to ``final`` (Loshchilov & Hutter, 2017)."""
    risen = _warm(progress, warmup)
    done = max(0.0, progress - warmup) / (1 - warmup)
    return min(risen, final + (1 - final) * (1 + math.cos(math.pi * done)) / 2)
