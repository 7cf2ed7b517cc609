"""The independently recurrent network (Li et al., 2018)."""

import torch
from torch import Tensor, nn

from models.cells.base import Cell, State


class IndRNNCell(Cell):
    """h' = relu(W x + b + u * h): every feature has a recurrence of its own, with the weight u.

    The paper draws u from U(0, 1), so that features remember over different spans.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.uniform_(self.u, 0.0, 1.0)

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        return (torch.relu(projected + self.u * state[0]),)
