"""Long short-term memory (Hochreiter & Schmidhuber, 1997) with a forget gate (Gers et al., 2000)."""

import torch
from torch import Tensor, nn

from models.cells.base import FusedCell, State

CLOSED = -1e4  # the input of a gate at which its sigmoid is exactly 0, in bf16 too; exactly 1 at minus this


class LSTMCell(FusedCell):
    """Input gate i, forget gate f, output gate o, candidate g, cell state c.

    i, f, o = sigmoid(W_ih x + b_ih + W_hh h + b_hh)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    h' = o * tanh(c')

    Args:
        input_size, hidden_size: as in ``Cell``.
        forget_bias: the initial sum of the two biases of the forget gate; 1 keeps the cell state at first
            (Jozefowicz et al., 2015), null draws it like all other parameters.
    """

    num_gates = 4

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float | None) -> None:
        super().__init__(input_size, hidden_size)
        if forget_bias is not None:
            _, b_if, _, _ = self.linear_ih.bias.chunk(4)
            nn.init.constant_(b_if, forget_bias)
            _, b_hf, _, _ = self.linear_hh.bias.chunk(4)
            nn.init.zeros_(b_hf)
        gates = torch.tensor([CLOSED, -CLOSED, 0.0, 0.0]).repeat_interleave(hidden_size)[:, None]
        self.padding_gates: Tensor  # [4 H, 1]
        self.register_buffer("padding_gates", gates, persistent=False)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (projected + self.linear_hh(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        """With one more input feature, 1 on padding, which closes the input gate and opens the forget gate there."""
        padding = (~mask).unsqueeze(-1).to(inputs.dtype)
        weight_ih, *others = self.weights()
        outputs, _, c = torch.lstm(
            torch.cat([inputs, padding], dim=-1),
            tuple(entry.unsqueeze(0).to(inputs.dtype) for entry in state),
            [torch.cat([weight_ih, self.padding_gates], dim=1), *others],
            True,
            1,
            0.0,
            self.training,
            False,
            True,
        )
        return outputs, (state[0], c.squeeze(0))

    def kernel_name(self, device: torch.device) -> str:
        on_onednn = device.type == "cpu" and torch.backends.mkldnn.is_available()
        return "oneDNN" if on_onednn else super().kernel_name(device)
