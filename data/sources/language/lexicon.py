"""The bilingual lexicon: the tables of `lexicon/` as typed entries, with every regular form filled in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "lexicon"
VOWELS = "aeiou"
UNSTRESSED_ENDINGS = ("visit", "open", "answer", "offer", "order", "remember", "whisper", "water", "enter", "consider")
SIBILANTS = ("s", "x", "z", "ch", "sh")
UNSTRESSED_PREFIXES = ("be", "ver", "er", "ent", "zer", "ge")


@dataclass(frozen=True, slots=True, eq=False)
class Noun:
    english: str
    plural: str
    german: str
    gender: str  # m, f or n
    german_plural: str
    classes: frozenset[str]
    notes: frozenset[str]
    place: tuple[str, str] | None  # the prepositions of being there: ("at", "an")


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    english: str
    german: str
    kind: str  # m, f, city, day or month


@dataclass(frozen=True, slots=True, eq=False)
class Adjective:
    english: str
    german: str
    stem: str  # what the endings of declension are put on: dunkel, dunkl-
    polarity: int  # 1, -1, or 0 for neutral
    classes: frozenset[str]
    notes: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Verb:
    english: str
    third: str
    past: str
    participle: str
    extra: str  # the particle or preposition that belongs to the verb: "up", "for"
    german: str  # infinitive without its separable particle
    particle: str
    german_third: str
    preterite: str
    german_participle: str
    auxiliary: str  # haben or sein
    preposition: str
    case: str
    frame: str
    subjects: frozenset[str]
    objects: frozenset[str]
    notes: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Adverb:
    english: str
    german: str
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Time:
    english: tuple[tuple[str, str], ...]
    german: tuple[str, ...]
    tense: str


@dataclass(frozen=True, slots=True, eq=False)
class Preposition:
    english: tuple[str, ...]
    german: tuple[str, ...]
    case: str
    heads: frozenset[str]
    objects: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    nouns: tuple[Noun, ...]
    names: tuple[Name, ...]
    adjectives: tuple[Adjective, ...]
    verbs: tuple[Verb, ...]
    adverbs: tuple[Adverb, ...]
    times: tuple[Time, ...]
    prepositions: tuple[Preposition, ...]


def rows(table: str) -> Iterator[list[str]]:
    lines = (FOLDER / f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    width = len(lines[0].split("\t"))
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != width:
            raise ValueError(f"{table}.tsv, line {number}: {len(cells)} cells instead of {width}")
        yield cells


def split_classes(text: str) -> frozenset[str]:
    """Capital letters are one class each, small words one together: `PA+tellable` is three."""
    parts = text.split("+") if text != "-" else []
    return frozenset(kind for part in parts for kind in ([part] if part.islower() else part))


def split_notes(text: str) -> frozenset[str]:
    return frozenset() if text == "-" else frozenset(text.split(","))


def with_s(word: str) -> str:
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(SIBILANTS) else "s")


def with_ed(word: str) -> str:
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ied"
    if word.endswith("e"):
        return word + "d"
    return word + word[-1] + "ed" if doubles(word) else word + "ed"


def with_ing(word: str) -> str:
    if word.endswith("e") and not word.endswith("ee"):
        return word[:-1] + "ing"
    return word + word[-1] + "ing" if doubles(word) else word + "ing"


def doubles(word: str) -> bool:
    """Whether a stressed short vowel before one consonant doubles it: plan, planned."""
    if word in UNSTRESSED_ENDINGS:
        return False
    return len(word) >= 3 and word[-1] in "bdgmnprt" and word[-2] in VOWELS and word[-3] not in VOWELS


def german_stem(infinitive: str) -> str:
    return infinitive[:-2] if infinitive.endswith("en") else infinitive[:-1]


def weak_forms(infinitive: str, separable: bool) -> tuple[str, str, str]:
    """Third person, preterite and participle of a regular verb."""
    stem = german_stem(infinitive)
    link = "e" if stem[-1] in "td" or stem.endswith(("chn", "ffn", "tm")) else ""
    inseparable = infinitive.endswith("ieren") or (not separable and has_unstressed_prefix(infinitive))
    return stem + link + "t", stem + link + "te", ("" if inseparable else "ge") + stem + link + "t"


def has_unstressed_prefix(infinitive: str) -> bool:
    return infinitive.startswith(UNSTRESSED_PREFIXES) and len(infinitive) > 6


def read_noun(cells: list[str]) -> Noun:
    english, plural, german, gender, german_plural, classes, notes = cells
    marks = split_notes(notes)
    places = [mark.split("/") for mark in marks if "/" in mark]
    place = (places[0][0], places[0][1]) if places else None
    regular = with_s(english) if plural == "-" else plural
    return Noun(english, regular, german, gender, german_plural, split_classes(classes) | marks, marks, place)


def read_adjective(cells: list[str]) -> Adjective:
    english, german, polarity, classes, notes = cells
    predicative, _, stem = german.partition("/")
    sign = {"+": 1, "-": -1, "0": 0}[polarity]
    marks = split_notes(notes)
    written = english.capitalize() if "capital" in marks else english
    return Adjective(written, predicative, stem or predicative, sign, split_classes(classes), marks)


def read_verb(cells: list[str]) -> Verb:
    english, forms, german, german_forms, auxiliary, frame, subjects, objects, notes = cells
    base, _, extra = english.partition("_")
    given = [form.partition("_")[0] for form in forms.split(",")] if forms != "-" else []
    third, past, participle = given or (with_s(base), with_ed(base), with_ed(base))
    infinitive, _, government = german.partition(":")
    preposition, _, case = government.partition(":")
    particle, separable, core = infinitive.rpartition("|")
    regular = weak_forms(core, bool(separable))
    irregular = german_forms.split(",") if german_forms != "-" else ["-"] * 3
    present, preterite, perfect = (old if new == "-" else new for old, new in zip(regular, irregular, strict=True))
    return Verb(
        base, third, past, participle, extra, core, particle, present, preterite, perfect,
        {"h": "haben", "s": "sein"}[auxiliary], preposition, case, frame,
        split_classes(subjects), split_classes(objects), split_notes(notes),
    )  # fmt: skip


def read_time(cells: list[str]) -> Time:
    english, german, tense = cells
    tokens = [token.split("/") for token in english.split(" ")]
    return Time(tuple((form, tag) for form, tag in tokens), tuple(german.split(" ")), tense)


def read_preposition(cells: list[str]) -> Preposition:
    english, german, case, heads, objects = cells
    words = tuple(english.split(" ")), tuple(german.split(" "))
    return Preposition(*words, case, split_classes(heads), split_classes(objects))


@cache
def load_lexicon() -> Lexicon:
    return Lexicon(
        nouns=tuple(map(read_noun, rows("nouns"))),
        names=tuple(Name(*cells) for cells in rows("names")),
        adjectives=tuple(map(read_adjective, rows("adjectives"))),
        verbs=tuple(map(read_verb, rows("verbs"))),
        adverbs=tuple(Adverb(*cells) for cells in rows("adverbs")),
        times=tuple(map(read_time, rows("times"))),
        prepositions=tuple(map(read_preposition, rows("prepositions"))),
    )
