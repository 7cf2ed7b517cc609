"""Batches of sentences of like length: little padding, and yet a new order in every epoch."""

import numpy as np


def in_batches(order: np.ndarray, lengths: np.ndarray, tokens: int, sentences: int) -> list[np.ndarray]:
    """Cut an order of rows into batches of at most ``tokens`` padded tokens and at most ``sentences`` rows.

    Lengths are [rows], or [rows, sides] where a row has several sides, each padded on its own. A row longer than
    ``tokens`` is a batch of its own.
    """
    batches, start, longest = [], 0, [0]
    for position, sides in enumerate(lengths.reshape(len(lengths), -1)[order].tolist()):
        longest = sides if position == start else list(map(max, longest, sides))
        size = position - start + 1
        if size > 1 and (size * sum(longest) > tokens or size > sentences):
            batches.append(order[start:position])
            start, longest = position, sides
    if len(order) > start:
        batches.append(order[start:])
    return batches


def shuffled_buckets(
    lengths: np.ndarray, tokens: int, sentences: int, generator: np.random.Generator, batches_per_bucket: int = 50
) -> list[np.ndarray]:
    """Shuffle the rows, sort by length within buckets of about 50 batches, cut, and shuffle the batches.

    Rows of two sides are alike in both only where there are more to choose from: their buckets are four times as large.
    """
    order = generator.permutation(len(lengths))
    rows_per_batch = max(1, tokens * len(lengths) // max(1, int(lengths.sum())))
    bucket = batches_per_bucket * rows_per_batch * lengths[:1].size ** 2
    batches: list[np.ndarray] = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        batches += in_batches(rows[short_to_long(lengths[rows])], lengths, tokens, sentences)
    return [batches[i] for i in generator.permutation(len(batches))]


def by_length(lengths: np.ndarray, tokens: int, sentences: int) -> list[np.ndarray]:
    """All rows from short to long: the least padding, for reading without learning."""
    return in_batches(short_to_long(lengths), lengths, tokens, sentences)


def short_to_long(lengths: np.ndarray) -> np.ndarray:
    """The order of rows by length, stable.

    Rows of two sides go by the first; among equals the second rises and falls by turns, so that neighbours are alike.
    """
    first, *second = lengths.reshape(len(lengths), -1).T
    turns = [np.where(first % 2, -side, side) for side in second]
    return np.lexsort([*turns, first])
