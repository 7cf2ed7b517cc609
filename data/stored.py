"""Examples and ids in files that are mapped into memory: only what is used is read."""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, get_type_hints, overload

import numpy as np

from data.batch import Ragged
from data.writing import write_json

Example = TypeVar("Example")

LINES, OFFSETS, NUMBERS = "rows.jsonl", "offsets.npy", "numbers.json"
PARSED_TOGETHER = 10_000  # rows


class StoredRows(Sequence[Example], Generic[Example]):
    """Examples in a file, parsed whenever they are asked for.

    Args:
        lines: [bytes] the file, one JSON array of the fields of an example per line.
        offsets: [lines + 1] where each line begins, and the end of the file.
        example_type: a named tuple of strings, numbers, dictionaries, and tuples of these.
        rows: [rows] the lines that these examples are in, in this order.
    """

    def __init__(self, lines: np.ndarray, offsets: np.ndarray, example_type: type[Example], rows: np.ndarray) -> None:
        self.lines, self.offsets, self.example_type, self.rows = lines, offsets, example_type, rows

    @classmethod
    def open(cls, folder: Path, example_type: type[Example]) -> Self:
        """All examples in a folder that ``write_rows`` filled."""
        offsets = mapped(folder / OFFSETS)
        lines = np.asarray(np.memmap(folder / LINES, dtype=np.uint8, mode="r"))
        return cls(lines, offsets, example_type, np.arange(len(offsets) - 1))

    def select(self, positions: np.ndarray) -> Self:
        """The examples at these positions, in this order."""
        return type(self)(self.lines, self.offsets, self.example_type, self.rows[positions])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Example]:
        return self.parsed(self.rows)

    @overload
    def __getitem__(self, position: int) -> Example: ...
    @overload
    def __getitem__(self, position: slice) -> list[Example]: ...
    def __getitem__(self, position: int | slice) -> Example | list[Example]:
        found = list(self.parsed(np.atleast_1d(self.rows[position])))
        return found if isinstance(position, slice) else found[0]

    def parsed(self, rows: np.ndarray) -> Iterator[Example]:
        view = memoryview(self.lines)  # type: ignore[arg-type]
        for start in range(0, len(rows), PARSED_TOGETHER):
            some = rows[start : start + PARSED_TOGETHER]
            for begin, end in zip(self.offsets[some].tolist(), self.offsets[some + 1].tolist(), strict=True):
                values = json.loads(str(view[begin:end], "utf-8", "surrogatepass"))
                yield self.example_type(*map(frozen, values))


def frozen(value: Any) -> Any:
    """A value as it was before it became JSON, which knows lists only."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def write_rows(folder: Path, examples: Iterable[Any]) -> None:
    """Write examples, which are never in memory together."""
    offsets = array("q", [0])
    with (folder / LINES).open("wb") as file:
        for example in examples:
            line = json.dumps(example, ensure_ascii=False, separators=(",", ":"), default=dict) + "\n"
            offsets.append(offsets[-1] + file.write(line.encode("utf-8", "surrogatepass")))
    np.save(folder / OFFSETS, np.array(offsets, dtype=np.int64))


def write_encoded(folder: Path, encoded: Any) -> None:
    """Write a dataclass of ``Ragged``, arrays and numbers."""
    numbers = {}
    for name in (field.name for field in fields(encoded)):
        value = getattr(encoded, name)
        if isinstance(value, Ragged):
            np.save(folder / f"{name}.values.npy", value.values)
            np.save(folder / f"{name}.offsets.npy", value.offsets)
        elif isinstance(value, np.ndarray):
            np.save(folder / f"{name}.npy", value)
        else:
            numbers[name] = value
    write_json(folder / NUMBERS, numbers)


def read_encoded(folder: Path, encoded_type: type) -> Any:
    """What ``write_encoded`` wrote, its arrays mapped into memory."""
    values = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    for name, hint in get_type_hints(encoded_type).items():
        if hint is Ragged:
            values[name] = Ragged(*(mapped(folder / f"{name}.{part}.npy") for part in ("values", "offsets")))
        elif hint is np.ndarray:
            values[name] = mapped(folder / f"{name}.npy")
    return encoded_type(**values)


def mapped(path: Path) -> np.ndarray:
    """An array in a file, read-only; parts are read when they are used."""
    return np.asarray(np.load(path, mmap_mode="r"))
