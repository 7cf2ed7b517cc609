"""Flat arrays, buckets and batches: every row once, within the bounds, padded at the right."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.batch import PairBatch, Ragged
from data.buckets import by_length, cut_into_batches, short_to_long, shuffled_buckets
from data.classification import EncodedTexts, LabelledText
from data.corpus import Codec, Split

ragged = st.lists(st.lists(st.integers(1, 99), max_size=12), min_size=1, max_size=40)


@given(ragged, st.integers(1, 60), st.integers(1, 10), st.integers(0, 5))
def test_every_row_is_in_one_batch_within_bounds(rows: list[list[int]], tokens: int, sentences: int, seed: int) -> None:
    lengths = Ragged.of(rows).lengths
    for batches in (
        by_length(lengths, tokens, sentences),
        shuffled_buckets(lengths, tokens, sentences, np.random.default_rng(seed)),
    ):
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(rows)))
        for batch in batches:
            assert len(batch) <= sentences
            assert len(batch) == 1 or len(batch) * lengths[batch].max() <= tokens


@given(ragged, st.randoms())
def test_padded_rows_are_the_rows(rows: list[list[int]], random: object) -> None:
    chosen = np.array([random.randrange(len(rows)) for _ in range(5)])
    ids, mask = Ragged.of(rows).pad(chosen)
    assert [row[keep].tolist() for row, keep in zip(ids, mask, strict=True)] == [rows[i] for i in chosen]
    assert ids[~mask].eq(0).all()
    assert torch.equal(mask, mask.sort(dim=1, descending=True).values)


def test_the_order_belongs_to_the_seed() -> None:
    lengths = np.arange(500) % 23 + 1
    orders = [shuffled_buckets(lengths, 100, 50, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    flat = [np.concatenate(order).tolist() for order in orders]
    assert flat[0] == flat[1] != flat[2]


def test_buckets_leave_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 80, size=5000)
    batches = shuffled_buckets(lengths, 2000, 500, np.random.default_rng(0))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert lengths.sum() / padded > 0.9


class InOrder(np.random.Generator):
    """A generator that leaves every order as it is."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def permutation(self, number: int) -> np.ndarray:  # type: ignore[override]
        return np.arange(number)


@pytest.mark.parametrize(
    ("lengths", "tokens", "number", "bucket"),
    [
        ([4, 2] * 10, 12, 2, 8),  # 4 rows of 3 tokens in a batch
        ([4, 2] * 10, 1, 3, 3),  # a row in a batch, though longer than it
        ([1, 0, 0, 0], 1, 1, 4),
        ([[4, 1], [2, 3]] * 20, 20, 2, 2 * 4 * 4),  # two sides
        ([4, 2] * 30, 1, None, 50),
    ],
)
def test_rows_are_sorted_within_buckets(lengths: list, tokens: int, number: int | None, bucket: int) -> None:
    given = np.array(lengths)
    batches = shuffled_buckets(
        given, tokens, 99, InOrder(), **({} if number is None else {"batches_per_bucket": number})
    )
    starts = range(0, len(given), bucket)
    sorted_rows = [start + short_to_long(given[start : start + bucket]) for start in starts]
    assert np.concatenate(batches).tolist() == np.concatenate(sorted_rows).tolist()


class Letters(Codec[LabelledText]):
    """One id per letter; resampling writes every text backwards."""

    example_type, max_length = LabelledText, None

    def fit(self, train: list[LabelledText]) -> None: ...

    def encode(self, examples: list[LabelledText]) -> EncodedTexts:
        rows = Ragged.of([[ord(letter) for letter in example.text] for example in examples])
        return EncodedTexts(rows, np.zeros(len(examples), dtype=np.int64), 0)

    def resample(self, encoded: EncodedTexts, examples: list[LabelledText], seed: int) -> EncodedTexts:
        return self.encode([example._replace(text=example.text[::-1]) for example in examples]) if seed else encoded

    def unlabelled(self, line: str) -> LabelledText:
        return LabelledText(line, "")

    def decode(self, predictions: list) -> list:
        return predictions

    def save(self, directory: object) -> None: ...

    def load(self, directory: object) -> None: ...


def test_a_split_gives_its_batches_by_length_and_shuffled() -> None:
    texts = ["abc"[: n % 3 + 1] * (n + 1) for n in range(40)]
    split = Split.of([LabelledText(text, "x") for text in texts], Letters())
    assert len(split) == 40 and [example.text for example in split.examples] == texts
    by_length = list(split.by_length(tokens=200, sentences=7))
    lengths = [int(length) for batch in by_length for length in batch.mask.sum(dim=1)]
    assert lengths == sorted(map(len, texts)) and len(split.by_length(200, 7)) == len(by_length)
    assert all(batch.num_positions <= 200 and len(batch.rows) <= 7 for batch in by_length)
    orders = []
    for seed in (0, 0, 1):
        batches = list(split.shuffled(tokens=200, sentences=7, seed=seed))
        assert all(batch.num_positions <= 200 and len(batch.rows) <= 7 for batch in batches)
        for batch in batches:
            for row, tokens, mask in zip(batch.rows, batch.tokens, batch.mask, strict=True):
                assert "".join(map(chr, tokens[mask])) == (texts[row][::-1] if seed else texts[row])
        orders.append([row for batch in batches for row in batch.rows.tolist()])
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == list(range(40)) for order in orders)


def test_batches_move_to_a_device_and_count_their_tokens() -> None:
    batch = Letters().encode([LabelledText("abc", "x"), LabelledText("d", "x")]).batch(np.array([1, 0]))
    moved = batch.to(torch.device("cpu"))
    assert moved.rows is batch.rows and torch.equal(moved.tokens, batch.tokens)
    assert batch.num_tokens == 4 and batch.num_positions == 6
    pairs = PairBatch(batch.rows, batch.tokens, batch.mask, batch.tokens, batch.mask)
    assert pairs.num_tokens == 8 and pairs.num_positions == 12


def test_rows_are_one_flat_array_of_small_numbers() -> None:
    rows = Ragged.of(iter([[5, 6], [], [7]]))
    assert rows.values.tolist() == [5, 6, 7] and rows.offsets.tolist() == [0, 2, 2, 3]
    assert (rows.values.dtype, rows.offsets.dtype) == (np.int32, np.int64)
    assert len(rows) == 3 and rows.lengths.tolist() == [2, 0, 1]
    ids, mask = rows.pad(np.array([2, 1, 0, 2]))
    assert ids.tolist() == [[7, 0], [0, 0], [5, 6], [7, 0]] and ids.dtype == torch.int64
    assert mask.tolist() == [[True, False], [False, False], [True, True], [True, False]]
    for chosen in (np.array([1]), np.array([], dtype=np.int64)):
        ids, mask = rows.pad(chosen)
        assert ids.shape == mask.shape == (len(chosen), 1) and not mask.any() and not ids.any()


def test_every_tensor_of_a_batch_moves_and_its_rows_stay() -> None:
    batch = Letters().encode([LabelledText("abc", "x"), LabelledText("d", "x")]).batch(np.array([1, 0]))
    moved = batch.to(torch.device("meta"))
    assert type(moved) is type(batch) and moved.rows is batch.rows
    for name in ("tokens", "mask", "targets", "target_mask"):
        assert getattr(moved, name).device.type == "meta" and getattr(moved, name).shape == getattr(batch, name).shape


def test_rows_of_two_sides_fill_batches_on_both() -> None:
    generator = np.random.default_rng(0)
    source = generator.integers(1, 40, size=3000)
    lengths = np.stack([source, np.clip(source + generator.integers(-9, 9, size=3000), 1, None)], axis=1)
    batches = shuffled_buckets(lengths, 1000, 500, generator)
    padded = sum(len(batch) * lengths[batch].max(axis=0).sum() for batch in batches)
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max(axis=0).sum() <= 1000 for batch in batches)
    assert lengths.sum() / padded > 0.85


@pytest.mark.parametrize(
    "lengths, tokens, sentences, sizes",
    [
        ([1] * 10, 4, 99, [4, 4, 2]),
        ([1] * 10, 99, 3, [3, 3, 3, 1]),
        ([1, 2, 3, 9, 9], 6, 99, [2, 1, 1, 1]),
        ([2, 2, 2, 3], 6, 99, [3, 1]),
        ([[1, 5], [2, 4], [3, 3]], 14, 99, [2, 1]),
        ([[5, 1], [1, 5], [1, 1]], 20, 99, [2, 1]),
    ],
)
def test_batches_are_cut_where_the_next_row_would_exceed_a_bound(
    lengths: list, tokens: int, sentences: int, sizes: list[int]
) -> None:
    batches = cut_into_batches(np.arange(len(lengths)), np.array(lengths), tokens, sentences)
    assert [len(batch) for batch in batches] == sizes
    assert [row for batch in batches for row in batch] == list(range(len(lengths)))


def test_rows_are_sorted_by_length_and_the_second_side_alternates() -> None:
    lengths = np.array([[3, 1], [1, 2], [3, 9], [2, 8], [1, 5], [2, 4], [3, 1]])
    assert short_to_long(lengths).tolist() == [4, 1, 5, 3, 2, 0, 6]
    assert short_to_long(np.array([2, 1, 2, 0])).tolist() == [3, 1, 0, 2]
