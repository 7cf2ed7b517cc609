"""Sentence pairs."""

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.batch import PairBatch, Ragged
from data.corpus import Codec
from data.errors import InputError
from data.tokenizers import Texts, Tokenizer
from data.vocabulary import EOS, Vocabulary


class SentencePair(NamedTuple):
    """A sentence and its translation, as text."""

    source: str
    target: str

    def content(self) -> tuple[str, str]:
        return self.source, self.target

    def stratum(self) -> None:
        return None


class Hypothesis(NamedTuple):
    """A generated target sentence."""

    ids: list[int]  # without BOS and EOS
    score: float  # by which the search ranks it


class Prediction(NamedTuple):
    """The n best hypotheses for one source sentence."""

    tokens: list[int]  # the ids of the source
    nbest: list[Hypothesis]  # best first
    attention: list[list[float]]  # of the best: weights over the source for every id and EOS; may be empty


class Translation(NamedTuple):
    """A translation as text."""

    text: str
    alternatives: list[tuple[str, float]]  # the n best with their scores, ``text`` the first of them
    source_pieces: list[str]
    target_pieces: list[str]
    attention: list[list[float]]  # [target pieces][source pieces]; empty where there is none


@dataclass(frozen=True)
class EncodedPairs:
    source: Ragged
    target: Ragged
    num_cut: int

    @property
    def lengths(self) -> np.ndarray:
        return np.stack([self.source.lengths, self.target.lengths], axis=1)

    @property
    def embedded(self) -> Ragged:
        return self.source

    def batch(self, rows: np.ndarray) -> PairBatch:
        return PairBatch(rows, *self.source.pad(rows), *self.target.pad(rows))


def sides(pairs: Sequence[SentencePair]) -> tuple[Texts, Texts]:
    """The sources and the targets of sentence pairs."""
    return Texts(lambda: (pair.source for pair in pairs)), Texts(lambda: (pair.target for pair in pairs))


class LanguageCodec:
    """Text <-> ids of one language, or of both languages where they share their pieces.

    Args:
        tokenizer: text <-> pieces.
        max_length: the maximum number of ids, EOS included; null for no limit.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int | None) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length

    def fit(self, texts: Iterable[str]) -> None:
        self.tokenizer.fit(texts)
        seen = (piece for text in texts for piece in self.tokenizer.split(text))
        self.vocabulary = Vocabulary.of_text(chain(self.tokenizer.inventory, seen), min_count=1, max_size=None)

    def encode_text(self, text: str) -> list[int]:
        """The ids of a text, followed by EOS; an empty line is EOS alone."""
        return self.encode_pieces(self.tokenizer.split(text))

    def encode_pieces(self, pieces: Iterable[str]) -> list[int]:
        return self.cut([*self.vocabulary.encode(pieces), EOS])

    def cut(self, ids: list[int]) -> list[int]:
        if self.max_length is None or len(ids) <= self.max_length:
            return ids
        return [*ids[: self.max_length - 1], EOS]

    def decode_text(self, ids: Iterable[int]) -> str:
        """The text of ids, on one line and with single spaces."""
        return " ".join(self.tokenizer.join(self.vocabulary.decode(ids)).split())

    def decode_nbest(self, nbest: Sequence[Hypothesis]) -> tuple[list[tuple[str, float]], list[str]]:
        """Hypotheses, best first -> (distinct texts with their best scores, the pieces and EOS of the best)."""
        texts: dict[str, float] = {}
        for ids, score in nbest:
            texts.setdefault(self.decode_text(ids), score)
        return list(texts.items()), self.vocabulary.decode([*nbest[0].ids, EOS])

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
        sampling_alpha: sample a new segmentation of the training sentences in every epoch (see ``Tokenizer.sample``):
            the smoothing of unigram pieces (lower is more random) or the dropout rate of bpe merges; null for the best
            segmentation only.
        sampling_nbest: the number of segmentations to sample from; -1 for all.
        max_length: the maximum number of pieces of each side, EOS included; longer sides are cut. Null for no limit.
    """

    example_type = SentencePair
    encoded_type = EncodedPairs

    def __init__(
        self,
        tokenizer: Tokenizer,
        joint: bool,
        sampling_alpha: float | None,
        sampling_nbest: int,
        max_length: int | None = None,
    ) -> None:
        if max_length is not None and max_length < 2:
            raise InputError(f"codec.max_length={max_length}: must be at least 2, or null for no limit.")
        self.source = LanguageCodec(tokenizer, max_length)
        self.target = self.source if joint else LanguageCodec(copy.deepcopy(tokenizer), max_length)
        self.sampling_alpha, self.sampling_nbest, self.max_length = sampling_alpha, sampling_nbest, max_length

    @property
    def languages(self) -> dict[str, LanguageCodec]:
        """The codecs of the languages, by the folder that each is saved in."""
        if self.source is self.target:
            return {"pieces": self.source}
        return {"source_pieces": self.source, "target_pieces": self.target}

    def fit(self, train: Sequence[SentencePair]) -> None:
        sources, targets = sides(train)
        if self.source is self.target:
            self.source.fit(Texts(lambda: chain(sources, targets)))
        else:
            self.source.fit(sources)
            self.target.fit(targets)
        self.notes = [note for language in self.languages.values() for note in language.tokenizer.notes]

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        return {"source_vocab_size": len(self.source.vocabulary), "target_vocab_size": len(self.target.vocabulary)}

    def encode(self, examples: Sequence[SentencePair]) -> EncodedPairs:
        sources, targets = sides(examples)
        is_cut = np.zeros(len(examples), dtype=bool)
        source = Ragged.of(self.encoded(self.source, sources, is_cut))
        target = Ragged.of(self.encoded(self.target, targets, is_cut))
        return EncodedPairs(source, target, int(is_cut.sum()))

    def encoded(self, language: LanguageCodec, texts: Iterable[str], is_cut: np.ndarray) -> Iterator[list[int]]:
        """The ids of every text in turn; ``is_cut`` [texts] becomes true where they are cut."""
        limit = math.inf if self.max_length is None else self.max_length - 1
        for row, pieces in enumerate(map(language.tokenizer.split, texts)):
            is_cut[row] |= len(pieces) > limit
            yield language.encode_pieces(pieces)

    def limit_length(self, max_length: int) -> None:
        super().limit_length(max_length)
        self.source.max_length = self.max_length

    def unlabelled(self, line: str) -> SentencePair:
        return SentencePair(line, "")

    def resample(self, encoded: EncodedPairs, examples: Sequence[SentencePair], seed: int) -> EncodedPairs:
        if self.sampling_alpha is None:
            return encoded
        sources, targets = sides(examples)
        return EncodedPairs(
            self.sampled(self.source, sources, seed), self.sampled(self.target, targets, seed + 1), encoded.num_cut
        )

    def sampled(self, language: LanguageCodec, texts: Iterable[str], seed: int) -> Ragged:
        assert self.sampling_alpha is not None
        samples = language.tokenizer.sample(texts, self.sampling_alpha, self.sampling_nbest, seed)
        return Ragged.of(map(language.encode_pieces, samples))

    def decode(self, predictions: Sequence[Prediction]) -> list[Translation]:
        return [self.translation(prediction) for prediction in predictions]

    def translation(self, prediction: Prediction) -> Translation:
        alternatives, pieces = self.target.decode_nbest(prediction.nbest)
        source_pieces = self.source.vocabulary.decode(prediction.tokens)
        return Translation(alternatives[0][0], alternatives, source_pieces, pieces, prediction.attention)

    def save(self, directory: Path) -> None:
        for name, language in self.languages.items():
            language.save(directory / name)

    def load(self, directory: Path) -> None:
        for name, language in self.languages.items():
            language.load(directory / name)
