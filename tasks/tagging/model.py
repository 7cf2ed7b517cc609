"""Sentence -> one tag a word."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from data.tagging import TaggingBatch
from data.vocabulary import UNK
from models.characters import CharacterEncoder
from models.dropout import LockedDropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from tasks.tagging.heads import Head
from training.loss import Loss
from training.model import TaskModel


class Tagger(TaskModel):
    """Embed words, add what their characters say, encode, and read a tag off every output.

    Args:
        encoder: the recurrent core.
        characters: makes the vectors from characters, given how many characters there are and the unknown one.
        head: makes what learns and decides, given how many tags there are.
        vocab_size, num_characters, num_tags: the sizes of the corpus.
        embedding_size: E.
        dropout: the share of features dropped, of embeddings and before the output.
        rare_word_dropout: a, where a word that the training split has n times is read as unknown with probability
            a / (a + n) in training.
    """

    def __init__(
        self,
        encoder: Encoder,
        characters: Callable[[int, int], CharacterEncoder],
        head: Callable[[int], Head],
        vocab_size: int,
        num_characters: int,
        num_tags: int,
        embedding_size: int,
        dropout: float,
        rare_word_dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocab_size, embedding_size, 0.0, rare_word_dropout, UNK)
        self.characters = characters(num_characters, UNK)
        self.embedding_dropout = LockedDropout(dropout)
        self.encoder = encoder
        self.dropout = LockedDropout(dropout)
        self.output = nn.Linear(encoder.output_size, num_tags)
        self.head = head(num_tags)

    def forward(self, batch: TaggingBatch) -> Tensor:
        """The score of every tag for every word [B, T, num_tags]."""
        words = self.embedding(batch.tokens, batch.mask, batch.counts)
        spellings = F.embedding(batch.word_types, self.characters(batch.characters, batch.character_mask))
        encoding = self.encoder(self.embedding_dropout(words + spellings), batch.mask)
        return self.output(self.dropout(encoding.outputs))

    def loss(self, batch: TaggingBatch) -> Loss:  # type: ignore[override]
        return self.head.loss(self(batch), batch.targets, batch.target_mask)

    def predict(self, batch: TaggingBatch) -> list[list[int]]:  # type: ignore[override]
        """The ids of the tags of every sentence."""
        best = self.head.best(self(batch), batch.mask)
        return [tags[:length] for tags, length in zip(best.tolist(), batch.mask.sum(dim=1).tolist(), strict=True)]
