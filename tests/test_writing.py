"""Writing files: complete or absent, in UTF-8, and never in place of what is no regular file."""

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import ROOT

from data.writing import is_stream, write_json, write_json_lines, write_text, write_with


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("No space left on device")

    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(OSError, match="No space left"):
        write_with(tmp_path / "a.txt", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_symbolic_link_keeps_pointing_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "link.txt", tmp_path / "elsewhere" / "file.txt"
    link.symlink_to(target)  # which is not there yet
    for text in ("first", "second"):
        write_text(link, text)
        assert link.is_symlink() and target.read_text() == text


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    fifo, received = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: received.append(fifo.read_text()), daemon=True)
    reader.start()
    write_text(fifo, "through")
    reader.join(timeout=10)
    assert received == ["through"] and fifo.is_fifo()


def test_standard_output_and_devices_are_written_into() -> None:
    code = "from pathlib import Path; from data.writing import write_text\n"
    code += "write_text(Path('/dev/stdout'), 'seen'); write_text(Path('/dev/null'), 'unseen')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "seen"), done.stderr
    assert Path("/dev/null").is_char_device()


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from data.writing import write_json\n"
    code += "write_json(Path(sys.argv[1]), {'text': 'na\\u00efve \\u4e2d'})"
    path = tmp_path / "a.json"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, env=environment, check=True)
    assert json.loads(path.read_bytes().decode("utf-8")) == {"text": "naïve 中"}


def test_a_lone_surrogate_is_written_as_its_escape(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "a.jsonl", [{"text": "half \ud83d"}])
    assert json.loads((tmp_path / "a.jsonl").read_bytes().decode("utf-8")) == {"text": "half \ud83d"}


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("write", [write_json, lambda path, content: write_json_lines(path, [content])])
def test_json_has_no_nan_or_infinity(tmp_path: Path, write, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "a.json", {"score": number})
    assert not list(tmp_path.iterdir())


def test_json_is_indented_or_an_object_per_line_in_plain_utf_8(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ü": [1, "中"]})
    assert (tmp_path / "a.json").read_bytes().decode() == '{\n  "ü": [\n    1,\n    "中"\n  ]\n}\n'
    write_json_lines(tmp_path / "a.jsonl", ({"ü": number} for number in range(2)))
    assert (tmp_path / "a.jsonl").read_bytes().decode() == '{"ü": 0}\n{"ü": 1}\n'


def test_the_temporary_file_is_a_hidden_one_beside_the_file_with_its_suffix(tmp_path: Path) -> None:
    seen = []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_text("new")

    write_with(tmp_path / "a.tar.gz", write)
    (temporary,) = seen
    assert temporary.parent == tmp_path and temporary.name.startswith(".a.tar.") and temporary.suffix == ".gz"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_what_is_written_into_a_stream_keeps_its_suffix_and_its_bytes(tmp_path: Path) -> None:
    link, seen = tmp_path / "out.npy", []
    link.symlink_to("/dev/null")

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_bytes(b"\x00\xff")

    write_with(link, write)
    assert link.is_symlink() and seen[0].suffix == ".npy" and not seen[0].exists()
    fifo, received = tmp_path / "fifo.npy", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()), daemon=True)
    reader.start()
    write_with(fifo, write)
    reader.join(timeout=10)
    assert received == [b"\x00\xff"]


def test_an_error_of_the_system_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    def fill(temporary: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as error:
        write_with(tmp_path / "a.txt", fill)
    assert (error.value.errno, error.value.filename) == (28, str(tmp_path / "a.txt"))


@pytest.mark.parametrize("kind", ["file", "nothing", "link", "device", "fifo", "folder", "descriptor"])
def test_only_what_is_no_regular_file_is_a_stream(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "file":
        path.write_text("")
    elif kind == "link":
        (tmp_path / "b").write_text("")
        path.symlink_to(tmp_path / "b")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "descriptor":
        path.symlink_to("/proc/self/fd/99")  # of a process: also where nothing is there any more
    path = Path("/dev/null") if kind == "device" else path
    assert is_stream(path) is (kind in ("device", "fifo", "folder", "descriptor"))


def test_a_name_of_the_greatest_length_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'é' * 123}.json"
    write_json(path, {})
    assert path.is_file()
