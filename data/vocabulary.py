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


def size_note(vocabulary: "Vocabulary", max_size: int | None) -> list[str]:
    """A message where the training text does not fill a vocabulary."""
    if max_size is None or len(vocabulary) >= max_size:
        return []
    return [
        f"The vocabulary has {len(vocabulary)} symbols: the training text does not fill codec.vocab_size={max_size}."
    ]


class Vocabulary:
    """Symbols in the order of their ids; unknown symbols have the id UNK.

    Vocabularies of text begin with the special symbols. Text that is spelled like one of them (``</s>``) is an ordinary
    symbol with another id: only ids stand for special symbols. Labels are sorted, so that they never begin with them.

    Args:
        symbols: the special symbols, if any, followed by all others, each once.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = list(symbols)
        specials = len(SPECIALS) if tuple(self.symbols[: len(SPECIALS)]) == SPECIALS else 0
        self.ids = {symbol: index for index, symbol in enumerate(self.symbols) if index >= specials}

    @classmethod
    def of_text(cls, pieces: Iterable[str], min_count: int, max_size: int | None) -> Self:
        """The special symbols and all pieces that occur ``min_count`` times, most frequent first.

        Args:
            pieces: the training text.
            min_count: how often a piece must occur.
            max_size: the maximum number of symbols, special symbols included; null for no limit.
        """
        if max_size is not None and max_size < len(SPECIALS):
            raise InputError(
                f"codec.vocab_size={max_size}: must be at least {len(SPECIALS)}, the number of special symbols."
            )
        counts = Counter(pieces)
        ranked = sorted((piece for piece, count in counts.items() if count >= min_count), key=lambda p: (-counts[p], p))
        keep = None if max_size is None else max_size - len(SPECIALS)
        return cls([*SPECIALS, *ranked[:keep]])

    @classmethod
    def of_labels(cls, labels: Iterable[str]) -> Self:
        """The distinct labels in alphabetical order, without special symbols."""
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
        """The vocabulary that ``save`` wrote.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            symbols = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            raise InputError(f"{path} is missing or is not JSON: the run folder is damaged.") from None
        if not isinstance(symbols, list) or not symbols or not all(isinstance(symbol, str) for symbol in symbols):
            raise InputError(f"{path} is not a list of symbols: the run folder is damaged.")
        vocabulary = cls(symbols)
        if len(vocabulary.symbols) - len(vocabulary.ids) not in (0, len(SPECIALS)):
            raise InputError(f"{path} is not a list of distinct symbols: the run folder is damaged.")
        return vocabulary
