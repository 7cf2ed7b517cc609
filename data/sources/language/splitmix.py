"""A seeded random number generator that gives the same numbers on every machine and in every version of Python."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
MASK = (1 << 64) - 1


class SplitMix64:
    """SplitMix64 (Steele, Lea and Flood 2014): 64 bits of state, one addition and three mixing steps per number.

    `random.Random` guarantees the same `random()` in every version of Python, but not the same `choice` or `shuffle`.
    """

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = seed & MASK

    def bits(self) -> int:
        """64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def randbelow(self, limit: int) -> int:
        """A whole number from 0 to limit - 1; the multiplication keeps the bias under limit / 2**64."""
        return (self.bits() * limit) >> 64

    def bernoulli(self, probability: float) -> bool:
        """True with this probability."""
        return (self.bits() >> 11) < probability * (1 << 53)

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items, each with the same probability."""
        return items[(self.bits() * len(items)) >> 64]
