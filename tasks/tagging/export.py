"""The tagger as one graph: words, their spellings and mask -> the score of every tag for every word."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from data.tagging import TaggingBatch
from deployment.onnx import Part, Run, TaskExport
from tasks.tagging.heads import CRFHead

WORDS, SPELLINGS = {0: "batch", 1: "length"}, {0: "spellings", 1: "characters"}
AXES = {"tokens": WORDS, "mask": WORDS, "word_types": WORDS, "characters": SPELLINGS, "character_mask": SPELLINGS}


class Graph(nn.Module):
    """Word ids, mask and numbers of spellings [B, T], character ids and mask [W, C] -> scores [B, T, tags]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Tensor, mask: Tensor, word_types: Tensor, characters: Tensor, character_mask: Tensor
    ) -> Tensor:
        no_rows = np.arange(0)
        batch = TaggingBatch(no_rows, tokens, mask, tokens, mask, tokens, word_types, characters, character_mask)
        return self.model(batch)


class TaggingExport(TaskExport):
    """One graph, ``model``. Where tags are decoded jointly, the transitions are in the vocabulary."""

    left_out = (
        "The search for the best sequence of tags: with head=crf, the Viterbi algorithm over scores and transitions."
    )

    def parts(self, batch: TaggingBatch) -> dict[str, Part]:
        inputs = {name: getattr(batch, name) for name in AXES}
        return {"model": Part(Graph(self.model), inputs, AXES, ["scores"])}

    def use(self, runs: Mapping[str, Run]) -> None:
        self.model.forward = lambda batch: runs["model"](**{name: getattr(batch, name) for name in AXES})[0]

    def vocabulary(self) -> dict[str, Any]:
        codec = self.codec
        return {
            "lowercase": codec.lowercase,
            "max_characters": codec.max_characters,
            "symbols": codec.vocabulary.symbols,
            "characters": codec.characters.symbols,
            "tags": codec.tags.symbols,
            "crf": self.transitions(),
        }

    def transitions(self) -> dict[str, Any] | None:
        """The scores of a tag at the start, after another ([from][to]), and at the end; null without a CRF."""
        if not isinstance(self.model.head, CRFHead):
            return None
        crf = self.model.head.crf
        names = {"start": crf.start_transitions, "moves": crf.transitions, "end": crf.end_transitions}
        return {name: values.tolist() for name, values in names.items()}
