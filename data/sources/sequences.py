"""Sequences with targets from users' own files."""

from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError
from data.memory import NO_TARGET, MemorySequence
from data.sources.files import TableReader
from data.sources.tables import label_of, read_table, text_of

NOTHING = "-"  # in place of a target, at a token that has none


@dataclass(kw_only=True)
class FileSequences(TableReader[MemorySequence]):
    """Sequences from CSV, TSV, JSON or Parquet files: tokens and targets with spaces between them.

    Args:
        tokens_column: the tokens.
        targets_column: one target for the last token, or one per token, ``-`` for none.
    """

    name = "sequences"
    example_type = MemorySequence

    tokens_column: str
    targets_column: str

    def read_file(self, path: Path) -> list[MemorySequence]:
        tokens, targets = self.tokens_column, self.targets_column
        rows = read_table(path, {tokens: "data.tokens_column", targets: "data.targets_column"}, self.columns)
        return [sequence(text_of(row, tokens), label_of(row, targets).split(), row.place) for row in rows]


def sequence(text: str, targets: list[str], place: str) -> MemorySequence:
    length = len(text.split())
    if len(targets) == 1:
        targets = [NOTHING] * (length - 1) + targets
    if len(targets) != length or not set(targets) - {NOTHING}:
        raise InputError(
            f"{place}: {len(targets)} targets for {length} tokens: give one target, for the last token, or one for "
            f"every token, {NOTHING} where there is none."
        )
    return MemorySequence(text, tuple(NO_TARGET if target == NOTHING else target for target in targets), place=place)
