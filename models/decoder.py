"""Decoders: the encoder's cells, run forward to generate a sentence from the encoding of another."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from models.attention import Context, Memory
from models.bridge import Bridge
from models.cells.base import Cell, State
from models.dropout import LockedDropout
from models.encoder import Encoding
from models.shapes import shapes_only


class Decoder(nn.Module, ABC):
    """Embedded target tokens -> features [..., F], from which the next token is predicted.

    A state has the entries of all layers, lowest layer first. In a search, the N = B K hypotheses of B sentences are
    rows of a batch, those of a sentence next to each other.

    Args:
        cell: makes a cell from ``input_size`` and ``hidden_size``.
        bridge: makes the module that computes the initial state, from D and the sizes of the entries of the state.
        attention: makes the module that computes contexts of the source, from H and D.
        input_size: E, the number of features of an embedded token.
        memory_size: D of the encoder.
        output_size: F.
        hidden_size: H of every cell.
        num_layers: the number of stacked layers.
        dropout: the dropout rate between layers and before the features are computed.
        output_dropout: the dropout rate of the features.
    """

    context_layer: int | None  # the layer that reads the context beside its input, from 0; None: no layer

    def __init__(
        self,
        cell: Callable[..., Cell],
        bridge: Callable[..., Bridge],
        attention: Callable[[int, int], Context],
        input_size: int,
        memory_size: int,
        output_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        output_dropout: float,
    ) -> None:
        super().__init__()
        fewest = 1 + (self.context_layer or 0)
        if num_layers < fewest:
            raise ValueError(f"num_layers={num_layers}: {type(self).__name__} has at least {fewest} of them.")
        with shapes_only():  # sizes only: its parameters are drawn last
            context_size = attention(hidden_size, memory_size).context_size
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        if self.context_layer is not None:
            sizes[self.context_layer] += context_size
        self.cells = nn.ModuleList(cell(input_size=size, hidden_size=hidden_size) for size in sizes)
        self.bridge = bridge(memory_size, [size for cell in self.layers() for size in cell.state_sizes])
        self.readout = nn.Linear(hidden_size + context_size, output_size)
        self.dropout, self.output_dropout = LockedDropout(dropout), LockedDropout(output_dropout)
        self.attention = attention(hidden_size, memory_size)

    def start(self, encoding: Encoding, mask: Tensor) -> tuple[Memory, State]:
        """The memory of the source, and the state before the first token."""
        return self.attention.memory(encoding, mask), self.bridge(encoding, mask)

    @abstractmethod
    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        """A whole sentence at once: ([B, S, E], [B, S]) -> (features [B, S, F], attention weights [B, S, T])."""

    @abstractmethod
    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """One token of every hypothesis: [N, E] -> (features [N, F], the next state), equal to ``forward``."""

    def layers(self) -> Iterable[Cell]:
        return cast(Iterable[Cell], self.cells)

    def split_state(self, state: State) -> list[tuple[Cell, State]]:
        """Every cell with its own entries of the state."""
        pairs, first = [], 0
        for cell in self.layers():
            size = len(cell.state_sizes)
            pairs.append((cell, state[first : first + size]))
            first += size
        return pairs

    def scan_layers(self, inputs: Tensor, mask: Tensor, layers: list[tuple[Cell, State]]) -> Tensor:
        """Some layers over whole sentences: [B, S, ...] -> [B, S, H]."""
        for depth, (cell, entries) in enumerate(layers):
            inputs, _ = cell.scan(self.dropout(inputs) if depth else inputs, mask, entries)
        return inputs

    def step_layers(self, inputs: Tensor, layers: list[tuple[Cell, State]]) -> tuple[Tensor, State]:
        """Some layers over one token: [N, ...] -> (hidden state of the top layer [N, H], the next state)."""
        following: State = ()
        for cell, entries in layers:
            entries = cell.step(cell.project(inputs), entries)
            following, inputs = following + entries, entries[0]
        return inputs, following

    def contexts(self, queries: Tensor, memory: Memory) -> Tensor:
        """One context per hypothesis: [N, H] -> [N, C]."""
        contexts, _ = self.attention(queries.unflatten(0, (len(memory.mask), -1)), memory)
        return contexts.flatten(0, 1)

    def features(self, contexts: Tensor, outputs: Tensor) -> Tensor:
        """tanh(W [c; s] + b), the attentional hidden state of Luong et al. (2015): [..., C], [..., H] -> [..., F]."""
        inputs = self.dropout(torch.cat([contexts, outputs], dim=-1))
        return self.output_dropout(torch.tanh(self.readout(inputs)))


class PlainDecoder(Decoder):
    """A context c that is the same at every step: s' = f([y; c], s), features from [c; s'].

    With ``NoContext`` it is the decoder of Sutskever et al. (2014); with ``SourceVector``, that of Cho et al. (2014).
    """

    context_layer = 0

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        contexts, weights = self.attention(inputs, memory)
        outputs = self.scan_layers(torch.cat([inputs, contexts], dim=-1), mask, self.split_state(state))
        return self.features(contexts, outputs), weights

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        contexts = self.contexts(inputs, memory)
        hidden, state = self.step_layers(torch.cat([inputs, contexts], dim=-1), self.split_state(state))
        return self.features(contexts, hidden), state


class LuongDecoder(Decoder):
    """Attention after the recurrence: s' = f(y, s), features from [c(s'); s'] (Luong et al., 2015, no input feeding).

    The recurrence does not depend on the attention, so a whole sentence is one ``Cell.scan`` per layer and one batched
    product for the attention of all its steps.
    """

    context_layer = None

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        outputs = self.scan_layers(inputs, mask, self.split_state(state))
        contexts, weights = self.attention(outputs, memory)
        return self.features(contexts, outputs), weights

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        hidden, state = self.step_layers(inputs, self.split_state(state))
        return self.features(self.contexts(hidden, memory), hidden), state


class StackedDecoder(Decoder):
    """Attention between the layers: s1' = f(y, s1), c(s1'), s2' = f([s1'; c], s2), features from [c; s2'].

    The lowest layer attends, those above read the contexts, as in Wu et al. (2016), whose lowest layer reads them too.
    Without that, a whole sentence is one scan per layer and one batched product, as with ``LuongDecoder``, and the
    decoder still remembers what it attended to.
    """

    context_layer = 1

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        lowest, *above = self.split_state(state)
        queries = self.scan_layers(inputs, mask, [lowest])
        contexts, weights = self.attention(queries, memory)
        outputs = self.scan_layers(self.dropout(torch.cat([queries, contexts], dim=-1)), mask, above)
        return self.features(contexts, outputs), weights

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        lowest, *above = self.split_state(state)
        query, first = self.step_layers(inputs, [lowest])
        contexts = self.contexts(query, memory)
        hidden, following = self.step_layers(torch.cat([query, contexts], dim=-1), above)
        return self.features(contexts, hidden), first + following


class BahdanauDecoder(Decoder):
    """Attention inside the recurrence (Bahdanau et al., 2015): s' = f([y; c(s)], s), features from [c(s); s'].

    The lowest layer attends and reads the context; the other layers are stacked on it (Wu et al., 2016).
    """

    context_layer = 0

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        (cell, entries), *above = self.split_state(state)
        outputs, contexts, weights = [], [], []
        for token in inputs.unbind(1):
            context, weight = self.attention(entries[0].unsqueeze(1), memory)
            entries = cell.step(cell.project(torch.cat([token, context.squeeze(1)], dim=-1)), entries)
            outputs.append(entries[0])
            contexts.append(context)
            weights.append(weight)
        lowest = torch.stack(outputs, dim=1) * mask.unsqueeze(-1)
        top = self.scan_layers(self.dropout(lowest), mask, above) if above else lowest
        return self.features(torch.cat(contexts, dim=1), top), torch.cat(weights, dim=1)

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        contexts = self.contexts(state[0], memory)
        hidden, state = self.step_layers(torch.cat([inputs, contexts], dim=-1), self.split_state(state))
        return self.features(contexts, hidden), state
