"""Examples of one kind, read once, encoded, and handed out in batches."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np

from data.batch import Batch, Ragged
from data.buckets import by_length, shuffled_buckets
from data.errors import InputError

SPLITS = ("train", "validation", "test")


class Row(Protocol):
    """What every kind of example can say of itself."""

    def content(self) -> tuple[Any, ...]:
        """What counts as its content, for a hash."""

    def stratum(self) -> Any:
        """What a held-out part keeps the shares of."""


Example = TypeVar("Example", bound=Row)


class Source(Protocol[Example]):
    """Where the examples of a data set come from. ``examples`` names their type, so that tasks can tell them apart."""

    name: str
    examples: type[Example]
    block: int  # so many rows in a row are held out together; more than 1 where neighbours are of one film, page, ...

    @property
    def no_test(self) -> str:
        """Why there is no test score, where ``read`` gives no test split."""

    def read(self, split: str) -> list[Example] | None:
        """The examples of one of ``SPLITS``, in a fixed order; None where the data set has no such split."""

    def origin(self) -> dict[str, Any]:
        """Where they came from, for the record: ``source`` and ``revision``."""


class Encoded(Protocol):
    """A split as numbers."""

    @property
    def lengths(self) -> np.ndarray:
        """[rows] tokens of every row, or [rows, sides] of each of its sides: what batches are cut by."""

    @property
    def embedded(self) -> Ragged:
        """What a model embeds of every row: [tokens] ids."""

    def batch(self, rows: np.ndarray) -> Batch: ...


class Codec(ABC, Generic[Example]):
    """Text <-> ids for one kind of example: fitted on the training split, saved with the model."""

    examples: ClassVar[type]
    sizes: dict[str, int]  # the integers a model's constructor needs, under its argument names

    @abstractmethod
    def fit(self, train: Sequence[Example]) -> None: ...

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> Encoded: ...

    def resample(self, encoded: Any, examples: Sequence[Example], seed: int) -> Encoded:
        """The training split as the epoch of this seed reads it; the same every time, unless a codec has a choice."""
        return encoded

    @abstractmethod
    def unlabelled(self, line: str) -> Example:
        """An example of which only the input is known; its targets are there for the shape."""

    @abstractmethod
    def decode(self, predictions: Sequence[Any]) -> list[Any]:
        """What a model predicted, in words."""

    @abstractmethod
    def save(self, directory: Path) -> None: ...

    @abstractmethod
    def load(self, directory: Path) -> None: ...


@dataclass(frozen=True)
class Split(Generic[Example]):
    """The examples of a split, as text and as numbers."""

    examples: list[Example]
    encoded: Encoded
    codec: Codec[Example]

    @classmethod
    def of(cls, examples: list[Example], codec: Codec[Example]) -> Self:
        return cls(examples, codec.encode(examples), codec)

    def __len__(self) -> int:
        return len(self.examples)

    def in_order(self, tokens: int, sentences: int) -> "Batches":
        """All examples from short to long, in batches of at most ``tokens`` padded tokens: for reading."""
        return Batches(self.encoded, by_length(self.encoded.lengths, tokens, sentences))

    def shuffled(self, tokens: int, sentences: int, seed: int) -> "Batches":
        """All examples in the order that belongs to a seed: for learning."""
        generator = np.random.Generator(np.random.PCG64(seed))
        encoded = self.codec.resample(self.encoded, self.examples, seed)
        return Batches(encoded, shuffled_buckets(encoded.lengths, tokens, sentences, generator))


@dataclass(frozen=True)
class Batches:
    """An order of batches, each padded when it is its turn."""

    encoded: Encoded
    rows: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.encoded.batch, self.rows)


class Corpus(Generic[Example]):
    """The splits of a data set under one codec.

    Args:
        source: where the examples come from.
        codec: text <-> ids; fitted here, on the training split alone.
        validation_share: how much of the training split becomes the validation split where the source has none.
        split_seed: which part that is; the same for every seed of the experiment.
    """

    def __init__(
        self, source: Source[Example], codec: Codec[Example], validation_share: float = 0.1, split_seed: int = 0
    ) -> None:
        if source.examples is not codec.examples:
            raise InputError(
                f"The data set '{source.name}' holds {source.examples.__name__} rows, and this task reads "
                f"{codec.examples.__name__} rows: choose a data set of this task (--help lists them)."
            )
        self.source, self.codec = source, codec
        self.notes: list[str] = []
        read = {split: examples for split in SPLITS if (examples := source.read(split)) is not None}
        if "validation" not in read and "train" in read:
            read["train"], read["validation"] = hold_out(read["train"], validation_share, split_seed, source.block)
            strata = {example.stratum() for example in read["validation"]}
            shares = " and the same shares of labels" if len(strata) > 1 else ""
            blocks = f" in blocks of {source.block} neighbours" if source.block > 1 else ""
            self.notes.append(
                f"{source.name} has no validation split: {len(read['validation'])} of its training examples, drawn "
                f"with seed {split_seed}{blocks}{shares}, were held out for validation."
            )
        for split in ("train", "validation"):
            if not read.get(split):
                raise InputError(f"The {split} split of '{source.name}' is empty: there is nothing to learn from.")
        if "test" not in read:
            self.notes.append(source.no_test)
        codec.fit(read["train"])
        self.splits = {split: Split.of(examples, codec) for split, examples in read.items()}

    @property
    def sizes(self) -> dict[str, int]:
        return self.codec.sizes

    def description(self) -> dict[str, Any]:
        """The entry ``data`` of a result: name, origin, and size and content hash of every split."""
        return {
            "name": self.source.name,
            **self.source.origin(),
            "sha256": {name: content_hash(split.examples) for name, split in self.splits.items()},
            "sizes": {name: len(split) for name, split in self.splits.items()},
            "notes": self.notes,
        }


def content_hash(examples: Sequence[Any]) -> str:
    """SHA-256 over the fields of every example in order: the same rows give the same hash from any kind of file."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr(tuple(example.content())).encode())
    return digest.hexdigest()


def hold_out(examples: list[Example], share: float, seed: int, block: int = 1) -> tuple[list[Example], list[Example]]:
    """(train, validation): the same share of every label (``stratum``), by a seeded order that never changes.

    ``block`` rows of a label that follow each other stay together, but for the last block drawn, which may be cut.
    """

    def rank(rows: list[int]) -> bytes:
        return hashlib.sha256(f"{seed}:{rows[0]}".encode()).digest()

    strata: dict[Any, list[int]] = {}
    for row, example in enumerate(examples):
        strata.setdefault(example.stratum(), []).append(row)
    held: set[int] = set()
    for rows in strata.values():
        blocks = sorted((rows[start : start + block] for start in range(0, len(rows), block)), key=rank)
        held.update([row for drawn in blocks for row in drawn][: round(share * len(rows))])
    train = [example for row, example in enumerate(examples) if row not in held]
    return train, [examples[row] for row in sorted(held)]
