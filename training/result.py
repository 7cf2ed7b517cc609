"""``result.json``: the outcome of a run, and everything that identifies it."""

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from data.writing import write_json
from training.device import hardware_name
from training.folders import RESULT, SCHEMA
from training.ranks import world_size


class Result:
    """The record of one run, filled as the run goes.

    Args:
        directory: the run folder.
        identity: what is known from the start: task, experiment, cell, config id, seed.
    """

    def __init__(self, directory: Path, identity: dict[str, Any]) -> None:
        self.directory = directory
        self.began = False  # whether the run has made the folder its own
        self.content: dict[str, Any] = {"schema": SCHEMA, "status": None, **identity, "started": now()}

    @property
    def title(self) -> str:
        """A run in a few words."""
        return "{task}: {cell} on {data[name]}, seed {seed}".format(**self.content)

    def add(self, **entries: Any) -> None:
        self.content |= entries

    def warn(self, message: str) -> None:
        """Record what went wrong without costing a score."""
        self.content.setdefault("warnings", []).append(message)

    def write(self, status: str, reason: str | None = None) -> None:
        """Write the record with its status: ``ok``, ``failed``, ``diverged``, ``out_of_memory`` or ``interrupted``."""
        if self.content["status"] == "ok" and status != "ok":  # a later failure costs no score
            status = "ok"
            self.warn(str(reason))
        elif reason is not None:
            self.content["reason"] = reason
        self.content |= {"status": status, "ended": now()}
        write_json(self.directory / RESULT, self.content)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment(device: torch.device) -> dict[str, Any]:
    """The machine and the code of a run; the number of its processes where there are several."""
    processes = world_size()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "cpu": hardware_name(torch.device("cpu")),
        "threads": torch.get_num_threads(),
        **({"processes": processes} if processes > 1 else {}),
        "device": str(device) if device.type == "cpu" else f"{device} ({hardware_name(device)})",
        **commit(),
    }


def commit() -> dict[str, Any]:
    """The commit of this checkout and whether files differ from it; nulls outside a checkout."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    status = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}
