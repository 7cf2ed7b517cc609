"""Taggers without context: the most frequent tag of every word, with and without a rule for unknown words."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from data.tagging import TaggedSentence


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

    def __call__(self, word: str) -> str:
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
