"""What a model of any task can do."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from data.batch import Batch
from models.cells.base import Cell
from models.embedding import TokenEmbedding
from training.loss import Loss


class TaskModel(nn.Module, ABC):
    """A model of a task: the loss of a batch, and predictions for one."""

    embedding: TokenEmbedding  # of the input's tokens, where a model reads any

    def kernel_name(self, device: torch.device) -> str:
        """Which code runs the recurrent cells, for the record; ``none`` for a model without a cell."""
        cell = next((module for module in self.modules() if isinstance(module, Cell)), None)
        return "none" if cell is None else cell.kernel_name(device)

    @abstractmethod
    def loss(self, batch: Batch) -> Loss: ...

    def loss_at_last(self, batch: Batch) -> Loss:
        """The loss of the last target of every sentence alone, where a task has targets at many steps."""
        return self.loss(batch)

    @abstractmethod
    def predict(self, batch: Batch) -> list[Any]:
        """One prediction a sentence, as the task's codec decodes them."""

    def predict_with_attention(self, batch: Batch) -> list[Any]:
        """As ``predict``, with attention weights where the model has any; their size is the square of the length."""
        return self.predict(batch)

    def predict_greedy(self, batch: Batch) -> list[Any]:
        """The same at less cost, for a look after every epoch, where a task has such a way."""
        return self.predict(batch)
