"""Launchers and Optuna's sweeper: the jobs of a sweep elsewhere than in its own process, or chosen as it goes."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT, SMALL
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from processes import command

from hydra_plugins.rnnbench.ray import RayLauncher, check_reachable


def sweep(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A sweep from the command line, and what it printed."""
    return command("tasks.sentiment", "-m", f"hydra.sweep.dir={folder}", *SMALL, *options, **variables)


def results(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/result.json"))]


def test_submitit_runs_a_job_in_a_process_of_its_own(files: list[str], tmp_path: Path) -> None:
    done = sweep(tmp_path / "sweep", *files, "seed=1", "hydra/launcher=submitit_local")
    (result,) = results(tmp_path / "sweep")
    assert result["status"] == "ok", done.stderr
    assert result["environment"]["threads"] == 1  # its jobs start all at once


def test_slurm_is_asked_for_what_a_job_needs(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "sbatch").write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/submitted\nexit 1\n')  # and then it says no
    (tmp_path / "srun").write_text("")
    for name in ("sbatch", "srun"):
        (tmp_path / name).chmod(0o755)
    asked = ["hydra.launcher.cpus_per_task=4", "hydra.launcher.timeout_min=90", "hydra.launcher.partition=long"]
    asked += ["hydra.launcher.gpus_per_node=2", "hydra.launcher.gres=gpu:2"]
    path = f"{tmp_path}:{os.environ['PATH']}"
    options = ["cell=rnn,gru", "hydra/launcher=submitit_slurm", *asked]
    assert sweep(tmp_path / "sweep", *files, *options, PATH=path).returncode == 1
    script = (tmp_path / "submitted").read_text()
    needs = ("cpus-per-task=4", "time=90", "partition=long", "gpus-per-node=2", "gres=gpu:2")
    for option in ("array=0-1", "job-name=sentiment", *needs):
        assert f"#SBATCH --{option}" in script


@pytest.mark.usefixtures("undrawn")
def test_optuna_takes_the_best_score_and_passes_over_what_diverged(
    files: list[str], reviews: Path, tmp_path: Path
) -> None:
    (reviews / "test.jsonl").write_text("not JSON")  # a search leaves the test split unread
    options = ["hydra/sweeper=optuna_maximize", "hydra.sweeper.n_trials=3", "optimizer.lr=1e30,1e-9,0.05"]
    options += ["hydra.sweeper.sampler.seed=2"]  # with which each of the three is tried once
    options += ["trainer.clip_grad_norm=null", "schedule.warmup=0", "cell=gru", "trainer.max_epochs=5"]
    done = sweep(tmp_path / "sweep", *files, *options)
    assert done.returncode == 0, done.stderr
    found = results(tmp_path / "sweep")
    assert sorted(result["status"] for result in found) == ["diverged", "ok", "ok"]
    for result in found:
        assert result["test"] is False and result.get("test_scored_in_sweep", 0) == 0
        assert "test" not in result.get("metrics", {}) and "test" not in result["data"]["sha256"]
    assert re.search(r"job 3 of 3: lr \S+: ", done.stdout) and "│ lr 0.05" in done.stdout
    worst, best = sorted(result["selection"]["score"] for result in found if result["status"] == "ok")
    study = OmegaConf.load(tmp_path / "sweep" / "optimization_results.yaml")
    assert study.best_params["optimizer.lr"] == 0.05
    assert study.best_value == best > worst


def test_ray_runs_the_jobs_where_the_sweep_was_started(files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    options = ["cell=rnn,gru", "hydra/launcher=ray", "hydra.launcher.address=local"]
    done = sweep(tmp_path / "sweep", *files, *options)
    assert [result["status"] for result in results(tmp_path / "sweep")] == ["ok", "ok"], done.stderr
    assert all(result["environment"]["threads"] == 1 for result in results(tmp_path / "sweep"))
    before = results(tmp_path / "sweep")
    again = sweep(Path(os.path.relpath(tmp_path / "sweep", ROOT)), *files, *options)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path / "sweep") == before  # what is finished is skipped: a run would have another time


def test_ray_is_asked_for_what_a_job_needs(
    composed: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, float] = {}
    cluster = SimpleNamespace(is_initialized=lambda: True, remote=lambda **needs: asked.update(needs))
    monkeypatch.setitem(sys.modules, "ray", cluster)
    needs = ["hydra.launcher.num_cpus=4", "hydra.launcher.num_gpus=0.5"]
    cfg = composed("sentiment", "hydra/launcher=ray", *needs, hydra=True)
    launcher = instantiate(cfg.hydra.launcher)
    launcher.config = cfg
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):  # the stand-in for a job
        launcher.launch([], 0)
    assert asked == {"num_cpus": 4, "num_gpus": 0.5}


def test_without_ray_its_launcher_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match="hydra/launcher=ray needs Ray: pip install"):
        RayLauncher(address="auto", num_cpus=1, num_gpus=0).launch([["seed=1"]], 0)


def test_a_cluster_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:  # bound, and listening to nobody
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            check_reachable(f"127.0.0.1:{taken.getsockname()[1]}")
    check_reachable("auto")
