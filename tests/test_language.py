"""The generated language: its grammar, its labels, its splits, its options and its files."""

import hashlib
import json
import math
import re
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from conftest import CONF
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from data.classification import LabelledText
from data.errors import InputError
from data.sources.generated import GeneratedLanguage
from data.sources.generated import shuffled as shuffled_tokens
from data.sources.language import Sentence, sentences
from data.sources.language.__main__ import main
from data.sources.sizes import check_sizes
from data.tagging import TaggedSentence
from data.tokenizers import WordTokenizer
from data.translation import SentencePair
from training.build import build

FOLDER = Path(__file__).parents[1] / "data" / "sources" / "language"
STORED_HASH = "f416df67747d83d1087422e043921212fa1a99c06d756feded518d1ec665b5ff"
UPOS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
UNIVERSAL = set(UPOS.split(" "))
SPLITS = ("train", "validation", "test")
DENYING = {"not", "n't", "never", "hardly", "nobody", "no", "doubt", "doubts", "doubted"}
CONTRASTING = {  # which of the two evaluations wins: the one that the connective governs, or the other
    "but": "governed", "however": "governed", "although": "other", "though": "other", "despite": "other"
}  # fmt: skip
STRONG = {"absolutely", "totally", "really", "truly", "extremely", "incredibly"}
WEAK = {"slightly", "somewhat", "mildly"}


def table(name: str) -> list[dict[str, str]]:
    header, *lines = (FOLDER / "lexicon" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Sentence]]:
    """The default sentences."""
    return {split: list(sentences(split)) for split in SPLITS}


@pytest.fixture(scope="module")
def everything(splits: dict[str, list[Sentence]]) -> list[Sentence]:
    return [sentence for split in SPLITS for sentence in splits[split]]


# Form


def test_default_sizes(splits):
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 20_000, "validation": 1_000, "test": 1_000}


def test_bytes_are_the_stored_ones(everything):
    digest = hashlib.sha256()
    for sentence in everything:
        fields = (sentence.english, " ".join(sentence.tags), sentence.label, sentence.german, sentence.derivation)
        digest.update("\t".join(fields).encode() + b"\n")
    assert digest.hexdigest() == STORED_HASH


def test_the_data_card_names_the_stored_hash():
    assert STORED_HASH in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_token_has_one_of_the_seventeen_tags(everything):
    assert all(len(sentence.tokens) == len(sentence.tags) for sentence in everything)
    assert {tag for sentence in everything for tag in sentence.tags} == UNIVERSAL


def test_text_is_the_tokens_as_people_write_them(everything):
    for sentence in everything:
        joined = re.sub(r" (n't|'s|[.,?])", r"\1", " ".join(sentence.tokens)).replace("€ ", "€")
        assert sentence.english == joined
        assert re.fullmatch(r"[A-Z].*(\.|\?)", joined)


@pytest.mark.parametrize("language", ["english", "german"])
def test_punctuation_is_clean(everything, language):
    for sentence in everything:
        text = getattr(sentence, language)
        assert not re.search(r"\s[.,?]|,,|,[.?]|\.\.|  |_|[.,?][^\W\d]|^[a-zäöü]", text), text


def test_the_same_english_has_one_translation_and_one_analysis(everything):
    known: dict[str, Sentence] = {}
    for sentence in everything:
        first = known.setdefault(sentence.english, sentence)
        assert (first.german, first.tags, first.label) == (sentence.german, sentence.tags, sentence.label)


# English


def test_a_and_an(everything):
    for sentence in everything:
        for article, word in zip(sentence.tokens, sentence.tokens[1:], strict=False):
            if article.lower() in ("a", "an") and article.lower() != word:
                vowel = (word[0].lower() in "aeiou" and not word.startswith(("uni", "use"))) or word.startswith("hon")
                assert article.lower() == ("an" if vowel else "a"), sentence.english


def test_subjects_agree_with_their_verbs(everything):
    third = {"is", "was", "has", "does"}
    plural = {"are", "were", "have", "do"}
    seen = set()
    for sentence in everything:
        for subject, verb in zip(sentence.tokens, sentence.tokens[1:], strict=False):
            if subject in ("He", "She", "he", "she") and verb in third | plural | {"am"}:
                assert verb in third, sentence.english
                seen.add(verb)
            if subject in ("They", "We", "they", "we", "you") and verb in third | plural | {"am"}:
                assert verb in plural, sentence.english
                seen.add(verb)
    assert seen == third | plural


def test_no_contraction_that_nobody_writes(everything):
    for sentence in everything:
        assert not re.search(r"\b(am|may|will|can)n't", sentence.english), sentence.english


# German

CASE_NAMES = "nadg"
ENDINGS = {  # of dieser; kein leaves out those in EIN_BARE
    "m": ("er", "en", "em", "es"), "f": ("e", "e", "er", "er"), "n": ("es", "es", "em", "es"),
    "p": ("e", "e", "en", "er"),
}  # fmt: skip
EIN_BARE = {"mn", "nn", "na"}
ARTICLES = {
    "m": ("der", "den", "dem", "des"), "f": ("die", "die", "der", "der"), "n": ("das", "das", "dem", "des"),
    "p": ("die", "die", "den", "der"),
}  # fmt: skip
EIN_STEMS = ("ein", "kein", "mein", "sein", "ihr", "Ihr", "unser")
DER_STEMS = ("dies", "jen", "jed", "all", "beid")
RELATIVE = {"der", "die", "das", "den", "dem"}  # behind a comma: no articles
FUSED = {"im": "md nd", "am": "md nd", "zum": "md nd", "vom": "md nd", "zur": "fd"}


def german_determiners() -> dict[str, set[tuple[str, str]]]:
    """Each form: what it may stand for (gender or p, and case), with the kind of ending that follows."""
    forms: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for gender, row in ENDINGS.items():
        for case, ending, article in zip(CASE_NAMES, row, ARTICLES[gender], strict=True):
            key = gender + case
            forms[article].add((key, "weak"))
            for stem in DER_STEMS:
                forms[stem + ending].add((key, "weak"))
            for stem in EIN_STEMS:
                if not (stem == "ein" and gender == "p"):
                    forms[stem + ("" if key in EIN_BARE else ending)].add((key, "mixed"))
    for fused, keys in FUSED.items():
        forms[fused] = {(key, "weak") for key in keys.split()}
    return forms


def german_nouns() -> dict[str, set[str]]:
    """Each form of each noun: what it may stand for."""
    forms: dict[str, set[str]] = defaultdict(set)
    for row in table("nouns"):
        noun, plural, gender = row["german"], row["german_plural"], row["gender"]
        weak = "weak" in row["notes"]
        for case in "nad":
            forms[
                noun if not weak or case == "n" else noun + ("n" if noun[-1] in "er" and noun != "Bär" else "en")
            ].add(gender + case)
        for ending in ["n", "en"] if weak else ["s", "es"] if gender != "f" else [""]:
            forms[noun + ending].add(gender + "g")
        for case in "nag":
            forms[plural].add("p" + case)
        forms[plural if plural[-1] in "ns" else plural + "n"].add("pd")
    return forms


def expected_ending(key: str, kind: str) -> str:
    if kind == "mixed" and key in EIN_BARE:
        return ENDINGS[key[0]]["nadg".index(key[1])]
    return "e" if key in ("mn", "fn", "fa", "nn", "na") else "en"


def adjective_keys() -> tuple[dict[str, str], set[str]]:
    """Declined forms with their endings, and the adverbs of degree."""
    forms: dict[str, str] = {}
    for row in table("adjectives"):
        stem = row["german"].rpartition("/")[2].removesuffix("e")
        forms |= {stem + ending: ending for ending in ("e", "en", "er", "es", "em")}
    return forms, {row["german"] for row in table("adverbs")}


def test_german_determiner_adjective_and_noun_agree(everything):
    determiners, nouns = german_determiners(), german_nouns()
    adjectives, degrees = adjective_keys()
    checked = Counter()
    for sentence in everything:
        words = re.findall(r"[\w'-]+|[.,?]", sentence.german)
        for position, word in enumerate(words):
            start = determiners.get(word[0].lower() + word[1:] if position == 0 else word)
            if start is None or (word in RELATIVE and "," in words[max(0, position - 2) : position]):
                continue
            end = position + 1
            endings = []
            while end < len(words) and (words[end] in degrees or words[end] in adjectives):
                endings += [adjectives[words[end]]] if words[end] in adjectives else []
                end += 1
            if end == len(words) or words[end] not in nouns:
                continue
            fitting = {
                key
                for key, kind in start
                if key in nouns[words[end]] and all(ending == expected_ending(key, kind) for ending in endings)
            }
            assert fitting, (words[position : end + 1], sentence.german)
            checked[len(endings)] += 1
    assert checked[0] > 10_000 and checked[1] > 3_000


def test_german_relative_pronouns_agree_with_their_nouns(everything):
    nouns = german_nouns()
    pronouns = {"der": "mn fd", "die": "fn fa pn pa", "das": "nn na", "den": "ma"}
    pronouns |= {"dem": "md nd", "denen": "pd"}
    checked = 0
    for sentence in everything:
        for owned, noun, pronoun in re.findall(r"(\w+) (\w+), (der|die|das|den|dem|denen) ", sentence.german):
            # Behind "der Garten der Tochter" the clause belongs to the garden.
            if noun in nouns and owned not in ("der", "des"):
                assert {key[0] for key in nouns[noun]} & {key[0] for key in pronouns[pronoun].split()}, sentence.german
                checked += 1
    assert checked > 3_000


def test_german_prepositions_fuse_with_the_article(everything):
    for sentence in everything:
        assert not re.search(r"(?<!, )\b([Ii]n|[Aa]n|[Zz]u|[Vv]on) dem\b", sentence.german), sentence.german


def test_german_subordinate_clauses_end_with_their_verb(everything):
    """Behind "dass" or "obwohl" no finite "sein" or "haben" stands in second place."""
    for sentence in everything:
        found = re.search(r"\b(dass|obwohl) (er|sie|es|Anna|Paul|Tom) (ist|war|hat|hatte)\b[^,.?]", sentence.german)
        assert found is None, sentence.german


def test_german_separable_verbs_leave_their_particle_at_the_end(everything):
    texts = [sentence.german for sentence in everything]
    assert any(re.search(r"\bschaltete\b.* (ein|aus)[.,]", text) for text in texts)
    assert any(re.search(r"\b(ein|aus)schaltete\b", text) for text in texts)
    assert any(re.search(r"\b(ein|aus)zuschalten\b", text) for text in texts)
    assert any(re.search(r"\b(ein|aus)geschaltet (hat|hatte)\b", text) for text in texts)


def test_german_verb_stands_second(everything):
    """A clause or an adverb in front takes the first place, and the finite verb comes before the subject."""
    names = {row["german"] for row in table("names") if row["kind"] in "mf"}
    adverbs = {"Wahrscheinlich", "Anscheinend", "Offensichtlich", "Gestern", "Heute", "Morgen", "Allerdings", "Neulich"}
    checked = 0
    for sentence in everything:
        first, second = sentence.german.split(" ")[:2]
        if first in adverbs and second not in ("Morgen", "Abend"):
            assert second.islower() and second not in ("der", "die", "das", "ich", "er", "sie", "wir"), sentence.german
            checked += 1
        elif first in names and second[0] not in ",uN" and sentence.tokens[1] != "'s":
            assert second.islower(), sentence.german
            checked += 1
    assert checked > 1_000


# Sentiment


def polarities() -> dict[tuple[str, str], int]:
    """Written form and tag of every polarity word: 1 or -1."""
    known: dict[tuple[str, str], int] = {}
    for row in table("adjectives"):
        if row["polarity"] != "0":
            known[row["english"], "ADJ"] = 1 if row["polarity"] == "+" else -1
    for row in table("nouns"):
        if row["classes"] in ("positive", "negative"):
            known[row["english"], "NOUN"] = 1 if row["classes"] == "positive" else -1
    for row in table("verbs"):
        if row["frame"] in ("positive", "negative"):
            sign = 1 if row["frame"] == "positive" else -1
            base = row["english"]
            regular = [base + "s", base + "es", base + "d", base + "ed", base[:-1] + "ing"]
            for form in (base, *(row["forms"].split(",") if row["forms"] != "-" else regular)):
                known[form, "VERB"] = sign
    return known


POLARITY = polarities()


class Reading:
    """An independent reading of a derivation: its value, its distances and the places of its words."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        self.places: set[int] = set()
        self.distances = [0]
        self.pieces = re.findall(r"[()]|[^\s()]+", sentence.derivation)
        self.value, self.place = self.read()
        assert not self.pieces

    def word(self) -> tuple[str, int]:
        form, _, place = self.pieces.pop(0).partition("@")
        assert self.sentence.tokens[int(place)].lower() == form.lower()
        return form.lower(), int(place)

    def polar(self) -> tuple[int, int]:
        form, place = self.word()
        self.places.add(place)
        return POLARITY[form, self.sentence.tags[place]], place

    def reach(self, one: int, other: int) -> None:
        self.distances.append(max(0, abs(one - other) - 1))

    def read(self) -> tuple[int, int]:
        if self.pieces[0] != "(":
            return self.polar()
        self.pieces.pop(0)
        kind = self.pieces.pop(0)
        result = {"deny": self.denied, "affirm": self.affirmed, "contrast": self.contrast, "weigh": self.weighed}[
            kind
        ]()
        assert self.pieces.pop(0) == ")"
        return result

    def denied(self) -> tuple[int, int]:
        cue, place = self.word()
        assert cue in DENYING
        value, word = self.polar()
        self.reach(place, word)
        return -value, word

    def affirmed(self) -> tuple[int, int]:
        cue, place = self.word()
        assert cue not in DENYING
        value, word = self.polar()
        self.reach(place, word)
        return value, word

    def contrast(self) -> tuple[int, int]:
        cue, place = self.word()
        other, _ = self.read()
        governed, word = self.read()
        assert other == -governed
        self.reach(place, word)
        return (governed if CONTRASTING[cue] == "governed" else other), word

    def weighed(self) -> tuple[int, int]:
        values = {}
        for _ in range(2):
            assert self.pieces.pop(0) == "("
            degree, place = self.word()
            value, word = self.polar()
            self.reach(place, word)
            assert degree in STRONG | WEAK
            values[degree in STRONG] = value
            assert self.pieces.pop(0) == ")"
        assert values[True] == -values[False]
        return values[True], -1


def test_label_equals_an_independent_reading_of_the_derivation(everything):
    for sentence in everything:
        value = Reading(sentence).value
        assert sentence.label == ("positive" if value > 0 else "negative"), sentence


def test_no_polarity_word_stands_outside_the_derivation(everything):
    for sentence in everything:
        tagged = enumerate(zip(sentence.tokens, sentence.tags, strict=True))
        present = {place for place, (token, tag) in tagged if (token.lower(), tag) in POLARITY}
        assert present == Reading(sentence).places, sentence


def test_negation_denies_or_is_a_decoy(everything):
    """Both must be common: a negation alone says nothing."""
    counts = Counter()
    for sentence in everything:
        negations = sum(token.lower() in ("not", "n't", "never", "hardly") for token in sentence.tokens)
        counts[negations > 0, "(deny" in sentence.derivation] += 1
    assert counts[True, True] > 4_000 and counts[True, False] > 4_000


def test_labels_are_balanced(splits):
    for rows in splits.values():
        share = sum(sentence.label == "positive" for sentence in rows) / len(rows)
        assert abs(share - 0.5) < 3 * 0.5 / math.sqrt(len(rows))


def accuracy(rows: list[Sentence], guess) -> float:
    return sum((guess(sentence) > 0) == (sentence.label == "positive") for sentence in rows) / len(rows)


def test_counting_polarity_words_is_a_guess(everything):
    def count(sentence: Sentence) -> float:
        total = sum(
            POLARITY.get((token.lower(), tag), 0) for token, tag in zip(sentence.tokens, sentence.tags, strict=True)
        )
        return total or len(sentence.tokens) % 2 - 0.5

    assert 0.44 < accuracy(everything, count) < 0.56


@pytest.mark.parametrize("pairs", [False, True])
def test_a_bag_of_words_is_a_guess(splits, pairs):
    """Naive Bayes over words, and over words with whether the sentence holds a negation or a contrast."""

    def bag(sentence: Sentence) -> set[str]:
        words = {token.lower() for token in sentence.tokens}
        cues = "".join(sorted(str(len(words & group)) for group in (DENYING, set(CONTRASTING)))) if pairs else ""
        return {word + cues for word in words}

    counts = {"positive": Counter(), "negative": Counter()}
    for sentence in splits["train"]:
        counts[sentence.label].update(bag(sentence))

    def score(sentence: Sentence) -> float:
        words = bag(sentence)
        return sum(math.log((counts["positive"][word] + 1) / (counts["negative"][word] + 1)) for word in words)

    assert accuracy(splits["validation"] + splits["test"], score) < (0.62 if pairs else 0.56)


# Knobs


def test_distance_is_measured_right_and_distributed_as_documented(splits):
    counts = Counter()
    for sentence in splits["train"]:
        assert sentence.distance == max(Reading(sentence).distances), sentence
        counts[sentence.distance] += 1
    assert sorted(counts) == list(range(13))
    for distance, count in counts.items():
        assert abs(count - 10_000 / 13 - (10_000 / 3 if distance <= 2 else 0)) < 250


@pytest.mark.parametrize("distance", [0, 1, 4, 30])
def test_distance_is_never_passed_and_reached(distance):
    found = {max(Reading(sentence).distances) for sentence in sentences("test", size=400, distance=distance)}
    assert max(found) == distance


def test_label_noise_turns_its_share_of_labels_and_nothing_else():
    clean = list(sentences("train", size=2_000))
    noisy = list(sentences("train", size=2_000, label_noise=0.2))
    turned = [sentence.flipped for sentence in noisy]
    assert abs(sum(turned) / 2_000 - 0.2) < 0.03
    for one, other in zip(clean, noisy, strict=True):
        assert (one.english, one.german) == (other.english, other.german)
        assert (one.label != other.label) == other.flipped


def test_no_sentence_is_in_two_splits(splits):
    texts = {split: {sentence.english for sentence in rows} for split, rows in splits.items()}
    assert not texts["train"] & (texts["validation"] | texts["test"])
    assert not texts["validation"] & texts["test"]
    assert len(texts["validation"]) == len(texts["test"]) == 1_000


def test_no_sentence_is_in_two_splits_where_sentences_are_short():
    texts = {split: {row.english for row in sentences(split, size=500, distance=0, seed=8)} for split in SPLITS}
    assert not texts["train"] & texts["test"] and not texts["train"] & texts["validation"]


def reserved() -> set[str]:
    return {
        row["english"] for name in ("nouns", "adjectives", "verbs") for row in table(name) if "reserved" in row["notes"]
    }


@cache
def stems_of(token: str) -> frozenset[str]:
    """A word and what it may be a form of, roughly: enough to find a held-out lemma in any form."""
    word = token.lower()
    found = {word, *(word.removesuffix(ending) for ending in ("s", "es", "ed", "d", "ing"))}
    found |= {re.sub(r"ies$|ied$", "y", word), word.removesuffix("ing") + "e", re.sub(r"(.)\1(ed|ing)$", r"\1", word)}
    return frozenset(found | {{"knelt": "kneel", "buried": "bury", "fried": "fry"}.get(word, word)})


def stems(sentence: Sentence) -> set[str]:
    return set().union(*map(stems_of, sentence.tokens))


def test_held_out_words_are_never_in_training_and_in_their_share_of_the_test(splits):
    words = reserved()
    assert len(words) >= 50
    assert not any(stems(sentence) & words for sentence in splits["train"])
    for split in ("validation", "test"):
        share = sum(bool(stems(sentence) & words) for sentence in splits[split]) / 1_000
        assert 0.07 < share < 0.13
    found = set().union(*(stems(row) & words for row in sentences("test", size=800, unknown=1.0)))
    assert len(found) > 0.9 * len(words)


@pytest.mark.parametrize("unknown", [0.0, 1.0])
def test_the_share_of_unknown_words_can_be_set(unknown):
    words = reserved()
    assert all(
        bool(stems(sentence) & words) == bool(unknown) for sentence in sentences("test", size=200, unknown=unknown)
    )


def test_held_out_words_are_not_polarity_words():
    assert not reserved() & {form for form, _ in POLARITY}


def test_the_first_sentences_do_not_depend_on_how_many_follow():
    assert list(sentences("test", size=30)) == list(islice(sentences("test", size=10_000_000), 30))


def test_seeds_differ():
    assert [row.english for row in sentences("train", size=5)] != [
        row.english for row in sentences("train", size=5, seed=2)
    ]


def test_memory_does_not_grow_with_the_number_of_sentences():
    stream = sentences("train", size=10_000_000)
    for _ in islice(stream, 800):
        pass
    tracemalloc.start()
    for _ in islice(stream, 400):
        pass
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 400_000


@settings(max_examples=15, deadline=None)
@given(
    split=st.sampled_from(SPLITS),
    seed=st.integers(-(2**70), 2**70),
    distance=st.integers(0, 25),
    noise=st.floats(0, 1),
    unknown=st.floats(0, 1),
)
def test_every_choice_of_knobs_gives_well_formed_sentences(split, seed, distance, noise, unknown):
    rows = list(sentences(split, size=6, distance=distance, label_noise=noise, unknown=unknown, seed=seed))
    again = sentences(split, size=6, distance=distance, label_noise=noise, unknown=unknown, seed=seed)
    assert rows == list(again)
    for sentence in rows:
        reading = Reading(sentence)
        assert max(reading.distances) == sentence.distance <= distance
        assert (sentence.label == "positive") == ((reading.value > 0) != sentence.flipped)
        assert len(sentence.tokens) == len(sentence.tags)
        assert set(sentence.tags) <= UNIVERSAL
        assert sentence.german[-1] in ".?" and sentence.german[0].isupper()


@pytest.mark.parametrize(
    "wrong",
    [{"split": "dev"}, {"size": -1}, {"distance": -1}, {"distance": 61}, {"label_noise": 1.1}, {"unknown": -0.1}],
)
def test_wrong_knobs_are_named_at_once(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        sentences(**{"split": "train", **wrong})


# Words


def forms_of(row: dict[str, str]) -> list[str]:
    base = row["english"].partition("_")[0]
    given = row.get("forms", row.get("plural", "-"))
    regular = (
        base,
        base + "s",
        base + "es",
        base + "ed",
        base + "d",
        re.sub("y$", "ies", base),
        re.sub("y$", "ied", base),
    )
    return [base.lower(), *(form.partition("_")[0] for form in (given.split(",") if given != "-" else regular))]


def test_more_than_six_hundred_lemmas_are_used(everything):
    seen = {
        (token.lower(), tag)
        for sentence in everything
        for token, tag in zip(sentence.tokens, sentence.tags, strict=True)
    }
    tags = {"nouns": "NOUN", "verbs": "VERB", "adjectives": "ADJ", "adverbs": "ADV", "names": "PROPN"}
    used = {
        (name, row["english"].partition("_")[0])
        for name, tag in tags.items()
        for row in table(name)
        if any((form.lower(), tag) in seen for form in forms_of(row))
    }
    assert len(used) >= 600


def test_more_than_sixty_forms_have_two_tags(everything):
    tags: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in everything:
        for token, tag in zip(sentence.tokens, sentence.tags, strict=True):
            tags[token.lower()][tag] += 1
    ambiguous = {form for form, counts in tags.items() if len([tag for tag in counts if counts[tag] > 1]) > 1}
    assert len(ambiguous) >= 60
    assert {"watch", "play", "light", "back", "like", "that", "to", "no", "well", "can"} <= ambiguous


# The command


def test_conllu_is_well_formed(tmp_path):
    target = tmp_path / "sample.conllu"
    assert main(["--sentences", "40", "--format", "conllu", "--output", str(target)]) == 0
    blocks = target.read_text(encoding="utf-8").strip().split("\n\n")
    assert len(blocks) == 40
    for number, (block, sentence) in enumerate(zip(blocks, sentences("train", size=40), strict=True), start=1):
        lines = block.split("\n")
        comments = [line for line in lines if line.startswith("#")]
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        assert comments[:2] == [f"# sent_id = train-{number}", f"# text = {sentence.english}"]
        assert all(len(row) == 10 for row in rows)
        assert [row[0] for row in rows] == [str(place + 1) for place in range(len(rows))]
        assert tuple(row[3] for row in rows) == sentence.tags
        assert "".join(row[1] + " " * (row[9] == "_") for row in rows).strip() == sentence.english


def test_parallel_files_hold_a_sentence_a_line(tmp_path):
    assert main(["--sentences", "15", "--format", "parallel", "--output", str(tmp_path / "pairs")]) == 0
    english = (tmp_path / "pairs.en").read_text(encoding="utf-8").splitlines()
    german = (tmp_path / "pairs.de").read_text(encoding="utf-8").splitlines()
    pairs = [(sentence.english, sentence.german) for sentence in sentences("train", size=15)]
    assert list(zip(english, german, strict=True)) == pairs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.de", "pairs.en"]


def test_json_lines_hold_every_field(tmp_path):
    target = tmp_path / "rows.jsonl"
    assert main(["--sentences", "5", "--split", "test", "--format", "jsonl", "--output", str(target)]) == 0
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row["german"] for row in rows] == [sentence.german for sentence in sentences("test", size=5)]
    assert rows[0].keys() == set(Sentence.__dataclass_fields__)


def test_the_table_shows_tags_label_and_translation(capsys):
    assert main(["--sentences", "1"]) == 0
    printed = capsys.readouterr().out
    (sentence,) = sentences("train", size=1)
    assert sentence.german in printed and sentence.label in printed and "NOUN" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--split", "dev"],
        ["--distance", "-3"],
        ["--label-noise", "2"],
        ["--output", "/no/such/folder/x"],
        ["--sentences", "-1"],
    ],
)
def test_errors_are_one_sentence(arguments, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


def test_an_unknown_option_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--sentences", "many"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


EXAMPLES = {
    LabelledText: lambda sentence: (" ".join(sentence.tokens), sentence.label),
    TaggedSentence: lambda sentence: (sentence.tokens, sentence.tags),
    SentencePair: lambda sentence: (sentence.english, sentence.german),
}


@pytest.mark.parametrize("example_type", EXAMPLES)
def test_one_config_reads_the_language_as_every_kind_of_example(example_type: type) -> None:
    cfg = OmegaConf.merge(OmegaConf.load(CONF / "data" / "language.yaml").data, {"sizes": {"train": 5}})
    reader = instantiate(cfg)
    examples = reader.for_examples(example_type).read_split("train")
    assert [example.content() for example in examples] == list(map(EXAMPLES[example_type], sentences("train", size=5)))
    assert {type(example) for example in examples} == {example_type}
    with pytest.raises(InputError, match="and this task needs tuple rows"):
        reader.for_examples(tuple)


@pytest.mark.parametrize("task", ["sentiment", "memory", "captioning"])
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.sizes.test=-1", "data.sizes.test=-1: give 0 to 10,000,000 examples."),
        ("data.sizes.train=1000000000000", "data.sizes.train=1000000000000: give 0 to"),
        ("+data.sizes.dev=5", "data.sizes.dev: give a size for each of train, validation, test, and for nothing else."),
        ("~data.sizes.test", "data.sizes.test: give a size for each"),
    ],
)
def test_sizes_of_generated_splits_that_cannot_be_are_refused(
    composed: Callable, task: str, override: str, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        build(composed(task, override).data)


def language(**given: object) -> GeneratedLanguage:
    defaults = {"sizes": {"train": 9, "validation": 0, "test": 6}, "distance": 6, "label_noise": 0.0, "unknown": 0.5}
    return GeneratedLanguage(**defaults | {"seed": 3, "pretokenized": True} | given)


def test_the_reader_gives_the_sentences_of_its_options() -> None:
    reader = language(label_noise=0.25)
    made = list(sentences("test", size=6, distance=6, label_noise=0.25, unknown=0.5, seed=3))
    examples = reader.read_split("test")
    assert [example.content() for example in examples] == [(" ".join(s.tokens), s.label) for s in made]
    assert [example.metadata for example in examples] == [{"distance": s.distance} for s in made]
    assert reader.origin() == {"source": "generated", "revision": None} and reader.read_split("validation") == []


def test_shuffled_texts_have_the_same_words_in_an_order_of_their_own() -> None:
    plain, shuffled = (language(shuffled=value).read_split("train") for value in (False, True))
    assert [example.label for example in shuffled] == [example.label for example in plain]
    for one, other in zip(plain, shuffled, strict=True):
        assert sorted(one.text.split()) == sorted(other.text.split()) and one.text != other.text
    assert language(shuffled=True).read_split("train") == shuffled
    assert shuffled_tokens(["a", "b", "c", "d"]) == ["a", "c", "b", "d"]  # on every machine


def test_translated_tags_are_german_words_cut_or_filled_up_to_the_english_ones() -> None:
    lengths = set()
    for example, sentence in zip(
        language(translated=True, sizes={"train": 60, "validation": 0, "test": 0})
        .for_examples(TaggedSentence)
        .read_split("train"),
        sentences("train", size=60, distance=6, label_noise=0.0, unknown=0.5, seed=3),
        strict=True,
    ):
        german = WordTokenizer(lowercase=False, pretokenized=False).split(sentence.german)
        length = len(sentence.tokens)
        assert example.words == sentence.tokens
        assert list(example.tags) == (german + ["-"] * length)[:length]
        lengths.add((len(german) > length) - (len(german) < length))
    assert lengths == {-1, 0, 1}


def test_joined_pairs_are_one_to_so_many_consecutive_sentences() -> None:
    sizes = {"train": 200, "validation": 0, "test": 0}
    plain, joined = (language(sizes=sizes, joined=most).for_examples(SentencePair) for most in (1, 3))
    pairs, found = plain.read_split("train"), joined.read_split("train")
    numbers, rest = Counter(), iter(pairs)
    for pair in found:
        some = [next(rest)]
        while " ".join(one.source for one in some) != pair.source:
            some.append(next(rest))
        assert " ".join(one.target for one in some) == pair.target
        numbers[len(some)] += 1
    assert next(rest, None) is None and {*numbers} == {1, 2, 3} and min(numbers.values()) > 15
    assert joined.read_split("validation") == []
    pair = language(sizes={**sizes, "train": 1}, joined=2).for_examples(SentencePair)
    assert pair.read_split("train") == pairs[:1]
    assert len(language(sizes=sizes, joined=2).for_examples(SentencePair).read_split("train")) < 170
    texts = language(joined=3)
    assert texts.read_split("train") == language().read_split("train")
    with pytest.raises(InputError, match=r"^data\.joined=0: must be at least 1\.$"):
        language(joined=0)


@pytest.mark.parametrize("size, refused", [(-1, True), (0, False), (10_000_000, False), (10_000_001, True)])
def test_sizes_have_bounds(size: int, refused: bool) -> None:
    sizes = {"train": 1, "validation": size, "test": 1}
    if not refused:
        check_sizes(sizes)
        return
    with pytest.raises(InputError) as error:
        check_sizes(sizes)
    assert str(error.value) == f"data.sizes.validation={size}: give 0 to 10,000,000 examples."


def test_sentence_pairs_have_a_direction() -> None:
    cfg = OmegaConf.merge(OmegaConf.load(CONF / "data" / "language.yaml").data, {"sizes": {"train": 5}})
    forward = instantiate(cfg, source="en", target="de").for_examples(SentencePair).read_split("train")
    back = instantiate(cfg, source="de", target="en").for_examples(SentencePair).read_split("train")
    assert [(pair.target, pair.source) for pair in back] == forward
    with pytest.raises(InputError, match=r"data\.source=en data\.target=en: the two languages are en and de"):
        build(OmegaConf.merge(cfg, {"source": "en", "target": "en"}))
