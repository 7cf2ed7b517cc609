"""MLflow: a run in an experiment of a tracking server, or of a local store."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from training.trackers.base import RunInfo, Tracker

FILE = "sqlite:///"
DATABASES = ("sqlite", "mysql", "postgresql", "mssql")  # schemes of local stores that need SQLAlchemy
AT_A_TIME = 100  # parameters in one request, MLflow's limit
LONGEST = 500  # characters of a parameter that every store takes
STATUSES = {"ok": "FINISHED", "interrupted": "KILLED"}


class MLflowTracker(Tracker):
    """Logs to a tracking store, without changing MLflow's own state in the process.

    Args:
        uri: of the store: a server, or a local database such as ``sqlite:///mlflow.db``, beside which MLflow keeps
            files in ``mlruns/`` of the working directory; null for the one of the variable MLFLOW_TRACKING_URI, or
            MLflow's default.
        experiment_name: null for ``rnnbench-<task>``.
    """

    package = extra = "mlflow"

    def __init__(self, uri: str | None, experiment_name: str | None) -> None:
        self.uri, self.experiment_name = uri, experiment_name

    def packages(self) -> tuple[str, ...]:
        return ("mlflow", "sqlalchemy", "alembic") if self.store().startswith(DATABASES) else ("mlflow",)

    def store(self) -> str:
        """The address of the store; MLflow's default is a database in the working directory."""
        return self.uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"

    def start(self, run: RunInfo) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        with one_at_a_time(self.store()):
            self.client = MlflowClient(tracking_uri=self.uri)
            name = self.experiment_name or f"rnnbench-{run.identity['task']}"
            found = self.client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else self.client.create_experiment(name)
        tags = {key: str(value) for key, value in run.identity.items()} | {"directory": str(run.directory)}
        self.id = self.client.create_run(experiment, run_name=run.title, tags=tags).info.run_id
        self.log_parameters(dict(parameters(run.config)))

    def log_parameters(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        entries = [Param(key, value[:LONGEST]) for key, value in values.items()]
        for start in range(0, len(entries), AT_A_TIME):
            self.client.log_batch(self.id, params=entries[start : start + AT_A_TIME])

    def log_numbers(self, numbers: Mapping[str, float], step: int) -> None:
        from time import time

        from mlflow.entities import Metric

        now = round(1000 * time())
        self.client.log_batch(self.id, [Metric(name, value, now, step) for name, value in numbers.items()])

    def log_epoch(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self.log_numbers(numbers, epoch)

    def finish(self, status: str, numbers: Mapping[str, float], files: Sequence[Path]) -> None:
        self.client.set_tag(self.id, "status", status)
        self.log_numbers({f"result/{name}": value for name, value in numbers.items()}, 0)
        for path in files:
            self.client.log_artifact(self.id, str(path))
        self.client.set_terminated(self.id, STATUSES.get(status, "FAILED"))


def one_at_a_time(store: str) -> AbstractContextManager[Any]:
    """Held while a run opens a store: jobs of a sweep that start together would create a file's tables twice."""
    if not store.startswith(FILE):
        return nullcontext()
    from filelock import FileLock

    path = Path(store.removeprefix(FILE))
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(f"{path.name}.lock"))


def parameters(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """All values in nested mappings, under dotted keys."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from parameters(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
