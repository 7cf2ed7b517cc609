"""Checksums of the files that prediction needs, so that damage to a run folder is found when it is loaded."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from data.corpus import Codec
from data.errors import InputError, shorten
from data.writing import write_json
from training.folders import CONFIG, WEIGHTS

CHECKSUMS = "checksums.json"


def write_checksums(directory: Path, codec: Codec[Any]) -> None:
    """Record the SHA-256 of config, weights and all that the codec saves."""
    names = [CONFIG, WEIGHTS, *saved_files(codec)]
    write_json(directory / CHECKSUMS, {name: sha256(directory / name) for name in names})


def saved_files(codec: Codec[Any]) -> list[str]:
    """The names of the files that a codec saves in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        codec.save(Path(folder))
        return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def verify_checksums(directory: Path) -> None:
    """Compare every file of a run folder with its checksum; a folder of an earlier version has none.

    Raises:
        InputError: a file is missing or differs.
    """
    for name, expected in read_checksums(directory / CHECKSUMS).items():
        path = directory / name
        if not path.is_file():
            raise InputError(f"{path} is missing: the run folder is damaged.")
        if sha256(path) != expected:
            raise InputError(
                f"{path} differs from its checksum in {CHECKSUMS}: it is damaged or was edited; copy it again, or, if "
                f"you trust it, delete {CHECKSUMS}."
            )


def read_checksums(path: Path) -> dict[str, str]:
    """Checksums by file name."""
    if not path.exists():
        return {}
    try:
        checksums = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        checksums = None
    if not isinstance(checksums, dict) or not all(map(is_inside, checksums)):
        raise InputError(f"{path} is not a list of checksums: the run folder is damaged.")
    return checksums


def is_inside(name: str) -> bool:
    """Whether a name stands for a file in the run folder."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts and shorten(name, 1000) == name


def sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
