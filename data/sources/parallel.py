"""Sentence pairs from the hub, from a copy of a hub data set, and from a user's own files."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.sources.files import OwnFiles
from data.sources.hub import HubDataset
from data.sources.tables import READERS, Row, read_lines, read_table, text_of
from data.translation import SentencePair


class HubPairs(HubDataset):
    """Sentence pairs of a hub data set, whose columns are named by language.

    Args:
        name, repository, revision, path: as in ``HubDataset``.
        source, target: the language that is read and the one that is written.
    """

    examples = SentencePair

    def __init__(
        self, name: str, repository: str | None, revision: str | None, path: str | None, source: str, target: str
    ) -> None:
        super().__init__(name, repository, revision, path)
        self.direction = Direction(source, target)

    @property
    def no_test(self) -> str:
        return f"{self.name} has no test split here, so there is no test score."

    def origin(self) -> dict[str, Any]:
        return super().origin() | {"direction": str(self.direction)}

    def read(self, split: str) -> list[SentencePair] | None:
        if split not in self.splits:
            return None
        return [self.direction.pair(row) for row in self.rows(split, self.direction.columns)]


class FilePairs(OwnFiles[SentencePair]):
    """Sentence pairs from CSV, TSV, JSON-lines or Parquet files, or from pairs of line-aligned text files.

    Args:
        train, validation, test: tables with columns named by language; or the beginning of the names of two text
            files that end in the languages, ``corpus/train`` for ``corpus/train.en`` and ``corpus/train.fr``.
            Validation and test may be null.
        source, target: the language that is read and the one that is written.
    """

    name = "parallel"
    examples = SentencePair

    def __init__(self, train: str, validation: str | None, test: str | None, source: str, target: str) -> None:
        super().__init__(train, validation, test)
        self.direction = Direction(source, target)

    def origin(self) -> dict[str, Any]:
        return super().origin() | {"direction": str(self.direction)}

    def read_file(self, path: Path) -> list[SentencePair]:
        read = read_table if path.suffix.lower() in READERS else read_aligned
        rows = read(path, self.direction.columns)
        return [self.direction.pair(row) for row in rows]


class Direction:
    """Which language is translated into which.

    Args:
        source, target: their names, as columns and files have them.
    """

    def __init__(self, source: str, target: str) -> None:
        if source == target:
            raise InputError(f"data.source and data.target are both '{source}': give two languages.")
        self.source, self.target = source, target

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"

    @property
    def columns(self) -> list[str]:
        return [self.source, self.target]

    def pair(self, row: Row) -> SentencePair:
        return SentencePair(text_of(row, self.source), text_of(row, self.target))


def read_aligned(prefix: Path, languages: list[str]) -> Iterator[Row]:
    """Rows of text files ``prefix.<language>``, whose lines belong together by number."""
    files = [Path(f"{prefix}.{language}") for language in languages]
    for file in files:
        if not file.is_file():
            raise InputError(
                f"{prefix} is neither a table ({', '.join(READERS)}) nor the beginning of {files[0]} and {files[1]}: "
                f"there is no file {file} (relative paths start at {Path.cwd()})."
            )
    for number, lines in enumerate(zip_longest(*map(read_lines, files)), start=1):
        if None in lines:
            raise InputError(
                f"{files[0]} and {files[1]} do not have the same number of lines: {files[lines.index(None)]} ends "
                f"before line {number}. Line by line they must be translations of each other."
            )
        texts = [text for _, text in lines]
        for file, text in zip(files, texts, strict=True):
            if not text.strip():
                raise InputError(f"{file}:{number}: the line is empty: fill it in, or take it out of both files.")
        yield Row(f"{files[0]}:{number}", dict(zip(languages, texts, strict=True)))
