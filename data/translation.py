"""Sentence pairs."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.batch import PairBatch, Ragged
from data.corpus import Codec
from data.tokenizers import Tokenizer
from data.vocabulary import EOS, Vocabulary


class SentencePair(NamedTuple):
    """A sentence and its translation, as people read them."""

    source: str
    target: str

    def content(self) -> tuple[str, str]:
        return self.source, self.target

    def stratum(self) -> None:
        return None


class Written(NamedTuple):
    """A target sentence that a model wrote."""

    ids: list[int]  # without BOS and EOS
    score: float  # what the search ranked it by


class Predicted(NamedTuple):
    """What a model makes of one source sentence."""

    tokens: list[int]  # the source as it was read
    nbest: list[Written]  # best first
    attention: list[list[float]]  # of the best, a row of weights over the source for each id and EOS; may be empty


class Translation(NamedTuple):
    """A translation in words."""

    text: str
    alternatives: list[tuple[str, float]]  # the n best with their scores, ``text`` the first of them
    source_pieces: list[str]
    target_pieces: list[str]
    attention: list[list[float]]  # [target pieces][source pieces]; empty where there is none


@dataclass(frozen=True)
class EncodedPairs:
    source: Ragged
    target: Ragged

    @property
    def lengths(self) -> np.ndarray:
        return np.stack([self.source.lengths, self.target.lengths], axis=1)

    @property
    def embedded(self) -> Ragged:
        return self.source

    def batch(self, rows: np.ndarray) -> PairBatch:
        return PairBatch(rows, *self.source.pad(rows), *self.target.pad(rows))


class Side:
    """The pieces of one side of the pairs, or of both where they share them, and their ids.

    Args:
        tokenizer: text <-> pieces.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def fit(self, texts: Sequence[str]) -> None:
        self.tokenizer.fit(texts)
        seen = (piece for text in texts for piece in self.tokenizer.split(text))
        self.vocabulary = Vocabulary.of_text(chain(self.tokenizer.inventory, seen), min_count=1, max_size=None)

    def read(self, text: str) -> list[int]:
        """The ids of a text and the end; of an empty line, the end alone."""
        return self.encode(self.tokenizer.split(text))

    def encode(self, pieces: Iterable[str]) -> list[int]:
        return [*self.vocabulary.encode(pieces), EOS]

    def write(self, ids: Iterable[int]) -> str:
        """The text of ids, on one line and with single spaces."""
        return " ".join(self.tokenizer.join(self.vocabulary.decode(ids)).split())

    def save(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.tokenizer.save(directory)
        self.vocabulary.save(directory / "vocabulary.json")

    def load(self, directory: Path) -> None:
        self.tokenizer.load(directory)
        self.vocabulary = Vocabulary.load(directory / "vocabulary.json")


class TranslationCodec(Codec[SentencePair]):
    """Sentence pairs <-> ids. Both sides end in EOS.

    Args:
        tokenizer: text <-> pieces.
        joint: one set of pieces for both languages; false gives each language its own, of the same size.
        sampling_alpha: how freely training sentences are split anew in every epoch (see ``Tokenizer.sample``): lower is
            freer for unigram pieces, higher for bpe; null splits them in the best way only.
        sampling_nbest: among how many ways; -1 for all of them.
    """

    examples = SentencePair

    def __init__(self, tokenizer: Tokenizer, joint: bool, sampling_alpha: float | None, sampling_nbest: int) -> None:
        self.source = Side(tokenizer)
        self.target = self.source if joint else Side(copy.deepcopy(tokenizer))
        self.sampling_alpha, self.sampling_nbest = sampling_alpha, sampling_nbest

    @property
    def sides(self) -> dict[str, Side]:
        """By the folder that each is saved in."""
        if self.source is self.target:
            return {"pieces": self.source}
        return {"source_pieces": self.source, "target_pieces": self.target}

    def fit(self, train: Sequence[SentencePair]) -> None:
        sources, targets = map(list, zip(*train, strict=True))
        if self.source is self.target:
            self.source.fit(sources + targets)
        else:
            self.source.fit(sources)
            self.target.fit(targets)

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        return {"source_vocab_size": len(self.source.vocabulary), "target_vocab_size": len(self.target.vocabulary)}

    def encode(self, examples: Sequence[SentencePair]) -> EncodedPairs:
        sources = Ragged.of([self.source.read(example.source) for example in examples])
        return EncodedPairs(sources, Ragged.of([self.target.read(example.target) for example in examples]))

    def unlabelled(self, line: str) -> SentencePair:
        return SentencePair(line, "")

    def resample(self, encoded: EncodedPairs, examples: Sequence[SentencePair], seed: int) -> EncodedPairs:
        if self.sampling_alpha is None:
            return encoded
        return EncodedPairs(
            self.sampled(self.source, [example.source for example in examples], seed),
            self.sampled(self.target, [example.target for example in examples], seed + 1),
        )

    def sampled(self, side: Side, texts: Sequence[str], seed: int) -> Ragged:
        assert self.sampling_alpha is not None
        ways = side.tokenizer.sample(texts, self.sampling_alpha, self.sampling_nbest, seed)
        return Ragged.of([side.encode(pieces) for pieces in ways])

    def decode(self, predictions: Sequence[Predicted]) -> list[Translation]:
        return [self.translation(predicted) for predicted in predictions]

    def translation(self, predicted: Predicted) -> Translation:
        texts: dict[str, float] = {}
        for ids, score in predicted.nbest:  # what is written in two ways keeps the better score
            texts.setdefault(self.target.write(ids), score)
        alternatives = list(texts.items())
        return Translation(
            alternatives[0][0],
            alternatives,
            self.source.vocabulary.decode(predicted.tokens),
            self.target.vocabulary.decode([*predicted.nbest[0].ids, EOS]),
            predicted.attention,
        )

    def save(self, directory: Path) -> None:
        for name, side in self.sides.items():
            side.save(directory / name)

    def load(self, directory: Path) -> None:
        for name, side in self.sides.items():
            side.load(directory / name)
