"""Symbols <-> ids."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from data.errors import InputError
from data.writing import write_text

SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
PAD, UNK, BOS, EOS = range(4)


class Vocabulary:
    """Symbols in the order of their ids; unknown symbols have the id UNK.

    Args:
        symbols: every symbol once, the specials first where there are any.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = list(symbols)
        self.ids = {symbol: index for index, symbol in enumerate(self.symbols)}

    @classmethod
    def of_text(cls, pieces: Iterable[str], min_count: int, max_size: int | None) -> Self:
        """The specials, then every piece seen ``min_count`` times, most frequent first, ``max_size`` symbols in all."""
        counts = Counter(pieces)
        for special in SPECIALS:
            counts.pop(special, None)
        ranked = sorted((piece for piece, count in counts.items() if count >= min_count), key=lambda p: (-counts[p], p))
        if max_size is not None and max_size > len(SPECIALS) + len(ranked):
            raise InputError(
                f"A vocabulary of {max_size} symbols was asked for, but the training text has only "
                f"{len(SPECIALS) + len(ranked)} (symbols seen {min_count} times or more and {len(SPECIALS)} specials): "
                f"set codec.vocab_size to at most that, or to null for all of them."
            )
        keep = None if max_size is None else max_size - len(SPECIALS)
        return cls([*SPECIALS, *ranked[:keep]])

    @classmethod
    def of_labels(cls, labels: Iterable[str]) -> Self:
        """The distinct labels in alphabetical order, without specials."""
        return cls(sorted(set(labels)))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, symbols: Iterable[str]) -> list[int]:
        return [self.ids.get(symbol, UNK) for symbol in symbols]

    def decode(self, ids: Iterable[int]) -> list[str]:
        return [self.symbols[index] for index in ids]

    def save(self, path: Path) -> None:
        write_text(path, json.dumps(self.symbols, ensure_ascii=False, indent=0))

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(json.loads(path.read_text(encoding="utf-8")))
