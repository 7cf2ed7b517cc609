"""The translator as two graphs: the encoder, and one step of the decoder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from data.batch import Batch, PairBatch
from data.vocabulary import BOS, EOS
from deployment.onnx import Part, Run, TaskExport, tokenizer_files, tokenizer_settings
from models.attention import Attention, Memory
from models.cells.base import State

ROW = {0: "batch"}
AXES = {0: "batch", 1: "length"}


class EncoderGraph(nn.Module):
    """Token ids and mask [B, T] -> what the decoder attends to, and its state before the first token.

    Args:
        export: says which parts of a ``Memory`` there are.
    """

    def __init__(self, export: "TranslationExport") -> None:
        super().__init__()
        self.model, self.parts_of_memory = export.model, export.parts_of_memory

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        memory, state = self.model.encode(PairBatch(None, tokens, mask, tokens, mask))  # type: ignore[arg-type]
        return *(getattr(memory, name) for name in self.parts_of_memory if name != "mask"), *state


class DecoderGraph(nn.Module):
    """The last token [B], the parts of the memory and the state -> log-probabilities [B, V], and the next state."""

    def __init__(self, export: "TranslationExport") -> None:
        super().__init__()
        self.generator, self.export = export.model.generator, export

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        token, *others = values
        size = len(self.export.parts_of_memory)
        memory = self.export.memory(list(others[:size]), token)
        with one_row_a_sentence(self.generator.decoder):
            log_probabilities, state = self.generator.step(token, memory, tuple(others[size:]))
        return log_probabilities, *state


@contextmanager
def one_row_a_sentence(decoder: Any) -> Iterator[None]:
    """Let contexts be computed for one hypothesis per sentence; a graph cannot have the number as an unknown."""
    decoder.contexts = lambda queries, memory: decoder.attention(queries.unsqueeze(1), memory)[0].squeeze(1)
    try:
        yield
    finally:
        del decoder.contexts


class TranslationExport(TaskExport):
    """Two graphs, ``encoder`` and ``decoder``. A hypothesis is a row: the memory is repeated for each of a sentence."""

    left_out = "The search over hypotheses: greedy or beam search calls the decoder once for every token."

    @property
    def parts_of_memory(self) -> list[str]:
        """The parts of a ``Memory`` that are not empty."""
        attention = self.model.generator.decoder.attention
        if isinstance(attention, Attention):
            return ["values", "keys", "mask"]
        return ["values"] if attention.context_size else []

    def memory(self, parts: list[Tensor], like: Tensor) -> Memory:
        """A ``Memory`` with its empty parts, for the rows of ``like``."""
        given = dict(zip(self.parts_of_memory, parts, strict=True))
        empty = torch.zeros(like.shape[0], 0, 0)
        none = torch.zeros(like.shape[0], 0, dtype=torch.bool)
        return Memory(given.get("values", empty), given.get("keys", empty), given.get("mask", none))

    def state_names(self) -> list[str]:
        sizes = [size for cell in self.model.generator.decoder.layers() for size in cell.state_sizes]
        return [f"state{number}" for number in range(len(sizes))]

    def parts(self, batch: Batch) -> dict[str, Part]:
        names, memory = self.state_names(), [name for name in self.parts_of_memory if name != "mask"]
        source = {"tokens": batch.tokens, "mask": batch.mask}
        encoder = Part(EncoderGraph(self), source, {"tokens": AXES, "mask": AXES}, [*memory, *names])
        with torch.no_grad():
            computed = dict(zip(encoder.outputs, encoder.module(**source), strict=True))
        tokens = torch.full((len(batch.tokens),), BOS)
        inputs = {"token": tokens} | {name: (source | computed)[name] for name in [*self.parts_of_memory, *names]}
        attends = "mask" in self.parts_of_memory
        axes = {name: AXES if attends and name in self.parts_of_memory else ROW for name in inputs}
        outputs = ["log_probabilities", *(f"next_{name}" for name in names)]
        return {"encoder": encoder, "decoder": Part(DecoderGraph(self), inputs, axes, outputs)}

    def use(self, runs: Mapping[str, Run]) -> None:
        names, memory_parts = self.state_names(), self.parts_of_memory

        def encode(batch: Batch) -> tuple[Memory, State]:
            outputs = list(runs["encoder"](tokens=batch.tokens, mask=batch.mask))
            given = [batch.mask if name == "mask" else outputs.pop(0) for name in memory_parts]
            return self.memory(given, batch.tokens), tuple(outputs)

        def step(tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
            times = len(tokens) // len(memory.mask)
            parts = {name: getattr(memory, name).repeat_interleave(times, dim=0) for name in memory_parts}
            log_probabilities, *following = runs["decoder"](
                token=tokens, **parts, **dict(zip(names, state, strict=True))
            )
            return log_probabilities, tuple(following)

        self.model.encode = encode
        self.model.generator.step = step

    def vocabulary(self) -> dict[str, Any]:
        source, target = self.codec.source, self.codec.target
        return {
            "tokenizer": tokenizer_settings(source.tokenizer),
            "source": source.vocabulary.symbols,
            "target": target.vocabulary.symbols,
            "bos": BOS,
            "eos": EOS,
            "states": self.state_names(),
            "memory": self.parts_of_memory,
            "max_length": [self.model.search.max_length_factor, self.model.search.max_length_extra],
        }

    def files(self) -> dict[str, bytes]:
        source = tokenizer_files(self.codec.source.tokenizer, "source.model")
        return source | tokenizer_files(self.codec.target.tokenizer, "target.model")
