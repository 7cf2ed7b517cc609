"""A data set in a user's own files, one per split."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.corpus import DatasetReader, Example
from data.errors import InputError


@dataclass(kw_only=True)
class FileReader(DatasetReader[Example]):
    """Examples from one file per split.

    Args:
        train, validation, test: the files; validation and test may be null.
    """

    storable = True

    train: str
    validation: str | None
    test: str | None
    notes: list[str] = field(init=False, default_factory=list)

    @property
    def missing_test_message(self) -> str:
        return "No test file is given (data.test=F), so there is no test score."

    def origin(self) -> dict[str, Any]:
        names = [Path(file).name for file in (self.train, self.validation, self.test) if file is not None]
        return {"source": f"files: {', '.join(names)}", "revision": None}

    def read_split(self, split: str) -> list[Example] | None:
        file = self.file_of(split)
        if file is None:
            return None
        examples = self.read_file(Path(file))
        if not examples:
            raise self.empty(split)
        return examples

    def iterate_split(self, split: str) -> Iterator[Example] | None:
        file = self.file_of(split)
        return None if file is None else self.not_empty(split, Path(file))

    def not_empty(self, split: str, path: Path) -> Iterator[Example]:
        """The examples of a file in turn.

        Raises:
            InputError: there are none.
        """
        examples = self.iterate_file(path)
        first = next(examples, None)
        if first is None:
            raise self.empty(split)
        yield first
        yield from examples

    def file_of(self, split: str) -> str | None:
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]

    def empty(self, split: str) -> InputError:
        return InputError(f"{self.file_of(split)}: the {split} split is empty: give a file with rows.")

    def iterate_file(self, path: Path) -> Iterator[Example]:
        """The examples of a file in turn; readers of large files give them without holding all in memory."""
        return iter(self.read_file(path))

    @abstractmethod
    def read_file(self, path: Path) -> list[Example]:
        """The examples of a file, in order."""


@dataclass(kw_only=True)
class TableReader(FileReader[Example]):
    """Examples from CSV, TSV, JSON or Parquet files.

    Args:
        columns: the names of all columns, where CSV or TSV files have no header line; null where they have one.
    """

    columns: list[str] | None = None
