"""Baselines: simple models of the training split, beside every score, cached by the content of the data."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from scipy.sparse import csr_matrix

from data.classification import LabelledText
from data.tagging import TaggedSentence
from data.translation import SentencePair
from tasks.forecasting.evaluation import ForecastingEvaluation
from tasks.sentiment.baselines import NaiveBayesSVM, predictions
from tasks.sentiment.evaluation import SentimentEvaluation
from tasks.tagging.baselines import MostFrequentTag, WindowTagger, any_word, capital_or_digit, fitted_taggers, spelling
from tasks.tagging.evaluation import TaggingEvaluation
from tasks.translation.baselines import LONGEST, WordDictionary
from tasks.translation.evaluation import TranslationEvaluation
from training.baselines import (
    CACHE_VARIABLE,
    add_baselines,
    baseline_scores,
    better_baselines,
    cache_file,
    cache_folder,
    sources,
)
from training.evaluation import Evaluation
from training.titles import baseline_title

TEXTS = ["it is good", "it is not good", "it is bad", "it is not bad"] * 5
LABELS = ["pos", "neg", "neg", "pos"] * 5


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "baselines"


def test_linear_models_see_bigrams() -> None:
    found = predictions((TEXTS, LABELS), [["is not good", "is not bad", "is good", "is bad"], ["unheard of"]])
    assert found.keys() == {"majority", "tfidf_logistic_regression", "nbsvm"}
    for name in ("tfidf_logistic_regression", "nbsvm"):
        assert found[name][0] == ["neg", "pos", "pos", "neg"] and len(found[name][1]) == 1


def test_three_classes_with_odd_names() -> None:
    texts, labels = ["red rose", "green leaf", "blue sky"] * 4, ["accuracy", "", "macro avg"] * 4
    found = predictions((texts, labels), [["a red one", "a green one", "sky"]])
    assert found["nbsvm"] == found["tfidf_logistic_regression"] == [["accuracy", "", "macro avg"]]


def test_chinese_is_read_character_by_character() -> None:
    texts, labels = ["这部电影很好看", "这部电影很难看", "很好", "很难"] * 4, ["1", "0", "1", "0"] * 4
    assert predictions((texts, labels), [["电影好看", "难看"]])["nbsvm"] == [["1", "0"]]


@pytest.mark.parametrize("texts, labels", [(["a", "b"], ["x", "x"]), (["", " "], ["x", "y"])], ids=["class", "words"])
def test_without_classes_or_words_there_is_the_majority(texts: list[str], labels: list[str]) -> None:
    assert predictions((texts, labels), [["c", "d"]]) == {"majority": [["x", "x"]]}


def test_the_majority_is_the_most_frequent_label_and_the_first_of_equal_ones() -> None:
    assert predictions((["a", "b", "c"], ["y", "x", "y"]), [["b"]])["majority"] == [["y"]]
    assert predictions((["a", "b"], ["y", "x"]), [["b"]])["majority"] == [["x"]]


def test_naive_bayes_weights_are_log_count_ratios() -> None:
    features = csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], dtype=float))
    model = NaiveBayesSVM(cost=1, smoothing=1).fit(features, [1, 1, 0])
    positive, negative = np.array([3, 2, 1]) / 6, np.array([1, 2, 2]) / 5
    assert np.allclose(model.scale_.diagonal(), np.log(positive / negative))
    assert model.predict(features).tolist() == [1, 1, 0]
    assert ((model.decision_function(features) > 0) == [True, True, False]).all()


def test_scores_of_sentiment_baselines_stand_beside_chance() -> None:
    train = [LabelledText(text, label) for text, label in zip(TEXTS, LABELS, strict=True)]
    splits = {"test": train[:3], "validation": train[3:4]}
    found = SentimentEvaluation().baselines(train, splits)
    assert found.keys() == splits.keys()
    assert found["test"]["chance"] == {"accuracy": 0.5} and found["test"]["nbsvm"] == {"accuracy": 1, "macro_f1": 1}
    assert found["test"]["majority"]["accuracy"] == pytest.approx(2 / 3)
    assert found["validation"]["majority"]["accuracy"] == 0


def test_taggers_look_up_words_and_tell_unknown_words_by_their_kind() -> None:
    train = [
        TaggedSentence(("a", "a", "a", "Rome", "7", "b"), ("X", "Y", "Y", "PROPN", "NUM", "X")),
        TaggedSentence(("c", "Oslo"), ("Z", "PROPN")),
    ]
    plain, ruled = MostFrequentTag(train, any_word), MostFrequentTag(train, capital_or_digit)
    words = ("a", "Rome", "new", "New", "1st", "")
    assert [plain.tag(word) for word in words] == ["Y", *["PROPN"] * 5]
    assert [ruled.tag(word) for word in words] == ["Y", "PROPN", "X", "PROPN", "NUM", "X"]
    assert ruled(untagged("new 1st", "a")) == ["X", "NUM", "Y"]


def test_a_kind_of_word_that_training_does_not_have_has_the_most_frequent_tag() -> None:
    tagger = MostFrequentTag([TaggedSentence(("a", "a", "b"), ("X", "X", "Y"))], capital_or_digit)
    assert [tagger.tag(word) for word in ("New", "2", "new", "b")] == ["X", "X", "Y", "Y"]


def test_a_word_with_an_empty_tag_keeps_it() -> None:
    assert MostFrequentTag([TaggedSentence(("a", "b", "b"), ("", "X", "X"))], any_word).tag("a") == ""


def tagged(*sentences: str) -> list[TaggedSentence]:
    """Sentences of ``word/tag``."""
    pairs = [[word.rsplit("/", 1) for word in sentence.split(" ")] for sentence in sentences]
    return [TaggedSentence(*(tuple(column) for column in zip(*sentence, strict=True))) for sentence in pairs]


def untagged(*sentences: str) -> list[TaggedSentence]:
    return [TaggedSentence.untagged(sentence.split(" ")) for sentence in sentences]


@pytest.mark.parametrize("between", ["", "x/O "], ids=["next", "but one"])
@pytest.mark.parametrize("turned", [False, True], ids=["before", "after"])
def test_a_linear_tagger_sees_two_words_on_each_side(between: str, turned: bool) -> None:
    pairs = [f"{word}/O {between}a/{tag}" for word, tag in {"p": "P", "q": "Q", "r": "R"}.items()]
    train = tagged(*(" ".join(pair.split(" ")[:: -1 if turned else 1]) for pair in pairs))
    tagger = WindowTagger(train)
    assert tagger(train) == [tag for sentence in train for tag in sentence.tags]


@pytest.mark.parametrize(
    "sentence",
    ["{first}/O {second}/{tag} o/O", "o/O {second}/{tag} {first}/O", "{first}/O o/{tag} {second}/O"],
    ids=["before", "after", "around"],
)
def test_a_linear_tagger_sees_pairs_of_words(sentence: str) -> None:
    """A tag that two words decide as an exclusive or, which no sum over single words is."""
    both = {("p", "a"): "X", ("p", "b"): "Y", ("q", "a"): "Y", ("q", "b"): "X"}
    train = []
    for (first, second), tag in both.items():
        train += tagged(sentence.format(first=first, second=second, tag=tag))
    assert WindowTagger(train * 3)(train) == [tag for sentence in train for tag in sentence.tags]


def test_a_linear_tagger_does_not_look_into_other_sentences() -> None:
    tagger = WindowTagger(tagged("p/O a/P", "q/O a/Q", "a/R") * 3)
    assert tagger(untagged("p", "a", "q", "a", "p a")) == ["O", "R", "O", "R", "O", "P"]


def test_a_linear_tagger_knows_words_by_their_ends_and_shapes() -> None:
    verbs, nouns = (f"{stem}/{tag}" for stem, tag in (("walking", "VERB"), ("station", "NOUN")))
    tagger = WindowTagger(tagged(verbs, nouns, "singing/VERB", "nation/NOUN", "Ann/NAME", "Bo/NAME", "12/NUM", "7/NUM"))
    assert tagger(untagged("jumping", "ration", "Zoe", "345")) == ["VERB", "NOUN", "NAME", "NUM"]


@pytest.mark.parametrize("sentence", ["{} a", "a {}"], ids=["before", "after"])
def test_a_linear_tagger_sees_the_ends_of_neighbours(sentence: str) -> None:
    words = {"walking": "V", "singing": "V", "station": "N", "nation": "N"}
    train = tagged(*(sentence.replace("a", f"a/{tag}").format(f"{word}/O") for word, tag in words.items()))
    found = WindowTagger(train)(untagged(sentence.format("jumping"), sentence.format("ration")))
    assert [tag for tag in found if tag != "O"] == ["V", "N"]


def test_features_of_a_word() -> None:
    short = ["word Ab", "shape Aa", "part ab", "part ab", "a-", "-b", "ab-", "-ab"]
    assert spelling("Ab") == short
    parts = {"word hoa hồng 12-B", "shape a 0-A", "part hoa", "part hồng", "part 12-b", "hoa -", "-12-b"}
    assert parts <= set(spelling("hoa hồng 12-B"))
    assert spelling("") == ["word ", "shape ", "part "]


def test_a_linear_tagger_reads_large_data_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    train = tagged("a/A b/B", "c/C d/D", "e/E")
    monkeypatch.setattr("tasks.tagging.baselines.MOST_WORDS", 4)
    assert fitted_taggers(train)["linear_svm"].svm.classes_.tolist() == ["A", "B", "C", "D"]
    monkeypatch.setattr("tasks.tagging.baselines.MOST_WORDS", 1)
    assert fitted_taggers(train)["linear_svm"].svm.classes_.tolist() == ["A", "B"]
    assert "linear_svm" not in fitted_taggers([*tagged("a/A a/A"), *train])


def test_with_one_tag_there_is_no_linear_tagger() -> None:
    train = tagged("a/X b/X")
    found = TaggingEvaluation().baselines(train, {"test": train})
    assert found["test"].keys() == {"chance", "most_frequent_tag", "most_frequent_tag_with_rules"}


def test_scores_of_taggers() -> None:
    train = [TaggedSentence(("a", "b", "A"), ("X", "Y", "Z"))]
    found = TaggingEvaluation().baselines(train, {"test": [TaggedSentence(("a", "Q"), ("X", "Z"))]})
    assert list(found["test"]) == ["chance", "most_frequent_tag", "most_frequent_tag_with_rules", "linear_svm"]
    assert found["test"]["chance"] == {"accuracy": pytest.approx(1 / 3)}
    assert found["test"]["most_frequent_tag"]["accuracy"] == 0.5
    assert found["test"]["most_frequent_tag_with_rules"] == {"accuracy": 1, "macro_f1": 1}


PAIRS = [
    ("das Haus", "the house"),
    ("das Buch", "the book"),
    ("ein Buch", "a book"),
    ("ein Haus .", "a house ."),
    ("Haus", "house"),
]


def test_a_dictionary_is_learned_from_pairs() -> None:
    dictionary = WordDictionary(PAIRS)
    assert dictionary("das Buch .") == "the book."
    assert dictionary("ein Haus , Anna") == "a house, Anna"
    assert dictionary("") == ""


def test_a_dictionary_of_chinese_has_no_spaces() -> None:
    dictionary = WordDictionary([("cat", "猫"), ("big cat", "大猫"), ("big dog", "大狗"), ("dog", "狗")])
    assert dictionary("big cat dog") == "大猫狗" and WordDictionary([("猫", "cat")])("猫猫") == "cat cat"


def test_pairs_without_words_or_of_great_length_do_no_harm() -> None:
    assert WordDictionary([])("a") == "a" and WordDictionary([("", "x"), ("y", " ")])("y") == "y"
    long = " ".join(map(str, range(1000)))
    assert len(WordDictionary([(long, long)]).translations) == LONGEST


def test_very_large_data_are_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.translation.baselines.MOST_PAIRS", 5)
    dictionary = WordDictionary([("a b", "x y"), ("c d", "z w"), ("e", "v")])
    assert dictionary.translations.keys() == {"a", "b", "c", "d"}


def test_scores_of_translation_baselines() -> None:
    pairs = [SentencePair(f"{a} und {b}", f"{a} and {b}") for a in ("Anna", "Ben", "Cem") for b in ("Dora", "Eva")]
    evaluation = TranslationEvaluation(0, 0, "char")
    evaluation.fit(pairs)
    found = evaluation.baselines(pairs, {"test": pairs})["test"]
    assert found["word_by_word"] == {"bleu": pytest.approx(100), "bleu_lowercase": pytest.approx(100), "chrf": 100}
    assert 0 < found["copy"]["bleu"] < 100 and found["copy"].keys() == {"bleu", "bleu_lowercase", "chrf"}


class Counting(Evaluation):
    """Baselines that note when they are computed."""

    def __init__(self, options: str = "") -> None:
        self.computed: list[set[str]] = []
        self.options = options

    def baseline_options(self) -> str:
        return self.options

    def baselines(self, train: list, splits: dict) -> dict:
        self.computed.append(set(splits))
        return {split: {"simple": {"accuracy": len(train) / len(examples)}} for split, examples in splits.items()}


SPLITS = {"train": [1], "validation": [1, 2], "test": [1, 2, 3, 4]}
DIGESTS = {"train": "a", "validation": "b", "test": "c"}


def test_baselines_are_computed_once_for_the_same_data(cache: Path) -> None:
    first, second = Counting(), Counting()
    scores = baseline_scores(first, SPLITS, DIGESTS)
    assert scores == {"validation": {"simple": {"accuracy": 0.5}}, "test": {"simple": {"accuracy": 0.25}}}
    assert baseline_scores(second, SPLITS, DIGESTS) == scores
    assert first.computed == [{"validation", "test"}] and second.computed == []
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("split, computed", [("train", {"validation", "test"}), ("test", {"test"})])
def test_what_changed_is_computed_again(split: str, computed: set[str]) -> None:
    baseline_scores(Counting(), SPLITS, DIGESTS)
    again = Counting()
    baseline_scores(again, SPLITS, DIGESTS | {split: "changed"})
    assert again.computed == [computed]


def test_other_options_and_other_code_are_other_entries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = cache_file(Counting(), "a")
    assert cache_file(Counting(), "a") == file != cache_file(Counting("char"), "a")
    (tmp_path / "code.py").write_text("changed")
    monkeypatch.setattr("training.baselines.sources", lambda kind: [tmp_path / "code.py"])
    assert cache_file(Counting(), "a") != file


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"simple": 1}', b'{"simple": {"accuracy": "0.1"}}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_entry_is_computed_again(cache: Path, content: bytes) -> None:
    scores = baseline_scores(Counting(), SPLITS, DIGESTS)
    for path in cache.iterdir():
        path.write_bytes(content)
    again = Counting()
    assert baseline_scores(again, SPLITS, DIGESTS) == scores and again.computed == [{"validation", "test"}]
    assert all(json.loads(path.read_text()) for path in cache.iterdir())


def test_a_cache_that_cannot_be_written_costs_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    assert baseline_scores(Counting(), SPLITS, DIGESTS)["test"] == {"simple": {"accuracy": 0.25}}


def test_the_log_says_what_is_computed_and_what_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("training.baselines.time.perf_counter", iter([10.0, 12.5]).__next__)
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    baseline_scores(Counting(), SPLITS, DIGESTS)
    first, second, *others = [record.getMessage() for record in caplog.records]
    assert first.startswith("computing") and first.endswith(" on validation and test")
    assert second.startswith("baselines computed") and second.endswith(" 2.5 s") and len(others) == 2
    assert all(one.startswith("the scores of baselines are not cached: ") and "file" in one for one in others)


def test_code_of_the_task_and_of_the_suite_decides_scores_of_baselines() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in sources(TranslationEvaluation)}
    suite = {f"training/{name}.py" for name in ("baselines", "bleu", "metrics", "words")}
    task = {f"tasks/translation/{name}.py" for name in ("evaluation", "baselines")}
    assert found == suite | task
    found = {path.relative_to(ROOT).as_posix() for path in sources(ForecastingEvaluation)}
    assert found == suite | {f"tasks/forecasting/{name}.py" for name in ("evaluation", "baselines", "metrics")}


def test_an_entry_has_a_name_of_32_digits(cache: Path) -> None:
    file = cache_file(Counting(), "a")
    assert file.parent == cache and file.suffix == ".json" and len(file.stem) == 32


@dataclass
class Splits:
    """Of a corpus its splits and the hashes of their content."""

    splits: dict[str, Any]

    def description(self) -> dict[str, dict[str, str]]:
        return {"sha256": DIGESTS}


def test_baselines_stand_beside_the_scores_of_a_model() -> None:
    corpus = Splits({split: SimpleNamespace(examples=examples) for split, examples in SPLITS.items()})
    metrics: dict[str, dict[str, Any]] = {"test": {"accuracy": 0.5}}
    evaluation = Counting()
    add_baselines(metrics, evaluation, corpus)  # type: ignore[arg-type]
    assert metrics == {"test": {"accuracy": 0.5, "baselines": {"simple": {"accuracy": 0.25}}}}
    assert evaluation.computed == [{"test"}]  # no scores of a model, no baselines


def test_better_baselines_are_in_the_order_of_their_scores() -> None:
    errors = {"a": {"mase": 0.9}, "b": {"mase": 0.5}, "c": {"mase": 2.0}, "d": {"mase": 0.7}}
    assert better_baselines({"mase": 1.0, "baselines": errors}, "mase") == [("b", 0.5), ("d", 0.7), ("a", 0.9)]


def test_the_cache_is_where_users_have_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rnnbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "rnnbench"


def test_baselines_that_are_better_than_the_model() -> None:
    baselines = {"a": {"bleu": 3.0}, "b": {"bleu": 9.0}, "c": {"bleu": 5.0}, "d": {"chrf": 99.0}, "e": {"bleu": 4.0}}
    assert better_baselines({"bleu": 4.0, "baselines": baselines}, "bleu") == [("b", 9.0), ("c", 5.0)]
    assert better_baselines({"bleu": 4.0}, "bleu") == []
    assert baseline_title("nbsvm") == "NB-SVM on bigrams" and baseline_title("my_own") == "my own"


def test_a_run_whose_metric_is_constant_keeps_the_epoch_with_the_lowest_loss(
    launch: Callable[..., Path], files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    score = SentimentEvaluation.score
    monkeypatch.setattr(SentimentEvaluation, "score", lambda *given: score(*given) | {"accuracy": 0.25})
    options = ["trainer.max_epochs=3", "trainer.patience=3", "optimizer.lr=0.03", "trainer.average_decay=0"]
    folder = launch("sentiment", *files, *options, "baselines=true")
    found = json.loads((folder / "result.json").read_text())
    losses = [json.loads(line)["validation_loss"] for line in (folder / "history.jsonl").read_text().splitlines()]
    assert found["selection"] == {
        "metric": "accuracy",
        "epoch": int(np.argmin(losses)) + 1,
        "score": 0.25,
        "requested_metric": "accuracy",
        "decided_by": "validation_loss",
    }
    assert found["selection"]["epoch"] > 1 and losses[0] > losses[-1]
    assert found["metrics"]["test"]["baselines"]["nbsvm"]["accuracy"] == 1
    printed = capsys.readouterr().out
    assert "The model scores 25.0 % on test, below" in printed and "NB-SVM on bigrams (100.0 %)" in printed
    assert "Validation accuracy was the same in all epochs, so the validation loss selected" in printed
