"""German: from the same derivation to words in German order, and from words to text."""

from dataclasses import replace

from data.sources.language.english import person
from data.sources.language.german_words import (
    FUSED,
    IT,
    PRONOUNS,
    REFLEXIVES,
    RELATIVE,
    determiner_forms,
    infinitive_with_zu,
    noun_form,
    verb_chain,
)
from data.sources.language.lexicon import Adverb, Name, Time
from data.sources.language.tree import (
    Attached,
    Clause,
    Common,
    Description,
    Listing,
    NounPhrase,
    Pair,
    Pronoun,
    Proper,
)

Words = list[str]
CASES = {"n": 0, "a": 1, "d": 2}
NUMERALS = ("", "eine", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
NEGATIONS = {
    "not": ["nicht"], "n't": ["nicht"], "never": ["nie"], "hardly": ["kaum"], "not at all": ["überhaupt", "nicht"],
}  # fmt: skip
GENITIVE_HISS = ("s", "x", "z", "ß")


def agreement_key(phrase: NounPhrase) -> str:
    """Gender, or p for the plural."""
    if isinstance(phrase, Common):
        return "p" if phrase.plural else phrase.noun.gender
    if isinstance(phrase, Pair | Listing):
        return "p"
    if isinstance(phrase, Pronoun):
        return {"we": "p", "they": "p", "you": "p", "it": gender_of(phrase)}.get(phrase.english, "m")
    return phrase.name.kind


def gender_of(phrase: Pronoun) -> str:
    return phrase.noun.gender if phrase.noun is not None else "n"


def adjective_words(description: Description, ending: str) -> Words:
    adjective = description.adjective
    declined = (adjective.stem if ending else adjective.german) + elided(adjective.stem, ending)
    words = [declined]
    if description.degree is not None:
        words.insert(0, description.degree.german)
    return words


def elided(stem: str, ending: str) -> str:
    """Stems in -e lose it before an ending: müde, müder; öde, ödes."""
    return ending[1:] if ending and stem.endswith("e") else ending


def predicate_words(description: Description) -> Words:
    words = [description.adjective.german]
    if description.degree is not None:
        words.insert(0, description.degree.german)
    return words


def noun_phrase(phrase: NounPhrase, case: str) -> tuple[Words, Words]:
    """The words up to a relative clause, and the relative clause, which may go behind the verb."""
    if isinstance(phrase, Common):
        return common(phrase, case)
    if isinstance(phrase, Pair):
        first, second = noun_phrase(phrase.first, case), noun_phrase(phrase.second, case)
        return [*first[0], *first[1], "und", *second[0]], second[1]
    if isinstance(phrase, Listing):
        first_noun, second_noun = (noun_form(noun, True, case) for noun in phrase.nouns)
        return [first_noun, ",", second_noun, "usw."], []
    if isinstance(phrase, Proper):
        return [phrase.name.german], relative(phrase, phrase.relative)
    forms = IT[gender_of(phrase)] if phrase.english == "it" else PRONOUNS[phrase.english]
    return [forms[CASES[case]]], relative(phrase, phrase.relative)


def whole(phrase: NounPhrase, case: str) -> Words:
    """The noun phrase with its relative clause in place."""
    words, tail = noun_phrase(phrase, case)
    return words + tail


def common(phrase: Common, case: str) -> tuple[Words, Words]:
    key = ("p" if phrase.plural else phrase.noun.gender) + case
    possessor = phrase.possessor
    words: Words = []
    determiner = phrase.determiner
    if isinstance(possessor, Name):
        words.append(saxon(possessor.german))
        determiner = ""
    elif possessor is not None:
        determiner = "the"
    article, endings = determiner_forms(determiner, key)
    if article:
        words.append(article)
    if phrase.numeral:
        words.append(NUMERALS[phrase.numeral])
    for description in phrase.descriptions:
        words += adjective_words(description, endings[key])
    words.append(noun_form(phrase.noun, phrase.plural, case))
    if possessor is not None and not isinstance(possessor, Name):
        words += whole(possessor, "g")
    tail = relative(phrase, phrase.relative)
    if phrase.prepositional is not None:
        inner, inner_tail = attached(phrase.prepositional)
        words += inner
        tail = inner_tail + tail
    if phrase.complement is not None:
        tail = [",", "dass", *verb_last(phrase.complement), ","]
    return words, tail


def saxon(name: str) -> str:
    return name + ("'" if name.endswith(GENITIVE_HISS) else "s")


def after_preposition(preposition: tuple[str, ...], phrase: NounPhrase, case: str) -> tuple[Words, Words]:
    """A noun phrase behind its preposition, fused with the article where German fuses them."""
    words, tail = noun_phrase(phrase, case)
    *before, last = preposition
    definite = isinstance(phrase, Common) and (phrase.determiner == "the" and not isinstance(phrase.possessor, Name))
    fused = FUSED.get((last, words[0])) if definite else None
    if fused is not None:
        return [*before, fused, *words[1:]], tail
    return [*before, last, *words], tail


def attached(phrase: Attached) -> tuple[Words, Words]:
    return after_preposition(phrase.preposition.german, phrase.phrase, phrase.preposition.case)


def relative(head: NounPhrase, clause: Clause | None) -> Words:
    if clause is None:
        return []
    case = {"subject": "n", "direct": "a", "indirect": "d", "prepositional": clause.verb.case}[clause.gap]
    pronoun = RELATIVE[agreement_key(head) + case]
    opening = [clause.verb.preposition, pronoun] if clause.gap == "prepositional" else [pronoun]
    return [",", *opening, *verb_last(clause), ","]


def main(clause: Clause) -> Words:
    """Verb second: the adjunct in front or the subject opens the clause."""
    clause = without_want(clause)
    finite, bracket = verb_chain(clause.verb, clause.tense, person(clause.subject))
    if clause.front is not None:
        inner = middle(clause, bool(bracket), with_subject=True)
        return [*front_words(clause.front), finite, *inner[0], *bracket, *inner[1], *after(clause)]
    assert clause.subject is not None
    inner = middle(clause, bool(bracket), with_subject=False)
    return [*whole(clause.subject, "n"), finite, *inner[0], *bracket, *inner[1], *after(clause)]


def question(clause: Clause) -> Words:
    """Verb first, for yes and no, and behind a question word."""
    clause = without_want(clause)
    finite, bracket = verb_chain(clause.verb, clause.tense, person(clause.subject))
    inner = middle(clause, bool(bracket), with_subject=True)
    return [finite, *inner[0], *bracket, *inner[1], *after(clause)]


def who_question(clause: Clause) -> Words:
    clause = without_want(clause)
    finite, bracket = verb_chain(clause.verb, clause.tense, "third")
    inner = middle(clause, bool(bracket), with_subject=False)
    return ["wer", finite, *inner[0], *bracket, *inner[1], *after(clause)]


def verb_last(clause: Clause) -> Words:
    """Subordinate order, behind a conjunction or a relative pronoun."""
    clause = without_want(clause)
    finite, bracket = verb_chain(clause.verb, clause.tense, person(clause.subject))
    inner = middle(clause, True, with_subject=clause.gap != "subject")
    closing = [bracket[0] + finite] if bracket and bracket[0] == clause.verb.particle else [*bracket, finite]
    return [*inner[0], *closing, *inner[1], *after(clause)]


def front_words(front: Time | Adverb | Attached) -> Words:
    if isinstance(front, Time):
        return list(front.german)
    if isinstance(front, Adverb):
        return front.german.replace("_", " ").split(" ")
    words, tail = attached(front)
    return words + tail


def middle(clause: Clause, closed: bool, with_subject: bool) -> tuple[Words, Words]:
    """What stands between the finite verb and the closing bracket, and the relative clause that moves behind it.

    closed: whether words of the verb follow.
    """
    words: Words = []
    if with_subject and clause.subject is not None:
        words += whole(clause.subject, "n")
    if "reflexive" in clause.verb.notes:
        # In front of a noun, but behind a pronoun.
        position = len(words) if isinstance(clause.subject, Pronoun) else 0
        words.insert(position, reflexive(clause))
    words += adverbials(clause)
    objects, tail = object_words(clause)
    words += objects
    later = later_words(clause)
    if tail and not (later[0] or closed):
        return words + tail, []
    if tail and (clause.predicate is not None or clause.infinitive is not None):
        return words + tail + later[0], []
    return words + later[0], tail + later[1]


def without_want(clause: Clause) -> Clause:
    """ "want to" is a modal verb in German: what is wanted becomes the clause itself."""
    wanted = clause.infinitive
    if wanted is None or "modal" not in clause.verb.notes:
        return clause
    return replace(
        wanted,
        tense="want" if clause.tense == "present" else "wanted",
        subject=clause.subject,
        negation=clause.negation,
        gap=clause.gap,
        front=clause.front,
        frequency=clause.frequency,
        comment=clause.comment,
    )


def reflexive(clause: Clause) -> str:
    subject = clause.subject
    return REFLEXIVES.get(subject.english, "sich") if isinstance(subject, Pronoun) else "sich"


def adverbials(clause: Clause) -> Words:
    """Pronouns first, then time and whose opinion it is."""
    words: Words = []
    direct = clause.direct
    if isinstance(direct, Pronoun) and clause.gap != "direct":
        words += whole(direct, "a")
    if isinstance(clause.indirect, Pronoun) and clause.gap != "indirect":
        words += whole(clause.indirect, "d")
    for adverb in (clause.comment, clause.frequency):
        if adverb is not None:
            words.append(adverb.german)
    if clause.time is not None:
        words += clause.time.german
    if clause.source is not None:
        words += ["laut", *whole(clause.source, "d")]
    return words


def object_words(clause: Clause) -> tuple[Words, Words]:
    """Dative, accusative, negation, company and place; the relative clause of the last of them is given apart."""
    words: Words = []
    tail: Words = []
    if clause.indirect is not None and clause.gap != "indirect" and not isinstance(clause.indirect, Pronoun):
        words, tail = noun_phrase(clause.indirect, "d")
        if clause.direct is None and takes_kein(clause):
            words = without_article(clause.indirect, "d")
    if clause.direct is not None and clause.gap != "direct" and not isinstance(clause.direct, Pronoun):
        more, next_tail = noun_phrase(clause.direct, "a")
        if takes_kein(clause):
            more = without_article(clause.direct, "a")
        words, tail = [*words, *tail, *more], next_tail
    place = clause.place
    if isinstance(place, Adverb):
        words, tail = [*words, *tail, *place.german.split("_")], []
    if not comes_late(clause):
        return words, tail
    words += tail
    tail = []
    if clause.negation is not None and not takes_kein(clause):
        words += NEGATIONS[clause.negation.kind]
    if clause.company is not None:
        words += ["mit", *whole(clause.company, "d")]
    if isinstance(place, Attached):
        more, tail = attached(place)
        words += more
    return words, tail


def comes_late(clause: Clause) -> bool:
    """Whether company or a place stands behind the negation."""
    return clause.company is not None or isinstance(clause.place, Attached)


def takes_kein(clause: Clause) -> bool:
    """Whether "not a" or a bare noun becomes kein."""
    negated = clause.negation is not None and clause.negation.kind in ("not", "n't")
    if not negated:
        return False
    if clause.predicate is not None:
        return is_indefinite(clause.predicate)
    if clause.direct is not None:
        return is_indefinite(clause.direct) and clause.gap != "direct"
    return is_indefinite(clause.indirect) and clause.gap != "indirect"


def is_indefinite(phrase: object) -> bool:
    if not isinstance(phrase, Common):
        return False
    return phrase.determiner in ("a", "") and not phrase.numeral and phrase.possessor is None


def without_article(phrase: NounPhrase, case: str) -> Words:
    """The same noun phrase with kein: "ein Buch" and "Bücher" become "kein Buch" and "keine Bücher"."""
    assert isinstance(phrase, Common)
    determiner, phrase.determiner = phrase.determiner, "no"
    negated, _ = common(phrase, case)
    phrase.determiner = determiner
    return negated


def later_words(clause: Clause) -> tuple[Words, Words]:
    """Negation, manner, the object of a preposition and the predicate; and the relative clause of the last."""
    words: Words = []
    if clause.negation is not None and not comes_late(clause) and not takes_kein(clause):
        words += NEGATIONS[clause.negation.kind]
    if clause.manner is not None:
        words.append(clause.manner.german)
    if clause.likeness is not None:
        words += ["wie", *whole(clause.likeness, "n")]
    if clause.price:
        words += [str(clause.price), "€"]
    tail: Words = []
    if clause.prepositional is not None and clause.gap != "prepositional":
        more, tail = after_preposition((clause.verb.preposition,), clause.prepositional, clause.verb.case)
        words += more
    return words + predicate(clause), tail


def predicate(clause: Clause) -> Words:
    value = clause.predicate
    marker = ["für"] if clause.verb.frame == "consider" else []
    if isinstance(value, Description):
        words = marker + predicate_words(value)
        if clause.second is not None:
            words += ["und", *whole(clause.second[0], "a"), *marker, *predicate_words(clause.second[1])]
        return words
    if isinstance(value, list):
        return [word for link, description in value for word in [*LINKS[link], *predicate_words(description)]]
    if value is None:
        return []
    if isinstance(value, Common) and takes_kein(clause):
        determiner, value.determiner = value.determiner, "no"
        words = whole(value, "n")
        value.determiner = determiner
        return words
    return whole(value, "n")


LINKS: dict[str, Words] = {"": [], "but": [",", "aber"], "and": ["und"]}


def after(clause: Clause) -> Words:
    """Clauses behind the closing bracket."""
    if clause.infinitive is not None:
        return infinitive(clause.infinitive)
    if clause.complement is not None:
        return [",", "dass", *verb_last(clause.complement), ","]
    return []


def infinitive(clause: Clause) -> Words:
    words, tail = middle(clause, True, with_subject=False)
    return [",", *words, *infinitive_with_zu(clause.verb).split(" "), *tail, ","]


CLOSING = frozenset((",", ".", "?", "!"))


def detokenise(words: Words) -> str:
    """Text with one comma where several meet, and none before the end of the sentence or at its start."""
    kept: Words = []
    for word in words:
        if word in CLOSING and kept and kept[-1] == ",":
            kept.pop()
        if (kept and not (word == "." and kept[-1].endswith("."))) or (not kept and word != ","):
            kept.append(word)
    text = " ".join(kept)
    for mark in ",.?!":
        text = text.replace(f" {mark}", mark)
    return text[0].upper() + text[1:]
