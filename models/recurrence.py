"""A recurrent layer on a CPU: one loop over time for all directions, no padding, weight gradients as one product.

In bf16, products are multiplied in it; sums, states and gates are in fp32.

The tokens of a batch are laid out step by step, the longest sentence first, so that the rows of a step are neighbours
and a sentence that has ended takes no part. A direction that reads from right to left has its steps in the same place.
"""

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Step(NamedTuple):
    """The rows of a step in buffers of tokens and, for the step and the one before it, in buffers of states."""

    tokens: slice
    states: slice
    before: slice


class PackedSteps(NamedTuple):
    """Where the N tokens of B padded sentences are, for D directions.

    Buffers of tokens have N rows. Buffers of states have B + N + 1: the initial states, the states after every token,
    and zeros, which stand for padding.
    """

    steps: list[Step]
    sentences: int  # B
    tokens: int  # N
    order: Tensor  # [B] the sentences, longest first
    packed: Tensor  # [D, N] the position in [B T] of every token
    padded: Tensor  # [D, B T] the row among the states of every position
    before: Tensor  # [N] the row of the state before every token
    last: Tensor  # [B] the row of the state after the last token, in the order of the batch


@lru_cache(maxsize=8)  # the layers of an encoder read the same batch
def pack_steps(lengths: tuple[int, ...], width: int, reverse: tuple[bool, ...]) -> PackedSteps:
    """The steps of padded sentences of some lengths; ``reverse`` has an entry for every direction."""
    given = np.array(lengths, dtype=np.int64)
    order = np.argsort(-given, kind="stable")
    times = np.arange(given.max(initial=0))
    sizes = (given[None, :] > times[:, None]).sum(axis=1)
    firsts = np.cumsum(sizes) - sizes
    time, rank = np.repeat(times, sizes), np.arange(sizes.sum()) - np.repeat(firsts, sizes)
    sentence = order[rank]
    batch, tokens = len(given), len(time)
    packed = np.stack([sentence * width + (given[sentence] - 1 - time if flip else time) for flip in reverse])
    padded = np.full((len(reverse), batch * width), batch + tokens)
    np.put_along_axis(padded, packed, batch + np.arange(tokens)[None, :], axis=1)
    starts_before = np.concatenate([[0], batch + firsts])[: len(sizes)]  # of the initial states, then of every step
    last = np.empty(batch, dtype=np.int64)
    last[order] = np.where(given[order] > 0, batch + np.append(firsts, 0)[given[order] - 1], 0) + np.arange(batch)
    return PackedSteps(
        [
            Step(slice(a, a + n), slice(batch + a, batch + a + n), slice(b, b + n))
            for a, n, b in zip(firsts.tolist(), sizes.tolist(), starts_before.tolist(), strict=True)
        ],
        batch,
        tokens,
        *map(torch.from_numpy, (order, packed, padded, np.repeat(starts_before, sizes) + rank, last)),
    )


class Weights(NamedTuple):
    """W_ih [D, P, E], W_hh [D, Q, H] in the type that products are multiplied in, b_ih [D, P], b_hh [D, Q]."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor

    def matrices_in(self, dtype: torch.dtype) -> "Weights":
        return self._replace(ih=self.ih.to(dtype), hh=self.hh.to(dtype))


def add_product(sums: Tensor, rows: Tensor, matrix: Tensor) -> Tensor:
    """sums += rows @ matrix: [D, n, N], [D, n, K], [D, K, N]; multiplied in the type of the matrix."""
    if matrix.dtype == sums.dtype:
        return sums.baddbmm_(rows, matrix)
    return sums.add_(torch.bmm(rows.to(matrix.dtype), matrix))


class Recurrence(Protocol):
    """The equations of a cell over all steps, by hand, forward and backward."""

    def input_bias(self, weights: Weights) -> Tensor:
        """All biases that do not have to be added at their step: [D, P]."""

    def forward(self, gates: Tensor, states: list[Tensor], weights: Weights, steps: PackedSteps) -> list[Tensor]:
        """Fill the buffers of states, from W_ih x + b [D, N, P], which is overwritten; what ``backward`` needs."""

    def backward(
        self, gradients: list[Tensor], saved: list[Tensor], states: list[Tensor], weights: Weights, steps: PackedSteps
    ) -> tuple[Tensor, slice, slice]:
        """From those of all states, the gradients of all products [D, N, ...], and which are of W_ih x and W_hh h.

        The gradients of states reach the step before in place; those of the initial states are what is left.
        """


class PackedLayer(torch.autograd.Function):
    """(inputs [B, T, E], weights, initial states [D, B, ...]) -> (outputs [B, T, D H], final states [D, B, ...])."""

    @staticmethod
    def forward(
        ctx: Any, recurrence: Recurrence, steps: PackedSteps, dtype: torch.dtype, inputs: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        weights, starts = Weights(*rest[:4]).matrices_in(dtype), rest[4:]
        rows = inputs.to(dtype).flatten(0, 1).index_select(0, steps.packed.flatten()).unflatten(0, steps.packed.shape)
        states = [state_buffer(start, steps) for start in starts]
        with torch.autocast("cpu", enabled=False):  # the types of the factors decide
            gates = input_products(rows, weights.ih.transpose(1, 2), recurrence.input_bias(weights).unsqueeze(1))
            saved = recurrence.forward(gates, states, weights, steps)
        ctx.recurrence, ctx.steps, ctx.number, ctx.shape = recurrence, steps, len(states), inputs.shape
        ctx.save_for_backward(rows, *weights, *states, *saved)
        ctx.set_materialize_grads(False)
        outputs = unpacked(states[0], steps.padded).unflatten(0, inputs.shape[:2])
        return outputs, *(entry.index_select(1, steps.last) for entry in states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_outputs: Tensor | None, *by_finals: Tensor | None) -> tuple[Any, ...]:
        with torch.autocast("cpu", enabled=False):
            return PackedLayer.gradients(ctx, by_outputs, *by_finals)

    @staticmethod
    def gradients(ctx: Any, by_outputs: Tensor | None, *by_finals: Tensor | None) -> tuple[Any, ...]:
        """One for every argument of ``forward``."""
        recurrence, steps = ctx.recurrence, ctx.steps
        rows, *rest = ctx.saved_tensors
        weights, states, saved = Weights(*rest[:4]), rest[4 : 4 + ctx.number], rest[4 + ctx.number :]
        gradients = [torch.zeros_like(entry) for entry in states]
        if by_outputs is not None:
            gradients[0] = packed_gradient(by_outputs, steps)
        for gradient, by_final in zip(gradients, by_finals, strict=True):
            if by_final is not None:
                gradient.index_add_(1, steps.last, by_final)
        products, ih, hh = recurrence.backward(gradients, list(saved), list(states), weights, steps)
        biases, products = products.sum(dim=1), products.to(rows.dtype)
        before = states[0].index_select(1, steps.before).to(rows.dtype)
        by_ih, by_hh = products[..., ih], products[..., hh]
        by_inputs = input_gradient(by_ih, weights.ih, steps).view(ctx.shape) if ctx.needs_input_grad[3] else None
        by_matrices = [matrix_gradient(by, read, biases.dtype) for by, read in ((by_ih, rows), (by_hh, before))]
        by_starts = [original_order(gradient, steps) for gradient in gradients]
        return None, None, None, by_inputs, *by_matrices, biases[:, ih], biases[:, hh], *by_starts


class MaxOverTime(torch.autograd.Function):
    """The maximum of every feature over the steps of a row, at least 0: [N, F] -> [B, F] in the order of the batch."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, steps: PackedSteps) -> Tensor:
        largest = values.new_zeros(steps.sentences, values.shape[1])
        for step in steps.steps:
            part = values[step.tokens]
            torch.maximum(largest[: len(part)], part, out=largest[: len(part)])
        ctx.steps = steps
        ctx.save_for_backward(values, largest)
        return torch.empty_like(largest).index_copy_(0, steps.order, largest)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Of equal values the first one has the gradient."""
        values, largest = ctx.saved_tensors
        left = gradient.index_select(0, ctx.steps.order).mul_(largest > 0)
        by_values = torch.empty_like(values)
        for step in ctx.steps.steps:
            part, mine = values[step.tokens], by_values[step.tokens]
            torch.mul(part == largest[: len(part)], left[: len(part)], out=mine)
            left[: len(part)] -= mine
        return by_values, None


def input_products(rows: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """rows @ matrix + bias in the type of the bias: [D, N, E], [D, E, P], [D, 1, P] -> [D, N, P]."""
    if rows.dtype == bias.dtype:
        return torch.baddbmm(bias, rows, matrix)
    return torch.add(torch.bmm(rows, matrix), bias)


def state_buffer(start: Tensor, steps: PackedSteps) -> Tensor:
    """Initial states [D, B, ...] and room for all others: [D, B + N + 1, ...]."""
    buffer = start.new_empty(len(start), steps.sentences + steps.tokens + 1, start.shape[2])
    buffer[:, : steps.sentences] = start.index_select(1, steps.order)
    buffer[:, -1] = 0
    return buffer


def unpacked(states: Tensor, padded: Tensor) -> Tensor:
    """States in the order of the batch, directions side by side: [D, B + N + 1, H] -> [B T, D H]."""
    directions = torch.arange(len(states)) * states.shape[1]
    index = (padded.T + directions).flatten()
    return states.flatten(0, 1).index_select(0, index).view(padded.shape[1], -1)


def packed_gradient(by_outputs: Tensor, steps: PackedSteps) -> Tensor:
    """The gradient of all states, zero for the initial ones, from that of the outputs [B, T, D H]."""
    directions, first = len(steps.packed), steps.sentences
    index = torch.zeros(directions, first + steps.tokens + 1, dtype=torch.long)
    index[:, first:-1] = steps.packed * directions + torch.arange(directions)[:, None]
    rows = by_outputs.reshape(-1, by_outputs.shape[2] // directions).index_select(0, index.flatten())
    gradient = rows.unflatten(0, index.shape)
    gradient[:, :first] = 0
    return gradient


def matrix_gradient(by_products: Tensor, factors: Tensor, dtype: torch.dtype) -> Tensor:
    """That of a matrix, from those of its products with all rows: [D, N, P], [D, N, K] -> [D, P, K]."""
    if by_products.dtype == dtype:
        return by_products.transpose(1, 2) @ factors
    pairs = zip(by_products, factors, strict=True)
    return torch.stack([by.T @ read for by, read in pairs]).to(dtype)  # in bf16, bmm copies what is not contiguous


def input_gradient(by_ih: Tensor, weight: Tensor, steps: PackedSteps) -> Tensor:
    """The sum over directions of their gradients of the inputs: [B T, E]."""
    rows = weight.new_empty(steps.tokens + 1, weight.shape[2])
    rows[-1] = 0
    total: Tensor | None = None
    for products, matrix, padded in zip(by_ih, weight, steps.padded, strict=True):
        torch.mm(products, matrix, out=rows[:-1])
        part = rows.index_select(0, padded - steps.sentences)
        total = part if total is None else total.add_(part)
    assert total is not None
    return total


def original_order(gradient: Tensor, steps: PackedSteps) -> Tensor:
    """The gradients of the initial states, in the order of the batch."""
    return torch.empty_like(gradient[:, : steps.sentences]).index_copy_(1, steps.order, gradient[:, : steps.sentences])


def product_type(inputs: Tensor, weight: Tensor) -> torch.dtype | None:
    """The type in which ``PackedLayer`` multiplies; None where it does not compute a layer.

    It does on a CPU in fp32, fp64 and autocast's bf16, and not while a program is being exported.
    """
    if inputs.device.type != "cpu":
        return None
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch._C._is_tracing():
        return None
    if torch.is_autocast_enabled("cpu"):
        low = torch.get_autocast_dtype("cpu")
        known = {torch.float32, torch.bfloat16}
        return low if low == torch.bfloat16 and weight.dtype == torch.float32 and inputs.dtype in known else None
    return weight.dtype if inputs.dtype == weight.dtype in (torch.float32, torch.float64) else None
