"""The classifier as one graph: tokens and mask, and the spelling of words where the model reads it, -> logits."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from data.batch import Batch
from data.spelling import SpelledBatch
from deployment.onnx import Part, Run, TaskExport, tokenizer_files, tokenizer_settings
from deployment.spelling import SpelledGraph, spelled_inputs, spelled_part

AXES = {0: "batch", 1: "length"}


class Graph(nn.Module):
    """Token ids and mask [B, T] -> logits [B, labels]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.model(Batch(np.arange(0), tokens, mask, tokens[:, 0], mask[:, 0]))


class SentimentExport(TaskExport):
    """One graph, ``model``."""

    def parts(self, batch: Batch) -> dict[str, Part]:
        if isinstance(batch, SpelledBatch):
            return {"model": spelled_part(SpelledGraph(self.model), batch, "logits")}
        inputs = {"tokens": batch.tokens, "mask": batch.mask}
        return {"model": Part(Graph(self.model), inputs, {"tokens": AXES, "mask": AXES}, ["logits"])}

    def use(self, runs: Mapping[str, Run]) -> None:
        def forward(batch: Batch) -> Tensor:
            spelled = spelled_inputs(batch) if isinstance(batch, SpelledBatch) else {}
            return runs["model"](**{"tokens": batch.tokens, "mask": batch.mask, **spelled})[0]

        self.model.forward = forward

    def vocabulary(self) -> dict[str, Any]:
        spelling = self.codec.spelling
        return {
            "tokenizer": tokenizer_settings(self.codec.tokenizer),
            "symbols": self.codec.vocabulary.symbols,
            "labels": self.codec.labels.symbols,
            "max_characters": None if spelling is None else spelling.max_characters,
            "characters": [] if spelling is None else spelling.characters.symbols,
        }

    def files(self) -> dict[str, bytes]:
        return tokenizer_files(self.codec.tokenizer, "tokenizer.model")
