"""Attention over the encoder's outputs, and the two contexts without it: none, and the source vector."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.encoder import Encoding


class Memory(NamedTuple):
    """What attention reads, for B padded sentences."""

    values: Tensor  # [B, T, D]
    keys: Tensor  # [B, T, K], compared with queries; computed once per sentence
    mask: Tensor  # [B, T]

    def select(self, rows: Tensor) -> "Memory":
        """The memory of some of the sentences: [R] indices -> R sentences."""
        return Memory(*(part.index_select(0, rows) for part in self))


class Context(nn.Module, ABC):
    """What a decoder knows of the source at every step, other than by its initial state.

    Args:
        query_size: Q, the number of features of the decoder's hidden state.
        memory_size: D of the encoder.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_size, self.memory_size = query_size, memory_size

    @property
    def context_size(self) -> int:
        """C, the number of features of a context."""
        return self.memory_size

    @abstractmethod
    def memory(self, encoding: Encoding, mask: Tensor) -> Memory:
        """Computed once per sentence, from the encoder's outputs."""

    @abstractmethod
    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """[B, S, Q] -> (contexts [B, S, C], weights [B, S, T])."""


class NoContext(Context):
    """No context: the decoder knows the source by its initial state only (Sutskever et al., 2014). T = C = 0."""

    @property
    def context_size(self) -> int:
        return 0

    def memory(self, encoding: Encoding, mask: Tensor) -> Memory:
        nothing = encoding.outputs[:, :0, :0]
        return Memory(nothing, nothing, mask[:, :0])

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        nothing = queries[:, :, :0]
        return nothing, nothing


class SourceVector(Context):
    """The encoder's final state, the same at every step (Cho et al., 2014). It has no weights: T = 0."""

    def memory(self, encoding: Encoding, mask: Tensor) -> Memory:
        return Memory(encoding.final_state.unsqueeze(1), encoding.outputs[:, :0], mask[:, :0])

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        return memory.values.expand(-1, queries.shape[1], -1), queries[:, :, :0]


class Attention(Context):
    """softmax(score(query, key)) over the tokens of a sentence, and the mean of its values under these weights."""

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, K]."""

    @abstractmethod
    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """([B, S, Q], [B, T, K]) -> [B, S, T]."""

    def memory(self, encoding: Encoding, mask: Tensor) -> Memory:
        return Memory(encoding.outputs, self.keys(encoding.outputs), mask)

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """[B, S, Q] -> (contexts [B, S, D], weights [B, S, T]); contexts are zero for a sentence without tokens."""
        scores = self.scores(queries, memory.keys).float()
        scores = scores.masked_fill(~memory.mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        return torch.bmm(weights.to(memory.values.dtype), memory.values), weights


class DotAttention(Attention):
    """score = q . v ("dot" of Luong et al., 2015): no parameters, Q = D."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        if query_size != memory_size:
            raise ValueError(
                f"attention=dot needs states of one size, but the decoder's have {query_size} features and the "
                f"encoder's outputs {memory_size}: make them equal, or choose attention=general."
            )
        super().__init__(query_size, memory_size)

    def keys(self, values: Tensor) -> Tensor:
        return values

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(queries.to(keys.dtype), keys.transpose(1, 2))


class GeneralAttention(Attention):
    """score = q . W v ("general" of Luong et al., 2015)."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.key_layer = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.key_layer(values)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(queries.to(keys.dtype), keys.transpose(1, 2))


class AdditiveAttention(Attention):
    """score = u . tanh(W v + b + U q) (Bahdanau et al., 2015).

    Args:
        query_size, memory_size: as in ``Context``.
        hidden_size: the number of features of the sum.
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.key_layer = nn.Linear(memory_size, hidden_size)
        self.query_layer = nn.Linear(query_size, hidden_size, bias=False)
        self.energy_layer = nn.Linear(hidden_size, 1, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.key_layer(values)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return self.energy_layer(torch.tanh(self.query_layer(queries).unsqueeze(2) + keys.unsqueeze(1))).squeeze(-1)
