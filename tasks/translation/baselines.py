"""Translation without a model of order: copying, and a word-by-word dictionary learned from the training pairs."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from training.words import join_words, words

ROUNDS = 5  # of expectation maximisation
MOST_PAIRS = 20_000_000  # pairs of words in the same sentence pair that are kept in memory
LONGEST = 100  # words of a sentence that are counted

Ids = NDArray[np.int32]


class WordDictionary:
    """The most probable translation of every source word by IBM model 1 (Brown et al., 1993).

    Unknown words are copied. Of very large training splits the first pairs alone are read.

    Args:
        pairs: the source and the target text of every training example.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        sources, targets = Index(), Index()
        source, target, position = cooccurrences(pairs, sources, targets)
        best = best_of_each(source, target, model_1(source, target, position))
        source_words, target_words = list(sources.ids), list(targets.ids)
        self.translations = {source_words[key]: target_words[value] for key, value in best.items()}

    def __call__(self, text: str) -> str:
        return join_words([self.translations.get(word, word) for word in words(text)])


class Index:
    """Words <-> ids in the order of their first use."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        return [self.ids.setdefault(word, len(self.ids)) for word in words(text)[:LONGEST]]


def cooccurrences(pairs: Iterable[tuple[str, str]], sources: Index, targets: Index) -> tuple[Ids, Ids, Ids]:
    """Every word of every target with every word of its source: source ids, target ids, and the target's position.

    Positions number the target words of all sentences; each is explained by one of the source words of its pair.
    """
    source, target, position = [], [], []
    total = count = 0
    for one, other in encoded(pairs, sources, targets):
        source.append(np.tile(one, len(other)))
        target.append(np.repeat(other, len(one)))
        position.append(np.repeat(np.arange(count, count + len(other), dtype=np.int32), len(one)))
        count, total = count + len(other), total + len(one) * len(other)
        if total > MOST_PAIRS:
            break
    empty = [np.zeros(0, dtype=np.int32)]
    return np.concatenate(source or empty), np.concatenate(target or empty), np.concatenate(position or empty)


def encoded(pairs: Iterable[tuple[str, str]], sources: Index, targets: Index) -> Iterator[tuple[Ids, Ids]]:
    for source, target in pairs:
        yield np.array(sources.encode(source), dtype=np.int32), np.array(targets.encode(target), dtype=np.int32)


def model_1(source: Ids, target: Ids, position: Ids) -> NDArray[np.float64]:
    """p(target word | source word) for every entry of ``cooccurrences``, after some rounds from equal probabilities."""
    if not len(source):
        return np.zeros(0)
    size = np.int64(target.max() + 1)
    kinds, entry = np.unique(source * size + target, return_inverse=True)
    source_of_kind = kinds // size
    probability = np.ones(len(kinds))
    for _ in range(ROUNDS):
        weight = probability[entry]
        weight /= np.bincount(position, weight)[position]
        counts = np.bincount(entry, weight)
        probability = counts / np.bincount(source_of_kind, counts)[source_of_kind]
    return probability[entry]


def best_of_each(source: Ids, target: Ids, probabilities: NDArray[np.float64]) -> dict[int, int]:
    """The target with the highest probability of every source; of equal ones that with the smallest id."""
    order = np.lexsort((target, -probabilities, source))
    first = np.unique(source[order], return_index=True)[1]
    return dict(zip(source[order][first].tolist(), target[order][first].tolist(), strict=True))
