"""Diagnostics of memory: what their targets are, how they are scored, and that every one of them trains."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import CONF, assert_learns, options
from omegaconf import OmegaConf

from data.corpus import Corpus
from data.errors import InputError
from data.memory import BLANK, NO_TARGET, MemoryPrediction, MemorySequence, NumberCodec, SymbolCodec
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
