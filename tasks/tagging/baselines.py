"""Taggers that are cheap: the most frequent tag of every word, and a linear model of a word and its neighbours."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from data.tagging import TaggedSentence

MOST_WORDS = 220_000  # of the training split that the linear model reads: 15 to 25 seconds
LONGEST_AFFIX = 4
NEIGHBOURS = 2  # on each side
EDGE = "\n"  # what stands before the first and after the last word


def fitted_taggers(train: Sequence[TaggedSentence]) -> dict[str, Callable[[Sequence[TaggedSentence]], list[str]]]:
    """Taggers of all words of sentences, by the names that results have; without a second tag no linear model.

    Of a large training split the linear model reads the first ``MOST_WORDS`` words.
    """
    found: dict[str, Callable[[Sequence[TaggedSentence]], list[str]]] = {
        "most_frequent_tag": MostFrequentTag(train, any_word),
        "most_frequent_tag_with_rules": MostFrequentTag(train, capital_or_digit),
    }
    ends = accumulate(len(sentence.words) for sentence in train)
    part = train[: max(1, sum(end <= MOST_WORDS for end in ends))]
    several = len({tag for sentence in part for tag in sentence.tags}) > 1
    return found | ({"linear_svm": WindowTagger(part)} if several else {})


class WindowTagger:
    """A linear SVM on a word and its two neighbours on each side (as in SVMTool, Gimenez & Marquez, 2004).

    Features are the word and its nearest neighbours with their affixes and shapes, the farther neighbours, and pairs of
    words. Each tag is learned against all others. The cost (C) is 0.1: of 0.05, 0.1 and 0.2 it has the best mean,
    within 0.05 points, on the validation splits of a Turkish and a Vietnamese treebank.

    Args:
        train: the training split, with two tags or more.
    """

    def __init__(self, train: Sequence[TaggedSentence]) -> None:
        known = dict.fromkeys(word.lower() for sentence in train for word in (EDGE, *sentence.words))
        self.numbers = {word: number for number, word in enumerate(known, 1)}
        self.spellings = CountVectorizer(analyzer=spelling, binary=True, dtype=np.float64)
        self.spellings.fit(dict.fromkeys(word for sentence in train for word in sentence.words))
        self.neighbours = OneHotEncoder(handle_unknown="ignore").fit(self.neighbour_ids(*flat(train)))
        self.svm = LinearSVC(C=0.1, tol=0.1, random_state=0)
        self.svm.fit(self.features(train), [tag for sentence in train for tag in sentence.tags])

    def __call__(self, sentences: Sequence[TaggedSentence]) -> list[str]:
        """The tags of all words, sentence after sentence."""
        return self.svm.predict(self.features(sentences)).tolist()

    def features(self, sentences: Sequence[TaggedSentence]) -> csr_matrix:
        """One row per word."""
        words, rows = flat(sentences)
        types, ids = np.unique(words, return_inverse=True)
        spellings = self.spellings.transform(types)
        near = [spellings[ids[rows + offset]] for offset in (0, -1, 1)]
        return hstack([*near, self.neighbours.transform(self.neighbour_ids(words, rows))], format="csr")

    def neighbour_ids(self, words: NDArray[np.object_], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers for the second neighbours of every word, and for pairs of the word and its nearest: [words, 5]."""
        numbers = np.array([self.numbers.get(word.lower(), 0) for word in words])  # 0: unknown
        at = {offset: numbers[rows + offset] for offset in range(-NEIGHBOURS, NEIGHBOURS + 1)}
        pairs = [at[first] * (len(self.numbers) + 1) + at[second] for first, second in ((-1, 0), (0, 1), (-1, 1))]
        return np.stack([at[-2], at[2], *pairs], axis=1)


def flat(sentences: Sequence[TaggedSentence]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """All words in one row, with edges around every sentence, and where the words are in it."""
    edges = (EDGE,) * NEIGHBOURS
    words = np.array([*edges, *(word for sentence in sentences for word in (*sentence.words, *edges))], dtype=object)
    return words, np.flatnonzero(words != EDGE)


def spelling(word: str) -> list[str]:
    """The features of one word: itself, its parts, its first and last characters, and the kinds of its characters."""
    lower = word.lower()
    sizes = range(1, 1 + min(LONGEST_AFFIX, len(lower)))
    affixes = [affix for size in sizes for affix in (f"{lower[:size]}-", f"-{lower[-size:]}")]
    kinds = dict.fromkeys(map(character_kind, word))
    return [f"word {word}", f"shape {''.join(kinds)}", *(f"part {part}" for part in (lower, *lower.split())), *affixes]


def character_kind(character: str) -> str:
    """``A`` or ``a`` for a letter, ``0`` for a digit; any other character is its own kind."""
    if character.isdigit():
        return "0"
    return character if not character.isalpha() else "A" if character.isupper() else "a"


class MostFrequentTag:
    """The most frequent tag of a word in the training split; unknown words have the tag of their ``kind``.

    Args:
        train: the training split.
        kind: an unknown word -> its kind. The tag of a kind is the most frequent tag of its words that occur once in
            the training split.
    """

    def __init__(self, train: Sequence[TaggedSentence], kind: Callable[[str], str]) -> None:
        self.kind = kind
        pairs = [pair for sentence in train for pair in zip(sentence.words, sentence.tags, strict=True)]
        counts = Counter(word for word, _ in pairs)
        self.of_word = most_frequent(pairs)
        self.of_kind = most_frequent((kind(word), tag) for word, tag in pairs if counts[word] == 1)
        self.otherwise = most_frequent(("", tag) for _, tag in pairs)[""]

    def __call__(self, sentences: Sequence[TaggedSentence]) -> list[str]:
        """The tags of all words, sentence after sentence."""
        return [self.tag(word) for sentence in sentences for word in sentence.words]

    def tag(self, word: str) -> str:
        if word in self.of_word:
            return self.of_word[word]
        return self.of_kind.get(self.kind(word), self.otherwise)


def most_frequent(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """(key, tag) pairs -> the most frequent tag of every key; of equally frequent ones the alphabetically first."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, tag in pairs:
        counts[key][tag] += 1
    return {key: min(tags, key=lambda tag: (-tags[tag], tag)) for key, tags in counts.items()}


def any_word(word: str) -> str:
    """One kind for all words."""
    return "word"


def capital_or_digit(word: str) -> str:
    """Whether a word contains a digit, begins with a capital letter, or neither."""
    if any(character.isdigit() for character in word):
        return "digit"
    return "capital" if word[:1].isupper() else "word"
