"""Rows of CSV, TSV, JSON-lines and Parquet files, each with its file and line."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import InputError

csv.field_size_limit(2**31 - 1)


class Row(NamedTuple):
    place: str  # file and line, for error messages
    values: dict[str, Any]


def read_table(path: Path, columns: list[str]) -> Iterator[Row]:
    """Every row of a file, which must have ``columns``. The suffix of the name decides the format."""
    require_file(path)
    kind = path.suffix.lower()
    if kind not in READERS:
        raise InputError(f"{path}: files end in {', '.join(READERS)}; '{path.suffix}' is none of them.")
    return READERS[kind](path, columns)


def require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"There is no file {path}: check the path (relative paths start at {Path.cwd()}).")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, without line ends."""
    require_file(path)
    with path.open("rb") as file:
        yield from decoded_lines(str(path), file)


def decoded_lines(name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """Numbered lines of UTF-8 without line ends and byte-order mark; ``name`` stands for the file in errors."""
    for number, line in enumerate(lines, start=1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}:{number}: byte {error.start + 1} of the line is not UTF-8: save the text as UTF-8."
            ) from None


def text_of(row: Row, column: str) -> str:
    """The text in a column of a row, which must not be empty."""
    text = row.values[column]
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{row.place}: there is no text in column '{column}': fill it in or leave the row out.")
    return text


def require_columns(columns: list[str], present: list[str], place: str) -> None:
    """Raise where a column is missing."""
    for column in columns:
        if column not in present:
            raise InputError(f"{place}: there is no column '{column}'; it has {', '.join(present) or 'none'}.")


def read_separated(path: Path, columns: list[str]) -> Iterator[Row]:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader((line + "\n" for _, line in read_lines(path)), delimiter=separator, strict=True)
    try:
        header = next(reader, [])
        require_columns(columns, header, f"{path}:1")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}:{reader.line_num}: {len(cells)} cells in a row under {len(header)} column names: "
                    f"check the separator and the quotes."
                )
            yield Row(f"{path}:{reader.line_num}", dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}: check the quotes.") from None


def read_json_lines(path: Path, columns: list[str]) -> Iterator[Row]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{place}: not JSON ({error.msg} at character {error.pos + 1}).") from None
        if not isinstance(values, dict):
            raise InputError(f'{place}: every line must be a JSON object, as {{"text": ..., "label": ...}}.')
        require_columns(columns, list(values), place)
        yield Row(place, values)


def read_parquet(path: Path, columns: list[str]) -> Iterator[Row]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file ({error}).") from None
    require_columns(columns, file.schema_arrow.names, str(path))
    number = 0
    for batch in file.iter_batches(columns=columns):
        for values in batch.to_pylist():
            number += 1
            yield Row(f"{path}, row {number}", values)


READERS = {".csv": read_separated, ".tsv": read_separated, ".jsonl": read_json_lines, ".parquet": read_parquet}
