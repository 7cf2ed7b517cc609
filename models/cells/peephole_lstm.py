"""The LSTM with peephole connections (Gers et al., 2002)."""

import torch
from torch import Tensor, nn

from models.cells.base import Cell, State


class PeepholeLSTMCell(Cell):
    """Gates i, f, o that also see the cell state c, by diagonal weights p.

    i, f = sigmoid(W x + U h + p * c + b)
    c' = f * c + i * tanh(W_g x + U_g h + b_g)
    o = sigmoid(W_o x + U_o h + p_o * c' + b_o)
    h' = o * tanh(c')

    Args:
        input_size, hidden_size: as in ``Cell``.
        forget_bias: the initial bias of the forget gate; null draws it like all other parameters.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float | None) -> None:
        super().__init__(input_size, hidden_size)
        self.linear_ih = nn.Linear(input_size, 4 * hidden_size)
        self.linear_hh = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.peepholes = nn.Parameter(torch.empty(3, hidden_size))
        self.reset_parameters()
        if forget_bias is not None:
            nn.init.constant_(self.linear_ih.bias[hidden_size : 2 * hidden_size], forget_bias)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear_ih(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        p_i, p_f, p_o = self.peepholes
        i, f, g, o = (projected + self.linear_hh(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * torch.tanh(g)
        return torch.sigmoid(o + p_o * c) * torch.tanh(c), c
