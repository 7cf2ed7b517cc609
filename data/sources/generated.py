"""The embedded generated language: no network, no download."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from data.classification import LabelledText
from data.corpus import DatasetReader
from data.errors import InputError
from data.sources.language import Sentence, sentences
from data.tagging import TaggedSentence
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
    example_type: type = field(init=False, default=LabelledText)

    def __post_init__(self) -> None:
        if {self.source, self.target} != set(LANGUAGES):
            raise InputError(
                f"data.source={self.source} data.target={self.target}: the two languages are {' and '.join(LANGUAGES)}."
            )

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
        return [convert(self, sentence) for sentence in stream]

    def labelled_text(self, sentence: Sentence) -> LabelledText:
        return LabelledText(" ".join(sentence.tokens), sentence.label, {"distance": sentence.distance})

    def tagged_sentence(self, sentence: Sentence) -> TaggedSentence:
        return TaggedSentence(sentence.tokens, sentence.tags)

    def sentence_pair(self, sentence: Sentence) -> SentencePair:
        texts = {"en": sentence.english, "de": sentence.german}
        return SentencePair(texts[self.source], texts[self.target])


CONVERSIONS: dict[type, Callable[[GeneratedLanguage, Sentence], Any]] = {
    LabelledText: GeneratedLanguage.labelled_text,
    TaggedSentence: GeneratedLanguage.tagged_sentence,
    SentencePair: GeneratedLanguage.sentence_pair,
}
