"""Files that are complete or absent: written to a temporary file, then renamed."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file, then put its content at ``path``.

    A regular file is replaced in one step, so that a killed process leaves the old file or the new one, and a symbolic
    link keeps pointing to it. Into what exists and is no regular file (FIFO, device, ``/dev/stdout``) the content is
    written.
    """
    if is_stream(path):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder, f"content{path.suffix}")
            write(temporary)
            with temporary.open("rb") as content, path.open("wb") as stream:
                shutil.copyfileobj(content, stream)
    else:
        replace(path.resolve() if path.is_symlink() else path, write)


def is_stream(path: Path) -> bool:
    """Whether a path exists and is not for this program to replace: no regular file, or an open file of a process."""
    if path.is_symlink() and (path.is_relative_to("/dev") or path.readlink().is_relative_to("/proc")):
        return True
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file in the same folder, then rename it."""
    temporary = path.with_name(f".{path.stem[:40]}.{os.getpid()}.part{path.suffix[:20]}")
    try:
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # a write to a full disk names no file
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8; a lone surrogate, which UTF-8 cannot encode, becomes its escape, as in ``\\ud83d``."""
    content = text.encode("utf-8", errors="backslashreplace")
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON.

    Raises:
        ValueError: a number is NaN or infinite, for which JSON has no notation.
    """
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one strict JSON object per line; raises as ``write_json`` does."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))
