"""Ways to read a padded memory with queries: which of its positions matter now."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What attention reads, for B padded sentences."""

    values: Tensor  # [B, T, D]
    keys: Tensor  # [B, T, K], what queries are compared with: computed once a sentence
    mask: Tensor  # [B, T]

    def select(self, rows: Tensor) -> "Memory":
        """Some of the sentences: [R] positions -> R sentences."""
        return Memory(*(part.index_select(0, rows) for part in self))


class Attention(nn.Module, ABC):
    """softmax(score(query, key)) over the tokens of a sentence, and the mean of its values under these weights.

    Args:
        query_size: Q.
        memory_size: D.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_size, self.memory_size = query_size, memory_size

    @abstractmethod
    def keys(self, values: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, K]."""

    @abstractmethod
    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """([B, S, Q], [B, T, K]) -> [B, S, T]."""

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        return Memory(values, self.keys(values), mask)

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """[B, S, Q] -> (contexts [B, S, D], weights [B, S, T]); a sentence without a token gives zeros."""
        scores = self.scores(queries, memory.keys).float()
        scores = scores.masked_fill(~memory.mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        return torch.bmm(weights.to(memory.values.dtype), memory.values), weights


class DotAttention(Attention):
    """score = q . v (Luong et al., 2015, "dot"): nothing to learn, Q = D."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        if query_size != memory_size:
            raise ValueError(
                f"attention=dot compares states of one size, but the decoder's have {query_size} features and the "
                f"encoder's outputs {memory_size}: make them equal, or choose attention=general."
            )
        super().__init__(query_size, memory_size)

    def keys(self, values: Tensor) -> Tensor:
        return values

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(queries.to(keys.dtype), keys.transpose(1, 2))


class GeneralAttention(Attention):
    """score = q . W v (Luong et al., 2015, "general")."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.to_keys = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.to_keys(values)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(queries.to(keys.dtype), keys.transpose(1, 2))


class AdditiveAttention(Attention):
    """score = u . tanh(W v + U q) (Bahdanau et al., 2015).

    Args:
        query_size, memory_size: as in ``Attention``.
        hidden_size: features of the sum.
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.to_keys = nn.Linear(memory_size, hidden_size)
        self.from_queries = nn.Linear(query_size, hidden_size, bias=False)
        self.weigh = nn.Linear(hidden_size, 1, bias=False)

    def keys(self, values: Tensor) -> Tensor:
        return self.to_keys(values)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return self.weigh(torch.tanh(self.from_queries(queries).unsqueeze(2) + keys.unsqueeze(1))).squeeze(-1)
