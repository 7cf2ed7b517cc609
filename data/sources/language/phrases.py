"""Neutral noun phrases and clauses of a requested length."""

from collections.abc import Iterable
from functools import cached_property
from typing import Generic, TypeVar

from data.sources.language.english import EnglishWriter, person
from data.sources.language.lexicon import Adjective, Adverb, Lexicon, Name, Noun, Preposition, Time, Verb
from data.sources.language.splitmix import SplitMix64
from data.sources.language.tree import (
    Attached,
    Clause,
    Common,
    Description,
    Listing,
    Mark,
    Negation,
    NounPhrase,
    Pair,
    Pronoun,
    Proper,
)

PERSON = frozenset("P")
ANIMAL = frozenset("A")
LIVING = frozenset("PA")
PART = frozenset("R")
UNPROGRESSIVE = frozenset(("stative", "plain"))
UNCOUNTED = frozenset(("mass", "countless"))
UNGRADABLE = frozenset(("attributive", "absolute"))
QUANTIFIERS = frozenset(("every", "some", "many", "few", "several", "all", "both"))
SINGULAR_DETERMINERS = ("the",) * 9 + ("a",) * 4 + ("this", "that", "my", "your", "his", "her", "our", "their", "every")
PLURAL_DETERMINERS = ("the",) * 8 + (
    "these", "those", "my", "her", "their", "some", "many", "few", "several", "all", "both", "", "",
)  # fmt: skip
MASS_DETERMINERS = ("the",) * 3 + ("this", "my", "his", "", "")
TENSES = ("past",) * 8 + ("present",) * 3 + ("perfect",) * 2 + (
    "pluperfect", "future", "progressive", "past progressive", "can", "must", "should", "may",
)  # fmt: skip
PLAIN_TENSES = ("past", "past", "present", "perfect")
TIME_OF_TENSE = {
    "past": "past", "past progressive": "past", "present": "present", "progressive": "now", "future": "future",
    "must": "future", "infinitive": "present",
}  # fmt: skip
NEUTRAL_FRAMES = ("t", "d", "p", "i", "g", "z")
NEGATION_KINDS = ("not", "n't", "n't", "never", "hardly")


class DeadEndError(Exception):
    """There is no phrase of the requested length; the caller tries another one."""


Entry = TypeVar("Entry", Noun, Adjective, Verb)


class Pool(Generic[Entry]):
    """Entries to sample from; those that do not occur in training are kept apart."""

    __slots__ = ("common", "reserved")

    def __init__(self, chosen: Iterable[Entry]) -> None:
        entries = tuple(chosen)
        self.common: tuple[Entry, ...] = tuple(entry for entry in entries if "reserved" not in entry.notes)
        self.reserved: tuple[Entry, ...] = tuple(entry for entry in entries if "reserved" in entry.notes)


class Index:
    """Look-ups of lexicon entries that fit together, cached."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.noun_pools: dict[frozenset[str], Pool[Noun]] = {}
        self.adjective_pools: dict[Noun, Pool[Adjective]] = {}
        self.verb_pools: dict[tuple[Noun, str], Pool[Verb]] = {}
        self.action_pools: dict[tuple[frozenset[str], str], Pool[Verb]] = {}
        self.preposition_lists: dict[Noun, tuple[Preposition, ...]] = {}
        self.object_class_lists: dict[Verb, tuple[frozenset[str], ...]] = {}
        self.adverbs = {kind: self.adverbs_of(kind) for kind in {adverb.kind for adverb in lexicon.adverbs}}
        self.true = next(adjective for adjective in lexicon.adjectives if adjective.english == "true")
        self.by_word = {verb.english + verb.extra: verb for verb in lexicon.verbs}

    def adverbs_of(self, kind: str) -> tuple[Adverb, ...]:
        return tuple(adverb for adverb in self.lexicon.adverbs if adverb.kind == kind)

    def names_of(self, kinds: tuple[str, ...]) -> tuple[Name, ...]:
        return tuple(name for name in self.lexicon.names if name.kind in kinds)

    @cached_property
    def persons(self) -> tuple[Name, ...]:
        return self.names_of(("m", "f"))

    @cached_property
    def cities(self) -> tuple[Name, ...]:
        return self.names_of(("city",))

    @cached_property
    def places(self) -> Pool[Noun]:
        return Pool(noun for noun in self.lexicon.nouns if noun.place is not None)

    @cached_property
    def special_places(self) -> dict[str, Pool[Noun]]:
        """Where one swims, and where one plants trees."""
        return {kind: Pool(noun for noun in self.places.common if kind in noun.notes) for kind in ("water", "outdoor")}

    @cached_property
    def times(self) -> dict[tuple[str, int], tuple[Time, ...]]:
        """By tense and number of English tokens."""
        keys = {(time.tense, len(time.english)) for time in self.lexicon.times}
        return {
            key: tuple(time for time in self.lexicon.times if (time.tense, len(time.english)) == key)
            for key in sorted(keys)
        }

    def nouns(self, classes: frozenset[str]) -> Pool[Noun]:
        pool = self.noun_pools.get(classes)
        if pool is None:
            pool = Pool(noun for noun in self.lexicon.nouns if noun.classes & classes and not is_polar(noun))
            self.noun_pools[classes] = pool
        return pool

    def adjectives(self, noun: Noun) -> Pool[Adjective]:
        """The neutral adjectives that fit a noun."""
        pool = self.adjective_pools.get(noun)
        if pool is None:
            pool = Pool(
                adjective
                for adjective in self.lexicon.adjectives
                if adjective.polarity == 0 and adjective.classes & noun.classes
            )
            self.adjective_pools[noun] = pool
        return pool

    def verbs_with_object(self, noun: Noun, frames: str) -> Pool[Verb]:
        """The neutral verbs that a person can do with a noun."""
        key = noun, frames
        pool = self.verb_pools.get(key)
        if pool is None:
            pool = Pool(
                verb
                for verb in self.lexicon.verbs
                if verb.frame in frames and "P" in verb.subjects and verb.objects & noun.classes
            )
            self.verb_pools[key] = pool
        return pool

    def object_classes(self, verb: Verb) -> tuple[frozenset[str], ...]:
        """The classes of things that a verb can be done to, one by one."""
        known = self.object_class_lists.get(verb)
        if known is None:
            known = tuple(frozenset((kind,)) for kind in sorted(verb.objects))
            self.object_class_lists[verb] = known
        return known

    def actions(self, subjects: frozenset[str], frame: str) -> Pool[Verb]:
        key = subjects, frame
        pool = self.action_pools.get(key)
        if pool is None:
            pool = Pool(verb for verb in self.lexicon.verbs if verb.frame == frame and verb.subjects & subjects)
            self.action_pools[key] = pool
        return pool

    def prepositions(self, noun: Noun) -> tuple[Preposition, ...]:
        known = self.preposition_lists.get(noun)
        if known is None:
            known = tuple(entry for entry in self.lexicon.prepositions if entry.heads & noun.classes)
            self.preposition_lists[noun] = known
        return known


def is_polar(noun: Noun) -> bool:
    return "positive" in noun.classes or "negative" in noun.classes


class Phrases:
    """Samples neutral phrases; `reserve` requests held-out words, `reserved_used` reports one."""

    def __init__(self, index: Index, rng: SplitMix64) -> None:
        self.index = index
        self.rng = rng
        self.reserve = False
        self.reserved_used = False

    def word(self, pool: Pool[Entry]) -> Entry:
        if self.reserve and pool.reserved and self.rng.bernoulli(0.4):
            self.reserved_used = True
            return self.rng.choice(pool.reserved)
        if not pool.common:
            raise DeadEndError
        return self.rng.choice(pool.common)

    # Noun phrases

    def common(self, noun: Noun, determiners: bool = True) -> Common:
        """A noun with a determiner that goes with it."""
        rng = self.rng
        if "mass" in noun.notes:
            return Common(noun, determiner=rng.choice(MASS_DETERMINERS) if determiners else "the")
        plural = "countless" not in noun.notes and rng.bernoulli(0.3)
        if not determiners:
            return Common(noun, plural)
        if plural and rng.bernoulli(0.12):
            return Common(noun, True, rng.choice(("the", "")), 2 + rng.randbelow(11))
        if not plural and rng.bernoulli(0.08):
            return Common(noun, possessor=rng.choice(self.index.persons))
        if not plural and rng.bernoulli(0.02):
            return Common(noun, possessor=self.definite(self.word(self.index.nouns(PERSON))))
        return Common(noun, plural, rng.choice(PLURAL_DETERMINERS if plural else SINGULAR_DETERMINERS))

    def definite(self, noun: Noun, plural: bool = False) -> Common:
        return Common(noun, plural)

    def thing(self, classes: frozenset[str]) -> Common:
        return self.common(self.word(self.index.nouns(classes)))

    def somebody(self) -> NounPhrase:
        """A short subject: one to four tokens."""
        roll = self.rng.randbelow(20)
        if roll < 6:
            return Proper(self.rng.choice(self.index.persons))
        if roll < 8:
            return Pronoun(self.rng.choice(("I", "he", "she", "we", "they")))
        if roll == 8:
            return self.pair()
        return self.thing(PERSON)

    def pair(self) -> Pair:
        persons = self.index.persons
        first = self.rng.choice(persons)
        second = self.rng.choice(persons)
        if second is first:
            return Pair(Proper(first), self.definite(self.word(self.index.nouns(PERSON))))
        return Pair(Proper(first), Proper(second))

    def somewhere(self, verb: Verb) -> Attached:
        """Where something happens: "in the park"."""
        special = self.index.special_places
        pool = next((special[kind] for kind in ("water", "outdoor") if kind in verb.notes), self.index.places)
        noun = self.word(pool)
        assert noun.place is not None
        english, german = noun.place
        phrase = Common(noun, determiner="the" if self.rng.bernoulli(0.8) else "a")
        return Attached(location(english, german), phrase)

    def neutral(self, phrase: Common, degree: bool = False) -> Description:
        adjective = self.word(self.index.adjectives(phrase.noun))
        if "ordinal" in adjective.notes and (phrase.plural or phrase.determiner not in ("the", "my", "our", "their")):
            raise DeadEndError
        if degree and not adjective.notes & UNGRADABLE:
            return Description(adjective, self.rng.choice(self.index.adverbs["degree"]))
        return Description(adjective)

    # Phrases of an exact length

    def modify(self, phrase: Common, length: int, relative: bool = True, negated: bool = False) -> None:
        """Adds modifiers of `length` English tokens in all to a noun phrase, with a relative clause only if allowed."""
        if length == 0 and not negated:
            return
        if negated:
            phrase.relative = self.relative_clause(phrase, length, negated=True)
            return
        if length <= 2:
            self.describe_exactly(phrase, length)
            return
        if not phrase.descriptions and self.rng.bernoulli(0.3):
            phrase.descriptions.append(self.neutral(phrase))
            length -= 1
            if length <= 2:
                self.describe_exactly(phrase, length)
                return
        if relative and (self.rng.bernoulli(0.6) or length > 7):
            phrase.relative = self.relative_clause(phrase, length)
        else:
            phrase.prepositional = self.attachment(phrase, length, relative)

    def describe_exactly(self, phrase: Common, length: int) -> None:
        if length == 0:
            return
        described = {description.adjective for description in phrase.descriptions}
        if length == 1:
            description = self.neutral(phrase)
        elif self.rng.bernoulli(0.4) and "P" in phrase.noun.classes:
            phrase.prepositional = Attached(FROM_CITY, Proper(self.rng.choice(self.index.cities)))
            return
        else:
            description = self.neutral(phrase, degree=True)
            if description.degree is None:
                raise DeadEndError
        if description.adjective in described or (described and description.degree is not None):
            raise DeadEndError
        phrase.descriptions.append(description)

    def attachment(self, head: Common, length: int, relative: bool) -> Attached:
        """A prepositional phrase of exactly this many tokens, behind a noun."""
        noun = head.noun
        candidates = self.index.prepositions(noun)
        if not candidates:
            raise DeadEndError
        preposition = self.rng.choice(candidates)
        if preposition.english == ("by",) and (head.possessor is not None or head.determiner not in ("the", "a")):
            raise DeadEndError
        rest = length - len(preposition.english)
        if preposition.objects & NAMED:
            if rest != 1:
                raise DeadEndError
            names = self.index.cities if "city" in preposition.objects else self.index.persons
            return Attached(preposition, Proper(self.rng.choice(names)))
        if rest < (3 if preposition.objects == PART else 2):
            raise DeadEndError
        inner = self.word(self.index.nouns(preposition.objects))
        if inner is noun:
            raise DeadEndError
        phrase = Common(inner, determiner="the" if "mass" in inner.notes else self.rng.choice(("the", "the", "a")))
        self.modify(phrase, rest - 2, relative)
        return Attached(preposition, phrase)

    def relative_clause(self, head: Common | Pronoun, length: int, negated: bool = False) -> Clause:
        """A relative clause of exactly this many English tokens."""
        for _ in range(6):
            try:
                clause = self.relative_core(head, negated)
                self.stretch(clause, length - size(clause))
                return clause
            except DeadEndError:
                continue
        raise DeadEndError

    def relative_core(self, head: Common | Pronoun, negated: bool) -> Clause:
        classes = head.noun.classes if isinstance(head, Common) else PERSON
        living = classes & LIVING
        if living and (isinstance(head, Pronoun) or self.rng.bernoulli(0.7)):
            clause = self.action(head, living)
            clause.gap = "subject"
            person_like = "P" in classes
            clause.relativiser = (
                ("who" if isinstance(head, Pronoun) or self.rng.bernoulli(0.8) else "that")
                if (person_like)
                else self.rng.choice(("that", "which"))
            )
        elif self.rng.bernoulli(0.12) and not living and isinstance(head, Common):
            clause = self.state(head)
            clause.relativiser = self.rng.choice(("that", "which"))
        else:
            clause = self.object_relative(head)
        if negated:
            self.negate(clause)
        return clause

    def negate(self, clause: Clause) -> None:
        """ "that Anna did not see" or "that nobody saw"; "every week" would be ambiguous beside it."""
        if is_every(clause.time):
            clause.time = None
        if is_every(clause.front):
            clause.front = None
        clause.frequency = None
        if clause.gap != "subject" and self.rng.bernoulli(0.15):
            clause.subject = Pronoun(self.rng.choice(("nobody", "no one")))
            if clause.tense in ("progressive", "must"):
                clause.tense = "present"
            return
        clause.negation = self.negation(clause)

    def state(self, head: Common) -> Clause:
        """ "that is very old" or "that cost €20"."""
        subject = head
        if (
            "P" not in head.noun.classes
            and self.index.by_word["cost"].objects & head.noun.classes
            and self.rng.bernoulli(0.4)
        ):
            price = 5 + self.rng.randbelow(95)
            clause = Clause(self.index.by_word["cost"], "past", subject, gap="subject", price=price)
            if head.plural:
                clause.tense = "perfect"
            return clause
        if head.descriptions:
            raise DeadEndError
        description = self.neutral(head)
        if "attributive" in description.adjective.notes:
            raise DeadEndError
        tense = self.rng.choice(("present", "past"))
        return Clause(self.index.by_word["be"], tense, subject, predicate=description, gap="subject")

    def object_relative(self, head: Common | Pronoun) -> Clause:
        if isinstance(head, Pronoun):
            raise DeadEndError
        verb = self.word(self.index.verbs_with_object(head.noun, "tdp"))
        subject = self.somebody()
        if isinstance(subject, Common) and not subject.determiner:
            raise DeadEndError
        gap = {"t": "direct", "d": "indirect", "p": "prepositional"}[verb.frame]
        if "plural" in verb.notes and not head.plural:
            raise DeadEndError
        clause = Clause(verb, self.tense(verb, subject), subject, gap=gap)
        person_like = "P" in head.noun.classes
        clause.relativiser = self.rng.choice(("that", "whom", "") if person_like else ("that", "that", "which", ""))
        if not clause.relativiser and isinstance(subject, Common) and subject.determiner not in ("the", "a"):
            clause.relativiser = "that"
        return clause

    # Clauses

    def tense(self, verb: Verb, subject: NounPhrase | None) -> str:
        if verb.frame == "z":
            tense = self.rng.choice(("past", "past", "perfect") if "nopresent" in verb.notes else PLAIN_TENSES)
            return self.rng.choice(("past", "present")) if "modal" in verb.notes else tense
        tense = self.rng.choice(PLAIN_TENSES if verb.notes & UNPROGRESSIVE else TENSES)
        if "samepast" in verb.notes and tense in ("present", "past") and person(subject) != "third":
            return "perfect"
        return tense

    def action(self, subject: NounPhrase, classes: frozenset[str]) -> Clause:
        """A clause in which a person or an animal does something neutral, as short as it can be."""
        frame = self.rng.choice(("t", "t", "t", "t", "p", "p", "d", "g", "i", "i", "i", "z"))
        if "P" not in classes:
            frame = self.rng.choice(("t", "i", "d"))
        verb = self.word(self.index.actions(classes, frame))
        clause = Clause(verb, self.tense(verb, subject), subject)
        self.add_objects(clause)
        if frame == "z":
            inner_frame = self.rng.choice(("t", "t", "i", "d"))
            inner = Clause(self.word(self.index.actions(PERSON, inner_frame)), "infinitive", subject)
            if inner.verb.english == "want":
                raise DeadEndError
            self.add_objects(inner)
            clause.infinitive = inner
        return clause

    def add_objects(self, clause: Clause) -> None:
        verb = clause.verb
        if "place" in verb.notes:
            clause.place = self.somewhere(verb)
        if verb.frame in "iz":
            return
        if verb.objects & NAMED:
            clause.prepositional = Proper(self.rng.choice(self.index.cities))
            return
        patient = self.patient(verb)
        if verb.frame == "d":
            clause.indirect = patient
        elif verb.frame == "p":
            clause.prepositional = patient
        else:
            clause.direct = patient
        if verb.frame == "g":
            clause.indirect = self.receiver()
            clause.shifted = self.rng.bernoulli(0.5)

    def patient(self, verb: Verb) -> NounPhrase:
        if verb.objects == PERSON and self.rng.bernoulli(0.3):
            return Proper(self.rng.choice(self.index.persons))
        if verb.frame == "t" and self.rng.bernoulli(0.04):
            return self.listing(self.rng.choice(self.index.object_classes(verb)))
        phrase = self.thing(self.rng.choice(self.index.object_classes(verb)))
        if "plural" in verb.notes and not phrase.plural:
            noun = phrase.noun
            return Common(noun, True, self.rng.choice(("the", "these", "many", "some", "")))
        return phrase

    def listing(self, classes: frozenset[str]) -> Listing:
        """Two nouns that stand for more of their kind."""
        nouns = self.word(self.index.nouns(classes)), self.word(self.index.nouns(classes))
        if nouns[0] is nouns[1] or any(noun.notes & UNCOUNTED for noun in nouns):
            raise DeadEndError
        return Listing(nouns)

    def receiver(self) -> NounPhrase:
        if self.rng.bernoulli(0.5):
            return Proper(self.rng.choice(self.index.persons))
        return self.definite(self.word(self.index.nouns(PERSON)), self.rng.bernoulli(0.2))

    def negation(self, clause: Clause, mark: Mark | None = None) -> Negation:
        """Negates a neutral clause, which keeps no quantifier that could be inside or outside of the negation."""
        if isinstance(clause.direct, Listing):
            raise DeadEndError
        if clause.tense == "must":
            clause.tense = "should"
        clause.frequency = None
        for phrase in (clause.subject, clause.direct, clause.indirect, clause.prepositional):
            if isinstance(phrase, Common) and not (phrase is clause.subject and clause.gap == "subject"):
                unquantify(phrase)
        return Negation(self.negation_kind(clause), mark)

    def negation_kind(self, clause: Clause) -> str:
        if clause.tense in ("progressive", "past progressive", "can", "future", "may"):
            return "not" if clause.tense == "may" or person(clause.subject) == "first" else "n't"
        kind = self.rng.choice(NEGATION_KINDS)
        if kind == "hardly" and ("hardly" not in clause.verb.notes or clause.tense not in PLAIN_TENSES):
            return "not"
        return "not" if kind == "never" and clause.tense == "should" else kind

    def stretch(self, clause: Clause, length: int) -> None:
        """Adds `length` tokens of adjuncts and modifiers to a clause."""
        if length < 0:
            raise DeadEndError
        if length == 0:
            return
        if clause.infinitive is not None:
            self.stretch(clause.infinitive, length)
            return
        length -= self.small_adjunct(clause, length)
        if length == 0:
            return
        last = all(
            adjunct is None for adjunct in (clause.time, clause.manner, clause.company, clause.likeness, clause.place)
        )
        target = self.last_object(clause)
        if "place" in clause.verb.notes and isinstance(clause.place, Attached):
            assert isinstance(clause.place.phrase, Common)
            self.modify(clause.place.phrase, length, relative=clause.time is None)
        elif target is not None and last and (length < 3 or self.rng.bernoulli(0.5)):
            self.modify(target, length)
        elif length >= 3 and can_have_place(clause):
            place = self.somewhere(clause.verb)
            assert isinstance(place.phrase, Common)
            self.modify(place.phrase, length - 3, relative=clause.time is None)
            clause.place = place
        elif target is not None and not has_tail(clause):
            self.modify(target, length, relative=False)
        else:
            raise DeadEndError

    def small_adjunct(self, clause: Clause, length: int) -> int:
        """Puts in an adjunct of time, manner or company, most often where it fills the length; its own length."""
        rng = self.rng
        if length <= 3 and not rng.bernoulli(0.5 if length == 3 else 0.85):
            return 0
        if length > 3 and not rng.bernoulli(0.3):
            return 0
        size_of_adjunct = length if length <= 3 else 1 + rng.randbelow(3)
        if clause.verb.english in ("be", "cost"):
            return 0
        if size_of_adjunct == 1 and rng.bernoulli(0.4) and can_be_often(clause):
            clause.frequency = rng.choice(self.index.adverbs["frequency"])
            return 1
        if size_of_adjunct == 1 and rng.bernoulli(0.5) and clause.verb.frame in "ti" and has_manner(clause):
            hard = clause.verb.english == "work" and clause.verb.frame == "i" and rng.bernoulli(0.5)
            clause.manner = rng.choice(self.index.adverbs["work" if hard else "manner"])
            return 1
        if (
            size_of_adjunct == 1
            and rng.bernoulli(0.3)
            and clause.place is None
            and clause.verb.frame in "ti"
            and has_manner(clause)
        ):
            clause.place = rng.choice(self.index.adverbs["place"])
            return 1
        free = clause.verb.frame == "i" and "place" not in clause.verb.notes
        if size_of_adjunct == 2 and rng.bernoulli(0.4) and free:
            if rng.bernoulli(0.5) and "P" in clause.verb.subjects:
                clause.likeness = Proper(rng.choice(self.index.persons))
            else:
                clause.company = Proper(rng.choice(self.index.persons))
            return 2
        if size_of_adjunct == 3 and rng.bernoulli(0.4) and free and clause.likeness is None:
            person_like = Common(self.word(self.index.nouns(PERSON)), determiner="a")
            clause.likeness = person_like
            return 3
        times = self.index.times.get((TIME_OF_TENSE.get(clause.tense, ""), size_of_adjunct))
        seldom = clause.negation is not None and clause.negation.kind in ("never", "hardly")
        if times is None or seldom or stative(clause):
            return 0
        time = rng.choice(times)
        if is_every(time) and is_negative(clause):
            return 0
        clause.time = time
        return size_of_adjunct

    def last_object(self, clause: Clause) -> Common | None:
        """The noun phrase at the end of a clause, if it can be modified."""
        order = [clause.indirect, clause.direct] if clause.shifted else [clause.direct, clause.indirect]
        roles = {"direct": "direct", "indirect": "indirect", "prepositional": "prepositional"}
        if clause.gap in roles:
            return None
        for phrase in (clause.prepositional, *order):
            if phrase is not None:
                return phrase if isinstance(phrase, Common) else None
        return None


def unquantify(phrase: Common) -> None:
    phrase.numeral = 0
    if phrase.determiner in QUANTIFIERS:
        phrase.determiner = "the"


def is_every(time: object) -> bool:
    return isinstance(time, Time) and time.english[0][0] == "every"


def is_negative(clause: Clause) -> bool:
    subject = clause.subject
    return clause.negation is not None or (isinstance(subject, Pronoun) and subject.english in ("nobody", "no one"))


def can_have_place(clause: Clause) -> bool:
    """A place after the object of a preposition would seem to belong to that."""
    return clause.place is None and clause.verb.frame in "tdig" and not (has_tail(clause) or stative(clause))


def can_be_often(clause: Clause) -> bool:
    if is_negative(clause) or stative(clause):
        return False
    return clause.tense in ("past", "present", "perfect") and clause.verb.frame in "tdpi"


def has_manner(clause: Clause) -> bool:
    return not clause.verb.notes & frozenset(("stative", "sudden"))


def stative(clause: Clause) -> bool:
    return "stative" in clause.verb.notes


def has_tail(clause: Clause) -> bool:
    """Whether an object has a relative clause already."""
    return any(
        isinstance(phrase, Common) and phrase.relative is not None
        for phrase in (clause.direct, clause.indirect, clause.prepositional)
    )


def size(clause: Clause) -> int:
    """The number of English tokens."""
    writer = EnglishWriter()
    writer.clause(clause)
    return len(writer.forms)


NAMED = frozenset(("city", "name"))
FROM_CITY = Preposition(("from",), ("aus",), "d", PERSON, frozenset(("city",)))
LOCATIONS: dict[tuple[str, str], Preposition] = {}


def location(english: str, german: str) -> Preposition:
    """The one preposition object for being somewhere."""
    key = english, german
    if key not in LOCATIONS:
        LOCATIONS[key] = Preposition((english,), (german,), "d", frozenset(), frozenset())
    return LOCATIONS[key]
