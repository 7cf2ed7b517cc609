"""The contract of a recurrent cell: one step of the recurrence, and the scan over time that every cell inherits."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from models.padding import last_step, reverse_padded
from models.recurrence import PackedLayer, Recurrence, Weights, pack_steps, product_type
from models.scan import linear_scan

State = tuple[Tensor, ...]  # entries [B, features]; entry 0 is the hidden state [B, H], which all readers use


class Cell(nn.Module, ABC):
    """A recurrence h' = f(x, h). Subclasses define ``project`` and ``step``; ``scan`` is the loop over time.

    Args:
        input_size: the number of features of an input step.
        hidden_size: H, the number of features of the hidden state.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """The number of features of every entry of the state; H of entry 0. Every real value is a valid state."""
        return (self.hidden_size,)

    @abstractmethod
    def project(self, inputs: Tensor) -> Tensor:
        """All that does not depend on the state: [..., input_size] -> [..., P], one matrix product per sentence."""

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """One time step: ([B, P], state) -> the next state."""

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-1/sqrt(H), 1/sqrt(H)), as PyTorch's modules do.

        Cells share this rule, so that a comparison of cells does not compare initialisations. A cell whose paper
        demands another initialisation overrides it.
        """
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def initial_state(self, like: Tensor) -> State:
        """Zeros, on the device and in the dtype of ``like`` [B, ...]."""
        return tuple(like.new_zeros(like.shape[0], size) for size in self.state_sizes)

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        """Run over padded sentences: ([B, T, input_size], [B, T]) -> (outputs [B, T, H], final state).

        A padded position keeps the state and outputs zero, in both directions, so that the result for a sentence does
        not depend on its batch. ``state`` is the state before the first step, ``initial_state`` by default.
        """
        state = self.initial_state(inputs) if state is None else state
        steps = list(zip(self.project(inputs).unbind(1), mask.unsqueeze(-1).unbind(1), strict=True))
        outputs = []
        for projected, keep in reversed(steps) if reverse else steps:
            state = tuple(
                torch.where(keep, new, old) for new, old in zip(self.step(projected, state), state, strict=True)
            )
            outputs.append(state[0] * keep)
        return torch.stack(outputs[::-1] if reverse else outputs, dim=1), state

    @staticmethod
    def scan_layer(
        cells: "Sequence[Cell]", inputs: Tensor, mask: Tensor, reverse: Sequence[bool]
    ) -> tuple[Tensor, Tensor]:
        """``scan`` of D cells, true where one runs in reverse: (outputs [B, T, D H], final hidden states [B, D H])."""
        runs = [cell.scan(inputs, mask, reverse=flip) for cell, flip in zip(cells, reverse, strict=True)]
        return torch.cat([out for out, _ in runs], dim=-1), torch.cat([state[0] for _, state in runs], dim=-1)

    def kernel_name(self, device: torch.device) -> str:
        """The name of the code that runs ``scan`` on a device, for the record."""
        return "loop"


class LinearCell(Cell):
    """A cell with a recurrence c' = a * c + b, where a and b depend on the input only: ``scan`` is a parallel scan.

    Subclasses define ``project``, ``coefficients`` and, where the hidden state is not c, ``carry`` and ``states``.
    """

    def with_previous(self, projected: Tensor, state: State) -> Tensor:
        """Add what a step reads of the previous one, by default nothing: ([B, T, P], initial state) -> [B, T, P]."""
        return projected

    @abstractmethod
    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """a and b, in at least fp32, |a| <= 1: [..., P] -> ([..., N], [..., N])."""

    def carry(self, state: State) -> Tensor:
        """c of a state: [B, N]."""
        return state[0]

    def states(self, projected: Tensor, carry: Tensor) -> State:
        """The entries of the state, from c and the input of the step: ([..., P], [..., N]) -> [..., features] each."""
        return (carry,)

    def step(self, projected: Tensor, state: State) -> State:
        projected = self.with_previous(projected.unsqueeze(1), state).squeeze(1)
        a, b = self.coefficients(projected)
        return self.states(projected, a * self.carry(state) + b)

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        state = self.initial_state(inputs) if state is None else state
        projected, keep, lengths = self.project(inputs), mask.unsqueeze(-1), mask.sum(dim=1)
        if reverse:
            projected = reverse_padded(projected, lengths)
        projected = self.with_previous(projected, state)
        a, b = self.coefficients(projected)
        carries = linear_scan(a.masked_fill(~keep, 1.0), b.masked_fill(~keep, 0.0), self.carry(state).to(b.dtype))
        entries = self.states(projected, carries)
        final = tuple(last_step(entry, lengths, start) for entry, start in zip(entries, state, strict=True))
        outputs = entries[0] * keep
        return reverse_padded(outputs, lengths) if reverse else outputs, final

    def kernel_name(self, device: torch.device) -> str:
        return "parallel scan"


class FusedCell(Cell):
    """A cell of ``num_gates`` blocks W_ih x + b_ih + W_hh h + b_hh for which PyTorch has a fused kernel.

    ``kernel`` runs it over all steps at once. Kernels do not stop at padding, so for the reverse direction every
    sentence is reversed within its length, and the final hidden state is read at the last token. W_ih and b_ih are
    the weight and bias of ``linear_ih``; W_hh and b_hh are those of ``linear_hh``.
    """

    num_gates: int
    recurrence: Recurrence | None = None  # for ``PackedLayer``, in place of the kernel on a CPU

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear_ih = nn.Linear(input_size, self.num_gates * hidden_size)
        self.linear_hh = nn.Linear(hidden_size, self.num_gates * hidden_size)
        self.reset_parameters()

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear_ih(inputs)

    @abstractmethod
    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        """All steps, first to last: ([B, T, input_size], [B, T], state) -> (outputs [B, T, H], state after step T).

        Outputs on padding and entry 0 of the state are ignored; padding must not change the other entries.
        """

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        state = self.initial_state(inputs) if state is None else state
        if self.is_packed(inputs):
            outputs, finals = self.packed_scan(
                [self], inputs, mask, [entry.unsqueeze(0).to(self.linear_hh.weight) for entry in state], (reverse,)
            )
            return outputs, tuple(entry.squeeze(0) for entry in finals)
        lengths = mask.sum(dim=1)
        if reverse:
            inputs = reverse_padded(inputs, lengths)
        outputs, (_, *rest) = self.kernel(inputs, mask, state)
        hidden = last_step(outputs, lengths, state[0])
        outputs = outputs * mask.unsqueeze(-1)
        return reverse_padded(outputs, lengths) if reverse else outputs, (hidden, *rest)

    @staticmethod
    def scan_layer(
        cells: Sequence[Cell], inputs: Tensor, mask: Tensor, reverse: Sequence[bool]
    ) -> tuple[Tensor, Tensor]:
        fused = cast(Sequence[FusedCell], cells)
        if not fused[0].is_packed(inputs):
            return Cell.scan_layer(cells, inputs, mask, reverse)
        weight = fused[0].linear_hh.weight
        states = [weight.new_zeros(len(cells), len(inputs), size) for size in cells[0].state_sizes]
        outputs, finals = fused[0].packed_scan(fused, inputs, mask, states, tuple(reverse))
        return outputs, finals[0].transpose(0, 1).flatten(1)

    def is_packed(self, inputs: Tensor) -> bool:
        """Whether ``packed_scan`` is used in place of ``kernel``."""
        return self.recurrence is not None and product_type(inputs, self.linear_hh.weight) is not None

    @staticmethod
    def packed_scan(
        cells: "Sequence[FusedCell]", inputs: Tensor, mask: Tensor, states: list[Tensor], reverse: tuple[bool, ...]
    ) -> tuple[Tensor, list[Tensor]]:
        """``scan`` of D cells at once, entries of states [D, B, ...]."""
        ih, hh = [cell.linear_ih for cell in cells], [cell.linear_hh for cell in cells]
        first = cells[0]
        weights = Weights(
            torch.stack([first.input_blocks(linear.weight) for linear in ih]),
            torch.stack([first.recurrent_blocks(linear.weight) for linear in hh]),
            torch.stack([first.input_blocks(linear.bias) for linear in ih]),
            torch.stack([first.recurrent_blocks(linear.bias) for linear in hh]),
        )
        steps = pack_steps(tuple(mask.sum(dim=1).tolist()), mask.shape[1], reverse)
        how = first.recurrence, steps, product_type(inputs, first.linear_hh.weight)
        outputs, *finals = PackedLayer.apply(*how, inputs, *weights, *states)  # type: ignore[no-untyped-call]
        return outputs, finals

    def input_blocks(self, parameter: Tensor) -> Tensor:
        """The blocks of a parameter of ``linear_ih``, in the order of ``recurrence``."""
        return parameter

    def recurrent_blocks(self, parameter: Tensor) -> Tensor:
        """The same of ``linear_hh``."""
        return self.input_blocks(parameter)

    def weights(self) -> list[Tensor]:
        """W_ih, W_hh, b_ih and b_hh, the order in which PyTorch's kernels take them."""
        return [self.linear_ih.weight, self.linear_hh.weight, self.linear_ih.bias, self.linear_hh.bias]

    def kernel_name(self, device: torch.device) -> str:
        on_cpu = "packed" if self.recurrence is not None else "ATen"
        return {"cuda": "cuDNN", "mps": "MPS"}.get(device.type, on_cpu)
