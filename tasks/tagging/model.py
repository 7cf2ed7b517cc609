"""Sentence -> one tag per word."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from data.tagging import TaggingBatch
from data.vocabulary import UNK
from models.characters import CharacterEncoder
from models.dropout import LockedDropout, TokenDropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from tasks.tagging.heads import Head
from training.loss import Loss
from training.model import TaskModel


class Tagger(TaskModel):
    """Add the word vectors from embeddings and from characters, encode, and predict a tag from every output.

    Args:
        encoder: the recurrent core.
        characters: makes the character encoder from the number of characters and the id of the unknown one.
        head: makes the head (loss and decoding) from the number of tags.
        vocab_size, num_characters, num_tags: the sizes of the vocabularies.
        embedding_size: E.
        dropout: the dropout rate of the word vectors and before the output layer.
        rare_word_dropout: a, where a word with n occurrences in the training split is replaced by the unknown word with
            probability a / (a + n) in training.
        token_dropout: the probability of zeroing the whole vector of a word in training, so that its tag is learned
            from the words around it; null for 0.
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
        token_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocab_size, embedding_size, 0.0, rare_word_dropout, UNK)
        self.characters = characters(num_characters, UNK)
        self.characters.check_output(embedding_size)
        self.token_dropout, self.embedding_dropout = TokenDropout(token_dropout or 0.0), LockedDropout(dropout)
        self.encoder = encoder
        encoder.check_input(embedding_size)
        self.dropout = LockedDropout(dropout)
        self.output = nn.Linear(encoder.output_size, num_tags)
        self.head = head(num_tags)

    def forward(self, batch: TaggingBatch) -> Tensor:
        """The score of every tag for every word [B, T, num_tags]."""
        words = self.embedding(batch.tokens, batch.mask, batch.counts)
        spellings = F.embedding(batch.word_types, self.characters(batch.characters, batch.character_mask))
        vectors = self.token_dropout(words + spellings)
        encoding = self.encoder(self.embedding_dropout(vectors), batch.mask)
        return self.output(self.dropout(encoding.outputs))

    def loss(self, batch: TaggingBatch) -> Loss:  # type: ignore[override]
        return self.head.loss(self(batch), batch.targets, batch.target_mask)

    def loss_at_last(self, batch: TaggingBatch) -> Loss:  # type: ignore[override]
        return self.head.loss_at_last(self(batch), batch.targets, batch.target_mask)

    def predict(self, batch: TaggingBatch) -> list[list[int]]:  # type: ignore[override]
        """The ids of the tags of every sentence."""
        return without_padding(self.head.decode(self(batch), batch.mask), batch.mask)

    def predict_scored(self, batch: TaggingBatch) -> list[tuple[list[int], float]]:
        """The ids of the tags of every sentence and their log-probability."""
        scores = self(batch)
        tags = self.head.decode(scores, batch.mask)
        log_probabilities = self.head.log_probability(scores, tags, batch.mask).tolist()
        return list(zip(without_padding(tags, batch.mask), log_probabilities, strict=True))


def without_padding(tags: Tensor, mask: Tensor) -> list[list[int]]:
    """[B, T] -> a list per sentence, as long as the sentence."""
    return [row[:length] for row, length in zip(tags.tolist(), mask.sum(dim=1).tolist(), strict=True)]
