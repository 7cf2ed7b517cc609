"""What is read off the output of every step, and the loss of it."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from training.loss import Loss, cross_entropy


class Readout(nn.Module, ABC):
    """A linear layer on the outputs of the encoder, its loss, and its answers.

    Args:
        input_size: D of the encoder.
        num_outputs: the number of labels, or of numbers.
    """

    def __init__(self, input_size: int, num_outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(input_size, num_outputs)

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        """Over the steps with a target: ([B, T, D], [B, T], [B, T]) -> ``Loss``."""

    @abstractmethod
    def answers(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """The answer at every step and its probability: [B, T, D] -> [B, T] each."""


class LabelReadout(Readout):
    """A label."""

    def loss(self, outputs: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        return cross_entropy(self.output(outputs[mask]), targets[mask], mask[mask], 0.0)

    def answers(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        probabilities, labels = self.output(outputs).float().softmax(dim=-1).max(dim=-1)
        return labels, probabilities


class NumberReadout(Readout):
    """A number, learned by its squared error; it has no probability."""

    def loss(self, outputs: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        errors = self.output(outputs[mask]).float().squeeze(-1) - targets[mask]
        return Loss(errors.square().sum(), len(errors))

    def answers(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        numbers = self.output(outputs).float().squeeze(-1)
        return numbers, torch.zeros_like(numbers)
