"""Labelled texts from the hub, from a copy of a hub data set, and from a user's own files."""

from dataclasses import dataclass
from pathlib import Path

from data.classification import LabelledText
from data.errors import InputError
from data.sources.files import FileReader
from data.sources.hub import HubReader
from data.sources.tables import Row, read_table, text_of

HIDDEN = -1  # the label of test rows whose labels are not public


@dataclass(kw_only=True)
class HubTexts(HubReader[LabelledText]):
    """Labelled texts of a hub data set whose labels are class numbers.

    Args:
        text_column: the possible names of the column of the text; the first one present is read.
        label_column: the column of the class number.
        labels: the names of the classes, by number.
        replace: strings to replace in the text, and their replacements (``{"<br />": " "}``).
        pretokenized: words and punctuation are separated by spaces already.
        group_size: so many consecutive rows are held out together, where there is no validation split.
    """

    example_type = LabelledText

    text_column: list[str]
    label_column: str
    labels: list[str]
    replace: dict[str, str]
    pretokenized: bool
    group_size: int = 1

    def __post_init__(self) -> None:
        if self.group_size < 1:
            raise InputError(f"data.group_size={self.group_size}: must be at least 1.")

    @property
    def missing_test_message(self) -> str:
        return (
            f"The test labels of {self.name} are hidden in this copy (-1), so there is no test score. "
            f"A copy with labels can be given with data.path=DIR."
        )

    def read_split(self, split: str) -> list[LabelledText] | None:
        if split not in self.splits:
            return None
        present = self.splits[split].column_names
        column = next((name for name in self.text_column if name in present), self.text_column[0])
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


@dataclass(kw_only=True)
class FileTexts(FileReader[LabelledText]):
    """Labelled texts from CSV, TSV, JSON-lines or Parquet files, any number of classes.

    Args:
        text_column, label_column: the columns to read.
        pretokenized: words and punctuation are separated by spaces already.
    """

    name = "files"
    example_type = LabelledText

    text_column: str
    label_column: str
    pretokenized: bool

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
