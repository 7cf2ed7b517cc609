"""The model of memory as one graph: tokens, the numbers that they stand for, and mask -> an output at every step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from data.memory import NUMBER, MemoryBatch, MemorySequence, NumberCodec
from deployment.onnx import Part, Run, TaskExport

AXES = {0: "batch", 1: "length"}


class Graph(nn.Module):
    """Token ids, mask and numbers [B, T] -> logits of the labels [B, T, labels], or a number [B, T, 1]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, mask: Tensor, values: Tensor) -> Tensor:
        batch = MemoryBatch(np.arange(0), tokens, mask, tokens, mask, values)
        outputs: Tensor = self.model.readout.output(self.model(batch))  # type: ignore[operator, union-attr]
        return outputs


class MemoryExport(TaskExport):
    """One graph, ``model``."""

    def parts(self, batch: MemoryBatch) -> dict[str, Part]:
        inputs = {name: getattr(batch, name) for name in ("tokens", "mask", "values")}
        return {"model": Part(Graph(self.model), inputs, dict.fromkeys(inputs, AXES), ["outputs"])}

    def use(self, runs: Mapping[str, Run]) -> None:
        self.model.forward = lambda batch: runs["model"](tokens=batch.tokens, mask=batch.mask, values=batch.values)[0]
        self.model.readout.output = nn.Identity()  # the graph has it

    @property
    def reads_numbers(self) -> bool:
        return isinstance(self.codec, NumberCodec)

    def vocabulary(self) -> dict[str, Any]:
        """``labels`` and ``number`` are null where answers are numbers, and where tokens are symbols."""
        numbers = self.reads_numbers
        return {
            "symbols": self.codec.vocabulary.symbols,
            "number": NUMBER.pattern if numbers else None,
            "labels": None if numbers else self.codec.labels.symbols,
        }

    def random_example(self, length: int, generator: np.random.Generator) -> MemorySequence:
        if not self.reads_numbers:
            return super().random_example(length, generator)
        numbers = zip(generator.random(length), generator.choice(["", "*"], length), strict=True)
        return self.codec.unlabelled(" ".join(f"{number:.4f}{mark}" for number, mark in numbers))
