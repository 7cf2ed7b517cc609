"""The vanilla RNN of rectified linear units that starts as the identity (Le et al., 2015)."""

from torch import nn

from models.cells.rnn import RNNCell


class IRNNCell(RNNCell):
    """h' = relu(W_ih x + b_ih + W_hh h + b_hh), with W_hh = I, biases zero and W_ih from N(0, 0.001) at the start.

    Args:
        input_size, hidden_size: as in ``Cell``.
        input_std: the standard deviation of W_ih, 0.001 in the paper.
    """

    def __init__(self, input_size: int, hidden_size: int, input_std: float) -> None:
        self.input_std = input_std
        super().__init__(input_size, hidden_size, "relu")

    def reset_parameters(self) -> None:
        nn.init.normal_(self.linear_ih.weight, std=self.input_std)
        nn.init.eye_(self.linear_hh.weight)
        nn.init.zeros_(self.linear_ih.bias)
        nn.init.zeros_(self.linear_hh.bias)
