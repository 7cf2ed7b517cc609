"""Convolutions over characters: products of the n-grams inside words equal convolutions over padded words."""

from functools import partial

import pytest
import torch
from torch import Tensor

from models.characters import ConvolutionalFeatures, NoCharacters, SummedCharacters
from models.recurrence import MaxOverTime, pack_steps

LENGTHS = [3, 0, 9, 1, 6]
MASK = torch.arange(9) < torch.tensor(LENGTHS)[:, None]


def result_and_gradients(features: ConvolutionalFeatures, inputs: Tensor) -> list[Tensor]:
    results = features(inputs, MASK)
    return [results, *torch.autograd.grad(results.sin().sum(), [inputs, *features.parameters()])]


def test_ngrams_inside_words_equal_padded_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    features = ConvolutionalFeatures(5, widths=[2, 3, 5], filters=4).double()
    inputs = torch.randn(5, 9, 5, dtype=torch.double, requires_grad=True)
    fast = result_and_gradients(features, inputs)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    monkeypatch.delattr(ConvolutionalFeatures, "without_padding")  # an export has fixed operations
    for got, wanted in zip(fast, result_and_gradients(features, inputs), strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-10, rtol=1e-10)


def test_of_equal_ngrams_one_has_the_gradient() -> None:
    values = torch.tensor([[2.0, -1.0], [2.0, -1.0], [1.0, -1.0]], requires_grad=True)
    steps = pack_steps((3, 0), 3, (False,))
    largest = MaxOverTime.apply(values, steps)
    assert largest.tolist() == [[2.0, 0.0], [0.0, 0.0]]
    largest.sum().backward()
    assert values.grad is not None and values.grad.tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]


def test_only_ngrams_inside_words_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    linear = torch.nn.functional.linear
    monkeypatch.setattr(
        torch.nn.functional, "linear", lambda inputs, *rest: rows.append(len(inputs)) or linear(inputs, *rest)
    )
    ConvolutionalFeatures(5, widths=[2, 3], filters=4)(torch.randn(5, 9, 5), MASK)
    assert rows == [sum(LENGTHS)] * 2


def test_a_batch_without_characters_has_zeros() -> None:
    features = ConvolutionalFeatures(5, widths=[2, 3], filters=4)
    assert features(torch.zeros(2, 1, 5), torch.zeros(2, 1, dtype=torch.bool)).eq(0).all()


def test_vectors_of_another_size_are_not_added() -> None:
    """A sum would repeat a vector of one feature without a word."""
    no_characters, wide = partial(NoCharacters, output_size=1), partial(NoCharacters, output_size=4)
    with pytest.raises(ValueError, match=r"output_size=1 cannot be added to embeddings of 4 features\."):
        SummedCharacters(10, 1, 4, wide, no_characters)
    assert SummedCharacters(10, 1, 4, wide, wide)(torch.ones(2, 3).long(), torch.ones(2, 3).bool()).shape == (2, 4)
