"""Pooling of a sentence into one vector: ``Encoding`` and mask [B, T] -> [B, ``output_size``]."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.encoder import Encoding
from models.padding import mean_over_time


class Pooling(nn.Module, ABC):
    """One vector per sentence.

    Args:
        input_size: D of the encoder.
    """

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size = input_size

    @abstractmethod
    def forward(self, encoding: Encoding, mask: Tensor) -> Tensor: ...


class FinalPooling(Pooling):
    """The hidden state after the last token of each direction."""

    def forward(self, encoding: Encoding, mask: Tensor) -> Tensor:
        return encoding.final_state


class MeanPooling(Pooling):
    """The mean over the tokens."""

    def forward(self, encoding: Encoding, mask: Tensor) -> Tensor:
        return mean_over_time(encoding.outputs, mask)


class MaxPooling(Pooling):
    """The maximum of every feature over the tokens (Collobert & Weston, 2008)."""

    def forward(self, encoding: Encoding, mask: Tensor) -> Tensor:
        lowest = torch.finfo(encoding.outputs.dtype).min
        return encoding.outputs.masked_fill(~mask.unsqueeze(-1), lowest).amax(dim=1)


class MaxMeanPooling(Pooling):
    """Maximum and mean, concatenated."""

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.output_size = 2 * input_size
        self.parts = nn.ModuleList([MaxPooling(input_size), MeanPooling(input_size)])

    def forward(self, encoding: Encoding, mask: Tensor) -> Tensor:
        return torch.cat([part(encoding, mask) for part in self.parts], dim=-1)


class AttentionPooling(Pooling):
    """The mean weighted by softmax(v . tanh(W h)) (Yang et al., 2016)."""

    def __init__(self, input_size: int) -> None:
        super().__init__(input_size)
        self.hidden = nn.Linear(input_size, input_size)
        self.score = nn.Linear(input_size, 1, bias=False)

    def forward(self, encoding: Encoding, mask: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(encoding.outputs))).squeeze(-1)
        weights = scores.float().masked_fill(~mask, -torch.inf).softmax(dim=1)
        return torch.einsum("bt,btd->bd", weights.to(encoding.outputs.dtype), encoding.outputs)
