"""Whole sentences: evaluating clauses put together with contrasts, questions and neutral clauses around them."""

from dataclasses import dataclass, field

from data.sources.language import german
from data.sources.language.english import EnglishWriter
from data.sources.language.opinions import SHORT_NEGATIONS, Frame, Opinion, Opinions
from data.sources.language.phrases import PERSON, DeadEndError
from data.sources.language.sentiment import Contrast, Evaluation, Judgement, Verdict, evaluated
from data.sources.language.tree import Clause, Common, Description, Mark, NounPhrase, Pronoun

ORDERS = {
    "main": german.main,
    "inverted": german.question,  # behind a clause or adverb in front, the verb comes first
    "last": german.verb_last,
    "question": german.question,
    "who": german.who_question,
}


@dataclass(slots=True, eq=False)
class Literal:
    """Fixed words in both languages; the mark is of the last English one."""

    english: tuple[tuple[str, str], ...]
    german: tuple[str, ...]
    mark: Mark | None = None


@dataclass(slots=True, eq=False)
class Placed:
    """A clause, and the order that German gives it."""

    clause: Clause
    order: str


@dataclass(slots=True, eq=False)
class Phrase:
    """A noun phrase behind "despite"."""

    phrase: NounPhrase


Piece = Literal | Placed | Phrase


@dataclass(slots=True, eq=False)
class Draft:
    """A sentence before it is realised in either language."""

    pieces: list[Piece]
    judgement: Judgement
    outer: list[Common | Pronoun] = field(default_factory=list)
    decoyed: bool = False
    statement: bool = True

    def english(self) -> EnglishWriter:
        writer = EnglishWriter()
        for piece in self.pieces:
            if isinstance(piece, Literal):
                *before, (form, tag) = piece.english
                writer.words(before)
                writer.word(form, tag, piece.mark)
            elif isinstance(piece, Phrase):
                writer.noun_phrase(piece.phrase)
            else:
                writer.clause(piece.clause, piece.order == "question")
        writer.finish()
        return writer

    def german(self) -> str:
        words: list[str] = []
        for piece in self.pieces:
            if isinstance(piece, Literal):
                words += piece.german
            elif isinstance(piece, Phrase):
                words += german.whole(piece.phrase, "g")
            else:
                words += ORDERS[piece.order](piece.clause)
        return german.detokenise(words)


CONJUNCTIONS = {"when": "als", "while": "während", "before": "bevor", "after": "nachdem", "because": "weil"}
# Classes of nouns that one sentence may contrast: plays with books, journeys with places and food, ...
THEMES = ("SX", "SX", "X", "S", "SXM", "EL", "ELF", "FD", "FDL", "LO", "P", "VE", "CGK", "KH", "YI", "SI", "GI", "Z")
STOP = Literal(((".", "PUNCT"),), (".",))
ASK = Literal((("?", "PUNCT"),), ("?",))
PAUSE = Literal(((",", "PUNCT"),), (",",))
ENGLISH_PAUSE = Literal(((",", "PUNCT"),), ())
AND = Literal(((",", "PUNCT"), ("and", "CCONJ")), (",", "und"))
EXCLAMATIONS = (
    Literal((("well", "INTJ"), (",", "PUNCT")), ("nun", ",")),
    Literal((("oh", "INTJ"), (",", "PUNCT")), ("oh", ",")),
    Literal((("yes", "INTJ"), (",", "PUNCT")), ("ja", ",")),
)


class Sentences(Opinions):
    """Samples drafts of sentences."""

    def draft(self, distance: int) -> Draft:
        """A sentence whose cue and polarity word stand `distance` tokens apart; DeadEndError if none is found."""
        value = 1 if self.rng.bernoulli(0.5) else -1
        roll = self.rng.randbelow(100)
        if roll < 50:
            return self.surround(self.contrast(value, distance), False)
        if distance == 0 and roll < 70:
            opinion = self.weighing(value)
            return self.surround(self.stated(opinion), self.rng.bernoulli(0.5))
        # Half are negated, mostly without a decoy; half are not, mostly with one: counting negations does not help.
        roll = self.rng.randbelow(100)
        denied, decoy = roll < 50, 40 <= roll < 90
        return self.surround(self.single(value, denied, distance, decoy), decoy)

    def stated(self, opinion: Opinion) -> Draft:
        return Draft([Placed(opinion.clause, "main"), STOP], opinion.judgement, opinion.outer, opinion.decoyed)

    def single(self, value: int, denied: bool, distance: int, decoy: bool) -> Draft:
        """One evaluation, affirmed or denied."""
        rng = self.rng
        if distance >= 2 and rng.bernoulli(0.22):
            return self.answered(value, denied, distance, decoy)
        if distance == 0:
            frames: tuple[Frame, ...] = (self.being, self.being, self.doing, self.doing, self.counting)
        elif distance == 1:
            frames = (self.being, self.equating, self.equating, self.counting)
        elif distance < 5:
            frames = (self.finding, self.finding, self.counting, self.being if denied else self.finding)
        else:
            frames = (
                self.finding, self.finding, self.finding, self.thinking, self.thinking, self.thinking,
                self.counting, self.claiming, self.being,
            )  # fmt: skip
        frame = rng.choice(frames)
        opinion = frame(value, denied, distance, decoy)
        if frame in (self.finding, self.thinking, self.doing) and rng.bernoulli(0.12):
            return self.why(opinion)
        return self.stated(opinion)

    def why(self, opinion: Opinion) -> Draft:
        """Why did Anna not enjoy the film? What is asked about is taken to be so."""
        negation = opinion.clause.negation
        if negation is not None and negation.kind == "n't":
            negation.kind = "not"
        why = Literal((("why", "ADV"),), ("warum",))
        pieces: list[Piece] = [why, Placed(opinion.clause, "question"), ASK]
        return Draft(pieces, opinion.judgement, opinion.outer, opinion.decoyed, statement=False)

    def answered(self, value: int, denied: bool, distance: int, decoy: bool) -> Draft:
        """Did Anna enjoy the film about the bridge? No. Who enjoyed it? Nobody."""
        sign = -value if denied else value
        target, verb = self.praised(sign)
        mark, answer = Mark(), Mark()
        asks_who = self.rng.bernoulli(0.4)
        clause = Clause(verb, self.rng.choice(("present", "past", "past", "perfect")), direct=target, verb_mark=mark)
        if asks_who:
            clause.gap, clause.relativiser = "subject", "who"
        else:
            clause.subject = self.asked()
        missing = distance - 1 - self.length(target)
        if missing < 0:
            raise DeadEndError
        judgement = Verdict(answer, denied, Evaluation(mark, sign))
        decoyed = self.fill(target, missing, decoy)
        pieces: list[Piece] = [Placed(clause, "who" if asks_who else "question"), ASK]
        pieces += [self.answer(asks_who, denied, answer), STOP]
        outer: list[Common | Pronoun] = [clause.subject] if isinstance(clause.subject, Common) else []
        return Draft(pieces, judgement, outer, decoyed, statement=False)

    def asked(self) -> NounPhrase:
        holder = self.holder()
        return Pronoun("you") if isinstance(holder, Pronoun) and holder.english in ("I", "we") else holder

    def answer(self, who: bool, denied: bool, mark: Mark) -> Literal:
        if who:
            english, german_word = ("Nobody", "Niemand") if denied else ("Everybody", "Jeder")
            return Literal(((english, "PRON"),), (german_word,), mark)
        english, german_word = ("No", "Nein") if denied else ("Yes", "Ja")
        return Literal(((english, "INTJ"),), (german_word,), mark)

    def length(self, phrase: NounPhrase) -> int:
        writer = EnglishWriter()
        writer.noun_phrase(phrase)
        return len(writer.forms)

    # Contrasts

    def contrast(self, value: int, distance: int) -> Draft:
        """Two opposite evaluations, each affirmed or denied, and a connective that tells which one counts."""
        rng = self.rng
        roll = rng.randbelow(100)
        # A third of the contrasts deny the one side, a third the other.
        denied = roll < 33, 33 <= roll < 66
        if distance <= 1 and roll >= 66 and rng.bernoulli(0.7):
            return self.paired(value, distance)
        if distance == 0:
            raise DeadEndError
        kind = rng.choice(("but", "but", "although", "although", "since", "since", "despite", "fact", "however"))
        if kind == "despite" and distance != 1:
            kind = "fact" if distance > 5 else "although"
        if kind == "despite":
            return self.in_spite(value, denied[1])
        governed_wins = kind in ("but", "however")
        governed_value = value if governed_wins else -value
        extra = {"but": 0, "however": 1, "fact": 3}.get(kind, 0)
        first = kind in ("although", "fact") and rng.bernoulli(0.75 if kind == "fact" else 1.0)
        theme = rng.choice(THEMES)
        other = self.simple(-governed_value, denied[1], theme)
        subject = self.again(other) if not first else None
        governed = self.simple(governed_value, denied[0], theme, subject)
        self.lengthen(governed, distance - extra)
        if first:
            subject = self.again(governed)
            if subject is not None:
                other = self.simple(-governed_value, denied[1], theme, subject)
        return self.connected(kind, first, governed, other)

    def again(self, opinion: Opinion) -> Pronoun | None:
        """The pronoun for the subject of a clause that praises or blames a thing, now and then."""
        subject = opinion.clause.subject
        if opinion.clause.verb.english != "be" or not isinstance(subject, Common) or self.rng.bernoulli(0.4):
            return None
        described = opinion.clause.predicate
        if isinstance(described, Description) and not is_specific(described):
            return None
        if "P" in subject.noun.classes or "A" in subject.noun.classes:
            return None
        return Pronoun("they" if subject.plural else "it", subject.noun)

    def simple(self, value: int, denied: bool, theme: str, subject: Pronoun | None = None) -> Opinion:
        """A short evaluating clause; its distance is as short as it can be."""
        if subject is None and self.rng.bernoulli(0.4):
            return self.doing(value, denied, 0, False, theme)
        sign = -value if denied else value
        target: Common | Pronoun = subject or self.target(theme)
        noun = target.noun
        assert noun is not None
        description = self.praise(noun, sign)
        if subject is not None and not is_specific(description):
            raise DeadEndError
        tense = self.rng.choice(("present", "past", "past"))
        clause = Clause(self.index.by_word["be"], tense, target, predicate=description)
        assert description.mark is not None
        evaluation = Evaluation(description.mark, sign)
        if not denied:
            return Opinion(clause, evaluation, [target])
        return Opinion(clause, Verdict(self.set_verdict(clause, True, SHORT_NEGATIONS), True, evaluation), [target])

    def lengthen(self, opinion: Opinion, distance: int) -> None:
        """Modifies the subject until `distance` tokens stand before the polarity word."""
        EnglishWriter().clause(opinion.clause)
        missing = distance - evaluated(plain(opinion.judgement)).index
        subject = opinion.clause.subject
        if missing < 0 or (missing and not isinstance(subject, Common)):
            raise DeadEndError
        if missing:
            assert isinstance(subject, Common)
            self.modify(subject, missing, negated=missing >= 4 and self.rng.bernoulli(0.25))

    def connected(self, kind: str, first: bool, governed: Opinion, other: Opinion) -> Draft:
        mark = Mark()
        judgement = Contrast(mark, plain(other.judgement), plain(governed.judgement))
        connective = self.connective(kind, mark)
        clauses = Placed(governed.clause, "last"), Placed(other.clause, "inverted")
        pieces: list[Piece]
        if first:
            pieces = [*connective, clauses[0], PAUSE, clauses[1]]
        elif kind in ("but", "however"):
            order = "main" if kind == "but" else "inverted"
            pieces = [Placed(other.clause, "main"), *connective, Placed(governed.clause, order)]
        else:
            pieces = [Placed(other.clause, "main"), *connective, clauses[0]]
        return Draft([*pieces, STOP], judgement, [], statement=False)

    def connective(self, kind: str, mark: Mark) -> list[Piece]:
        if kind == "but":
            return [Literal(((",", "PUNCT"), ("but", "CCONJ")), (",", "aber"), mark)]
        if kind == "however":
            return [Literal(((".", "PUNCT"), ("However", "ADV")), (".", "Allerdings"), mark), ENGLISH_PAUSE]
        if kind == "fact":
            fact = (("the", "DET"), ("fact", "NOUN"), ("that", "SCONJ"))
            return [despite(mark, ","), Literal(fact, ("der", "Tatsache", ",", "dass"))]
        if self.rng.bernoulli(0.5):
            return [Literal((("although", "SCONJ"),), (",", "obwohl"), mark)]
        return [Literal((("even", "ADV"), ("though", "SCONJ")), (",", "obwohl"), mark)]

    def paired(self, value: int, distance: int) -> Draft:
        """The film was boring but (really) moving."""
        target = self.target()
        one, two = self.praise(target.noun, -value), self.praise(target.noun, value)
        if not (is_specific(one) and is_specific(two)):
            raise DeadEndError
        if distance:
            two.degree = self.rng.choice(self.strong(two))
        link = Mark()
        clause = Clause(self.index.by_word["be"], self.rng.choice(("present", "past", "perfect")), target)
        clause.predicate = [("", one), ("but", two)]
        clause.link_mark = link
        assert one.mark is not None and two.mark is not None
        judgement = Contrast(link, Evaluation(one.mark, -value), Evaluation(two.mark, value))
        return Draft([Placed(clause, "main"), STOP], judgement, [target])

    def in_spite(self, value: int, denied: bool) -> Draft:
        """Despite the terrible food, the hotel was good."""
        theme = self.rng.choice(THEMES)
        noun = self.target(theme).noun
        description = self.praise(noun, -value)
        cue = Mark()
        phrase = Common(noun, descriptions=[description])
        other = self.simple(value, denied, theme)
        assert description.mark is not None
        judgement = Contrast(cue, plain(other.judgement), Evaluation(description.mark, -value))
        pieces: list[Piece]
        if self.rng.bernoulli(0.5):
            pieces = [despite(cue), Phrase(phrase), ENGLISH_PAUSE, Placed(other.clause, "inverted"), STOP]
        else:
            pieces = [Placed(other.clause, "main"), despite(cue, ","), Phrase(phrase), STOP]
        return Draft(pieces, judgement, statement=False)

    # What stands around

    def surround(self, draft: Draft, decoy: bool) -> Draft:
        """Adds neutral material where it does not change the distance, with the decoy if there is none yet."""
        rng = self.rng
        needs_decoy = decoy and not draft.decoyed
        free = [phrase for phrase in draft.outer if is_free(phrase)]
        if needs_decoy and free and (not draft.statement or rng.bernoulli(0.6)):
            self.fill_outer(rng.choice(free), True)
        elif needs_decoy and draft.statement:
            self.join(draft, True)
        elif needs_decoy:
            raise DeadEndError
        else:
            if free and rng.bernoulli(0.35):
                self.fill_outer(rng.choice(free), False)
            if draft.statement and rng.bernoulli(0.25):
                self.join(draft, False)
            elif draft.statement and rng.bernoulli(0.15):
                self.open_with(draft)
        return draft

    def open_with(self, draft: Draft) -> None:
        """Oh, ... Obviously, ..."""
        if self.rng.bernoulli(0.5):
            draft.pieces.insert(0, self.rng.choice(EXCLAMATIONS))
            return
        adverb = self.rng.choice(self.index.adverbs["comment"])
        placed = draft.pieces[0]
        assert isinstance(placed, Placed)
        placed.order = "inverted"
        draft.pieces.insert(0, Literal(((adverb.english, "ADV"), (",", "PUNCT")), (adverb.german,)))

    def fill_outer(self, phrase: Common | Pronoun, decoy: bool) -> None:
        assert isinstance(phrase, Common)
        self.modify(phrase, 3 + self.rng.randbelow(5) if decoy else 1 + self.rng.randbelow(5), negated=decoy)

    def join(self, draft: Draft, decoy: bool) -> None:
        """A neutral clause before or behind the statement."""
        clause = self.action(self.somebody(), PERSON)
        self.stretch(clause, self.rng.randbelow(5))
        if clause.time is not None and self.rng.bernoulli(0.4):
            clause.front, clause.time = clause.time, None
        roll = self.rng.randbelow(10)
        if decoy:
            self.negate(clause)
        if not decoy and roll < 4 and clause.front is None:
            self.put_before(draft, clause)
        elif roll < 7:
            draft.pieces[:0] = [Placed(clause, "main"), AND]
        else:
            draft.pieces[-1:] = [AND, Placed(clause, "main"), STOP]

    def put_before(self, draft: Draft, clause: Clause) -> None:
        """When Anna arrived, ..."""
        placed = draft.pieces[0]
        assert isinstance(placed, Placed)
        past = placed.clause.tense == "past"
        conjunction = self.rng.choice(tuple(CONJUNCTIONS)) if past else "because"
        if conjunction == "after":
            clause.tense = "pluperfect"
        else:
            clause.tense = "past"
        if clause.time is not None or (conjunction == "while" and "stative" in clause.verb.notes):
            raise DeadEndError
        opening = Literal(((conjunction, "SCONJ"),), (CONJUNCTIONS[conjunction],))
        placed.order = "inverted"
        draft.pieces[:0] = [opening, Placed(clause, "last"), PAUSE]


def despite(mark: Mark, *before: str) -> Literal:
    """The German comma behind the other clause keeps its "nicht" apart: "nicht, trotz"."""
    return Literal((("despite", "ADP"),), (*before, "trotz"), mark)


def plain(judgement: Judgement) -> Judgement:
    """A judgement without the verdict of an affirmed clause, whose word stands for itself."""
    if isinstance(judgement, Verdict) and not judgement.denied:
        return judgement.inner
    return judgement


def is_specific(description: Description) -> bool:
    """Whether it names one quality, so that the same thing can have an opposite one: "boring but useful"."""
    return not description.adjective.notes & frozenset(("extreme", "general"))


def is_free(phrase: Common | Pronoun) -> bool:
    return isinstance(phrase, Common) and not (phrase.descriptions or phrase.prepositional or phrase.relative)
