"""The quasi-recurrent network (Bradbury et al., 2017), with a convolution of two tokens and fo-pooling."""

import torch
from torch import Tensor, nn

from models.cells.base import LinearCell, State


class QRNNCell(LinearCell):
    """Candidate z, forget gate f, output gate o, from the input x and the input x- of the step before.

    z = tanh(W_z x + V_z x- + b_z),  f, o = sigmoid(W x + V x- + b)
    c' = f * c + (1 - f) * z
    h' = o * c'

    The state is h, c and V x-, of 3 H features.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, 3 * hidden_size)
        self.previous = nn.Linear(input_size, 3 * hidden_size, bias=False)
        self.reset_parameters()

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size, 3 * self.hidden_size

    def project(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.linear(inputs), self.previous(inputs)], dim=-1)

    def with_previous(self, projected: Tensor, state: State) -> Tensor:
        current, following = projected.chunk(2, dim=-1)
        previous = torch.cat([state[2].unsqueeze(1).to(following.dtype), following[:, :-1]], dim=1)
        return torch.cat([current + previous, following], dim=-1)

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        z, f, *_ = projected.float().chunk(6, dim=-1)
        return torch.sigmoid(f), torch.sigmoid(-f) * torch.tanh(z)

    def carry(self, state: State) -> Tensor:
        return state[1]

    def states(self, projected: Tensor, carry: Tensor) -> State:
        gates, following = projected.chunk(2, dim=-1)
        return torch.sigmoid(gates.chunk(3, dim=-1)[2]) * carry, carry, following
