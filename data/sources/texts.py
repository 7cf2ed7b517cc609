"""Labelled texts from the hub, from a copy of a hub data set, and from a user's own files."""

from pathlib import Path

from data.classification import LabelledText
from data.errors import InputError
from data.sources.files import OwnFiles
from data.sources.hub import HubDataset
from data.sources.tables import Row, read_table, text_of

HIDDEN = -1  # how the hub marks the labels of a test set that is kept back


class HubTexts(HubDataset):
    """Labelled texts of a hub data set whose labels are class numbers.

    Args:
        name, repository, revision, path: as in ``HubDataset``.
        text_column: the names that the column of the text may have; the first one present is read.
        label_column: the column of the class number.
        labels: the names of the classes, by number.
        replace: texts to replace, by what (``{"<br />": " "}``).
        pretokenized: words and punctuation are split by spaces already.
        block: so many rows in a row are held out together, where there is no validation split.
    """

    examples = LabelledText

    def __init__(
        self,
        name: str,
        repository: str,
        revision: str | None,
        path: str | None,
        text_column: list[str],
        label_column: str,
        labels: list[str],
        replace: dict[str, str],
        pretokenized: bool,
        block: int = 1,
    ) -> None:
        super().__init__(name, repository, revision, path)
        if block < 1:
            raise InputError(f"data.block={block}: at least 1 is wanted here.")
        self.block = block
        self.text_columns, self.label_column, self.labels = list(text_column), label_column, list(labels)
        self.replace, self.pretokenized = dict(replace), pretokenized

    @property
    def no_test(self) -> str:
        return (
            f"The test labels of {self.name} are hidden in this copy (-1), so there is no test score: the validation "
            f"score stands in its place. A copy with labels can be given with data.path=DIR."
        )

    def read(self, split: str) -> list[LabelledText] | None:
        if split not in self.splits:
            return None
        present = self.splits[split].column_names
        column = next((name for name in self.text_columns if name in present), self.text_columns[0])
        rows = list(self.rows(split, [column, self.label_column]))
        if rows and all(row.values[self.label_column] == HIDDEN for row in rows):
            return None
        return [LabelledText(self.text(row, column), self.label(row)) for row in rows]

    def text(self, row: Row, column: str) -> str:
        text = text_of(row, column)
        for old, new in self.replace.items():
            text = text.replace(old, new)
        return text

    def label(self, row: Row) -> str:
        number = row.values[self.label_column]
        if not isinstance(number, int) or not 0 <= number < len(self.labels):
            raise InputError(
                f"{row.place}: the label {number!r} is none of 0 to {len(self.labels) - 1} "
                f"({', '.join(self.labels)}): correct the row."
            )
        return self.labels[number]


class FileTexts(OwnFiles[LabelledText]):
    """Labelled texts from CSV, TSV, JSON-lines or Parquet files, any number of classes.

    Args:
        train, validation, test: the files; validation and test may be null.
        text_column, label_column: which columns to read.
        pretokenized: words and punctuation are split by spaces already.
    """

    name = "files"
    examples = LabelledText

    def __init__(
        self,
        train: str,
        validation: str | None,
        test: str | None,
        text_column: str,
        label_column: str,
        pretokenized: bool,
    ) -> None:
        super().__init__(train, validation, test)
        self.text_column, self.label_column, self.pretokenized = text_column, label_column, pretokenized

    def read_file(self, path: Path) -> list[LabelledText]:
        rows = read_table(path, [self.text_column, self.label_column])
        return [LabelledText(text_of(row, self.text_column), self.label(row)) for row in rows]

    def label(self, row: Row) -> str:
        value = row.values[self.label_column]
        if value is None or isinstance(value, (float, list, dict)) or not str(value).strip():
            raise InputError(
                f"{row.place}: {value!r} in column '{self.label_column}' is no label: give a word or a whole number."
            )
        return str(value).strip()
