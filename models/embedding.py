"""Token ids -> vectors."""

import torch
from torch import Tensor, nn

from models.dropout import LockedDropout


class TokenEmbedding(nn.Module):
    """A learned vector for every token: [B, T] ids -> [B, T, E].

    Args:
        vocab_size: V. Id 0 is padding.
        embedding_size: E.
        dropout: the dropout rate, with the same features zeroed at every step.
        word_dropout: the probability of replacing a token by the unknown token in training, so that the vector of the
            unknown token is learned; with ``counts``, a token seen n times is replaced with probability
            ``word_dropout / (word_dropout + n)``.
        unknown_id: the id of the unknown token.
    """

    def __init__(
        self, vocab_size: int, embedding_size: int, dropout: float, word_dropout: float, unknown_id: int
    ) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocab_size, embedding_size, padding_idx=0)
        nn.init.normal_(self.vectors.weight, std=embedding_size**-0.5)
        with torch.no_grad():
            self.vectors.weight[0].zero_()
        self.dropout = LockedDropout(dropout)
        self.word_dropout, self.unknown_id = word_dropout, unknown_id

    @torch.no_grad()
    def initialise(self, vectors: Tensor) -> None:
        """Copy [V, E] vectors of about unit length; a token whose row is zero keeps its own vector."""
        known = vectors.ne(0).any(dim=1)
        self.vectors.weight[known] = vectors[known].to(self.vectors.weight)

    def forward(self, tokens: Tensor, mask: Tensor, counts: Tensor | None = None) -> Tensor:
        if self.training and self.word_dropout > 0:
            rate = self.word_dropout if counts is None else self.word_dropout / (self.word_dropout + counts)
            dropped = torch.rand(tokens.shape, device=tokens.device) < rate
            tokens = tokens.masked_fill(dropped & mask, self.unknown_id)
        return self.dropout(self.vectors(tokens))
