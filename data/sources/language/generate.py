"""Generates the sentences of a split from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from data.errors import InputError
from data.sources.language.english import detokenise
from data.sources.language.lexicon import load_lexicon, with_ing
from data.sources.language.phrases import DeadEndError, Index
from data.sources.language.sentence import Draft, Sentences
from data.sources.language.sentiment import describe, value
from data.sources.language.sentiment import distance as distance_of
from data.sources.language.splitmix import SplitMix64

SIZES = {"train": 20_000, "validation": 1_000, "test": 1_000}
# The hash of the text decides which split a sentence may be in, so that splits share no sentence.
PARTS_OF_SPLIT = {"train": range(0, 14), "validation": range(14, 17), "test": range(17, 20)}
PARTS = 20


@dataclass(frozen=True)
class Sentence:
    """An English sentence with its word classes, its sentiment and its German translation."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    label: str  # positive or negative
    english: str
    german: str
    distance: int  # the largest number of tokens between a deciding cue and the word that it acts on
    flipped: bool  # whether label noise flipped the label
    derivation: str  # what decides the label, each word with its position: "(deny not@2 good@9)"


@cache
def index() -> Index:
    return Index(load_lexicon())


@cache
def reserved_forms() -> frozenset[str]:
    """All forms of the words that do not occur in training."""
    lexicon = load_lexicon()
    forms: list[str] = []
    for noun in lexicon.nouns:
        if "reserved" in noun.notes:
            forms += (noun.english, noun.plural)
    for adjective in lexicon.adjectives:
        if "reserved" in adjective.notes:
            forms.append(adjective.english)
    for verb in lexicon.verbs:
        if "reserved" in verb.notes:
            forms += (verb.english, verb.third, verb.past, verb.participle, with_ing(verb.english))
    return frozenset(forms)


def sentences(
    split: str,
    *,
    size: int | None = None,
    distance: int = 12,
    label_noise: float = 0.0,
    unknown: float = 0.1,
    seed: int = 1,
) -> Iterator[Sentence]:
    """Generate the sentences of a split ("train", "validation" or "test") lazily.

    Validation and test sentences are distinct; training sentences may repeat.

    Args:
        distance: the maximum number of tokens between a cue and the word that it acts on. Half of the sentences sample
            theirs uniformly from 0 to 2, so that the cues can be learned, the others from 0 to ``distance``.
        label_noise: the fraction of labels that are flipped.
        unknown: the fraction of validation and test sentences with words that do not occur in training.
    """
    check(split, size, distance, label_noise, unknown)
    return draw(split, SIZES[split] if size is None else size, distance, label_noise, unknown, seed)


def check(split: str, size: int | None, distance: int, label_noise: float, unknown: float) -> None:
    if split not in SIZES:
        raise InputError(f"split must be train, validation or test, not {split!r}")
    if size is not None and size < 0:
        raise InputError(f"size must not be negative, but is {size}")
    if not 0 <= distance <= MAX_DISTANCE:
        raise InputError(f"distance must be from 0 to {MAX_DISTANCE}, but is {distance}")
    for name, rate in (("label_noise", label_noise), ("unknown", unknown)):
        if not 0 <= rate <= 1:
            raise InputError(f"{name} must be from 0 to 1, but is {rate}")


MAX_DISTANCE = 60
NEAR, NEAR_FRACTION = 2, 0.5


def draw(split: str, size: int, distance: int, label_noise: float, unknown: float, seed: int) -> Iterator[Sentence]:
    origin = int.from_bytes(sha256(f"{seed} {split}".encode()).digest()[:8], "big")
    rng, noise = SplitMix64(origin), SplitMix64(origin ^ 0xA5A5A5A5A5A5A5A5)
    writer = Sentences(index(), rng)
    seen: set[bytes] = set()
    for _ in range(size):
        writer.reserve = split != "train" and rng.bernoulli(unknown)
        wanted = rng.randbelow(1 + (min(NEAR, distance) if rng.bernoulli(NEAR_FRACTION) else distance))
        flipped = noise.bernoulli(label_noise)
        yield one(writer, wanted, split, seen, flipped)


def one(writer: Sentences, wanted: int, split: str, seen: set[bytes], flipped: bool) -> Sentence:
    """The next sentence of this distance that belongs to the split."""
    while True:
        try:
            draft = writer.draft(wanted)
        except DeadEndError:
            continue
        english = draft.english()
        if distance_of(draft.judgement) != wanted:
            continue
        if writer.reserve and reserved_forms().isdisjoint(english.forms):
            continue
        tokens = tuple(english.forms)
        text = detokenise(tokens)
        digest = sha256(text.encode()).digest()[:8]
        if int.from_bytes(digest, "big") % PARTS not in PARTS_OF_SPLIT[split] or digest in seen:
            continue
        if split != "train":
            seen.add(digest)
        return finished(draft, tokens, tuple(english.tags), text, wanted, flipped)


def finished(
    draft: Draft, tokens: tuple[str, ...], tags: tuple[str, ...], text: str, wanted: int, flipped: bool
) -> Sentence:
    positive = (value(draft.judgement) > 0) != flipped
    label = "positive" if positive else "negative"
    return Sentence(tokens, tags, label, text, draft.german(), wanted, flipped, describe(draft.judgement))
