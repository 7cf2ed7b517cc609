"""The characters of words, for models that read words by their spelling too."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.batch import Batch, Ragged
from data.errors import InputError
from data.vocabulary import BOS, EOS, Vocabulary


@dataclass(frozen=True)
class SpelledBatch(Batch):
    """B rows and the W distinct words in them, so that characters are encoded once per distinct word."""

    word_types: Tensor  # [B, T] which of the W words
    characters: Tensor  # [W, C] character ids, PAD past the end
    character_mask: Tensor  # [W, C]


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


def spelled(types: np.ndarray, spellings: Ragged) -> Mapping[str, Tensor]:
    """The fields that a ``SpelledBatch`` has beside those of a batch, of padded numbers of spellings [B, T]."""
    distinct, inverse = np.unique(types, return_inverse=True)
    characters, mask = spellings.pad(distinct)
    return {
        "word_types": torch.from_numpy(inverse.reshape(types.shape)),
        "characters": characters,
        "character_mask": mask,
    }
