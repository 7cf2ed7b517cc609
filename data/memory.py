"""Sequences of symbols or numbers with targets at some of their steps."""

import math
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data.batch import Batch, Ragged
from data.corpus import Codec
from data.errors import InputError, shorten
from data.vocabulary import Vocabulary

NO_TARGET, BLANK = "", "_"  # a step without a target; a target that is learned and not scored
NUMBER = re.compile(r"(-?\d{1,6}(?:\.\d{1,9})?)(\*?)")


class MemorySequence(NamedTuple):
    """Tokens with spaces between them, and a target for every token."""

    text: str
    targets: tuple[str, ...]
    distance: int | None = None  # steps from the first input that decides a target to the target; None: from the start
    place: str = "an example"  # file and line, for error messages

    @property
    def tokens(self) -> list[str]:
        """At least one, which is unknown where the text is empty."""
        return self.text.split() or [""]

    @property
    def scored(self) -> list[int]:
        """The steps whose targets are scored."""
        return [step for step, target in enumerate(self.targets) if target not in (NO_TARGET, BLANK)]

    @property
    def distances(self) -> list[int]:
        """The distance of every scored target."""
        return [step if self.distance is None else self.distance for step in self.scored]

    def content(self) -> tuple[str, tuple[str, ...]]:
        return self.text, self.targets

    def stratum(self) -> None:
        return None


class MemoryPrediction(NamedTuple):
    """What is predicted after every token, and the probability of each; numbers have probability 0."""

    answers: tuple[Any, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class MemoryBatch(Batch):
    """B sequences; targets are label ids or numbers."""

    values: Tensor  # [B, T] the number that a token stands for, 0 for other symbols


@dataclass(frozen=True)
class EncodedSequences:
    """All steps of all sequences, one after another; ``places`` has the numbers of the steps of every sequence."""

    places: Ragged
    symbols: np.ndarray  # [steps] int64 token ids
    values: np.ndarray  # [steps] float32
    targets: np.ndarray  # [steps] int64 label ids or float32 numbers
    has_target: np.ndarray  # [steps] bool
    num_cut: int

    @property
    def lengths(self) -> np.ndarray:
        return self.places.lengths

    @property
    def embedded(self) -> Ragged:
        return Ragged(self.symbols.astype(np.int32), self.places.offsets)

    def batch(self, rows: np.ndarray) -> MemoryBatch:
        places, mask = self.places.pad(rows)

        def padded(steps: np.ndarray) -> Tensor:
            return torch.from_numpy(steps[places.numpy()]).masked_fill(~mask, 0)

        symbols, values, targets = padded(self.symbols), padded(self.values), padded(self.targets)
        return MemoryBatch(rows, symbols, mask, targets, padded(self.has_target), values)


class MemoryCodec(Codec[MemorySequence]):
    """Tokens and targets <-> ids and numbers. Sequences are cut only where answers alone are wanted."""

    example_type = MemorySequence
    encoded_type = EncodedSequences
    max_length = None
    target_type: type  # of the targets of a split in an array

    def fit(self, train: Sequence[MemorySequence]) -> None:
        symbols = (self.symbol(token)[0] for example in train for token in example.tokens)
        self.vocabulary = Vocabulary.of_text(symbols, 1, None)
        self.fit_targets(train)

    def encode(self, examples: Sequence[MemorySequence]) -> EncodedSequences:
        size = self.max_length
        tokens = [example.tokens[:size] for example in examples]
        lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        pairs = [self.symbol(token) for row in tokens for token in row]
        targets = [target for example in examples for target in self.targets(example, example.targets[:size])]
        return EncodedSequences(
            Ragged(np.arange(lengths.sum()), np.concatenate([[0], np.cumsum(lengths)])),
            np.array(self.vocabulary.encode(symbol for symbol, _ in pairs), dtype=np.int64),
            np.array([value for _, value in pairs], dtype=np.float32),
            np.array([0 if target is None else target for target in targets], dtype=self.target_type),
            np.array([target is not None for target in targets], dtype=bool),
            sum(len(example.tokens) > len(row) for example, row in zip(examples, tokens, strict=True)),
        )

    def unlabelled(self, line: str) -> MemorySequence:
        return MemorySequence(line, (NO_TARGET,) * len(line.split() or [""]))

    def decode(self, predictions: Sequence[tuple[list[Any], list[float]]]) -> list[MemoryPrediction]:
        """(ids or numbers, probabilities) of the steps of every sequence -> answers."""
        return [MemoryPrediction(self.answers(found), tuple(sure)) for found, sure in predictions]

    def save(self, directory: Path) -> None:
        self.vocabulary.save(directory / "vocabulary.json")

    def load(self, directory: Path) -> None:
        self.vocabulary = Vocabulary.load(directory / "vocabulary.json")

    @abstractmethod
    def symbol(self, token: str) -> tuple[str, float]:
        """The symbol that a token is embedded as, and the number that it stands for."""

    @abstractmethod
    def fit_targets(self, train: Sequence[MemorySequence]) -> None: ...

    @abstractmethod
    def targets(self, example: MemorySequence, targets: Sequence[str]) -> list[Any]:
        """An id or a number for every target, None where a step has none."""

    @abstractmethod
    def answers(self, found: list[Any]) -> tuple[Any, ...]:
        """The labels of ids, or the numbers themselves."""


class SymbolCodec(MemoryCodec):
    """Every token is a symbol, and every target a label.

    A label that the training split does not have is neither learned nor predicted.
    """

    target_type = np.int64

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        return {"vocab_size": len(self.vocabulary), "num_outputs": len(self.labels)}

    def symbol(self, token: str) -> tuple[str, float]:
        return token, 0.0

    def fit_targets(self, train: Sequence[MemorySequence]) -> None:
        self.labels = Vocabulary.of_labels(target for example in train for target in example.targets if target)

    def targets(self, example: MemorySequence, targets: Sequence[str]) -> list[Any]:
        return [self.labels.ids.get(target) for target in targets]

    def answers(self, found: list[Any]) -> tuple[Any, ...]:
        return tuple(self.labels.decode(found))

    def save(self, directory: Path) -> None:
        super().save(directory)
        self.labels.save(directory / "labels.json")

    def load(self, directory: Path) -> None:
        super().load(directory)
        self.labels = Vocabulary.load(directory / "labels.json")


class NumberCodec(MemoryCodec):
    """Tokens are numbers, some of them marked (``0.25*``); targets are numbers.

    The number itself is an input feature; what is embedded is whether it is marked.
    """

    target_type = np.float32

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        return {"vocab_size": len(self.vocabulary), "num_outputs": 1}

    def symbol(self, token: str) -> tuple[str, float]:
        match = NUMBER.fullmatch(token)
        return (token, 0.0) if match is None else ("number" + match[2], float(match[1]))

    def fit_targets(self, train: Sequence[MemorySequence]) -> None:
        """Numbers need no vocabulary."""

    def targets(self, example: MemorySequence, targets: Sequence[str]) -> list[Any]:
        return [number(target, example.place) if target else None for target in targets]

    def answers(self, found: list[Any]) -> tuple[Any, ...]:
        return tuple(found)


def number(text: str, place: str) -> float:
    """A target as a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: the target '{shorten(text)}' is not a number: correct it, or use readout=labels.")
    return value
