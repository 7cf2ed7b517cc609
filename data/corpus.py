"""A data set of one kind of example: its splits, encoded, and its batches."""

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


class AnyExample(Protocol):
    """What every kind of example has."""

    def content(self) -> tuple[Any, ...]:
        """The fields that are hashed: strings and tuples of strings."""

    def stratum(self) -> Any:
        """The class whose proportions a held-out part keeps."""


Example = TypeVar("Example", bound=AnyExample)


class DatasetReader(ABC, Generic[Example]):
    """Reads the examples of a data set."""

    name: str
    example_type: type[Example]
    group_size: int = (
        1  # so many consecutive rows are held out together: more than 1 where they are of one film, page, ...
    )

    @property
    def missing_test_message(self) -> str:
        """Why there is no test score, where the data set has no test split."""
        return f"{self.name} has no test split, so there is no test score."

    def for_examples(self, example_type: type) -> "DatasetReader[Any]":
        """This reader, if it has examples of this type.

        Raises:
            InputError: it has examples of another type only.
        """
        if self.example_type is not example_type:
            raise InputError(
                f"The data set '{self.name}' has {self.example_type.__name__} rows, and this task needs "
                f"{example_type.__name__} rows: choose a data set of this task (--help lists them)."
            )
        return self

    @abstractmethod
    def read_split(self, split: str) -> list[Example] | None:
        """The examples of one of ``SPLITS``, in a fixed order; None where the data set has no such split."""

    @abstractmethod
    def origin(self) -> dict[str, Any]:
        """Where the examples come from, as recorded in results: ``source`` and ``revision``."""


class Encoded(Protocol):
    """A split as ids."""

    @property
    def lengths(self) -> np.ndarray:
        """[rows], or [rows, sides] where rows have two sides: the number of tokens, by which batches are made."""

    @property
    def embedded(self) -> Ragged:
        """The token ids of every row that a model embeds."""

    def batch(self, rows: np.ndarray) -> Batch: ...


class Codec(ABC, Generic[Example]):
    """Text <-> ids for one kind of example: fitted on the training split, saved with the model."""

    example_type: ClassVar[type]
    sizes: dict[str, int]  # sizes for the model's constructor, under its argument names

    @abstractmethod
    def fit(self, train: Sequence[Example]) -> None: ...

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> Encoded: ...

    def resample(self, encoded: Any, examples: Sequence[Example], seed: int) -> Encoded:
        """The training split of the epoch with this seed; the same in every epoch unless a codec samples."""
        return encoded

    @abstractmethod
    def unlabelled(self, line: str) -> Example:
        """An example from an input line, with placeholder targets."""

    @abstractmethod
    def decode(self, predictions: Sequence[Any]) -> list[Any]:
        """Model predictions -> text."""

    @abstractmethod
    def save(self, directory: Path) -> None: ...

    @abstractmethod
    def load(self, directory: Path) -> None: ...


@dataclass(frozen=True)
class Split(Generic[Example]):
    """The examples of a split, as text and as ids."""

    examples: list[Example]
    encoded: Encoded
    codec: Codec[Example]

    @classmethod
    def of(cls, examples: list[Example], codec: Codec[Example]) -> Self:
        return cls(examples, codec.encode(examples), codec)

    def __len__(self) -> int:
        return len(self.examples)

    def by_length(self, tokens: int, sentences: int) -> "Batches":
        """All examples from short to long, in batches of at most ``tokens`` padded tokens: for inference."""
        return Batches(self.encoded, by_length(self.encoded.lengths, tokens, sentences))

    def shuffled(self, tokens: int, sentences: int, seed: int) -> "Batches":
        """All examples in the order of a seed: for training."""
        generator = np.random.Generator(np.random.PCG64(seed))
        encoded = self.codec.resample(self.encoded, self.examples, seed)
        return Batches(encoded, shuffled_buckets(encoded.lengths, tokens, sentences, generator))


@dataclass(frozen=True)
class Batches:
    """Batches in a fixed order, each padded when it is iterated over."""

    encoded: Encoded
    rows: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.encoded.batch, self.rows)


class Corpus(Generic[Example]):
    """The splits of a data set, encoded.

    Args:
        reader: reads the examples.
        codec: text <-> ids; fitted here, on the training split only.
        validation_share: the fraction of the training split that is held out where there is no validation split.
        split_seed: decides which part is held out; independent of the seed of the run.
    """

    def __init__(
        self, reader: DatasetReader[Example], codec: Codec[Example], validation_share: float = 0.1, split_seed: int = 0
    ) -> None:
        self.reader, self.codec = reader.for_examples(codec.example_type), codec
        self.notes: list[str] = []
        read = {split: examples for split in SPLITS if (examples := self.reader.read_split(split)) is not None}
        if "validation" not in read and "train" in read:
            read["train"], read["validation"] = hold_out(read["train"], validation_share, split_seed, reader.group_size)
            strata = {example.stratum() for example in read["validation"]}
            shares = " with the same proportions of labels" if len(strata) > 1 else ""
            groups = f" in groups of {reader.group_size} consecutive rows" if reader.group_size > 1 else ""
            self.notes.append(
                f"{reader.name} has no validation split: {len(read['validation'])} of its training examples, drawn "
                f"with seed {split_seed}{groups}{shares}, were held out for validation."
            )
        for split in ("train", "validation"):
            if not read.get(split):
                raise InputError(f"The {split} split of '{reader.name}' is empty: there is nothing to learn from.")
        if "test" not in read:
            self.notes.append(reader.missing_test_message)
        codec.fit(read["train"])
        self.splits = {split: Split.of(examples, codec) for split, examples in read.items()}

    @property
    def sizes(self) -> dict[str, int]:
        return self.codec.sizes

    def description(self) -> dict[str, Any]:
        """The entry ``data`` of a result: name, origin, and size and content hash of every split."""
        return {
            "name": self.reader.name,
            **self.reader.origin(),
            "sha256": {name: content_hash(split.examples) for name, split in self.splits.items()},
            "sizes": {name: len(split) for name, split in self.splits.items()},
            "notes": self.notes,
        }


def content_hash(examples: Sequence[Any]) -> str:
    """SHA-256 of the fields of all examples in order: equal rows give equal hashes in every file format."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(content_bytes(example.content()))
    return digest.hexdigest()


def content_bytes(content: str | Sequence[Any]) -> bytes:
    """Strings and nested tuples of strings as bytes that differ for different contents: each with kind and length."""
    if isinstance(content, str):
        text = content.encode("utf-8", "surrogatepass")
        return b"s%d:%b" % (len(text), text)
    return b"t%d:%b" % (len(content), b"".join(map(content_bytes, content)))


def hold_out(
    examples: list[Example], fraction: float, seed: int, group_size: int = 1
) -> tuple[list[Example], list[Example]]:
    """(train, validation): the same fraction of every label (``stratum``), in an order that depends on the seed only.

    ``group_size`` consecutive rows of a label stay together, except in the last group drawn, which may be cut.
    """

    def rank(rows: list[int]) -> bytes:
        return hashlib.sha256(f"{seed}:{rows[0]}".encode()).digest()

    strata: dict[Any, list[int]] = {}
    for row, example in enumerate(examples):
        strata.setdefault(example.stratum(), []).append(row)
    held: set[int] = set()
    for rows in strata.values():
        groups = sorted((rows[start : start + group_size] for start in range(0, len(rows), group_size)), key=rank)
        held.update([row for group in groups for row in group][: round(fraction * len(rows))])
    train = [example for row, example in enumerate(examples) if row not in held]
    return train, [examples[row] for row in sorted(held)]
