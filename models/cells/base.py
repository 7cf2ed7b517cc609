"""What a recurrent cell is: one step of a recurrence, and the loop over time that every cell gets for free."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.padding import last_step, reverse_padded

State = tuple[Tensor, ...]  # every entry [B, H]; entry 0 is the hidden state that readers use


class Cell(nn.Module, ABC):
    """A recurrence h' = f(x, h). Subclasses write ``project`` and ``step``; ``scan`` is the loop over time.

    Args:
        input_size: features of an input step.
        hidden_size: H, features of every entry of the state.
    """

    num_states = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

    @abstractmethod
    def project(self, inputs: Tensor) -> Tensor:
        """All that does not depend on the state: [..., input_size] -> [..., P], one matrix product a sentence."""

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """One time step: ([B, P], state) -> the next state."""

    def reset_parameters(self) -> None:
        """U(-1/sqrt H, 1/sqrt H) for the weights of every cell: a comparison must not compare initialisations."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def initial_state(self, like: Tensor) -> State:
        """Zeros, on the device and in the dtype of ``like`` [B, ...]."""
        return tuple(like.new_zeros(like.shape[0], self.hidden_size) for _ in range(self.num_states))

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        """Run over padded sentences: ([B, T, input_size], [B, T]) -> (outputs [B, T, H], final state).

        A padded position leaves the state as it was and outputs zero, in both directions, so that a sentence gives
        the same result in any batch. ``state`` is where the first step starts, zeros by default.
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

    def kernel_name(self, device: torch.device) -> str:
        """Which code runs ``scan`` on a device, for the record."""
        return "loop"


class GatedCell(Cell):
    """A cell of ``num_gates`` blocks of H, each W x + b + U h + c, that PyTorch has a kernel for.

    ``kernel`` runs it over all steps at once. Kernels read on through padding, so sentences are put back to front
    by length for the reverse direction, and the final state is read at the last token.
    """

    num_gates: int

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input_to_gates = nn.Linear(input_size, self.num_gates * hidden_size)
        self.hidden_to_gates = nn.Linear(hidden_size, self.num_gates * hidden_size)
        self.reset_parameters()

    def project(self, inputs: Tensor) -> Tensor:
        return self.input_to_gates(inputs)

    @abstractmethod
    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        """All steps, first to last: ([B, T, input_size], [B, T], state) -> (outputs [B, T, H], state after step T).

        Outputs on padding are anything; entry 0 of the state is not read, the others must hold through padding.
        """

    def scan(
        self, inputs: Tensor, mask: Tensor, state: State | None = None, reverse: bool = False
    ) -> tuple[Tensor, State]:
        state = self.initial_state(inputs) if state is None else state
        lengths = mask.sum(dim=1)
        if reverse:
            inputs = reverse_padded(inputs, lengths)
        outputs, (_, *rest) = self.kernel(inputs, mask, state)
        hidden = last_step(outputs, lengths, state[0])
        outputs = outputs * mask.unsqueeze(-1)
        return reverse_padded(outputs, lengths) if reverse else outputs, (hidden, *rest)

    def weights(self) -> list[Tensor]:
        """In the order in which PyTorch's kernels take them."""
        return [
            self.input_to_gates.weight,
            self.hidden_to_gates.weight,
            self.input_to_gates.bias,
            self.hidden_to_gates.bias,
        ]

    def kernel_name(self, device: torch.device) -> str:
        return {"cuda": "cuDNN", "mps": "MPS"}.get(device.type, "ATen")
