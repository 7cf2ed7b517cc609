"""Adversarial training: a batch once more, with its embeddings moved to where the model is more wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from models.embedding import TokenEmbedding


class Adversary:
    """Moves embedded sentences in the direction that raises the loss most (Miyato et al., 2017).

    With x [T, E] an embedded sentence, g the gradient of the loss by it, and |x_t| the root mean square of the lengths
    of its tokens' vectors: x + norm |x_t| g / |g|. Measured by the vectors themselves, a move does not shrink when a
    model lets its embeddings grow.

    Args:
        model: every ``TokenEmbedding`` in it is moved.
        norm: the length of a sentence's move, in lengths of a token's vector.
    """

    def __init__(self, model: nn.Module, norm: float) -> None:
        self.norm = norm
        self.watched: list[tuple[Tensor, Tensor]] | None = None  # embedded tokens and their mask, call by call
        self.moves: list[Tensor] = []
        for part in model.modules():
            if isinstance(part, TokenEmbedding):
                part.register_forward_hook(self.visit)

    def visit(self, part: nn.Module, inputs: tuple[Tensor, ...], embedded: Tensor) -> Tensor:
        if self.watched is not None:
            embedded.retain_grad()
            self.watched.append((embedded, inputs[1]))
        return embedded + self.moves.pop(0) if self.moves else embedded

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Around a forward and backward pass: the moves for the same batch are made of its gradients."""
        self.watched = []
        yield
        self.moves = [self.move(embedded, mask) for embedded, mask in self.watched]
        self.watched = None

    @torch.no_grad()
    def move(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """([B, T, E] with its gradient, [B, T]) -> [B, T, E]; zero where a sentence has no gradient."""
        if embedded.grad is None:
            return torch.zeros_like(embedded)
        lengths = embedded.square().sum(dim=(1, 2)).div(mask.sum(dim=1).clamp(min=1)).sqrt()
        norms = embedded.grad.square().sum(dim=(1, 2)).sqrt().clamp(min=torch.finfo(embedded.dtype).tiny)
        return embedded.grad * (self.norm * lengths / norms)[:, None, None]
