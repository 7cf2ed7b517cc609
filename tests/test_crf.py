"""The linear-chain CRF against an enumeration of all label sequences."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from models.crf import LinearChainCRF

LENGTHS = [4, 1, 3, 0, 2]
LABELS = 3


@pytest.fixture
def crf() -> LinearChainCRF:
    torch.manual_seed(0)
    crf = LinearChainCRF(LABELS)
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf


@pytest.fixture
def emissions() -> Tensor:
    return torch.randn(len(LENGTHS), max(LENGTHS), LABELS, generator=torch.Generator().manual_seed(1))


def mask_of(lengths: list[int]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def score(crf: LinearChainCRF, emissions: Tensor, labels: tuple[int, ...]) -> Tensor:
    """The definition, for one sequence."""
    if not labels:
        return torch.zeros(())
    total = crf.start_transitions[labels[0]] + crf.end_transitions[labels[-1]]
    for step, label in enumerate(labels):
        total = total + emissions[step, label]
    for before, after in pairwise(labels):
        total = total + crf.transitions[before, after]
    return total


def label_sequences(length: int) -> list[tuple[int, ...]]:
    return list(product(range(LABELS), repeat=length))


def padded(labels: list[tuple[int, ...]]) -> Tensor:
    return torch.tensor([[*row, *[0] * (max(LENGTHS) - len(row))] for row in labels])


def test_log_likelihood_equals_the_definition(crf: LinearChainCRF, emissions: Tensor) -> None:
    chosen = [label_sequences(length)[-2 if length else 0] for length in LENGTHS]
    got = crf.log_likelihood(emissions, padded(chosen), mask_of(LENGTHS))
    for row, (length, labels) in enumerate(zip(LENGTHS, chosen, strict=True)):
        scores = torch.stack([score(crf, emissions[row], other) for other in label_sequences(length)])
        torch.testing.assert_close(got[row], score(crf, emissions[row], labels) - scores.logsumexp(0))


@pytest.mark.parametrize("length", [1, 2, 4])
def test_probabilities_of_all_label_sequences_sum_to_one(crf: LinearChainCRF, emissions: Tensor, length: int) -> None:
    every = torch.tensor(label_sequences(length))
    repeated = emissions[:1, :length].expand(len(every), -1, -1)
    likelihoods = crf.log_likelihood(repeated, every, torch.ones_like(every, dtype=torch.bool))
    torch.testing.assert_close(likelihoods.exp().sum(), torch.tensor(1.0))


def test_viterbi_finds_the_best_of_all_label_sequences(crf: LinearChainCRF) -> None:
    for seed in range(20):
        emissions = torch.randn(len(LENGTHS), max(LENGTHS), LABELS, generator=torch.Generator().manual_seed(seed))
        best = crf.decode(emissions, mask_of(LENGTHS))
        for row, length in enumerate(LENGTHS):
            expected = max(label_sequences(length), key=lambda labels: score(crf, emissions[row], labels).item())
            assert best[row].tolist() == [*expected, *[0] * (max(LENGTHS) - length)]


def test_gradients_are_the_observed_counts_minus_the_expected(crf: LinearChainCRF, emissions: Tensor) -> None:
    """d log p / d emissions[t, k] = [y_t = k] - p(y_t = k), by the definition."""
    emissions = emissions[:1].requires_grad_()
    labels = torch.tensor([[2, 0, 1, 1]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    crf.log_likelihood(emissions, labels, mask).sum().backward()
    scores = torch.stack([score(crf, emissions[0], other) for other in label_sequences(4)]).detach().softmax(0)
    expected = torch.zeros(4, LABELS)
    for probability, other in zip(scores, label_sequences(4), strict=True):
        expected[range(4), other] -= probability
    expected[range(4), labels[0]] += 1
    assert emissions.grad is not None
    torch.testing.assert_close(emissions.grad[0], expected)


def test_padding_never_changes_a_sequence(crf: LinearChainCRF, emissions: Tensor) -> None:
    labels = torch.ones(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    together = crf.log_likelihood(emissions, labels, mask_of(LENGTHS))
    best = crf.decode(emissions, mask_of(LENGTHS))
    for row, length in enumerate(LENGTHS):
        if length:
            alone = emissions[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool)
            likelihood = crf.log_likelihood(alone[0], labels[row : row + 1, :length], alone[1])
            torch.testing.assert_close(together[row : row + 1], likelihood)
            assert best[row, :length].tolist() == crf.decode(*alone)[0].tolist()


def test_transitions_are_learned() -> None:
    """With constant emissions, the transitions learn that labels alternate."""
    torch.manual_seed(0)
    crf = LinearChainCRF(2)
    labels = torch.tensor([[0, 1, 0, 1, 0, 1]])
    emissions, mask = torch.zeros(1, 6, 2), torch.ones(1, 6, dtype=torch.bool)
    optimizer = torch.optim.SGD(crf.parameters(), lr=0.5)
    for _ in range(50):
        optimizer.zero_grad()
        (-crf.log_likelihood(emissions, labels, mask).sum()).backward()
        optimizer.step()
    assert crf.decode(emissions, mask).tolist() == labels.tolist()
