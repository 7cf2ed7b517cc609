"""Rows of CSV, TSV, JSON and Parquet files, each with its file and line."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from data.errors import InputError, first_line, shorten

csv.field_size_limit(2**31 - 1)

QUOTED = re.compile(r'"(?:[^"]|"")*"')
SURROGATE = re.compile("[\ud800-\udfff]")

Columns = Mapping[str, str]  # the columns that are read, and the options that name them: {"text": "data.text_column"}
Lines = Iterable[tuple[int, str]]  # numbered, without line ends


class Row(NamedTuple):
    place: str  # file and line, for error messages
    values: dict[str, Any]


def read_table(path: Path, columns: Columns, names: Sequence[str] | None = None) -> Iterator[Row]:
    """Every row of a file, which must have ``columns``. The suffix of the name decides the format.

    Args:
        path: the file; with the suffix ``.gz`` it is decompressed.
        columns: the columns that are read, and the options that name them.
        names: the names of all columns, where a CSV or TSV file has no header line.
    """
    require_file(path)
    return READERS[table_format(path)](path, columns, names)


def table_format(path: Path) -> str:
    """The suffix of a table without ``.gz``."""
    if is_table(path):
        return uncompressed(path).suffix.lower()
    known = ", ".join(READERS)
    raise InputError(f"{shorten(path, 300)}: files end in {known}; '{shorten(path.suffix)}' is none of them.")


def is_table(path: Path) -> bool:
    return uncompressed(path).suffix.lower() in READERS


def uncompressed(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def holds(check: Callable[[], bool]) -> bool:
    """What ``Path.is_file`` or ``Path.is_dir`` answers; false for a path that the system refuses, as one too long."""
    try:
        return check()
    except (OSError, ValueError):
        return False


def require_file(path: Path) -> None:
    try:
        found = path.is_file()
    except OSError as error:
        raise InputError(f"{shorten(path, 300)} cannot be read: {error.strerror}.") from None
    if not found and path.exists():
        raise InputError(f"{shorten(path, 300)} is no regular file, but a folder, pipe or device: give a file.")
    if not found:
        raise InputError(
            f"There is no file {shorten(path, 300)}: check the path (relative paths start at {Path.cwd()})."
        )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Errors of the operating system and of gzip as ``InputError``."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged ({first_line(error)}): compress it again.") from None
    except OSError as error:
        raise InputError(f"{shorten(path, 300)} cannot be read: {error.strerror or first_line(error)}.") from None


def open_bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file, without line ends."""
    require_file(path)
    with reading(path), open_bytes(path) as file:
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
        raise InputError(f"{row.place}: there is no text in column '{column}': fill it in or remove the row.")
    return valid_unicode(text)


def label_of(row: Row, column: str) -> str:
    """The class name in a column of a row: a word or a whole number."""
    value = row.values[column]
    if not isinstance(value, (str, int)) or not str(value).strip():
        raise InputError(
            f"{row.place}: {shorten(repr(value))} in column '{column}' is not a label: give a word or a whole number."
        )
    return valid_unicode(str(value).strip())


def valid_unicode(text: str) -> str:
    """The text with U+FFFD for halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    if SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def require_columns(columns: Columns, present: Sequence[str], place: str, advice: str = "") -> None:
    """Raise where a column is missing, or is there twice."""
    for column, option in columns.items():
        if column not in present:
            raise InputError(
                f"{place}: there is no column '{shorten(column)}'; it has {shorten(', '.join(present) or 'none')}: "
                f"name the column with {option}=NAME{advice}."
            )
        if present.count(column) > 1:
            raise InputError(f"{place}: there are {present.count(column)} columns '{column}': rename all but one.")


def read_csv(path: Path, columns: Columns, names: Sequence[str] | None) -> Iterator[Row]:
    return rows_of_cells(path, quoted_cells(path, read_lines(path), ","), columns, names)


def read_tsv(path: Path, columns: Columns, names: Sequence[str] | None) -> Iterator[Row]:
    if is_quoted(path):
        cells: Iterable[tuple[int, list[str]]] = quoted_cells(path, lines_with_text(path), "\t")
    else:
        cells = ((number, line.split("\t")) for number, line in lines_with_text(path))
    return rows_of_cells(path, cells, columns, names)


def lines_with_text(path: Path) -> Lines:
    return ((number, line) for number, line in read_lines(path) if line)


def is_quoted(path: Path) -> bool:
    """Whether a TSV file quotes its cells, as CSV does; in other files a quotation mark is a part of the text.

    It does if every cell with a quotation mark is a quoted one, and either a whole column is quoted or only cells that
    need it, because they contain quotation marks. Tabs and line ends inside cells count where only a reader of quotes
    finds the same number of cells in every row. Large files are read several times, and never held in memory.
    """

    def rows() -> Iterator[list[str]]:
        return (line.split("\t") for _, line in lines_with_text(path))

    def cells_with_quotes() -> Iterator[str]:
        return (cell for row in rows() for cell in row if '"' in cell)

    if not any('"' in line for _, line in lines_with_text(path)):
        return False
    if len(set(map(len, rows()))) > 1:
        return same_width_if_quoted(path)
    if not all(map(QUOTED.fullmatch, cells_with_quotes())):
        return False
    return has_quoted_column(islice(rows(), 1, None)) or all('""' in cell[1:-1] for cell in cells_with_quotes())


def same_width_if_quoted(path: Path) -> bool:
    try:
        return len({len(cells) for _, cells in quoted_cells(path, lines_with_text(path), "\t")}) == 1
    except InputError:
        return False


def has_quoted_column(rows: Iterable[list[str]]) -> bool:
    """Whether the cells of some column all begin with a quotation mark; not so without rows."""
    quoted: list[bool] = []
    for row in rows:
        marks = [cell.startswith('"') for cell in row]
        quoted = [before and mark for before, mark in zip(quoted or marks, marks, strict=True)]
        if not any(quoted):
            return False
    return any(quoted)


def quoted_cells(path: Path, lines: Lines, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every row of a file in the format of RFC 4180; a cell may extend over several lines."""
    numbers: list[int] = []

    def numbered() -> Iterator[str]:
        for number, line in lines:
            numbers.append(number)
            yield line + "\n"

    reader = csv.reader(numbered(), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if cells:
                yield numbers[-1], cells
    except csv.Error as error:
        raise InputError(f"{path}:{numbers[-1]}: {error}: check the quotes.") from None


def rows_of_cells(
    path: Path, cells_of_rows: Iterable[tuple[int, list[str]]], columns: Columns, names: Sequence[str] | None
) -> Iterator[Row]:
    """Rows under the column names of the first line, or under ``names`` where there is no header line."""
    rows = iter(cells_of_rows)
    number, header = (1, list(names)) if names is not None else next(rows, (1, []))
    advice = (
        "" if names is not None else ", or, if the file has no header line, all its columns with data.columns=[...]"
    )
    require_columns(columns, header, f"{path}:{number}", advice)
    for number, cells in rows:
        if len(cells) != len(header):
            raise InputError(
                f"{path}:{number}: {len(cells)} cells in a row under {len(header)} column names: check the separator "
                f"and the quotes."
            )
        yield Row(f"{path}:{number}", dict(zip(header, cells, strict=True)))


def read_json_lines(path: Path, columns: Columns, names: Sequence[str] | None) -> Iterator[Row]:
    for number, line in read_lines(path):
        if line.strip():
            yield json_row(f"{path}:{number}", parse_json(line, f"{path}:{number}"), columns)


def read_json(path: Path, columns: Columns, names: Sequence[str] | None) -> Iterator[Row]:
    """Rows of an array of JSON objects, or of one JSON object per line."""
    lines = [line for _, line in read_lines(path)]
    if not next((line for line in lines if line.strip()), "").lstrip().startswith("["):
        yield from read_json_lines(path, columns, names)
        return
    for number, values in enumerate(parse_json("\n".join(lines), str(path)), start=1):
        yield json_row(f"{path}, row {number}", values, columns)


def json_row(place: str, values: Any, columns: Columns) -> Row:
    if not isinstance(values, dict):
        raise InputError(f'{place}: every row must be a JSON object, as {{"text": ..., "label": ...}}.')
    values = flattened(values)
    require_columns(columns, list(values), place)
    return Row(place, values)


def flattened(values: dict[str, Any]) -> dict[str, Any]:
    """A row with the texts of ``{"translation": {"de": ..., "en": ...}}`` as columns of their own."""
    nested = values.get("translation")
    return {**nested, **values} if isinstance(nested, dict) else values


def parse_json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON ({error.msg} at character {error.pos + 1}).") from None
    except RecursionError:
        raise InputError(f"{place}: the JSON is nested too deeply.") from None
    except ValueError:
        raise InputError(f"{place}: a number in the JSON has too many digits.") from None


def read_parquet(path: Path, columns: Columns, names: Sequence[str] | None) -> Iterator[Row]:
    from pyarrow import parquet

    with decoding(path), reading(path):
        file = parquet.ParquetFile(path, page_checksum_verification=True)
        present = list(file.schema_arrow.names)
        nested = file.schema_arrow.field("translation").type if "translation" in present else ()
        present += [field.name for field in nested]
    require_columns(columns, present, str(path))
    chosen = [column for column in file.schema_arrow.names if column in columns or column == "translation"]
    number = 0
    for batch in decoded(path, lambda: file.iter_batches(columns=chosen)):
        for values in batch:
            number += 1
            yield Row(f"{path}, row {number}", flattened(values))


def decoded(path: Path, batches: Callable[[], Iterable[Any]]) -> Iterator[list[dict[str, Any]]]:
    """Arrow batches as Python values."""
    with decoding(path):
        remaining = iter(batches())
    while True:
        with decoding(path):
            batch = next(remaining, None)
            values = None if batch is None else batch.to_pylist()
        if values is None:
            return
        yield values


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Any error of the Parquet decoder as ``InputError``: damaged files raise errors of many types."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: not a Parquet file, or a damaged one, or one with values that Python cannot represent "
            f"({first_line(error)})."
        ) from None


READERS: dict[str, Callable[[Path, Columns, Sequence[str] | None], Iterator[Row]]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json_lines,
    ".json": read_json,
    ".parquet": read_parquet,
}
