"""The contract of a tracker, and what keeps its failures from a run."""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from data.errors import InputError

log = logging.getLogger(__name__)

NOT_IN_A_NAME = re.compile(r"[^\w\-. /]", re.ASCII)  # what MLflow allows is what all allow


class RunInfo(NamedTuple):
    """A run as trackers show it."""

    title: str
    directory: Path
    identity: dict[str, Any]  # task, cell, config id, seed, ...
    config: dict[str, Any]


class Tracker(ABC):
    """Receives what a run writes into its folder, in this order: the start, a row per epoch, the end.

    Its constructor does not import the package; the methods do.
    """

    package: ClassVar[str]  # the package that it needs, as it is imported
    extra: ClassVar[str]  # the extra of this suite that installs the package

    def packages(self) -> tuple[str, ...]:
        """The packages that it needs with its arguments, as they are imported."""
        return (self.package,)

    def check(self) -> None:
        """Raise where a package is not installed.

        Raises:
            InputError: one is not.
        """
        for package in self.packages():
            if find_spec(package) is None:
                raise InputError(
                    f"tracker={self.extra} needs the package {package}, which is not installed: "
                    f'pip install "rnnbench[{self.extra}]", or leave the option out.'
                )

    @abstractmethod
    def start(self, run: RunInfo) -> None: ...

    @abstractmethod
    def log_epoch(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """The numbers of a row of ``history.jsonl``, under names like ``validation/accuracy``."""

    @abstractmethod
    def finish(self, status: str, numbers: Mapping[str, float], files: Sequence[Path]) -> None:
        """The status, the numbers of ``result.json``, and files of the run folder: the result and the pictures."""


class NoTracker(Tracker):
    """The run folder only."""

    def check(self) -> None: ...

    def start(self, run: RunInfo) -> None: ...

    def log_epoch(self, epoch: int, numbers: Mapping[str, float]) -> None: ...

    def finish(self, status: str, numbers: Mapping[str, float], files: Sequence[Path]) -> None: ...


def numbers(content: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """All numbers in nested mappings, under their keys with slashes between."""
    return dict(nested_numbers(content, prefix))


def nested_numbers(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in content.items():
        name = prefix + NOT_IN_A_NAME.sub("_", str(key))
        if isinstance(value, Mapping):
            yield from nested_numbers(value, f"{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, float(value)
