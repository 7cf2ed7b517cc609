"""Zoneout (Krueger et al., 2017): dropout of updates instead of states."""

import torch
from torch import Tensor, nn

from models.cells.base import Cell, State


class ZoneoutCell(Cell):
    """A cell of which random features of the state keep their old value at a step in training.

    Outside training, the new state is the expectation: rate * old + (1 - rate) * new. All entries of the state share
    the rate. Updates differ at every step, so that ``scan`` is the loop, without the kernel of the cell.

    Args:
        cell: the cell.
        rate: the probability that a feature keeps its old value.
    """

    def __init__(self, cell: Cell, rate: float) -> None:
        super().__init__(cell.input_size, cell.hidden_size)
        if not 0 <= rate < 1:
            raise ValueError(f"A zoneout rate is at least 0 and less than 1, not {rate}.")
        self.cell, self.rate = cell, rate

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return self.cell.state_sizes

    def initial_state(self, like: Tensor) -> State:
        return self.cell.initial_state(like)

    def project(self, inputs: Tensor) -> Tensor:
        return self.cell.project(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        return tuple(map(self.zone, self.cell.step(projected, state), state))

    def zone(self, new: Tensor, old: Tensor) -> Tensor:
        if not self.training:
            return self.rate * old + (1 - self.rate) * new
        return torch.where(torch.rand(new.shape, device=new.device) < self.rate, old.to(new.dtype), new)


def with_zoneout(cell: Cell, rate: float) -> nn.Module:
    """The cell itself for a rate of 0."""
    return ZoneoutCell(cell, rate) if rate else cell
