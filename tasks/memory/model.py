"""Sequence -> an answer at every step."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from data.memory import MemoryBatch
from data.vocabulary import UNK
from models.dropout import Dropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from models.padding import last_of_row
from tasks.memory.readouts import Readout
from training.loss import Loss
from training.model import TaskModel


class MemoryModel(TaskModel):
    """Embed symbols and numbers, encode, and read an answer off every output.

    Args:
        encoder: the recurrent core.
        readout: makes the readout from the encoder's output size and the number of outputs.
        vocab_size, num_outputs: the sizes of the vocabulary, and of the label set or 1.
        embedding_size: E.
        dropout: the dropout rate of the embeddings and before the readout.
    """

    def __init__(
        self,
        encoder: Encoder,
        readout: Callable[[int, int], Readout],
        vocab_size: int,
        num_outputs: int,
        embedding_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocab_size, embedding_size, dropout, 0.0, UNK)
        self.value = nn.Linear(1, embedding_size, bias=False)
        self.encoder = encoder
        encoder.check_input(embedding_size)
        self.dropout = Dropout(dropout)
        self.readout = readout(encoder.output_size, num_outputs)

    def forward(self, batch: MemoryBatch) -> Tensor:
        """The output of every step [B, T, D]."""
        symbols = self.embedding(batch.tokens, batch.mask)
        return self.dropout(self.encoder(symbols + self.value(batch.values.unsqueeze(-1)), batch.mask).outputs)

    def loss(self, batch: MemoryBatch) -> Loss:  # type: ignore[override]
        return self.readout.loss(self(batch), batch.targets, batch.target_mask)

    def loss_at_last(self, batch: MemoryBatch) -> Loss:  # type: ignore[override]
        return self.loss(replace(batch, target_mask=last_of_row(batch.target_mask)))

    def predict(self, batch: MemoryBatch) -> list[tuple[list[float], list[float]]]:  # type: ignore[override]
        """The answers of every sequence, label ids or numbers, and their probabilities."""
        answers, probabilities = self.readout.answers(self(batch))
        lengths = batch.mask.sum(dim=1).tolist()
        pairs = zip(answers.tolist(), probabilities.tolist(), lengths, strict=True)
        return [(found[:length], sure[:length]) for found, sure, length in pairs]
