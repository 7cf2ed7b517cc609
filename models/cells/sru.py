"""The simple recurrent unit (Lei et al., 2018, "Simple recurrent units for highly parallelizable recurrence")."""

import torch
from torch import Tensor, nn

from models.cells.base import Cell, State


class SRUCell(Cell):
    """Forget gate f, reset gate r, cell state c; no matrix is multiplied with the state.

    f = sigmoid(W_f x + v_f * c + b_f)
    r = sigmoid(W_r x + v_r * c + b_r)
    c' = f * c + (1 - f) * (W x)
    h' = r * c' + (1 - r) * x * alpha

    x in the last line is a projection of the input to H features. alpha = sqrt(3) is the paper's scaling of
    the highway connection for b_r = 0. The gates depend on c, so that the recurrence is a loop.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, 3 * hidden_size)
        self.highway = nn.Linear(input_size, hidden_size, bias=False)
        self.v_f = nn.Parameter(torch.empty(hidden_size))
        self.v_r = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """W from U(-sqrt(3 / d), sqrt(3 / d)) for d inputs, biases zero."""
        super().reset_parameters()
        bound = (3 / self.input_size) ** 0.5
        nn.init.uniform_(self.linear.weight, -bound, bound)
        nn.init.zeros_(self.linear.bias)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size

    def project(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.linear(inputs), self.highway(inputs) * 3**0.5], dim=-1)

    def step(self, projected: Tensor, state: State) -> State:
        _, c = state
        f, r, w, x = projected.chunk(4, dim=-1)
        f = torch.sigmoid(f + self.v_f * c)
        r = torch.sigmoid(r + self.v_r * c)
        c = f * c + (1 - f) * w
        return r * c + (1 - r) * x, c
