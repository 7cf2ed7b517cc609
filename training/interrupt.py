"""A polite request to stop, treated like Ctrl-C."""

import signal
import threading
from types import FrameType


class TerminatedError(KeyboardInterrupt):
    """The process was asked to end by SIGTERM; its exit code is then 143."""


def stop_on_termination() -> None:
    """Turn SIGTERM, as schedulers send it, into ``TerminatedError``, so that a run records how it ended."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code that shells expect: 128 and the number of the signal."""
    return 143 if isinstance(interrupt, TerminatedError) else 130


def interrupt(number: int, frame: FrameType | None) -> None:
    raise TerminatedError
