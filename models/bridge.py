"""Bridges from the encoding of a source to the initial state of a decoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.encoder import Encoding
from models.padding import mean_over_time


class Bridge(nn.Module, ABC):
    """``Encoding`` and mask [B, T] -> the initial state: one [B, size] for every size in ``state_sizes``.

    Args:
        memory_size: D of the encoder.
        state_sizes: the number of features of every entry of the state, of all layers.
    """

    def __init__(self, memory_size: int, state_sizes: Sequence[int]) -> None:
        super().__init__()
        self.state_sizes = list(state_sizes)

    @abstractmethod
    def forward(self, encoding: Encoding, mask: Tensor) -> tuple[Tensor, ...]: ...


class FinalBridge(Bridge):
    """tanh(W e + b) of the encoder's final state e (Bahdanau et al., 2015)."""

    def __init__(self, memory_size: int, state_sizes: Sequence[int]) -> None:
        super().__init__(memory_size, state_sizes)
        self.linear = nn.Linear(memory_size, sum(state_sizes))

    def forward(self, encoding: Encoding, mask: Tensor) -> tuple[Tensor, ...]:
        return torch.tanh(self.linear(self.summary(encoding, mask))).split(self.state_sizes, dim=-1)

    def summary(self, encoding: Encoding, mask: Tensor) -> Tensor:
        """One vector per sentence: [B, D]."""
        return encoding.final_state


class MeanBridge(FinalBridge):
    """tanh(W e + b) of the mean e of the encoder's outputs (Sennrich et al., 2017)."""

    def summary(self, encoding: Encoding, mask: Tensor) -> Tensor:
        return mean_over_time(encoding.outputs, mask)


class ZeroBridge(Bridge):
    """Zeros: the decoder sees the source through attention only, and with ``decoder=plain`` not at all."""

    def forward(self, encoding: Encoding, mask: Tensor) -> tuple[Tensor, ...]:
        batch = encoding.final_state.shape[0]
        return tuple(encoding.final_state.new_zeros(batch, size) for size in self.state_sizes)
