"""Tag sentences with a trained tagger: ``python -m tasks.tagging.predict run=DIR < sentences``.

Reads CoNLL-U, or one sentence per line with spaces between its words, or, with reads=raw, one text per line, which is
split into words and punctuation. Writes CoNLL-U, the tags in their column and all else as it was, or, with writes=text,
a line of word/TAG per sentence. A line without words is answered by an empty line there, and by nothing in CoNLL-U,
where no sentence is empty. With format=json, the score is the probability per word, the geometric mean of the sentence.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any, ClassVar

from data import conllu
from data.errors import InputError
from training.options import option
from training.predict import Answer, Inspection, Options, Predictor, main
from training.streams import Lines


@dataclass
class TaggingOptions(Options):
    """Those of every task, and which formats are read and written."""

    max_length: int = option(10_000, "the maximum number of words; longer sentences are split", "500", minimum=2)
    reads: str = option(
        "auto",
        "conllu, text (words with spaces between), raw (text to be split into words); auto: conllu or text",
        "raw",
        choices=("auto", "conllu", "text", "raw"),
    )
    writes: str = option("conllu", "conllu or text (word/TAG)", "text", choices=("conllu", "text"))


class TaggingPredictor(Predictor):
    """Sentences -> (word, tag) pairs; ``details`` are the sentences as they were read."""

    task = "tagging"
    unit: ClassVar[str] = "sentence"
    options_type = TaggingOptions
    served_with: ClassVar[Mapping[str, Any]] = MappingProxyType({"reads": "raw"})

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.column = self.cfg.get("data", {}).get("column", conllu.TAGS[0])
        if self.column not in conllu.TAGS:
            raise InputError(f"{options.run}/config.yaml: data.column: must be {' or '.join(conllu.TAGS)}.")

    def example(self, text: str) -> Any:
        from data.tagging import TaggedSentence
        from data.tokenizers import WordTokenizer

        raw = self.options.reads == "raw"
        words = WordTokenizer(lowercase=False, pretokenized=False).split(text) if raw else text.split()
        return TaggedSentence.untagged(words, self.column)

    def read(self, chunks: Iterator[Lines], name: str, live: bool) -> Iterator[Iterable[Any]]:
        kind = self.options.reads
        if kind == "auto":
            kind, chunks = detect_format(chunks)
        if kind == "conllu":
            return (self.parsed(chunk, name) for chunk in (whole_sentences(chunks) if live else chunks))
        return super().read(chunks, name, live)

    def parsed(self, lines: Lines, name: str) -> Iterator[Any]:
        """The sentences of CoNLL-U lines, without tags."""
        from data.tagging import TaggedSentence

        for sentence in conllu.parse_sentences(lines, name):
            yield TaggedSentence.untagged(sentence.forms, self.column, sentence.raw)

    def answer_all(self, examples: list[Any]) -> list[Answer]:
        size = self.options.max_length
        starts = [range(0, max(1, len(example.words)), size) for example in examples]
        parts = [
            example.untagged(example.words[start : start + size])
            for example, places in zip(examples, starts, strict=True)
            for start in places
        ]
        scored = iter(self.run_model(parts, self.model.predict_scored))
        predictions = [[next(scored) for _ in places] for places in starts]
        return list(map(self.answer, examples, predictions))

    def answer(self, example: Any, prediction: Any) -> Answer:
        """From (tag ids, log-probability) of every part."""
        from math import exp

        ids, log_probabilities = zip(*prediction, strict=True)
        (tags,) = self.codec.decode([list(chain.from_iterable(ids))])
        score = exp(sum(log_probabilities) / max(1, len(tags)))
        return Answer(" ".join(example.words), list(zip(example.words, tags, strict=True)), score, example)

    def inspect(self, text: str) -> Inspection:
        """The tag of every word."""
        (answer,) = self.predict([text])
        return Inspection(answer, "tags", {"words": [{"word": word, "tag": tag} for word, tag in answer.prediction]})

    def write(self, answer: Answer) -> Iterator[str]:
        if self.options.writes == "text":
            yield " ".join(f"{word}/{tag}" for word, tag in answer.prediction)
        elif answer.prediction:
            yield answer.details.conllu([tag for _, tag in answer.prediction]).removesuffix("\n")


def detect_format(chunks: Iterator[Lines]) -> tuple[str, Iterator[Lines]]:
    """Whether lines are CoNLL-U, whose first line that is not a comment has tabs, or text; and all chunks again."""
    seen: list[tuple[int, str]] = []
    for chunk in chunks:
        rest = iter(chunk)
        for number, line in rest:
            seen.append((number, line))
            if line and not line.startswith("#"):
                return "conllu" if "\t" in line else "text", chain([chain(seen, rest)], chunks)
    return "text", iter([seen])


def whole_sentences(chunks: Iterator[Lines]) -> Iterator[Lines]:
    """Chunks cut after empty lines, so that a sentence is parsed as soon as its end arrives."""
    pending: list[tuple[int, str]] = []
    for chunk in chunks:
        pending += chunk
        end = max((place for place, (_, line) in enumerate(pending, start=1) if not line), default=0)
        if any(line for _, line in pending[:end]):
            yield pending[:end]
            pending = pending[end:]
    yield pending


if __name__ == "__main__":
    main(TaggingPredictor, __doc__)
