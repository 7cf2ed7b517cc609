"""Ways to find a likely sentence one token at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from models.attention import Memory
from models.cells.base import State

# (last tokens [N], memory of B sentences, state) -> (log-probabilities [N, V], the next state); N = B K, as in Decoder
Advance = Callable[[Tensor, Memory, State], tuple[Tensor, State]]


class Hypothesis(NamedTuple):
    """A sentence that was written."""

    tokens: list[int]  # without the end
    score: float  # log-probability, the end's included, divided by a power of the length
    ended: bool  # false where the limit cut it off


def greedy(advance: Advance, memory: Memory, state: State, limits: Tensor, begin: int, end: int) -> list[list[int]]:
    """The likeliest token at every step, for B sentences, each up to its own limit [B] of tokens."""
    tokens = torch.full_like(limits, begin)
    alive = torch.ones_like(limits, dtype=torch.bool)
    written = []
    for position in range(1, int(limits.max()) + 1):
        log_probabilities, state = advance(tokens, memory, state)
        tokens = log_probabilities.argmax(dim=-1).masked_fill(~alive, end)
        written.append(tokens)
        alive = alive & (tokens != end) & (position < limits)
        if not alive.any():
            break
    rows = torch.stack(written, dim=1).tolist()
    return [ids[: ids.index(end)] if end in ids else ids for ids in rows]


@dataclass
class Findings:
    """What has been found for one sentence."""

    limit: int  # how many tokens it may have, the end included
    found: list[Hypothesis] = field(default_factory=list)

    @property
    def best_first(self) -> list[Hypothesis]:
        """Those that came to an end, then those cut off, each by score."""
        return sorted(self.found, key=lambda hypothesis: (hypothesis.ended, hypothesis.score), reverse=True)


class Beams(NamedTuple):
    """K beginnings for each of B sentences."""

    totals: Tensor  # [B, K] log-probabilities
    written: Tensor  # [B, K, tokens so far]

    def select(self, columns: Tensor) -> "Beams":
        """Some of the beginnings of every sentence: [B, K'] positions -> K' for each."""
        written = self.written.gather(1, columns.unsqueeze(-1).expand(-1, -1, self.written.shape[-1]))
        return Beams(self.totals.gather(1, columns), written)


class BeamSearch:
    """The ``beam`` likeliest beginnings at every step, for all sentences of a batch at once.

    A beginning that ends is kept aside, and the next best takes its place; a sentence is done when ``beam`` of them
    have ended or its limit is reached. ``beam=1`` is greedy search. What is found for a sentence does not depend on
    the others in its batch.

    Args:
        beam: K, how many beginnings.
        length_penalty: scores are log-probabilities divided by the length to this power (Wu et al., 2016, simplified);
            0 favours short sentences.
        max_length_factor, max_length_extra: for n source tokens, up to factor n + extra are written.
    """

    def __init__(self, beam: int, length_penalty: float, max_length_factor: float, max_length_extra: int) -> None:
        if beam < 1:
            raise ValueError(f"beam={beam}: a search keeps at least one hypothesis.")
        if max_length_factor < 0 or max_length_extra < 1:
            raise ValueError("A search writes at least one token: max_length_factor >= 0 and max_length_extra >= 1.")
        self.beam, self.length_penalty = beam, length_penalty
        self.max_length_factor, self.max_length_extra = max_length_factor, max_length_extra

    def limits(self, mask: Tensor) -> Tensor:
        """How many tokens may be written for each sentence, the end included: [B, T] -> [B]."""
        return (mask.sum(dim=1) * self.max_length_factor).long() + self.max_length_extra

    def __call__(
        self, advance: Advance, memory: Memory, state: State, limits: Tensor, begin: int, end: int
    ) -> list[list[Hypothesis]]:
        """Up to ``beam`` hypotheses for each of B sentences, best first."""
        findings = [Findings(limit) for limit in limits.tolist()]
        unfinished = findings
        beams = Beams(self.first_totals(limits), limits.new_empty(len(findings), self.beam, 0))
        tokens = limits.new_full((len(findings) * self.beam,), begin)
        state = tuple(entry.repeat_interleave(self.beam, dim=0) for entry in state)
        while unfinished:
            log_probabilities, state = advance(tokens, memory, state)
            candidates, origins = self.candidates(beams, log_probabilities)
            self.keep_ended(unfinished, candidates, end)
            continuing = self.continuing(candidates, end)
            beams, origins = candidates.select(continuing), origins.gather(1, continuing)
            self.keep_cut(unfinished, beams)

            left = [row for row, one in enumerate(unfinished) if not self.done(one, beams)]
            rows = torch.tensor(left, dtype=torch.long, device=limits.device)
            unfinished = [unfinished[row] for row in left]
            beams = Beams(*(part.index_select(0, rows) for part in beams))
            memory = memory.select(rows) if len(rows) < len(memory.mask) else memory
            origins = (origins.index_select(0, rows) + rows.unsqueeze(1) * self.beam).flatten()
            state = tuple(entry.index_select(0, origins) for entry in state)
            tokens = beams.written[:, :, -1].flatten()
        return [one.best_first[: self.beam] for one in findings]

    def first_totals(self, limits: Tensor) -> Tensor:
        """All beginnings are alike at first, so that only one of them may be continued."""
        totals = torch.full((len(limits), self.beam), -torch.inf, device=limits.device)
        totals[:, 0] = 0.0
        return totals

    def candidates(self, beams: Beams, log_probabilities: Tensor) -> tuple[Beams, Tensor]:
        """The 2 K best continuations, best first, and which of the K beginnings each continues.

        Of 2 K, at least K do not end, since every beginning ends in one way only.
        """
        batch, vocabulary = len(beams.totals), log_probabilities.shape[-1]
        totals = beams.totals.unsqueeze(-1) + log_probabilities.view(batch, self.beam, vocabulary)
        best, places = totals.flatten(1).topk(2 * self.beam)
        origins = places // vocabulary
        written = beams.select(origins).written
        return Beams(best, torch.cat([written, (places % vocabulary).unsqueeze(-1)], dim=-1)), origins

    def continuing(self, candidates: Beams, end: int) -> Tensor:
        """Where the K best candidates are that do not end: [B, K]."""
        ended = candidates.written[:, :, -1] == end
        return ended.to(torch.uint8).argsort(dim=1, stable=True)[:, : self.beam]

    def keep_ended(self, findings: list[Findings], candidates: Beams, end: int) -> None:
        """Put aside those among the K best candidates that end."""
        best = Beams(candidates.totals[:, : self.beam], candidates.written[:, : self.beam])
        ended = (best.written[:, :, -1] == end) & best.totals.isfinite()
        for row, column in ended.nonzero().tolist():
            tokens, total = best.written[row, column].tolist(), best.totals[row, column].item()
            findings[row].found.append(Hypothesis(tokens[:-1], self.score(total, len(tokens)), True))

    def keep_cut(self, findings: list[Findings], beams: Beams) -> None:
        """Put aside what stands where the limit is reached and too little has ended."""
        length = beams.written.shape[-1]
        for row, one in enumerate(findings):
            if length < one.limit or len(one.found) >= self.beam:
                continue
            for tokens, total in zip(beams.written[row].tolist(), beams.totals[row].tolist(), strict=True):
                if total > -torch.inf:
                    one.found.append(Hypothesis(tokens, self.score(total, length), False))

    def done(self, findings: Findings, beams: Beams) -> bool:
        return len(findings.found) >= self.beam or beams.written.shape[-1] >= findings.limit

    def score(self, total: float, length: int) -> float:
        return total / length**self.length_penalty
