"""Exports: every cell as a graph, whole models of every task, and programs that need no part of the suite."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CONF, ROOT, TASKS, options
from omegaconf import OmegaConf
from torch import Tensor, nn

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from data.errors import InputError
from data.tagging import TaggedSentence, TaggingCodec
from deployment import onnx
from deployment.onnx import Part, session, write_graph
from models.cells.base import Cell
from models.zoneout import ZoneoutCell
from tasks import export, load
from training.build import build

SIZE = 6
GRAPHS = sorted(path.parent.name for path in ROOT.glob("tasks/*/export.py"))  # the tasks with graphs
LINES = ["the film is good .", "the dog sees a cat , although it isn't big", "Größe zählt nicht"]


@pytest.fixture(scope="module", autouse=True)
def one_registry() -> Iterator[None]:
    """PyTorch's exporter lists its operators anew for every graph, which takes most of its time."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


class AllCells(nn.Module):
    """Many cells over the same inputs; every second one from right to left."""

    def __init__(self, cells: dict[str, Cell]) -> None:
        super().__init__()
        self.cells = nn.ModuleDict(cells)

    def forward(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        runs = [cell.scan(inputs, mask, reverse=bool(place % 2)) for place, cell in enumerate(self.cells.values())]
        return tuple(torch.cat([outputs.flatten(1), *state], dim=1) for outputs, state in runs)


def cells() -> dict[str, Cell]:
    """Every cell of conf/, and one with zoneout."""
    torch.manual_seed(0)
    made: dict[str, Cell] = {}
    for name in options("cell"):
        make = build(OmegaConf.load(CONF / "cell" / f"{name}.yaml"))
        made[name] = make(input_size=SIZE, hidden_size=SIZE)
    made["zoneout"] = ZoneoutCell(make(input_size=SIZE, hidden_size=SIZE), 0.3)
    return made


def ragged(sentences: int, length: int) -> dict[str, Tensor]:
    """Inputs and mask; the last of several sentences is empty."""
    lengths = (
        torch.arange(sentences).flip(0) * length // max(1, sentences - 1) if sentences > 1 else torch.tensor([length])
    )
    return {"inputs": torch.randn(sentences, length, SIZE), "mask": torch.arange(length) < lengths[:, None]}


@pytest.fixture(scope="module")
def exported_cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """The differences between every cell and its graph, for three batches."""
    model = AllCells(cells()).eval().requires_grad_(False)
    path, names = tmp_path_factory.mktemp("cells") / "cells.onnx", list(model.cells)
    axes = {0: "batch", 1: "length"}
    write_graph(Part(model, ragged(3, 5), {"inputs": axes, "mask": axes}, names), path)
    run, found = session(path), dict[str, list[float]]()
    for shape in ((1, 1), (3, 7), (4, 70)):
        batch = ragged(*shape)
        for name, wanted, given in zip(names, model(**batch), run(**batch), strict=True):
            found.setdefault(name, []).append(onnx.difference(wanted, given))
    return found


@pytest.mark.parametrize("name", [*options("cell"), "zoneout"])
def test_every_cell_is_a_graph_for_any_batch_and_length(exported_cells: dict[str, list[float]], name: str) -> None:
    assert max(exported_cells[name]) <= 1e-5


class OddCell(Cell):
    """A cell whose step branches on its values, which no graph can have."""

    def project(self, inputs: Tensor) -> Tensor:
        return inputs

    def step(self, projected: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (projected if projected.sum() > 0 else state[0],)


def test_a_cell_that_cannot_be_exported_is_named(tmp_path: Path) -> None:
    axes = {0: "batch", 1: "length"}
    part = Part(AllCells({"odd": OddCell(SIZE, SIZE)}), ragged(3, 5), {"inputs": axes, "mask": axes}, ["odd"])
    with pytest.raises(InputError, match=r"The cell OddCell cannot be exported to ONNX: .+\.") as raised:
        write_graph(part, tmp_path / "odd.onnx")
    assert "\n" not in str(raised.value) and not (tmp_path / "odd.onnx").exists()


@pytest.fixture(scope="module")
def exported(saved: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of an export of every task, made by the command."""
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        for task in GRAPHS:
            patch.setattr(sys, "argv", ["export", f"run={saved[task]}", f"output={folder / task}", "examples=8"])
            export.main()
    return {task: folder / task for task in GRAPHS}


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "export.json").read_text())


@pytest.mark.parametrize("task", GRAPHS)
def test_graphs_equal_the_suite_at_three_shapes(exported: dict[str, Path], task: str) -> None:
    found = report(exported[task])
    graphs = {"encoder", "decoder"} if task == "translation" else {"model"}
    checks = found["checks"]["batches"]
    assert {check["graph"] for check in checks} == graphs and len(checks) == 3 * len(graphs)
    assert len({tuple(check["shape"]) for check in checks}) == 3
    assert max(check["largest_difference"] for check in checks) <= found["checks"]["tolerance"] == 1e-4
    assert found["opset"] >= 18 and set(found["versions"]) == {"torch", "onnx", "onnxruntime", "onnxscript"}
    for graph in graphs:
        shapes = {name: shape for name, (_, shape) in found["graphs"][graph]["inputs"].items()}
        assert all(shape[0] in ("batch", "spellings") for shape in shapes.values())
    assert bool(found["left_out"]) == (task != "sentiment")


@pytest.mark.parametrize("task", GRAPHS)
def test_the_graphs_and_their_int8_forms_are_measured(exported: dict[str, Path], task: str) -> None:
    suite, graphs, int8 = report(exported[task])["comparison"]
    assert [row["form"] for row in (suite, graphs, int8)] == ["suite", "onnx", "onnx int8"]
    assert graphs["scores"] == pytest.approx(suite["scores"], abs=1e-6)
    assert set(int8["scores"]) == set(suite["scores"]) and suite["examples"] == 8
    assert int8["bytes"] < graphs["bytes"]
    assert all(row["tokens_per_second"] > 0 for row in (suite, graphs, int8))


@pytest.mark.parametrize("task", GRAPHS)
@pytest.mark.parametrize("form", ["", ".int8"])
def test_the_example_answers_as_the_suite_does(
    exported: dict[str, Path], saved: dict[str, Path], tmp_path: Path, task: str, form: str
) -> None:
    script = exported[task] / "example.py"
    text = script.read_text()
    assert text.count("\n") <= 40 and not any(
        f"import {room}" in text or f"from {room}" in text for room in ("torch", "data")
    )
    argument = (form or ".onnx") if task == "translation" else f"model{form}.onnx"
    arguments = [] if argument == ".onnx" else [argument]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, script, *arguments],
        input="\n".join(LINES) + "\n", cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    written = done.stdout.splitlines()
    assert len(written) == len(LINES)
    if form:
        return
    given = {"translation": {"beam": 1}, "tagging": {"reads": "text", "writes": "text"}}.get(task, {})
    predictor = load(saved[task], device="cpu", **given)
    for line, answer in zip(written, predictor.predict(LINES), strict=True):
        if task == "sentiment":
            assert json.loads(line) == pytest.approx(answer.details, abs=1e-5)
        else:
            assert [line] == list(predictor.write(answer))


def test_the_example_of_tagging_spells_as_the_codec_does() -> None:
    codec = TaggingCodec(lowercase=True, min_count=1, vocab_size=None, max_characters=5, parts=True)
    codec.fit([TaggedSentence(("nhân dân", "nhân", "dân", "a", "ab", "houses", "house"), ("X",) * 7)])
    tree = ast.parse((ROOT / "tasks" / "tagging" / "onnx_example.py").read_text())
    (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "spelling")
    names: dict[str, Any] = {"LETTERS": codec.characters.ids, "VOCABULARY": {"max_characters": 5}}
    exec(ast.unparse(function), names)
    words = ("nhân", "Dân", "a", "houses", "unknown")
    assert [names["spelling"](word) for word in words] == [codec.spelling(word) for word in words]
    assert len(codec.spelling("Dân")) == 7  # the two ends, a part and another end


def test_a_graph_that_differs_is_not_written(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand_in(path: Path) -> Callable:
        return lambda **inputs: (torch.zeros(len(inputs["tokens"]), 2),)

    monkeypatch.setattr(onnx, "write_graph", lambda part, path: 18)
    monkeypatch.setattr(onnx, "session", stand_in)
    monkeypatch.setattr(sys, "argv", ["export", f"run={saved['sentiment']}", f"output={tmp_path / 'out'}"])
    with pytest.raises(InputError, match=r"The graph model differs from the suite by .*: nothing was written"):
        export.main()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_kept(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text("x")
    monkeypatch.setattr(sys, "argv", ["export", f"run={saved['sentiment']}", f"output={tmp_path}"])
    with pytest.raises(InputError, match="exists and is not an export"):
        export.main()
    assert (tmp_path / "mine").read_text() == "x"


@pytest.mark.parametrize("task", sorted({*TASKS} - {*GRAPHS}))
def test_a_task_without_graphs_says_so(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["export", f"run={saved[task]}", f"output={tmp_path / 'out'}"])
    with pytest.raises(InputError, match=f"is a run of {task}, which has no graphs for format=onnx"):
        export.main()


def test_missing_packages_are_named(saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["export", f"run={saved['sentiment']}", f"output={tmp_path / 'out'}"])
    with pytest.raises(InputError, match=r'needs onnx, onnxruntime, onnxscript: pip install "rnnbench\[onnx\]"'):
        export.main()


def test_one_file_in_place_of_a_folder(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.zip"
    monkeypatch.setattr(sys, "argv", ["export", f"run={saved['tagging']}", "format=safetensors", f"output={path}"])
    export.main()
    assert f"{path}: " in capsys.readouterr().out
    command = [sys.executable, "-m", "tasks.tagging.predict", f"run={path}", "writes=text", "reads=text"]
    done = subprocess.run(command, cwd=ROOT, input="the dog\n", capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 2


def test_the_command_reports_mistakes_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "analysis", "export", f"run={tmp_path}", "format=safetensors"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (
        done.stdout == ""
        and done.returncode == 2
        and done.stderr.count("\n") == 1
        and "is not a run folder" in done.stderr
    )
