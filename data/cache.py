"""Data sets that were read and encoded before: kept in a folder, and recognised by their content."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from data.errors import InputError, first_line
from data.stored import StoredRows, read_encoded, write_encoded, write_rows
from data.writing import write_json

log = logging.getLogger(__name__)

MANIFEST, NOTES, CODEC, VALUE = "manifest.json", "notes.json", "codec", "value.json"
LENGTH = 32  # characters of the name of an entry


@dataclass(frozen=True)
class CorpusCache:
    """A folder with an entry for every data set and every way to encode it.

    An entry is a folder that is complete or absent, with the SHA-256 of all its files. A damaged one is rebuilt.
    Several processes may use the folder: while one makes an entry, others wait for it.

    Args:
        folder: where the entries are.
        data: what the rows depend on: the options of the reader, the content of its files, the code and its libraries.
        codec: what the ids depend on beside these: the options of the codec.
    """

    folder: Path
    data: str
    codec: str = ""

    def read_split(self, reader: Any, split: str) -> Sequence[Any] | None:
        """The examples of a split of a reader, as ``DatasetReader.read_split`` gives them, in a file."""
        before, path, what = list(reader.notes), self.path("rows", self.data, split), f"{split} examples"
        if not is_found(path, what):
            examples = reader.iterate_split(split)
            if examples is None:
                return None
            self.make(path, what, lambda folder: write_split(folder, reader, examples))
        reader.notes = [*before, *read_json(path / NOTES)]
        return StoredRows.open(path, reader.example_type)

    def encode_splits(self, codec: Any, examples: Mapping[str, Sequence[Any]], choice: Sequence[Any]) -> dict[str, Any]:
        """The ids of every split, in files, as ``Codec.encode_splits`` gives them; the codec is fitted afterwards.

        Args:
            codec: text <-> ids.
            examples: the splits.
            choice: what decided which examples are in them.
        """
        path = self.path("ids", self.data, self.codec, list(examples), list(choice))
        if not self.keep(path, "encoded corpus", lambda folder: write_splits(folder, codec, examples)):
            codec.load(path / CODEC)
            codec.notes = read_json(path / NOTES)
        return {split: read_encoded(path / split, codec.encoded_type) for split in examples}

    def remember(self, what: str, parts: Sequence[Any], compute: Callable[[], Any]) -> Any:
        """What a computation on the data set gave before, as JSON; it is computed where it never was."""
        path = self.path(what, self.data, list(parts))
        self.keep(path, what, lambda folder: write_json(folder / VALUE, compute()))
        return read_json(path / VALUE)

    def path(self, kind: str, *parts: Any) -> Path:
        """The folder of an entry: a name of its own for different parts."""
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{kind}-{key[:LENGTH]}"

    def keep(self, path: Path, what: str, write: Callable[[Path], object]) -> bool:
        """Let ``write`` fill the folder of an entry, unless it is there and whole; whether it was written."""
        return not is_found(path, what) and self.make(path, what, write)

    def make(self, path: Path, what: str, write: Callable[[Path], object]) -> bool:
        """The same for an entry that was not there or not whole, when another process may have made it since.

        Raises:
            InputError: it cannot be written.
        """
        with writing(self.folder), locked(path):
            if is_found(path, what):
                return False
            if path.exists():
                log.warning("%s is damaged and is rebuilt", path)
            replace(path, write)
        log.info("%s written to %s", what, path)
        return True


def write_split(folder: Path, reader: Any, examples: Iterable[Any]) -> None:
    """The rows of a split, and the notes that reading them leaves."""
    before = len(reader.notes)
    write_rows(folder, examples)
    write_json(folder / NOTES, list(reader.notes[before:]))


def write_splits(folder: Path, codec: Any, examples: Mapping[str, Sequence[Any]]) -> None:
    """The fitted codec, and the ids of every split."""
    encoded = codec.encode_splits(examples)
    (folder / CODEC).mkdir()
    codec.save(folder / CODEC)
    write_json(folder / NOTES, list(codec.notes))
    for split, ids in encoded.items():
        (folder / split).mkdir()
        write_encoded(folder / split, ids)


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a folder beside ``path``, then put it there in one step."""
    temporary = path.with_name(f".{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed: this one has the lock
    temporary.mkdir()
    try:
        write(temporary)
        write_json(temporary / MANIFEST, {"files": checksums(temporary)})
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_found(path: Path, what: str) -> bool:
    """Whether an entry is there and whole; the log names it then."""
    if not is_whole(path):
        return False
    log.info("%s read from %s", what, path)
    return True


def is_whole(path: Path) -> bool:
    """Whether an entry has all files that were written, with the same content."""
    try:
        return bool(read_json(path / MANIFEST)["files"] == checksums(path))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of an entry but its manifest."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: sha256(folder / name) for name in names if name != MANIFEST}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from making the same entry; the system releases the lock when the process ends."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another process, which writes %s", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """An error of the file system as ``InputError``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(
            f"data_cache={folder} cannot be written ({error.strerror or first_line(error)}): give another folder, make "
            f"room, or set data_cache=null."
        ) from error
