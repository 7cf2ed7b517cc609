"""Sentence pairs from the hub, from a copy of a hub data set, and from a user's own files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from data.corpus import DatasetReader
from data.errors import InputError
from data.sources.files import FileReader
from data.sources.hub import HubReader
from data.sources.tables import READERS, Row, read_lines, read_table, text_of
from data.translation import SentencePair


@dataclass(kw_only=True)
class PairReader(DatasetReader[SentencePair]):
    """Sentence pairs in columns or files named by language.

    Args:
        source, target: the source language and the target language.
    """

    example_type = SentencePair

    source: str
    target: str

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise InputError(f"data.source and data.target are both '{self.source}': give two languages.")

    def origin(self) -> dict[str, Any]:
        return super().origin() | {"direction": f"{self.source}-{self.target}"}  # type: ignore[safe-super]

    def pairs(self, rows: Iterable[Row]) -> list[SentencePair]:
        return [SentencePair(text_of(row, self.source), text_of(row, self.target)) for row in rows]


@dataclass(kw_only=True)
class HubPairs(PairReader, HubReader[SentencePair]):
    """Sentence pairs of a hub data set with columns named by language."""

    def read_split(self, split: str) -> list[SentencePair] | None:
        if split not in self.splits:
            return None
        return self.pairs(self.rows(split, [self.source, self.target]))


@dataclass(kw_only=True)
class FilePairs(PairReader, FileReader[SentencePair]):
    """Sentence pairs from CSV, TSV, JSON-lines or Parquet files, or from pairs of line-aligned text files.

    ``train``, ``validation`` and ``test`` are tables with columns named by language, or what the names of two text
    files have in common: ``corpus/train`` for ``corpus/train.en`` and ``corpus/train.fr``.
    """

    name = "parallel"

    def read_file(self, path: Path) -> list[SentencePair]:
        read = read_table if path.suffix.lower() in READERS else read_aligned
        return self.pairs(read(path, [self.source, self.target]))


def read_aligned(prefix: Path, languages: list[str]) -> Iterator[Row]:
    """Rows of text files ``prefix.<language>``, aligned by line number."""
    files = [Path(f"{prefix}.{language}") for language in languages]
    for file in files:
        if not file.is_file():
            raise InputError(
                f"{prefix} is neither a table ({', '.join(READERS)}) nor the common part of {files[0]} and {files[1]}: "
                f"there is no file {file} (relative paths start at {Path.cwd()})."
            )
    for number, lines in enumerate(zip_longest(*map(read_lines, files)), start=1):
        if None in lines:
            raise InputError(
                f"{files[0]} and {files[1]} do not have the same number of lines: {files[lines.index(None)]} ends "
                f"before line {number}. Equal line numbers must be translations of each other."
            )
        texts = [text for _, text in lines]
        for file, text in zip(files, texts, strict=True):
            if not text.strip():
                raise InputError(f"{file}:{number}: the line is empty: fill it in, or take it out of both files.")
        yield Row(f"{files[0]}:{number}", dict(zip(languages, texts, strict=True)))
