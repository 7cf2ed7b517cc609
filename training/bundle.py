"""A run in one file: config, weights and vocabulary, with their checksums, and no code.

The file is a ZIP archive without compression, so that it is never smaller than what it holds.
"""

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import InputError, first_line, shorten
from data.writing import write_text, write_with
from training.checksums import CHECKSUMS, is_inside, read_checksums, sha256, verify_checksums
from training.folders import CONFIG, RESULT, WEIGHTS

CARD = "README.md"
DATE = (1980, 1, 1, 0, 0, 0)  # of all files, so that equal runs give equal archives
MOST_FILES = 100


def write_bundle(directory: Path, path: Path) -> str:
    """Write what prediction needs, the result and the card into one archive, and its SHA-256 beside it.

    Args:
        directory: the run folder.
        path: the archive.

    Returns:
        The SHA-256 of the archive.

    Raises:
        InputError: a file is missing or differs from its checksum.
    """
    names = list(read_checksums(directory / CHECKSUMS))
    if not {CONFIG, WEIGHTS} <= set(names):
        raise InputError(
            f"{directory} has no {CHECKSUMS} with {CONFIG} and {WEIGHTS}: it is not that of a finished run."
        )
    verify_checksums(directory)
    others = [name for name in (RESULT, CARD) if (directory / name).is_file()]
    write_with(path, lambda temporary: pack(directory, [CHECKSUMS, *names, *others], temporary))
    digest = sha256(path)
    write_text(path.with_name(f"{path.name}.sha256"), f"{digest}  {path.name}\n")
    return digest


def pack(directory: Path, names: list[str], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            with (directory / name).open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of a run: ``path`` itself, or that of a bundle's files for as long as they are read.

    Raises:
        InputError: the file is no bundle or is damaged.
    """
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="rnnbench-") as name:
        folder = Path(name).resolve()
        try:
            unpack(path, folder)
            yield folder
        except InputError as error:  # about the files in it
            raise InputError(str(error).replace(str(folder), str(path))) from error


def unpack(path: Path, folder: Path) -> None:
    """Write the files of a bundle into an empty folder, and compare them with their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                check_entry(entry, path)
            if len(archive.infolist()) > MOST_FILES:
                raise InputError(f"{path} has more than {MOST_FILES} files: it is not a bundle of a run.")
            archive.extractall(folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a bundle of a run, or it is damaged: {first_line(error)}.") from error
    if not read_checksums(folder / CHECKSUMS):
        raise InputError(f"{path} has no {CHECKSUMS}: it is not a bundle of a run.")
    verify_checksums(folder)


def check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    """Raise where a file of an archive is compressed, is no plain file, or would be written outside of its folder."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG) and not entry.is_dir()
    if not plain or not is_inside(entry.filename) or entry.compress_type != zipfile.ZIP_STORED:
        raise InputError(f"{path}: '{shorten(entry.filename)}' does not belong in a bundle of a run: it is not read.")
