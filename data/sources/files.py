"""A data set in a user's own files, one a split."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic

from data.corpus import SPLITS, Example
from data.errors import InputError


class OwnFiles(ABC, Generic[Example]):
    """Examples from one file a split.

    Args:
        train, validation, test: the files; validation and test may be null.
    """

    examples: type[Example]
    block = 1
    no_test = "No test file was given (data.test=F), so there is no test score."

    def __init__(self, train: str, validation: str | None, test: str | None) -> None:
        self.files = dict(zip(SPLITS, (train, validation, test), strict=True))

    def origin(self) -> dict[str, Any]:
        names = [Path(file).name for file in self.files.values() if file is not None]
        return {"source": f"files: {', '.join(names)}", "revision": None}

    def read(self, split: str) -> list[Example] | None:
        file = self.files[split]
        if file is None:
            return None
        examples = self.read_file(Path(file))
        if not examples:
            raise InputError(f"{file}: the {split} split is empty: give a file with rows.")
        return examples

    @abstractmethod
    def read_file(self, path: Path) -> list[Example]:
        """The examples of a file, in its order."""
