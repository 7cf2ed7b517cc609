"""Universal Dependencies (de Marneffe et al., 2021): treebanks from the hub, from folders and from single files."""

from collections.abc import Sequence
from pathlib import Path

from data import conllu
from data.corpus import SPLITS
from data.errors import InputError
from data.sources.files import OwnFiles
from data.sources.hub import HubDataset
from data.sources.tables import Row, read_lines
from data.tagging import TaggedSentence

OFFICIAL_NAMES = dict(zip(SPLITS, ("train", "dev", "test"), strict=True))  # *-ud-train.conllu and so on
HUB_COLUMNS = {"form": "tokens", "lemma": "lemmas", "upos": "upos", "xpos": "xpos", "head": "head", "deprel": "deprel"}
# The numbers of the tags on the hub; "_" is what ranges have there.
HUB_TAGS = [
    "NOUN", "PUNCT", "ADP", "NUM", "SYM", "SCONJ", "ADJ", "PART", "DET", "CCONJ", "PROPN", "PRON",
    "X", "_", "ADV", "INTJ", "VERB", "AUX"
]  # fmt: skip


class Treebank(HubDataset):
    """A treebank of Universal Dependencies, from the hub's parquet conversion or from a folder.

    Args:
        name, repository, revision: as in ``HubDataset``.
        config: which treebank of the repository (``en_ewt``).
        path: a folder with the official files (``*-ud-train.conllu`` and so on), or with a copy of the repository;
            null for the hub.
        column: ``upos``, the universal tags, or ``xpos``, those of the language.
    """

    examples = TaggedSentence

    def __init__(
        self, name: str, repository: str, config: str, revision: str | None, path: str | None, column: str
    ) -> None:
        files = {split: f"{config}/{split}/*.parquet" for split in SPLITS}
        super().__init__(name, repository, revision, path, files)
        self.column = tag_column(column)

    @property
    def no_test(self) -> str:
        return f"{self.name} has no test split in this copy, so there is no test score."

    def read(self, split: str) -> list[TaggedSentence] | None:
        if self.path is not None and any(Path(self.path).glob("*.conllu")):
            file = self.official_file(Path(self.path), split)
            return None if file is None else read_treebank(file, self.column)
        if split not in self.splits:
            return None
        return [self.sentence(row) for row in self.rows(split, list(HUB_COLUMNS.values()))]

    def official_file(self, folder: Path, split: str) -> Path | None:
        """The file of a split in a folder; None where there is none, as small treebanks have no ``dev``."""
        pattern = f"*-ud-{OFFICIAL_NAMES[split]}.conllu"
        found = sorted(folder.glob(pattern))
        if len(found) > 1:
            raise InputError(
                f"data.path={self.path}: {found[0].name} and {found[1].name} are both there: give a folder with one "
                f"treebank, or name the files with data=conllu data.train=F data.validation=F data.test=F."
            )
        if not found and split == "train":
            raise InputError(
                f"data.path={self.path}: there is no file {pattern}: give a folder with the official files, or name "
                f"the files with data=conllu data.train=F data.validation=F data.test=F."
            )
        return found[0] if found else None

    def sentence(self, row: Row) -> TaggedSentence:
        """A row of the hub without its ranges and empty nodes, which have no head."""
        words = [index for index, head in enumerate(row.values["head"]) if str(head).isdigit()]
        columns = {name: [row.values[key][index] for index in words] for name, key in HUB_COLUMNS.items()}
        columns["upos"] = [hub_tag(number, row.place) for number in columns["upos"]]
        forms = columns.pop("form")
        check(forms, columns[self.column], self.column, [row.place] * len(words))
        return TaggedSentence(tuple(forms), tuple(columns[self.column]), self.column, conllu.block_of(forms, **columns))


class OwnTreebank(OwnFiles[TaggedSentence]):
    """A treebank in CoNLL-U files of one's own, in any language.

    Args:
        train, validation, test: the files; validation and test may be null.
        column: ``upos``, the universal tags, or ``xpos``, those of the language.
    """

    name = "conllu"
    examples = TaggedSentence

    def __init__(self, train: str, validation: str | None, test: str | None, column: str) -> None:
        super().__init__(train, validation, test)
        self.column = tag_column(column)

    def read_file(self, path: Path) -> list[TaggedSentence]:
        return read_treebank(path, self.column)


def read_treebank(path: Path, column: str) -> list[TaggedSentence]:
    """The sentences of a CoNLL-U file, every word of which must have a tag."""
    return [tagged(sentence, column) for sentence in conllu.read(read_lines(path), str(path))]


def tagged(sentence: conllu.Sentence, column: str) -> TaggedSentence:
    tags = tuple(word.value(column) for word in sentence.words)
    check(sentence.forms, tags, column, [word.place for word in sentence.words])
    return TaggedSentence(sentence.forms, tags, column, sentence.block)


def check(words: Sequence[str], tags: Sequence[str | None], column: str, places: Sequence[str]) -> None:
    """Every word must have a tag."""
    for word, tag, place in zip(words, tags, places, strict=True):
        if tag in (None, conllu.EMPTY):
            other = next(name for name in conllu.TAGS if name != column)
            raise InputError(
                f"{place}: the word '{word}' has no tag in the column {column}: fill it in, or choose the other "
                f"column with data.column={other}."
            )


def tag_column(name: str) -> str:
    if name not in conllu.TAGS:
        raise InputError(f"data.column={name}: the columns with tags are {' and '.join(conllu.TAGS)}.")
    return name


def hub_tag(number: int, place: str) -> str:
    if not isinstance(number, int) or not 0 <= number < len(HUB_TAGS):
        raise InputError(f"{place}: the tag {number!r} is none of 0 to {len(HUB_TAGS) - 1}: the copy is broken.")
    return HUB_TAGS[number]
