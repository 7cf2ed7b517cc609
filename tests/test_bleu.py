"""Scores of translations: the tokenization that suits the target language, and what cannot be scored."""

import pytest

from data.errors import InputError
from data.translation import SentencePair, Translation
from tasks.translation.evaluation import TranslationEvaluation
from training.bleu import SAMPLE, bleu_by, check_tokenization, choose_tokenization, translation_scores
from training.intervals import bleu_interval

ENGLISH = ["The girl wants the cat .", "A man walks his dog in the park ."]
CHINESE = ["女孩想要猫。", "男人想要女孩。", "鸟吃鸟，狗喜欢狗。"]
TARGETS = {
    "english": (ENGLISH, "13a"),
    "russian": (["Девочка хочет кошку , да .", "Мужчина гуляет с собакой в парке ."], "13a"),
    "arabic": (["الفتاة تريد القطة في البيت", "الرجل يمشي مع الكلب"], "13a"),
    "hindi": (["लड़की बिल्ली चाहती है ।", "आदमी कुत्ते के साथ चलता है ।"], "13a"),
    "chinese": (CHINESE, "zh"),
    "chinese with names": (["iPhone 手机很好用，我喜欢它。"], "zh"),
    "english with a name": (["The city of 北京 is the capital of China ."], "13a"),
    "japanese": (["女の子は猫が欲しい。", "男の人は犬と歩く。"], "char"),
    "korean": (["소녀는 고양이를 원한다 .", "남자는 개와 걷는다 ."], "char"),
    "thai": (["เด็กผู้หญิงต้องการแมว", "ผู้ชายเดินกับสุนัข"], "char"),
    "khmer": (["ក្មេងស្រីចង់បានឆ្មា"], "char"),
    "single words": (["лумо", "ритака", "нелумо"], "char"),
    "two words": (["big dog", "small cat", "a red house by the sea"], "char"),
    "numbers": (["1 2 3 4 5 6", "4 5 6 7 8"], "13a"),
    "none": ([], "13a"),
}


@pytest.fixture(autouse=True)
def without_mecab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.bleu.find_spec", lambda name: None)


@pytest.mark.parametrize("references, tokenization", TARGETS.values(), ids=TARGETS)
def test_the_tokenization_suits_the_targets(references: list[str], tokenization: str) -> None:
    assert choose_tokenization(references) == tokenization
    if references:
        scores = translation_scores(references, references, tokenization)
        assert scores["bleu"] == pytest.approx(100) and f"tok:{tokenization}|" in scores["signatures"]["bleu"]
        assert f"tok:{tokenization}|" in scores["signatures"]["bleu_lowercase"]


def test_japanese_is_segmented_where_mecab_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.bleu.find_spec", lambda name: object())
    assert choose_tokenization(TARGETS["japanese"][0]) == "ja-mecab"
    assert choose_tokenization(CHINESE) == "zh"


@pytest.mark.parametrize("texts", [CHINESE, TARGETS["single words"][0], TARGETS["thai"][0]], ids=["zh", "words", "th"])
def test_a_nearly_right_translation_scores_above_0(texts: list[str]) -> None:
    wrong = [text[:-1] + "x" for text in texts]
    assert translation_scores(wrong, texts, "13a")["bleu"] == 0
    assert 0 < translation_scores(wrong, texts, choose_tokenization(texts))["bleu"] < 100


@pytest.mark.parametrize("nothing", ["", "   "])
def test_empty_hypotheses_score_0(nothing: str) -> None:
    scores = translation_scores([nothing, nothing], ENGLISH)
    assert scores["bleu"] == scores["bleu_lowercase"] == scores["chrf"] == 0
    assert 0 < translation_scores([nothing, ENGLISH[1]], ENGLISH)["chrf"] < 100


def test_lower_casing_forgives_case_and_chrf_counts_words() -> None:
    scores = translation_scores([text.lower() for text in ENGLISH], ENGLISH)
    assert scores["bleu"] < scores["bleu_lowercase"] == pytest.approx(100)
    assert "case:lc" in scores["signatures"]["bleu_lowercase"] and "nw:2" in scores["signatures"]["chrf"]


def test_tokenized_text_is_scored_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    texts = [f"word {number} and more ." for number in range(150)]
    translation_scores(texts, texts)
    bleu_by(["all"] * 150, texts, texts, ["all"])
    assert not caplog.records


def test_groups_have_the_tokenization_that_was_asked_for() -> None:
    groups = bleu_by(["x", "y", "x"], CHINESE, CHINESE, ["y", "none", "x"], "zh")
    assert list(groups) == ["y", "x"] and groups["x"] == {"bleu": pytest.approx(100), "count": 2}
    assert bleu_by(["x"] * 3, CHINESE, CHINESE, ["x"])["x"]["bleu"] == 0  # words of Chinese have no 4-grams


@pytest.mark.parametrize("name", ["14a", "spm", "flores200", ""])
def test_an_unknown_tokenization_is_refused_before_training(name: str) -> None:
    with pytest.raises(InputError, match=f"evaluation.tokenize={name}: choose one of auto, none, zh, 13a"):
        check_tokenization(name)


def test_mecab_that_is_not_installed_is_named_with_how_to_install_it() -> None:
    with pytest.raises(InputError, match=r"pip install 'sacrebleu\[ja\]'"):
        TranslationEvaluation(0, 0, "ja-mecab")


@pytest.mark.parametrize("option, tokenization", [(None, "zh"), ("auto", "zh"), ("char", "char"), ("intl", "intl")])
def test_an_option_overrides_the_choice(option: str | None, tokenization: str) -> None:
    evaluation = TranslationEvaluation(0, 0, option)
    evaluation.fit([SentencePair("a", text) for text in CHINESE])
    examples = [SentencePair("a b", ENGLISH[0])]  # whose script is not that of the training targets
    scores = evaluation.score([Translation(ENGLISH[0], [], [], [], [])], examples)
    assert f"tok:{tokenization}|" in scores["signatures"]["bleu"]
    assert list(scores["by_length"]) == ["0-7"] and evaluation.baseline_options() == tokenization


@pytest.mark.parametrize(
    "hypotheses, references, sentence",
    [
        (["a"], ["a", "b"], "1 translations cannot be scored against 2 references"),
        ([], [], "^There is no translation to score"),
        (["a", ["b"]], ["a", "b"], "translation 2 is not text but of type list"),
        (["a", "b"], ["a", " "], "reference 2 is empty"),
    ],
)
def test_what_cannot_be_scored_is_reported(hypotheses: list, references: list, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        translation_scores(hypotheses, references)
    with pytest.raises(ValueError, match=sentence):
        bleu_by(["x"] * len(references), hypotheses, references, ["x"])


@pytest.mark.parametrize(
    "tokenize, text, reference", [("13a", "a cat sat there", ENGLISH[0]), ("zh", "女孩要猫", CHINESE[0])]
)
def test_an_interval_of_bleu_where_all_examples_are_equal_is_their_score(
    tokenize: str, text: str, reference: str
) -> None:
    score = translation_scores([text] * 3, [reference] * 3, tokenize)["bleu"]
    assert 0 < score < 50 and bleu_interval([text] * 3, [reference] * 3, tokenize) == pytest.approx((score, score))


def test_an_interval_of_bleu_lies_around_the_score() -> None:
    hypotheses, references = [ENGLISH[0], "A man ran in the park ."] * 20, ENGLISH * 20
    low, high = bleu_interval(hypotheses, references, "13a")
    assert 0 < low < translation_scores(hypotheses, references)["bleu"] < high < 100 and high - low > 5
    assert bleu_interval(hypotheses, references, "13a") == (low, high)
    with pytest.raises(ValueError, match="longer"):
        bleu_interval(hypotheses[1:], references, "13a")


def test_of_many_references_the_first_ones_choose_the_tokenization() -> None:
    assert choose_tokenization([*[ENGLISH[0]] * SAMPLE, *CHINESE * SAMPLE]) == "13a"
    assert choose_tokenization([*[CHINESE[0]] * SAMPLE, *ENGLISH * SAMPLE]) == "zh"


@pytest.mark.parametrize(
    "references, tokenization",
    [
        (["漢" * 19 + "の"], "char"),  # one letter in 20 is Japanese
        (["漢" * 20 + "の"], "zh"),  # one in 21, as in a name
        (["漢 字 語 学 a b c"], "zh"),
        (["漢 字 語 a b c"], "13a"),  # half of the letters
        (["한 국 어 문 a b c"], "char"),
        (["한 국 어 a b c"], "13a"),
        (["漢字漢"] * 9, "zh"),
        *(([f"{word} " * 5], "char") for word in ("カタ", "ひら", "한국", "ไทย", "ລາວ", "ខ្មែរ", "မြန်မာ")),
        (["one two three four"], "13a"),
        (["one two three"], "char"),
    ],
)
def test_the_bounds_between_tokenizations(references: list[str], tokenization: str) -> None:
    assert choose_tokenization(references) == tokenization


@pytest.mark.parametrize("missing", ["MeCab", "ipadic"])
def test_japanese_is_segmented_only_with_mecab_and_its_dictionary(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr("training.bleu.find_spec", lambda name: None if name == missing else object())
    assert choose_tokenization(TARGETS["japanese"][0]) == "char"


@pytest.mark.parametrize("name, module, extra", [("ja-mecab", "MeCab", "ja"), ("ko-mecab", "mecab_ko", "ko")])
def test_a_segmenter_is_asked_for_only_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    for other in ("auto", "none", "char"):
        check_tokenization(other)
    with pytest.raises(InputError, match=rf"{name} needs MeCab.*sacrebleu\[{extra}\]"):
        check_tokenization(name)
    monkeypatch.setattr("training.bleu.find_spec", lambda asked: object() if asked == module else None)
    check_tokenization(name)
