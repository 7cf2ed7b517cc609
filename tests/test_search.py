"""Search finds the most probable sentences, independently of the rest of the batch."""

import itertools

import pytest
import torch
from torch import Tensor

from models.attention import Memory
from models.cells.base import State
from models.search import BLOCK, BeamSearch, greedy, largest_sums

BOS, EOS, VOCABULARY = 2, 3, 6
SUPPRESSED = 0


class Chain:
    """A language model in which a token depends on the last two and on the sentence: a table of log-probabilities."""

    def __init__(self, sentences: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(sentences, VOCABULARY, VOCABULARY, VOCABULARY, generator=generator) * 1.5
        logits[..., SUPPRESSED] = -torch.inf
        logits[..., BOS] = -torch.inf
        self.table = logits.log_softmax(dim=-1)

    def start(self, rows: list[int]) -> tuple[Memory, State]:
        """The memory holds the number of the sentence; the state is the last token but one, twice in two entries."""
        number = torch.tensor(rows, dtype=torch.float32).view(-1, 1, 1)
        before = torch.full((len(rows), 2), float(BOS))
        return Memory(number, number, torch.ones(len(rows), 1, dtype=torch.bool)), (before, -before)

    def step(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        before, negated = state
        assert torch.equal(before, -negated), "the entries of a state were selected differently"
        numbers = memory.values.flatten().long().repeat_interleave(len(tokens) // len(memory.mask))
        following = tokens.unsqueeze(1).expand(-1, 2).float()
        return self.table[numbers, before[:, 0].long(), tokens], (following, -following)

    def log_probability(self, number: int, tokens: list[int]) -> float:
        path = [BOS, BOS, *tokens]
        return sum(self.table[number, a, b, c].item() for a, b, c in zip(path, path[1:], path[2:], strict=False))


def search(beam: int, length_penalty: float = 1.0) -> BeamSearch:
    return BeamSearch(beam, length_penalty, max_length_factor=0.0, max_length_extra=4)


def hypotheses(chain: Chain, rows: list[int], max_lengths: list[int], beam: int, length_penalty: float = 1.0):
    return search(beam, length_penalty)(chain.step, *chain.start(rows), torch.tensor(max_lengths), BOS, EOS)


def ended_sentences(max_length: int) -> list[list[int]]:
    words = [token for token in range(VOCABULARY) if token not in (SUPPRESSED, BOS, EOS)]
    return [list(s) for length in range(max_length) for s in itertools.product(words, repeat=length)]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
def test_a_wide_beam_finds_all_sentences_in_order_of_their_scores(length_penalty: float) -> None:
    chain, max_length = Chain(3), 4
    for number, nbest in enumerate(hypotheses(chain, [0, 1, 2], [max_length] * 3, 200, length_penalty)):
        scores = {
            tuple(tokens): chain.log_probability(number, [*tokens, EOS]) / (len(tokens) + 1) ** length_penalty
            for tokens in ended_sentences(max_length)
        }
        expected = sorted(scores, key=lambda tokens: -scores[tokens])
        ended = [hypothesis for hypothesis in nbest if hypothesis.ended]
        assert [tuple(hypothesis.tokens) for hypothesis in ended] == expected
        assert [hypothesis.score for hypothesis in ended] == pytest.approx([scores[tokens] for tokens in expected])
        assert not any(hypothesis.ended for hypothesis in nbest[len(ended) :])


def test_a_beam_of_one_is_greedy_search() -> None:
    chain, rows = Chain(40), list(range(40))
    max_lengths = [1 + number % 9 for number in rows]
    one = [nbest[0].tokens for nbest in hypotheses(chain, rows, max_lengths, beam=1)]
    assert one == greedy(chain.step, *chain.start(rows), torch.tensor(max_lengths), BOS, EOS)
    assert {len(tokens) for tokens in one} > {1, 2}


def test_greedy_search_takes_the_most_probable_token_at_every_step() -> None:
    chain = Chain(5)
    for number, tokens in enumerate(greedy(chain.step, *chain.start([*range(5)]), torch.full((5,), 7), BOS, EOS)):
        path = [BOS, BOS, *tokens]
        for a, b, c in zip(path, path[1:], path[2:], strict=False):
            assert chain.table[number, a, b].argmax() == c
        assert len(tokens) == 7 or chain.table[number, path[-2], path[-1]].argmax() == EOS


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_the_result_for_a_sentence_does_not_depend_on_its_batch(beam: int) -> None:
    chain, rows = Chain(12), list(range(12))
    max_lengths = [3 + number % 6 for number in rows]
    together = hypotheses(chain, rows, max_lengths, beam)
    assert together == [
        hypotheses(chain, [row], [max_length], beam)[0] for row, max_length in zip(rows, max_lengths, strict=True)
    ]
    backwards = hypotheses(chain, rows[::-1], max_lengths[::-1], beam)
    assert together == backwards[::-1]


@pytest.mark.parametrize("beam", [2, 3, 5])
def test_the_n_best_are_different_and_best_first(beam: int) -> None:
    for nbest in hypotheses(Chain(20, seed=1), [*range(20)], [8] * 20, beam):
        assert len(nbest) == beam
        assert len({tuple(hypothesis.tokens) for hypothesis in nbest}) == beam
        for kind in (True, False):
            scores = [hypothesis.score for hypothesis in nbest if hypothesis.ended == kind]
            assert scores == sorted(scores, reverse=True)


def test_a_score_is_the_log_probability_by_length() -> None:
    chain = Chain(6, seed=2)
    for number, nbest in enumerate(hypotheses(chain, [*range(6)], [8] * 6, 4, length_penalty=0.7)):
        for tokens, score, ended in nbest:
            whole = [*tokens, EOS] if ended else tokens
            assert score == pytest.approx(chain.log_probability(number, whole) / len(whole) ** 0.7, rel=1e-5)


def test_a_finished_hypothesis_is_kept_until_the_search_ends() -> None:
    """The most probable sentence, which ends at once, is not replaced by longer ones found later."""
    chain = Chain(1)
    table = torch.full((VOCABULARY,) * 3, -torch.inf)
    table[..., 4] = 0.3
    table[..., 5] = 0.25
    table[..., EOS] = 0.1
    table[BOS, BOS, EOS] = 2.0
    chain.table = table.log_softmax(dim=-1).unsqueeze(0)
    best = hypotheses(chain, [0], [6], beam=3, length_penalty=0.0)[0][0]
    assert (best.tokens, best.ended) == ([], True)


def test_no_sentence_is_longer_than_its_maximum_length() -> None:
    chain = Chain(8)
    chain.table[..., EOS] = -1e4
    max_lengths = [1, 2, 3, 4, 5, 6, 7, 8]
    for max_length, nbest in zip(max_lengths, hypotheses(chain, [*range(8)], max_lengths, beam=3), strict=True):
        assert all(len(hypothesis.tokens) == max_length and not hypothesis.ended for hypothesis in nbest)
    mask = torch.arange(5) < torch.tensor([[5], [2]])
    assert BeamSearch(1, 1.0, max_length_factor=1.5, max_length_extra=3).max_lengths(mask).tolist() == [10, 6]


def test_a_search_begins_with_one_hypothesis_for_each_sentence() -> None:
    partial = search(3).empty_hypotheses(torch.tensor([4, 9]))
    assert partial.tokens.shape == (2, 3, 0)
    assert partial.log_probabilities.tolist() == [[0.0, -torch.inf, -torch.inf]] * 2


def test_invalid_options_are_refused() -> None:
    with pytest.raises(ValueError, match="beam=0: a search keeps at least one hypothesis"):
        search(0)
    for factor, extra in ((1.0, 0), (-0.1, 4)):
        with pytest.raises(ValueError, match=r"^A search generates at least one token"):
            BeamSearch(2, 1.0, max_length_factor=factor, max_length_extra=extra)
    shortest = BeamSearch(2, 1.0, max_length_factor=0.0, max_length_extra=1)
    assert shortest.max_lengths(torch.ones(1, 3, dtype=torch.bool)).tolist() == [1]


@pytest.mark.parametrize("vocabulary", [2, BLOCK - 1, BLOCK, 5 * BLOCK, 5 * BLOCK + 7])
@pytest.mark.parametrize("beam", [1, 3])
def test_the_largest_sums_are_those_of_all(vocabulary: int, beam: int) -> None:
    generator = torch.Generator().manual_seed(vocabulary + beam)
    first, second = torch.randn(4, beam, generator=generator), torch.randn(4, beam, vocabulary, generator=generator)
    first[1, 1:] = -torch.inf  # hypotheses that there are not yet
    second[2, :, 1:] = -torch.inf
    values, indices = largest_sums(first, second, 2 * beam)
    sums = (first.unsqueeze(2) + second).flatten(1)
    assert torch.equal(values, sums.topk(2 * beam).values)
    finite = values.isfinite()
    assert torch.equal(sums.gather(1, indices)[finite], values[finite])
    assert all(len(set(row[keep].tolist())) == keep.sum() for row, keep in zip(indices, finite, strict=True))
