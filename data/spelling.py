"""The characters of words, for models that read words by their spelling too."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.batch import Batch, Ragged
from data.errors import InputError
from data.vocabulary import BOS, EOS, Vocabulary

CHARACTERS = "characters.json"
KINDS = ("lower case", "upper case", "letter without case", "digit", "other")


@dataclass(frozen=True)
class SpelledBatch(Batch):
    """B rows and the W distinct words in them, so that characters are encoded once per distinct word."""

    word_types: Tensor  # [B, T] which of the W words
    characters: Tensor  # [W, C] character ids, PAD past the end
    character_mask: Tensor  # [W, C]


@dataclass(frozen=True, kw_only=True)
class SpelledRows:
    """Rows of words as numbers of their distinct spellings; 0 is padding and has no characters."""

    word_types: Ragged  # [words] which spelling
    word_ids: np.ndarray  # [spellings] vocabulary ids
    spellings: Ragged  # [spellings] character ids

    @property
    def lengths(self) -> np.ndarray:
        return self.word_types.lengths

    @property
    def embedded(self) -> Ragged:
        return Ragged(self.word_ids[self.word_types.values], self.word_types.offsets)

    def words(self, rows: np.ndarray) -> tuple[np.ndarray, Mapping[str, Any]]:
        """The spellings of some rows, padded [B, T], and the fields of a ``SpelledBatch`` but for its targets."""
        padded, mask = self.word_types.pad(rows)
        types = padded.numpy()
        distinct, inverse = np.unique(types, return_inverse=True)
        characters, character_mask = self.spellings.pad(distinct)
        return types, {
            "rows": rows,
            "tokens": torch.from_numpy(self.word_ids[types]),
            "mask": mask,
            "word_types": torch.from_numpy(inverse.reshape(types.shape)),
            "characters": characters,
            "character_mask": character_mask,
        }


class Spelling:
    """Words <-> the ids of their characters.

    Args:
        max_characters: the maximum number of characters per word; of longer words, the two ends are kept.
    """

    def __init__(self, max_characters: int) -> None:
        if max_characters < 1:
            raise InputError(f"codec.max_characters is at least 1, not {max_characters}.")
        self.max_characters = max_characters

    def fit(self, words: Iterable[str]) -> None:
        """Distinct words. Characters of one word alone map to UNK, so that the embedding of UNK is learned."""
        self.characters = Vocabulary.of_text((character for word in words for character in set(word)), 2, None)

    def kinds(self) -> Tensor:
        """Which of ``KINDS`` every character is: [number of characters, number of kinds]; of none special symbols."""
        kinds = torch.zeros(len(self.characters), len(KINDS))
        for character, number in self.characters.ids.items():
            kinds[number, kind(character)] = 1
        return kinds

    def encode(self, word: str) -> list[int]:
        """The character ids of a word, between BOS and EOS."""
        ids = self.characters.encode(word)
        if len(ids) > self.max_characters:
            half = self.max_characters // 2
            ids = ids[: self.max_characters - half] + ids[len(ids) - half :]
        return [BOS, *ids, EOS]

    def encode_all(self, words: Iterable[str]) -> Ragged:
        """The spellings of the words numbered from 1; 0 is padding and has no characters."""
        return Ragged.of(self.rows(words))

    def rows(self, words: Iterable[str]) -> Iterator[list[int]]:
        yield []
        yield from map(self.encode, words)

    def save(self, directory: Path) -> None:
        self.characters.save(directory / CHARACTERS)

    def load(self, directory: Path) -> None:
        self.characters = Vocabulary.load(directory / CHARACTERS)


def kind(character: str) -> int:
    """Which of ``KINDS`` a character is."""
    if character.isalpha():
        return 0 if character.islower() else 1 if character.isupper() else 2
    return 3 if character.isdigit() else 4
