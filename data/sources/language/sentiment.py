"""What decides the label: polarity words, negation and affirmation, contrasts, and intensity."""

from dataclasses import dataclass

from data.sources.language.tree import Mark

# Whether the clause behind the connective wins against the other one.
GOVERNED_WINS = {"but": True, "however": True, "although": False, "though": False, "even": False, "despite": False}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A polarity word."""

    mark: Mark
    sign: int


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A word that denies what it acts on (not, never, nobody, doubts), or its affirmative counterpart (found, yes)."""

    mark: Mark
    denied: bool
    inner: Evaluation


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Two opposite evaluations and the connective, which governs one of them."""

    mark: Mark
    other: "Judgement"
    governed: "Judgement"


@dataclass(frozen=True, slots=True, eq=False)
class Weighing:
    """Two opposite evaluations; the one with the strong intensifier wins over the one with the downtoner."""

    strong: Mark
    winner: Evaluation
    weak: Mark
    loser: Evaluation


Judgement = Evaluation | Verdict | Contrast | Weighing


def value(judgement: Judgement) -> int:
    """1 for positive, -1 for negative."""
    if isinstance(judgement, Evaluation):
        return judgement.sign
    if isinstance(judgement, Verdict):
        return -judgement.inner.sign if judgement.denied else judgement.inner.sign
    if isinstance(judgement, Weighing):
        return judgement.winner.sign
    governed_wins = GOVERNED_WINS[judgement.mark.word.lower()]
    return value(judgement.governed if governed_wins else judgement.other)


def evaluated(judgement: Judgement) -> Mark:
    """The polarity word that a cue in front of this judgement acts on."""
    if isinstance(judgement, Evaluation):
        return judgement.mark
    if isinstance(judgement, Verdict):
        return judgement.inner.mark
    raise TypeError("a contrast governs one evaluation")


def between(first: Mark, second: Mark) -> int:
    return max(0, abs(first.index - second.index) - 1)


def distance(judgement: Judgement) -> int:
    """The largest number of tokens between a cue and the polarity word that it acts on."""
    if isinstance(judgement, Evaluation):
        return 0
    if isinstance(judgement, Verdict):
        return between(judgement.mark, judgement.inner.mark)
    if isinstance(judgement, Weighing):
        return max(between(judgement.strong, judgement.winner.mark), between(judgement.weak, judgement.loser.mark))
    parts = distance(judgement.other), distance(judgement.governed)
    return max(between(judgement.mark, evaluated(judgement.governed)), *parts)


def describe(judgement: Judgement) -> str:
    """The judgement as text, each word with its position: `(but but@5 good@3 (deny not@9 bad@10))`."""
    if isinstance(judgement, Evaluation):
        return at(judgement.mark)
    if isinstance(judgement, Verdict):
        kind = "deny" if judgement.denied else "affirm"
        return f"({kind} {at(judgement.mark)} {describe(judgement.inner)})"
    if isinstance(judgement, Weighing):
        sides = sorted(
            ((judgement.strong, judgement.winner.mark), (judgement.weak, judgement.loser.mark)),
            key=lambda side: side[0].index,
        )
        return "(weigh " + " ".join(f"({at(degree)} {at(word)})" for degree, word in sides) + ")"
    return f"(contrast {at(judgement.mark)} {describe(judgement.other)} {describe(judgement.governed)})"


def at(mark: Mark) -> str:
    return f"{mark.word}@{mark.index}"
