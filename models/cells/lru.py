"""The linear recurrent unit (Orvieto et al., 2023, "Resurrecting recurrent neural networks for long sequences")."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import LinearCell, State


class LRUCell(LinearCell):
    """A complex diagonal recurrence x of H features, and the gated linear unit of the paper's block behind it.

    x' = lambda * x + gamma * (B u),  lambda = exp(-exp(nu) + i exp(theta)),  gamma = sqrt(1 - |lambda|^2) at the start
    y = Re(C x') + D u
    h' = W_1 a * sigmoid(W_2 a + b),  a = gelu(y)

    u is the input. The paper's block also has a residual connection and a norm, which are options of the encoder.

    Args:
        input_size, hidden_size: as in ``Cell``.
        min_radius, max_radius: lambda starts uniformly in this ring of the unit disc.
        max_phase: the largest initial argument of lambda.
    """

    def __init__(
        self, input_size: int, hidden_size: int, min_radius: float, max_radius: float, max_phase: float
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.min_radius, self.max_radius, self.max_phase = min_radius, max_radius, max_phase
        self.nu, self.theta, self.log_gamma = (nn.Parameter(torch.empty(hidden_size)) for _ in range(3))
        self.linear = nn.Linear(input_size, 3 * hidden_size, bias=False)  # real and imaginary part of B, and D
        self.c = nn.Linear(2 * hidden_size, hidden_size, bias=False)  # the real part of C, minus its imaginary part
        self.glu = nn.Linear(hidden_size, 2 * hidden_size)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """The paper's: lambda in a ring, B and C of unit gain."""
        super().reset_parameters()
        smallest, largest = self.min_radius**2, self.max_radius**2
        radius = (torch.rand(self.hidden_size) * (largest - smallest) + smallest).clamp(1e-4, 1 - 1e-4).sqrt()
        self.nu.copy_(torch.log(-torch.log(radius)))
        self.theta.copy_(torch.log(torch.rand(self.hidden_size).clamp(min=1e-4) * self.max_phase))
        self.log_gamma.copy_(torch.log1p(-(radius**2)) / 2)
        nn.init.normal_(self.linear.weight, std=1 / math.sqrt(2 * self.input_size))
        nn.init.normal_(self.c.weight, std=1 / math.sqrt(self.hidden_size))

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, 2 * self.hidden_size

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary, _ = projected.float().chunk(3, dim=-1)
        rotation = torch.polar(torch.exp(-torch.exp(self.nu)), torch.exp(self.theta))
        return rotation.expand(real.shape), torch.exp(self.log_gamma) * torch.complex(real, imaginary)

    def step(self, projected: Tensor, state: State) -> State:
        """In real numbers, since graphs for other programs have no complex ones."""
        real, imaginary, _ = projected.float().chunk(3, dim=-1)
        x, y = state[1].float().chunk(2, dim=-1)
        radius, phase, gamma = torch.exp(-torch.exp(self.nu)), torch.exp(self.theta), torch.exp(self.log_gamma)
        a, b = radius * torch.cos(phase), radius * torch.sin(phase)
        parts = torch.cat([a * x - b * y + gamma * real, b * x + a * y + gamma * imaginary], dim=-1)
        return self.outputs(projected, parts)

    def carry(self, state: State) -> Tensor:
        return torch.complex(*state[1].float().chunk(2, dim=-1))

    def states(self, projected: Tensor, carry: Tensor) -> State:
        return self.outputs(projected, torch.cat([carry.real, carry.imag], dim=-1))

    def outputs(self, projected: Tensor, parts: Tensor) -> State:
        """h' and x', from the real and the imaginary part of x'."""
        y = self.c(parts) + projected.chunk(3, dim=-1)[2]
        return F.glu(self.glu(F.gelu(y)), dim=-1), parts
