"""The encoder's cells, run forward to write one sentence while another is remembered."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from models.attention import Attention, Memory
from models.bridge import Bridge
from models.cells.base import Cell, State
from models.dropout import LockedDropout
from models.encoder import Encoding


class Decoder(nn.Module, ABC):
    """Embedded target tokens -> features [..., F], off which the next token is read.

    A state has the entries of all layers, lowest layer first. While a sentence is searched for, the N = B K
    hypotheses of B sentences are rows of their own, those of a sentence side by side.

    Args:
        cell: makes a cell from ``input_size`` and ``hidden_size``.
        bridge: makes what gives the first state from what the encoder has read.
        input_size: E, features of an embedded token.
        memory_size: D of the encoder.
        output_size: F.
        hidden_size: H of every cell.
        num_layers: how many layers are stacked.
        dropout: the share of features dropped between layers and before the features are computed.
        output_dropout: the share of the features dropped.
    """

    def __init__(
        self,
        cell: Callable[..., Cell],
        bridge: Callable[..., Bridge],
        input_size: int,
        memory_size: int,
        output_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        output_dropout: float,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"A decoder has at least one layer, not {num_layers}.")
        widths = [self.cell_input_size(input_size, memory_size)] + [hidden_size] * (num_layers - 1)
        self.cells = nn.ModuleList(cell(input_size=width, hidden_size=hidden_size) for width in widths)
        self.bridge = bridge(memory_size, hidden_size, sum(cell.num_states for cell in self.layers()))
        self.readout = nn.Linear(self.readout_input_size(hidden_size, memory_size), output_size)
        self.dropout, self.output_dropout = LockedDropout(dropout), LockedDropout(output_dropout)

    def cell_input_size(self, input_size: int, memory_size: int) -> int:
        """Features that the lowest layer reads at every step."""
        return input_size

    @abstractmethod
    def readout_input_size(self, hidden_size: int, memory_size: int) -> int:
        """Features that the read-out is given at every step."""

    def start(self, encoding: Encoding, mask: Tensor) -> tuple[Memory, State]:
        """What is remembered of the source, and the state before the first token."""
        return self.remember(encoding, mask), self.bridge(encoding, mask)

    @abstractmethod
    def remember(self, encoding: Encoding, mask: Tensor) -> Memory: ...

    @abstractmethod
    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        """A whole sentence at once: ([B, S, E], [B, S]) -> (features [B, S, F], attention weights [B, S, T])."""

    @abstractmethod
    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """One token of each hypothesis: [N, E] -> (features [N, F], the next state), as ``forward`` has them."""

    def layers(self) -> Iterable[Cell]:
        return cast(Iterable[Cell], self.cells)

    def by_layer(self, state: State) -> list[tuple[Cell, State]]:
        """Every cell with its own entries of the state."""
        pairs, first = [], 0
        for cell in self.layers():
            pairs.append((cell, state[first : first + cell.num_states]))
            first += cell.num_states
        return pairs

    def scan(self, inputs: Tensor, mask: Tensor, layers: list[tuple[Cell, State]]) -> Tensor:
        """Some layers over whole sentences: [B, S, ...] -> [B, S, H]."""
        for depth, (cell, entries) in enumerate(layers):
            inputs, _ = cell.scan(self.dropout(inputs) if depth else inputs, mask, entries)
        return inputs

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """All layers over one token: [N, ...] -> (hidden state of the top layer [N, H], the next state)."""
        following: State = ()
        for cell, entries in self.by_layer(state):
            entries = cell.step(cell.project(inputs), entries)
            following, inputs = following + entries, entries[0]
        return inputs, following

    def features(self, outputs: Tensor) -> Tensor:
        """tanh(W o + b): what Luong et al. (2015) call the attentional hidden state, where o has a context."""
        return self.output_dropout(torch.tanh(self.readout(self.dropout(outputs))))


class PlainDecoder(Decoder):
    """All it knows of the source is the state it starts with (Sutskever et al., 2014)."""

    def readout_input_size(self, hidden_size: int, memory_size: int) -> int:
        return hidden_size

    def remember(self, encoding: Encoding, mask: Tensor) -> Memory:
        """Nothing: no position of any sentence."""
        return Memory(encoding.outputs[:, :0], encoding.outputs[:, :0], mask[:, :0])

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        outputs = self.scan(inputs, mask, self.by_layer(state))
        return self.features(outputs), inputs.new_zeros(*mask.shape, 0)

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        hidden, state = self.advance(inputs, state)
        return self.features(hidden), state


class AttentiveDecoder(Decoder):
    """A decoder that looks back at every position of the source.

    Args:
        attention: makes the attention from the sizes of its queries and of the memory.
        others: as in ``Decoder``.
    """

    def __init__(
        self,
        cell: Callable[..., Cell],
        bridge: Callable[..., Bridge],
        attention: Callable[[int, int], Attention],
        input_size: int,
        memory_size: int,
        output_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        output_dropout: float,
    ) -> None:
        super().__init__(
            cell, bridge, input_size, memory_size, output_size, hidden_size, num_layers, dropout, output_dropout
        )
        self.attention = attention(hidden_size, memory_size)

    def readout_input_size(self, hidden_size: int, memory_size: int) -> int:
        return hidden_size + memory_size

    def remember(self, encoding: Encoding, mask: Tensor) -> Memory:
        return self.attention.memory(encoding.outputs, mask)

    def contexts(self, queries: Tensor, memory: Memory) -> Tensor:
        """One context for each hypothesis: [N, H] -> [N, D]."""
        contexts, _ = self.attention(queries.unflatten(0, (len(memory.mask), -1)), memory)
        return contexts.flatten(0, 1)


class LuongDecoder(AttentiveDecoder):
    """Attention after the recurrence (Luong et al., 2015, without input feeding): s' = f(y, s), o = [c(s'); s'].

    The recurrence does not wait for the attention, so a whole sentence is one ``Cell.scan`` a layer and the attention
    of all its steps one batched product.
    """

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        outputs = self.scan(inputs, mask, self.by_layer(state))
        contexts, weights = self.attention(outputs, memory)
        return self.features(torch.cat([contexts, outputs], dim=-1)), weights

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        hidden, state = self.advance(inputs, state)
        return self.features(torch.cat([self.contexts(hidden, memory), hidden], dim=-1)), state


class BahdanauDecoder(AttentiveDecoder):
    """Attention inside the recurrence (Bahdanau et al., 2015): s' = f([y; c(s)], s), o = [c(s); s'].

    The lowest layer attends and is fed what it found; the others are stacked on it (Wu et al., 2016).
    """

    def cell_input_size(self, input_size: int, memory_size: int) -> int:
        return input_size + memory_size

    def forward(self, inputs: Tensor, mask: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor]:
        (cell, entries), *above = self.by_layer(state)
        outputs, contexts, weights = [], [], []
        for token in inputs.unbind(1):
            context, weight = self.attention(entries[0].unsqueeze(1), memory)
            entries = cell.step(cell.project(torch.cat([token, context.squeeze(1)], dim=-1)), entries)
            outputs.append(entries[0])
            contexts.append(context)
            weights.append(weight)
        lowest = torch.stack(outputs, dim=1) * mask.unsqueeze(-1)
        top = self.scan(self.dropout(lowest), mask, above) if above else lowest
        return self.features(torch.cat([torch.cat(contexts, dim=1), top], dim=-1)), torch.cat(weights, dim=1)

    def step(self, inputs: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        contexts = self.contexts(state[0], memory)
        hidden, state = self.advance(torch.cat([inputs, contexts], dim=-1), state)
        return self.features(torch.cat([contexts, hidden], dim=-1)), state
