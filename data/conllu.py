"""CoNLL-U, the format of Universal Dependencies: https://universaldependencies.org/format.html."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from data.errors import InputError, shorten

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
FORM = COLUMNS.index("form")
TAGS = ("upos", "xpos")  # the columns that hold a tag
EMPTY = "_"  # how a column without a value is written

WORD = re.compile(r"[1-9][0-9]{0,8}")
RANGE = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")  # one token of the text that is several words
EMPTY_NODE = re.compile(r"([0-9]{1,9})\.[1-9][0-9]{0,8}")  # a word that is not in the text


class Word(NamedTuple):
    """A word of a sentence and its position in the file."""

    place: str  # file and line, for error messages
    cells: list[str]  # one per column

    def value(self, column: str) -> str:
        return self.cells[COLUMNS.index(column)]


class Sentence(NamedTuple):
    """The words of a sentence, and its lines as they stand in the file, with comments, ranges and empty nodes."""

    words: list[Word]
    raw: str

    @property
    def forms(self) -> tuple[str, ...]:
        return tuple(word.cells[FORM] for word in self.words)


def parse_sentences(lines: Iterable[tuple[int, str]], name: str) -> Iterator[Sentence]:
    """The sentences of a file, from its numbered lines without line ends; ``name`` stands for the file in errors.

    The raw texts of all sentences, end to end, are the file, with LF as line end and an empty last line.
    """
    gathered: list[tuple[int, str]] = []
    started = ended = False
    for number, line in lines:
        if line and ended:
            yield parse_sentence(gathered, name)
            gathered, started, ended = [], False, False
        gathered.append((number, line))
        started = started or bool(line)
        ended = started and not line
    if started:
        yield parse_sentence(gathered if ended else [*gathered, (gathered[-1][0], "")], name)


def parse_sentence(lines: Sequence[tuple[int, str]], name: str) -> Sentence:
    """One sentence from its numbered lines."""
    words: list[Word] = []
    last_of_range = 0
    for number, line in lines:
        if not line:
            continue
        place = f"{name}:{number}"
        if line.startswith("#") and not words and not last_of_range:
            continue
        cells = cells_of(line, place)
        if WORD.fullmatch(cells[0]):
            words.append(Word(place, cells))
            if int(cells[0]) != len(words):
                raise InputError(f"{place}: the word has the number {cells[0]} where {len(words)} is next: renumber.")
        elif found := RANGE.fullmatch(cells[0]):
            first, last_of_range = int(found[1]), int(found[2])
            if first != len(words) + 1 or last_of_range < first:
                raise InputError(
                    f"{place}: the range {cells[0]} does not begin at the next word, {len(words) + 1}: renumber."
                )
        elif (found := EMPTY_NODE.fullmatch(cells[0])) is None or int(found[1]) != len(words):
            raise InputError(
                f"{place}: '{shorten(cells[0])}' is not a number that can follow word {len(words)}: a line "
                f"begins with the number of a word (3), a range (3-4) or an empty node (3.1)."
            )
    if not words:
        raise InputError(f"{place}: the sentence that ends here has no words: leave it out.")
    if last_of_range > len(words):
        raise InputError(
            f"{place}: the sentence ends at word {len(words)}, inside a range that goes on to {last_of_range}: correct "
            f"the range."
        )
    return Sentence(words, "".join(f"{line}\n" for _, line in lines))


def cells_of(line: str, place: str) -> list[str]:
    """The ten columns of a line, none of them empty."""
    cells = line.split("\t")
    if len(cells) != len(COLUMNS):
        raise InputError(
            f"{place}: {len(cells)} columns where CoNLL-U has {len(COLUMNS)}: separate them by single tabs, and "
            f"sentences by empty lines."
        )
    for column, cell in zip(COLUMNS, cells, strict=True):
        if not cell.strip():
            raise InputError(f"{place}: the column {column} is empty: write '{EMPTY}' where there is no value.")
    return cells


def replace_column(raw: str, column: str, values: Sequence[str]) -> str:
    """The raw text of a sentence with one column replaced: one value per word; all else is kept."""
    lines = raw.split("\n")
    remaining = iter(values)
    for index, line in enumerate(lines):
        cells = line.split("\t")
        if len(cells) == len(COLUMNS) and WORD.fullmatch(cells[0]):
            cells[COLUMNS.index(column)] = next(remaining)
            lines[index] = "\t".join(cells)
    return "\n".join(lines)


def format_sentence(words: Sequence[str], **columns: Sequence[str | None]) -> str:
    """The raw text of a sentence that was not read from a file; columns that are not given are empty."""
    nothing = [None] * len(words)
    values = zip(words, *(columns.get(column, nothing) for column in COLUMNS[FORM + 1 :]), strict=True)
    rows = ("\t".join([str(number), *(cell or EMPTY for cell in row)]) for number, row in enumerate(values, start=1))
    return "\n".join([f"# text = {' '.join(words)}", *rows, "", ""])
