"""The bar of an epoch: seen at a terminal, gone in the end, and nothing elsewhere."""

import io
import re

import pytest
from rich.console import Console

from training import progress
from training.progress import EpochBar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal is sent."""
    output = io.StringIO()

    def console(stderr: bool) -> Console:
        assert stderr
        return Console(file=output, force_terminal=True, width=100, _environ={"TERM": "xterm"})

    monkeypatch.setattr(progress, "Console", console)
    return output


def last_line(output: io.StringIO) -> str:
    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", output.getvalue()).replace("\r", "\n").split("\n")
    return [line.rstrip() for line in lines if line.strip()][-1]


def test_a_bar_has_the_steps_the_loss_and_the_speed(terminal: io.StringIO) -> None:
    with EpochBar("epoch 2 of 9", 2000) as bar:
        bar.advance()
        bar.advance(300)
        bar.show(0.12345, 12345.6)
        bar.bar.refresh()
        shown = last_line(terminal)
        assert re.fullmatch(r"epoch 2 of 9 \S+ +301/2000 loss 0\.123  12,346 tokens/s (-:--:--|\d:\d\d:\d\d)", shown)
    assert terminal.getvalue().rstrip().endswith("\x1b[2K")  # erased


def test_a_bar_begins_with_nothing_done(terminal: io.StringIO) -> None:
    with EpochBar("epoch 1", 7):
        pass
    assert re.fullmatch(r"epoch 1 \S+ +0/7 +-:--:--", last_line(terminal))


def test_where_no_one_watches_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: io.StringIO
) -> None:
    with EpochBar("epoch 1", 7, shown=False) as bar:
        bar.advance()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(stderr=stderr, _environ={}))
    with EpochBar("epoch 1", 7) as bar:
        bar.show(1.0, 2.0)
    assert terminal.getvalue() == "" and capsys.readouterr() == ("", "")
