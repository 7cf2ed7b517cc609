"""Token embeddings from co-occurrences in the training text."""

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from data.batch import Ragged
from data.errors import InputError
from data.vocabulary import PAD


def ppmi_svd(texts: Ragged, vocab_size: int, size: int, seed: int, *, window: int) -> np.ndarray:
    """Embeddings [V, size] with rows of norm 1: factorised positive pointwise mutual information (Levy et al., 2015).

    Two tokens of a text at distance d <= ``window`` count 1 / d. The matrix max(0, log p(w, c) / (p(w) p'(c))), with p'
    from counts to the power 0.75, is reduced to its ``size`` largest singular values s: U sqrt(s). Padding and tokens
    without co-occurrences have the zero vector.
    """
    if window < 1:
        raise InputError(f"embeddings.window={window}: must be at least 1.")
    counts = cooccurrences(texts, vocab_size, window)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    smoothed = totals**0.75
    pairs = counts.tocoo()
    rows, columns = pairs.coords
    information = np.log(pairs.data * smoothed.sum()) - np.log(totals[rows]) - np.log(smoothed[columns])
    positive = information > 0
    matrix = csr_array((information[positive], (rows[positive], columns[positive])), shape=counts.shape)
    with threadpool_limits(1):  # the order of sums decides the last bits
        left, values, _ = randomized_svd(matrix, n_components=min(size, vocab_size), n_iter=4, random_state=seed)
    vectors = np.pad(left * np.sqrt(values), ((0, 0), (0, size - len(values)))).astype(np.float32)
    known = np.diff(matrix.indptr) > 0  # other rows hold rounding errors only
    vectors[known] /= np.linalg.norm(vectors[known], axis=1, keepdims=True)
    vectors[~known] = 0
    return vectors


def cooccurrences(texts: Ragged, vocab_size: int, window: int) -> csr_array:
    """[V, V], symmetric: the co-occurrences of two tokens, each weighted by 1 / distance."""
    tokens, text = texts.values.astype(np.int64), np.repeat(np.arange(len(texts)), texts.lengths)
    total = csr_array((vocab_size, vocab_size))
    for distance in range(1, window + 1):
        first, second = tokens[:-distance], tokens[distance:]
        near = (text[:-distance] == text[distance:]) & (first != PAD) & (second != PAD)
        weights = np.full(near.sum(), 1 / distance)
        total = total + csr_array((weights, (first[near], second[near])), shape=total.shape)
    return total + total.T
