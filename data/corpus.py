"""A data set of one kind of example: its splits, encoded, and its batches."""

import hashlib
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np

from data.batch import Batch, Ragged
from data.buckets import by_length, shuffled_buckets
from data.cache import CorpusCache
from data.errors import InputError, shorten
from data.spelling import Spelling
from data.stored import StoredRows

SPLITS = ("train", "validation", "test")
RANK = 32  # bytes that order rows at random


class AnyExample(Protocol):
    """What every kind of example has."""

    def content(self) -> tuple[Any, ...]:
        """The fields that are hashed: strings and tuples of strings."""

    def stratum(self) -> Any:
        """The class whose proportions a held-out part keeps; None if examples have no class."""


Example = TypeVar("Example", bound=AnyExample)


class DatasetReader(ABC, Generic[Example]):
    """Reads the examples of a data set."""

    name: str
    example_type: type[Example]
    notes: Sequence[str] = ()  # what the user should know about the splits read so far
    storable: ClassVar[bool] = False  # whether its options and the files that they name alone decide what it reads
    group_size: int = (
        1  # so many consecutive rows are held out together: more than 1 where they are of one film, page, ...
    )

    def __post_init__(self) -> None:
        """Check the options: readers are dataclasses."""

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
    def read_split(self, split: str) -> Sequence[Example] | None:
        """The examples of one of ``SPLITS``, in a fixed order; None where the data set has no such split."""

    def iterate_split(self, split: str) -> Iterator[Example] | None:
        """The same in turn; readers of large files give them without holding all in memory."""
        examples = type(self).read_split(self, split)  # not one that reads from a cache in its place
        return None if examples is None else iter(examples)

    @abstractmethod
    def origin(self) -> dict[str, Any]:
        """Where the examples come from, as recorded in results: ``source`` and ``revision``."""


class Encoded(Protocol):
    """A split as ids."""

    @property
    def num_cut(self) -> int:
        """The number of rows that were cut to the codec's maximum length."""

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
    notes: Sequence[str] = ()  # what the user should know about the last ``fit``
    max_length: int | None  # the maximum number of tokens per row or side; null for no limit
    spelling: Spelling | None = None  # of the words, where a model reads their characters
    encoded_type: ClassVar[type | None] = None  # the dataclass of ``Ragged``, arrays and numbers that can be stored

    @abstractmethod
    def fit(self, train: Sequence[Example]) -> None: ...

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> Encoded: ...

    def encode_training(self, examples: Sequence[Example]) -> Encoded:
        """The training split as ids, in case it is cut where others are not."""
        return self.encode(examples)

    def encode_splits(self, examples: Mapping[str, Sequence[Example]]) -> dict[str, Encoded]:
        """All splits as ids, after ``fit`` on that for training."""
        self.fit(examples["train"])
        return {
            split: self.encode_training(rows) if split == "train" else self.encode(rows)
            for split, rows in examples.items()
        }

    def resample(self, encoded: Any, examples: Sequence[Example], seed: int) -> Encoded:
        """The training split of the epoch with this seed; the same in every epoch unless a codec samples."""
        return encoded

    def limit_length(self, max_length: int) -> None:
        """Cut rows to a maximum length from now on, or to the codec's own where that is less."""
        own = getattr(self, "max_length", None)
        self.max_length = max_length if own is None else min(own, max_length)

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

    examples: Sequence[Example]
    encoded: Encoded
    codec: Codec[Example]

    @classmethod
    def of(cls, examples: Sequence[Example], codec: Codec[Example]) -> Self:
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
        return self.after(0)

    def after(self, number: int) -> Iterator[Batch]:
        """The batches that follow the first ``number`` ones."""
        return map(self.encoded.batch, self.rows[number:])


class Corpus(Generic[Example]):
    """The splits of a data set, encoded.

    Args:
        reader: reads the examples.
        codec: text <-> ids; fitted here, on the training split only.
        validation_share: the fraction of the training split that is held out where there is no validation split.
        split_seed: decides which part is held out, and which examples ``limit`` keeps; independent of the seed of the
            run.
        limit: the maximum number of examples of every split, a random sample; null for all.
        read_test: false leaves the test split unread.
        cache: keeps ids and the fitted codec for the next time; null for none.
    """

    def __init__(
        self,
        reader: DatasetReader[Example],
        codec: Codec[Example],
        validation_share: float = 0.1,
        split_seed: int = 0,
        limit: int | None = None,
        read_test: bool = True,
        cache: CorpusCache | None = None,
    ) -> None:
        check_split_options(validation_share, split_seed, limit)
        self.reader, self.codec = reader.for_examples(codec.example_type), codec
        self.notes: list[str] = []
        examples = self.read_splits(SPLITS if read_test else SPLITS[:2], limit, split_seed)
        if "validation" not in examples:
            self.hold_out_validation(examples, validation_share, split_seed)
        if "test" not in examples:
            unread = "The test split was not read (test=false)."
            self.notes.append(self.reader.missing_test_message if read_test else unread)
        self.cache, self.choice = cache, (validation_share, split_seed, limit)
        encoded = codec.encode_splits(examples) if cache is None else cache.encode_splits(codec, examples, self.choice)
        self.notes += codec.notes
        self.splits = {split: Split(rows, encoded[split], codec) for split, rows in examples.items()}
        self.notes += [note for name, split in self.splits.items() if (note := self.cut_note(name, split))]

    def read_splits(self, names: Sequence[str], limit: int | None, seed: int) -> dict[str, Sequence[Example]]:
        """The examples of every split that the data set has, none of them empty."""
        examples: dict[str, Sequence[Example]] = {}
        for split in names:
            rows = self.reader.read_split(split)
            if rows is None and split != "train":
                continue
            if not rows:
                raise InputError(
                    f"The {split} split of '{self.reader.name}' is empty: give a data set with rows in it."
                )
            examples[split] = sample_rows(rows, limit, seed)
            if len(examples[split]) < len(rows):
                self.notes.append(f"limit={limit}: {len(examples[split])} of {len(rows)} {split} examples are used.")
        self.notes[:0] = self.reader.notes
        return examples

    def hold_out_validation(self, examples: dict[str, Sequence[Example]], fraction: float, seed: int) -> None:
        """Move a part of the training split into a validation split."""
        size = self.reader.group_size
        examples["train"], held = hold_out(examples["train"], fraction, seed, size)
        if not held or not examples["train"]:
            labelled = any(example.stratum() is not None for example in (*examples["train"], *held))
            reason = ", as validation needs labels that training has too" if labelled else ""
            raise InputError(
                f"'{self.reader.name}' has no validation split, and its training split is too small to hold out a part "
                f"of it{reason}: give more rows, or a validation split (data.validation=F)."
            )
        examples["validation"] = held
        strata = {example.stratum() for example in held}
        proportions = " with the same proportions of labels" if len(strata) > 1 else ""
        groups = f" in groups of {size} consecutive rows" if size > 1 else ""
        self.notes.append(
            f"{self.reader.name} has no validation split: {len(held)} of its training examples, drawn with seed "
            f"{seed}{groups}{proportions}, were held out for validation."
        )

    def cut_note(self, name: str, split: "Split[Example]") -> str | None:
        if not split.encoded.num_cut:
            return None
        return (
            f"{split.encoded.num_cut} of {len(split)} {name} examples are longer than codec.max_length="
            f"{self.codec.max_length} tokens and were cut."
        )

    @property
    def sizes(self) -> dict[str, int]:
        return self.codec.sizes

    def description(self) -> dict[str, Any]:
        """The entry ``data`` of a result: name, origin, and size and content hash of every split."""
        return {
            "name": self.reader.name,
            **self.reader.origin(),
            "sha256": self.digests,
            "sizes": {name: len(split) for name, split in self.splits.items()},
            "notes": self.notes,
        }

    @cached_property
    def digests(self) -> dict[str, str]:
        """The content hash of every split."""

        def compute() -> dict[str, str]:
            return {name: content_hash(split.examples) for name, split in self.splits.items()}

        return compute() if self.cache is None else self.cache.remember("hashes", [*self.splits, self.choice], compute)


def content_hash(examples: Sequence[Any]) -> str:
    """SHA-256 of the fields of all examples in order: equal rows give equal hashes in every file format."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(content_bytes(example.content()))
    return digest.hexdigest()


def content_bytes(content: str | Sequence[Any]) -> bytes:
    """Strings and nested tuples of strings as bytes that differ for different contents: each with kind and length."""
    if isinstance(content, str):
        text = content.encode()
        return b"s%d:%b" % (len(text), text)
    return b"t%d:%b" % (len(content), b"".join(map(content_bytes, content)))


def check_split_options(validation_share: Any, split_seed: Any, limit: Any) -> None:
    if isinstance(validation_share, bool) or not isinstance(validation_share, (int, float)):
        raise InputError(f"split.validation_share={shorten(validation_share)}: must be a number between 0 and 1.")
    if not 0 < validation_share < 1:
        raise InputError(f"split.validation_share={validation_share}: must be greater than 0 and less than 1.")
    if isinstance(split_seed, bool) or not isinstance(split_seed, int):
        raise InputError(f"split.split_seed={shorten(split_seed)}: must be a whole number.")
    if split_seed < 0:
        raise InputError(f"split.split_seed={shorten(split_seed)}: must not be negative.")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InputError(f"limit={shorten(limit)}: must be a whole number greater than 0, or null for all examples.")


def row_rank(seed: int, row: int) -> bytes:
    """A sort key that orders rows at random, the same for every Python version."""
    return hashlib.sha256(f"{seed}:{row}".encode()).digest()


def order_by_rank(rows: np.ndarray, seed: int) -> np.ndarray:
    """The positions of rows in the order of their ranks."""
    ranks = b"".join(row_rank(seed, row) for row in rows.tolist())
    return np.lexsort(np.frombuffer(ranks, dtype=">u8").reshape(-1, RANK // 8).T[::-1])


def pick(examples: Sequence[Example], positions: np.ndarray) -> Sequence[Example]:
    """The examples at some positions; those in a file stay there."""
    if isinstance(examples, StoredRows):
        return examples.select(positions)
    return [examples[position] for position in positions.tolist()]


def sample_rows(examples: Sequence[Example], limit: int | None, seed: int) -> Sequence[Example]:
    """At most ``limit`` examples, drawn at random and kept in order."""
    if limit is None or len(examples) <= limit:
        return examples
    return pick(examples, np.sort(order_by_rank(np.arange(len(examples)), seed)[:limit]))


def hold_out(
    examples: Sequence[Example], fraction: float, seed: int, group_size: int = 1
) -> tuple[Sequence[Example], Sequence[Example]]:
    """(train, validation): the same fraction of every label (``stratum``), in an order that depends on the seed only.

    ``group_size`` consecutive rows of a label stay together, except in the last group drawn, which may be cut. One row
    of every label stays in the training part.
    """
    strata: dict[Any, array[int]] = {}
    for row, example in enumerate(examples):
        strata.setdefault(example.stratum(), array("q")).append(row)
    is_held = np.zeros(len(examples), dtype=bool)
    sizes = held_out_sizes(list(map(len, strata.values())), fraction, seed)
    for stratum, size in zip(strata.values(), sizes, strict=True):
        rows = np.array(stratum, dtype=np.int64)
        order = order_by_rank(rows[::group_size], seed)
        grouped = (order[:, None] * group_size + np.arange(group_size)).ravel()
        is_held[rows[grouped[grouped < len(rows)][:size]]] = True
    return pick(examples, np.flatnonzero(~is_held)), pick(examples, np.flatnonzero(is_held))


def held_out_sizes(sizes: list[int], fraction: float, seed: int) -> list[int]:
    """How many rows of every label are held out: the fraction, rounded so that they add up to the fraction of all rows.

    At least one row is held out in all, and at least one of every label is not.
    """
    total = max(1, round(fraction * sum(sizes)))
    held = [int(fraction * size) for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: (held[i] - fraction * sizes[i], row_rank(seed, i)))
    for index in by_remainder:
        if sum(held) < total and held[index] < sizes[index] - 1:
            held[index] += 1
    return held
