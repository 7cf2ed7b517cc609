"""Trackers, each with its own local store: the same numbers as in the run folder, and no run that fails with them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, options
from filelock import FileLock, Timeout

from data.errors import InputError
from training.identity import config_id
from training.trackers.base import numbers
from training.trackers.mlflow import MLflowTracker, one_at_a_time
from training.trackers.tensorboard import TensorBoardTracker
from training.trainer import Trainer

TRACKERS = [name for name in options("tracker") if name != "none"]
Found = tuple[dict[int, dict[str, float]], dict[str, float], set[str]]  # epochs, numbers of the result, pictures


def from_tensorboard(folder: Path) -> Found:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    scalars = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    epochs: dict[int, dict[str, float]] = {}
    for tag, points in scalars.items():
        for point in points if tag.startswith("epochs/") else []:
            epochs.setdefault(point.step, {})[tag.removeprefix("epochs/")] = point.value
    result = {tag.removeprefix("result/"): points[-1].value for tag, points in scalars.items() if "result/" in tag}
    return epochs, result, set(events.Tags()["images"])


def from_mlflow(folder: Path) -> Found:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=store(folder))
    (experiment,) = [one for one in client.search_experiments() if one.name == "rnnbench-sentiment"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.data.params["optimizer.lr"]
    epochs: dict[int, dict[str, float]] = {}
    for name in run.data.metrics:
        for metric in client.get_metric_history(run.info.run_id, name) if "result/" not in name else []:
            epochs.setdefault(metric.step, {})[name] = metric.value
    result = {k.removeprefix("result/"): value for k, value in run.data.metrics.items() if k.startswith("result/")}
    return epochs, result, {Path(file.path).stem for file in client.list_artifacts(run.info.run_id)}


def from_wandb(folder: Path) -> Found:
    epochs: dict[int, dict[str, float]] = {}
    result: dict[str, Any] = {}
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    for record in wandb_records(path):
        row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        if row:
            own = {key: value for key, value in row.items() if not key.startswith(("_", "pictures/"))}
            epochs.setdefault(int(record.history.step.num), {}).update(own)
        for item in record.summary.update:
            result[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    found = {key.removeprefix("result/"): value for key, value in result.items() if key.startswith("result/")}
    return epochs, found, {file.stem for file in path.parent.glob("files/*.png")}


def wandb_records(path: Path) -> Any:
    """The records of an offline run: blocks of 32 KiB with chunks of 7 bytes of header, after 7 bytes of the file's."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, pending = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        pending += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(pending)
            yield record
            pending = b""


READERS = {"tensorboard": from_tensorboard, "mlflow": from_mlflow, "wandb": from_wandb}


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def overrides(name: str, folder: Path) -> list[str]:
    own = {"mlflow": [f"tracker.uri={store(folder)}"], "wandb": ["tracker.mode=offline"]}
    return [f"tracker={name}", *own.get(name, [])]


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("name", TRACKERS)
@pytest.mark.draws
def test_a_tracker_has_what_the_run_folder_has(
    launch: Callable, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)  # where MLflow keeps files beside its database
    folder = launch("sentiment", *files, *overrides(name, tmp_path), "trainer.max_epochs=2")
    assert "warnings" not in result(folder)
    epochs, found, pictures = READERS[name](tmp_path if name == "mlflow" else folder)
    assert epochs == {row["epoch"]: pytest.approx(numbers(row), rel=1e-6) for row in rows(folder)}
    content = result(folder)
    assert found == pytest.approx(
        numbers({key: content[key] for key in ("metrics", "training", "parameters")}), rel=1e-6
    )
    assert {"learning_curve", "confusion_matrix"} <= pictures


def test_a_tracker_changes_no_id(composed: Callable) -> None:
    assert len({config_id(composed("sentiment", f"tracker={name}")) for name in options("tracker")}) == 1


@pytest.mark.parametrize("method", ["start", "log_epoch", "finish"])
def test_a_tracker_that_fails_costs_nothing(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    called: list[str] = []

    def call(name: str) -> Callable:
        def run(tracker: object, *arguments: object) -> None:
            called.append(name)
            if name == method:
                raise OSError("the server is gone")

        return run

    for name in ("start", "log_epoch", "finish"):
        monkeypatch.setattr(TensorBoardTracker, name, call(name))
    monkeypatch.setattr(TensorBoardTracker, "check", lambda tracker: None)
    folder = launch("sentiment", *files, "tracker=tensorboard", "trainer.max_epochs=2")
    assert result(folder)["status"] == "ok" and "test" in result(folder)["metrics"]
    assert result(folder)["warnings"] == ["tracker=tensorboard: OSError: the server is gone"]
    assert (
        called
        == ["start", "log_epoch", "log_epoch", "finish"][: ("start", "log_epoch", "", "finish").index(method) + 1]
    )
    assert "tracker=tensorboard failed" in caplog.text


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_named_before_the_training(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setattr("training.trackers.base.find_spec", lambda package: None)
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, f"tracker={name}")
    assert ended.value.code == 2
    assert f"tracker={name} needs the package {name}, which is not installed: pip install" in caplog.text


@pytest.mark.parametrize(
    "uri, variable, needed",
    [
        (None, None, True),
        ("sqlite:///mlflow.db", None, True),
        ("postgresql+psycopg2://host/runs", None, True),
        ("https://host", None, False),
        (None, "https://host", False),
        ("sqlite:///mlflow.db", "https://host", True),
    ],
)
def test_a_database_needs_its_packages(
    monkeypatch: pytest.MonkeyPatch, uri: str | None, variable: str | None, needed: bool
) -> None:
    monkeypatch.setattr("training.trackers.base.find_spec", lambda package: package == "mlflow" or None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if variable:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    tracker = MLflowTracker(uri, None)
    if not needed:
        tracker.check()
        return
    with pytest.raises(InputError, match="tracker=mlflow needs the package sqlalchemy, which is not installed"):
        tracker.check()


STARTED = """
import sys
from pathlib import Path
from training.trackers.base import RunInfo
from training.trackers.mlflow import MLflowTracker, one_at_a_time
tracker = MLflowTracker(sys.argv[1], None)
tracker.start(RunInfo("title", Path(), {"task": "sentiment"}, {}))
tracker.finish("ok", {"x": 1.0}, [])
"""


def test_jobs_that_start_together_share_a_new_store(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    command = [sys.executable, "-c", STARTED, store(tmp_path / "new")]
    jobs = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(job.communicate()[1], job.returncode)[1] for job in jobs] == [0, 0, 0]


def test_a_store_is_opened_by_one_job_at_a_time(tmp_path: Path) -> None:
    with one_at_a_time(store(tmp_path)), pytest.raises(Timeout):
        FileLock(tmp_path / "mlflow.db.lock").acquire(timeout=0)
    with one_at_a_time("https://host"):
        pass


def test_a_resumed_run_has_all_epochs(
    launch: Callable, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    original = Trainer.train_epoch

    def stop(trainer: Trainer) -> dict:
        if trainer.progress.epoch == 1:
            raise KeyboardInterrupt
        return original(trainer)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Trainer, "train_epoch", stop)
        launch("sentiment", *files, "tracker=tensorboard")
    folder = launch("sentiment", *files, "tracker=tensorboard", "resume=true")
    assert list(from_tensorboard(folder)[0]) == [1, 2, 3]
    assert len(list((folder / "tensorboard").iterdir())) == 1


def test_numbers_are_named_by_their_keys() -> None:
    content = {"a": {"b c": 1, "≥5": {"x": 0.5}}, "text": "no", "flag": True, "list": [1]}
    assert numbers(content) == {"a/b c": 1.0, "a/_5/x": 0.5}
