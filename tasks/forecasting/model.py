"""Window -> quantiles of the next values."""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from data.batch import Batch
from data.forecasting import WindowBatch
from models.decoder import Decoder
from models.dropout import LockedDropout
from models.encoder import Encoder
from models.forecast import AllAtOnce, Forecasts, StepByStep
from training.loss import Loss, pinball
from training.model import TaskModel


class Forecaster(TaskModel):
    """Read the inputs of every step, encode, and forecast.

    Args:
        encoder: the recurrent core.
        num_inputs: the number of inputs of a step.
        num_known: the number of features that are known of a step to forecast.
        num_channels, horizon: C and H.
        embedding_size: E, the number of features that the encoder reads.
        num_features: of a step to forecast, before the output layer.
        dropout: the dropout rate of what the encoder reads and of its final state.
        quantiles: the levels of the quantiles.
        decoder: makes the decoder that forecasts step by step; null to forecast all steps at once.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_inputs: int,
        num_known: int,
        num_channels: int,
        horizon: int,
        embedding_size: int,
        num_features: int,
        dropout: float,
        quantiles: list[float],
        decoder: Callable[..., Decoder] | None = None,
    ) -> None:
        super().__init__()
        if not quantiles or list(quantiles) != sorted({level for level in quantiles if 0 < level < 1}):
            raise ValueError(f"quantiles={list(quantiles)}: give levels between 0 and 1, from low to high.")
        self.input, self.dropout = nn.Linear(num_inputs, embedding_size), LockedDropout(dropout)
        self.encoder, self.quantiles = encoder, tuple(quantiles)
        encoder.check_input(embedding_size)
        memory, sizes = encoder.output_size, (num_known, num_channels, len(quantiles))
        if decoder is None:
            self.forecasts: Forecasts = AllAtOnce(memory, *sizes, horizon, num_features, dropout)
        else:
            made = decoder(input_size=num_features, memory_size=memory, output_size=num_features)
            self.forecasts = StepByStep(made, *sizes, num_features, median=self.quantiles.index(0.5))

    def forward(self, batch: WindowBatch) -> Tensor:
        """Scaled quantiles [B, H, C, Q]."""
        encoding = self.encoder(self.dropout(self.input(batch.tokens)), batch.mask)
        return self.forecasts(encoding, batch.mask, batch.future, batch.last)

    def loss(self, batch: Batch) -> Loss:
        return pinball(self(cast(WindowBatch, batch)), batch.targets, batch.target_mask, self.quantiles)

    def predict(self, batch: Batch) -> list[list[list[list[float]]]]:
        """Quantiles in the units of the series: [B][H][C][Q]."""
        windows = cast(WindowBatch, batch)
        return windows.unscale(self(windows)).tolist()
