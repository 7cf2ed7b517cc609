"""What tasks that write text share: loss, search and greedy search over a target generator."""

from abc import abstractmethod

import torch
from torch import Tensor

from data.batch import Batch
from data.translation import Hypothesis, Prediction
from models.attention import Memory
from models.cells.base import State
from models.generator import TargetGenerator
from models.search import BeamSearch
from training.loss import Loss, linear_cross_entropy
from training.model import TaskModel


class EncoderDecoderModel(TaskModel):
    """Encodes what is given, and writes the target one token after the other.

    Subclasses set ``generator``, ``search`` and ``label_smoothing``, and write ``encode``.
    """

    generator: TargetGenerator
    search: BeamSearch
    label_smoothing: float

    @abstractmethod
    def encode(self, batch: Batch) -> tuple[Memory, State]:
        """What the decoder attends to, and its state before the first token."""

    def max_lengths(self, batch: Batch) -> Tensor:
        """The maximum number of tokens of every target, the end included: [B]."""
        return self.search.max_lengths(batch.mask)

    def loss(self, batch: Batch) -> Loss:
        return self.loss_from(batch, *self.encode(batch))

    def loss_from(self, batch: Batch, memory: Memory, state: State) -> Loss:
        """The loss of the targets, given what is encoded."""
        features, _ = self.generator(batch.targets, batch.target_mask, memory, state)
        scored = batch.target_mask
        return linear_cross_entropy(
            self.generator.output, features[scored], batch.targets[scored], self.label_smoothing
        )

    def predict(self, batch: Batch) -> list[Prediction]:
        """The n best of a beam search."""
        return self.search_batch(batch, with_attention=False)

    def predict_with_attention(self, batch: Batch) -> list[Prediction]:
        """The n best of a beam search, and the attention weights of the best of each."""
        return self.search_batch(batch, with_attention=True)

    def search_batch(self, batch: Batch, with_attention: bool) -> list[Prediction]:
        with torch.autocast(batch.targets.device.type, enabled=False):  # near ties must not depend on rounding
            memory, state = self.encode(batch)
            found = self.generator.search(self.search, memory, state, self.max_lengths(batch))
            best = [nbest[0].tokens for nbest in found]
            attention = self.generator.attention(best, memory, state) if with_attention else [[] for _ in best]
        sources = [tokens[mask].tolist() for tokens, mask in zip(batch.tokens, batch.mask, strict=True)]
        nbests = [[Hypothesis(tokens, score) for tokens, score, _ in nbest] for nbest in found]
        return list(map(Prediction, sources, nbests, attention))

    def predict_greedy(self, batch: Batch) -> list[Prediction]:
        """The most probable token at every step."""
        memory, state = self.encode(batch)
        found = self.generator.greedy(memory, state, self.max_lengths(batch))
        return [Prediction([], [Hypothesis(tokens, 0.0)], []) for tokens in found]
