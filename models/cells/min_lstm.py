"""The minimal LSTM (Feng et al., 2024, "Were RNNs all we needed?"), whose gates do not depend on the state."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.cells.base import LinearCell
from models.cells.min_gru import positive


class MinLSTMCell(LinearCell):
    """Forget gate f and input gate i, normalised to sum to 1, candidate h~; g as in ``MinGRUCell``.

    f, i = sigmoid(W x + b)
    h~ = g(W_h x + b_h)
    h' = f / (f + i) * h + i / (f + i) * h~
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size, 3 * hidden_size)
        self.reset_parameters()

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)

    def coefficients(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        f, i, candidate = projected.float().chunk(3, dim=-1)
        log_ratio = F.logsigmoid(f) - F.logsigmoid(i)  # f / (f + i) is its sigmoid, also where f and i underflow
        return torch.sigmoid(log_ratio), torch.sigmoid(-log_ratio) * positive(candidate)
