"""Graphs of models that read the characters of words."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from data.spelling import SpelledBatch
from deployment.onnx import Part

WORDS, SPELLINGS = {0: "batch", 1: "length"}, {0: "spellings", 1: "characters"}
AXES = {"tokens": WORDS, "mask": WORDS, "word_types": WORDS, "characters": SPELLINGS, "character_mask": SPELLINGS}


class SpelledGraph(nn.Module):
    """Word ids, mask and numbers of spellings [B, T], character ids and mask [W, C] -> what the model gives.

    Args:
        model: reads a ``SpelledBatch``.
        batch_type: the kind of batch that it reads.
        others: the fields that this kind has beside those of a ``SpelledBatch``, which no prediction depends on.
    """

    def __init__(
        self, model: nn.Module, batch_type: Callable[..., SpelledBatch] = SpelledBatch, others: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.model, self.batch_type, self.others = model, batch_type, others

    def forward(
        self, tokens: Tensor, mask: Tensor, word_types: Tensor, characters: Tensor, character_mask: Tensor
    ) -> Any:
        unused = dict.fromkeys(self.others, tokens)
        no_rows = np.arange(0)
        return self.model(
            self.batch_type(no_rows, tokens, mask, tokens, mask, word_types, characters, character_mask, **unused)
        )


def spelled_inputs(batch: SpelledBatch) -> dict[str, Tensor]:
    """The inputs of a ``SpelledGraph`` by name."""
    return {name: getattr(batch, name) for name in AXES}


def spelled_part(graph: SpelledGraph, batch: SpelledBatch, output: str) -> Part:
    """A ``SpelledGraph`` with the inputs that a batch gives it."""
    return Part(graph, spelled_inputs(batch), AXES, [output])
