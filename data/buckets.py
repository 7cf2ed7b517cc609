"""Batches of rows of similar length: little padding, in a new order in every epoch."""

import numpy as np


def cut_into_batches(order: np.ndarray, lengths: np.ndarray, tokens: int, sentences: int) -> list[np.ndarray]:
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

    Rows with two sides use buckets four times as large, so that rows of a batch are of similar length on both sides.
    """
    order = generator.permutation(len(lengths))
    rows_per_batch = max(1, tokens * len(lengths) // max(1, int(lengths.sum())))
    bucket = batches_per_bucket * rows_per_batch * lengths[:1].size ** 2
    batches: list[np.ndarray] = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        batches += cut_into_batches(rows[short_to_long(lengths[rows])], lengths, tokens, sentences)
    return [batches[i] for i in generator.permutation(len(batches))]


def by_length(lengths: np.ndarray, tokens: int, sentences: int) -> list[np.ndarray]:
    """All rows from short to long, with the least padding: for inference."""
    return cut_into_batches(short_to_long(lengths), lengths, tokens, sentences)


def short_to_long(lengths: np.ndarray) -> np.ndarray:
    """The order of rows by length, stable.

    Rows with two sides are sorted by the first; the second side alternates between ascending and descending order, so
    that neighbouring rows are of similar length on both sides.
    """
    first, *second = lengths.reshape(len(lengths), -1).T
    alternating = [np.where(first % 2, -side, side) for side in second]
    return np.lexsort([*alternating, first])
