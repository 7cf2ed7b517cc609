"""The generating half of a sequence-to-sequence model: target embedding, decoder, and softmax over the vocabulary."""

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
    """Target tokens -> the distribution of the token after each.

    Args:
        embedding: of the target tokens.
        decoder: embedded tokens -> features, as many as the embedding has.
        bos_id, eos_id: the ids of the symbols before and after a sentence.
        suppressed_ids: the ids that are never generated.
        tied: whether the output layer shares its weight with the embedding (Press & Wolf, 2017).
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        decoder: Decoder,
        bos_id: int,
        eos_id: int,
        suppressed_ids: Sequence[int],
        tied: bool,
    ) -> None:
        super().__init__()
        self.embedding, self.decoder = embedding, decoder
        self.output = nn.Linear(embedding.vectors.embedding_dim, embedding.vectors.num_embeddings)
        if tied:
            self.output.weight = embedding.vectors.weight
        nn.init.zeros_(self.output.bias)
        self.bos_id, self.eos_id, self.suppressed_ids = bos_id, eos_id, list(suppressed_ids)

    def forward(self, targets: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        """Features of each token given those before it: [B, S] -> (features [B, S, E], weights [B, S, T])."""
        previous = torch.cat([torch.full_like(targets[:, :1], self.bos_id), targets[:, :-1]], dim=1)
        return self.decoder(self.embedding(previous, mask), mask, memory, state)

    def step(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Log-probabilities of the token after the last of every hypothesis: [N] -> ([N, V], the next state)."""
        embedded = self.embedding(tokens.unsqueeze(1), torch.ones_like(tokens, dtype=torch.bool).unsqueeze(1))
        features, state = self.decoder.step(embedded.squeeze(1), memory, state)
        log_probabilities = self.output(features).float().log_softmax(dim=-1)
        log_probabilities[:, self.suppressed_ids] = -torch.inf
        return log_probabilities, state

    def greedy(self, memory: Memory, state: State, max_lengths: Tensor) -> list[list[int]]:
        """The most probable token at every step, up to ``max_lengths`` [B] tokens."""
        return greedy(self.step, memory, state, max_lengths, self.bos_id, self.eos_id)

    def search(self, search: BeamSearch, memory: Memory, state: State, max_lengths: Tensor) -> list[list[Hypothesis]]:
        """The n best hypotheses of every sentence, best first."""
        return search(self.step, memory, state, max_lengths, self.bos_id, self.eos_id)

    def attention(self, sentences: list[list[int]], memory: Memory, state: State) -> list[list[list[float]]]:
        """The attention weights of each token and the end of B generated sentences: [B][tokens + 1][T]."""
        targets = pad_sequence(
            [torch.tensor([*tokens, self.eos_id], device=memory.mask.device) for tokens in sentences], batch_first=True
        )
        _, weights = self(targets, torch.ones_like(targets, dtype=torch.bool), memory, state)
        sizes = zip(weights, sentences, memory.mask.sum(dim=1).tolist(), strict=True)
        return [rows[: len(tokens) + 1, :length].tolist() for rows, tokens, length in sizes]
