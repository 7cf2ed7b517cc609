"""The derivation: one tree from which both languages are generated."""

from dataclasses import dataclass, field

from data.sources.language.lexicon import Adjective, Adverb, Name, Noun, Preposition, Time, Verb


@dataclass(slots=True, eq=False)
class Mark:
    """The position, among the English tokens, of a word that matters for the label; set when they are generated."""

    word: str = ""
    index: int = -1


@dataclass(slots=True, eq=False)
class Description:
    """An adjective with its degree: "very good"."""

    adjective: Adjective
    degree: Adverb | None = None
    mark: Mark | None = None
    degree_mark: Mark | None = None


@dataclass(slots=True, eq=False)
class Common:
    """A noun phrase with a common noun."""

    noun: Noun
    plural: bool = False
    determiner: str = "the"
    numeral: int = 0
    possessor: "Name | Common | None" = None
    descriptions: list[Description] = field(default_factory=list)
    prepositional: "Attached | None" = None
    relative: "Clause | None" = None
    complement: "Clause | None" = None  # "the claim that ..."
    mark: Mark | None = None  # of the noun
    determiner_mark: Mark | None = None


@dataclass(slots=True, eq=False)
class Proper:
    name: Name
    relative: "Clause | None" = None  # non-restrictive, between commas


@dataclass(slots=True, eq=False)
class Pronoun:
    """I, you, he, she, it, we, they, nobody, everybody, no one, everyone."""

    english: str
    noun: Noun | None = None  # what `it` stands for: German asks for its gender
    relative: "Clause | None" = None
    mark: Mark | None = None


@dataclass(slots=True, eq=False)
class Pair:
    first: "NounPhrase"
    second: "NounPhrase"


@dataclass(slots=True, eq=False)
class Listing:
    """Plurals as examples of a kind: "books, letters, etc."."""

    nouns: tuple[Noun, Noun]


NounPhrase = Common | Proper | Pronoun | Pair | Listing


@dataclass(slots=True, eq=False)
class Attached:
    """A preposition and its noun phrase."""

    preposition: Preposition
    phrase: NounPhrase


@dataclass(slots=True, eq=False)
class Negation:
    kind: str  # not, n't, never, hardly, "not at all"
    mark: Mark | None = None


@dataclass(slots=True, eq=False)
class Clause:
    """A verb with what it needs and what surrounds it.

    tense: present, past, perfect, pluperfect, future, progressive, "past progressive", or a modal: can, must, should.
    gap: the role that a relative pronoun fills ("subject", "direct", "prepositional"), or "".
    """

    verb: Verb
    tense: str
    subject: NounPhrase | None = None
    negation: Negation | None = None
    indirect: NounPhrase | None = None
    shifted: bool = False  # "give the key to Anna" instead of "give Anna the key"
    direct: NounPhrase | None = None
    prepositional: NounPhrase | None = None
    predicate: "Description | list[tuple[str, Description]] | NounPhrase | None" = None
    frequency: Adverb | None = None
    comment: Adverb | None = None
    manner: Adverb | None = None
    likeness: NounPhrase | None = None  # "like a king"
    company: NounPhrase | None = None
    place: Attached | Adverb | None = None
    time: Time | None = None
    front: Time | Adverb | Attached | None = None
    source: NounPhrase | None = None  # "according to the guard"
    price: int = 0
    infinitive: "Clause | None" = None
    complement: "Clause | None" = None  # a clause with that
    second: "tuple[NounPhrase, Description] | None" = None  # "find the room cold and the bed hard"
    gap: str = ""
    relativiser: str = ""
    verb_mark: Mark | None = None
    link_mark: Mark | None = None  # of the "but" between two predicates
