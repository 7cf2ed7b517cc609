"""The layer-normalised LSTM (Ba et al., 2016)."""

import torch
from torch import Tensor, nn

from models.cells.base import Cell, State


class LayerNormLSTMCell(Cell):
    """An LSTM with layer normalisation LN of both products and of the cell state.

    i, f, o, g = LN(W_x x) + LN(W_h h) + b
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(LN(c'))

    As in the paper, a product of all four blocks is normalised as one vector, with gain 1 at the start.

    Args:
        input_size, hidden_size: as in ``Cell``.
        forget_bias: the initial bias of the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.forget_bias = forget_bias
        self.linear_ih = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.linear_hh = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.norm_ih = nn.LayerNorm(4 * hidden_size)  # its shift is b
        self.norm_hh = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_c = nn.LayerNorm(hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        for norm in (self.norm_ih, self.norm_hh, self.norm_c):
            norm.reset_parameters()
        nn.init.constant_(self.norm_ih.bias[self.hidden_size : 2 * self.hidden_size], self.forget_bias)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size

    def project(self, inputs: Tensor) -> Tensor:
        return self.norm_ih(self.linear_ih(inputs))

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (projected + self.norm_hh(self.linear_hh(h))).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(self.norm_c(c)), c
