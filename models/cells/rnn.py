"""The vanilla recurrent network (Elman, 1990)."""

import torch
from torch import Tensor

from models.cells.base import FusedCell, State


class RNNCell(FusedCell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU in place of tanh.

    Args:
        input_size, hidden_size: as in ``Cell``.
        activation: ``tanh`` or ``relu``.
    """

    num_gates = 1

    def __init__(self, input_size: int, hidden_size: int, activation: str) -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f"The activation of the rnn cell is 'tanh' or 'relu', not '{activation}'.")
        super().__init__(input_size, hidden_size)
        self.activation = activation

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        activate = torch.tanh if self.activation == "tanh" else torch.relu
        return (activate(projected + self.linear_hh(h)),)

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        run = torch.rnn_tanh if self.activation == "tanh" else torch.rnn_relu
        start = state[0].unsqueeze(0).to(inputs.dtype)
        outputs, _ = run(inputs, start, self.weights(), True, 1, 0.0, self.training, False, True)
        return outputs, state
