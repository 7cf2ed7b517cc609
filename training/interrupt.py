"""A polite request to stop, treated like Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(KeyboardInterrupt):
    """The process was asked to end by SIGTERM; its exit code is then 143."""


def stop_on_termination() -> None:
    """Turn SIGTERM, as schedulers send it, into ``TerminatedError``, so that a run records how it ended."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Within it, the first Ctrl-C or SIGTERM waits for the end; a second one acts at once.

    Raised inside an import, an exception may be printed and dropped by whoever calls back into Python.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()

    for number in handlers:
        signal.signal(number, remember)
    try:
        yield
    finally:
        restore()
    if received:
        signal.raise_signal(received[0])


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code that shells expect: 128 and the number of the signal."""
    return 143 if isinstance(interrupt, TerminatedError) else 130


def interrupt(number: int, frame: FrameType | None) -> None:
    raise TerminatedError
