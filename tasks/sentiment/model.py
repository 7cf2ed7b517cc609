"""Text -> label."""

from collections.abc import Callable

from torch import Tensor, nn

from data.batch import Batch
from data.vocabulary import UNK
from models.dropout import Dropout
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
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocab_size, embedding_size, dropout, word_dropout, UNK)
        self.encoder = encoder
        self.pooling = pooling(encoder.output_size)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(self.pooling.output_size, num_labels)
        self.label_smoothing = label_smoothing

    def forward(self, batch: Batch) -> Tensor:
        """Logits [B, num_labels]."""
        encoding = self.encoder(self.embedding(batch.tokens, batch.mask), batch.mask)
        return self.output(self.dropout(self.pooling(encoding, batch.mask)))

    def loss(self, batch: Batch) -> Loss:
        return cross_entropy(self(batch), batch.targets, batch.target_mask, self.label_smoothing)

    def predict(self, batch: Batch) -> list[list[float]]:
        """The probability of every label: [B][num_labels]."""
        return self(batch).float().softmax(dim=-1).tolist()
