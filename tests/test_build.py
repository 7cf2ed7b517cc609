"""What a config may name: parts of the type that their place expects, and plain values of the declared types."""

import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import NoneType
from typing import Any

import pytest
import torch
from conftest import CONF, ROOT
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import nn

from data.classification import ClassificationCodec
from data.corpus import Codec
from data.errors import InputError
from data.tokenizers import Tokenizer, WordTokenizer
from models.cells.base import Cell
from models.cells.gru import GRUCell
from models.shapes import WithoutDraws, shapes_only
from training.build import (
    LARGEST,
    arguments,
    build,
    build_at,
    call,
    check_given,
    check_required,
    check_types,
    description,
    fits,
    names_in_conf,
    numbers,
    place_of,
    resolve_target,
    suits,
)

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
        ("tagging", "model.token_dropout", 1.0, "must be less than 1"),
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


def in_codec(**given: Any) -> DictConfig:
    """A tokenizer at its place in a config."""
    tokenizer = {"_target_": "data.tokenizers.WordTokenizer", **given}
    return OmegaConf.create({"codec": {"tokenizer": tokenizer}}).codec.tokenizer


def test_a_place_is_named_where_there_is_no_part() -> None:
    cfg = OmegaConf.create({"model": {"cell": {"size": 1}, "list": [1], "name": 5}})
    for node, place in ((cfg.model.cell, "model.cell"), (cfg.model.list, "model.list"), (cfg, "config"), (5, "config")):
        assert place_of(node) == place
        with pytest.raises(InputError, match=f"^{place}: must be a part"):
            build(node)
    for key in ("name", "nowhere"):
        with pytest.raises(InputError, match=f"^{key}: must be a part"):
            build_at(cfg.model, key)


def test_a_part_at_a_key_has_the_expected_type_and_the_sizes_that_are_given() -> None:
    cfg = OmegaConf.create({"cell": {"_target_": "models.cells.gru.GRUCell", "input_size": 3}})
    made = build_at(cfg, "cell", Cell, hidden_size=4)
    assert isinstance(made, GRUCell) and made.hidden_size == 4
    with pytest.raises(InputError, match=r"cell\._target_=models\.cells\.gru\.GRUCell: must be Tokenizer"):
        build_at(cfg, "cell", Tokenizer, hidden_size=4)
    with pytest.raises(InputError, match=r"^cell\.hidden_size: must be given, and be a whole number"):
        build_at(cfg, "cell")


def test_whether_a_part_is_partial_is_true_or_false() -> None:
    with pytest.raises(InputError, match=r"^codec\.tokenizer\._partial_=perhaps: must be true or false"):
        build(in_codec(_partial_="perhaps"))
    assert isinstance(build(in_codec(_partial_=False, lowercase=True, pretokenized=True)), WordTokenizer)


def test_a_partial_part_keeps_the_sizes_that_are_given() -> None:
    cell = OmegaConf.create({"_target_": "models.cells.gru.GRUCell", "_partial_": True})
    assert build(cell, Callable[..., Cell], input_size=3).keywords == {"input_size": 3}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data.nowhere.Codec", "at.place=data.nowhere.Codec: this version does not have it"),
        ("data.tokenizers.Nothing", "at.place=data.tokenizers.Nothing: this version does not have it"),
        ("data.tokenizers.re.Pattern", "may be named"),  # a class of another package
        ("data.writing.write_text", "may be named"),
        ("data.tokenizers", "may be named"),
        ("os.system", "at.place=os.system: only classes of this suite"),
    ],
)
def test_what_a_name_may_not_lead_to(name: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        resolve_target(name, "at.place")
    assert said in str(error.value)
    with pytest.raises(InputError, match=r"^_target_="):
        resolve_target(name)


def test_a_name_leads_to_a_class_or_to_a_function_of_the_configs() -> None:
    assert resolve_target("torch.optim.SGD") is torch.optim.SGD
    assert resolve_target("data.tokenizers.WordTokenizer") is WordTokenizer
    assert callable(resolve_target("training.schedules.linear"))


def test_an_unknown_argument_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"tokenizer\.lower_case: WordTokenizer has no .* did you mean lowercase\?"):
        build(in_codec(lower_case=True))
    with pytest.raises(InputError, match=r"tokenizer\.qqq: WordTokenizer has .*; it has lowercase, pretokenized\."):
        build(in_codec(qqq=True))


def collect(first: int, *rest: int, **more: Any) -> dict[str, Any]:
    return {"first": first, **more}


def test_arguments_without_a_default_are_needed_but_not_further_ones() -> None:
    cfg = OmegaConf.create({"part": {"first": 1}}).part
    check_required(cfg, collect, {"first": 1})
    with pytest.raises(InputError, match=r"^part\.first: must be given, and be a whole number\."):
        check_required(cfg, collect, {"more": 1})


@pytest.mark.parametrize(
    ("key", "good", "bad", "said"),
    [
        ("hidden_size", [1, None, [1, 2]], [0, [], [1, 0]], "at least 1"),
        ("max_epochs", [1], [0], "at least 1"),
        ("seed", [0, 2**63 - 1], [-1], "not be negative"),
        ("seed", [0], [2**63], f"at most {2**63 - 1}"),
        ("word_dropout", [0, 0.99], [-0.01], "not be negative"),
        ("word_dropout", [0, None], [1, 1.5], "less than 1"),
        ("num_layers", [LARGEST["num_layers"], -1, None], [LARGEST["num_layers"] + 1, [101]], "at most 100"),
        ("other", [-1, 10**30, None], [], ""),
    ],
)
def test_values_have_the_range_of_their_key(key: str, good: list, bad: list, said: str) -> None:
    for value in good:
        check_types(OmegaConf.create({"part": {key: value}}).part, {key: object})
    for value in bad:
        with pytest.raises(InputError, match=rf"^part\.{key}={re.escape(str(value))}: must .*{said}\."):
            check_types(OmegaConf.create({"part": {key: value}}).part, {key: object})


def listed(sizes: tuple[int, ...], more: list[int], number: int, name: str) -> None:
    """A constructor with values of several types."""


def test_lists_become_what_the_constructor_declares() -> None:
    part = {"_target_": "x", "sizes": [1, "${two}"], "more": [3], "number": 4, "name": "a"}
    found = arguments(OmegaConf.create({"two": 2, "part": part}).part, listed)
    assert found == {"sizes": (1, 2), "more": [3], "number": 4, "name": "a"} and type(found["more"]) is list


def test_further_arguments_are_given_to_what_takes_them() -> None:
    cfg = OmegaConf.create({"part": {"_target_": "x", "_partial_": False, "first": 1, "other": 2}}).part
    assert arguments(cfg, collect) == {"first": 1, "other": 2}


def test_parts_and_values_inside_a_part_are_of_their_types_too() -> None:
    codec = {"_target_": "data.classification.ClassificationCodec", "min_count": 1}
    cell = {"_target_": "models.cells.gru.GRUCell", "input_size": 1, "hidden_size": 1}
    cfg = OmegaConf.create({"codec": {**codec, "tokenizer": cell}})
    with pytest.raises(InputError, match=r"^codec\.tokenizer\._target_=models\.cells\.gru\.GRUCell: must be Tokenizer"):
        build(cfg.codec)
    with pytest.raises(InputError, match=r"^codec\.tokenizer\._target_=os\.system: "):
        build(in_codec(_target_="os.system"))
    with pytest.raises(InputError, match=r"^codec\.tokenizer\.lowercase=3: must be true or false"):
        build(in_codec(lowercase=3, pretokenized=True))


def test_a_value_that_a_constructor_refuses_is_reported_with_the_place_of_the_part() -> None:
    cfg = OmegaConf.create({"steps": {"rate": {"_target_": "torch.optim.SGD", "lr": -1.0}}})
    with pytest.raises(InputError, match=r"^steps\.rate: Invalid learning rate"):
        build(cfg.steps.rate, params=[torch.nn.Parameter(torch.zeros(1))])  # type: ignore[arg-type]


def returning() -> WordTokenizer:
    return WordTokenizer(lowercase=True, pretokenized=False)


def test_a_function_gives_what_it_declares_to_return() -> None:
    assert suits(returning, Tokenizer, False) and not suits(returning, Cell, False)
    assert not suits(fail, Tokenizer, False) and suits(fail, NoneType, False)


def test_only_values_whose_types_are_known_are_checked() -> None:
    cfg = OmegaConf.create({"part": {"unknown": "a", "a": 1, "b": "many", "c": 1}}).part
    check_types(cfg, {"a": int, "c": int})
    with pytest.raises(InputError, match=r"^part\.b=many: must be a whole number\."):
        check_types(cfg, {"a": int, "b": int})


def test_numbers_of_a_value() -> None:
    assert numbers(3) == [3] and numbers("a") == [0] and numbers(None, default=1) == [1]
    assert numbers(OmegaConf.create([4, "a", 0.5])) == [3, 4, 0.5]


def test_values_are_checked_before_anything_is_built_and_those_that_are_open_pass() -> None:
    codec = {"_target_": "data.classification.ClassificationCodec", "min_count": "auto"}
    cfg = OmegaConf.create({"codec": {**codec, "tokenizer": dict(in_codec(lowercase="auto"))}})
    check_given(cfg.codec, "auto")
    check_given(OmegaConf.create({"_target_": "auto", "min_count": "many"}), "auto")
    cfg.codec.tokenizer.lowercase = 3
    with pytest.raises(InputError, match=r"^codec\.tokenizer\.lowercase=3: must be true or false"):
        check_given(cfg.codec, "auto")
    cfg.codec.tokenizer._target_ = "auto"
    check_given(cfg.codec, "auto")
    cfg.codec.min_count = "many"
    with pytest.raises(InputError, match=r"^codec\.min_count=many: must be a whole number"):
        check_given(cfg.codec, "auto")
    cfg.codec._target_ = "os.system"
    with pytest.raises(InputError, match=r"^codec\._target_=os\.system"):
        check_given(cfg.codec, "auto")


def test_more_types_in_words() -> None:
    assert description(int | torch.Tensor) == "a whole number" and description(int | int) == "a whole number"
    assert description(list[int]) == description(tuple[int, ...]) == "a list"
    assert description(dict[str, int]) == "a section with keys" and description(Cell) == "Cell"
    assert description(bool | str | float) == "true or false or a word or a number"


def fail(error: type[Exception]) -> None:
    raise error("one\ntwo")


class OutOfMemoryError(RuntimeError):
    """As that of CUDA is called."""


def test_an_error_of_a_constructor_names_the_place() -> None:
    for error in (TypeError, ValueError, ZeroDivisionError, IndexError, AttributeError, RuntimeError):
        with pytest.raises(InputError, match=r"^model\.part: one\.$") as found:
            call(fail, "model.part", {"error": error})
        assert isinstance(found.value.__cause__, error)
    for error in (OutOfMemoryError, InputError, OSError):
        with pytest.raises(error, match=r"^one\ntwo$"):
            call(fail, "model.part", {"error": error})
    assert call(collect, "", {"first": 1, "more": 2}) == {"first": 1, "more": 2}


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


def test_modules_of_which_only_shapes_are_wanted_draw_no_values() -> None:
    with shapes_only():
        module, given = nn.LSTM(3, 4), torch.empty(2, 3)
        for draw in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            assert draw(given) is given and draw(tensor=given) is given
        assert given.bernoulli_() is given and (given + 1).is_meta
        assert nn.init.zeros_(given) is given and torch.full((2,), fill_value=3).is_meta
    assert all(parameter.is_meta for parameter in module.parameters())
    with WithoutDraws():
        assert nn.init.normal_(torch.zeros(9)).eq(0).all() and torch.zeros(9).uniform_().eq(0).all()
        assert nn.init.ones_(torch.zeros(9)).eq(1).all()
    assert not torch.empty(2).is_meta and nn.init.uniform_(torch.zeros(9)).ne(0).any()
