"""Texts with one label each."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch

from data.batch import Batch, Ragged
from data.corpus import Codec
from data.errors import InputError, shorten
from data.spelling import SpelledBatch, SpelledRows, Spelling
from data.tokenizers import Texts, Tokenizer
from data.vocabulary import PAD, Vocabulary, size_note

NO_PIECE = ""  # of a text without pieces: an unknown one, as no piece is empty


class LabelledText(NamedTuple):
    """A text, its label, and numbers by which scores are grouped (``{"distance": 7}``)."""

    text: str
    label: str
    metadata: Mapping[str, int] = MappingProxyType({})
    place: str = "an example"  # file and line, for error messages

    def content(self) -> tuple[str, str]:
        return self.text, self.label

    def stratum(self) -> str:
        return self.label


class LabelPrediction(NamedTuple):
    """The predicted label and the probability of every label."""

    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class EncodedTexts:
    tokens: Ragged
    targets: np.ndarray = field(repr=False)  # [rows] label ids
    num_cut: int

    @property
    def lengths(self) -> np.ndarray:
        return self.tokens.lengths

    @property
    def embedded(self) -> Ragged:
        return self.tokens

    def batch(self, rows: np.ndarray) -> Batch:
        tokens, mask = self.tokens.pad(rows)
        targets = torch.from_numpy(self.targets[rows])
        return Batch(rows, tokens, mask, targets, torch.ones_like(targets, dtype=torch.bool))


@dataclass(frozen=True, kw_only=True)
class SpelledTexts(SpelledRows):
    targets: np.ndarray = field(repr=False)  # [rows] label ids
    num_cut: int

    def batch(self, rows: np.ndarray) -> SpelledBatch:
        _, words = self.words(rows)
        targets = torch.from_numpy(self.targets[rows])
        return SpelledBatch(**words, targets=targets, target_mask=torch.ones_like(targets, dtype=torch.bool))


class ClassificationCodec(Codec[LabelledText]):
    """Texts and labels <-> ids.

    Args:
        tokenizer: text <-> pieces.
        min_count: how often a piece must occur in the training split to have an id of its own.
        vocab_size: the largest vocabulary, special symbols included; null for no limit.
        max_length: the maximum number of pieces per text; null for no limit.
        keep: which pieces of a longer text are kept: its ``start``, its ``end``, or ``both``, half of each.
        max_characters: the maximum number of characters per piece, for a model that reads the spelling of pieces
            (``characters=...``); of longer ones, the two ends are kept. Null for ids of pieces only.
    """

    example_type = LabelledText

    def __init__(
        self,
        tokenizer: Tokenizer,
        min_count: int,
        vocab_size: int | None,
        max_length: int | None,
        keep: str,
        max_characters: int | None = None,
    ) -> None:
        if keep not in ("start", "end", "both"):
            raise InputError(f"codec.keep is 'start', 'end' or 'both', not '{shorten(keep)}'.")
        if max_length is not None and max_length < 1:
            raise InputError(f"codec.max_length={max_length}: must be at least 1, or null for no limit.")
        self.tokenizer, self.min_count, self.vocab_size = tokenizer, min_count, vocab_size
        self.max_length, self.keep = max_length, keep
        self.spelling = None if max_characters is None else Spelling(max_characters)

    @property
    def encoded_type(self) -> type:  # type: ignore[override]
        return EncodedTexts if self.spelling is None else SpelledTexts

    def fit(self, train: Sequence[LabelledText]) -> None:
        self.tokenizer.fit(Texts(lambda: (example.text for example in train)))
        counts = Counter(piece for example in train for piece in self.tokenizer.split(example.text))
        self.vocabulary = Vocabulary.of_text(counts.elements(), self.min_count, self.vocab_size)
        self.notes = [*self.tokenizer.notes, *size_note(self.vocabulary, self.vocab_size)]
        self.labels = Vocabulary.of_labels(example.label for example in train)
        if self.spelling is not None:
            self.spelling.fit(counts)

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        sizes = {"vocab_size": len(self.vocabulary), "num_labels": len(self.labels)}
        return sizes if self.spelling is None else sizes | {"num_characters": len(self.spelling.characters)}

    def encode(self, examples: Sequence[LabelledText]) -> EncodedTexts | SpelledTexts:
        targets = np.array([self.label_id(example) for example in examples], dtype=np.int64)
        is_cut = np.zeros(len(examples), dtype=bool)
        if self.spelling is None:
            tokens = Ragged.of(self.encoded(examples, is_cut, self.vocabulary.encode))
            return EncodedTexts(tokens, targets, int(is_cut.sum()))
        numbers: dict[str, int] = {}

        def types(pieces: Sequence[str]) -> list[int]:
            return [numbers.setdefault(piece, len(numbers) + 1) for piece in pieces]

        word_types = Ragged.of(self.encoded(examples, is_cut, types))
        word_ids = np.array([PAD, *self.vocabulary.encode(numbers)], dtype=np.int64)
        return SpelledTexts(
            word_types=word_types,
            targets=targets,
            word_ids=word_ids,
            spellings=self.spelling.encode_all(numbers),
            num_cut=int(is_cut.sum()),
        )

    def encoded(
        self, examples: Sequence[LabelledText], is_cut: np.ndarray, ids: Callable[[Sequence[str]], list[int]]
    ) -> Iterator[list[int]]:
        """The ids of every text in turn; ``is_cut`` [texts] becomes true where they are cut."""
        for row, example in enumerate(examples):
            pieces = self.pieces(example.text)
            cut = self.cut(pieces)
            is_cut[row] = cut is not pieces
            yield ids(cut)

    def encode_text(self, text: str) -> list[int]:
        """The ids of a text, cut to ``max_length``; a text without pieces is one unknown piece."""
        return self.vocabulary.encode(self.cut(self.pieces(text)))

    def pieces(self, text: str) -> Sequence[str]:
        return self.tokenizer.split(text) or [NO_PIECE]

    def cut(self, pieces: Sequence[str]) -> Sequence[str]:
        if self.max_length is None or len(pieces) <= self.max_length:
            return pieces
        head = {"start": self.max_length, "end": 0, "both": self.max_length // 2}[self.keep]
        return [*pieces[:head], *pieces[len(pieces) - (self.max_length - head) :]]

    def label_id(self, example: LabelledText) -> int:
        if example.label not in self.labels.ids:
            raise InputError(
                f"{example.place}: the label '{shorten(example.label)}' does not occur in the training split, whose "
                f"labels are {shorten(', '.join(self.labels.symbols))}: correct the row, or add training examples with "
                f"that label."
            )
        return self.labels.ids[example.label]

    def unlabelled(self, line: str) -> LabelledText:
        return LabelledText(line, self.labels.symbols[0])

    def decode(self, predictions: Sequence[Sequence[float]]) -> list[LabelPrediction]:
        """Probabilities [B][labels] -> labels, with the probability of every label by name."""
        names = self.labels.symbols
        return [
            LabelPrediction(names[int(np.argmax(row))], dict(zip(names, map(float, row), strict=True)))
            for row in predictions
        ]

    def save(self, directory: Path) -> None:
        self.tokenizer.save(directory)
        self.vocabulary.save(directory / "vocabulary.json")
        self.labels.save(directory / "labels.json")
        if self.spelling is not None:
            self.spelling.save(directory)

    def load(self, directory: Path) -> None:
        self.tokenizer.load(directory)
        self.vocabulary = Vocabulary.load(directory / "vocabulary.json")
        self.labels = Vocabulary.load(directory / "labels.json")
        if self.spelling is not None:
            self.spelling.load(directory)
