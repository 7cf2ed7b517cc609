"""The minimal GRU (Feng et al., 2024, "Were RNNs all we needed?"), whose gates do not depend on the state."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import LinearCell


class MinGRUCell(LinearCell):
    """Update gate z, candidate h~, with the positive activation g of the paper's log-space form.

    z = sigmoid(W_z x + b_z)
    h~ = g(W_h x + b_h),  g(y) = y + 0.5 for y >= 0, else sigmoid(y)
    h' = (1 - z) * h + z * h~

    The paper scans in log space; ``linear_scan`` needs no logarithms to be stable.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, 2 * hidden_size)
        self.reset_parameters()

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        z, candidate = projected.float().chunk(2, dim=-1)
        return torch.sigmoid(-z), torch.sigmoid(z) * positive(candidate)


def positive(y: Tensor) -> Tensor:
    """g(y) = y + 0.5 for y >= 0, else sigmoid(y): continuous and positive."""
    return torch.where(y >= 0, F.relu(y) + 0.5, torch.sigmoid(y))
