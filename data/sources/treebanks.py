"""Universal Dependencies (de Marneffe et al., 2021): treebanks from the hub, from folders and from single files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data import conllu
from data.corpus import SPLITS
from data.errors import InputError, shorten
from data.sources.files import FileReader
from data.sources.hub import HubReader
from data.sources.tables import Row, read_lines
from data.tagging import TaggedSentence

OFFICIAL_NAMES = dict(zip(SPLITS, ("train", "dev", "test"), strict=True))  # *-ud-train.conllu and so on
HUB_COLUMNS = {"form": "tokens", "lemma": "lemmas", "upos": "upos", "xpos": "xpos", "head": "head", "deprel": "deprel"}
# The class names of the tags on the hub; ranges have the tag "_".
HUB_TAGS = [
    "NOUN", "PUNCT", "ADP", "NUM", "SYM", "SCONJ", "ADJ", "PART", "DET", "CCONJ", "PROPN", "PRON",
    "X", "_", "ADV", "INTJ", "VERB", "AUX"
]  # fmt: skip


@dataclass(kw_only=True)
class Treebank(HubReader[TaggedSentence]):
    """A treebank of Universal Dependencies, from the hub's parquet conversion or from a folder.

    Args:
        path: a folder with the official files (``*-ud-train.conllu`` and so on), or with a copy of the repository;
            null for the hub.
        column: ``upos``, the universal tags, or ``xpos``, those of the language.
    """

    example_type = TaggedSentence

    column: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tag_column(self.column)

    @property
    def files(self) -> dict[str, str]:
        return {split: f"{self.config}/{split}/*.parquet" for split in SPLITS}

    def read_split(self, split: str) -> list[TaggedSentence] | None:
        if self.path is not None and any(Path(self.path).glob("*.conllu")):
            file = self.official_file(Path(self.path), split)
            return None if file is None else read_treebank(file, self.column)
        if split not in self.splits:
            return None
        return [self.sentence(row) for row in self.rows(split, dict.fromkeys(HUB_COLUMNS.values(), "data"))]

    def official_file(self, folder: Path, split: str) -> Path | None:
        """The file of a split in a folder; None where it is missing, as in small treebanks without ``dev``."""
        pattern = f"*-ud-{OFFICIAL_NAMES[split]}.conllu"
        found = sorted(folder.glob(pattern))
        if len(found) > 1:
            raise InputError(
                f"data.path={self.path}: {found[0].name} and {found[1].name} are both there: give a folder with one "
                f"treebank, or name the files: data=conllu data.train=train.conllu data.test=test.conllu."
            )
        if not found and split == "train":
            raise InputError(
                f"data.path={self.path}: there is no file {pattern}: give a folder with the official files, or name "
                f"the files: data=conllu data.train=train.conllu data.test=test.conllu."
            )
        return found[0] if found else None

    def sentence(self, row: Row) -> TaggedSentence:
        """A row of the hub, without ranges and empty nodes, which have no head."""
        if len({len(row.values[key] or ()) for key in HUB_COLUMNS.values()}) != 1:
            raise InputError(f"{row.place}: the columns have lists of different lengths: the copy is damaged.")
        words = [index for index, head in enumerate(row.values["head"]) if str(head).isdigit()]
        columns = {name: [row.values[key][index] for index in words] for name, key in HUB_COLUMNS.items()}
        columns["upos"] = [hub_tag(number, row.place) for number in columns["upos"]]
        forms = columns.pop("form")
        require_tags(forms, columns[self.column], self.column, [row.place] * len(words))
        return TaggedSentence(
            tuple(forms), tuple(columns[self.column]), self.column, conllu.format_sentence(forms, **columns)
        )


@dataclass(kw_only=True)
class FileTreebank(FileReader[TaggedSentence]):
    """A user's own treebank in CoNLL-U files, in any language.

    Args:
        column: ``upos``, the universal tags, or ``xpos``, those of the language.
    """

    name = "conllu"
    example_type = TaggedSentence

    column: str

    def __post_init__(self) -> None:
        check_tag_column(self.column)

    def read_file(self, path: Path) -> list[TaggedSentence]:
        return read_treebank(path, self.column)


def read_treebank(path: Path, column: str) -> list[TaggedSentence]:
    """The sentences of a CoNLL-U file, every word of which must have a tag."""
    return [tagged(sentence, column) for sentence in conllu.parse_sentences(read_lines(path), str(path))]


def tagged(sentence: conllu.Sentence, column: str) -> TaggedSentence:
    tags = tuple(word.value(column) for word in sentence.words)
    require_tags(sentence.forms, tags, column, [word.place for word in sentence.words])
    return TaggedSentence(sentence.forms, tags, column, sentence.raw)


def require_tags(words: Sequence[str], tags: Sequence[str | None], column: str, places: Sequence[str]) -> None:
    """Every word must have a tag."""
    for word, tag, place in zip(words, tags, places, strict=True):
        if tag in (None, conllu.EMPTY):
            other = next(name for name in conllu.TAGS if name != column)
            raise InputError(
                f"{place}: the word '{shorten(word)}' has no tag in the column {column}: fill it in, or choose the "
                f"other column with data.column={other}."
            )


def check_tag_column(name: str) -> None:
    if name not in conllu.TAGS:
        raise InputError(f"data.column={name}: the columns with tags are {' and '.join(conllu.TAGS)}.")


def hub_tag(number: int, place: str) -> str:
    if not isinstance(number, int) or not 0 <= number < len(HUB_TAGS):
        raise InputError(
            f"{place}: the tag {shorten(repr(number))} is none of 0 to {len(HUB_TAGS) - 1}: the copy is damaged."
        )
    return HUB_TAGS[number]
