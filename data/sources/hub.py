"""Data sets on the Hugging Face hub, or in local folders in the layout of the hub."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Protocol

from data.corpus import DatasetReader, Example
from data.errors import InputError, first_line, shorten
from data.sources.tables import Columns, Row, flattened, holds, read_table, require_columns, table_format

TEXT, CLASS, NUMBER, LIST, TRANSLATION, OTHER = "text", "class", "number", "list of ", "translation", "other"


@dataclass(kw_only=True)
class HubReader(DatasetReader[Example]):
    """Examples from the splits of a hub repository, or of a local folder in the same layout.

    Args:
        name: the name of the data set in results; null for the repository or the folder.
        repository: its id on the hub; null where it is not on the hub and must be read from ``path``.
        revision: the commit to read; null for the newest one, where the content hash in results identifies the data.
        path: a folder with a copy in the same layout, read instead of the hub; null for the hub.
        config: which of the repository's data sets; null where it has only one.
        streaming: whether rows are read as they arrive, and no copy of the data set is made on this machine.
    """

    storable = True

    name: str | None  # type: ignore[assignment]
    repository: str | None
    revision: str | None
    path: str | None
    config: str | None = None
    streaming: bool = False
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.name is None:
            self.name = self.repository or (Path(self.path).resolve().name if self.path else None)
        if self.name is None:
            raise InputError("Which data set? Give data.repository=OWNER/NAME or data.path=DIR.")

    @property
    def files(self) -> dict[str, str] | None:
        """The files of every split, where they do not have their usual names; None otherwise."""
        return None

    def origin(self) -> dict[str, Any]:
        if self.path is not None:
            return {"source": "local copy", "revision": None}
        return {"source": f"hub: {self.repository}", "revision": self.revision}

    @cached_property
    def splits(self) -> "Mapping[str, Table]":
        """The tables of the data set, by split."""
        import datasets

        datasets.disable_progress_bars()
        try:
            builder = self.builder()
            if self.streaming:
                return {str(split): streamed(rows) for split, rows in builder.as_streaming_dataset().items()}
            if self.path is not None:
                return local_tables(builder)
            builder.download_and_prepare()
            loaded = builder.as_dataset()
            return {str(split): LoadedTable(table, table.features) for split, table in loaded.items()}
        except InputError:
            raise
        except Exception as error:  # of many types: of the network, of the file system, of the decoders of all formats
            self.explain(error)

    def rows(self, split: str, columns: Columns) -> Iterator[Row]:
        """The rows of a split, with these columns."""
        table = self.splits[split]
        require_columns(columns, table.column_names, f"{self.name}, split {split}")
        return table.rows(columns, f"{self.name}, split {split}")

    def builder(self) -> Any:
        """The ``datasets`` builder of the data set, which knows its files."""
        import datasets

        options: dict[str, Any] = {"revision": None if self.path else self.revision, "data_files": self.files}
        place, config = self.place(), None if self.files else self.config
        try:
            builder = datasets.load_dataset_builder(place, config, **options)
        except ValueError as error:
            if config is None or "BuilderConfig" not in str(error):
                raise
            config, options["data_dir"] = None, config  # a folder of the repository
            try:
                builder = datasets.load_dataset_builder(place, **options)
            except (ValueError, OSError):
                raise error from None
        if hasattr(builder.config, "keep_default_na"):  # in CSV files, "null" and "NA" are words
            builder = datasets.load_dataset_builder(place, config, keep_default_na=False, **options)
        return builder

    def place(self) -> str:
        """What ``datasets`` loads: the folder, or the repository where there is none."""
        if self.path is not None:
            if not holds(Path(self.path).is_dir):
                raise InputError(
                    f"data.path={shorten(self.path, 300)}: there is no such folder (relative paths start at "
                    f"{Path.cwd()})."
                )
            return str(Path(self.path).resolve())
        if self.repository is None:
            raise InputError(f"{self.name} is not on the Hugging Face hub: give its folder with data.path=DIR.")
        return self.repository

    def explain(self, error: Exception) -> NoReturn:
        """Raise an error of ``datasets`` as ``InputError``."""
        from huggingface_hub.errors import HfHubHTTPError

        reason = first_line(error)
        if names := re.search(r"(?i)config.*available.*?\[(.*?)\]", str(error), re.DOTALL):
            raise InputError(
                f"{self.name} has the data sets {shorten(names[1], 400)}: choose one with data.config=NAME."
            ) from error
        if self.path is not None:
            raise InputError(f"data.path={self.path} cannot be read as {self.name}: {reason}.") from error
        if isinstance(error, (HfHubHTTPError, OSError)):
            raise InputError(
                f"{self.name} ({self.repository}) could not be loaded from the Hugging Face hub ({reason}): give a "
                f"local copy with data.path=DIR, or, where it was loaded before, read it from the cache with the "
                f"environment variable HF_HUB_OFFLINE=1."
            ) from error
        raise InputError(f"{self.name} ({self.repository}) cannot be read: {reason}.") from error


class Table(Protocol):
    """A split of a hub data set."""

    @property
    def kinds(self) -> dict[str, str]:
        """What every column holds."""

    @property
    def column_names(self) -> list[str]:
        """The columns; those of a ``translation`` column are its languages too."""

    def class_names(self, column: str) -> list[str] | None:
        """The names of the classes of a column, by number; None where it holds no class numbers."""

    def rows(self, columns: Columns, name: str) -> Iterator[Row]:
        """The rows with these columns; ``name`` stands for the split in errors."""


class FeatureTable:
    """The columns of a table, by its declared features.

    Args:
        features: the features, as ``datasets`` declares them.
    """

    def __init__(self, features: Mapping[str, Any]) -> None:
        self.features = features

    @property
    def kinds(self) -> dict[str, str]:
        return {name: kind_of_feature(feature) for name, feature in self.features.items()}

    @property
    def column_names(self) -> list[str]:
        nested = self.features.get(TRANSLATION)
        return [*self.features, *(languages_of(nested) if nested is not None else [])]

    def class_names(self, column: str) -> list[str] | None:
        return getattr(inner(self.features[column]), "names", None)


class LoadedTable(FeatureTable):
    """A split that ``datasets`` has loaded from the hub, or reads as it arrives.

    Args:
        table: a ``Dataset`` or an ``IterableDataset``.
        features: the features of its columns, or the values of a row.
    """

    def __init__(self, table: Any, features: Mapping[str, Any]) -> None:
        super().__init__(features)
        self.table = table

    def rows(self, columns: Columns, name: str) -> Iterator[Row]:
        chosen = [column for column in self.features if column in columns or column == TRANSLATION]
        for number, values in enumerate(self.table.select_columns(chosen), start=1):
            yield Row(f"{name}, row {number}", flattened(values))


def streamed(rows: Any) -> LoadedTable:
    """The table of a split that is read as it arrives; where no features are declared, by its first row."""
    return LoadedTable(rows, rows.features or next(iter(rows.take(1)), {}))


class FileTable(FeatureTable):
    """A split in local files.

    Args:
        files: the files of the split, in order.
        features: the declared features; None for those of Parquet files, or where they are inferred from values.
    """

    def __init__(self, files: list[Path], features: Mapping[str, Any] | None) -> None:
        self.files = files
        super().__init__(features if features is not None else features_of_file(files[0]))

    def rows(self, columns: Columns, name: str) -> Iterator[Row]:
        for file in self.files:
            yield from read_table(file, columns)


def local_tables(builder: Any) -> dict[str, Table]:
    """The tables of the splits of a local folder. They are read anew every time: a cache could miss a changed file."""
    files = builder.config.data_files or {}
    return {
        str(split): FileTable([Path(file) for file in names], builder.info.features) for split, names in files.items()
    }


def features_of_file(path: Path) -> Mapping[str, Any]:
    """The features of the columns of a file: of its schema for Parquet, or of its first values."""
    if table_format(path) == ".parquet":
        import datasets
        from pyarrow import parquet

        return datasets.Features.from_arrow_schema(parquet.read_schema(path))
    row = next(read_table(path, {}), None)
    return {} if row is None else row.values


def inner(feature: Any) -> Any:
    """The feature of the items of a list, or the feature itself."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    return getattr(feature, "feature", feature)


def kind_of_feature(feature: Any) -> str:
    """What a column holds, by its feature or by a value."""
    if isinstance(feature, list) or hasattr(feature, "feature"):
        return LIST + kind_of_feature(inner(feature))
    if hasattr(feature, "names"):
        return CLASS
    dtype = str(getattr(feature, "dtype", type(feature).__name__))
    if dtype in ("string", "large_string", "str"):
        return TEXT
    if dtype.startswith(("int", "uint", "bool")):
        return NUMBER
    return TRANSLATION if languages_of(feature) else OTHER


def languages_of(feature: Any) -> list[str]:
    """The languages of a ``translation`` column, by its feature or by a value."""
    return list(getattr(feature, "languages", feature if isinstance(feature, dict) else []))


def guess_column(
    option: str, candidates: Iterable[str], usual_names: Iterable[str], kinds: Mapping[str, str], name: str
) -> str:
    """The only candidate, or the only one with a usual name.

    Raises:
        InputError: there is none, or more than one; the message lists all columns.
    """
    candidates = list(candidates)
    usual = [column for column in candidates if column in usual_names]
    for found in (candidates, usual):
        if len(found) == 1:
            return found[0]
    columns = ", ".join(f"{column} ({kind})" for column, kind in kinds.items())
    raise InputError(
        f"{name}: which column? Set {option}=NAME to one of its columns: {shorten(columns, 400) or 'none'}."
    )


def of_kind(kinds: Mapping[str, str], test: Callable[[str], bool]) -> list[str]:
    return [column for column, kind in kinds.items() if test(kind)]
