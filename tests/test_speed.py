"""Measurements of speed: the order of rounds, the division of time among parts, and what the command prints."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FEW_ROWS, SMALL
from torch import nn

from analysis import speed, speed_encoders, speed_steps, timing
from analysis.command import run_command
from analysis.timing import Clock, side_by_side
from models.cells.gru import GRUCell
from models.encoder import Encoder


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A time that passes only where a test says so."""
    moment = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(timing.Now, "read", lambda: moment.seconds)
    return moment


def command(*arguments: str) -> None:
    run_command(speed.arguments(), speed.main, arguments)


def test_rounds_alternate_their_order_after_a_warm_up() -> None:
    calls: list[str] = []
    times = side_by_side({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert all(len(taken.seconds) == 3 for taken in times.values())


def test_a_median_is_of_the_rounds_without_the_warm_up(now: SimpleNamespace) -> None:
    seconds = iter([100.0, 3.0, 1.0, 2.0])

    def run() -> None:
        now.seconds += next(seconds)

    taken = side_by_side({"a": run}, rounds=3)["a"]
    assert taken.median == 2.0 and taken.least == 1.0


class Slow(torch.autograd.Function):
    """The identity; it takes one second forward and two backward."""

    @staticmethod
    def forward(ctx, inputs, now):
        ctx.now = now
        now.seconds += 1
        return inputs.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.now.seconds += 2
        return gradient, None


class SlowModule(nn.Module):
    def __init__(self, now: SimpleNamespace) -> None:
        super().__init__()
        self.now = now

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return Slow.apply(inputs, self.now)


def test_the_backward_of_a_module_is_time_of_its_part(now: SimpleNamespace) -> None:
    clock, module = Clock(), SlowModule(now)
    speed_steps.watch_module(module, "encoder", clock)
    inputs = torch.ones(2, requires_grad=True)
    Slow.apply(module(Slow.apply(inputs, now)), now).sum().backward()
    clock.switch("other")
    assert clock.seconds == {"other": 6.0, "encoder": 3.0}
    assert clock.shares() == {"other": 6 / 9, "encoder": 3 / 9}
    clock.restart()
    assert clock.seconds == {}


def test_operations_are_three_products_of_every_weight_matrix() -> None:
    encoder = Encoder(GRUCell, 8, 8, num_layers=2, bidirectional=True, dropout=0.0)
    a_token = 2 * 3 * 8 * (8 + 8) + 2 * 3 * 8 * (16 + 8)  # weights of both layers and directions
    assert speed_encoders.operations(encoder, tokens=10) == 3 * 2 * 10 * a_token


@pytest.mark.parametrize("name", speed_steps.FOLDERS)
def test_lengths_follow_the_quantiles_of_a_data_set(name: str) -> None:
    lengths = speed_encoders.drawn_lengths(name)
    wanted = speed_encoders.LENGTHS[name]
    assert lengths.min() >= 1 and lengths.max() <= wanted[-1]
    assert np.median(lengths) == pytest.approx(wanted[4], rel=0.05)
    for batch in speed_encoders.batches(lengths, speed_encoders.BATCH_TOKENS[name]):
        assert len(batch) * batch.max() <= max(speed_encoders.BATCH_TOKENS[name], batch.max())


def test_the_command_prints_draws_and_writes_what_it_measures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    where = ["--json", str(tmp_path / "speed.json"), "--plot", str(tmp_path / "speed.png")]
    small = ["--set", "ewt", "--size", "8", "--rounds", "1", "--cell", "gru", "--cell", "sru"]
    command("--part", "encoder", "--part", "limit", "--part", "seeds", *small, *where)
    printed = capsys.readouterr().out
    assert "gru" in printed and "packed" in printed and "MKL" in printed
    written = json.loads((tmp_path / "speed.json").read_text())
    gru, sru, *others = written["parts"]["encoder"]
    assert [row["precision"] for row in (gru, sru, *others)] == sorted(speed_encoders.precisions() * 2, reverse=True)
    assert gru["share_of_matrix_rate"] > 0 and gru["times_packed"] > 0 and "times_packed" not in sru
    seeds = written["parts"]["seeds"]
    assert [(row["cell"], row["seeds"]) for row in seeds] == [("gru", 4), ("sru", 4)]
    assert all(row["times_as_fast"] > 0 for row in seeds)
    assert written["machine"]["threads"] == torch.get_num_threads() and "--part encoder" in written["command"]
    assert (tmp_path / "speed.png").stat().st_size > 1000


def test_rows_are_reported_and_written_as_they_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def stopped(*_: object) -> Iterator[dict[str, object]]:
        yield {"lengths": "ewt", "MKL fp32": 17.0}
        raise KeyboardInterrupt

    monkeypatch.setattr(speed, "limit_rows", stopped)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        command("--part", "limit", "--json", str(tmp_path / "speed.json"))
    assert json.loads((tmp_path / "speed.json").read_text())["parts"] == {
        "limit": [{"lengths": "ewt", "MKL fp32": 17.0}]
    }
    assert "limit: ewt, 17" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--part", "encoder", "--cell", "gruu"], "there is no such cell"),
        (["--rounds", "0"], "--rounds=0: give at least 1"),
        (
            ["--part", "limit", "--set", "ewt", "--size", "4", "--rounds", "1", "--plot", "x.png"],
            "--plot draws the part",
        ),
        (["weather", "cell=gru"], "There is no task weather"),
    ],
)
def test_a_wrong_option_is_explained(given: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        command(*given)
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_on_a_busy_machine_the_time_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing.Now, "read", timing.Now.read)  # as it was after the test
    monkeypatch.setattr(speed.time, "process_time", itertools.count(-1e9).__next__)
    command("--busy", "--part", "limit", "--set", "ewt", "--size", "2", "--rounds", "1", "--threads", "1")
    assert timing.Now.read() < 0


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workloads of a few small sentences."""
    workload: Callable = speed_steps.workload
    monkeypatch.setattr(speed_steps, "workload", lambda *given: (workload(*given)[0], [*SMALL, *FEW_ROWS]))


@pytest.mark.usefixtures("few_rows")
def test_shares_of_training_steps_add_up(capsys: pytest.CaptureFixture) -> None:
    (row,) = speed_steps.step_rows(["gru"], ["ewt"], None, steps=2)
    shares = {part: row[part] for part in row if part in speed.SHARES}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert {"encoder", "characters", "embedding", "optimiser", "clipping", "loss", "dropout", "data"} <= set(shares)
    assert row["tokens_per_second"] > 0


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("name", ["ewt", "scenes", "recall"])
def test_products_take_part_of_the_time_of_a_step(name: str) -> None:
    (row,) = speed_steps.step_rows(["gru"], [name], None, steps=1)
    assert 0 < row["share_of_products"] < 1


def test_a_product_within_a_kernel_is_counted_once() -> None:
    def event(name: str, parent: Any = None) -> Any:
        return SimpleNamespace(name=name, cpu_parent=parent)

    kernel = event("PackedLayer", event("GRUCell"))
    within = event("aten::mm", event("aten::linear", kernel))
    other = event("aten::mm", event("aten::linear"))
    found = [speed_steps.outermost_product(one) for one in (kernel, within, other, event("aten::copy_"))]
    assert found == [True, False, True, False]


def test_generated_workloads_are_measured_as_steps_only(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command("--part", "encoder", "--set", "scenes")
    assert "--set scenes: only --part steps measures it." in capsys.readouterr().err


@pytest.mark.usefixtures("few_rows")
def test_prediction_is_measured_alone_and_in_batches() -> None:
    (row,) = speed_steps.prediction_rows(["gru"], ["ewt"], None, rounds=1)
    assert row["one_per_second"] > 0 and row["batched_per_second"] > 0
