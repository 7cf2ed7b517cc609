"""Data sets on the Hugging Face hub, or in local copies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data.corpus import DatasetReader, Example
from data.errors import InputError
from data.sources.tables import Row, require_columns


@dataclass(kw_only=True)
class HubReader(DatasetReader[Example]):
    """Examples from the splits of a hub repository, or of a local copy of one, read with ``datasets``.

    Args:
        name: the name of the data set in results.
        repository: its id on the hub; null where it is not on the hub and must be read from ``path``.
        revision: the commit to read; null for the newest one, where the content hash in results identifies the data.
        path: a folder with a copy in the same layout, read instead of the hub; null for the hub.
    """

    name: str
    repository: str | None
    revision: str | None
    path: str | None

    @property
    def files(self) -> dict[str, str] | None:
        """The files of every split, where a repository has more than one data set; None for all files."""
        return None

    def origin(self) -> dict[str, Any]:
        if self.path is not None:
            return {"source": "local copy", "revision": None}
        return {"source": f"hub: {self.repository}", "revision": self.revision}

    @cached_property
    def splits(self) -> Mapping[str, Any]:
        """The tables of the data set, by split."""
        return self.load()

    def rows(self, split: str, columns: list[str]) -> Iterator[Row]:
        """The rows of a split, with these columns."""
        table = self.splits[split]
        require_columns(columns, table.column_names, f"{self.name}, split {split}")
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
                f"{self.name} ({self.repository}) could not be loaded from the Hugging Face hub ({first_line(error)}): "
                f"give a local copy with data.path=DIR, or, where it was loaded before, read it from the cache with "
                f"the environment variable HF_HUB_OFFLINE=1."
            ) from error
        except (datasets.exceptions.DatasetGenerationError, ValueError) as error:
            raise InputError(
                f"{place} cannot be read as {self.name}: {first_line(error.__cause__ or error)}"
            ) from error

    def place(self) -> str:
        """What ``datasets`` loads: the folder, or the repository where there is none."""
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
