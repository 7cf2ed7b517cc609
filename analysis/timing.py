"""Times of several ways to do the same, taken side by side."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Now:
    """The time by which everything is measured: that of the wall, or of this process on a machine with other work."""

    read: Callable[[], float] = staticmethod(time.perf_counter)


class Times(NamedTuple):
    """Seconds of all rounds of one way."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        return min(self.seconds)


def side_by_side(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Each way once to warm up, then once in every round, in an order that is reversed from round to round.

    Whatever else the machine does in a round meets all ways alike, so that their ratios hold where their times do not.
    """
    for run in ways.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        for name in reversed(names) if number % 2 else names:
            started = Now.read()
            ways[name]()
            seconds[name].append(Now.read() - started)
    return {name: Times(taken) for name, taken in seconds.items()}


class Clock:
    """Divides the time of a program among parts of it: all time after ``switch(part)`` is the part's until the next."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.part, self.since = "other", Now.read()

    def switch(self, part: str) -> str:
        """Begin a part; the one before it."""
        now = Now.read()
        self.seconds[self.part] = self.seconds.get(self.part, 0.0) + now - self.since
        before, self.part, self.since = self.part, part, now
        return before

    def restart(self) -> None:
        """Forget all time so far."""
        self.switch(self.part)
        self.seconds.clear()

    def timed(self, part: str, function: Callable[..., object]) -> Callable[..., object]:
        """The function, its time counted for a part."""

        def run(*arguments: object, **options: object) -> object:
            before = self.switch(part)
            try:
                return function(*arguments, **options)
            finally:
                self.switch(before)

        return run

    def shares(self) -> dict[str, float]:
        """The part's fraction of all time, the largest first."""
        total = sum(self.seconds.values())
        return {part: spent / total for part, spent in sorted(self.seconds.items(), key=lambda entry: -entry[1])}
