"""Lines as they arrive from files and pipes, and answers where they are wanted."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.errors import InputError
from training import streams
from training.streams import (
    arriving_lines,
    is_live,
    opened_input,
    portions,
    prepare_output,
    read_chunks,
    write_lines,
)


def nothing() -> None:
    """What to do before waiting, if anything."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The descriptors of a pipe, to read from and to write to; both are closed in the end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def test_only_what_is_no_regular_file_is_live(tmp_path: Path, pipe: tuple[int, int]) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    with (tmp_path / "a.txt").open("rb") as file:
        assert not is_live(file)
    with open(pipe[0], "rb", closefd=False) as stream:
        assert is_live(stream)
    assert not is_live(io.BytesIO(b"")) and not is_live(None)


def test_a_file_is_one_chunk_of_numbered_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\r\n\nfour")
    with (tmp_path / "a.txt").open("rb") as file:
        chunks = [list(chunk) for chunk in read_chunks(file, "a.txt", nothing)]
    assert chunks == [[(1, "one"), (2, "two"), (3, ""), (4, "four")]]


def test_lines_of_a_pipe_come_as_they_are_written_and_are_numbered_on(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    asked: list[int] = []
    with open(reading, "rb", closefd=False) as stream:
        os.write(writing, b"one\ntwo\nhal")
        chunks = read_chunks(stream, "pipe", lambda: asked.append(1))
        assert list(next(chunks)) == [(1, "one"), (2, "two")]
        os.write(writing, b"f\nlast")
        assert list(next(chunks)) == [(3, "half")]
        os.close(writing)
        assert [list(chunk) for chunk in chunks] == [[(4, "last")]]
    assert len(asked) == 3


def test_empty_lines_of_a_pipe_are_lines_and_its_end_is_none(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"\n\n")
    os.close(pipe[1])
    assert list(arriving_lines(pipe[0], "pipe", nothing)) == [[b"", b""]]


def test_a_line_that_arrives_in_pieces_is_whole(pipe: tuple[int, int]) -> None:
    line = b"x" * 300_000

    def write() -> None:
        for start in range(0, len(line), 50_000):
            os.write(pipe[1], line[start : start + 50_000])
        os.write(pipe[1], b"\n")
        os.close(pipe[1])

    writer = threading.Thread(target=write)
    writer.start()
    found = list(arriving_lines(pipe[0], "pipe", nothing))
    writer.join()
    assert found == [[line]]


def test_a_line_without_end_is_refused_before_memory_is_full(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LARGEST_LINE", 1000)
    os.write(pipe[1], b"x" * 1000 + b"\n" + b"y" * 1001)
    arriving = arriving_lines(pipe[0], "pipe", nothing)
    assert next(arriving) == [b"x" * 1000]
    os.write(pipe[1], b"y")
    with pytest.raises(InputError, match=r"^pipe: a line has more than 1,000 bytes: split it\.$"):
        next(arriving)


def test_many_lines_that_wait_are_answered_some_thousands_at_a_time(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "EXAMPLES_AT_A_TIME", 3)
    monkeypatch.setattr(os, "read", lambda descriptor, size, read=os.read: read(descriptor, 4))
    os.write(pipe[1], b"a\nb\nc\nd\ne\n")
    os.close(pipe[1])
    sizes = [len(lines) for lines in arriving_lines(pipe[0], "pipe", nothing)]
    assert sum(sizes) == 5 and max(sizes) <= 4 and len(sizes) > 1


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
def test_portions_hold_all_items_in_order(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "EXAMPLES_AT_A_TIME", 2)
    found = list(portions(range(number)))
    assert [item for portion in found for item in portion] == list(range(number))
    assert all(0 < len(portion) <= 2 for portion in found)


@pytest.mark.parametrize("good", [0, 1, 2, 3])
def test_what_was_read_before_an_error_comes_first(good: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "EXAMPLES_AT_A_TIME", 2)

    def items() -> Iterator[int]:
        yield from range(good)
        raise InputError("line 9 is bad")

    found: list[int] = []
    with pytest.raises(InputError, match="line 9"):
        for portion in portions(items()):
            found += portion
    assert found == list(range(good))


def test_an_input_is_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b#1.txt").write_bytes(b"text")
    with opened_input(str(tmp_path / "a b#1.txt")) as file:
        assert file.read() == b"text"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"typed")))
    with opened_input("-") as stream:
        assert stream.read() == b"typed"
    for name, said in (
        (str(tmp_path), "this is a folder: give a file"),
        (str(tmp_path / "no"), "there is no such file"),
    ):
        with pytest.raises(InputError, match=f"^input={name}: {said}"), opened_input(name):
            pass


def test_the_folder_of_an_output_is_made_before_the_work(tmp_path: Path) -> None:
    prepare_output(str(tmp_path / "new" / "folder" / "out.txt"))
    assert (tmp_path / "new" / "folder").is_dir() and not (tmp_path / "new" / "folder" / "out.txt").exists()
    prepare_output(str(tmp_path / "new" / "folder" / "out.txt"))
    prepare_output("/dev/null")
    with pytest.raises(InputError, match="this is a folder: give a file"):
        prepare_output(str(tmp_path))


def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(os, "access", lambda path, mode: bool(asked.append((path, mode))))
    with pytest.raises(InputError, match=r"^output=.*out\.txt: no file can be written in "):
        prepare_output(str(tmp_path / "out.txt"))
    assert asked == [(tmp_path.resolve(), os.W_OK)]


@pytest.fixture
def lines() -> Callable[[], Iterator[str]]:
    return lambda: iter(["naïve", "\ud83d", "中"])


def test_lines_are_written_whole_in_utf_8(tmp_path: Path, lines: Callable[[], Iterator[str]]) -> None:
    write_lines(str(tmp_path / "out.txt"), lines())
    assert (tmp_path / "out.txt").read_bytes() == "naïve\n\\ud83d\n中\n".encode()


def test_an_output_file_is_complete_or_absent(tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield "first"
        raise InputError("then nothing")

    with pytest.raises(InputError):
        write_lines(str(tmp_path / "out.txt"), broken())
    assert list(tmp_path.iterdir()) == []


def test_a_fifo_is_given_every_line_as_it_comes(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received: list[bytes] = []
    written = threading.Event()

    def read() -> None:
        with fifo.open("rb", buffering=0) as stream:
            received.append(stream.readline())
            written.set()
            received.extend(stream)

    reader = threading.Thread(target=read)
    reader.start()

    def answers() -> Iterator[str]:
        yield "one"
        assert written.wait(timeout=10), "the first line was kept back"
        yield "two"

    write_lines(str(fifo), answers())
    reader.join()
    assert received == [b"one\n", b"two\n"] and fifo.is_fifo()


def test_standard_output_is_flushed_after_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Output(io.StringIO):
        flushed: list[str] = []  # noqa: RUF012

        def flush(self) -> None:
            self.flushed.append(self.getvalue())

    monkeypatch.setattr("sys.stdout", output := Output())
    write_lines("-", ["one", "two"])
    assert output.flushed == ["one\n", "one\ntwo\n"]


def test_all_that_waits_is_answered_together_up_to_a_limit(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "read", lambda descriptor, size, read=os.read: read(descriptor, 2))
    os.write(pipe[1], b"a\nb\nc\nd\ne\n")
    monkeypatch.setattr(streams, "EXAMPLES_AT_A_TIME", 2)
    arriving = arriving_lines(pipe[0], "pipe", nothing)
    assert next(arriving) == [b"a", b"b"]
    monkeypatch.setattr(streams, "EXAMPLES_AT_A_TIME", 2000)
    assert next(arriving) == [b"c", b"d", b"e"]


def test_a_line_may_be_as_long_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LARGEST_LINE", 1000)
    monkeypatch.setattr(streams, "is_ready", lambda descriptor: False)
    arriving = iter([b"x" * 1000, b"\n", b"y", b""])
    monkeypatch.setattr(os, "read", lambda descriptor, size: next(arriving))
    assert list(arriving_lines(7, "pipe", nothing)) == [[b"x" * 1000], [b"y"]]


def test_what_is_wrong_with_a_stream_is_said_with_its_name(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LARGEST_LINE", 3)
    os.write(pipe[1], b"a\n\xff\n")
    with open(pipe[0], "rb", closefd=False) as stream:
        chunks = read_chunks(stream, "standard input", nothing)
        with pytest.raises(InputError, match=r"^standard input:2: "):
            list(next(chunks))
        os.write(pipe[1], b"long")
        with pytest.raises(InputError, match=r"^standard input: a line has more than 3 bytes"):
            next(chunks)
