"""A polite request to stop, treated like Ctrl-C."""

import signal
import threading
from types import FrameType


def stop_on_termination() -> None:
    """Turn SIGTERM, as schedulers send it, into ``KeyboardInterrupt``, so that a run records how it ended."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
