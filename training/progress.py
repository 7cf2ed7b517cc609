"""The bar that runs while an epoch does; nothing but the log where no one watches."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class EpochBar:
    """A bar over the batches of an epoch, with the loss and the speed beside it. It goes when the epoch ends."""

    def __init__(self, title: str, steps: int, shown: bool = True) -> None:
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        self.task = self.bar.add_task(title, total=steps, state="")

    def show(self, loss: float, tokens_per_second: float) -> None:
        self.bar.update(self.task, state=f"loss {loss:.3f}  {tokens_per_second:,.0f} tokens/s")

    def advance(self, steps: int = 1) -> None:
        self.bar.advance(self.task, steps)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
