"""Lines as they arrive, and answers where they are wanted."""

import io
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO, TypeVar

from data.errors import InputError
from data.sources.tables import decoded_lines
from data.writing import is_stream, write_with

Item = TypeVar("Item")
Lines = Iterable[tuple[int, str]]  # numbered from 1, without line ends

EXAMPLES_AT_A_TIME = 2000
SECONDS_TO_WAIT = 0.005  # for more lines to go into the same batch
LARGEST_LINE = 100_000_000  # bytes


def is_live(stream: Any) -> bool:
    """Whether lines may arrive one after the other: from a pipe, a socket or a terminal, and not from a file."""
    try:
        return not S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, AttributeError, io.UnsupportedOperation):
        return False


def read_chunks(stream: BinaryIO, name: str, before_waiting: Callable[[], None]) -> Iterator[Lines]:
    """All lines of a file in one chunk; of a live stream, the lines that arrive within a few milliseconds."""
    if not is_live(stream):
        yield decoded_lines(name, stream)
        return
    waiting: deque[bytes] = deque()
    decoded = decoded_lines(name, iter(waiting.popleft, None))
    for lines in arriving_lines(stream.fileno(), name, before_waiting):
        waiting.extend(lines)
        yield islice(decoded, len(lines))


def arriving_lines(descriptor: int, name: str, before_waiting: Callable[[], None]) -> Iterator[list[bytes]]:
    """Whole lines from a descriptor, as many as arrive together; the last one may lack its end."""
    pending, ended = bytearray(), False
    while not ended:
        before_waiting()
        complete = 0
        while not complete or (complete < EXAMPLES_AT_A_TIME and is_ready(descriptor)):
            data = os.read(descriptor, 1 << 16)
            if ended := not data:
                break
            pending += data
            complete += data.count(b"\n")
            if not complete and len(pending) > LARGEST_LINE:
                raise InputError(f"{name}: a line has more than {LARGEST_LINE:,} bytes: split it.")
        *lines, pending = pending.split(b"\n")
        if ended and pending:
            lines.append(pending)
        if lines:
            yield [bytes(line) for line in lines]


def is_ready(descriptor: int) -> bool:
    """Whether more arrives within a few milliseconds."""
    return bool(select.select([descriptor], [], [], SECONDS_TO_WAIT)[0])


def portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Some thousands at a time. Where reading fails, what was read before comes first, then the error."""
    items, error = iter(items), None
    while error is None:
        portion: list[Item] = []
        try:
            for item in islice(items, EXAMPLES_AT_A_TIME):
                portion.append(item)
        except InputError as found:
            error = found
        if portion:
            yield portion
        if error is None and len(portion) < EXAMPLES_AT_A_TIME:
            return
    raise error


@contextmanager
def opened_input(name: str) -> Iterator[BinaryIO]:
    """A file, FIFO or device, or standard input for ``-``."""
    if name == "-":
        yield sys.stdin.buffer
        return
    path = Path(name)
    if not path.exists():
        raise InputError(f"input={name}: there is no such file.")
    if path.is_dir():
        raise InputError(f"input={name}: this is a folder: give a file.")
    with path.open("rb") as file:
        yield file


def prepare_output(name: str) -> None:
    """Make the folder of an output file and check that the file can be written, before any work is done."""
    path = Path(name)
    if path.is_dir():
        raise InputError(f"output={name}: this is a folder: give a file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not is_stream(path) and not os.access(path.resolve().parent, os.W_OK):
        raise InputError(f"output={name}: no file can be written in {path.resolve().parent}.")


def write_lines(name: str, lines: Iterable[str]) -> None:
    """Write lines in UTF-8: to standard output (``-``) or what is no regular file as they come, else the whole file."""
    if name == "-":
        for line in lines:
            print(line, flush=True)
    elif is_stream(Path(name)):
        write_to(Path(name), lines)
    else:
        write_with(Path(name), lambda temporary: write_to(temporary, lines))


def write_to(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=1 << 16) as file:
        for line in lines:
            file.write(f"{line}\n")
            if not file.seekable():
                file.flush()
