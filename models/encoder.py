"""The shared core: stacked recurrent layers in one or both directions."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models.cells.base import Cell
from models.dropout import LockedDropout
from models.padding import mean_over_time
from models.zoneout import with_zoneout


class Encoding(NamedTuple):
    """The output of an encoder for B padded sentences."""

    outputs: Tensor  # [B, T, D], zero on padding
    final_state: Tensor  # [B, D], the top layer's hidden state after its last token, directions concatenated


class Encoder(nn.Module):
    """Embedded tokens [B, T, input_size] and their mask [B, T] -> ``Encoding`` with D = ``output_size``.

    Args:
        cell: makes a cell from ``input_size`` and ``hidden_size``.
        input_size: the number of features of an embedded token.
        hidden_size: H of every cell.
        num_layers: the number of stacked layers.
        bidirectional: whether a second cell per layer runs in the other direction; D is then 2 H.
        dropout: the dropout rate between layers.
        reverse: whether the first cell runs from right to left (the reversed source of Sutskever et al., 2014).
        residual: whether layers from the second on add their input to their output (He et al., 2016).
        layer_norm: whether the input of the layers from the second on is normalised (Ba et al., 2016).
        zoneout: the rate of zoneout of every cell (Krueger et al., 2017).
        skip: whether the outputs have the embedded tokens beside them, and the final state their mean (skip connections
            from the inputs, Graves, 2013), so that D is larger by ``input_size``; null for false.
    """

    def __init__(
        self,
        cell: Callable[..., Cell],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        reverse: bool = False,
        residual: bool = False,
        layer_norm: bool = False,
        zoneout: float = 0.0,
        skip: bool | None = None,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"An encoder has at least one layer, not {num_layers}.")
        self.directions = (reverse, not reverse)[: 2 if bidirectional else 1]  # true: from right to left
        self.input_size, self.hidden_size = input_size, hidden_size
        layer_size = len(self.directions) * hidden_size
        self.output_size = layer_size + (input_size if skip else 0)
        sizes = [input_size] + [layer_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                with_zoneout(cell(input_size=size, hidden_size=hidden_size), zoneout) for _ in self.directions
            )
            for size in sizes
        )
        self.norms = nn.ModuleList(nn.LayerNorm(layer_size) for _ in sizes[1:]) if layer_norm else None
        self.dropout, self.residual, self.skip = LockedDropout(dropout), residual, skip

    def check_input(self, features: int) -> None:
        """Raise ValueError for inputs of another number of features: not every kernel checks it."""
        if features != self.input_size:
            raise ValueError(f"An encoder with input_size={self.input_size} cannot read inputs of {features} features.")

    def forward(self, inputs: Tensor, mask: Tensor) -> Encoding:
        self.check_input(inputs.shape[-1])
        encoding = self.run_layer(0, inputs, mask)
        for depth in range(1, len(self.layers)):
            below = encoding
            outputs = self.norms[depth - 1](below.outputs) if self.norms else below.outputs
            encoding = self.run_layer(depth, self.dropout(outputs), mask)
            if self.residual:
                encoding = Encoding(*(new + old for new, old in zip(encoding, below, strict=True)))
        return beside(encoding, inputs, mask) if self.skip else encoding

    def run_layer(self, depth: int, inputs: Tensor, mask: Tensor) -> Encoding:
        """One layer, without what is around it: [B, T, ...] -> ``Encoding``."""
        cells = list(cast(Iterable[Cell], self.layers[depth]))
        return Encoding(*cells[0].scan_layer(cells, inputs, mask, self.directions))


def beside(encoding: Encoding, inputs: Tensor, mask: Tensor) -> Encoding:
    """The inputs [B, T, E] beside the outputs, and their mean beside the final state: D + E features."""
    inputs = inputs * mask.unsqueeze(-1)
    pairs = zip(encoding, (inputs, mean_over_time(inputs, mask)), strict=True)
    return Encoding(*(torch.cat([encoded, given.to(encoded.dtype)], dim=-1) for encoded, given in pairs))
