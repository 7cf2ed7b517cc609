"""The embedded language as examples of a task: no network, no download."""

from collections.abc import Callable
from typing import Any

from data.classification import LabelledText
from data.errors import InputError
from data.sources.language import Sentence, sentences
from data.tagging import TaggedSentence
from data.translation import SentencePair


def labelled_text(sentence: Sentence) -> LabelledText:
    return LabelledText(" ".join(sentence.tokens), sentence.label, {"distance": sentence.distance})


def tagged_sentence(sentence: Sentence) -> TaggedSentence:
    return TaggedSentence(sentence.tokens, sentence.tags)


def sentence_pair(sentence: Sentence) -> SentencePair:
    return SentencePair(sentence.english, sentence.german)


VIEWS: dict[str, tuple[type, Callable[[Sentence], Any]]] = {
    "sentiment": (LabelledText, labelled_text),
    "tagging": (TaggedSentence, tagged_sentence),
    "translation": (SentencePair, sentence_pair),
}


def turned_round(sentence: Sentence) -> SentencePair:
    return SentencePair(sentence.german, sentence.english)


LANGUAGES = ("en", "de")


class GeneratedLanguage:
    """Sentences of the generated English-German language, in the view of one task.

    Args:
        annotation: whose view: the name of a task.
        sizes: how many sentences every split has.
        distance: the largest number of tokens between a cue of sentiment and the word that it acts on.
        label_noise: the share of sentiment labels turned round.
        unknown: the share of validation and test sentences with words that training never has.
        seed: of the language; the same for every seed of the experiment.
        pretokenized: words and punctuation are split by spaces, where the view is of words.
        source, target: ``en`` and ``de``, or the other way round; which is read and which is written where both are.
    """

    name = "language"
    block = 1
    no_test = "The generated language was asked for no test sentences."

    def __init__(
        self,
        annotation: str,
        sizes: dict[str, int],
        distance: int,
        label_noise: float,
        unknown: float,
        seed: int,
        pretokenized: bool,
        source: str = LANGUAGES[0],
        target: str = LANGUAGES[1],
    ) -> None:
        if annotation not in VIEWS:
            raise InputError(f"data.annotation is one of {', '.join(VIEWS)}, not '{annotation}'.")
        if {source, target} != set(LANGUAGES):
            raise InputError(f"data.source={source} data.target={target}: one is {' and the other '.join(LANGUAGES)}.")
        self.examples, self.view = VIEWS[annotation]
        if annotation == "translation" and (source, target) != LANGUAGES:
            self.view = turned_round
        self.sizes = dict(sizes)
        self.options: dict[str, Any] = {
            "distance": distance,
            "label_noise": label_noise,
            "unknown": unknown,
            "seed": seed,
        }
        self.pretokenized = pretokenized

    def origin(self) -> dict[str, Any]:
        return {"source": "generated", "revision": None}

    def read(self, split: str) -> list[Any]:
        return [self.view(sentence) for sentence in sentences(split, size=self.sizes[split], **self.options)]
