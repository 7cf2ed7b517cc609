"""The side of a translator that writes: target embedding, decoder, and the soft-max over the target vocabulary."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from models.attention import Memory
from models.cells.base import State
from models.decoder import Decoder
from models.embedding import TokenEmbedding
from models.search import BeamSearch, Hypothesis, greedy


class TargetGenerator(nn.Module):
    """Target tokens -> what may follow them.

    Args:
        embedding: of the target tokens.
        decoder: embedded tokens -> features of the embedding's size.
        begin, end: the ids that a sentence begins and ends with.
        never: the ids that are never written.
        tied: the output's weights are the embedding's (Press & Wolf, 2017).
    """

    def __init__(
        self, embedding: TokenEmbedding, decoder: Decoder, begin: int, end: int, never: Sequence[int], tied: bool
    ) -> None:
        super().__init__()
        self.embedding, self.decoder = embedding, decoder
        self.output = nn.Linear(embedding.vectors.embedding_dim, embedding.vectors.num_embeddings)
        if tied:
            self.output.weight = embedding.vectors.weight
        nn.init.zeros_(self.output.bias)
        self.begin, self.end, self.never = begin, end, list(never)

    def forward(self, targets: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        """What each token is read off, given those before it: [B, S] -> (features [B, S, E], weights [B, S, T])."""
        before = torch.cat([torch.full_like(targets[:, :1], self.begin), targets[:, :-1]], dim=1)
        return self.decoder(self.embedding(before, mask), mask, memory, state)

    def advance(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Log-probabilities of what may follow the last token of each hypothesis: [N] -> ([N, V], the next state)."""
        embedded = self.embedding(tokens.unsqueeze(1), torch.ones_like(tokens, dtype=torch.bool).unsqueeze(1))
        features, state = self.decoder.step(embedded.squeeze(1), memory, state)
        log_probabilities = self.output(features).float().log_softmax(dim=-1)
        log_probabilities[:, self.never] = -torch.inf
        return log_probabilities, state

    def greedy(self, memory: Memory, state: State, limits: Tensor) -> list[list[int]]:
        """The likeliest token at every step, up to ``limits`` [B] tokens."""
        return greedy(self.advance, memory, state, limits, self.begin, self.end)

    def search(self, search: BeamSearch, memory: Memory, state: State, limits: Tensor) -> list[list[Hypothesis]]:
        """The n best of every sentence."""
        return search(self.advance, memory, state, limits, self.begin, self.end)

    def attention(self, sentences: list[list[int]], memory: Memory, state: State) -> list[list[list[float]]]:
        """Where the decoder looked for each token of B sentences and for their end: [B][tokens + 1][T]."""
        targets = pad_sequence(
            [torch.tensor([*tokens, self.end], device=memory.mask.device) for tokens in sentences], batch_first=True
        )
        _, weights = self(targets, torch.ones_like(targets, dtype=torch.bool), memory, state)
        sizes = zip(weights, sentences, memory.mask.sum(dim=1).tolist(), strict=True)
        return [rows[: len(tokens) + 1, :length].tolist() for rows, tokens, length in sizes]
