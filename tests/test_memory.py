"""Diagnostics of memory: what their targets are, how they are scored, and that every one of them trains."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CONF, assert_learns, options
from omegaconf import OmegaConf

from data.corpus import SPLITS, Corpus
from data.errors import InputError
from data.memory import (
    BLANK,
    NO_TARGET,
    EncodedSequences,
    MemoryPrediction,
    MemorySequence,
    NumberCodec,
    SymbolCodec,
)
from data.sources.diagnostics import Adding, Copy, Diagnostic, Parity, Permutations, Recall, TemporalOrder
from data.sources.language.splitmix import SplitMix64
from data.sources.sequences import FileSequences
from data.vocabulary import UNK
from tasks import load
from tasks.memory.baselines import label_baselines, number_baselines
from tasks.memory.evaluation import LabelEvaluation, NumberEvaluation
from training.build import build

DIAGNOSTICS = [
    name for name in options("data") if "data.sources.diagnostics." in (CONF / "data" / f"{name}.yaml").read_text()
]
FEW = ["data.sizes={train: 60, validation: 20, test: 30}"]


@pytest.fixture
def examples(composed: Callable) -> Callable[..., list[MemorySequence]]:
    """``examples(diagnostic, ..., split=...)``: some sequences of a split."""

    def read(diagnostic: str, *overrides: str, split: str = "train") -> list[MemorySequence]:
        return build(composed("memory", f"data={diagnostic}", *FEW, *overrides).data).read_split(split)

    return read


def permuted(arrangement: str, token: str) -> str:
    return "".join(arrangement[int(place) - 1] for place in token)


def recall(tokens: list[str]) -> list[str]:
    return [NO_TARGET] * (len(tokens) - 1) + tokens[:1]


def adding(tokens: list[str]) -> list[str]:
    marked = [float(token[:-1]) for token in tokens if token.endswith("*")]
    assert len(marked) == 2
    return [NO_TARGET] * (len(tokens) - 1) + [f"{sum(marked):.4f}"]


def temporal_order(tokens: list[str]) -> list[str]:
    return [NO_TARGET] * (len(tokens) - 1) + ["".join(token for token in tokens if token in "XY")]


def copy(tokens: list[str]) -> list[str]:
    return [BLANK] * (len(tokens) - 10) + tokens[:10]


def parity(tokens: list[str]) -> list[str]:
    return [str(tokens[: step + 1].count("1") % 2) for step in range(len(tokens))]


def permutations(tokens: list[str]) -> list[str]:
    state, states = "12345"[: len(tokens[0])], []
    for token in tokens:
        state = permuted(state, token)
        states.append(state)
    return states


SOLVED = {"permutations3": permutations, "permutations5": permutations} | {
    function.__name__: function for function in (recall, adding, temporal_order, copy, parity)
}


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_target_follows_from_the_tokens(examples: Callable, diagnostic: str, split: str) -> None:
    for example in examples(diagnostic, split=split):
        assert list(example.targets) == SOLVED[diagnostic](example.tokens)


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS)
def test_lengths_are_a_parameter_and_seeds_decide_the_sequences(examples: Callable, diagnostic: str) -> None:
    given = ["data.min_length=30", "data.length=50", "data.test_length=90"]
    lengths = [[len(e.tokens) for e in examples(diagnostic, *given, split=split)] for split in ("train", "test")]
    assert min(lengths[0]) >= 30 and 45 < max(lengths[0]) <= 50 < max(lengths[1]) <= 90
    assert examples(diagnostic) == examples(diagnostic) != examples(diagnostic, "data.seed=2")
    assert not {e.text for e in examples(diagnostic, *given)} & {
        e.text for e in examples(diagnostic, *given, split="test")
    }


def test_the_sequences_are_the_same_on_every_machine(examples: Callable) -> None:
    first = examples("recall", "data.length=6", "data.min_length=6")[0]
    assert first == MemorySequence("f z t v x m", ("", "", "", "", "", "f"), 5)


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS)
def test_the_distance_is_that_to_the_first_input_that_decides(examples: Callable, diagnostic: str) -> None:
    """Changing the input at the distance changes the target; that it does not depend on earlier ones is by the rule."""
    for example in examples(diagnostic, "data.min_length=25", "data.length=40"):
        for step, distance in zip(example.scored, example.distances, strict=True):
            decisive = example.tokens[step - distance]
            assert step >= distance
            assert diagnostic not in ("adding", "temporal_order") or re.fullmatch(r".*\*|[XY]", decisive)
            assert diagnostic not in ("recall", "copy") or decisive == example.targets[step]
            assert diagnostic not in ("parity", "permutations3", "permutations5") or distance == step


@pytest.mark.parametrize(
    ("diagnostic", "option", "message"),
    [
        ("recall", "data.min_length=1", "data.min_length=1: recall needs at least 2 tokens"),
        ("recall", "data.symbols=26", "data.symbols=26: must be from 2 to 25"),
        ("copy", "data.length=20", "data.length=20: must be at least data.min_length=21"),
        ("copy", "data.min_length=20", "copy needs at least 21 tokens"),
        ("copy", "data.repeated=0", "data.repeated=0: must be at least 1"),
        ("permutations3", "data.elements=7", "data.elements=7: must be from 2 to 6"),
        ("parity", "data.test_length=0", "data.test_length=0: must be at least"),
        ("temporal_order", "data.min_length=9", "temporal_order needs at least 10 tokens"),
    ],
)
def test_parameters_that_make_no_sequence_are_named(
    examples: Callable, diagnostic: str, option: str, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        examples(diagnostic, option)


def diagnostic(kind: type[Diagnostic], length: int, number: int = 400, **given: object) -> list[list[str]]:
    """The tokens of some sequences of one length."""
    lengths = {"length": length, "min_length": length, "test_length": length}
    made = kind(sizes={"train": number, "validation": 0, "test": 0}, seed=1, **lengths, **given)
    return [example.tokens for example in made.read_split("train")]


@pytest.mark.parametrize(
    "kind, options, name, shortest",
    [
        (Adding, {}, "adding", 2),
        (Copy, {"symbols": 2, "repeated": 3}, "copy", 7),
        (Recall, {"symbols": 2}, "recall", 2),
        (TemporalOrder, {}, "temporal_order", 10),
        (Parity, {}, "parity", 1),
        (Permutations, {"elements": 2, "swaps": False}, "permutations2", 1),
    ],
)
def test_the_shortest_sequence_is_allowed_and_no_shorter_one(
    kind: type[Diagnostic], options: dict, name: str, shortest: int
) -> None:
    tokens = diagnostic(kind, shortest, number=5, **options)
    assert [len(row) for row in tokens] == [shortest] * 5
    with pytest.raises(InputError) as error:
        diagnostic(kind, shortest - 1, **options)
    message = f"data.min_length={shortest - 1}: {name} needs at least {shortest} tokens."
    assert str(error.value) == message


def test_lengths_of_every_split_lie_between_their_bounds() -> None:
    source = Parity(sizes={"train": 99, "validation": 99, "test": 99}, length=5, min_length=3, test_length=8, seed=0)
    lengths = {split: {len(e.tokens) for e in source.read_split(split)} for split in ("train", "validation", "test")}
    assert lengths == {"train": {3, 4, 5}, "validation": {3, 4, 5}, "test": {3, 4, 5, 6, 7, 8}}
    assert source.read_split("train") != source.read_split("validation")
    assert source.origin() == {"source": "generated", "revision": None}
    for name in ("length", "test_length"):
        given = {"length": 3, "min_length": 3, "test_length": 3} | {name: 2}
        with pytest.raises(InputError, match=rf"^data\.{name}=2: must be at least data\.min_length=3\.$"):
            Parity(sizes=source.sizes, seed=0, **given)


class Highest(SplitMix64):
    """Draws the greatest number that may be drawn."""

    def randbelow(self, limit: int) -> int:
        return limit - 1


def test_one_number_of_either_half_is_marked() -> None:
    marked = [[place for place, token in enumerate(row) if token.endswith("*")] for row in diagnostic(Adding, 7)]
    assert {first for first, _ in marked} == {0, 1, 2} and {second for _, second in marked} == {3, 4, 5, 6}
    numbers = [float(token.rstrip("*")) for row in diagnostic(Adding, 100, 200) for token in row]
    assert min(numbers) < 0.001 and 0.999 < max(numbers) < 1
    highest = Adding(sizes=dict.fromkeys(SPLITS, 1), length=4, min_length=4, test_length=4, seed=1)
    assert highest.sequence(Highest(0), 4).tokens == ["0.9999", "0.9999*", "0.9999", "0.9999*"]
    assert all(re.fullmatch(r"0\.\d{4}\*?", token) for token in diagnostic(Adding, 100, 1)[0])


def test_symbols_are_copied_after_blanks_and_a_delimiter() -> None:
    rows = diagnostic(Copy, 9, symbols=3, repeated=2)
    assert all(row[2:] == ["_"] * 4 + ["|"] + ["_"] * 2 for row in rows)
    assert {tuple(row[:2]) for row in rows} == {(one, other) for one in "abc" for other in "abc"}
    source = Copy(sizes=dict.fromkeys(SPLITS, 1), length=9, min_length=9, test_length=9, seed=1, symbols=3, repeated=2)
    (example,) = source.read_split("train")
    assert example.distance == 7 and example.targets == (*[BLANK] * 7, *example.tokens[:2])


def test_the_symbol_to_recall_is_never_shown_again() -> None:
    rows = diagnostic(Recall, 60, symbols=3)
    assert {row[0] for row in rows} == {*"abc"}
    assert {token for row in rows for token in row[1:]} == {*"defghijklmnopqrstuvwxyz"}


@pytest.mark.parametrize("symbols", [1, 26])
def test_symbols_are_at_least_two_and_leave_a_letter(symbols: int) -> None:
    for kind, given in ((Recall, {}), (Copy, {"repeated": 1})):
        with pytest.raises(InputError, match=rf"^data\.symbols={symbols}: must be from 2 to 25\.$"):
            diagnostic(kind, 30, symbols=symbols, **given)
        assert diagnostic(kind, 30, 1, symbols=25, **given)


def test_relevant_symbols_stand_in_the_second_and_the_sixth_tenth() -> None:
    rows = diagnostic(TemporalOrder, 50)
    places = [[place for place, token in enumerate(row) if token in "XY"] for row in rows]
    assert {first for first, _ in places} == set(range(5, 10)) and {second for _, second in places} == set(
        range(25, 30)
    )
    assert {(row[0], row[-1]) for row in rows} == {("E", "B")}
    others = {token for row in rows for token in row[1:-1]} - {"X", "Y"}
    assert others == {*"abcd"}
    assert {tuple(token for token in row if token in "XY") for row in rows} == {(x, y) for x in "XY" for y in "XY"}
    for place in (0, 1):
        symbols = [[token for token in row if token in "XY"][place] for row in rows]
        assert symbols.count("X") == pytest.approx(200, abs=40)


def test_bits_are_zero_or_one_alike() -> None:
    bits = [bit for row in diagnostic(Parity, 20, 50) for bit in row]
    assert {*bits} == {"0", "1"} and bits.count("1") == pytest.approx(500, abs=60)


def test_permutations_of_two_to_six_elements() -> None:
    assert {token for row in diagnostic(Permutations, 50, elements=2, swaps=False) for token in row} == {"12", "21"}
    swaps = {token for row in diagnostic(Permutations, 50, elements=6, swaps=True) for token in row}
    assert swaps == {"213456", "132456", "124356", "123546", "123465"}
    for elements in (1, 7):
        with pytest.raises(InputError, match=rf"^data\.elements={elements}: must be from 2 to 6\.$"):
            diagnostic(Permutations, 5, elements=elements, swaps=True)


@pytest.mark.parametrize("swaps", [True, False])
def test_permutations_are_those_asked_for(examples: Callable, swaps: bool) -> None:
    tokens = {token for e in examples("permutations3", f"data.swaps={swaps}") for token in e.tokens}
    assert tokens == ({"213", "132"} if swaps else {"123", "132", "213", "231", "312", "321"})


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS)
def test_every_diagnostic_is_learned_from_a_batch(composed: Callable, diagnostic: str) -> None:
    small = ["model.embedding_size=8", "model.encoder.hidden_size=8", "cell=gru"]
    short = ["data.length=3"] if diagnostic in ("parity", "permutations3", "permutations5") else ["data.length=22"]
    cfg = composed("memory", f"data={diagnostic}", *FEW, *small, *short)
    corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    torch.manual_seed(0)
    model = build(cfg.model, **corpus.sizes)
    batch = next(iter(corpus.splits["train"].shuffled(512, 16, seed=0)))
    assert_learns(model, batch, steps=40)
    (first, *_) = corpus.codec.decode(model.predict(batch))
    assert len(first.answers) == len(corpus.splits["train"].examples[batch.rows[0]].tokens)


@pytest.mark.parametrize("diagnostic", ["adding", "copy", "permutations5"])
@pytest.mark.draws
def test_a_run_writes_scores_by_distance_beside_chance(launch: Callable, diagnostic: str) -> None:
    folder = launch("memory", f"data={diagnostic}", *FEW, "trainer.max_epochs=1", "baselines=true")
    scores = json.loads((folder / "result.json").read_text())["metrics"]["test"]
    assert scores["by_distance"] and all(
        {"accuracy", "chance", "count"} <= g.keys() for g in scores["by_distance"].values()
    )
    assert {"mean"} == scores["baselines"].keys() or {"chance", "majority"} == scores["baselines"].keys()
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == 30 and all(len(row["targets"]) == len(row["answers"]) > 0 for row in rows)
    assert (folder / "accuracy_by_distance.png").stat().st_size > 5000


def test_numbers_are_predicted_from_numbers_and_marks(launch: Callable) -> None:
    folder = launch("memory", "data=adding", *FEW, "trainer.max_epochs=1")
    model = load(folder, device="cpu")
    asked = ["0.5 0.25* 0.75*", "0.5 0.3* 0.75*", "0.5* 0.25 0.75*", "what is this", ""]
    answers = [answer.prediction for answer in model.predict(asked)]
    assert all(isinstance(answer, float) for answer in answers) and len(set(answers)) == 5
    assert len(json.loads("".join(model.write(model.predict(asked)[0])))["steps"]) == 3


def answered(*answers: object) -> MemoryPrediction:
    return MemoryPrediction(answers, (0.5,) * len(answers))


def test_labels_are_scored_by_step_sequence_and_distance() -> None:
    examples = [MemorySequence("a b c", ("", BLANK, "a"), 7), MemorySequence("b a", ("b", "c"))]
    evaluation = LabelEvaluation()
    evaluation.fit(examples)
    scores = evaluation.score([answered("x", "x", "a"), answered("b", "a")], examples)
    assert (scores["accuracy"], scores["sequence_accuracy"]) == (pytest.approx(2 / 3), 0.5)
    assert scores["by_distance"] == {
        "0-4": {"accuracy": 0.5, "chance": pytest.approx(1 / 3), "count": 2},
        "5-9": {"accuracy": 1.0, "chance": pytest.approx(1 / 3), "count": 1},
    }
    baselines = label_baselines([*examples, examples[0]], examples)
    assert baselines == {"chance": {"accuracy": 1 / 3}, "majority": {"accuracy": 1 / 3}}


def test_numbers_are_correct_within_four_hundredths() -> None:
    examples = [MemorySequence("0.5", ("0.5",), 2), MemorySequence("1.5", ("1.5",), 30)]
    evaluation = NumberEvaluation()
    evaluation.fit(examples)
    scores = evaluation.score([answered(0.535), answered(1.0)], examples)
    assert scores["accuracy"] == 0.5 and scores["mse"] == pytest.approx((0.035**2 + 0.25) / 2)
    assert scores["by_distance"]["0-4"]["accuracy"] == 1 and scores["by_distance"]["20-39"]["mse"] == pytest.approx(
        0.25
    )
    assert number_baselines(examples, examples) == {"mean": {"accuracy": 0.0, "mse": 0.25}}


def test_always_answering_one_has_the_variance_of_two_numbers_in_the_adding_problem(examples: Callable) -> None:
    rows = examples("adding", "data.sizes.train=4000")
    assert number_baselines(rows, rows)["mean"]["mse"] == pytest.approx(1 / 6, rel=0.05)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": "a b c", "targets": "x y"}, "train.jsonl:1: 2 targets for 3 tokens"),
        ({"tokens": "a b", "targets": "- -"}, "2 targets for 2 tokens"),
        ({"tokens": "a b", "label": "x"}, "targets"),
    ],
)
def test_rows_of_ones_own_are_checked(composed: Callable, tmp_path: Path, row: dict, message: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(row) + "\n")
    reader = build(composed("memory", "data=sequences", f"data.train={path}").data)
    with pytest.raises(InputError, match=re.escape(message)):
        reader.read_split("train")


def test_sequences_of_ones_own_have_columns_and_mistakes_are_named_with_their_row(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text('in,out\na b,x\n"c  d",- y\ne f g,- -\n')
    options = {"validation": None, "test": None, "tokens_column": "in", "targets_column": "out"}
    with pytest.raises(InputError) as error:
        FileSequences(train=str(path), **options).read_split("train")
    advice = "give one target, for the last token, or one for every token, - where there is none."
    assert str(error.value) == f"{path}:4: 2 targets for 3 tokens: {advice}"
    path.write_text('a b,x\n"c  d",- y\n')
    source = FileSequences(train=str(path), **options, columns=["in", "out"])
    assert source.read_split("train") == [
        MemorySequence("a b", ("", "x"), None, f"{path}:1"),
        MemorySequence("c  d", ("", "y"), None, f"{path}:2"),
    ]
    for column, other in (("tokens", "targets"), ("targets", "tokens")):
        wrong = {f"{column}_column": "gone", f"{other}_column": "in"}
        reader = FileSequences(train=str(path), **options | wrong, columns=["in", "out"])
        with pytest.raises(InputError, match=rf"there is no column 'gone'.*data\.{column}_column=NAME"):
            reader.read_split("train")


def test_targets_stand_at_the_last_or_at_every_token(composed: Callable, tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("tokens\ttargets\na b c\tx\nd e\ty -\n")
    first, second = build(composed("memory", "data=sequences", f"data.train={path}").data).read_split("train")
    assert (first.targets, second.targets) == (("", "", "x"), ("y", ""))


def test_a_label_that_training_does_not_have_is_wrong_and_counted() -> None:
    train, other = MemorySequence("1", ("a",)), MemorySequence("1 1", ("a", "many"))
    codec, evaluation = SymbolCodec(), LabelEvaluation()
    codec.fit([train])
    evaluation.fit([train])
    assert codec.encode([other]).has_target.tolist() == [True, False]
    scores = evaluation.score([answered("a", "a")], [other])
    assert scores["accuracy"] == 0.5 and scores["unseen_labels"] == {"many": 1}


def test_a_batch_of_symbols_has_every_target_in_its_place(tmp_path: Path) -> None:
    rows = [MemorySequence("a b b", ("", BLANK, "x")), MemorySequence("", ("y",)), MemorySequence("b", ("",))]
    codec = SymbolCodec()
    codec.fit(rows)
    encoded = codec.encode([*rows, MemorySequence("c a", ("z", "y"))])
    assert encoded.lengths.tolist() == [3, 1, 1, 2] and encoded.num_cut == 0
    batch = encoded.batch(np.array([3, 0]))
    assert batch.rows.tolist() == [3, 0] and batch.mask.tolist() == [[True, True, False], [True] * 3]
    assert codec.vocabulary.decode(batch.tokens[1].tolist()) == ["a", "b", "b"] and batch.tokens[0, 0] == UNK
    assert batch.target_mask.tolist() == [[False, True, False], [False, True, True]]
    assert codec.labels.decode(batch.targets[batch.target_mask].tolist()) == ["y", BLANK, "x"]
    assert batch.targets.dtype == torch.int64 and not batch.values.any() and batch.values.dtype == torch.float32
    assert not batch.tokens[~batch.mask].any() and not batch.targets[~batch.target_mask].any()
    assert encoded.embedded.pad(np.array([3, 0]))[0].tolist() == batch.tokens.tolist()
    assert codec.sizes == {"vocab_size": len(codec.vocabulary), "num_outputs": 3}
    assert codec.vocabulary.decode(encoded.batch(np.array([1])).tokens[0].tolist()) == [""]
    labels = codec.labels.encode(["y", "x"])
    assert codec.decode([(labels, [0.5, 0.25])]) == [MemoryPrediction(("y", "x"), (0.5, 0.25))]
    codec.save(tmp_path)
    again = SymbolCodec()
    again.load(tmp_path)
    assert again.sizes == codec.sizes and same_batch(again.encode(rows), codec.encode(rows))


def same_batch(one: EncodedSequences, other: EncodedSequences) -> bool:
    rows = np.arange(len(one.lengths))
    fields = ("tokens", "mask", "targets", "target_mask", "values")
    return all(torch.equal(getattr(one.batch(rows), name), getattr(other.batch(rows), name)) for name in fields)


def test_a_batch_of_numbers_has_their_values_and_marks(tmp_path: Path) -> None:
    codec = NumberCodec()
    rows = [MemorySequence("0.5 -2* x", ("", "1.5", "-3")), MemorySequence("1", ("0",))]
    codec.fit(rows)
    batch = codec.encode(rows).batch(np.array([0, 1]))
    assert batch.values.tolist() == [[0.5, -2, 0], [1, 0, 0]]
    assert codec.vocabulary.decode(batch.tokens[0].tolist()) == ["number", "number*", "x"]
    assert batch.targets.tolist() == [[0, 1.5, -3], [0, 0, 0]] and batch.targets.dtype == torch.float32
    assert batch.target_mask.tolist() == [[False, True, True], [True, False, False]]
    assert codec.sizes == {"vocab_size": 7, "num_outputs": 1}
    assert codec.decode([([0.5], [0.0])]) == [MemoryPrediction((0.5,), (0.0,))]
    codec.save(tmp_path)
    again = NumberCodec()
    again.load(tmp_path)
    assert again.sizes == codec.sizes


@pytest.mark.parametrize(
    "token, expected",
    [
        ("-123456.123456789*", ("number*", -123456.123456789)),
        ("7", ("number", 7.0)),
        ("1234567", ("1234567", 0.0)),
        ("0.1234567891", ("0.1234567891", 0.0)),
        ("7**", ("7**", 0.0)),
        ("x7", ("x7", 0.0)),
        ("1.", ("1.", 0.0)),
    ],
)
def test_a_token_is_a_number_by_its_form(token: str, expected: tuple[str, float]) -> None:
    assert NumberCodec().symbol(token) == expected


def test_long_sequences_are_cut_where_asked_for_and_targets_with_them() -> None:
    rows = [MemorySequence("a b c", ("x", "y", "z")), MemorySequence("a b", ("x", "y"))]
    codec = SymbolCodec()
    codec.fit(rows)
    codec.limit_length(2)
    encoded = codec.encode(rows)
    assert encoded.lengths.tolist() == [2, 2] and encoded.num_cut == 1
    assert codec.labels.decode(encoded.targets.tolist()) == ["x", "y", "x", "y"]
    assert codec.unlabelled("a  b").targets == ("", "") and codec.unlabelled(" ") == MemorySequence(" ", ("",))
    assert rows[0].content() == ("a b c", ("x", "y", "z")) and rows[0].stratum() is None


@pytest.mark.parametrize("target", ["nan", "inf", "-inf", "1,5", "y" * 99])
def test_targets_that_are_no_finite_numbers_are_refused(target: str) -> None:
    with pytest.raises(InputError) as error:
        NumberCodec().targets(MemorySequence("1", (target,), place="a:1"), [target])
    echoed = target if len(target) < 80 else f"{target[:79]}…"
    message = f"a:1: the target '{echoed}' is not a number: correct it, or use readout=labels."
    assert str(error.value) == message


def test_a_target_that_is_no_number_is_named() -> None:
    with pytest.raises(InputError, match=r"test\.csv:3: the target 'many' is not a number"):
        NumberCodec().targets(MemorySequence("1", ("many",), place="test.csv:3"), ["many"])


def test_what_is_learned_does_not_depend_on_the_batch(composed: Callable) -> None:
    cfg = composed("memory", "data=parity", *FEW, "model.embedding_size=8", "model.encoder.hidden_size=8")
    corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    model, encoded = build(cfg.model, **corpus.sizes), corpus.splits["test"].encoded
    together = encoded.batch(encoded.lengths.argsort()[[0, 10, 20]])
    alone = [encoded.batch(together.rows[[place]]) for place in range(3)]
    losses = [model.loss(batch) for batch in (together, *alone)]
    assert losses[0].number == sum(loss.number for loss in losses[1:]) == together.mask.sum()
    torch.testing.assert_close(losses[0].total, sum(loss.total for loss in losses[1:]))
    assert OmegaConf.select(cfg, "model.encoder.bidirectional") is False
