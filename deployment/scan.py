"""Recurrent cells in ONNX: the loop over time is the operator Scan, and its body is one step of the cell.

PyTorch's exporter unrolls a loop of Python to a fixed length, and knows the kernels of few cells. Here every cell is
exported in two pieces that have no loop: ``project`` within the model, where a placeholder stands for the loop, and
``step`` alone, which becomes the body of a Scan in place of the placeholder.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from data.errors import InputError, first_line
from models.cells.base import Cell, State

DOMAIN = "rnnbench"  # of the placeholders; none is left in the end
BATCH = torch.export.Dim("batch")
NOISY = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "root")  # the quantiser logs to the root


class Step(nn.Module):
    """A step of ``Cell.scan``: (*state [B, ...], projected [B, P], mask [B, 1]) -> (*next state, output [B, H]).

    Args:
        cell: the cell.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        *state, projected, keep = values
        new = self.cell.step(projected, tuple(state))
        kept = [torch.where(keep, after, before) for after, before in zip(new, state, strict=True)]
        return *kept, new[0] * keep


class Loop(NamedTuple):
    """A cell whose loop a placeholder stands for."""

    cell: Cell
    projected_size: int  # P


@contextmanager
def placeholders(model: nn.Module) -> Iterator[dict[str, Loop]]:
    """Let every cell of a model leave a placeholder where it would loop; gives the loops by the key of theirs."""
    loops: dict[str, Loop] = {}
    cells = [module for module in model.modules() if isinstance(module, Cell)]
    for number, cell in enumerate(cells):
        cell.scan = partial(placeholder, loops, f"cell{number}", cell)  # type: ignore[method-assign]
        cell.scan_layer = Cell.scan_layer  # type: ignore[method-assign]  # the one that calls ``scan``
    try:
        yield loops
    finally:
        for cell in cells:
            del cell.scan, cell.scan_layer


def placeholder(
    loops: dict[str, Loop],
    key: str,
    cell: Cell,
    inputs: Tensor,
    mask: Tensor,
    state: State | None = None,
    reverse: bool = False,
) -> tuple[Tensor, State]:
    """``Cell.scan`` for a graph: an operator of ``DOMAIN`` with the inputs and outputs of the Scan."""
    state = cell.initial_state(inputs) if state is None else state
    projected = cell.project(inputs)
    loops[key] = Loop(cell, projected.shape[-1])
    batch, length = mask.shape
    *final, outputs = torch.onnx.ops.symbolic_multi_out(
        f"{DOMAIN}::Loop",
        (*state, projected, mask.unsqueeze(-1)),
        {"key": key, "reverse": int(reverse)},
        dtypes=[torch.float32] * (len(state) + 1),
        shapes=[*([batch, size] for size in cell.state_sizes), [batch, length, cell.hidden_size]],
        version=1,
    )
    return outputs, tuple(final)


def export_graph(
    module: nn.Module, inputs: Sequence[Tensor], axes: Any, input_names: Sequence[str], output_names: Sequence[str]
) -> Any:
    """A module without loops as an ONNX model, by PyTorch's exporter.

    Args:
        module: tensors in, a tensor or a tuple of tensors out.
        inputs: an example.
        axes: the dynamic dimensions of every input, as ``torch.export`` takes them.
        input_names, output_names: of the graph.
    """
    with quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            module.eval(),
            tuple(inputs),
            dynamo=True,
            dynamic_shapes=axes,
            input_names=list(input_names),
            output_names=list(output_names),
            verbose=False,
        )
    forget_origin(program.model)
    return program.model


def forget_origin(model: Any) -> None:
    """Remove the exporter's notes on the code that every operator came from: they name places of this machine."""
    from onnx_ir.traversal import RecursiveGraphIterator

    graphs = (model.graph, *model.functions.values())
    nodes = (node for graph in graphs for node in RecursiveGraphIterator(graph))  # those of loops too
    for described in (model, model.graph, *values_of(model.graph), *nodes):
        described.metadata_props.clear()


def insert_scans(model: Any, loops: dict[str, Loop]) -> None:
    """Put a Scan in place of every placeholder of an ONNX model.

    Raises:
        InputError: a step of a cell cannot be exported.
    """
    import onnx_ir as ir

    bodies: dict[str, int] = {}
    for node in [node for node in model.graph if node.domain == DOMAIN]:
        key, reverse = node.attributes["key"].as_string(), node.attributes["reverse"].as_int()
        bodies[key] = bodies.get(key, 0) + 1
        step = step_graph(loops[key], f"{key}.{bodies[key]}")
        model.functions.update(step.functions)
        directions = {
            "scan_input_axes": [1, 1],
            "scan_input_directions": [reverse, reverse],
            "scan_output_axes": [1],
            "scan_output_directions": [reverse],
        }
        scan = ir.node(
            "Scan",
            list(node.inputs),
            {"body": step.graph, "num_scan_inputs": 2, **directions},
            num_outputs=len(node.outputs),
        )
        for old, new in zip(node.outputs, scan.outputs, strict=True):
            new.name, new.shape, new.type = old.name, old.shape, old.type
        ir.convenience.replace_nodes_and_values(model.graph, node, [node], [scan], node.outputs, scan.outputs)
    model.opset_imports.pop(DOMAIN, None)


def step_graph(loop: Loop, prefix: str) -> Any:
    """The body of a Scan; all its names begin with a prefix, since those of the graph around it are visible in it."""
    state = [torch.zeros(3, size) for size in loop.cell.state_sizes]
    inputs = [*state, torch.zeros(3, loop.projected_size), torch.ones(3, 1, dtype=torch.bool)]
    names = [f"input{number}" for number in range(len(inputs))], [f"output{number}" for number in range(len(state) + 1)]
    try:
        model = export_graph(Step(loop.cell), inputs, (tuple({0: BATCH} for _ in inputs),), *names)
    except Exception as error:
        raise InputError(
            f"The cell {type(loop.cell).__name__} cannot be exported to ONNX: PyTorch's exporter has no form for its "
            f"step ({first_line(root_of(error))})."
        ) from error
    for value in values_of(model.graph):
        value.name = f"{prefix}.{value.name}"
    for node in model.graph:
        node.name = f"{prefix}.{node.name}"
    return model


def values_of(graph: Any) -> list[Any]:
    """Every value that a graph defines, each once."""
    defined = [*graph.inputs, *graph.initializers.values(), *(value for node in graph for value in node.outputs)]
    return list({id(value): value for value in defined}.values())


def root_of(error: BaseException) -> BaseException:
    """The error that was the cause of all others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks on itself."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
