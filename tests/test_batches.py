"""Flat arrays, buckets and batches: every row once, within the bounds, padded at the right."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.batch import Ragged
from data.buckets import by_length, shuffled_buckets

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
