"""Imports point one way: data, models -> training -> tasks -> analysis, and a task imports no other task."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "data": {"data"},
    "models": {"models"},
    "training": {"data", "models", "training"},
    "tasks": {"data", "models", "training", "tasks"},
    "analysis": {"data", "models", "training", "tasks", "analysis"},
    "hydra_plugins": {"hydra_plugins"},
}
FILES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    package, *rest = path.relative_to(ROOT).parts
    task = rest[0] if len(rest) > 1 else None
    for name in imports(path):
        top, *inner = name.split(".")
        assert top not in ALLOWED or top in ALLOWED[package], f"{package} may not import {name}"
        if package == "tasks" and top == "tasks" and inner and (ROOT / "tasks" / inner[0]).is_dir():
            assert inner[0] == task, f"{path.name} reaches into another task: {name}"


def test_no_room_for_odds_and_ends() -> None:
    names = {part for path in FILES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not names & {"utils", "common", "helpers", "misc", "src"}
