"""TensorBoard: event files in the run folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.trackers.base import RunInfo, Tracker


class TensorBoardTracker(Tracker):
    """Writes ``tensorboard/`` into the run folder; ``tensorboard --logdir runs`` shows all runs.

    A run that is resumed writes its earlier epochs again, in place of the files of the run that was stopped.
    """

    package = extra = "tensorboard"

    def start(self, run: RunInfo) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = run.directory / "tensorboard"
        for events in folder.glob("events.out.tfevents.*"):
            events.unlink()
        self.writer: Any = SummaryWriter(str(folder))
        self.writer.add_text("run", f"{run.title}\n\n{as_block(run.identity)}")
        self.writer.add_text("config", as_block(run.config))
        self.epoch = 0

    def log_epoch(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self.epoch = epoch
        for name, value in numbers.items():
            self.writer.add_scalar(f"epochs/{name}", value, epoch)
        self.writer.flush()

    def finish(self, status: str, numbers: Mapping[str, float], files: Sequence[Path]) -> None:
        from matplotlib.image import imread

        self.writer.add_text("status", status)
        for name, value in numbers.items():
            self.writer.add_scalar(f"result/{name}", value, self.epoch)
        for path in files:
            if path.suffix == ".png":
                self.writer.add_image(path.stem, imread(path)[..., :3], self.epoch, dataformats="HWC")
        self.writer.close()


def as_block(content: Mapping[str, Any]) -> str:
    """A mapping as a block of code in Markdown."""
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    return "".join(f"    {line}\n" for line in text.splitlines())
