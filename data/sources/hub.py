"""Rows of a data set on the Hugging Face hub, or of a local copy of it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.sources.tables import Row, need


class HubDataset:
    """The splits of a hub repository as rows, read through ``datasets``.

    Args:
        name: what the suite calls the data set.
        repository: its id on the hub; null where it is not there, and must be read from ``path``.
        revision: the commit it is pinned to; null where none is known, and then the content hash tells the data.
        path: a folder with a copy in the same layout, read in place of the hub; null for the hub.
        files: the files of every split, where a repository holds more than one data set; null for all there are.
    """

    block = 1

    def __init__(
        self,
        name: str,
        repository: str | None,
        revision: str | None,
        path: str | None,
        files: dict[str, str] | None = None,
    ) -> None:
        self.name, self.repository, self.revision, self.path, self.files = name, repository, revision, path, files

    def origin(self) -> dict[str, Any]:
        if self.path is not None:
            return {"source": "local copy", "revision": None}
        return {"source": f"hub: {self.repository}", "revision": self.revision}

    @cached_property
    def splits(self) -> Mapping[str, Any]:
        """The tables of the data set by split."""
        return self.load()

    def rows(self, split: str, columns: list[str]) -> Iterator[Row]:
        """The rows of a split, with these columns."""
        table = self.splits[split]
        need(columns, table.column_names, f"{self.name}, split {split}")
        for number, values in enumerate(table.select_columns(columns), start=1):
            yield Row(f"{self.name}, split {split}, row {number}", values)

    def load(self) -> Mapping[str, Any]:
        import datasets
        from huggingface_hub.errors import HfHubHTTPError

        datasets.disable_progress_bars()
        place = self.place()
        try:
            return datasets.load_dataset(place, revision=None if self.path else self.revision, data_files=self.files)
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: a file of {self.name} is not UTF-8 ({error.reason}).") from error
        except (HfHubHTTPError, OSError) as error:
            if self.path is not None:
                raise InputError(f"data.path={self.path} cannot be read as {self.name}: {first_line(error)}") from error
            raise InputError(
                f"{self.name} ({self.repository}) could not be had from the Hugging Face hub ({first_line(error)}): "
                f"give a local copy with data.path=DIR, or, where it was fetched before, read it from the cache with "
                f"the environment variable HF_HUB_OFFLINE=1."
            ) from error
        except (datasets.exceptions.DatasetGenerationError, ValueError) as error:
            raise InputError(
                f"{place} cannot be read as {self.name}: {first_line(error.__cause__ or error)}"
            ) from error

    def place(self) -> str:
        """What ``datasets`` is to load: the folder, or else the repository."""
        if self.path is not None:
            if not Path(self.path).is_dir():
                raise InputError(
                    f"data.path={self.path}: there is no such folder (relative paths start at {Path.cwd()})."
                )
            return str(Path(self.path).resolve())
        if self.repository is None:
            raise InputError(f"{self.name} is not on the Hugging Face hub: give its folder with data.path=DIR.")
        return self.repository


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
