"""The vanilla recurrent network (Elman, 1990)."""

import torch
from torch import Tensor

from models.cells.base import FusedCell, State
from models.recurrence import PackedSteps, Recurrence, Weights, add_product


class RNNRecurrence(Recurrence):
    """With g the gradient of h', that of both products is (1 - h'^2) g, or g where h' > 0 with ReLU.

    Args:
        activation: ``tanh`` or ``relu``.
    """

    def __init__(self, activation: str) -> None:
        self.activation = activation

    def input_bias(self, weights: Weights) -> Tensor:
        return weights.bias_ih + weights.bias_hh

    def forward(self, gates: Tensor, states: list[Tensor], weights: Weights, steps: PackedSteps) -> list[Tensor]:
        (h,) = states
        activate = torch.tanh_ if self.activation == "tanh" else torch.relu_
        weight = weights.hh.transpose(1, 2)
        h[:, steps.sentences : -1] = gates
        for _, after, before in steps.steps:
            activate(add_product(h[:, after], h[:, before], weight))
        return []

    def backward(
        self, gradients: list[Tensor], saved: list[Tensor], states: list[Tensor], weights: Weights, steps: PackedSteps
    ) -> tuple[Tensor, slice, slice]:
        (by_h,), (h,) = gradients, states
        new = h[:, steps.sentences : -1]
        factors = 1 - new * new if self.activation == "tanh" else (new > 0).to(new.dtype)
        for now, after, before in reversed(steps.steps):
            products = factors[:, now].mul_(by_h[:, after])
            add_product(by_h[:, before], products, weights.hh)
        return factors, slice(None), slice(None)


class RNNCell(FusedCell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU in place of tanh.

    Args:
        input_size, hidden_size: as in ``Cell``.
        activation: ``tanh`` or ``relu``.
    """

    num_gates = 1

    def __init__(self, input_size: int, hidden_size: int, activation: str) -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f"The activation of the rnn cell is 'tanh' or 'relu', not '{activation}'.")
        super().__init__(input_size, hidden_size)
        self.activation, self.recurrence = activation, RNNRecurrence(activation)

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        activate = torch.tanh if self.activation == "tanh" else torch.relu
        return (activate(projected + self.linear_hh(h)),)

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        run = torch.rnn_tanh if self.activation == "tanh" else torch.rnn_relu
        start = state[0].unsqueeze(0).to(inputs.dtype)
        outputs, _ = run(inputs, start, self.weights(), True, 1, 0.0, self.training, False, True)
        return outputs, state
