"""Schedules: their shape, what they refuse, and that a training follows them at every step."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import options
from torch.optim.optimizer import register_optimizer_step_pre_hook

from data.errors import InputError
from training import schedules
from training.build import build
from training.load import load_config

SCHEDULES = {
    "constant": lambda progress, **values: schedules.constant(progress, values["warmup"]),
    "linear": schedules.linear,
    "cosine": schedules.cosine,
}


def test_a_constant_schedule_rises_and_stays() -> None:
    assert [schedules.constant(p, 0.2) for p in (0, 0.1, 0.2, 0.6, 1)] == [0, 0.5, 1, 1, 1]
    assert [schedules.constant(p, 0.0) for p in (0, 1)] == [1, 1]


def test_a_linear_schedule_falls_in_a_line_to_its_final_rate() -> None:
    assert [schedules.linear(p, 0.2, 0.5) for p in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0, 0.5, 1, 0.75, 0.5])
    assert [schedules.linear(p, 0.0, 0.0) for p in (0, 0.25, 1)] == pytest.approx([1, 0.75, 0])
    assert [schedules.linear(p, 0.0, 1.0) for p in (0, 0.25, 1)] == [1, 1, 1]


def test_a_cosine_schedule_falls_along_half_a_cosine_to_its_final_rate() -> None:
    quarter = 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2
    rates = [schedules.cosine(p, 0.2, 0.1) for p in (0, 0.1, 0.2, 0.4, 0.6, 1)]
    assert rates == pytest.approx([0, 0.5, 1, quarter, 0.55, 0.1])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [1, 1.5, -0.1, math.nan])
def test_a_warm_up_that_is_no_part_of_the_training_is_refused(schedule: str, warmup: float) -> None:
    with pytest.raises(InputError, match=r"schedule\.warmup=.*at least 0 and less than 1"):
        SCHEDULES[schedule](0.5, warmup=warmup, final=0.0)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("final", [-0.1, 1.1, math.nan])
def test_a_final_rate_above_the_peak_or_below_zero_is_refused(schedule: str, final: float) -> None:
    with pytest.raises(InputError, match=r"schedule\.final=.*at least 0 and at most 1"):
        SCHEDULES[schedule](0.5, warmup=0.1, final=final)


@pytest.mark.parametrize("schedule", options("schedule"))
def test_every_step_has_the_rate_of_the_schedule(launch: Callable, files: list[str], schedule: str) -> None:
    rates: list[float] = []

    def record(optimizer: torch.optim.Optimizer, *_: object) -> None:
        rates.extend({group["lr"] for group in optimizer.param_groups})

    hook = register_optimizer_step_pre_hook(record)
    try:
        folder = launch("sentiment", *files, f"schedule={schedule}", "schedule.warmup=0.25", "optimizer.lr=0.02")
    finally:
        hook.remove()
    factor = build(load_config(folder).schedule)
    assert rates == pytest.approx([0.02 * factor(step / len(rates)) for step in range(len(rates))])
    assert len(set(rates)) > 2


def test_a_schedule_is_refused_before_anything_is_trained(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, "schedule.warmup=1")
    assert ended.value.code == 2 and "schedule.warmup=1: " in caplog.text
    assert not (tmp_path / "run").exists()
