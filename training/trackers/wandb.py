"""Weights & Biases: a run in a project, online or in the local files of its offline mode."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.trackers.base import RunInfo, Tracker

SECONDS = 30  # to wait for the server at the start


class WandbTracker(Tracker):
    """Logs to a project; ``mode=offline`` writes into the run folder, for ``wandb sync`` later.

    Args:
        project: the project; null for ``rnnbench-<task>``.
        entity: the user or the team; null for the one who is logged in.
        mode: ``online``, ``offline`` or ``disabled``; null for the one of the variable WANDB_MODE, or online.
    """

    package = extra = "wandb"

    def __init__(self, project: str | None, entity: str | None, mode: str | None) -> None:
        self.project, self.entity, self.mode = project, entity, mode

    def start(self, run: RunInfo) -> None:
        import wandb

        mode: Any = self.mode
        self.run: Any = wandb.init(
            project=self.project or f"rnnbench-{run.identity['task']}",
            entity=self.entity,
            mode=mode,
            name=f"{run.identity['cell']}-{run.identity['config_id']}-seed{run.identity['seed']}",
            notes=run.title,
            dir=str(run.directory),
            config={**run.config, "run": run.identity},
            settings=wandb.Settings(init_timeout=SECONDS, silent=True, console="off", reinit="create_new"),
        )

    def log_epoch(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self.run.log(dict(numbers), step=epoch)

    def finish(self, status: str, numbers: Mapping[str, float], files: Sequence[Path]) -> None:
        import wandb

        self.run.summary.update({"status": status, **{f"result/{name}": value for name, value in numbers.items()}})
        pictures = [path for path in files if path.suffix == ".png"]
        self.run.log({f"pictures/{path.stem}": wandb.Image(str(path)) for path in pictures})
        for path in files:
            self.run.save(str(path), base_path=str(path.parent), policy="now")
        self.run.finish(exit_code=0 if status == "ok" else 1)
