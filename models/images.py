"""Image encoders: an image as an ``Encoding`` of grid positions, for the decoders and attention scores of text."""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dropout import Dropout
from models.encoder import Encoding


class ImageEncoder(nn.Module, ABC):
    """Images [B, H, W, 3] or features [B, G, F] -> ``Encoding`` of G grid positions with D = ``output_size`` features.

    ``outputs`` [B, G, D] are what attention reads; ``final_state`` [B, D] is the whole image in one vector.
    """

    output_size: int

    @abstractmethod
    def forward(self, images: Tensor) -> Encoding: ...


class ConvolutionalImageEncoder(ImageEncoder):
    """A small convolutional network from scratch: [B, H, W, 3] uint8 images -> ``Encoding``.

    Every layer is a 3 x 3 convolution, group normalisation (Wu & He, 2018), so that an image gives the same result in
    any batch, and ReLU; a layer that keeps size and number of features is residual. A learned vector of every position
    is added to the grid, because attention reads its positions without order (Xu et al., 2015). The vector of the whole
    image, of one hidden layer over the grid, is added to every position, so that each knows what the others show; a
    residual hidden layer relates the two, as for what stands left of what.

    Args:
        input_size: H and W.
        channels: the features of every layer but the last.
        hidden_size: D, the features of the last layer.
        strides: of every layer, the last one included; G = (input_size / their product) ** 2.
        groups: of the normalisation; must divide every number of features.
        dropout: the dropout rate of the vector of the whole image.
    """

    def __init__(
        self, input_size: int, channels: list[int], hidden_size: int, strides: list[int], groups: int, dropout: float
    ) -> None:
        super().__init__()
        sizes, stride = [3, *channels, hidden_size], math.prod(strides)
        if len(strides) != len(sizes) - 1:
            raise ValueError(f"strides={list(strides)}: give {len(sizes) - 1}, one for every layer.")
        if stride < 1 or input_size % stride:
            raise ValueError(
                f"image_size={input_size} is not a multiple of {stride}, the product of the strides: choose another."
            )
        if any(features % groups for features in sizes[1:]):
            raise ValueError(f"groups={groups} does not divide every number of features in {sizes[1:]}.")
        self.output_size = hidden_size
        self.layers = nn.Sequential(*(layer(*shape, groups) for shape in zip(sizes, sizes[1:], strides, strict=False)))
        positions = (input_size // stride) ** 2
        self.positions = nn.Parameter(torch.randn(positions, hidden_size) * hidden_size**-0.5)
        self.summary = nn.Sequential(
            nn.Flatten(),
            nn.Linear(positions * hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.Tanh(),
            Dropout(dropout),
        )
        self.relating = Residual(
            nn.Sequential(nn.Linear(hidden_size, 2 * hidden_size), nn.ReLU(), nn.Linear(2 * hidden_size, hidden_size))
        )

    def forward(self, images: Tensor) -> Encoding:
        pixels = images.permute(0, 3, 1, 2).to(self.positions.dtype) / 127.5 - 1
        grid = self.layers(pixels).flatten(2).transpose(1, 2) + self.positions
        whole = self.summary(grid)
        return Encoding(self.relating(grid + whole.unsqueeze(1)), whole)


def layer(inputs: int, outputs: int, stride: int, groups: int) -> nn.Module:
    """Convolution, normalisation, ReLU: [B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    steps = nn.Sequential(convolution, nn.GroupNorm(groups, outputs), nn.ReLU())
    return Residual(steps) if stride == 1 and inputs == outputs else steps


class Residual(nn.Module):
    """x + f(x) (He et al., 2016).

    Args:
        inner: f, whose outputs have the shape of its inputs.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.inner(inputs)


class WordDetector(nn.Module):
    """Which words occur in the caption of an image, by its grid positions (Fang et al., 2015).

    The score of a word is a smooth maximum of its scores s at all positions, log(mean(exp(s))) (Pinheiro & Collobert,
    2015): at first all positions learn, later those that show what the word names.

    Args:
        input_size: D.
        vocab_size: V.
    """

    def __init__(self, input_size: int, vocab_size: int) -> None:
        super().__init__()
        self.output = nn.Linear(input_size, vocab_size)

    def forward(self, outputs: Tensor, words: Tensor) -> Tensor:
        """The binary cross-entropy summed over words: ([B, G, D], [B, S] ids, 0 past the end) -> scalar."""
        logits = self.output(outputs).float().logsumexp(dim=1) - math.log(outputs.shape[1])
        present = torch.zeros_like(logits).scatter_(1, words, 1.0)
        present[:, 0] = 0.0  # padding is no word
        return F.binary_cross_entropy_with_logits(logits, present, reduction="sum")


class FeatureImageEncoder(ImageEncoder):
    """Features that were computed before, of any network: [B, G, F] -> ``Encoding``, by one linear layer.

    Args:
        input_size: F.
        hidden_size: D.
        dropout: the dropout rate of the features.
    """

    def __init__(self, input_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.output_size = hidden_size
        self.dropout, self.linear = Dropout(dropout), nn.Linear(input_size, hidden_size)

    def forward(self, images: Tensor) -> Encoding:
        grid = self.linear(self.dropout(images.to(self.linear.weight.dtype)))
        return Encoding(grid, torch.tanh(grid.mean(dim=1)))
