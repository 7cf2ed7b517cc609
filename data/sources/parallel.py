"""Sentence pairs from the hub, from local copies of hub data sets, and from users' own files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from data.corpus import DatasetReader
from data.errors import InputError, shorten
from data.sources.files import TableReader
from data.sources.hub import HubReader
from data.sources.tables import READERS, Row, is_table, read_lines, read_table, text_of
from data.translation import SentencePair


@dataclass(kw_only=True)
class PairReader(DatasetReader[SentencePair]):
    """Sentence pairs in columns or files named by language, or in columns ``translation`` of the hub.

    Args:
        source, target: the source language and the target language.
    """

    example_type = SentencePair

    source: str
    target: str
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise InputError(f"data.source and data.target are both '{self.source}': give two languages.")
        super().__post_init__()

    @property
    def columns_read(self) -> dict[str, str]:
        return {self.source: "data.source", self.target: "data.target"}

    def origin(self) -> dict[str, Any]:
        return super().origin() | {"direction": f"{self.source}-{self.target}"}  # type: ignore[safe-super]

    def pairs(self, rows: Iterable[Row]) -> Iterator[SentencePair]:
        """The pairs with a text on both sides, in turn; at the end, a note counts the others."""
        number = dropped = 0
        first = ""
        for row in rows:
            number += 1
            if is_empty(row.values[self.source]) or is_empty(row.values[self.target]):
                dropped += 1
                first = first or row.place
            else:
                yield SentencePair(text_of(row, self.source), text_of(row, self.target))
        if dropped:
            self.notes.append(
                f"{dropped} of {number} pairs were dropped, because a side is empty: the first at {first}."
            )


def is_empty(text: Any) -> bool:
    return text is None or (isinstance(text, str) and not text.strip())


@dataclass(kw_only=True)
class HubPairs(PairReader, HubReader[SentencePair]):
    """Sentence pairs of a hub data set."""

    def iterate_split(self, split: str) -> Iterator[SentencePair] | None:
        return self.pairs(self.rows(split, self.columns_read)) if split in self.splits else None

    def read_split(self, split: str) -> list[SentencePair] | None:
        pairs = self.iterate_split(split)
        return None if pairs is None else list(pairs)


@dataclass(kw_only=True)
class FilePairs(PairReader, TableReader[SentencePair]):
    """Sentence pairs from CSV, TSV, JSON or Parquet files, or from pairs of line-aligned text files.

    ``train``, ``validation`` and ``test`` are tables with columns named by language, or what the names of two text
    files have in common: ``corpus/train`` for ``corpus/train.en`` and ``corpus/train.fr``.
    """

    name = "parallel"

    def iterate_file(self, path: Path) -> Iterator[SentencePair]:
        if is_table(path):
            return self.pairs(read_table(path, self.columns_read, self.columns))
        return self.pairs(read_aligned(path, list(self.columns_read)))

    def read_file(self, path: Path) -> list[SentencePair]:
        return list(self.iterate_file(path))


def read_aligned(prefix: Path, languages: list[str]) -> Iterator[Row]:
    """Rows of text files ``prefix.<language>``, aligned by line number; files may end in ``.gz``."""
    files = [aligned_file(prefix, language) for language in languages]
    for number, lines in enumerate(zip_longest(*map(read_lines, files)), start=1):
        if None in lines:
            raise InputError(
                f"{files[0]} and {files[1]} do not have the same number of lines: {files[lines.index(None)]} ends "
                f"before line {number}. Equal line numbers must be translations of each other."
            )
        yield Row(
            f"{files[0]}:{number}", {language: text for language, (_, text) in zip(languages, lines, strict=True)}
        )


def aligned_file(prefix: Path, language: str) -> Path:
    """The text file of a language."""
    plain = Path(f"{prefix}.{language}")
    for file in (plain, Path(f"{plain}.gz")):
        try:
            if file.is_file():
                return file
        except OSError as error:
            raise InputError(f"{shorten(file, 300)} cannot be read: {error.strerror}.") from None
    raise InputError(
        f"{prefix} is neither a table ({', '.join(READERS)}) nor the common part of the names of two text files: there "
        f"is no file {plain} (relative paths start at {Path.cwd()})."
    )
