"""The embedded generated language: no network, no download."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any

from data.classification import LabelledText
from data.corpus import DatasetReader
from data.errors import InputError
from data.sources.language import Sentence, sentences
from data.sources.language.splitmix import SplitMix64
from data.sources.sizes import check_sizes
from data.tagging import TaggedSentence
from data.tokenizers import WordTokenizer
from data.translation import SentencePair

LANGUAGES = ("en", "de")


@dataclass(kw_only=True)
class GeneratedLanguage(DatasetReader[Any]):
    """Sentences of the generated English-German language, as labelled texts, tagged sentences or sentence pairs.

    Args:
        sizes: the number of sentences of every split.
        distance: the maximum number of tokens between a sentiment cue and the word that it acts on.
        label_noise: the fraction of sentiment labels that are flipped.
        unknown: the fraction of validation and test sentences with words that do not occur in training.
        seed: of the language; independent of the seed of the run.
        pretokenized: words and punctuation are separated by spaces, in labelled texts.
        source, target: the direction of sentence pairs, ``en`` and ``de`` or the reverse.
        shuffled: labelled texts have their words in random order.
        translated: tags are German words in order, cut or filled up with ``-`` to the number of English ones.
        joined: sentence pairs are 1 to so many consecutive sentences; ``sizes`` counts them before they are joined.
    """

    name = "language"

    sizes: dict[str, int]
    distance: int
    label_noise: float
    unknown: float
    seed: int
    pretokenized: bool
    source: str = LANGUAGES[0]
    target: str = LANGUAGES[1]
    shuffled: bool = False
    translated: bool = False
    joined: int = 1
    example_type: type = field(init=False, default=LabelledText)

    def __post_init__(self) -> None:
        check_sizes(self.sizes)
        if {self.source, self.target} != set(LANGUAGES):
            raise InputError(
                f"data.source={self.source} data.target={self.target}: the two languages are {' and '.join(LANGUAGES)}."
            )
        if self.joined < 1:
            raise InputError(f"data.joined={self.joined}: must be at least 1.")

    def for_examples(self, example_type: type) -> "GeneratedLanguage":
        reader = copy(self)
        if example_type in CONVERSIONS:
            reader.example_type = example_type
        DatasetReader.for_examples(reader, example_type)
        return reader

    def origin(self) -> dict[str, Any]:
        return {"source": "generated", "revision": None}

    def read_split(self, split: str) -> list[Any]:
        stream = sentences(
            split,
            size=self.sizes[split],
            distance=self.distance,
            label_noise=self.label_noise,
            unknown=self.unknown,
            seed=self.seed,
        )
        convert = CONVERSIONS[self.example_type]
        examples = [convert(self, sentence) for sentence in stream]
        return joined(examples, self.joined) if self.joined > 1 and self.example_type is SentencePair else examples

    def labelled_text(self, sentence: Sentence) -> LabelledText:
        tokens = shuffled(sentence.tokens) if self.shuffled else sentence.tokens
        return LabelledText(" ".join(tokens), sentence.label, {"distance": sentence.distance})

    def tagged_sentence(self, sentence: Sentence) -> TaggedSentence:
        length = len(sentence.tokens)
        words = WordTokenizer(lowercase=False, pretokenized=False).split(sentence.german) if self.translated else ()
        return TaggedSentence(sentence.tokens, (*words, *["-"] * length)[:length] if words else sentence.tags)

    def sentence_pair(self, sentence: Sentence) -> SentencePair:
        texts = {"en": sentence.english, "de": sentence.german}
        return SentencePair(texts[self.source], texts[self.target])


def rng_of(text: str) -> SplitMix64:
    """Random numbers that depend on a text alone."""
    return SplitMix64(int.from_bytes(sha256(text.encode()).digest()[:8]))


def shuffled(tokens: Sequence[str]) -> list[str]:
    """Tokens in a random order."""
    rng = rng_of(" ".join(tokens))
    return [token for _, _, token in sorted((rng.bits(), place, token) for place, token in enumerate(tokens))]


def joined(pairs: list[SentencePair], most: int) -> list[SentencePair]:
    """Pairs of 1 to ``most`` consecutive sentences."""
    if not pairs:
        return []
    rng, rest, found = rng_of(pairs[0].source), iter(pairs), []
    while some := list(islice(rest, 1 + rng.randbelow(most))):
        found.append(SentencePair(" ".join(p.source for p in some), " ".join(p.target for p in some)))
    return found


CONVERSIONS: dict[type, Callable[[GeneratedLanguage, Sentence], Any]] = {
    LabelledText: GeneratedLanguage.labelled_text,
    TaggedSentence: GeneratedLanguage.tagged_sentence,
    SentencePair: GeneratedLanguage.sentence_pair,
}
