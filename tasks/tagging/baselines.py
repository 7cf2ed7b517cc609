"""What tagging costs nothing to get right: a look-up, and a look-up with a rule for words that are not in it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from data.tagging import TaggedSentence


class MostFrequentTag:
    """The tag that a word had most often in the training split; the tag of all unknown words by their ``kind``.

    Args:
        train: the training split.
        kind: what is seen of an unknown word; the tag of a kind is the most frequent one among the words of that
            kind that the training split has once.
    """

    def __init__(self, train: Sequence[TaggedSentence], kind: Callable[[str], str]) -> None:
        self.kind = kind
        pairs = [pair for sentence in train for pair in zip(sentence.words, sentence.tags, strict=True)]
        counts = Counter(word for word, _ in pairs)
        self.of_word = most_frequent(pairs)
        self.of_kind = most_frequent((kind(word), tag) for word, tag in pairs if counts[word] == 1)
        self.otherwise = most_frequent(("", tag) for _, tag in pairs)[""]

    def __call__(self, word: str) -> str:
        return self.of_word.get(word) or self.of_kind.get(self.kind(word), self.otherwise)


def most_frequent(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """(key, tag) pairs -> the most frequent tag of every key; of two that are, the first in the alphabet."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, tag in pairs:
        counts[key][tag] += 1
    return {key: min(tags, key=lambda tag: (-tags[tag], tag)) for key, tags in counts.items()}


def any_word(word: str) -> str:
    return "word"


def capital_or_digit(word: str) -> str:
    """Whether a word has a digit, begins with a capital, or neither."""
    if any(character.isdigit() for character in word):
        return "digit"
    return "capital" if word[:1].isupper() else "word"
