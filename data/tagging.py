"""Sentences with one tag per word."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from data import conllu
from data.batch import Ragged
from data.corpus import Codec
from data.errors import InputError
from data.spelling import SpelledBatch, SpelledRows, Spelling
from data.vocabulary import PAD, UNK, Vocabulary, size_note

NO_TAG = -1  # the id of a tag that does not occur in the training split: it is neither learned nor predicted


class TaggedSentence(NamedTuple):
    """Words, their tags, and the raw text of the sentence where it was read from a CoNLL-U file."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    column: str = conllu.TAGS[0]  # which column holds the tags
    raw: str | None = None

    @classmethod
    def untagged(cls, words: Sequence[str], column: str = conllu.TAGS[0], raw: str | None = None) -> Self:
        return cls(tuple(words), (conllu.EMPTY,) * len(words), column, raw)

    def content(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.words, self.tags

    def stratum(self) -> None:
        return None

    def conllu(self, tags: Sequence[str]) -> str:
        """Its CoNLL-U text with other tags; all else is kept."""
        raw = conllu.format_sentence(self.words) if self.raw is None else self.raw
        return conllu.replace_column(raw, self.column, tags)


@dataclass(frozen=True)
class TaggingBatch(SpelledBatch):
    """B sentences and their words."""

    counts: Tensor  # [B, T] how often the word occurs in the training split


@dataclass(frozen=True, kw_only=True)
class EncodedSentences(SpelledRows):
    targets: Ragged  # [words] tag ids, NO_TAG for tags unseen in training
    word_counts: np.ndarray  # [spellings] how often the word of that id occurs in the training split
    num_cut: int = 0

    def batch(self, rows: np.ndarray) -> TaggingBatch:
        types, words = self.words(rows)
        targets, _ = self.targets.pad(rows)
        return TaggingBatch(
            **words,
            targets=targets.clamp(min=0),
            target_mask=words["mask"] & (targets != NO_TAG),
            counts=torch.from_numpy(self.word_counts[types]),
        )


class TaggingCodec(Codec[TaggedSentence]):
    """Words, their characters and their tags <-> ids.

    Args:
        lowercase: look words up in lower case. If false, words are looked up as they are, and in lower case where the
            vocabulary does not have them. Characters always keep their case.
        min_count: how often a word must occur in the training split to have an id of its own.
        vocab_size: the largest vocabulary, special symbols included; null for no limit.
        max_characters: the maximum number of characters per word; of longer words, the two ends are kept.
        max_length: the maximum number of words per training sentence; longer ones are cut. Sentences to tag never are.
            Null for no limit.
    """

    example_type = TaggedSentence
    encoded_type = EncodedSentences
    spelling: Spelling

    def __init__(
        self,
        lowercase: bool,
        min_count: int,
        vocab_size: int | None,
        max_characters: int,
        max_length: int | None = None,
    ) -> None:
        if max_length is not None and max_length < 1:
            raise InputError(f"codec.max_length={max_length}: must be at least 1, or null for no limit.")
        self.lowercase, self.min_count, self.vocab_size = lowercase, min_count, vocab_size
        self.spelling, self.max_length = Spelling(max_characters), max_length

    def fit(self, train: Sequence[TaggedSentence]) -> None:
        counts = Counter(word for sentence in train for word in sentence.words)
        words = (self.fold(word) for word in counts.elements())
        self.vocabulary = Vocabulary.of_text(words, self.min_count, self.vocab_size)
        self.notes = size_note(self.vocabulary, self.vocab_size)
        self.spelling.fit(counts)
        self.tags = Vocabulary.of_labels(tag for sentence in train for tag in sentence.tags)
        self.counts = np.zeros(len(self.vocabulary), dtype=np.float32)
        for word, count in counts.items():
            self.counts[self.word_id(word)] += count

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        return {
            "vocab_size": len(self.vocabulary),
            "num_characters": len(self.spelling.characters),
            "num_tags": len(self.tags),
        }

    def fold(self, word: str) -> str:
        return word.lower() if self.lowercase else word

    def word_id(self, word: str) -> int:
        ids = self.vocabulary.ids
        return ids.get(self.fold(word), ids.get(word.lower(), UNK))

    def encode_training(self, examples: Sequence[TaggedSentence]) -> EncodedSentences:
        if self.max_length is None:
            return self.encode(examples)
        size = self.max_length
        cut = [example._replace(words=example.words[:size], tags=example.tags[:size]) for example in examples]
        return replace(self.encode(cut), num_cut=sum(len(example.words) > size for example in examples))

    def encode(self, examples: Sequence[TaggedSentence]) -> EncodedSentences:
        numbers: dict[str, int] = {}
        types = Ragged.of([numbers.setdefault(word, len(numbers) + 1) for word in one.words] for one in examples)
        targets = Ragged.of([self.tags.ids.get(tag, NO_TAG) for tag in example.tags] for example in examples)
        word_ids = np.array([PAD, *map(self.word_id, numbers)], dtype=np.int64)
        spellings = self.spelling.encode_all(numbers)
        return EncodedSentences(
            word_types=types,
            targets=targets,
            word_ids=word_ids,
            word_counts=self.counts[word_ids],
            spellings=spellings,
        )

    def unlabelled(self, line: str) -> TaggedSentence:
        return TaggedSentence.untagged(line.split())

    def decode(self, predictions: Sequence[Sequence[int]]) -> list[tuple[str, ...]]:
        """Tag ids -> tags, one tuple per sentence."""
        return [tuple(self.tags.decode(ids)) for ids in predictions]

    def save(self, directory: Path) -> None:
        self.vocabulary.save(directory / "vocabulary.json")
        self.spelling.save(directory)
        self.tags.save(directory / "tags.json")

    def load(self, directory: Path) -> None:
        self.vocabulary = Vocabulary.load(directory / "vocabulary.json")
        self.spelling.load(directory)
        self.tags = Vocabulary.load(directory / "tags.json")
        self.counts = np.zeros(len(self.vocabulary), dtype=np.float32)  # used in training only
