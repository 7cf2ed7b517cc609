"""``docs/promises.md`` names a test for every promise: the tests exist."""

import re
from collections.abc import Iterator

import pytest
from conftest import ROOT

TABLES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")


def promises() -> list[tuple[str, str]]:
    """Every promise, with the cell that names its tests."""
    rows = [line.strip("|").split("|") for line in TABLES.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [(row[0], row[-1]) for row in cells if row[0] != "Promise" and set(row[0]) != {"-"}]


def named_tests(cell: str) -> Iterator[tuple[str, str | None]]:
    """The pairs of file and part of a test's name; None where a whole file is named."""
    for entry in cell.split(";"):
        file, *names = re.findall(r"`([^`]+)`", entry)
        yield from ((file, name) for name in names or [None])


@pytest.mark.parametrize(("promise", "cell"), promises())
def test_the_tests_that_hold_a_promise_exist(promise: str, cell: str) -> None:
    assert cell.startswith("`test_"), f"no test is named for: {promise}"
    for file, name in named_tests(cell):
        source = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
        assert name is None or re.search(rf"^def test_\w*{re.escape(name)}", source, re.MULTILINE), f"{file}: {name}"


def test_there_are_promises() -> None:
    names = [name for _, cell in promises() for _, name in named_tests(cell) if name]
    assert len(promises()) > 15 and len(names) > 15
