"""Labelled texts from the hub, from local copies of hub data sets, and from users' own files."""

from dataclasses import dataclass
from pathlib import Path

from data.classification import LabelledText
from data.errors import InputError, shorten
from data.sources.files import TableReader
from data.sources.hub import CLASS, NUMBER, TEXT, HubReader, Table, guess_column, of_kind
from data.sources.tables import Row, label_of, read_table, text_of

HIDDEN = (-1, None)  # the label of test rows whose labels are not public
USUAL_TEXTS = ("text", "sentence", "content", "review")
USUAL_LABELS = ("label", "labels", "class", "sentiment")


@dataclass(kw_only=True)
class HubTexts(HubReader[LabelledText]):
    """Labelled texts of a hub data set.

    Args:
        text_column: the name of the column of the text, or its possible names, of which the first one present is read;
            null to find it, if there is only one candidate.
        label_column: the column of the class; null to find it.
        labels: the names of the classes, by number; null for those that the data set declares.
        replace: strings to replace in the text, and their replacements (``{"<br />": " "}``).
        pretokenized: words and punctuation are separated by spaces already.
        group_size: so many consecutive rows are held out together, where there is no validation split.
    """

    example_type = LabelledText

    text_column: list[str] | str | None
    label_column: str | None
    labels: list[str] | None
    replace: dict[str, str]
    pretokenized: bool
    group_size: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group_size < 1:
            raise InputError(f"data.group_size={self.group_size}: must be at least 1.")

    @property
    def missing_test_message(self) -> str:
        if "test" not in self.splits:
            return super().missing_test_message
        return (
            f"The test labels of {self.name} are hidden in this copy (-1), so there is no test score. A copy with "
            f"labels can be given with data.path=DIR."
        )

    def read_split(self, split: str) -> list[LabelledText] | None:
        if split not in self.splits:
            return None
        table = self.splits[split]
        text, label = self.choose_columns(table)
        rows = list(self.rows(split, {text: "data.text_column", label: "data.label_column"}))
        if rows and all(row.values[label] in HIDDEN for row in rows):
            return None
        classes = self.labels or table.class_names(label)
        return [LabelledText(self.text(row, text), self.label(row, label, classes), place=row.place) for row in rows]

    def choose_columns(self, table: Table) -> tuple[str, str]:
        """The columns of the text and of the label: those configured, or the only candidates."""
        kinds = table.kinds
        label = self.label_column or guess_column(
            "data.label_column", label_candidates(kinds), USUAL_LABELS, kinds, str(self.name)
        )
        if self.text_column is None:
            texts = [column for column in of_kind(kinds, lambda kind: kind == TEXT) if column != label]
            return guess_column("data.text_column", texts, USUAL_TEXTS, kinds, str(self.name)), label
        names = [self.text_column] if isinstance(self.text_column, str) else list(self.text_column)
        return next((name for name in names if name in kinds), names[0]), label

    def text(self, row: Row, column: str) -> str:
        text = text_of(row, column)
        for old, new in self.replace.items():
            text = text.replace(old, new)
        return text

    def label(self, row: Row, column: str, classes: list[str] | None) -> str:
        """The name of the class: by its number where classes have numbers."""
        number = row.values[column]
        if classes is None or number in classes:
            return label_of(row, column)
        digits = str(number).strip()
        if isinstance(number, bool) or not digits.isdecimal() or len(digits) > 9 or int(digits) >= len(classes):
            raise InputError(
                f"{row.place}: the label {shorten(repr(number))} is none of 0 to {len(classes) - 1} "
                f"({shorten(', '.join(classes))}): correct the row."
            )
        return classes[int(digits)]


def label_candidates(kinds: dict[str, str]) -> list[str]:
    """The columns that may hold the label: of classes; with a usual name; of numbers; or any other text."""
    by_name = [column for column in kinds if column in USUAL_LABELS]
    found = (of_kind(kinds, lambda kind: kind == CLASS), by_name, of_kind(kinds, lambda kind: kind == NUMBER))
    texts = of_kind(kinds, lambda kind: kind == TEXT)
    return next((columns for columns in found if columns), [column for column in texts if column not in USUAL_TEXTS])


@dataclass(kw_only=True)
class FileTexts(TableReader[LabelledText]):
    """Labelled texts from CSV, TSV, JSON or Parquet files, any number of classes.

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
        text, label = self.text_column, self.label_column
        rows = read_table(path, {text: "data.text_column", label: "data.label_column"}, self.columns)
        return [LabelledText(text_of(row, text), label_of(row, label), place=row.place) for row in rows]
