"""A trained model as ONNX files: exported, checked against the suite, quantised, and measured."""

import hashlib
import math
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from data.batch import Batch
from data.corpus import Codec, Split, sample_rows
from data.errors import InputError, first_line
from data.tokenizers import ASCII_WORD, WORD, SentencePieceTokenizer, Tokenizer, WordTokenizer
from data.writing import write_json
from deployment.scan import export_graph, insert_scans, placeholders
from training.build import build, resolve_target
from training.folders import cell_name
from training.inference import predict_rows
from training.load import load
from training.model import TaskModel

REPORT, VOCABULARY, EXAMPLE = "export.json", "vocabulary.json", "example.py"
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
TOLERANCE = 1e-4
SHAPES = ((1, 1), (3, 7), (8, 40))  # examples and steps of the batches by which graphs are compared
BATCH_TOKENS, BATCH_SENTENCES = 4096, 64  # of the batches that are scored

Run = Callable[..., tuple[Tensor, ...]]  # of a graph: inputs by name -> outputs


class Part(NamedTuple):
    """A graph of a model.

    ``inputs`` are those of one batch, and ``axes`` the names of the dimensions that differ between batches.
    """

    module: nn.Module  # tensors in, a tensor or a tuple of tensors out
    inputs: dict[str, Tensor]
    axes: dict[str, dict[int, str]]
    outputs: list[str]


class TaskExport(ABC):
    """What the model of a task is as graphs.

    Args:
        model: the trained model, in evaluation mode.
        codec: its codec.
    """

    left_out: ClassVar[str] = ""  # what no graph does, in a sentence
    unit: ClassVar[str] = "tokens"  # of what is read, by which speed is measured

    def __init__(self, model: TaskModel, codec: Codec[Any]) -> None:
        self.model: Any = model
        self.codec: Any = codec

    @abstractmethod
    def parts(self, batch: Any) -> dict[str, Part]:
        """The graphs by the names of their files, with the inputs that a batch gives them."""

    @abstractmethod
    def use(self, runs: Mapping[str, Run]) -> None:
        """Let the model compute with graphs in place of its modules, so that it decodes what they give."""

    @abstractmethod
    def vocabulary(self) -> dict[str, Any]:
        """What a program needs beside the graphs to go from text to text, as JSON."""

    def files(self) -> dict[str, bytes]:
        """Files that such a program reads, by name."""
        return {}

    def random_example(self, length: int, generator: np.random.Generator) -> Any:
        """An example with random content, by which graphs are compared: some symbols of the vocabulary."""
        symbols = getattr(self.codec, "source", self.codec).vocabulary.symbols[4:] or ["x"]
        return self.codec.unlabelled(" ".join(generator.choice(symbols, length)))

    def encoded(self, examples: list[Any]) -> Any:
        """Examples as a split, from which a batch is made."""
        return Split.of(examples, self.codec).encoded

    def shape(self, batch: Any) -> list[int]:
        """The number of examples in a batch and, where they have one, their padded length."""
        return list(batch.tokens.shape)

    def units(self, encoded: Any) -> int:
        """The number of units in a split."""
        return int(encoded.embedded.lengths.sum())


def tokenizer_settings(tokenizer: Tokenizer) -> dict[str, Any]:
    """How a tokenizer splits text, as JSON; the patterns are those of the packages ``re`` and ``regex``."""
    kind = type(tokenizer).__name__.removesuffix("Tokenizer").lower()
    settings: dict[str, Any] = {"kind": kind, "lowercase": getattr(tokenizer, "lowercase", False)}
    if isinstance(tokenizer, WordTokenizer):
        settings["kind"] = "spaces" if tokenizer.pretokenized else "words"
        settings |= {"ascii_pattern": ASCII_WORD.pattern, "pattern": WORD.pattern}
    return settings


def tokenizer_files(tokenizer: Tokenizer, name: str) -> dict[str, bytes]:
    """The file that a tokenizer has learned, if any."""
    return {name: tokenizer.model} if isinstance(tokenizer, SentencePieceTokenizer) else {}


def export_onnx(predictor: Any, kind: type[TaskExport], example: Path, into: Path, limit: int) -> dict[str, Any]:
    """Export the model of a run into a folder, which appears when all checks have passed; returns the report.

    Args:
        predictor: of the run, on the CPU.
        kind: the graphs of its task.
        example: the program that is written beside the graphs.
        into: the folder.
        limit: the number of examples that are scored.

    Raises:
        InputError: a package is missing, a cell cannot be exported, or a graph differs from the suite.
    """
    check_packages()
    if into.exists() and not (into / REPORT).is_file():
        raise InputError(f"{into} exists and is not an export: choose another folder with output=.")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".export-") as name:
        folder = Path(name, into.name)
        folder.mkdir()
        report = write_export(predictor, kind, folder, limit)
        shutil.copyfile(example, folder / EXAMPLE)
        write_json(folder / REPORT, report)
        if into.exists():
            into.rename(Path(name, "before"))
        folder.rename(into)
    return report


def check_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(f'format=onnx needs {", ".join(missing)}: pip install "rnnbench[onnx]".')


def write_export(predictor: Any, kind: type[TaskExport], folder: Path, limit: int) -> dict[str, Any]:
    """Write the graphs, their int8 forms and the vocabulary; the report on them."""
    cfg, codec, model = predictor.cfg, predictor.codec, predictor.model
    task = kind(model.requires_grad_(False).float(), codec)
    batches = list(check_batches(task))
    opset = {name: write_graph(part, folder / f"{name}.onnx") for name, part in task.parts(batches[1]).items()}
    checks = list(compared(task, batches, sessions(folder, list(opset))))
    for name in opset:
        quantize(folder / f"{name}.onnx", folder / f"{name}.int8.onnx")
    for name, content in task.files().items():
        (folder / name).write_bytes(content)
    write_json(folder / VOCABULARY, task.vocabulary())
    return {
        "format": "onnx",
        "task": cfg.task,
        "cell": cell_name(cfg),
        "seed": cfg.seed,
        "opset": max(opset.values()),
        "versions": {name: version(name) for name in ("torch", *PACKAGES)},
        "graphs": {path.stem: described(path) for path in sorted(folder.glob("*.onnx"))},
        "left_out": kind.left_out or None,
        "checks": {"tolerance": TOLERANCE, "batches": checks},
        "comparison": measured(predictor, kind, folder, list(opset), limit),
    }


def write_graph(part: Part, path: Path) -> int:
    """Export one graph; its opset."""
    import onnx_ir as ir

    names = {name for axes in part.axes.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name) for name in sorted(names)}
    axes = tuple({axis: dims[name] for axis, name in part.axes[key].items()} for key in part.inputs)
    with placeholders(part.module) as loops:
        model = export_graph(
            part.module, list(part.inputs.values()), axes_for(part.module, axes), list(part.inputs), part.outputs
        )
        insert_scans(model, loops)
    ir.save(model, path)
    return int(model.opset_imports[""])


def axes_for(module: nn.Module, axes: tuple[Any, ...]) -> Any:
    """Axes as the exporter wants them: those of ``*arguments`` are one entry."""
    code = module.forward.__code__
    return (axes,) if code.co_argcount == 1 else axes


def sessions(folder: Path, names: Iterable[str], suffix: str = "") -> dict[str, Run]:
    """What runs the graphs of a folder, with one thread each."""
    return {name: session(folder / f"{name}{suffix}.onnx") for name in names}


def session(path: Path) -> Run:
    """A graph, run by ONNX Runtime on the CPU; inputs that it does not have are ignored."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    opened = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    known = {one.name for one in opened.get_inputs()}

    def run(**inputs: Tensor) -> tuple[Tensor, ...]:
        given = {name: value.contiguous().numpy() for name, value in inputs.items() if name in known}
        return tuple(torch.from_numpy(np.array(output)) for output in opened.run(None, given))

    return run


def check_batches(task: TaskExport) -> Iterator[Batch]:
    """Batches of random examples of different lengths; the last of several is as short as can be."""
    generator = np.random.default_rng(0)
    for number, length in SHAPES:
        lengths = [length, *generator.integers(1, length + 1, max(0, number - 2)).tolist(), 0][:number]
        examples = [task.random_example(size, generator) for size in lengths]
        yield task.encoded(examples).batch(np.arange(number))


def compared(task: TaskExport, batches: Sequence[Batch], runs: Mapping[str, Run]) -> Iterator[dict[str, Any]]:
    """The largest difference between every graph and the module that it was made of, for every batch.

    Raises:
        InputError: it is larger than ``TOLERANCE``.
    """
    for batch in batches:
        shape = task.shape(batch)
        for name, part in task.parts(batch).items():
            with torch.no_grad():
                wanted = part.module(*part.inputs.values())
            found = checked(name, runs[name], part.inputs)
            wanted = wanted if isinstance(wanted, tuple) else (wanted,)
            largest = max(map(difference, wanted, found))
            if not largest <= TOLERANCE:
                raise InputError(
                    f"The graph {name} differs from the suite by {largest:.1e} on {shape} {task.unit}, more than "
                    f"{TOLERANCE:.0e}: nothing was written."
                )
            yield {"graph": name, "shape": shape, "unit": task.unit, "largest_difference": largest}


def checked(name: str, run: Run, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What a graph gives.

    Raises:
        InputError: it does not run, as where the exporter took a size of its example for a constant.
    """
    try:
        return run(**inputs)
    except Exception as error:
        raise InputError(
            f"The graph {name} does not run on other sizes than those it was made with ({first_line(error)}): nothing "
            f"was written."
        ) from error


def difference(wanted: Tensor, found: Tensor) -> float:
    """The largest absolute difference; equal infinities differ by 0."""
    if wanted.shape != found.shape:
        return math.inf
    apart = torch.where(wanted == found, 0.0, (wanted.double() - found.double()).abs())
    return float(apart.max()) if apart.numel() else 0.0


def quantize(path: Path, into: Path) -> None:
    """Write a graph with 8-bit weights; activations are quantised as they come, by their own range."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from deployment.scan import quiet

    with quiet():
        quantize_dynamic(
            path, into, weight_type=QuantType.QInt8, per_channel=False, extra_options={"EnableSubgraph": True}
        )


def described(path: Path) -> dict[str, Any]:
    """A graph by its file, inputs and outputs; names stand for dimensions of any size."""
    import onnxruntime

    opened = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    content = path.read_bytes()
    return {
        "file": path.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "inputs": {one.name: [one.type, list(one.shape)] for one in opened.get_inputs()},
        "outputs": {one.name: [one.type, list(one.shape)] for one in opened.get_outputs()},
    }


def measured(
    predictor: Any, kind: type[TaskExport], folder: Path, names: list[str], limit: int
) -> list[dict[str, Any]]:
    """Size, speed and score of the suite's model, of the graphs and of their int8 forms, on the same examples."""
    forms = {"suite": None, "onnx": "", "onnx int8": ".int8"}
    examples, evaluation, note = scored_examples(predictor, limit)
    rows = []
    for form, suffix in forms.items():
        _, codec, model = load(Path(predictor.options.run), torch.device("cpu"))
        task = kind(model, codec)
        if suffix is None:
            size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        else:
            task.use(sessions(folder, names, suffix))
            size = sum((folder / f"{name}{suffix}.onnx").stat().st_size for name in names)
        rows.append({"form": form, "bytes": size} | (scored(task, examples, evaluation) if examples else note))
    return rows


def scored_examples(predictor: Any, limit: int) -> tuple[Sequence[Any], Any, dict[str, Any]]:
    """Examples of the test split, else of the validation split, and what scores them; or a note why there are none."""
    cfg = predictor.cfg
    if not limit:
        return [], None, {"note": "not scored: examples=0"}
    try:
        reader = build(cfg.data).for_examples(resolve_target(cfg.codec._target_).example_type)
        rows = reader.read_split("test") or reader.read_split("validation")
        evaluation = build(cfg.evaluation)
        evaluation.fit(reader.read_split("train") or [])
    except (InputError, OSError) as error:
        return [], None, {"note": f"not scored: {first_line(error)}"}
    return sample_rows(rows or [], limit, 0), evaluation, {"note": "not scored: no test or validation split"}


def scored(task: TaskExport, examples: Sequence[Any], evaluation: Any) -> dict[str, Any]:
    """The scores of a model, and the time that its predictions took; the first batch is run once before."""
    model, codec = task.model, task.codec
    split = Split.of(examples, codec)
    sizes = (torch.device("cpu"), "fp32", BATCH_TOKENS, BATCH_SENTENCES)
    with torch.no_grad():
        model.predict(next(iter(split.by_length(BATCH_TOKENS, BATCH_SENTENCES))))
    started = time.perf_counter()
    found = codec.decode(predict_rows(model.predict, split, *sizes))
    seconds = time.perf_counter() - started
    scores = {key: value for key, value in evaluation.score(found, examples).items() if isinstance(value, float)}
    speed = {f"{task.unit}_per_second": task.units(split.encoded) / seconds, "threads": torch.get_num_threads()}
    return {"examples": len(examples), "seconds": seconds, **speed, "scores": scores}
