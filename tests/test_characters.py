"""Convolutions over characters: products of the n-grams inside words equal convolutions over padded words."""

from functools import partial

import pytest
import torch
from torch import Tensor

from models.cells.gru import GRUCell
from models.characters import (
    ConvolutionalFeatures,
    EmbeddedCharacters,
    NgramCharacters,
    NoCharacters,
    RecurrentFeatures,
    SummedCharacters,
)
from models.encoder import Encoder
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


def ngram_encoder(**changes: object) -> NgramCharacters:
    torch.manual_seed(0)
    values = {"output_size": 4, "widths": [1, 3], "buckets": 101, "dropout": 0.0, "ngram_dropout": 0.0}
    return NgramCharacters(60, 1, **{**values, **changes})  # type: ignore[arg-type]


def test_the_bucket_of_an_ngram_is_its_polynomial_hash() -> None:
    characters = torch.tensor([[7, 8, 9, 50], [5, 6, 0, 0]])
    found = ngram_encoder().ngrams(characters, characters != 0)

    def bucket(*ngram: int) -> int:
        code = len(ngram)
        for character in ngram:
            code = (code * 1_000_003 + character) % 2_147_483_647
        return code % 100 + 1

    assert found.tolist() == [
        [bucket(7), bucket(8), bucket(9), bucket(50), bucket(7, 8, 9), bucket(8, 9, 50), 0, 0],
        [bucket(5), bucket(6), 0, 0, 0, 0, 0, 0],
    ]


def test_the_vectors_of_ngrams_are_summed_and_bucket_zero_stays_empty() -> None:
    model, characters = ngram_encoder(), torch.tensor([[7, 8, 9, 50], [5, 6, 0, 0], [0, 0, 0, 0]])
    ngrams, table = model.ngrams(characters, characters != 0), model.vectors.weight
    vectors = model(characters, characters != 0)
    torch.testing.assert_close(vectors[0], table[ngrams[0]].sum(dim=0) / 6**0.5)
    torch.testing.assert_close(vectors[1], table[ngrams[1]].sum(dim=0) / 2**0.5)
    assert vectors[2].eq(0).all() and table[0].eq(0).all() and table[1:].ne(0).all()
    vectors.sum().backward()
    assert table.grad is not None and table.grad[0].eq(0).all() and table.grad[ngrams[1, 0]].ne(0).all()
    wide = ngram_encoder(output_size=64, buckets=500).vectors.weight[1:]
    assert wide.norm(dim=1).mean().item() == pytest.approx(1, rel=0.05)
    single = torch.tensor([[7]])
    torch.testing.assert_close(ngram_encoder(widths=[1])(single, single != 0)[0], table[ngrams[0, 0]])
    assert ngram_encoder(dropout=0.5)(characters, characters != 0)[0].eq(0).any()


def test_a_word_is_a_linear_layer_of_its_features_with_dropout_around_them() -> None:
    torch.manual_seed(0)
    model = EmbeddedCharacters(
        60, 1, 4, partial(ConvolutionalFeatures, widths=[2], filters=50), 5, dropout=0.5, character_dropout=0.25
    )
    characters = torch.randint(4, 60, (20, 9))
    mask = torch.ones_like(characters, dtype=torch.bool)
    seen: list[Tensor] = []
    model.output.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    trained, answered = model(characters, mask), model.eval()(characters, mask)
    assert not torch.equal(trained, answered)
    assert seen[0].eq(0).float().mean() > 0.4 + seen[1].eq(0).float().mean() / 2
    features = model.features(model.embedding.vectors(characters), mask)
    torch.testing.assert_close(answered, model.output(features))
    embedding = model.embedding
    assert (embedding.word_dropout, embedding.unknown_id, embedding.dropout.rate) == (0.25, 1, 0.5)
    assert (model.num_characters, model.unknown_id, model.output_size) == (60, 1, 4)


def test_recurrent_features_are_the_final_state_over_the_characters() -> None:
    torch.manual_seed(0)
    encoder = Encoder(GRUCell, 5, 4, num_layers=1, bidirectional=True, dropout=0.0)
    features, inputs = RecurrentFeatures(5, encoder), torch.randn(5, 9, 5)
    assert features.output_size == 8
    assert torch.equal(features(inputs, MASK), encoder(inputs, MASK).final_state)
    with pytest.raises(ValueError, match="cannot read inputs of 6 features"):
        RecurrentFeatures(6, encoder)


def test_a_sum_of_two_vectors_has_both() -> None:
    torch.manual_seed(0)
    part = partial(NgramCharacters, output_size=4, buckets=50, dropout=0.0, ngram_dropout=0.0)
    model = SummedCharacters(10, 1, 4, partial(part, widths=[1]), partial(part, widths=[2]))
    characters, mask = torch.tensor([[3, 4, 5]]), torch.ones(1, 3, dtype=torch.bool)
    first, second = (one(characters, mask) for one in model.parts)
    torch.testing.assert_close(model(characters, mask), first + second)
    assert [one.num_characters for one in model.parts] == [10, 10] and {one.unknown_id for one in model.parts} == {1}
    assert (model.num_characters, model.unknown_id, model.output_size) == (10, 1, 4)


def test_ngrams_wider_than_the_longest_word_read_padding_as_zeros() -> None:
    torch.manual_seed(0)
    features = ConvolutionalFeatures(2, widths=[4], filters=3)
    inputs, mask = torch.randn(2, 2, 2), torch.tensor([[True, True], [True, False]])
    (filters,) = features.filters
    padded = torch.cat([inputs * mask[..., None], torch.zeros(2, 3, 2)], dim=1).transpose(1, 2)
    activations = filters(padded)
    expected = torch.stack([activations[0, :, :2].amax(dim=1), activations[1, :, 0]]).clamp(min=0)
    torch.testing.assert_close(features(inputs, mask), expected)
    assert features.output_size == 3
