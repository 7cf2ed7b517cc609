"""Vectors of tokens from the company that they keep in the training text."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from data.batch import Ragged
from data.errors import InputError
from data.vocabulary import PAD


def ppmi_svd(texts: Ragged, vocab_size: int, size: int, seed: int, *, window: int) -> np.ndarray:
    """[V, size], rows of length 1: the positive pointwise mutual information of tokens, factored (Levy et al., 2015).

    Two tokens of a text that stand d apart count 1 / d, up to ``window`` apart. The matrix
    max(0, log p(w, c) / (p(w) p'(c))), with p' of counts to the power 0.75, is cut to its ``size`` largest singular
    values s: U sqrt(s). Padding, and a token that keeps no company, have the vector zero.
    """
    if window < 1:
        raise InputError(f"embeddings.window={window}: at least 1 is wanted here.")
    counts = cooccurrences(texts, vocab_size, window)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    smoothed = totals**0.75
    pairs = counts.tocoo()
    rows, columns = pairs.coords
    information = np.log(pairs.data * smoothed.sum()) - np.log(totals[rows]) - np.log(smoothed[columns])
    positive = information > 0
    matrix = csr_array((information[positive], (rows[positive], columns[positive])), shape=counts.shape)
    with threadpool_limits(1):  # sums in another order would be other bits
        left, values, _ = randomized_svd(matrix, n_components=min(size, vocab_size), n_iter=4, random_state=seed)
    vectors = np.pad(left * np.sqrt(values), ((0, 0), (0, size - len(values)))).astype(np.float32)
    known = np.diff(matrix.indptr) > 0  # the rows of others are no more than rounding
    vectors[known] /= np.linalg.norm(vectors[known], axis=1, keepdims=True)
    vectors[~known] = 0
    return vectors


def cooccurrences(texts: Ragged, vocab_size: int, window: int) -> csr_array:
    """[V, V], symmetric: how often two tokens stand near each other, each time weighed by 1 / their distance."""
    tokens, text = texts.values.astype(np.int64), np.repeat(np.arange(len(texts)), texts.lengths)
    total = csr_array((vocab_size, vocab_size))
    for distance in range(1, window + 1):
        first, second = tokens[:-distance], tokens[distance:]
        near = (text[:-distance] == text[distance:]) & (first != PAD) & (second != PAD)
        weights = np.full(near.sum(), 1 / distance)
        total = total + csr_array((weights, (first[near], second[near])), shape=total.shape)
    return total + total.T
