"""What every predictor does, whatever its model: how it starts, what it warns of, and what its command writes."""

import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import training.device
import training.load
from data.batch import Ragged
from data.errors import InputError
from data.vocabulary import EOS, UNK
from training.occlusion import MOST_PARTS, occlusion, parts, quiet_answers
from training.predict import (
    SPACE,
    Answer,
    Inspection,
    Options,
    Predictor,
    SearchOptions,
    SearchPredictor,
    main,
    print_warning,
    prompt,
    unknown_shares,
)


class Codec:
    """Texts are examples, and predictions are decoded as they are."""

    max_length = 10_000

    def limit_length(self, length: int) -> None:
        self.max_length = min(self.max_length, length)

    def unlabelled(self, text: str) -> str:
        return f"<{text}>"

    def decode(self, predictions: list[Any]) -> list[Any]:
        return [2 * prediction for prediction in predictions]


class Letters(Predictor):
    """Counts letters twice."""

    task = "letters"
    unit = "text"

    def run_model(self, examples: list[Any], method: Any) -> list[Any]:
        return method(examples)

    def answer(self, example: Any, prediction: Any) -> Answer:
        return Answer(example, prediction, prediction / 3)

    def write(self, answer: Answer) -> Iterator[str]:
        yield f"{answer.prediction}"
        yield ""


CONFIG = {"task": "letters", "trainer": {"precision": "fp32"}}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A run that ``load`` gives, and what was asked of it."""
    found = SimpleNamespace(cfg=OmegaConf.create(CONFIG), codec=Codec(), asked=[])
    found.model = SimpleNamespace(predict=lambda examples: [len(example) for example in examples])

    def load(path: Path, device: torch.device) -> tuple[Any, ...]:
        found.asked.append((path, device))
        return found.cfg, found.codec, found.model

    def precision(name: str, device: torch.device) -> str:
        found.asked.append((name, device))
        return f"{name} on {device}"

    monkeypatch.setattr(training.load, "load", load)
    monkeypatch.setattr(training.device, "choose_precision", precision)
    return found


CPU = torch.device("cpu")


def test_a_predictor_has_the_model_of_its_run(run: SimpleNamespace) -> None:
    predictor = Letters.of("runs/a", device="cpu", max_length=7)
    assert run.asked == [(Path("runs/a"), CPU), ("fp32", CPU)] and predictor.precision == "fp32 on cpu"
    assert predictor.codec.max_length == 7 and predictor.options.run == "runs/a" and predictor.device == CPU
    run.cfg = OmegaConf.create({"task": "letters"})
    assert Letters.of("runs/a", device="cpu").precision == "auto on cpu"
    run.cfg = OmegaConf.create({"task": "letters", "trainer": {}})
    assert Letters.of("runs/a", device="cpu").precision == "auto on cpu"


def test_a_run_of_another_task_is_refused(run: SimpleNamespace) -> None:
    run.cfg.task = "films"
    with pytest.raises(InputError) as refusal:
        Letters.of("runs/a", device="cpu")
    assert str(refusal.value) == "runs/a is a run of films: use python -m tasks.films.predict."


def test_options_are_checked_before_a_run_is_loaded(run: SimpleNamespace) -> None:
    with pytest.raises(InputError, match=r"^max_length=1: must be from 2 to 1,000,000,000\.$"):
        Letters.of("runs/a", max_length=1)
    with pytest.raises(InputError) as refusal:
        Letters.of("runs/a", beam=1)
    names = "run, input, output, format, device, max_length, batch_tokens, batch_sentences"
    assert str(refusal.value) == f"'beam' is not an option: the options are {names}." and run.asked == []


def test_texts_are_answered_in_their_order(run: SimpleNamespace) -> None:
    predictor = Letters.of("runs/a", device="cpu")
    assert predictor.predict(iter(["a", "bcd"])) == [Answer("<a>", 6, 2.0), Answer("<bcd>", 10, 10 / 3)]
    assert predictor.answered == 2 and predictor.predict([]) == []
    assert predictor.inspect("a") == Inspection(Answer("<a>", 6, 2.0), "plain", {}) and predictor.answered == 3
    assert [list(one) for one in predictor.read(iter([[(1, "a")], [(2, "b"), (3, "c")]]), "x", True)] == [
        ["<a>"],
        ["<b>", "<c>"],
    ]


def test_details_are_shown_where_they_have_names(run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    for details, shown in (({"a": 1}, {"a": 1}), ([1], {})):
        monkeypatch.setattr(Letters, "answer", lambda self, *_, details=details: Answer("", "", 1.0, details))
        assert Letters.of("runs/a", device="cpu").inspect("a").details == shown


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_refused(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, score: float
) -> None:
    monkeypatch.setattr(Letters, "answer", lambda self, example, _: Answer("", "", score if "b" in example else 1.0))
    predictor = Letters.of("runs/a", device="cpu")
    with pytest.raises(InputError) as refusal:
        predictor.predict(["a", "b"])
    assert str(refusal.value) == "runs/a: the model's scores are NaN or infinite: train it again."


def test_an_answer_is_one_line_of_json() -> None:
    assert Answer("ü\n", ["a"], 0.123456).as_json() == '{"input": "ü\\n", "prediction": ["a"], "score": 0.1235}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        Answer("", math.nan, 1.0).as_json()


def encoded(kinds: str, cut: int = 0) -> Any:
    """Rows of known (k), unknown (u) and space (s) tokens and sentence ends (e), with spaces between the rows."""
    rows = kinds.split()
    ids = {"k": 7, "u": UNK, "s": 5, "e": EOS}
    offsets = np.cumsum([0, *map(len, rows)])
    embedded = Ragged(np.array([ids[kind] for row in rows for kind in row]), offsets)
    return SimpleNamespace(num_cut=cut, lengths=np.array(list(map(len, rows))), embedded=embedded)


def test_unknown_tokens_are_counted_without_spaces_and_ends() -> None:
    rows = encoded("uke uuk kkkk ue use uss ssuu")
    vocabulary = SimpleNamespace(ids={SPACE: 5})
    assert unknown_shares(rows.embedded, SimpleNamespace()) == [0.5, 2 / 3, 0, 0, 0.5, 1 / 3, 0.5]
    known = [0.5, 2 / 3, 0, 0, 0, 0, 1]
    assert unknown_shares(rows.embedded, SimpleNamespace(vocabulary=vocabulary)) == known
    source = SimpleNamespace(source=SimpleNamespace(vocabulary=vocabulary), vocabulary=SimpleNamespace(ids={}))
    assert unknown_shares(rows.embedded, source) == known
    assert unknown_shares(rows.embedded, SimpleNamespace(vocabulary=SimpleNamespace(ids={}))) == [
        0.5, 2 / 3, 0, 0, 0.5, 1 / 3, 0.5,
    ]  # fmt: skip


UNKNOWN = "mostly unknown to the model: do not rely on the answer"
CUT = "longer than max_length=9 tokens: cut"


@pytest.mark.parametrize(
    ("rows", "cut", "answered", "warnings"),
    [
        ("kk uk", 0, 0, []),
        ("kk kk", 2, 0, [("2 of texts 1 to 2", CUT)]),
        ("kk", 1, 4, [("text 5", CUT)]),
        ("uu", 0, 4, [("text 5", UNKNOWN)]),
        ("uu kk uu", 0, 0, [("2 of texts 1 to 3", UNKNOWN)]),
        ("kk kk uuk", 0, 10, [("1 of texts 11 to 13 (first: 13)", UNKNOWN)]),
        ("kk uu", 1, 0, [("1 of texts 1 to 2", CUT), ("1 of texts 1 to 2 (first: 2)", UNKNOWN)]),
    ],
)
def test_inputs_that_cannot_be_read_well_are_reported(
    run: SimpleNamespace, rows: str, cut: int, answered: int, warnings: list
) -> None:
    predictor, found = Letters.of("runs/a", device="cpu", max_length=9), []
    predictor.on_warning = lambda where, what: found.append((where, what))
    predictor.answered = answered
    predictor.warn(encoded(rows, cut))
    assert found == warnings


def test_spaces_of_the_codec_count_for_nothing(run: SimpleNamespace) -> None:
    run.codec.vocabulary = SimpleNamespace(ids={SPACE: 5})
    predictor, found = Letters.of("runs/a", device="cpu"), []
    predictor.on_warning = lambda where, what: found.append((where, what))
    predictor.warn(encoded("ssuu"))
    assert found == [("text 1", UNKNOWN)]


class Plain(Letters):
    """Runs its model as predictors do."""

    run_model = Predictor.run_model


def test_a_model_runs_on_batches_of_the_size_that_is_given(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, asked = Plain.of("runs/a", device="cpu", batch_tokens=77, batch_sentences=5), []
    split = SimpleNamespace(encoded=encoded("uu"))
    monkeypatch.setattr("data.corpus.Split.of", lambda examples, codec: asked.extend([examples, codec]) or split)
    monkeypatch.setattr("training.inference.predict_rows", lambda *given: asked.extend(given) or [3])
    predictor.on_warning = lambda where, what: asked.append(what)
    assert predictor.predict(["a"]) == [Answer("<a>", 6, 2.0)]
    assert asked == [["<a>"], run.codec, UNKNOWN, run.model.predict, split, CPU, "fp32 on cpu", 77, 5]


def test_a_warning_is_a_line_of_standard_error(run: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    print_warning("line 3", "cut")
    Letters.of("runs/a", device="cpu").on_warning("line 4", "cut")
    assert capsys.readouterr() == ("", "warning: line 3: cut\nwarning: line 4: cut\n")


@pytest.fixture
def ask(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """``ask(*options, text=..., purpose=...)``: the exit code and both outputs of the command of ``Letters``."""

    def start(*options: str, text: bytes = b"", purpose: str | None = " Counts. ") -> tuple[int, str, str]:
        monkeypatch.setattr("training.predict.choose_wait_policy", lambda: run.asked.append("wait"))
        monkeypatch.setattr(sys, "argv", ["predict", "device=cpu", *options])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        try:
            main(Letters, purpose)
        except SystemExit as ended:
            return int(ended.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return start


def test_every_line_of_the_input_is_answered(ask: Callable, run: SimpleNamespace, tmp_path: Path) -> None:
    assert ask("run=runs/a", text=b"a\nbcd\n") == (0, "6\n\n10\n\n", "")
    assert run.asked[0] == "wait"  # before the run is loaded
    code, printed, _ = ask("run=runs/a", "format=json", text="ü".encode())
    assert (code, json.loads(printed)) == (0, {"input": "<ü>", "prediction": 6, "score": 2.0})
    (tmp_path / "in.txt").write_text("a\nb")
    given = [f"input={tmp_path}/in.txt", f"output={tmp_path}/new/out.txt", "run=runs/a"]
    assert ask(*given) == (0, "", "") and (tmp_path / "new" / "out.txt").read_text() == "6\n\n6\n\n"


@pytest.mark.parametrize(
    ("options", "text", "said"),
    [
        ([], b"", "run= is missing: python -m tasks.letters.predict run=runs/"),
        (["run=a", "frmat=json"], b"", "'frmat=json' is not an option; did you mean format=?"),
        (["run=a", "format=jsn"], b"", "format=jsn: choose default or json (did you mean json?)."),
        (["run=a"], b"a\n\xff\n", "standard input:2: byte 1 of the line is not UTF-8: save the text as UTF-8."),
        (["run=a", "input={0}"], b"", "input={0}: this is a folder: give a file."),
        (["run=a", "output={0}"], b"", "output={0}: this is a folder: give a file."),
        (["run=a", "input={0}/bad"], b"", "{0}/bad:1: byte 1 of the line is not UTF-8"),
    ],
)
def test_a_mistake_is_one_sentence(ask: Callable, tmp_path: Path, options: list[str], text: bytes, said: str) -> None:
    (tmp_path / "bad").write_bytes(b"\xff")
    code, _, error = ask(*(option.format(tmp_path) for option in options), text=text)
    assert code == 2 and error.startswith(f"error: {said.format(tmp_path)}") and error.count("\n") == 1


@pytest.mark.parametrize(("purpose", "shown"), [(" Counts. ", "Counts."), (None, "")])
def test_help_says_what_the_command_is_for(ask: Callable, purpose: str | None, shown: str) -> None:
    code, printed, _ = ask("--help", purpose=purpose)
    lines = printed.splitlines()
    assert code == 0 and lines[:3] == ["python -m tasks.letters.predict run=DIR [key=value ...]", "", shown]
    assert "  format           json: JSON objects with input, prediction and score" in lines


def test_characters_that_no_encoding_has_are_written_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    for name in ("stdout", "stderr"):
        stream = SimpleNamespace(reconfigure=lambda name=name, **how: asked.append((name, how)), write=len, flush=list)
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(sys, "argv", ["predict", "--help"])
    with pytest.raises(SystemExit):
        main(Letters, "Counts.")
    how = {"encoding": "utf-8", "errors": "backslashreplace"}
    assert asked == [("stdout", how), ("stderr", how)]


def test_a_person_is_asked_for_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    typed, piped = SimpleNamespace(isatty=lambda: True), SimpleNamespace(isatty=lambda: False)
    for given, stream in ((Options("a"), piped), (Options("a", input="x"), typed)):
        prompt(given, stream)()
        assert capsys.readouterr() == ("", "")
    ask = prompt(Options("a"), typed)
    assert capsys.readouterr() == ("", "Enter one input per line; Ctrl-D ends.\n")
    ask()
    assert capsys.readouterr() == ("", "> ")


class Texts(SearchPredictor):
    """Finds texts that a model ranked."""

    task, text_name = "letters", "text"

    def run_model(self, examples: list[Any], method: Any) -> list[Any]:
        return method(tuple(examples))

    def best(self, example: Any, prediction: Any) -> Any:
        assert example == "<a>"
        return super().best(example, prediction)

    def text_of(self, example: Any) -> str:
        return example.strip("<>")

    def attention_map(self, prediction: Any) -> dict[str, Any]:
        return {"weights": prediction.attention} if prediction.attention else {}


class Ranked(SimpleNamespace):
    """The texts that a search found."""

    def __rmul__(self, number: int) -> "Ranked":
        return self  # as it is decoded


@pytest.fixture
def searched(run: SimpleNamespace) -> SimpleNamespace:
    """A run whose model searches with a beam of 4."""
    found = [("x", -1.0), ("y", -2.0), ("zü", -3.0)]
    run.model = SimpleNamespace(
        search=SimpleNamespace(beam=4, length_penalty=0.7),
        predict=lambda examples: [Ranked(alternatives=found, attention=[]) for _ in examples],
        predict_with_attention={("<a>",): [Ranked(alternatives=found, attention=[[1.0]])]}.get,
    )
    return run


def test_the_texts_of_a_search_are_ranked(searched: SimpleNamespace) -> None:
    predictor = Texts.of("runs/a", device="cpu")
    (answer,) = predictor.predict(["a"])
    assert answer == Answer("a", "x", -1.0, [("x", -1.0)]) and list(predictor.write(answer)) == ["x"]
    assert searched.model.search == SimpleNamespace(beam=4, length_penalty=0.7)
    predictor = Texts.of("runs/a", device="cpu", n_best=3, beam=3, length_penalty=0.0)
    (answer,) = predictor.predict(["a"])
    assert searched.model.search == SimpleNamespace(beam=3, length_penalty=0.0) and answer.details == [
        ("x", -1.0),
        ("y", -2.0),
        ("zü", -3.0),
    ]
    assert list(predictor.write(answer)) == [
        '[{"text": "x", "score": -1.0}, {"text": "y", "score": -2.0}, {"text": "zü", "score": -3.0}]'
    ]
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(predictor.write(Answer("a", "x", 1.0, [("x", math.nan)])))


def test_a_beam_of_k_finds_up_to_k_texts(searched: SimpleNamespace) -> None:
    Texts.of("runs/a", device="cpu", n_best=4)
    for given in ({"n_best": 5}, {"n_best": 4, "beam": 3}):
        with pytest.raises(InputError) as refusal:
            Texts.of("runs/a", device="cpu", **given)
        beam = given.get("beam", 4)
        assert str(refusal.value) == (
            f"n_best={given['n_best']}, beam={beam}: a beam of k finds up to k texts: give n_best <= beam."
        )
        searched.model.search.beam = 4


def test_a_page_shows_all_texts_and_the_attention_of_the_best(searched: SimpleNamespace) -> None:
    found = Texts.of("runs/a", device="cpu").inspect("a")
    texts = [{"text": "x", "score": -1.0}, {"text": "y", "score": -2.0}, {"text": "zü", "score": -3.0}]
    assert found == Inspection(Answer("a", "x", -1.0), "texts", {"n_best": texts, "weights": [[1.0]]})


def test_the_options_of_a_search_have_bounds(searched: SimpleNamespace) -> None:
    assert SearchOptions("a").max_length == 1000
    for given in ({"beam": 1001}, {"beam": 0}, {"n_best": 0}, {"n_best": 1001}):
        with pytest.raises(InputError, match="must be from 1 to 1,000"):
            Texts.of("runs/a", device="cpu", **given)


class Weighing(Predictor):
    """The probability of "good" is a sum of what its words weigh."""

    weights = {"fine": 0.25, "a": 0.5, "film": 0.0000004}  # noqa: RUF012

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.on_warning = self.complain

    def complain(self, where: str, what: str) -> None:
        raise AssertionError("it warned")

    def predict(self, inputs: Any) -> list[Answer]:
        self.texts += inputs
        self.on_warning("line 1", "mostly unknown")
        return [self.answer(text, None) for text in inputs]

    def answer(self, example: Any, prediction: Any) -> Answer:
        good = sum(self.weights[word] for word in example.split())
        return Answer(example, "good", good, {"bad": 1 - good, "good": good})

    def write(self, answer: Answer) -> Iterator[str]:
        yield ""


def test_the_effect_of_a_word_is_what_the_probability_loses_without_it() -> None:
    predictor = Weighing()
    found = occlusion(predictor, predictor.answer("a fine  film", None))
    assert predictor.texts == [" fine  film", "a   film", "a fine  "]
    assert found == {
        "method": "occlusion",
        "words": [
            {"start": 0, "end": 1, "effect": 0.5},
            {"start": 2, "end": 6, "effect": 0.25},
            {"start": 8, "end": 12, "effect": 0.0},
        ],
    }
    assert predictor.on_warning == predictor.complain
    assert occlusion(predictor, predictor.answer("", None)) == {"method": "occlusion", "words": []}


def test_warnings_come_back_after_an_error() -> None:
    predictor = Weighing()
    with pytest.raises(KeyError):
        quiet_answers(predictor, ["unheard"])
    assert predictor.on_warning == predictor.complain


def test_neighbouring_words_are_joined_where_there_are_too_many() -> None:
    spans = [(3 * place, 3 * place + 2) for place in range(2 * MOST_PARTS + 1)]
    assert parts(spans[:MOST_PARTS]) == spans[:MOST_PARTS] and parts([]) == []
    assert parts(spans[: MOST_PARTS + 1])[:2] == [(0, 5), (6, 11)]
    assert parts(spans[: MOST_PARTS + 1])[-1] == spans[MOST_PARTS]
    assert parts(spans)[:2] == [(0, 8), (9, 17)] and parts(spans)[-1] == (1197, 1202)
    assert parts(spans[:-2])[-1] == (1194, 1196)
