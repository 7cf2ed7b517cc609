"""Exports: every cell as a graph, whole models of every task, and programs that need no part of the suite."""

import io
import json
import math
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CONF, PARTS, ROOT, options, save_run
from omegaconf import OmegaConf
from PIL import Image
from processes import command
from torch import Tensor, nn

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from data.captioning import FeatureCodec
from data.errors import InputError
from deployment import onnx
from deployment.onnx import Part, session, write_graph
from models.cells.base import Cell
from models.zoneout import ZoneoutCell
from tasks import export, load
from tasks.captioning.export import CaptioningExport
from training.build import build

SIZE = 6
GRAPHS = sorted(path.parent.name for path in ROOT.glob("tasks/*/export.py"))  # the tasks with graphs
GENERATORS = ("translation", "captioning")  # of which the decoder is a graph of its own
LINES = ["the film is good .", "the dog sees a cat , although it isn't big", "Größe zählt nicht"]


@pytest.fixture(scope="module", autouse=True)
def operators_listed_once() -> Iterator[None]:
    """PyTorch and its exporter list their operators anew for every graph, which takes most of their time."""
    from torch.export import decomp_utils, exported_program
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        for module in (decomp_utils, exported_program):
            patch.setattr(module, "_collect_all_valid_cia_ops", cache(module._collect_all_valid_cia_ops))
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
    graphs = {"encoder", "decoder"} if task in GENERATORS else {"model"}
    checks = found["checks"]["batches"]
    assert {check["graph"] for check in checks} == graphs and len(checks) == 3 * len(graphs)
    assert len({tuple(check["shape"]) for check in checks}) == 3
    assert max(check["largest_difference"] for check in checks) <= found["checks"]["tolerance"] == 1e-4
    assert found["opset"] >= 18 and set(found["versions"]) == {"torch", "onnx", "onnxruntime", "onnxscript"}
    for graph in graphs:
        shapes = {name: shape for name, (_, shape) in found["graphs"][graph]["inputs"].items()}
        assert all(shape[0] in ("batch", "spellings") for shape in shapes.values())
    assert bool(found["left_out"]) == (task not in ("sentiment", "memory"))


def float_weights(path: Path) -> int:
    """How many numbers of a graph are 32-bit weights, without biases and those within its loops."""
    import onnx as format_onnx

    weights = [one for one in format_onnx.load(path).graph.initializer if one.data_type == 1 and len(one.dims) > 1]
    return sum(math.prod(one.dims) for one in weights)


@pytest.mark.parametrize("task", GRAPHS)
def test_the_graphs_and_their_int8_forms_are_measured(exported: dict[str, Path], task: str) -> None:
    suite, graphs, int8 = report(exported[task])["comparison"]
    assert [row["form"] for row in (suite, graphs, int8)] == ["suite", "onnx", "onnx int8"]
    assert graphs["scores"] == pytest.approx(suite["scores"], rel=1e-5, abs=1e-6)
    assert set(int8["scores"]) == set(suite["scores"]) and suite["examples"] == 8
    for path in exported[task].glob("*.int8.onnx"):  # weights alone: those of test models are fewer than all the rest
        assert float_weights(path) < float_weights(path.with_name(path.name.replace(".int8", "")))
    unit = {"captioning": "images", "forecasting": "steps"}.get(task, "tokens")
    assert all(row[f"{unit}_per_second"] > 0 for row in (suite, graphs, int8))


@pytest.mark.parametrize("task", GRAPHS)
def test_graphs_name_no_place_of_this_machine(exported: dict[str, Path], task: str) -> None:
    for path in exported[task].glob("*.onnx"):
        assert str(ROOT).encode() not in path.read_bytes()


def dates(count: int) -> list[str]:
    return [f"{month}-01" for month in (np.datetime64("2015-01") + np.arange(count)).astype(str)]


def windows() -> list[str]:
    """Longer and shorter than what the model reads, with missing values, constant, and of a known series."""
    values = np.random.default_rng(0).normal(50, 9, 40).round(3).tolist()
    values[3] = values[20] = None
    given = [(values, "new"), (values[-5:], "series 2"), (values[:1], "new"), ([5] * 30, "new")]
    return [json.dumps({"times": dates(len(row)), "values": row, "series": name}) for row, name in given]


def pictures(folder: Path) -> list[str]:
    """Image files of several sizes and kinds, and a blank line."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    Image.fromarray(noise).save(folder / "wide.png")
    Image.fromarray(noise[:, :20, 0]).save(folder / "grey.png")
    Image.fromarray(noise[:16, :16]).save(folder / "fits.png")
    Image.fromarray(noise).save(folder / "turned.jpg", exif=exif)
    return [*(str(folder / name) for name in ("wide.png", "grey.png", "fits.png", "turned.jpg")), ""]


def lines(task: str, folder: Path) -> list[str]:
    """Inputs of a task."""
    if task == "captioning":
        return pictures(folder)
    return windows() if task == "forecasting" else [*LINES, ""] if task == "memory" else LINES


def same(one: Any, other: Any) -> bool:
    """Whether JSON values are equal, numbers but for their rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other if isinstance(one, str) else one == pytest.approx(other, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("task", GRAPHS)
@pytest.mark.parametrize("form", ["", ".int8"])
def test_the_example_answers_as_the_suite_does(
    exported: dict[str, Path], saved: dict[str, Path], tmp_path: Path, task: str, form: str
) -> None:
    argument = form if task in GENERATORS else f"model{form}.onnx"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    given = lines(task, tmp_path)
    done = subprocess.run(
        [sys.executable, exported[task] / "example.py", *filter(None, [argument])],
        input="\n".join(given) + "\n", cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    written = done.stdout.splitlines()
    assert len(written) == len(given)
    if form:
        return
    own = {"translation": {"beam": 1}, "captioning": {"beam": 1}, "tagging": {"reads": "text", "writes": "text"}}
    predictor = load(saved[task], device="cpu", **own.get(task, {}))
    for line, answer in zip(written, predictor.predict(given), strict=True):
        if task == "sentiment":
            assert json.loads(line) == pytest.approx(answer.details, abs=1e-5)
        elif task in ("memory", "forecasting"):
            assert same(json.loads(line), json.loads(*predictor.write(answer)))
        else:
            assert [line] == list(predictor.write(answer))


@pytest.mark.parametrize("task", GRAPHS)
def test_examples_are_short_and_need_no_part_of_the_suite(task: str) -> None:
    text = (ROOT / "tasks" / task / "onnx_example.py").read_text()
    rooms = ("torch", "data", "models", "training", "deployment", "tasks")
    assert not any(re.search(rf"^\s*(import|from) {room}\b", text, re.MULTILINE) for room in rooms)
    assert text.count("\n") <= {"forecasting": 115, "captioning": 65, "translation": 65, "sentiment": 55}.get(task, 40)


class StandIn:
    """A session of ONNX Runtime that computes with the module that a graph is made of, and keeps what it is given."""

    def __init__(self, part: Part, given: list[dict[str, np.ndarray]]) -> None:
        self.part, self.given = part, given

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.part.inputs]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.part.outputs]

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.given.append(inputs)
        with torch.no_grad():
            found = self.part.module(*(torch.tensor(inputs[name]) for name in self.part.inputs))
        return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


class Example:
    """The example of a task, run with the suite's model in place of the graphs.

    ``answers`` are those of the suite, ``lines`` what the example writes, and ``given`` what its graphs are given.
    """

    def __init__(self, run: Path, task: str, texts: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.predictor = load(run, device="cpu", **({"beam": 1} if task in GENERATORS else {}))
        made = exporter(self.predictor)
        for name, content in made.files().items():
            (folder / name).write_bytes(content)
        (folder / "vocabulary.json").write_text(json.dumps(made.vocabulary()))
        (folder / "example.py").write_text((ROOT / "tasks" / task / "onnx_example.py").read_text())
        parts, output = made.parts(next(onnx.check_batches(made))), io.StringIO()
        self.given: list[dict[str, np.ndarray]] = []
        session = SimpleNamespace(InferenceSession=lambda path: StandIn(parts[Path(path).stem], self.given))
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "onnxruntime", session)
            patch.setattr(sys, "argv", ["example.py"])
            patch.setattr(sys, "stdin", io.StringIO("".join(f"{text}\n" for text in texts)))
            patch.setattr(sys, "stdout", output)
            runpy.run_path(str(folder / "example.py"))
        self.lines, self.texts = output.getvalue().splitlines(), texts

    @property
    def answers(self) -> list[str]:
        return ["\n".join(self.predictor.write(answer)) for answer in self.predictor.predict(self.texts)]

    @property
    def agrees(self) -> bool:
        """Whether the example writes, as JSON, what the suite does."""
        pairs = zip(self.lines, self.answers, strict=True)
        return all(same(json.loads(line), json.loads(answer)) for line, answer in pairs)


def exporter(predictor: Any) -> onnx.TaskExport:
    """What exports the model of a predictor."""
    kind = getattr(import_module(f"tasks.{predictor.task}.export"), f"{predictor.task.title()}Export")
    return kind(predictor.model.requires_grad_(False), predictor.codec)


@pytest.mark.parametrize(
    "scaling, times",
    [*((name, "month") for name in options("scaling")), *(("last", x) for x in ("day", "hour", "number"))],
)
def test_the_example_scales_windows_as_the_suite_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scaling: str, times: str
) -> None:
    """Two channels and a covariate, of which values are missing."""
    noise, row = np.random.default_rng(0), "{},{:.3f},{:.3f},{}\n"
    stamps = {"month": dates(60), "number": list(range(60))}
    for unit in ("day", "hour"):
        stamps[unit] = (
            (np.datetime64("2024-02-25T00", unit[0].upper() if unit == "day" else "h") + np.arange(60))
            .astype(str)
            .tolist()
        )
    rows = [row.format(time, *noise.normal(9, 3, 2), number % 3) for number, time in enumerate(stamps[times])]
    (tmp_path / "train.csv").write_text("date,x,y,promo\n" + "".join(rows))
    run = tmp_path / "run"
    own = ["data=series_files", f"data.train={tmp_path / 'train.csv'}", "data.covariates=[promo]", "data.horizon=3"]
    monkeypatch.setitem(PARTS, "forecasting", ["codec.window=10"])
    save_run("forecasting", run, *own, f"scaling={scaling}")
    values = noise.normal(9, 3, (14, 2)).round(3).tolist()
    values[2][1] = values[9][0] = None
    covariates = [0, 1, None, *[1] * 14]
    lines = [
        json.dumps({"times": stamps[times][20:34], "values": values, "covariates": covariates}),
        json.dumps(
            {"times": stamps[times][:1], "values": {"x": [1.5], "y": [2]}, "covariates": {"promo": [0, 1, 2, 0]}}
        ),
    ]
    assert Example(run, "forecasting", lines, tmp_path, monkeypatch).agrees


def test_the_example_reads_numbers_where_the_model_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_run("memory", tmp_path / "run", "data=adding", "readout=numbers")
    lines = ["0.25 0.5* 0.125 1*", "x 0.1*", ""]
    example = Example(tmp_path / "run", "memory", lines, tmp_path, monkeypatch)
    assert example.agrees and example.given[0]["values"].tolist() == [[0.25, 0.5, 0.125, 1]]
    compared = [batch.values for batch in onnx.check_batches(exporter(example.predictor))]  # type: ignore[attr-defined]
    assert all(values.count_nonzero() > 0 for values in compared)


@pytest.mark.parametrize("tokenizer", ["words", "characters"])
def test_the_example_splits_and_joins_text_as_the_suite_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str
) -> None:
    monkeypatch.setitem(PARTS, "translation", ["model.decoder.hidden_size=8", "model.search.max_length_extra=4"])
    save_run("translation", tmp_path / "run", f"tokenizer={tokenizer}", "~codec.tokenizer.vocab_size")
    example = Example(tmp_path / "run", "translation", [*LINES, ""], tmp_path, monkeypatch)
    assert example.lines == example.answers and any(example.lines)


def test_the_example_reads_images_as_the_suite_does(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = pictures(tmp_path)
    example = Example(saved["captioning"], "captioning", files, tmp_path, monkeypatch)
    read = [inputs["images"][0] for inputs in example.given if "images" in inputs]
    wanted = [example.predictor.codec.unlabelled(file).array for file in files[:-1]]
    assert all(map(np.array_equal, read, wanted)) and len(read) == len(wanted) == 4
    assert example.lines == example.answers and any(example.lines)
    np.save(tmp_path / "pixels.npy", wanted[0])
    np.save(tmp_path / "wide.npy", np.asarray(Image.open(files[0])))
    arrays = [str(tmp_path / "pixels.npy"), str(tmp_path / "wide.npy")]
    of_arrays = Example(saved["captioning"], "captioning", arrays, tmp_path, monkeypatch)
    read = [inputs["images"][0] for inputs in of_arrays.given if "images" in inputs]
    assert len(read) == 2 and all(np.array_equal(one, wanted[0]) for one in read)


@pytest.mark.parametrize(
    "task, overrides",
    [
        ("forecasting", ["forecast=attention", "shape=one_to_many", "model.decoder.hidden_size=8", "cell=gru"]),
        ("captioning", ["decoder=cho", "cell=rnn"]),
        ("sentiment", ["characters=ngrams_convolution_shape", "codec.max_characters=18"]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_other_parts_are_graphs_for_any_batch_too(tmp_path: Path, task: str, overrides: list[str]) -> None:
    save_run(task, tmp_path / "run", *overrides)
    made = exporter(load(tmp_path / "run", device="cpu"))
    batches = list(onnx.check_batches(made))
    names = made.parts(batches[1])
    for name, part in names.items():
        write_graph(part, tmp_path / f"{name}.onnx")
    assert len(list(onnx.compared(made, batches, onnx.sessions(tmp_path, names)))) == 3 * len(names)


def test_what_spells_words_is_in_the_vocabulary(tmp_path: Path) -> None:
    save_run("sentiment", tmp_path / "run", "characters=ngrams", "codec.max_characters=18")
    vocabulary = exporter(load(tmp_path / "run", device="cpu")).vocabulary()
    assert vocabulary["max_characters"] == 18 and "a" in vocabulary["characters"]


def test_features_take_the_place_of_pixels(tmp_path: Path) -> None:
    codec, model = SimpleNamespace(images=FeatureCodec()), SimpleNamespace()
    codec.images.set_shape(9, 5)
    made = CaptioningExport(model, codec)  # type: ignore[arg-type]
    example = made.random_example(1, np.random.default_rng(0))
    assert example.array.shape == (9, 5) and example.array.dtype == np.float32
    batch = made.batch(torch.from_numpy(example.array.astype(np.float16))[None])
    assert made.source(batch)["images"].dtype == torch.float32


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


def test_a_task_without_graphs_says_so(saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "HERE", tmp_path)  # where no task has any
    monkeypatch.setattr(sys, "argv", ["export", f"run={saved['memory']}", f"output={tmp_path / 'out'}"])
    with pytest.raises(InputError, match="is a run of memory, which has no graphs for format=onnx"):
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
    done = command("tasks.tagging.predict", f"run={path}", "writes=text", "reads=text", stdin="the dog\n")
    assert done.returncode == 0 and len(done.stdout.split()) == 2, done.stderr


def test_the_command_reports_mistakes_in_a_sentence(tmp_path: Path) -> None:
    done = command("analysis", "export", f"run={tmp_path}", "format=safetensors")
    assert (
        done.stdout == ""
        and done.returncode == 2
        and done.stderr.count("\n") == 1
        and "is not a run folder" in done.stderr
    )
