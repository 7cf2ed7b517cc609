"""The gated recurrent unit (Cho et al., 2014), in the form that PyTorch and cuDNN compute."""

import torch
from torch import Tensor

from models.cells.base import GatedCell, State


class GRUCell(GatedCell):
    """r, z = sigmoid(W x + b + U h + c);  n = tanh(W_n x + b_n + r * (U_n h + c_n));  h' = (1 - z) n + z h."""

    num_gates = 3

    def step(self, projected: Tensor, state: State) -> State:
        (hidden,) = state
        reset_x, update_x, new_x = projected.chunk(3, dim=-1)
        reset_h, update_h, new_h = self.hidden_to_gates(hidden).chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        candidate = torch.tanh(new_x + reset * new_h)
        return ((1 - update) * candidate + update * hidden,)

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        start = state[0].unsqueeze(0).to(inputs.dtype)
        outputs, _ = torch.gru(inputs, start, self.weights(), True, 1, 0.0, self.training, False, True)
        return outputs, state
