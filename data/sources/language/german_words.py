"""German inflection: articles, nouns, adjectives and verbs."""

from functools import cache

from data.sources.language.lexicon import Noun, Verb, german_stem

# Keys: gender (m, f, n) or p for the plural, then case (n, a, d, g).
DEFINITE = {
    "mn": "der", "ma": "den", "md": "dem", "mg": "des", "fn": "die", "fa": "die", "fd": "der", "fg": "der",
    "nn": "das", "na": "das", "nd": "dem", "ng": "des", "pn": "die", "pa": "die", "pd": "den", "pg": "der",
}  # fmt: skip
RELATIVE = {**DEFINITE, "mg": "dessen", "fg": "deren", "ng": "dessen", "pd": "denen", "pg": "deren"}
STRONG = {
    "mn": "er", "ma": "en", "md": "em", "mg": "en", "fn": "e", "fa": "e", "fd": "er", "fg": "er",
    "nn": "es", "na": "es", "nd": "em", "ng": "en", "pn": "e", "pa": "e", "pd": "en", "pg": "er",
}  # fmt: skip
WEAK = {**dict.fromkeys(STRONG, "en"), "mn": "e", "fn": "e", "fa": "e", "nn": "e", "na": "e"}
MIXED = {**WEAK, "mn": "er", "nn": "es", "na": "es"}
LIKE_EIN = {
    "a": "ein", "no": "kein", "my": "mein", "your": "Ihr", "his": "sein", "her": "ihr", "our": "unser", "their": "ihr",
}  # fmt: skip
LIKE_DER = {
    "this": "dies", "these": "dies", "that": "jen", "those": "jen", "every": "jed", "all": "all", "both": "beid",
    "which": "welch",
}  # fmt: skip
PLAIN_PLURALS = {"some": "einig", "many": "viel", "few": "wenig", "several": "mehrer"}
FUSED = {
    ("in", "dem"): "im", ("an", "dem"): "am", ("zu", "dem"): "zum", ("zu", "der"): "zur", ("von", "dem"): "vom",
    ("bei", "dem"): "beim", ("in", "das"): "ins", ("an", "das"): "ans",
}  # fmt: skip
PRONOUNS = {
    "I": ("ich", "mich", "mir"), "you": ("Sie", "Sie", "Ihnen"), "he": ("er", "ihn", "ihm"),
    "she": ("sie", "sie", "ihr"), "we": ("wir", "uns", "uns"), "they": ("sie", "sie", "ihnen"),
    "nobody": ("niemand", "niemanden", "niemandem"), "everybody": ("jeder", "jeden", "jedem"),
    "no one": ("niemand", "niemanden", "niemandem"), "everyone": ("jeder", "jeden", "jedem"),
}  # fmt: skip
IT = {"m": ("er", "ihn", "ihm"), "f": ("sie", "sie", "ihr"), "n": ("es", "es", "ihm")}
REFLEXIVES = {"I": "mich", "we": "uns"}
IRREGULAR_PRESENT = {
    "sein": ("bin", "ist", "sind"), "haben": ("habe", "hat", "haben"), "werden": ("werde", "wird", "werden"),
    "dürfen": ("darf", "darf", "dürfen"),
    "können": ("kann", "kann", "können"), "müssen": ("muss", "muss", "müssen"),
    "sollten": ("sollte", "sollte", "sollten"),
    "wollen": ("will", "will", "wollen"), "mögen": ("mag", "mag", "mögen"),
}  # fmt: skip
MODALS = {"future": "werden", "may": "dürfen", "can": "können", "must": "müssen", "should": "sollten"}


def determiner_forms(determiner: str, key: str) -> tuple[str, dict[str, str]]:
    """The German determiner for an English one, and the endings that adjectives take after it."""
    if determiner == "the":
        return DEFINITE[key], WEAK
    if determiner in LIKE_EIN:
        bare = key in ("mn", "nn", "na")
        stem = LIKE_EIN[determiner]
        if bare:
            return stem, MIXED
        return stem + STRONG[key].replace("en", ein_genitive(key)), MIXED
    if determiner in LIKE_DER:
        return LIKE_DER[determiner] + STRONG[key].replace("en", ein_genitive(key)), WEAK
    if determiner in PLAIN_PLURALS:
        return PLAIN_PLURALS[determiner] + STRONG[key], STRONG
    return "", STRONG


def ein_genitive(key: str) -> str:
    """Determiners end in -es where strong adjectives end in -en: eines, dieses, but guten."""
    return "es" if key in ("mg", "ng") else "en"


@cache
def noun_form(noun: Noun, plural: bool, case: str) -> str:
    if plural:
        form = noun.german_plural
        return form + "n" if case == "d" and not form.endswith(("n", "s")) else form
    if "weak" in noun.notes:
        return noun.german if case == "n" else weak_oblique(noun)
    return genitive(noun.german) if case == "g" and noun.gender != "f" else noun.german


def weak_oblique(noun: Noun) -> str:
    return noun.german + ("n" if noun.german.endswith(("e", "r")) and noun.german not in LONG_WEAK else "en")


LONG_WEAK = ("Bär",)


def genitive(word: str) -> str:
    if word.endswith("nis"):
        return word + "ses"
    if word.endswith(("s", "ß", "x", "z", "tz", "sch", "st")):
        return word + "es"
    syllables = sum(letter.lower() in "aeiouäöüy" for letter in word.replace("ie", "i").replace("au", "a"))
    ends_in_vowel = word[-1].lower() in "aeiouäöüé" or word.endswith("h")
    return word + ("es" if syllables == 1 and not ends_in_vowel else "s")


def verb_index(person: str) -> int:
    return {"first": 0, "third": 1, "plural": 2}[person]


@cache
def present(infinitive: str, third: str, person: str) -> str:
    if infinitive in IRREGULAR_PRESENT:
        return IRREGULAR_PRESENT[infinitive][verb_index(person)]
    if person == "third":
        return third
    if person == "plural":
        return infinitive
    stem = german_stem(infinitive)
    return (stem[:-2] + "le") if infinitive.endswith("eln") else stem + "e"


@cache
def preterite(third: str, person: str) -> str:
    if person != "plural":
        return third
    return third + ("n" if third.endswith("e") else "en")


@cache
def auxiliary(infinitive: str, person: str, past: bool) -> str:
    if past:
        return preterite({"haben": "hatte", "sein": "war"}[infinitive], person)
    return present(infinitive, "", person)


def verb_chain(verb: Verb, tense: str, person: str) -> tuple[str, list[str]]:
    """The finite verb, and what closes the verbal bracket."""
    if tense in MODALS:
        return present(MODALS[tense], "", person), [verb.particle + verb.german]
    if tense in ("want", "wanted"):
        finite = present("wollen", "", person) if tense == "want" else preterite("wollte", person)
        return finite, [verb.particle + verb.german]
    if tense in ("perfect", "pluperfect"):
        return auxiliary(verb.auxiliary, person, tense == "pluperfect"), [verb.particle + verb.german_participle]
    past = tense in ("past", "past progressive")
    form = preterite(verb.preterite, person) if past else present(verb.german, verb.german_third, person)
    return form, [verb.particle] if verb.particle else []


def infinitive_with_zu(verb: Verb) -> str:
    return f"{verb.particle}zu{verb.german}" if verb.particle else f"zu {verb.german}"
