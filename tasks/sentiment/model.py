"""Text -> label."""

from collections.abc import Callable
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from data.batch import Batch
from data.errors import InputError
from data.spelling import SpelledBatch
from data.vocabulary import UNK
from models.characters import CharacterEncoder
from models.dropout import Dropout, LockedDropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from models.pooling import Pooling
from training.loss import Loss, cross_entropy
from training.model import TaskModel


class SentimentClassifier(TaskModel):
    """Embed, encode, pool, and classify.

    Args:
        encoder: the recurrent core.
        pooling: makes the pooling from the encoder's output size.
        vocab_size, num_labels: the sizes of the vocabulary and of the label set.
        embedding_size: E.
        dropout: the dropout rate of the embeddings and before the output layer.
        word_dropout: the probability of replacing a word by the unknown word in training.
        label_smoothing: the probability mass spread over all labels (Szegedy et al., 2016).
        characters: makes an encoder of the characters of words, whose vectors are added to the embeddings, from the
            number of characters and the id of the unknown one; null for none.
        num_characters: the number of distinct characters; null where the codec has none.

    Raises:
        InputError: ``characters`` is given and the codec encodes none.
    """

    def __init__(
        self,
        encoder: Encoder,
        pooling: Callable[[int], Pooling],
        vocab_size: int,
        num_labels: int,
        embedding_size: int,
        dropout: float,
        word_dropout: float,
        label_smoothing: float,
        characters: Callable[[int, int], CharacterEncoder] | None = None,
        num_characters: int | None = None,
    ) -> None:
        super().__init__()
        if characters is not None and num_characters is None:
            raise InputError("characters=... reads the spelling of words: set codec.max_characters, for example to 18.")
        self.embedding = TokenEmbedding(vocab_size, embedding_size, 0.0, word_dropout, UNK)
        self.embedding_dropout = LockedDropout(dropout)
        self.encoder = encoder
        encoder.check_input(embedding_size)
        self.pooling = pooling(encoder.output_size)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(self.pooling.output_size, num_labels)
        self.label_smoothing = label_smoothing
        self.characters = None if characters is None or num_characters is None else characters(num_characters, UNK)
        if self.characters is not None:
            self.characters.check_output(embedding_size)

    def embed(self, batch: Batch) -> Tensor:
        """The vectors of all words, from embeddings and, with ``characters``, from their spelling: [B, T, E]."""
        vectors = self.embedding(batch.tokens, batch.mask)
        if self.characters is not None:
            spelled = cast(SpelledBatch, batch)
            spellings = self.characters(spelled.characters, spelled.character_mask)
            vectors = vectors + F.embedding(spelled.word_types, spellings)
        return self.embedding_dropout(vectors)

    def forward(self, batch: Batch) -> Tensor:
        """Logits [B, num_labels]."""
        encoding = self.encoder(self.embed(batch), batch.mask)
        return self.output(self.dropout(self.pooling(encoding, batch.mask)))

    def loss(self, batch: Batch) -> Loss:
        return cross_entropy(self(batch), batch.targets, batch.target_mask, self.label_smoothing)

    def predict(self, batch: Batch) -> list[list[float]]:
        """The probability of every label: [B][num_labels]."""
        return self(batch).float().softmax(dim=-1).tolist()
