"""Tagged sentences that are not in CoNLL-U: from the hub, and from column files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError, shorten
from data.sources.files import FileReader
from data.sources.hub import CLASS, LIST, TEXT, HubReader, Table, guess_column, of_kind
from data.sources.tables import Row, read_lines, valid_unicode
from data.tagging import TaggedSentence

USUAL_WORDS = ("tokens", "words")
USUAL_TAGS = ("tags", "upos", "pos_tags")
RANGE_TAG = "_"  # of ranges and empty nodes in treebanks on the hub, which are not words


@dataclass(kw_only=True)
class HubTags(HubReader[TaggedSentence]):
    """Sentences of a hub data set: a column of lists of words and one of lists of tags.

    Args:
        word_column: the column of the words; null to find it, if there is only one candidate.
        tag_column: the column of the tags, as class numbers or as text; null to find it.
    """

    example_type = TaggedSentence

    word_column: str | None
    tag_column: str | None

    def read_split(self, split: str) -> list[TaggedSentence] | None:
        if split not in self.splits:
            return None
        table = self.splits[split]
        words, tags = self.choose_columns(table)
        columns = {words: "data.word_column", tags: "data.tag_column"}
        if "head" in table.column_names:  # a treebank, whose ranges and empty nodes have no head
            columns["head"] = "data"
        rows = self.rows(split, columns)  # which refuses columns that are not there
        classes = table.class_names(tags)
        sentences = (self.sentence(row, words, tags, classes) for row in rows)
        return [sentence for sentence in sentences if sentence.words]

    def choose_columns(self, table: Table) -> tuple[str, str]:
        """The columns of the words and of the tags: those configured, or the only candidates."""
        kinds, name = table.kinds, str(self.name)
        lists = of_kind(kinds, lambda kind: kind == LIST + TEXT)
        words = self.word_column or guess_column("data.word_column", lists, USUAL_WORDS, kinds, name)
        numbered = of_kind(kinds, lambda kind: kind == LIST + CLASS)
        others = numbered or [column for column in lists if column != words]
        return words, self.tag_column or guess_column("data.tag_column", others, USUAL_TAGS, kinds, name)

    def sentence(self, row: Row, words: str, tags: str, classes: list[str] | None) -> TaggedSentence:
        forms, values = row.values[words], row.values[tags]
        if not isinstance(forms, list) or not isinstance(values, list) or len(forms) != len(values):
            raise InputError(
                f"{row.place}: the columns '{words}' and '{tags}' must be lists of the same length: correct the row."
            )
        heads = row.values.get("head") or [0] * len(forms)
        if len(heads) != len(forms):
            raise InputError(f"{row.place}: the column 'head' has another length than '{words}': correct the row.")
        pairs = [
            (word_of(form, row.place), tag_of(value, classes, row.place))
            for form, value, head in zip(forms, values, heads, strict=True)
            if str(head).isdigit()
        ]
        kept = [pair for pair in pairs if pair[1] != RANGE_TAG]
        return TaggedSentence(tuple(word for word, _ in kept), tuple(tag for _, tag in kept))


def word_of(word: Any, place: str) -> str:
    if not isinstance(word, str) or not word.strip():
        raise InputError(f"{place}: {shorten(repr(word))} is not a word: correct the row.")
    return valid_unicode(word)


def tag_of(tag: Any, classes: list[str] | None, place: str) -> str:
    """A tag as text: by its number where tags are classes."""
    if classes is not None and isinstance(tag, int) and 0 <= tag < len(classes):
        return classes[tag]
    if classes is None and isinstance(tag, (str, int)) and str(tag).strip():
        return valid_unicode(str(tag).strip())
    raise InputError(f"{place}: {shorten(repr(tag))} is not a tag of this column: correct the row.")


@dataclass(kw_only=True)
class ColumnFiles(FileReader[TaggedSentence]):
    """Tagged sentences in column files, as those of CoNLL-2003 (Tjong Kim Sang & De Meulder, 2003).

    A line is a word with its columns, separated by tabs, or else by spaces; an empty line ends a sentence. Lines that
    begin with ``-DOCSTART-`` are skipped.

    Args:
        word_column, tag_column: the numbers of the columns, from 0; negative numbers count from the last column.
    """

    name = "column_files"
    example_type = TaggedSentence

    word_column: int
    tag_column: int

    def read_file(self, path: Path) -> list[TaggedSentence]:
        return [
            TaggedSentence(tuple(word for word, _ in pairs), tuple(tag for _, tag in pairs))
            for pairs in self.sentences(path)
        ]

    def sentences(self, path: Path) -> Iterator[list[tuple[str, str]]]:
        pairs: list[tuple[str, str]] = []
        for number, line in read_lines(path):
            if line.strip() and not line.startswith("-DOCSTART-"):
                pairs.append(self.word_and_tag(line, f"{path}:{number}"))
            elif pairs:
                yield pairs
                pairs = []
        if pairs:
            yield pairs

    def word_and_tag(self, line: str, place: str) -> tuple[str, str]:
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        return self.cell(cells, self.word_column, "data.word_column", place), self.cell(
            cells, self.tag_column, "data.tag_column", place
        )

    def cell(self, cells: Sequence[str], column: int, option: str, place: str) -> str:
        if not -len(cells) <= column < len(cells) or not cells[column]:
            raise InputError(
                f"{place}: there is no value in column {column} ({option}) of {len(cells)}: correct the line, or "
                f"choose another column."
            )
        return cells[column]
