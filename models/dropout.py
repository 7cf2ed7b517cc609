"""Dropout, with masks drawn by ``rand``, which is several times faster on a CPU than ``bernoulli_``."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero random features in training (Srivastava et al., 2014): [..., F] -> [..., F].

    Args:
        rate: the dropout rate. Kept features are scaled by 1 / (1 - rate).
    """

    scaled = True

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"A dropout rate is at least 0 and less than 1, not {rate}.")
        self.rate = rate

    def mask_shape(self, inputs: Tensor) -> tuple[int, ...]:
        return tuple(inputs.shape)

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return inputs
        kept = (torch.rand(self.mask_shape(inputs), device=inputs.device) >= self.rate).to(inputs.dtype)
        return inputs * (kept.div_(1 - self.rate) if self.scaled else kept)


class LockedDropout(Dropout):
    """Zero the same features at every step of a sentence (Gal & Ghahramani, 2016): [B, T, F] -> [B, T, F]."""

    def mask_shape(self, inputs: Tensor) -> tuple[int, ...]:
        return inputs.shape[0], 1, inputs.shape[2]


class TokenDropout(Dropout):
    """Zero all features of random tokens (word dropout, Iyyer et al., 2015), without scaling: [B, T, F] -> [B, T, F].

    Args:
        rate: the probability of zeroing a token in training.
    """

    scaled = False

    def mask_shape(self, inputs: Tensor) -> tuple[int, ...]:
        return inputs.shape[0], inputs.shape[1], 1
