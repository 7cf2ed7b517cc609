"""Search finds the likeliest sentences, whatever else is in the batch."""

import itertools

import pytest
import torch
from torch import Tensor

from models.attention import Memory
from models.cells.base import State
from models.search import BeamSearch, greedy

BEGIN, END, VOCABULARY = 2, 3, 6
NEVER = 0


class Chain:
    """A language in which a token depends on the last two and on the sentence: tables, softened by a temperature."""

    def __init__(self, sentences: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(sentences, VOCABULARY, VOCABULARY, VOCABULARY, generator=generator) * 1.5
        logits[..., NEVER] = -torch.inf
        logits[..., BEGIN] = -torch.inf
        self.table = logits.log_softmax(dim=-1)

    def start(self, rows: list[int]) -> tuple[Memory, State]:
        """Memory knows which sentence it is; the state is the last but one token, in two entries."""
        number = torch.tensor(rows, dtype=torch.float32).view(-1, 1, 1)
        before = torch.full((len(rows), 1), float(BEGIN))
        return Memory(number, number, torch.ones(len(rows), 1, dtype=torch.bool)), (before, -before)

    def advance(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        before, negated = state
        assert torch.equal(before, -negated), "the entries of a state went different ways"
        numbers = memory.values.flatten().long().repeat_interleave(len(tokens) // len(memory.mask))
        following = tokens.unsqueeze(1).float()
        return self.table[numbers, before.flatten().long(), tokens], (following, -following)

    def log_probability(self, number: int, tokens: list[int]) -> float:
        path = [BEGIN, BEGIN, *tokens]
        return sum(self.table[number, a, b, c].item() for a, b, c in zip(path, path[1:], path[2:], strict=False))


def search(beam: int, length_penalty: float = 1.0) -> BeamSearch:
    return BeamSearch(beam, length_penalty, max_length_factor=0.0, max_length_extra=4)


def found(chain: Chain, rows: list[int], limits: list[int], beam: int, length_penalty: float = 1.0):
    return search(beam, length_penalty)(chain.advance, *chain.start(rows), torch.tensor(limits), BEGIN, END)


def ended_sentences(limit: int) -> list[list[int]]:
    words = [token for token in range(VOCABULARY) if token not in (NEVER, BEGIN, END)]
    return [list(s) for length in range(limit) for s in itertools.product(words, repeat=length)]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
def test_a_wide_beam_finds_all_there_is_in_the_right_order(length_penalty: float) -> None:
    chain, limit = Chain(3), 4
    for number, nbest in enumerate(found(chain, [0, 1, 2], [limit] * 3, 200, length_penalty)):
        scores = {
            tuple(tokens): chain.log_probability(number, [*tokens, END]) / (len(tokens) + 1) ** length_penalty
            for tokens in ended_sentences(limit)
        }
        expected = sorted(scores, key=lambda tokens: -scores[tokens])
        ended = [hypothesis for hypothesis in nbest if hypothesis.ended]
        assert [tuple(hypothesis.tokens) for hypothesis in ended] == expected
        assert [hypothesis.score for hypothesis in ended] == pytest.approx([scores[tokens] for tokens in expected])
        assert not any(hypothesis.ended for hypothesis in nbest[len(ended) :])


def test_a_beam_of_one_is_greedy_search() -> None:
    chain, rows = Chain(40), list(range(40))
    limits = [1 + number % 9 for number in rows]
    one = [nbest[0].tokens for nbest in found(chain, rows, limits, beam=1)]
    assert one == greedy(chain.advance, *chain.start(rows), torch.tensor(limits), BEGIN, END)
    assert {len(tokens) for tokens in one} > {1, 2}


def test_greedy_search_takes_the_likeliest_token_every_time() -> None:
    chain = Chain(5)
    for number, tokens in enumerate(greedy(chain.advance, *chain.start([*range(5)]), torch.full((5,), 7), BEGIN, END)):
        path = [BEGIN, BEGIN, *tokens]
        for a, b, c in zip(path, path[1:], path[2:], strict=False):
            assert chain.table[number, a, b].argmax() == c
        assert len(tokens) == 7 or chain.table[number, path[-2], path[-1]].argmax() == END


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_a_sentence_is_searched_the_same_in_any_batch(beam: int) -> None:
    chain, rows = Chain(12), list(range(12))
    limits = [3 + number % 6 for number in rows]
    together = found(chain, rows, limits, beam)
    assert together == [found(chain, [row], [limit], beam)[0] for row, limit in zip(rows, limits, strict=True)]
    backwards = found(chain, rows[::-1], limits[::-1], beam)
    assert together == backwards[::-1]


@pytest.mark.parametrize("beam", [2, 3, 5])
def test_the_n_best_are_different_and_best_first(beam: int) -> None:
    for nbest in found(Chain(20, seed=1), [*range(20)], [8] * 20, beam):
        assert len(nbest) == beam
        assert len({tuple(hypothesis.tokens) for hypothesis in nbest}) == beam
        for kind in (True, False):
            scores = [hypothesis.score for hypothesis in nbest if hypothesis.ended == kind]
            assert scores == sorted(scores, reverse=True)


def test_a_score_is_the_log_probability_by_length() -> None:
    chain = Chain(6, seed=2)
    for number, nbest in enumerate(found(chain, [*range(6)], [8] * 6, 4, length_penalty=0.7)):
        for tokens, score, ended in nbest:
            whole = [*tokens, END] if ended else tokens
            assert score == pytest.approx(chain.log_probability(number, whole) / len(whole) ** 0.7, rel=1e-5)


def test_what_has_ended_is_kept_while_the_search_goes_on() -> None:
    """A sentence that ends at once, and is the likeliest, is not pushed out by longer ones found later."""
    chain = Chain(1)
    table = torch.full((VOCABULARY,) * 3, -torch.inf)
    table[..., 4] = 0.3
    table[..., 5] = 0.25
    table[..., END] = 0.1
    table[BEGIN, BEGIN, END] = 2.0
    chain.table = table.log_softmax(dim=-1).unsqueeze(0)
    best = found(chain, [0], [6], beam=3, length_penalty=0.0)[0][0]
    assert (best.tokens, best.ended) == ([], True)


def test_no_sentence_is_longer_than_its_limit() -> None:
    chain = Chain(8)
    chain.table[..., END] = -1e4
    limits = [1, 2, 3, 4, 5, 6, 7, 8]
    for limit, nbest in zip(limits, found(chain, [*range(8)], limits, beam=3), strict=True):
        assert all(len(hypothesis.tokens) == limit and not hypothesis.ended for hypothesis in nbest)
    mask = torch.arange(5) < torch.tensor([[5], [2]])
    assert BeamSearch(1, 1.0, max_length_factor=1.5, max_length_extra=3).limits(mask).tolist() == [10, 6]


def test_options_that_make_no_search_are_refused() -> None:
    with pytest.raises(ValueError, match="beam=0: a search keeps at least one hypothesis"):
        search(0)
    with pytest.raises(ValueError, match="A search writes at least one token"):
        BeamSearch(2, 1.0, max_length_factor=1.0, max_length_extra=0)
