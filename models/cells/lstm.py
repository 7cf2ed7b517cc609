"""Long short-term memory (Hochreiter & Schmidhuber, 1997) with a forget gate (Gers et al., 2000)."""

import torch
from torch import Tensor, nn

from models.cells.base import GatedCell, State

SHUT = -1e4  # a gate's input at which its sigmoid is exactly 0, in bf16 too; open at minus this


class LSTMCell(GatedCell):
    """i, f, o = sigmoid(W x + b + U h + c);  g = tanh(W_g x + b_g + U_g h + c_g);  m' = f m + i g;  h' = o tanh(m').

    Args:
        input_size, hidden_size: as in ``Cell``.
        forget_bias: where b_f + c_f starts; 1 keeps young memories (Jozefowicz et al., 2015), null draws it like
            all other weights.
    """

    num_gates = 4
    num_states = 2

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float | None) -> None:
        super().__init__(input_size, hidden_size)
        if forget_bias is not None:
            _, forget, _, _ = self.input_to_gates.bias.chunk(4)
            nn.init.constant_(forget, forget_bias)
            _, forget, _, _ = self.hidden_to_gates.bias.chunk(4)
            nn.init.zeros_(forget)
        hold = torch.tensor([SHUT, -SHUT, 0.0, 0.0]).repeat_interleave(hidden_size)[:, None]
        self.hold: Tensor
        self.register_buffer("hold", hold, persistent=False)

    def step(self, projected: Tensor, state: State) -> State:
        hidden, memory = state
        write, forget, candidate, expose = (projected + self.hidden_to_gates(hidden)).chunk(4, dim=-1)
        memory = torch.sigmoid(forget) * memory + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(expose) * torch.tanh(memory), memory

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        """With one input more, which is 1 on padding and there shuts the input gate and opens the forget gate."""
        padding = (~mask).unsqueeze(-1).to(inputs.dtype)
        weight, *others = self.weights()
        start = tuple(entry.unsqueeze(0).to(inputs.dtype) for entry in state)
        outputs, _, memory = torch.lstm(
            torch.cat([inputs, padding], dim=-1),
            start,
            [torch.cat([weight, self.hold], dim=1), *others],
            True,
            1,
            0.0,
            self.training,
            False,
            True,
        )
        return outputs, (state[0], memory.squeeze(0))

    def kernel_name(self, device: torch.device) -> str:
        on_onednn = device.type == "cpu" and torch.backends.mkldnn.is_available()
        return "oneDNN" if on_onednn else super().kernel_name(device)
