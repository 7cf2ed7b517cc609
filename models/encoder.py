"""The shared core: stacked recurrent layers in one or both directions."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models.cells.base import Cell
from models.dropout import LockedDropout


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
        bidirectional: whether a second cell per layer runs from right to left; D is then 2 H.
        dropout: the dropout rate between layers.
    """

    def __init__(
        self,
        cell: Callable[..., Cell],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"An encoder has at least one layer, not {num_layers}.")
        directions = 2 if bidirectional else 1
        self.output_size = directions * hidden_size
        sizes = [input_size] + [self.output_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(cell(input_size=size, hidden_size=hidden_size) for _ in range(directions)) for size in sizes
        )
        self.dropout = LockedDropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Encoding:
        outputs = inputs
        for depth, layer in enumerate(self.layers):
            outputs = self.dropout(outputs) if depth else outputs
            cells = cast(Iterable[Cell], layer)
            runs = [cell.scan(outputs, mask, reverse=bool(direction)) for direction, cell in enumerate(cells)]
            outputs = torch.cat([run_outputs for run_outputs, _ in runs], dim=-1)
        return Encoding(outputs, torch.cat([state[0] for _, state in runs], dim=-1))
