"""The selective state space model S6 (Gu & Dao, 2023, "Mamba"), in a minimal form without convolution."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import LinearCell, State


class S6Cell(LinearCell):
    """H channels u, each with a diagonal recurrence of N states c and steps of a size Delta that the input selects.

    u = silu(W_u x),  z = W_z x
    Delta = softplus(W_Delta u + b_Delta),  B = W_B u,  C = W_C u
    c' = exp(Delta A) * c + Delta B u,  A = -exp(A_log)
    h' = (C c' + D u) * silu(z)

    Mamba's block also has a convolution before the activation of u, and a projection of its output.

    Args:
        input_size, hidden_size: as in ``Cell``.
        state_size: N.
        min_delta, max_delta: Delta starts between them, uniformly in its logarithm.
    """

    def __init__(self, input_size: int, hidden_size: int, state_size: int, min_delta: float, max_delta: float) -> None:
        super().__init__(input_size, hidden_size)
        self.state_size, self.min_delta, self.max_delta = state_size, min_delta, max_delta
        rank = math.ceil(hidden_size / 16)
        self.linear = nn.Linear(input_size, 2 * hidden_size, bias=False)
        self.select = nn.Linear(hidden_size, rank + 2 * state_size, bias=False)
        self.delta = nn.Linear(rank, hidden_size)
        self.a_log = nn.Parameter(torch.empty(hidden_size, state_size))
        self.d = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """The paper's: A = -1, ..., -N in every channel (S4D-real), D = 1, Delta between its bounds."""
        super().reset_parameters()
        self.a_log.copy_(torch.arange(1, self.state_size + 1).float().log().expand_as(self.a_log))
        nn.init.ones_(self.d)
        low, high = math.log(self.min_delta), math.log(self.max_delta)
        delta = torch.exp(torch.rand(self.hidden_size) * (high - low) + low)
        self.delta.bias.copy_(torch.log(torch.expm1(delta)))  # the inverse of softplus

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size * self.state_size

    def project(self, inputs: Tensor) -> Tensor:
        """u, z, Delta, B and C, of H, H, H, N and N features."""
        u, z = self.linear(inputs).chunk(2, dim=-1)
        u = F.silu(u)
        delta, b_and_c = self.select(u).split([self.delta.in_features, 2 * self.state_size], dim=-1)
        return torch.cat([u, z, F.softplus(self.delta(delta)), b_and_c], dim=-1)

    def split(self, projected: Tensor) -> tuple[Tensor, ...]:
        return projected.float().split([self.hidden_size] * 3 + [self.state_size] * 2, dim=-1)

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        u, _, delta, b, _ = self.split(projected)
        decay = torch.exp(-delta.unsqueeze(-1) * torch.exp(self.a_log))
        return decay.flatten(-2), ((delta * u).unsqueeze(-1) * b.unsqueeze(-2)).flatten(-2)

    def carry(self, state: State) -> Tensor:
        return state[1]

    def states(self, projected: Tensor, carry: Tensor) -> State:
        u, z, _, _, c = self.split(projected)
        y = (carry.unflatten(-1, (self.hidden_size, self.state_size)) @ c.unsqueeze(-1)).squeeze(-1)
        return (y + self.d * u) * F.silu(z), carry
