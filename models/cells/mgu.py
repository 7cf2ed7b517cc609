"""The minimal gated unit (Zhou et al., 2016)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import Cell, State


class MGUCell(Cell):
    """A GRU with one gate: forget gate f, candidate h~.

    f = sigmoid(W_f x + U_f h + b_f)
    h~ = tanh(W_h x + U_h (f * h) + b_h)
    h' = (1 - f) * h + f * h~
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, 2 * hidden_size)
        self.u_f = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.u_h = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        f, candidate = projected.chunk(2, dim=-1)
        f = torch.sigmoid(f + F.linear(h, self.u_f))
        candidate = torch.tanh(candidate + F.linear(f * h, self.u_h))
        return ((1 - f) * h + f * candidate,)
