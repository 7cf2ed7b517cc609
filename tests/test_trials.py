"""Trials: drawn values are values of the config, the same for every cell; what the command line gives is not drawn."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from conftest import options
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from scipy.stats import qmc

from data.errors import InputError
from models.cells.base import Cell
from models.orthogonal import orthogonal_recurrence
from training.build import build
from training.folders import job_name
from training.identity import config_id
from training.load import load, load_config
from training.trials import (
    Dimension,
    check_number,
    covers,
    describe_trial,
    dimensions,
    given_keys,
    point,
    trial_of,
    with_trial,
)

TRIALS = 16


def drawn(composed: Callable, *overrides: str, task: str = "sentiment") -> DictConfig:
    return with_trial(composed(task, *overrides), overrides)


def values(cfg: DictConfig) -> dict:
    found = trial_of(cfg)
    assert found is not None
    return found["values"]


@pytest.mark.parametrize("search", options("search"))
@pytest.mark.parametrize("task", ["sentiment", "tagging", "translation"])
def test_every_search_space_gives_every_task_values_within_its_bounds(
    composed: Callable, search: str, task: str
) -> None:
    cfg = drawn(composed, f"search={search}", "trial=5", "recipe=embedded", task=task)
    space = {one.name: one for one in dimensions(composed(task, f"search={search}").search)}
    assert values(cfg).keys() <= space.keys() and "rate" in values(cfg)
    for name, value in values(cfg).items():
        bounds = space[name].values
        assert value in bounds if space[name].kind == "choice" else bounds[0] <= value <= bounds[1]
    assert all(OmegaConf.select(cfg, key) == values(cfg)["rate"] for key in space["rate"].keys)


@pytest.mark.parametrize("cell", options("cell"))
def test_every_cell_gets_the_same_points(composed: Callable, cell: str) -> None:
    reference = values(drawn(composed, "trial=7", "cell=lstm"))
    found = values(drawn(composed, "trial=7", f"cell={cell}"))
    assert found.items() <= reference.items()
    assert reference.keys() - found.keys() <= {"forget_bias"}
    assert ("forget_bias" in found) == ("forget_bias" in composed("sentiment", f"cell={cell}").cell)


def test_points_fill_every_range_evenly(composed: Callable) -> None:
    cfg = composed("sentiment")
    rate = next(one for one in dimensions(cfg.search) if one.name == "rate")
    found = [values(with_trial(OmegaConf.merge(cfg, {"trial": number})))["rate"] for number in range(TRIALS)]
    parts = sorted(int(TRIALS * rate.position(value)) for value in found)
    assert len(set(found)) == TRIALS and sum(a == b for a, b in zip(parts, range(TRIALS), strict=True)) >= TRIALS - 2
    assert point(3, 4, seed=0) == point(3, 4, seed=0) != point(3, 4, seed=1)
    assert point(3, 4, 0, "sobol") != point(3, 4, 0)


@pytest.mark.parametrize("count", [12, 16, 24])
def test_no_two_hyperparameters_go_together(composed: Callable, count: int) -> None:
    search = composed("sentiment").search
    space = dimensions(search)
    points = [point(number, len(space), search.seed, search.sequence) for number in range(count)]
    drawn = [[one.position(one.value(at)) for one, at in zip(space, row, strict=True)] for row in points]
    between = np.corrcoef(np.array(drawn).T) - np.eye(len(space))
    assert np.abs(between).max() < 0.5


def test_what_the_command_line_gives_is_not_drawn_and_moves_no_other_value(composed: Callable) -> None:
    free = values(drawn(composed, "trial=2"))
    cfg = drawn(composed, "trial=2", "model.dropout=0.25", "test=true")
    assert cfg.model.dropout == 0.25 and cfg.test is True
    assert "dropout" not in values(cfg) and values(cfg).items() <= free.items()
    assert drawn(composed, "trial=2").test is False and composed("sentiment").test is True
    assert covers("model", "model.dropout") and not covers("model.drop", "model.dropout")


def test_a_value_of_a_recipe_that_data_would_choose_is_drawn(composed: Callable) -> None:
    cfg = composed("sentiment", "recipe=adaptive", "trial=1")
    assert cfg.optimizer.lr == "auto" and isinstance(with_trial(cfg).optimizer.lr, float)


def test_a_trial_is_identified_by_its_values(composed: Callable) -> None:
    plain, cfg = composed("sentiment"), drawn(composed, "trial=4")
    assert "search" not in with_trial(plain) and config_id(with_trial(plain)) == config_id(plain)
    again = composed("sentiment")
    for key in ("optimizer.lr", "model.dropout", "model.word_dropout", "trainer.clip_grad_norm"):
        OmegaConf.update(again, key, OmegaConf.select(cfg, key))
    for key in ("trainer.batch_tokens", "recurrent_weights", "cell.forget_bias"):
        OmegaConf.update(again, key, OmegaConf.select(cfg, key))
    assert config_id(again) == config_id(cfg) != config_id(plain)
    assert job_name(_root_=OmegaConf.merge(plain, {"trial": 4})) == job_name(_root_=again) != job_name(_root_=plain)


def test_trials_of_a_cell_share_a_group(composed: Callable) -> None:
    def group(*overrides: str) -> str:
        return drawn(composed, *overrides).search.group

    assert group("trial=0") == group("trial=1") == group("trial=1", "seed=2")
    others = [group("trial=0", override) for override in ("cell=gru", "search.space.rate.log=[0.1,1]", "limit=5")]
    assert len({group("trial=0"), *others}) == 4


def test_a_trial_from_run_to_prediction(launch: Callable, files: list[str]) -> None:
    options = [*files, "trial=1", "optimizer.lr=0.01"]
    folder = launch("sentiment", *options, mode=RunMode.MULTIRUN)
    result = json.loads((folder / "result.json").read_text())
    cfg = load_config(folder)
    assert "test" not in result["metrics"] and result["trial"]["number"] == 1
    assert cfg.model.dropout == result["trial"]["values"]["dropout"] and cfg.optimizer.lr == 0.01
    assert result["config_id"] == config_id(cfg)
    assert load(folder, torch.device("cpu"))[0].trial == 1
    before = (folder / "result.json").read_bytes()
    launch("sentiment", *options, mode=RunMode.MULTIRUN)
    assert (folder / "result.json").read_bytes() == before


def test_a_dry_sweep_shows_what_is_drawn(launch: Callable, files: list[str], capsys: pytest.CaptureFixture) -> None:
    launch("sentiment", *files, "trial=1", "sweep=dry", mode=RunMode.MULTIRUN, folder="dry/job")
    shown = capsys.readouterr().out
    assert "trial 1: rate 0.0" in shown and "recurrent_weights " in shown


@pytest.mark.parametrize(
    "override, message",
    [
        ("trial=-1", "trial=-1: give a whole number from 0"),
        ("trial=x", "trial=x: give a whole number from 0"),
        ("search.sequence=lattice", "search.sequence=lattice: choose halton or sobol"),
        ("search.space.rate.log=[1]", "search.space.rate: log takes two numbers"),
        ("search.space.rate.log=[0,1]", "search.space.rate: log takes numbers greater than 0"),
        ("search.space.rate.log=[2,1]", "search.space.rate: log takes two numbers, the lower one first"),
        ("search.space.rate.keys=[]", "search.space.rate: keys and values are lists"),
        ("~search.space.rate.log", "search.space.rate: give keys, and one of log, range and choice"),
    ],
)
def test_a_space_that_cannot_be_drawn_from_is_reported(composed: Callable, override: str, message: str) -> None:
    overrides = [override, *(["trial=0"] if "trial" not in override else [])]
    with pytest.raises(ValueError, match=message):
        drawn(composed, *overrides)


@pytest.mark.parametrize(
    "entry", [{"log": [0.001, 10.0]}, {"range": [-1.0, 1.0]}, {"range": [1, 9], "integer": True}, {"choice": [1, None]}]
)
def test_the_position_of_a_value_is_where_it_was_drawn(entry: dict) -> None:
    one = Dimension("name", {"keys": ["a"], **entry})
    found = [one.value(position) for position in (0.0, 0.3, 0.6, 0.999)]
    again = [one.value(one.position(value)) for value in found]
    assert again == found if one.kind == "choice" else again == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize("cell", options("cell"))
def test_recurrent_matrices_start_orthogonal(composed: Callable, cell: str) -> None:
    model = build(composed("sentiment", f"cell={cell}", "recipe=embedded").model, vocab_size=9, num_labels=2)
    count = orthogonal_recurrence(model)
    matrices = [m.linear_hh.weight for m in model.modules() if isinstance(m, Cell) and hasattr(m, "linear_hh")]
    for gate in (gate for weight in matrices for gate in weight.split(weight.shape[1])):
        assert torch.allclose(gate @ gate.T, torch.eye(len(gate)), atol=1e-4)
        count -= 1
    assert count == 0


def test_a_run_starts_by_the_rule_of_its_config(launch: Callable, files: list[str]) -> None:
    still = [*files, "cell=rnn", "optimizer.lr=0", "trainer.average_decay=0", "trainer.max_epochs=1"]
    folder = launch("sentiment", *still, "recurrent_weights=orthogonal")
    weight = load(folder, torch.device("cpu"))[2].state_dict()["encoder.layers.0.0.linear_hh.weight"]
    assert torch.allclose(weight @ weight.T, torch.eye(8), atol=1e-4)
    with pytest.raises(SystemExit):
        launch("sentiment", *still, "recurrent_weights=skewed", folder="wrong")


@pytest.mark.parametrize(
    ("entry", "position", "value"),
    [
        ({"range": [-1, 3]}, 0.25, 0.0),
        ({"range": [0.0, 1.0]}, 0.123456, 0.1235),
        ({"range": [1, 9], "integer": True}, 0.45, 5),
        ({"log": [0.01, 100.0]}, 0.25, 0.1),
        ({"log": [1, 1000], "integer": True}, 0.5, 32),
        ({"choice": ["a", "b", None]}, 0.0, "a"),
        ({"choice": ["a", "b", None]}, 0.34, "b"),
        ({"choice": ["a", "b", None]}, 1.0, None),
    ],
)
def test_a_position_stands_for_a_value(entry: dict, position: float, value: Any) -> None:
    found = Dimension("name", {"keys": ["a"], **entry}).value(position)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("entry", "value", "position"),
    [
        ({"range": [-1.0, 3.0]}, 0.0, 0.25),
        ({"range": [-1.0, 3.0]}, 5.0, 1.0),
        ({"range": [-1.0, 3.0]}, -5.0, 0.0),
        ({"log": [0.01, 100.0]}, 0.1, 0.25),
        ({"choice": ["a", "b"]}, "a", 0.25),
        ({"choice": ["a", "b"]}, "b", 0.75),
    ],
)
def test_a_value_has_a_position(entry: dict, value: Any, position: float) -> None:
    assert Dimension("name", {"keys": ["a"], **entry}).position(value) == pytest.approx(position)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (5, "give keys, and one of log, range and choice"),
        ({"keys": ["a"]}, "give keys, and one of log, range and choice"),
        ({"keys": ["a"], "log": [1, 2], "range": [1, 2]}, "give keys, and one of log, range and choice"),
        ({"log": [1, 2]}, "keys and values are lists that are not empty"),
        ({"keys": None, "log": [1, 2]}, "keys and values are lists that are not empty"),
        ({"keys": ["a"], "choice": []}, "keys and values are lists that are not empty"),
        ({"keys": ["a"], "choice": "ab"}, "keys and values are lists that are not empty"),
        ({"keys": ["a"], "range": 5}, "keys and values are lists that are not empty"),
        ({"keys": ["a"], "range": [1]}, "range takes two numbers, the lower one first"),
        ({"keys": ["a"], "range": [1, 1]}, "range takes two numbers, the lower one first"),
        ({"keys": ["a"], "range": [1, 2, 3]}, "range takes two numbers, the lower one first"),
        ({"keys": ["a"], "range": [1, "x", 2]}, "range takes two numbers, the lower one first"),
        ({"keys": ["a"], "range": [False, 2]}, "range takes two numbers, the lower one first"),
        ({"keys": ["a"], "log": ["x", 2]}, "log takes two numbers, the lower one first"),
        ({"keys": ["a"], "log": [0, 2]}, "log takes numbers greater than 0"),
    ],
)
def test_an_entry_of_a_space_that_cannot_be_is_refused(entry: Any, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        Dimension("rate", entry)
    assert str(refusal.value) == f"search.space.rate: {message}."


@pytest.mark.parametrize("search", [None, 5, {}, {"space": None}, {"space": {}}, {"space": [1]}])
def test_without_a_space_nothing_is_drawn(search: Any) -> None:
    with pytest.raises(InputError) as refusal:
        dimensions(OmegaConf.create(search) if isinstance(search, dict) else search)
    assert str(refusal.value) == "trial: search has no space; choose a file of conf/search with search=NAME."


@pytest.mark.parametrize(("kind", "sequence"), [("halton", qmc.Halton), ("sobol", qmc.Sobol)])
def test_points_are_those_of_a_scrambled_sequence(kind: str, sequence: Any) -> None:
    points = sequence(3, scramble=True, seed=5).random(4).tolist()
    assert [point(number, 3, 5, kind) for number in range(4)] == points
    assert point(2, 3, 5) == qmc.Halton(3, scramble=True, seed=5).random(3).tolist()[2]


@pytest.mark.parametrize("number", [-1, 10_000, True, False, 1.0, "1"])
def test_a_trial_has_a_whole_number(number: Any) -> None:
    with pytest.raises(InputError) as refusal:
        check_number(number)
    shown = str(number).lower() if isinstance(number, bool) else number
    assert str(refusal.value) == f"trial={shown}: give a whole number from 0, or null for no trial."
    check_number(0)
    check_number(9_999)


SPACE = {
    "rate": {"keys": ["optimizer.lr"], "log": [0.001, 0.1]},
    "dropout": {"keys": ["model.dropout", "model.gone.dropout"], "range": [0.0, 0.5]},
    "none": {"keys": ["model.gone"], "choice": [1]},
    "seedling": {"keys": ["limit"], "choice": [None, 7]},
}


def test_a_drawn_config_holds_what_was_drawn_and_from_what(composed: Callable) -> None:
    cfg = composed("sentiment")
    OmegaConf.set_struct(cfg, False)
    cfg.search.space, cfg.trial, cfg.search.sequence = SPACE, 3, "sobol"
    before = OmegaConf.to_yaml(cfg)
    found = with_trial(cfg, ["limit=5", "cell=gru"])
    at = point(3, 4, cfg.search.seed, "sobol")
    space = dimensions(cfg.search)
    assert found.optimizer.lr == space[0].value(at[0]) and found.model.dropout == space[1].value(at[1])
    assert "gone" not in found.model and found.test is False and OmegaConf.to_yaml(cfg) == before
    assert found.search == {
        "sequence": "sobol",
        "seed": cfg.search.seed,
        "space": {"rate": SPACE["rate"], "dropout": {**SPACE["dropout"], "keys": ["model.dropout"]}},
        "group": found.search.group,
    }
    values = {"rate": found.optimizer.lr, "dropout": found.model.dropout}
    assert trial_of(found) == {"number": 3, "group": found.search.group, "values": values}
    assert trial_of(with_trial(composed("sentiment"))) is None
    assert with_trial(cfg, ["test=true"]).test is True and with_trial(cfg, ["+test=true"]).test is True


def test_the_group_of_a_trial_is_that_of_its_config_without_what_is_drawn(composed: Callable) -> None:
    def group(*given: str, **changes: Any) -> str:
        cfg = composed("sentiment")
        OmegaConf.set_struct(cfg, False)
        cfg.search.space, cfg.trial = SPACE, changes.pop("trial", 3)
        for key, value in changes.items():
            OmegaConf.update(cfg, key.replace("__", "."), value)
        found = with_trial(cfg, given).search.group
        assert re.fullmatch("[0-9a-f]{8}", found)
        return found

    alike = [{"trial": 4}, {"seed": 9}, {"optimizer__lr": 5.0}, {"model__dropout": 0.1}]
    other = [{"model__word_dropout": 0.1}, {"search__seed": 1}, {"search__sequence": "sobol"}]
    assert {group(**changes) for changes in alike} == {group()}
    assert len({group(), *(group(**changes) for changes in other), group("optimizer.lr=1")}) == 5


def test_what_is_drawn_for_a_trial_is_a_sentence() -> None:
    values = {"rate": 0.002, "dropout": None, "clip": "a"}
    assert describe_trial({"number": 3, "values": values}) == "trial 3: rate 0.002, dropout null, clip a"


def test_a_key_is_given_by_itself_or_by_what_it_is_part_of() -> None:
    cfg = OmegaConf.create({"a": {"b": None, "c": 1}, "d": 2})
    one = Dimension("name", {"keys": ["a.b", "d", "a.gone", "gone.b", "d.e", "gone"], "choice": [1]})
    assert one.keys_in(cfg, []) == ["a.b", "d"]
    assert one.keys_in(cfg, ["a"]) == ["d"] and one.keys_in(cfg, ["a.b.c", "d"]) == ["a.b"]


def test_the_choice_of_a_part_gives_no_value(composed: Callable) -> None:
    assert given_keys(["cell=gru", "+a.b=1", "~c", "model.dropout=2"]) == ["a.b", "c", "model.dropout"]


def test_a_config_without_a_search_space_is_no_trial() -> None:
    assert with_trial(OmegaConf.create({"seed": 1})) == {"seed": 1}
