"""What a model of any task can do."""

from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from data.batch import Batch
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from training.loss import Loss


class TaskModel(nn.Module, ABC):
    """A model that can learn from a batch and say what it makes of one."""

    embedding: TokenEmbedding
    encoder: Encoder

    @abstractmethod
    def loss(self, batch: Batch) -> Loss: ...

    @abstractmethod
    def predict(self, batch: Batch) -> list[Any]:
        """One prediction a sentence, as the task's codec decodes them."""

    def predict_greedy(self, batch: Batch) -> list[Any]:
        """The same at less cost, for a look after every epoch, where a task has such a way."""
        return self.predict(batch)
