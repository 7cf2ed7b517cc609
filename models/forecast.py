"""Forecasts of H steps from the encoding of a window: all at once, or step by step with a decoder.

Shape letters beside those of ``models``: H steps to forecast, C channels, K known features of a step, Q quantiles.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.decoder import Decoder
from models.dropout import Dropout
from models.encoder import Encoding


class Forecasts(nn.Module, ABC):
    """``Encoding`` and what is known of the steps to forecast -> Q quantiles of every value."""

    @abstractmethod
    def forward(self, encoding: Encoding, mask: Tensor, known: Tensor, last: Tensor) -> Tensor:
        """Encoding of [B, T], its mask, known [B, H, K], the last value [B, C] -> [B, H, C, Q]."""


class AllAtOnce(Forecasts):
    """Features of a step h from the final state s and what is known of the step: tanh(W_h s + V k_h + b_h).

    What is known, and the last value, also reach the output without a detour: forecasts begin as linear in them.

    Args:
        memory_size: D of the encoder.
        num_known, num_channels, num_quantiles, horizon: K, C, Q and H.
        num_features: of every step, before the output layer.
        dropout: the dropout rate of the final state.
    """

    def __init__(
        self,
        memory_size: int,
        num_known: int,
        num_channels: int,
        num_quantiles: int,
        horizon: int,
        num_features: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.state = nn.Linear(memory_size, horizon * num_features)
        self.known = nn.Linear(num_known, num_features, bias=False)
        self.output = nn.Linear(num_features, num_channels * num_quantiles)
        self.linear = nn.Linear(num_known + num_channels, num_channels * num_quantiles, bias=False)
        self.dropout = Dropout(dropout)
        self.steps, self.values = (horizon, num_features), (num_channels, num_quantiles)

    def forward(self, encoding: Encoding, mask: Tensor, known: Tensor, last: Tensor) -> Tensor:
        by_step = self.state(self.dropout(encoding.final_state)).unflatten(-1, self.steps)
        direct = torch.cat([known, last.unsqueeze(1).expand(-1, known.shape[1], -1)], dim=-1)
        outputs = self.output(torch.tanh(by_step + self.known(known))) + self.linear(direct)
        return outputs.unflatten(-1, self.values)


class StepByStep(Forecasts):
    """A decoder of the encoder's cells that reads its own last forecast, in training too.

    Args:
        decoder: made for inputs and outputs of ``num_features``.
        num_known, num_channels, num_quantiles: K, C and Q.
        num_features: of the input of a step.
        median: the number of the quantile that is read.
    """

    def __init__(
        self,
        decoder: Decoder,
        num_known: int,
        num_channels: int,
        num_quantiles: int,
        num_features: int,
        median: int,
    ) -> None:
        super().__init__()
        self.decoder, self.median = decoder, median
        self.input = nn.Linear(num_channels + num_known, num_features)
        self.output = nn.Linear(num_features, num_channels * num_quantiles)
        self.values = (num_channels, num_quantiles)

    def forward(self, encoding: Encoding, mask: Tensor, known: Tensor, last: Tensor) -> Tensor:
        memory, state = self.decoder.start(encoding, mask)
        channels, found = self.values[0], []
        for step in known.unbind(dim=1):
            inputs = self.input(torch.cat([last, step], dim=-1))
            features, state = self.decoder.step(inputs, memory, state)
            quantiles = self.output(features).unflatten(-1, self.values)
            found.append(quantiles)
            last = quantiles[..., self.median] + step[:, channels : 2 * channels]  # forecasts count from a reference
        return torch.stack(found, dim=1)
