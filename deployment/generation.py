"""Models that write text as two graphs: the encoder of what they read, and one step of the decoder."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from data.batch import Batch
from data.vocabulary import BOS, EOS
from deployment.onnx import Part, Run, TaskExport
from models.attention import Attention, Memory
from models.cells.base import State

ROW = {0: "batch"}
AXES = {0: "batch", 1: "length"}


class EncoderGraph(nn.Module):
    """What is read -> what the decoder attends to, and its state before the first token.

    Args:
        export: says what is read, and which parts of a ``Memory`` there are.
    """

    def __init__(self, export: "GeneratorExport") -> None:
        super().__init__()
        self.model, self.export = export.model, export

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        memory, state = self.model.encode(self.export.batch(*values))
        return *(getattr(memory, name) for name in self.export.encoded_parts), *state


class DecoderGraph(nn.Module):
    """The last token [B], the parts of the memory and the state -> log-probabilities [B, V], and the next state.

    Args:
        export: says which parts of a ``Memory`` there are.
    """

    def __init__(self, export: "GeneratorExport") -> None:
        super().__init__()
        self.generator, self.export = export.model.generator, export

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        token, *others = values
        size = len(self.export.parts_of_memory)
        memory = self.export.memory(list(others[:size]), token)
        with one_row_each(self.generator.decoder):
            log_probabilities, state = self.generator.step(token, memory, tuple(others[size:]))
        return log_probabilities, *state


@contextmanager
def one_row_each(decoder: Any) -> Iterator[None]:
    """Let contexts be computed for one hypothesis per source; a graph cannot have the number as an unknown."""
    decoder.contexts = lambda queries, memory: decoder.attention(queries.unsqueeze(1), memory)[0].squeeze(1)
    try:
        yield
    finally:
        del decoder.contexts


class GeneratorExport(TaskExport):
    """Two graphs, ``encoder`` and ``decoder``. A hypothesis is a row: the memory is repeated for each of a source."""

    left_out = "The search over hypotheses: greedy or beam search calls the decoder once for every token."
    masked: ClassVar[bool] = True  # whether sources differ in length, so that a mask is read beside them

    @abstractmethod
    def source(self, batch: Any) -> dict[str, Tensor]:
        """What the encoder reads of a batch, by the names of its inputs; the mask, if any, is ``mask``."""

    @abstractmethod
    def batch(self, *values: Tensor) -> Batch:
        """A batch of what the encoder reads."""

    @property
    def source_axes(self) -> dict[int, str]:
        return AXES if self.masked else ROW

    @property
    def parts_of_memory(self) -> list[str]:
        """The parts of a ``Memory`` that are not empty, and differ between sources."""
        attention = self.model.generator.decoder.attention
        if isinstance(attention, Attention):
            return ["values", "keys", *(["mask"] if self.masked else [])]
        return ["values"] if attention.context_size else []

    @property
    def encoded_parts(self) -> list[str]:
        """Those that the encoder computes."""
        return [name for name in self.parts_of_memory if name != "mask"]

    def memory(self, parts: list[Tensor], like: Tensor) -> Memory:
        """A ``Memory`` with its other parts, for the rows of ``like``."""
        given = dict(zip(self.parts_of_memory, parts, strict=True))
        empty = torch.zeros(like.shape[0], 0, 0)
        keys = given.get("keys", empty)
        mask = given["mask"] if "mask" in given else torch.ones(keys.shape[:2], dtype=torch.bool)
        return Memory(given.get("values", empty), keys, mask)

    def state_names(self) -> list[str]:
        sizes = [size for cell in self.model.generator.decoder.layers() for size in cell.state_sizes]
        return [f"state{number}" for number in range(len(sizes))]

    def parts(self, batch: Any) -> dict[str, Part]:
        names, source = self.state_names(), self.source(batch)
        axes = dict.fromkeys(source, self.source_axes)
        encoder = Part(EncoderGraph(self), source, axes, [*self.encoded_parts, *names])
        with torch.no_grad():
            computed = dict(zip(encoder.outputs, encoder.module(*source.values()), strict=True))
        tokens = torch.full((len(batch.targets),), BOS)
        inputs = {"token": tokens} | {name: (source | computed)[name] for name in [*self.parts_of_memory, *names]}
        attends = "keys" in self.parts_of_memory
        axes = {name: self.source_axes if attends and name in self.parts_of_memory else ROW for name in inputs}
        outputs = ["log_probabilities", *(f"next_{name}" for name in names)]
        return {"encoder": encoder, "decoder": Part(DecoderGraph(self), inputs, axes, outputs)}

    def use(self, runs: Mapping[str, Run]) -> None:
        names, memory_parts = self.state_names(), self.parts_of_memory

        def encode(batch: Batch) -> tuple[Memory, State]:
            outputs = list(runs["encoder"](**self.source(batch)))
            given = [batch.mask if name == "mask" else outputs.pop(0) for name in memory_parts]
            return self.memory(given, batch.targets), tuple(outputs)

        def step(tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
            times = len(tokens) // len(memory.mask)
            parts = {name: getattr(memory, name).repeat_interleave(times, dim=0) for name in memory_parts}
            log_probabilities, *following = runs["decoder"](
                token=tokens, **parts, **dict(zip(names, state, strict=True))
            )
            return log_probabilities, tuple(following)

        self.model.encode = encode
        self.model.generator.step = step

    def decoding(self, symbols: list[str]) -> dict[str, Any]:
        """What a program needs to call the decoder, as JSON; ``symbols`` are those of the target."""
        search = self.model.search
        return {
            "target": symbols,
            "bos": BOS,
            "eos": EOS,
            "states": self.state_names(),
            "memory": self.parts_of_memory,
            "max_length": [search.max_length_factor, search.max_length_extra],
        }
