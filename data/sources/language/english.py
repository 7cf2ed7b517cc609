"""English: from a derivation to tokens with their word classes, and from tokens to text."""

from collections.abc import Iterable

from data.sources.language.lexicon import VOWELS, Adverb, Name, Time, Verb, with_ing
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

DETERMINER_TAGS = {
    "my": "PRON", "your": "PRON", "his": "PRON", "her": "PRON", "our": "PRON", "their": "PRON",
    "many": "ADJ", "few": "ADJ", "several": "ADJ",
}  # fmt: skip
NUMERALS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
OBJECT_FORMS = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them"}
FIRST_OR_SECOND = {"I": "first", "you": "plural", "we": "plural", "they": "plural"}
BE = {"first": ("am", "was"), "third": ("is", "was"), "plural": ("are", "were")}
MODALS = {"future": "will", "may": "may", "can": "can", "must": "must", "should": "should"}
VERB_ADVERBS = ("back", "away")  # the other particles (up, on, off) are adpositions in Universal Dependencies


def person(phrase: NounPhrase | None) -> str:
    """Which form of the verb the subject asks for: first, third or plural."""
    if isinstance(phrase, Common):
        return "plural" if phrase.plural else "third"
    if isinstance(phrase, Pair | Listing):
        return "plural"
    if isinstance(phrase, Pronoun):
        return FIRST_OR_SECOND.get(phrase.english, "third")
    return "third"


def finite(verb: Verb, person: str, past: bool) -> str:
    if verb.english == "be":
        return BE[person][past]
    if past:
        return verb.past
    if person == "third":
        return verb.third
    return verb.english


def auxiliary(lemma: str, person: str, past: bool = False) -> tuple[str, str]:
    forms = {"have": ("has", "have", "had"), "do": ("does", "do", "did")}
    if lemma == "be":
        return BE[person][past], "AUX"
    third, base, preterite = forms[lemma]
    return (preterite if past else third if person == "third" else base), "AUX"


def verb_chain(verb: Verb, tense: str, person: str, support: bool) -> list[tuple[str, str]]:
    """The words of the verb, the finite one first; support asks for an auxiliary in front, as questions and not do."""
    tag = "AUX" if verb.english == "be" else "VERB"
    if tense in MODALS:
        return [(MODALS[tense], "AUX"), (verb.english, tag)]
    if tense in ("perfect", "pluperfect"):
        participle = "been" if verb.english == "be" else verb.participle
        return [auxiliary("have", person, tense == "pluperfect"), (participle, tag)]
    if tense in ("progressive", "past progressive"):
        return [auxiliary("be", person, tense != "progressive"), (with_ing(verb.english), tag)]
    past = tense == "past"
    if support and verb.english != "be":
        return [auxiliary("do", person, past), (verb.english, tag)]
    return [(finite(verb, person, past), tag)]


def sounds_like_vowel(word: str) -> bool:
    if word.startswith(("uni", "use", "one")):
        return False
    return word[0].lower() in VOWELS or word.startswith(("hour", "honest"))


class EnglishWriter:
    """Collects the tokens and tags of one sentence, and tells each mark where its word stands."""

    def __init__(self) -> None:
        self.forms: list[str] = []
        self.tags: list[str] = []

    def word(self, form: str, tag: str, mark: Mark | None = None) -> None:
        if mark is not None:
            mark.word = form
            mark.index = len(self.forms)
        self.forms.append(form)
        self.tags.append(tag)

    def words(self, tokens: Iterable[tuple[str, str]]) -> None:
        for form, tag in tokens:
            self.forms.append(form)
            self.tags.append(tag)

    def finish(self) -> None:
        """A capital at the start, and no second full stop behind "etc."."""
        self.forms[0] = self.forms[0][0].upper() + self.forms[0][1:]
        if self.forms[-2:] == ["etc.", "."]:
            self.forms.pop()
            self.tags.pop()

    # Noun phrases

    def noun_phrase(self, phrase: NounPhrase, subject: bool = False) -> None:
        if isinstance(phrase, Common):
            self.common(phrase)
        elif isinstance(phrase, Proper):
            self.word(phrase.name.english, "PROPN")
            if phrase.relative is not None:
                self.word(",", "PUNCT")
                self.clause(phrase.relative)
                self.word(",", "PUNCT")
        elif isinstance(phrase, Pair):
            self.noun_phrase(phrase.first, subject)
            self.word("and", "CCONJ")
            self.noun_phrase(phrase.second, subject)
        elif isinstance(phrase, Listing):
            for noun in phrase.nouns:
                self.words(((noun.plural, "NOUN"), (",", "PUNCT")))
            self.word("etc.", "X")
        else:
            self.pronoun(phrase, subject)

    def pronoun(self, phrase: Pronoun, subject: bool) -> None:
        if phrase.english == "no one":
            self.word("no", "DET", phrase.mark)
            self.word("one", "PRON")
        else:
            form = phrase.english if subject else OBJECT_FORMS.get(phrase.english, phrase.english)
            self.word(form, "PRON", phrase.mark)
        if phrase.relative is not None:
            self.clause(phrase.relative)

    def common(self, phrase: Common) -> None:
        start = len(self.forms)
        self.determiner(phrase)
        if phrase.numeral:
            self.word(NUMERALS[phrase.numeral], "NUM")
        for description in phrase.descriptions:
            self.description(description)
        noun = phrase.noun
        self.word(noun.plural if phrase.plural else noun.english, "NOUN", phrase.mark)
        if phrase.determiner == "a" and sounds_like_vowel(self.forms[start + 1]):
            self.forms[start] = "an"
        if phrase.prepositional is not None:
            self.attached(phrase.prepositional)
        if phrase.relative is not None:
            self.clause(phrase.relative)
        if phrase.complement is not None:
            self.word("that", "SCONJ")
            self.clause(phrase.complement)

    def determiner(self, phrase: Common) -> None:
        if phrase.possessor is not None:
            self.noun_phrase(Proper(phrase.possessor) if isinstance(phrase.possessor, Name) else phrase.possessor)
            self.word("'s", "PART")
        elif phrase.determiner:
            tag = DETERMINER_TAGS.get(phrase.determiner, "DET")
            self.word(phrase.determiner, tag, phrase.determiner_mark)

    def description(self, description: Description) -> None:
        if description.degree is not None:
            self.word(description.degree.english, "ADV", description.degree_mark)
        self.word(description.adjective.english, "ADJ", description.mark)

    def attached(self, attached: Attached) -> None:
        words = attached.preposition.english
        if words == ("next", "to"):
            self.words((("next", "ADV"), ("to", "ADP")))
        elif words == ("in", "front", "of"):
            self.words((("in", "ADP"), ("front", "NOUN"), ("of", "ADP")))
        else:
            self.words((word, "ADP") for word in words)
        self.noun_phrase(attached.phrase)

    # Clauses

    def clause(self, clause: Clause, question: bool = False) -> None:
        """A clause; a question has its finite verb before the subject."""
        self.front(clause)
        if clause.relativiser:
            self.word(clause.relativiser, "PRON")
        subject = clause.subject
        negation = clause.negation
        needs_support = negation is not None and negation.kind in ("not", "n't")
        chain = verb_chain(clause.verb, clause.tense, person(clause.subject), question or needs_support)
        if question:
            self.verb_first(clause, chain)
        else:
            if subject is not None and clause.gap != "subject":
                self.noun_phrase(subject, subject=True)
            self.verb_after_subject(clause, chain)
        self.complements(clause)

    def front(self, clause: Clause) -> None:
        front = clause.front
        if front is None:
            return
        self.adjunct(front)
        self.word(",", "PUNCT")

    def adjunct(self, adjunct: Time | Adverb | Attached) -> None:
        if isinstance(adjunct, Time):
            self.words(adjunct.english)
        elif isinstance(adjunct, Adverb):
            self.word(adjunct.english, "ADV")
        else:
            self.attached(adjunct)

    def verb_first(self, clause: Clause, chain: list[tuple[str, str]]) -> None:
        bare = len(chain) == 1
        self.word(*chain[0], clause.verb_mark if bare else None)
        negation = clause.negation
        if negation is not None and negation.kind == "n't":
            self.negation(negation)
        if clause.subject is not None:
            self.noun_phrase(clause.subject, subject=True)
        if negation is not None and negation.kind != "n't":
            self.negation(negation)
        self.middle_adverbs(clause)
        if not bare:
            self.rest_of_chain(clause, chain[1:])

    def verb_after_subject(self, clause: Clause, chain: list[tuple[str, str]]) -> None:
        first_is_auxiliary = chain[0][1] == "AUX"
        if first_is_auxiliary:
            bare = len(chain) == 1
            form = chain[0][0]
            if form == "can" and clause.negation is not None and clause.negation.kind == "n't":
                form = "ca"
            elif form == "will" and clause.negation is not None and clause.negation.kind == "n't":
                form = "wo"
            self.word(form, "AUX", clause.verb_mark if bare else None)
        if clause.negation is not None:
            self.negation(clause.negation)
        self.middle_adverbs(clause)
        self.rest_of_chain(clause, chain[1:] if first_is_auxiliary else chain)

    def rest_of_chain(self, clause: Clause, chain: list[tuple[str, str]]) -> None:
        for form, tag in chain:
            self.word(form, tag, clause.verb_mark)
        verb = clause.verb
        if verb.extra and not verb.case and verb.frame != "d":
            self.word(verb.extra, "ADV" if verb.extra in VERB_ADVERBS else "ADP")

    def middle_adverbs(self, clause: Clause) -> None:
        if clause.comment is not None:
            self.word(clause.comment.english, "ADV")
        if clause.frequency is not None:
            self.word(clause.frequency.english, "ADV")

    def negation(self, negation: Negation) -> None:
        if negation.kind in ("not", "n't"):
            self.word(negation.kind, "PART", negation.mark)
        elif negation.kind == "not at all":
            self.word("not", "PART", negation.mark)
            self.words((("at", "ADP"), ("all", "DET")))
        else:
            self.word(negation.kind, "ADV", negation.mark)

    def complements(self, clause: Clause) -> None:
        if clause.source is not None:
            self.words(((",", "PUNCT"), ("according", "VERB"), ("to", "ADP")))
            self.noun_phrase(clause.source)
            self.word(",", "PUNCT")
        self.objects(clause)
        if clause.second is not None:
            self.word("and", "CCONJ")
            self.noun_phrase(clause.second[0])
            self.description(clause.second[1])
        if clause.price:
            self.words((("€", "SYM"), (str(clause.price), "NUM")))
        if clause.manner is not None:
            self.word(clause.manner.english, "ADV")
        if clause.likeness is not None:
            self.word("like", "ADP")
            self.noun_phrase(clause.likeness)
        if clause.company is not None:
            self.word("with", "ADP")
            self.noun_phrase(clause.company)
        if clause.place is not None:
            self.adjunct(clause.place)
        if clause.time is not None:
            self.words(clause.time.english)
        if clause.infinitive is not None:
            self.infinitive(clause.infinitive)
        if clause.complement is not None:
            self.word("that", "SCONJ")
            self.clause(clause.complement)

    def objects(self, clause: Clause) -> None:
        verb = clause.verb
        if clause.indirect is not None and not clause.shifted:
            if verb.frame == "d" and verb.extra:
                self.word(verb.extra, "ADP")
            self.noun_phrase(clause.indirect)
        if clause.gap == "indirect" and verb.extra:
            self.word(verb.extra, "ADP")
        if clause.direct is not None and clause.gap != "direct":
            self.noun_phrase(clause.direct)
        if clause.indirect is not None and clause.shifted:
            self.word("to", "ADP")
            self.noun_phrase(clause.indirect)
        if verb.case:
            if verb.extra:
                self.word(verb.extra, "ADP")
            if clause.prepositional is not None and clause.gap != "prepositional":
                self.noun_phrase(clause.prepositional)
        self.predicate(clause)

    def predicate(self, clause: Clause) -> None:
        predicate = clause.predicate
        if isinstance(predicate, Description):
            self.description(predicate)
        elif isinstance(predicate, list):
            for link, description in predicate:
                if link:
                    self.word(link, "CCONJ", clause.link_mark)
                self.description(description)
        elif predicate is not None:
            self.noun_phrase(predicate)

    def infinitive(self, clause: Clause) -> None:
        self.words((("to", "PART"), (clause.verb.english, "VERB")))
        verb = clause.verb
        if verb.extra and not verb.case and verb.frame != "d":
            self.word(verb.extra, "ADV" if verb.extra in VERB_ADVERBS else "ADP")
        self.complements(clause)


NO_SPACE_BEFORE = frozenset((",", ".", "?", "!", ";", ":", "n't", "'s"))
NO_SPACE_AFTER = frozenset(("€",))


def space_after(tokens: tuple[str, ...]) -> list[bool]:
    """Whether a space stands after each token in running text; none at the end."""
    last = len(tokens) - 1
    return [
        position < last and token not in NO_SPACE_AFTER and tokens[position + 1] not in NO_SPACE_BEFORE
        for position, token in enumerate(tokens)
    ]


def detokenise(tokens: tuple[str, ...]) -> str:
    """The text as people write it: "He does n't know ." becomes "He doesn't know."."""
    return "".join(token + " " * space for token, space in zip(tokens, space_after(tokens), strict=True))
