"""Imports and configs point one way: data, models -> training -> deployment -> tasks -> analysis; tasks are apart."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "data": {"data"},
    "models": {"models"},
    "training": {"data", "models", "training"},
    "deployment": {"data", "models", "training", "deployment"},
    "tasks": {"data", "models", "training", "deployment", "tasks"},
    "analysis": {"data", "models", "training", "deployment", "tasks", "analysis"},
    "hydra_plugins": {"hydra_plugins"},
}
FILES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
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


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path, modules: set[str]) -> set[str]:
    """The modules of the suite that a file imports, also those that it imports from their package by name."""
    names = {alias.name for node in ast.walk(parse(path)) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            names |= inner or {node.module}
    return names & modules - {module_name(path)}


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {module_name(path) for path in FILES}
    graph = {module_name(path): imported_modules(path, modules) for path in FILES}
    assert set(TopologicalSorter(graph).static_order()) == modules  # a circle raises CycleError, which lists the files


def test_no_room_for_odds_and_ends() -> None:
    names = {part for path in FILES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not names & {"utils", "common", "helpers", "misc", "src"}


NAMED_BY_CONF = ("data", "models", "training", "tasks", "torch.optim", "hydra_plugins")
CONFIGS = sorted((ROOT / "conf").rglob("*.yaml"))
TASKS = [path.parent.name for path in sorted((ROOT / "tasks").glob("*/__main__.py"))]


def targets(path: Path) -> list[str]:
    """The names under ``_target_``; ``auto`` is left to the recipe."""
    found = re.findall(r"_target_:\s*[\"']?([\w.${}]+)", path.read_text(encoding="utf-8"))
    return [name for name in found if name != "auto"]


def task_of(path: Path) -> str | None:
    """The task that a config belongs to, by its name or its folder."""
    own = {path.stem, path.parent.name} & set(TASKS)
    return min(own) if own else None


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configs_name_parts_of_the_rooms_and_of_their_own_task(path: Path) -> None:
    for target in targets(path):
        assert target.startswith(tuple(f"{room}." for room in NAMED_BY_CONF)), f"{target} is of no room"
        if target.startswith("tasks.") and task_of(path):
            assert target.split(".")[1] in (task_of(path), "${task}"), f"{target} belongs to another task"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configs_choose_no_part_of_another_task(path: Path) -> None:
    """An option whose class belongs to one task may not stand in the defaults of another."""
    task, text = task_of(path), path.read_text(encoding="utf-8")
    for group, option in re.findall(r"^ +- (?:override )?/?(\w+): (\w+)", text, re.MULTILINE):
        chosen = ROOT / "conf" / group / f"{option}.yaml"
        owners = {target.split(".")[1] for target in targets(chosen)} if chosen.is_file() else set()
        assert task is None or not (owners & set(TASKS)) - {task}, f"{group}={option} belongs to another task"


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_the_same_files(task: str) -> None:
    assert {"__init__.py", "__main__.py", "model.py", "evaluation.py", "predict.py"} <= {
        path.name for path in (ROOT / "tasks" / task).iterdir()
    }
    assert (ROOT / "conf" / f"{task}.yaml").is_file()


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "tests").glob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_function_is_longer_than_50_lines(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [f.name for f in functions if f.end_lineno and f.end_lineno - f.lineno + 1 > 50] == []
