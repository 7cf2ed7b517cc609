"""The gated recurrent unit (Cho et al., 2014), in the form that PyTorch and cuDNN compute."""

import torch
from torch import Tensor

from models.cells.base import FusedCell, State


class GRUCell(FusedCell):
    """Reset gate r, update gate z, candidate n (Cho et al., 2014).

    r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h' = (1 - z) * n + z * h
    """

    num_gates = 3

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        r_x, z_x, n_x = projected.chunk(3, dim=-1)
        r_h, z_h, n_h = self.linear_hh(h).chunk(3, dim=-1)
        r = torch.sigmoid(r_x + r_h)
        z = torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        return ((1 - z) * n + z * h,)

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        start = state[0].unsqueeze(0).to(inputs.dtype)
        outputs, _ = torch.gru(inputs, start, self.weights(), True, 1, 0.0, self.training, False, True)
        return outputs, state
