"""Trials: drawn values are values of the config, the same for every cell; what the command line gives is not drawn."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import options
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from models.cells.base import Cell
from models.orthogonal import orthogonal_recurrence
from training.build import build
from training.folders import job_name
from training.identity import config_id
from training.load import load, load_config
from training.trials import Dimension, covers, dimensions, point, with_trial

TRIALS = 16


def drawn(composed: Callable, *overrides: str, task: str = "sentiment") -> DictConfig:
    return with_trial(composed(task, *overrides), overrides)


def values(cfg: DictConfig) -> dict:
    from training.trials import trial_of

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
