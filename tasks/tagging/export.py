"""The tagger as one graph: words, their spellings and mask -> the score of every tag for every word."""

from collections.abc import Mapping
from typing import Any

from data.tagging import TaggingBatch
from deployment.onnx import Part, Run, TaskExport
from deployment.spelling import SpelledGraph, spelled_inputs, spelled_part
from tasks.tagging.heads import CRFHead


class TaggingExport(TaskExport):
    """One graph, ``model``. Where tags are decoded jointly, the transitions are in the vocabulary."""

    left_out = (
        "The search for the best sequence of tags: with head=crf, the Viterbi algorithm over scores and transitions."
    )

    def parts(self, batch: TaggingBatch) -> dict[str, Part]:
        return {"model": spelled_part(SpelledGraph(self.model, TaggingBatch, ("counts",)), batch, "scores")}

    def use(self, runs: Mapping[str, Run]) -> None:
        self.model.forward = lambda batch: runs["model"](**spelled_inputs(batch))[0]

    def vocabulary(self) -> dict[str, Any]:
        codec = self.codec
        return {
            "lowercase": codec.lowercase,
            "max_characters": codec.spelling.max_characters,
            "symbols": codec.vocabulary.symbols,
            "characters": codec.spelling.characters.symbols,
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
