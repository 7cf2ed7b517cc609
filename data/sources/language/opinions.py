"""Evaluating clauses with a chosen number of tokens between the affirming or negating cue and the polarity word.

Every frame is a method that takes what the clause must come to (`value`: 1 or -1), whether it says so by denying the
opposite, the distance, and whether a negation that decides nothing must stand in between.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property

from data.sources.language.english import EnglishWriter
from data.sources.language.lexicon import Adjective, Adverb, Noun, Verb, load_lexicon
from data.sources.language.phrases import PERSON, DeadEndError, Phrases
from data.sources.language.sentiment import Evaluation, Judgement, Verdict, Weighing
from data.sources.language.tree import Clause, Common, Description, Mark, Negation, NounPhrase, Pronoun, Proper

TARGET_CLASSES = tuple("SSSSXXXXEEEEFFFLLLLPPVCIKGYMDHZ")
OPINION_TENSES = ("present", "past", "past", "perfect")
SHORT_NEGATIONS = ("not", "n't", "never", "hardly")
FULL_NEGATIONS = ("not", "n't", "n't", "never")
DENYING = ("nobody", "no one", "no")
AFFIRMING = {"nobody": "everybody", "no one": "everyone", "no": "every"}


@cache
def evaluative_adjectives(noun: Noun, sign: int) -> tuple[Adjective, ...]:
    entries = load_lexicon().adjectives
    return tuple(entry for entry in entries if entry.polarity == sign and entry.classes & noun.classes)


@cache
def evaluative_verbs(noun: Noun, sign: int) -> tuple[Verb, ...]:
    frame = "positive" if sign > 0 else "negative"
    return tuple(verb for verb in load_lexicon().verbs if verb.frame == frame and verb.objects & noun.classes)


@cache
def evaluative_nouns(noun: Noun, sign: int) -> tuple[Noun, ...]:
    kind = "positive" if sign > 0 else "negative"
    return tuple(
        entry
        for entry in load_lexicon().nouns
        if kind in entry.classes and noun.classes & frozenset("".join(entry.notes))
    )


@dataclass(slots=True)
class Opinion:
    """A clause and its judgement; `outer` are noun phrases that may be modified without changing the distance."""

    clause: Clause
    judgement: Judgement
    outer: list[Common | Pronoun] = field(default_factory=list)
    decoyed: bool = False


Frame = Callable[[int, bool, int, bool], Opinion]


class Opinions(Phrases):
    """Samples evaluating clauses."""

    def target(self, classes: str = "") -> Common:
        """What is praised or blamed: something of one of the classes, or of any."""
        rng = self.rng
        noun = self.word(self.index.nouns(frozenset(rng.choice(classes or TARGET_CLASSES))))
        if "mass" in noun.notes or "countless" in noun.notes:
            return Common(noun)
        if rng.bernoulli(0.25):
            return Common(noun, True, rng.choice(("the", "the", "the", "these", "those", "my", "our", "his", "her")))
        if rng.bernoulli(0.08):
            return Common(noun, possessor=rng.choice(self.index.persons))
        return Common(noun, False, rng.choice(("the",) * 8 + ("this", "that", "my", "our", "his", "her", "their")))

    def holder(self) -> NounPhrase:
        """Whose opinion it is."""
        roll = self.rng.randbelow(10)
        if roll < 4:
            return Proper(self.rng.choice(self.index.persons))
        if roll < 6:
            return Pronoun(self.rng.choice(("I", "he", "she", "we", "they")))
        noun = self.word(self.index.nouns(PERSON))
        return Common(noun, self.rng.bernoulli(0.4), "the" if self.rng.bernoulli(0.8) else "my")

    def adjective(self, noun: Noun, sign: int) -> Adjective:
        candidates = evaluative_adjectives(noun, sign)
        if not candidates:
            raise DeadEndError
        return self.rng.choice(candidates)

    def praise(self, noun: Noun, sign: int) -> Description:
        return Description(self.adjective(noun, sign), mark=Mark())

    def set_verdict(self, clause: Clause, denied: bool, kinds: tuple[str, ...]) -> Mark:
        """Negates the clause or not; the cue word that decides."""
        mark = Mark()
        if denied:
            kind = self.rng.choice(kinds)
            clause.negation = Negation(kind, mark)
        else:
            clause.verb_mark = mark
        return mark

    def fit(self, clause: Clause, verdict: Verdict, region: Common | Pronoun, distance: int, decoy: bool) -> bool:
        """Extends the noun phrase between cue and word to the requested distance; whether it has a decoy."""
        EnglishWriter().clause(clause)
        missing = distance - (abs(verdict.mark.index - verdict.inner.mark.index) - 1)
        if missing < 0:
            raise DeadEndError
        return self.fill(region, missing, decoy)

    def fill(self, region: Common | Pronoun, length: int, decoy: bool) -> bool:
        decoy = decoy and length >= 3 and self.rng.bernoulli(0.75)
        if isinstance(region, Pronoun):
            if length:
                region.relative = self.relative_clause(region, length, decoy)
        else:
            self.modify(region, length, negated=decoy)
        return decoy

    # Frames

    def being(self, value: int, denied: bool, distance: int, decoy: bool) -> Opinion:
        """The film was (not) good."""
        target = self.target()
        sign = -value if denied else value
        description = self.praise(target.noun, sign)
        clause = Clause(self.index.by_word["be"], self.rng.choice(OPINION_TENSES), target, predicate=description)
        if distance == 2 and denied:
            kinds: tuple[str, ...] = ("not at all",)
        else:
            kinds = SHORT_NEGATIONS if distance == 0 else ("not", "n't")
        mark = self.set_verdict(clause, denied, kinds)
        if distance == 1:
            description.degree = self.rng.choice(self.denied_degrees if denied else self.strong(description))
        elif distance >= 5:
            self.add_source(clause, distance)
        elif distance not in (0, 2) or (distance == 2 and not denied):
            raise DeadEndError
        assert description.mark is not None
        return Opinion(clause, Verdict(mark, denied, Evaluation(description.mark, sign)), [target])

    @cached_property
    def denied_degrees(self) -> tuple[Adverb, ...]:
        really = tuple(adverb for adverb in self.index.adverbs["strong"] if adverb.english == "really")
        return really + self.index.adverbs["denied"]

    def strong(self, description: Description) -> tuple[Adverb, ...]:
        """The intensifiers that an adjective takes: nothing is "extremely excellent"."""
        adverbs = self.index.adverbs
        extreme = "extreme" in description.adjective.notes
        return adverbs["strong"] if extreme else adverbs["strong"] + adverbs["gradable"]

    def add_source(self, clause: Clause, distance: int) -> None:
        """According to somebody: two commas, two words, and the person."""
        rest = distance - 4
        if rest == 1:
            clause.source = Proper(self.rng.choice(self.index.persons))
            return
        person = Common(self.word(self.index.nouns(PERSON)))
        self.modify(person, rest - 2)
        clause.source = person

    def doing(self, value: int, denied: bool, distance: int, decoy: bool, classes: str = "") -> Opinion:
        """Anna enjoyed the film; Anna did not enjoy it."""
        if distance:
            raise DeadEndError
        sign = -value if denied else value
        target, verb = self.praised(sign, classes)
        clause = Clause(verb, self.rng.choice(OPINION_TENSES), self.holder(), direct=target)
        mark = self.set_verdict(clause, denied, FULL_NEGATIONS)
        if denied:
            clause.verb_mark = Mark()
        assert clause.verb_mark is not None
        opinion = Opinion(clause, Verdict(mark, denied, Evaluation(clause.verb_mark, sign)), [target])
        self.allow_subject(opinion)
        return opinion

    def praised(self, sign: int, classes: str = "") -> tuple[Common, Verb]:
        target = self.target(classes)
        verbs = evaluative_verbs(target.noun, sign)
        if not verbs:
            raise DeadEndError
        return target, self.rng.choice(verbs)

    def allow_subject(self, opinion: Opinion) -> None:
        if isinstance(opinion.clause.subject, Common):
            opinion.outer.append(opinion.clause.subject)

    def equating(self, value: int, denied: bool, distance: int, decoy: bool) -> Opinion:
        """The film was (not) a disaster."""
        if distance != 1:
            raise DeadEndError
        sign = -value if denied else value
        target = self.target()
        nouns = evaluative_nouns(target.noun, sign)
        if not nouns or target.plural:
            raise DeadEndError
        mark = Mark()
        predicate = Common(self.rng.choice(nouns), determiner="a", mark=mark)
        clause = Clause(self.index.by_word["be"], self.rng.choice(OPINION_TENSES), target, predicate=predicate)
        cue = self.set_verdict(clause, denied, ("not", "n't", "never", "hardly"))
        return Opinion(clause, Verdict(cue, denied, Evaluation(mark, sign)), [target])

    def finding(self, value: int, denied: bool, distance: int, decoy: bool) -> Opinion:
        """Anna found the film boring; Anna did not consider the film boring."""
        sign = -value if denied else value
        target = self.target()
        description = self.praise(target.noun, sign)
        verb = self.index.by_word[self.rng.choice(("find", "find", "consider"))]
        clause = Clause(verb, self.rng.choice(OPINION_TENSES), self.holder(), direct=target, predicate=description)
        cue = self.set_verdict(clause, denied, FULL_NEGATIONS)
        assert description.mark is not None
        verdict = Verdict(cue, denied, Evaluation(description.mark, sign))
        opinion = Opinion(clause, verdict)
        opinion.decoyed = self.fit(clause, verdict, target, distance, decoy)
        self.allow_subject(opinion)
        return opinion

    def thinking(self, value: int, denied: bool, distance: int, decoy: bool) -> Opinion:
        """Anna does not think that the film is good; Anna doubts that the guests enjoyed the film."""
        sign = -value if denied else value
        tense = self.rng.choice(("present", "past"))
        inner, region, word, extra = self.thought(sign, tense)
        verb = self.index.by_word[self.rng.choice(("think", "think", "believe"))]
        doubting = denied and self.rng.bernoulli(0.15)
        if doubting:
            verb = self.index.by_word["doubt"]
        clause = Clause(verb, tense, self.holder(), complement=inner)
        kinds = SHORT_NEGATIONS if verb.english == "believe" else FULL_NEGATIONS
        cue = self.set_verdict(clause, denied and not doubting, kinds)
        verdict = Verdict(cue, denied, Evaluation(word, sign))
        opinion = Opinion(clause, verdict, extra)
        opinion.decoyed = self.fit(clause, verdict, region, distance, decoy)
        self.allow_subject(opinion)
        return opinion

    def thought(self, sign: int, tense: str) -> tuple[Clause, Common, Mark, list[Common | Pronoun]]:
        """An evaluating clause without negation: itself, its subject, its polarity word, and what else can grow."""
        if self.rng.bernoulli(0.6):
            target = self.target()
            description = self.praise(target.noun, sign)
            assert description.mark is not None
            clause = Clause(self.index.by_word["be"], tense, target, predicate=description)
            return clause, target, description.mark, []
        target, verb = self.praised(sign)
        subject = Common(self.word(self.index.nouns(PERSON)), self.rng.bernoulli(0.5))
        mark = Mark()
        tense = self.rng.choice(("present", "past") if tense == "present" else ("past", "pluperfect"))
        return Clause(verb, tense, subject, direct=target, verb_mark=mark), subject, mark, [target]

    def counting(self, value: int, denied: bool, distance: int, decoy: bool) -> Opinion:
        """Nobody who saw the city enjoyed the film; every guest hated the soup."""
        sign = -value if denied else value
        target, verb = self.praised(sign)
        kind = self.rng.choice(DENYING)
        cue, mark = Mark(), Mark()
        word = kind if denied else AFFIRMING[kind]
        subject: Common | Pronoun
        if kind == "no":
            plural = denied and self.rng.bernoulli(0.3)
            subject = Common(self.word(self.index.nouns(PERSON)), plural, word, determiner_mark=cue)
        else:
            subject = Pronoun(word, mark=cue)
        tense = self.rng.choice(("present", "past", "past", "perfect"))
        if tense == "perfect" and distance == 0:
            tense = "past"
        clause = Clause(verb, tense, subject, direct=target, verb_mark=mark)
        verdict = Verdict(cue, denied, Evaluation(mark, sign))
        opinion = Opinion(clause, verdict, [target])
        opinion.decoyed = self.fit(clause, verdict, subject, distance, decoy)
        return opinion

    def claiming(self, value: int, denied: bool, distance: int, decoy: bool) -> Opinion:
        """The claim that Anna hated the film about the bridge is not true."""
        sign = -value if denied else value
        noun = self.word(self.index.nouns(frozenset(("claim",))))
        target, verb = self.praised(sign)
        mark = Mark()
        inner = Clause(verb, self.rng.choice(("present", "past")), self.holder(), direct=target, verb_mark=mark)
        subject = Common(noun, complement=inner)
        true = Description(self.index.true)
        clause = Clause(self.index.by_word["be"], self.rng.choice(("present", "past")), subject, predicate=true)
        cue = self.set_verdict(clause, denied, ("not", "n't", "hardly"))
        verdict = Verdict(cue, denied, Evaluation(mark, sign))
        opinion = Opinion(clause, verdict)
        opinion.decoyed = self.fit(clause, verdict, target, distance, decoy)
        if isinstance(inner.subject, Common):
            opinion.outer.append(inner.subject)
        return opinion

    def weighing(self, value: int) -> Opinion:
        """Anna found the room slightly cold and the food absolutely wonderful."""
        first, second = self.target(), self.target()
        if first.noun is second.noun:
            raise DeadEndError
        strong_first = self.rng.bernoulli(0.5)
        signs = (value, -value) if strong_first else (-value, value)
        one, two = self.praise(first.noun, signs[0]), self.praise(second.noun, signs[1])
        strong, weak = (one, two) if strong_first else (two, one)
        if "extreme" in weak.adjective.notes:
            raise DeadEndError
        strong.degree = self.rng.choice(self.strong(strong))
        weak.degree = self.rng.choice(self.index.adverbs["weak"])
        strong.degree_mark, weak.degree_mark = Mark(), Mark()
        verb = self.index.by_word["find"]
        clause = Clause(verb, self.rng.choice(OPINION_TENSES), self.holder(), direct=first, predicate=one)
        clause.second = second, two
        assert strong.degree_mark and weak.degree_mark and strong.mark and weak.mark
        winner, loser = Evaluation(strong.mark, value), Evaluation(weak.mark, -value)
        opinion = Opinion(clause, Weighing(strong.degree_mark, winner, weak.degree_mark, loser), [first, second])
        self.allow_subject(opinion)
        return opinion
