"""What a config may name: parts of the type that their place expects, and plain values of the declared types."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from conftest import CONF, ROOT
from omegaconf import DictConfig, OmegaConf, open_dict

from data.classification import ClassificationCodec
from data.corpus import Codec
from data.errors import InputError
from data.tokenizers import Tokenizer, WordTokenizer
from models.cells.base import Cell
from models.cells.gru import GRUCell
from training.build import build, call, description, fits, names_in_conf, suits

TASKS = [path.stem for path in sorted(CONF.glob("*.yaml")) if path.stem != "base"]
NAMED = ("data", "codec", "evaluation", "optimizer", "schedule", "trainer")  # the model refers to parts elsewhere
SECTIONS = ("data", "codec", "model", "evaluation", "optimizer", "schedule", "trainer")
FOREIGN = ("os.system", "subprocess.Popen", "torch.hub.load", "builtins.eval", "training.device.os.system")
NO_PART = ("data.nowhere.Codec", "data", "", "models.cells.base.", "tasks..model", "data.corpus.Codec.load")


def parts(cfg: DictConfig, place: str) -> Iterator[str]:
    """The places of all parts in a node, the node's own included."""
    yield place
    node = OmegaConf.select(cfg, place)
    for key in map(str, node):
        if not OmegaConf.is_missing(node, key) and OmegaConf.is_dict(node[key]) and "_target_" in node[key]:
            yield from parts(cfg, f"{place}.{key}")


def values(cfg: DictConfig, place: str) -> Iterator[tuple[str, Any]]:
    """The arguments of a part that are no parts."""
    node = OmegaConf.select(cfg, place)
    for key in map(str, node):
        value = None if OmegaConf.is_missing(node, key) else node[key]
        if key not in ("_target_", "_partial_") and not (OmegaConf.is_dict(value) and "_target_" in value):
            yield f"{place}.{key}", value


def refusal(cfg: DictConfig, place: str, value: Any) -> str:
    """The sentence by which a value at a place is refused."""
    changed = pickle.loads(pickle.dumps(cfg))  # a third of the time of a copy
    with open_dict(changed):
        OmegaConf.update(changed, place, value, merge=False, force_add=True)
    with torch.device("meta"), pytest.raises(InputError) as error:
        build(changed[place.partition(".")[0]])
        pytest.fail(f"{place}={value} was built")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def cfg(composed: Callable[..., DictConfig], request: pytest.FixtureRequest) -> DictConfig:
    return composed(request.param, "recipe=embedded", "trainer.precision=fp32")


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("cfg", TASKS, indirect=True)
def test_no_place_takes_a_foreign_class_or_function(cfg: DictConfig, section: str) -> None:
    for place in parts(cfg, section):
        for name in (*FOREIGN, *NO_PART):
            assert name[:40] in refusal(cfg, f"{place}._target_", name)
        for value in (5, None, ["os.system"], {"_target_": "os.system"}):
            assert place in refusal(cfg, f"{place}._target_", value)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("cfg", TASKS, indirect=True)
def test_no_value_is_a_part_that_nobody_expects(cfg: DictConfig, section: str) -> None:
    for place in parts(cfg, section):
        for key, _ in values(cfg, place):
            for name in ("os.system", "models.cells.gru.GRUCell"):
                sentence = refusal(cfg, key, {"_target_": name})
                assert key in sentence or name in sentence


WRONG = {bool: "perhaps", int: "many", float: "many", str: 3, list: 5, dict: 5, type(None): [[1]]}


@pytest.mark.parametrize("section", NAMED)
@pytest.mark.parametrize("cfg", TASKS, indirect=True)
def test_every_value_of_another_type_is_refused_at_its_place(cfg: DictConfig, section: str) -> None:
    for place in parts(cfg, section):
        for key, value in values(cfg, place):
            plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            assert key in refusal(cfg, key, WRONG[type(plain)])


@pytest.mark.parametrize("section", NAMED)
@pytest.mark.parametrize("cfg", TASKS, indirect=True)
def test_a_part_of_another_kind_is_refused(cfg: DictConfig, section: str) -> None:
    for place in list(parts(cfg, section))[1:]:
        other = "models.pooling.MeanPooling" if "pooling" not in place else "models.cells.gru.GRUCell"
        assert f"{place}._target_={other}: must be" in refusal(cfg, f"{place}._target_", other)
        partial_now = OmegaConf.select(cfg, place).get("_partial_", False)
        assert f"{place}._target_" in refusal(cfg, f"{place}._partial_", not partial_now)


@pytest.mark.parametrize("section", ["data", "codec", "optimizer", "schedule", "trainer"])
@pytest.mark.parametrize("cfg", TASKS, indirect=True)
def test_an_unknown_argument_is_refused_with_the_nearest_name(cfg: DictConfig, section: str) -> None:
    for place in parts(cfg, section):
        assert f"{place}.of_no_constructor: " in refusal(cfg, f"{place}.of_no_constructor", 1)
    assert "did you mean max_epochs?" in refusal(cfg, "trainer.max_epoch", 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("model.encoder.num_layers", 10**6), ("model.encoder.num_layers", 101), ("model.encoder.hidden_size", 1.5)],
)
@pytest.mark.parametrize("cfg", TASKS, indirect=True)
def test_what_no_model_needs_is_refused_before_memory_is_taken(cfg: DictConfig, key: str, value: Any) -> None:
    assert key in refusal(cfg, key, value)


@pytest.mark.parametrize(
    ("task", "key", "value", "reason"),
    [
        ("sentiment", "model.word_dropout", 1.5, "must be less than 1"),
        ("sentiment", "model.word_dropout", -0.1, "must not be negative"),
        ("translation", "model.label_smoothing", 1.0, "must be less than 1"),
        ("tagging", "model.rare_word_dropout", -1, "must not be negative"),
        ("memory", "data.seed", -1, "must not be negative"),
        ("memory", "data.test_length", 10**12, "must be at most 1000000"),
        ("tagging", "codec.min_count", -1, "must not be negative"),
        ("translation", "codec.sampling_alpha", 1.5, "must be at most 1"),
        ("translation", "codec.sampling_alpha", -1, "must not be negative"),
        ("translation", "model.search.length_penalty", 10**12, "must be at most 100"),
        ("forecasting", "data.number", 10**12, "must be at most 1000000"),
        ("forecasting", "data.length", 0, "must be at least 1"),
        ("forecasting", "data.missing", 1, "must be less than 1"),
        ("forecasting", "model.num_features", 0, "must be at least 1"),
        ("captioning", "model.encoder.groups", -1, "must be at least 1"),
        ("captioning", "data.captions", 10**12, "must be at most 1000"),
    ],
)
def test_rates_and_seeds_have_their_range(composed: Callable, task: str, key: str, value: float, reason: str) -> None:
    assert refusal(composed(task), key, value) == f"{key}={value}: {reason}."


def test_a_part_for_which_there_is_no_memory_is_named() -> None:
    with pytest.raises(InputError, match=r"^model: there is no memory for its sizes\.$"):
        call(torch.empty, "model", {"size": (2**60,)})


@pytest.mark.parametrize(
    ("value", "hint", "right"),
    [
        (1, int, True),
        (1.0, int, False),
        (True, int, False),
        (True, float, False),
        (1, float, True),
        (float("nan"), float, False),
        (float("inf"), float, False),
        (1, bool, False),
        ("1", int, False),
        ("a", str, True),
        (None, str, False),
        (None, int | None, True),
        ("a", int | None, False),
        ([1, 2], tuple[int, int], True),
        ([1], tuple[int, int], False),
        ([1, "a"], tuple[int, int], False),
        ([1, 2, 3], tuple[int, ...], True),
        ([1, "a"], tuple[int, ...], False),
        (1, list[int], False),
        ([], list[int], True),
        ({"a": 1}, dict[str, int], True),
        ({"a": "b"}, dict[str, int], False),
        ([1], dict[str, int], False),
        ({"a": {"_target_": "x"}}, object, False),
        ([[{"_target_": "x"}]], object, False),
        ({"a": [1, None]}, object, True),
    ],
)
def test_types_of_plain_values(value: Any, hint: Any, right: bool) -> None:
    assert fits(OmegaConf.create({"key": value}).key, hint) is right


@pytest.mark.parametrize(
    ("target", "expected", "is_partial", "right"),
    [
        (WordTokenizer, Tokenizer, False, True),
        (WordTokenizer, Tokenizer, True, False),
        (WordTokenizer, Codec, False, False),
        (WordTokenizer, Codec | Tokenizer, False, True),
        (WordTokenizer, Tokenizer | None, False, True),
        (ClassificationCodec, Codec[Any], False, True),
        (GRUCell, Callable[..., Cell], True, True),
        (GRUCell, Callable[..., Cell], False, False),
        (GRUCell, Callable[..., Tokenizer], True, False),
        (GRUCell, int, False, False),
        (GRUCell, object, False, True),
        (print, Cell, False, False),
    ],
)
def test_what_suits_a_place(target: Any, expected: Any, is_partial: bool, right: bool) -> None:
    assert suits(target, expected, is_partial) is right


def test_types_are_described_in_words() -> None:
    assert description(int | None) == "a whole number or null"
    assert description(Callable[..., Cell]) == "Cell with _partial_: true"
    assert description(Codec[Any]) == "Codec" and description(tuple[int, int]) == "a list of 2 values"


def test_a_partial_part_is_given_the_rest_later() -> None:
    cell = OmegaConf.create({"_target_": "models.cells.gru.GRUCell", "_partial_": True})
    made = build(cell, Callable[..., Cell])
    assert isinstance(made, partial) and made.func is GRUCell
    rate = OmegaConf.create({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5, "momentum": 0})
    (parameter,) = build(rate)([torch.nn.Parameter(torch.zeros(1))]).param_groups
    assert parameter["lr"] == 0.5


def test_a_missing_value_and_an_interpolation_that_leads_nowhere_are_named() -> None:
    for value, said in (("???", "codec.lowercase: a value must be given"), ("${nowhere}", "nowhere")):
        tokenizer = {"_target_": "data.tokenizers.WordTokenizer", "lowercase": value}
        with pytest.raises(InputError, match=said):
            build(OmegaConf.create({"codec": tokenizer}).codec)


def test_functions_are_only_those_that_the_configs_name() -> None:
    assert "training.schedules.linear" in names_in_conf() and not any("${" in name for name in names_in_conf())
    for task in TASKS:
        assert any(name.startswith(f"tasks.{task}.") for name in names_in_conf())
    function = OmegaConf.create({"_target_": "data.writing.write_text", "path": "x", "text": "y"})
    with pytest.raises(InputError, match="may be named"):
        build(function)


def test_models_of_shapes_alone_need_no_compiler_and_take_no_memory() -> None:
    code = (
        "import sys, torch\nfrom torch import nn\nfrom models.shapes import shapes_only\n"
        "with shapes_only():\n    made = [nn.Embedding(3, 4), nn.LSTM(3, 4), nn.Conv1d(3, 4, 2)]\n"
        "    nn.init.orthogonal_(torch.empty(3, 3))\n"
        "assert all(p.is_meta for module in made for p in module.parameters())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
