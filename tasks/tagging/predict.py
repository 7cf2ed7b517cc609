"""Tag sentences with a trained tagger: ``python -m tasks.tagging.predict run=DIR < sentences``.

Reads CoNLL-U, or one sentence a line with spaces between its words. Writes CoNLL-U, the tags in their column and all
else as it was, or, with ``writes=text``, a line of ``word/TAG`` a sentence. A line without words is answered by an
empty line there, and by nothing in CoNLL-U, where no sentence is empty.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from data import conllu
from data.errors import InputError
from data.tagging import TaggedSentence
from training.predict import Options, Predictor, main


@dataclass
class TaggingOptions(Options):
    """Those of every task, and which formats are read and written."""

    reads: str = "auto"  # conllu, text, or told by the first line that is no comment
    writes: str = "conllu"  # or text


def answer(options: TaggingOptions, predictor: Predictor, lines: Iterable[str]) -> Iterator[str]:
    if options.writes not in WRITERS:
        raise InputError(f"writes={options.writes}: choose {' or '.join(WRITERS)}.")
    name = "standard input" if options.input == "-" else options.input
    column = predictor.cfg.data.get("column", conllu.TAGS[0])
    examples = sentences(options.reads, lines, name, column)
    for example, tags in predictor.predict_examples(examples):
        yield from WRITERS[options.writes](example, tags)


def sentences(kind: str, lines: Iterable[str], name: str, column: str) -> Iterator[TaggedSentence]:
    """The sentences of a text or of a CoNLL-U file, without tags."""
    if kind == "auto":
        kind, lines = detect_format(lines)
    if kind == "text":
        return (TaggedSentence.untagged(line.split(), column) for line in lines)
    if kind == "conllu":
        found = conllu.parse_sentences(enumerate(lines, start=1), name)
        return (TaggedSentence.untagged(sentence.forms, column, sentence.raw) for sentence in found)
    raise InputError(f"reads={kind}: choose auto, conllu or text.")


def detect_format(lines: Iterable[str]) -> tuple[str, Iterable[str]]:
    """Whether lines are CoNLL-U, where the first that is no comment has tabs, or text; and all the lines again."""
    seen, rest = [], iter(lines)
    for line in rest:
        seen.append(line)
        if line and not line.startswith("#"):
            break
    return "conllu" if seen and "\t" in seen[-1] else "text", chain(seen, rest)


def as_conllu(sentence: TaggedSentence, tags: Sequence[str]) -> Iterator[str]:
    if sentence.words:
        yield sentence.conllu(tags).removesuffix("\n")


def as_text(sentence: TaggedSentence, tags: Sequence[str]) -> Iterator[str]:
    yield " ".join(f"{word}/{tag}" for word, tag in zip(sentence.words, tags, strict=True))


WRITERS: dict[str, Callable[[TaggedSentence, Sequence[str]], Iterator[str]]] = {"conllu": as_conllu, "text": as_text}

if __name__ == "__main__":
    main("tagging", TaggingOptions, answer)
