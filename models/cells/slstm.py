"""The sLSTM of xLSTM (Beck et al., 2024): an LSTM with exponential input gates and a normaliser."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import Cell, State

EMPTY = -30.0  # for the logarithm of a normaliser of zero: its weight against an input is below fp32's precision


class SLSTMCell(Cell):
    """Exponential input gate i, forget gate f, output gate o, cell state c, normaliser n.

    i = exp(W_i x + R_i h + b_i),  f, o = sigmoid(W x + R h + b),  z = tanh(W_z x + R_z h + b_z)
    c' = f * c + i * z,  n' = f * n + i
    h' = o * c' / n'

    The state holds c / n and log n in place of c and n: both stay bounded without the paper's stabiliser m, and every
    real state is valid. This is the form of one head; R is a full matrix.

    Args:
        input_size, hidden_size: as in ``Cell``.
        forget_bias: the initial bias of the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.linear_ih = nn.Linear(input_size, 4 * hidden_size)
        self.linear_hh = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.reset_parameters()
        nn.init.constant_(self.linear_ih.bias[hidden_size : 2 * hidden_size], forget_bias)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,) * 3

    def initial_state(self, like: Tensor) -> State:
        """h = c = n = 0."""
        h, mean, log_n = super().initial_state(like)
        return h, mean, log_n + EMPTY

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear_ih(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        h, mean, log_n = state
        log_i, f, z, o = (projected + self.linear_hh(h)).float().chunk(4, dim=-1)
        kept = F.logsigmoid(f) + log_n
        log_n = torch.logaddexp(kept, log_i)
        mean = torch.exp(kept - log_n) * mean + torch.exp(log_i - log_n) * torch.tanh(z)
        return torch.sigmoid(o) * mean, mean, log_n
