"""Padded batches of ids: what models receive from ``data``."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from data.vocabulary import PAD


@dataclass(frozen=True)
class Batch:
    """B padded rows of at most T tokens."""

    rows: np.ndarray  # [B] positions in the split
    tokens: Tensor  # [B, T] source token ids, PAD past the end
    mask: Tensor  # [B, T] True on tokens
    targets: Tensor  # [B] label ids, or [B, S] tag or token ids
    target_mask: Tensor  # the shape of targets, True where a prediction is scored

    @property
    def num_tokens(self) -> int:
        """The number of tokens, without padding."""
        return int(self.mask.sum())

    @property
    def num_positions(self) -> int:
        """The number of tokens, with padding."""
        return self.mask.numel()

    def to(self, device: torch.device) -> Self:
        moved = {
            field.name: value.to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)  # type: ignore[arg-type]  # ``rows`` stays on the CPU


class PairBatch(Batch):
    """A batch of sentence pairs: target tokens count like source tokens."""

    @property
    def num_tokens(self) -> int:
        return int(self.mask.sum()) + int(self.target_mask.sum())

    @property
    def num_positions(self) -> int:
        return self.mask.numel() + self.target_mask.numel()


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one flat array: row i is ``values[offsets[i]:offsets[i + 1]]``."""

    values: np.ndarray  # [sum of lengths] int32
    offsets: np.ndarray  # [rows + 1] int64

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> Self:
        """The rows in one array; an iterator's rows are never in memory together."""
        values, lengths = array("i"), array("q")
        for row in rows:
            values.extend(row)
            lengths.append(len(row))
        offsets = np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))])
        return cls(np.array(values, dtype=np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def pad(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """The chosen rows, padded: [B] positions -> ([B, T] int64 ids, [B, T] mask), T at least 1."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        columns = np.arange(max(1, lengths.max(initial=0)))
        mask = columns < lengths[:, None]
        ids = np.full(mask.shape, PAD, dtype=np.int64)
        ids[mask] = self.values[(self.offsets[rows][:, None] + columns)[mask]]
        return torch.from_numpy(ids), torch.from_numpy(mask)
