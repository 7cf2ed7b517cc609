"""Greedy and beam search, one token at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from models.attention import Memory
from models.cells.base import State

BLOCK = 64  # tokens whose largest log-probability stands for them

# (last tokens [N], memory of B sentences, state) -> (log-probabilities [N, V], the next state); N = B K, as in Decoder
StepFunction = Callable[[Tensor, Memory, State], tuple[Tensor, State]]


class Hypothesis(NamedTuple):
    """A generated sentence."""

    tokens: list[int]  # without EOS
    score: float  # log-probability, that of EOS included, divided by a power of the length
    ended: bool  # false where the maximum length cut it off


def greedy(
    step: StepFunction, memory: Memory, state: State, max_lengths: Tensor, bos_id: int, eos_id: int
) -> list[list[int]]:
    """The most probable token at every step, for B sentences of at most ``max_lengths`` [B] tokens."""
    tokens = torch.full_like(max_lengths, bos_id)
    alive = torch.ones_like(max_lengths, dtype=torch.bool)
    generated = []
    for position in range(1, int(max_lengths.max()) + 1):
        log_probabilities, state = step(tokens, memory, state)
        tokens = log_probabilities.argmax(dim=-1).masked_fill(~alive, eos_id)
        generated.append(tokens)
        alive = alive & (tokens != eos_id) & (position < max_lengths)
        if not alive.any():
            break
    rows = torch.stack(generated, dim=1).tolist()
    return [ids[: ids.index(eos_id)] if eos_id in ids else ids for ids in rows]


@dataclass
class FinishedHypotheses:
    """The finished hypotheses for one sentence."""

    max_length: int  # in tokens, EOS included
    hypotheses: list[Hypothesis] = field(default_factory=list)

    @property
    def best_first(self) -> list[Hypothesis]:
        """Those that ended, then those cut off, each by score."""
        return sorted(self.hypotheses, key=lambda hypothesis: (hypothesis.ended, hypothesis.score), reverse=True)


class PartialHypotheses(NamedTuple):
    """K partial hypotheses for each of B sentences."""

    log_probabilities: Tensor  # [B, K]
    tokens: Tensor  # [B, K, tokens so far]

    def select(self, columns: Tensor) -> "PartialHypotheses":
        """Some hypotheses of every sentence: [B, K'] indices -> K' for each."""
        tokens = self.tokens.gather(1, columns.unsqueeze(-1).expand(-1, -1, self.tokens.shape[-1]))
        return PartialHypotheses(self.log_probabilities.gather(1, columns), tokens)


def largest_sums(first: Tensor, second: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest ``first[b, k] + second[b, k, v]`` of every b, and their indices k V + v: [B, count] each.

    ``topk`` of all K V sums takes longer than the product that gives them. So the vocabulary is cut into blocks, and
    only the blocks with the ``count`` largest maxima are searched: no other can hold one of the largest.
    """
    vocabulary = second.shape[2]
    whole = vocabulary // BLOCK
    maxima = second[..., : whole * BLOCK].unflatten(2, (whole, BLOCK)).amax(dim=3)
    if whole * BLOCK < vocabulary:
        maxima = torch.cat([maxima, second[..., whole * BLOCK :].amax(dim=2, keepdim=True)], dim=2)
    blocks = maxima.shape[2]
    totals = (first.unsqueeze(2) + maxima).flatten(1)
    chosen = totals.topk(min(count, totals.shape[1])).indices.unsqueeze(2)  # [B, count, 1] numbers k blocks + block
    rows, members = chosen // blocks, chosen % blocks * BLOCK + torch.arange(BLOCK, device=second.device)
    places = (rows * vocabulary + members.clamp(max=vocabulary - 1)).flatten(1)
    values = second.flatten(1).gather(1, places).unflatten(1, (-1, BLOCK)) + first.unsqueeze(2).gather(1, rows)
    best, order = values.masked_fill(members >= vocabulary, -torch.inf).flatten(1).topk(count)
    return best, places.gather(1, order)


class BeamSearch:
    """The ``beam`` most probable partial hypotheses at every step, for all sentences of a batch at once.

    A hypothesis that ends is finished, and the next best takes its place in the beam; a sentence is done when ``beam``
    hypotheses are finished or its maximum length is reached. ``beam=1`` is greedy search. The result for a sentence
    does not depend on the others in its batch.

    Args:
        beam: K, the number of partial hypotheses.
        length_penalty: scores are log-probabilities divided by the length to this power (Wu et al., 2016, simplified);
            0 favours short sentences.
        max_length_factor, max_length_extra: for n source tokens, the maximum length is factor n + extra.
    """

    def __init__(self, beam: int, length_penalty: float, max_length_factor: float, max_length_extra: int) -> None:
        if beam < 1:
            raise ValueError(f"beam={beam}: a search keeps at least one hypothesis.")
        if max_length_factor < 0 or max_length_extra < 1:
            raise ValueError("A search generates at least one token: max_length_factor >= 0, max_length_extra >= 1.")
        self.beam, self.length_penalty = beam, length_penalty
        self.max_length_factor, self.max_length_extra = max_length_factor, max_length_extra

    def max_lengths(self, mask: Tensor) -> Tensor:
        """The maximum number of tokens to generate for each sentence, EOS included: [B, T] -> [B]."""
        return (mask.sum(dim=1) * self.max_length_factor).long() + self.max_length_extra

    def __call__(
        self, step: StepFunction, memory: Memory, state: State, max_lengths: Tensor, bos_id: int, eos_id: int
    ) -> list[list[Hypothesis]]:
        """Up to ``beam`` hypotheses for each of B sentences, best first."""
        finished = [FinishedHypotheses(max_length) for max_length in max_lengths.tolist()]
        active = finished
        partial = self.empty_hypotheses(max_lengths)
        tokens = max_lengths.new_full((len(finished) * self.beam,), bos_id)
        state = tuple(entry.repeat_interleave(self.beam, dim=0) for entry in state)
        while active:
            log_probabilities, state = step(tokens, memory, state)
            candidates, origins = self.candidates(partial, log_probabilities)
            self.collect_ended(active, candidates, eos_id)
            continuing = self.continuing(candidates, eos_id)
            partial, origins = candidates.select(continuing), origins.gather(1, continuing)
            self.collect_cut_off(active, partial)

            left = [row for row, one in enumerate(active) if not self.done(one, partial)]
            rows = torch.tensor(left, dtype=torch.long, device=max_lengths.device)
            active = [active[row] for row in left]
            partial = PartialHypotheses(*(part.index_select(0, rows) for part in partial))
            memory = memory.select(rows) if len(rows) < len(memory.mask) else memory
            origins = (origins.index_select(0, rows) + rows.unsqueeze(1) * self.beam).flatten()
            state = tuple(entry.index_select(0, origins) for entry in state)
            tokens = partial.tokens[:, :, -1].flatten()
        return [one.best_first[: self.beam] for one in finished]

    def empty_hypotheses(self, max_lengths: Tensor) -> PartialHypotheses:
        """K hypotheses without tokens; only the first may be continued, since all are equal."""
        log_probabilities = torch.full((len(max_lengths), self.beam), -torch.inf, device=max_lengths.device)
        log_probabilities[:, 0] = 0.0
        return PartialHypotheses(log_probabilities, max_lengths.new_empty(len(max_lengths), self.beam, 0))

    def candidates(self, partial: PartialHypotheses, log_probabilities: Tensor) -> tuple[PartialHypotheses, Tensor]:
        """The 2 K best continuations, best first, and which of the K partial hypotheses each continues.

        Of 2 K, at least K do not end, since every hypothesis can end in one way only.
        """
        vocabulary = log_probabilities.shape[-1]
        following = log_probabilities.unflatten(0, partial.log_probabilities.shape)
        best, indices = largest_sums(partial.log_probabilities, following, 2 * self.beam)
        origins = indices // vocabulary
        tokens = partial.select(origins).tokens
        return PartialHypotheses(best, torch.cat([tokens, (indices % vocabulary).unsqueeze(-1)], dim=-1)), origins

    def continuing(self, candidates: PartialHypotheses, eos_id: int) -> Tensor:
        """The indices of the K best candidates that do not end: [B, K]."""
        ended = candidates.tokens[:, :, -1] == eos_id
        return ended.to(torch.uint8).argsort(dim=1, stable=True)[:, : self.beam]

    def collect_ended(self, active: list[FinishedHypotheses], candidates: PartialHypotheses, eos_id: int) -> None:
        """Finish those among the K best candidates that end."""
        log_probabilities, tokens = candidates.log_probabilities[:, : self.beam], candidates.tokens[:, : self.beam]
        ended = (tokens[:, :, -1] == eos_id) & log_probabilities.isfinite()
        for row, column in ended.nonzero().tolist():
            ids, total = tokens[row, column].tolist(), log_probabilities[row, column].item()
            active[row].hypotheses.append(Hypothesis(ids[:-1], self.score(total, len(ids)), True))

    def collect_cut_off(self, active: list[FinishedHypotheses], partial: PartialHypotheses) -> None:
        """Finish the partial hypotheses of sentences at their maximum length of which fewer than K have ended."""
        length = partial.tokens.shape[-1]
        for row, one in enumerate(active):
            if length < one.max_length or len(one.hypotheses) >= self.beam:
                continue
            totals = partial.log_probabilities[row].tolist()
            for ids, total in zip(partial.tokens[row].tolist(), totals, strict=True):
                if total > -torch.inf:
                    one.hypotheses.append(Hypothesis(ids, self.score(total, length), False))

    def done(self, one: FinishedHypotheses, partial: PartialHypotheses) -> bool:
        return len(one.hypotheses) >= self.beam or partial.tokens.shape[-1] >= one.max_length

    def score(self, log_probability: float, length: int) -> float:
        return log_probability / length**self.length_penalty
