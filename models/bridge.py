"""Ways from what an encoder has read to the state that a decoder starts with."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.encoder import Encoding


class Bridge(nn.Module, ABC):
    """The first state of ``num_entries`` entries, each [B, H].

    Args:
        memory_size: D of the encoder.
        hidden_size: H.
        num_entries: of the state, all layers together.
    """

    def __init__(self, memory_size: int, hidden_size: int, num_entries: int) -> None:
        super().__init__()
        self.hidden_size, self.num_entries = hidden_size, num_entries

    @abstractmethod
    def forward(self, encoding: Encoding, mask: Tensor) -> tuple[Tensor, ...]: ...


class FinalBridge(Bridge):
    """tanh(W e + b) of the encoder's final state e (Bahdanau et al., 2015)."""

    def __init__(self, memory_size: int, hidden_size: int, num_entries: int) -> None:
        super().__init__(memory_size, hidden_size, num_entries)
        self.linear = nn.Linear(memory_size, num_entries * hidden_size)

    def forward(self, encoding: Encoding, mask: Tensor) -> tuple[Tensor, ...]:
        return torch.tanh(self.linear(self.read(encoding, mask))).chunk(self.num_entries, dim=-1)

    def read(self, encoding: Encoding, mask: Tensor) -> Tensor:
        return encoding.final_state


class MeanBridge(FinalBridge):
    """The same of the mean of the encoder's outputs (Sennrich et al., 2017)."""

    def read(self, encoding: Encoding, mask: Tensor) -> Tensor:
        return encoding.outputs.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


class ZeroBridge(Bridge):
    """Zeros: what is read comes through attention alone, and under ``decoder=plain`` not at all."""

    def forward(self, encoding: Encoding, mask: Tensor) -> tuple[Tensor, ...]:
        zeros = encoding.final_state.new_zeros(encoding.final_state.shape[0], self.hidden_size)
        return (zeros,) * self.num_entries
