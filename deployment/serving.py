"""The life of a service: load, listen, answer, and drain when it is asked to end."""

import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from data.errors import InputError
from training.options import one_sentence, option, parse
from training.predict import Predictor
from training.waiting import choose_wait_policy

Load = Callable[[str, str], Predictor]  # (run folder, device) -> its predictor

LOCAL = ("127.0.0.1", "localhost", "[::1]")
LARGEST_FILE = 10_000_000  # bytes, in base64
BACKLOG = 2048  # connections that wait to be taken
DRAINING = 5  # seconds that are added to the time limit of a request
COMMAND = "python -m tasks.serve"


@dataclass
class Options:
    """``key=value`` on the command line."""

    run: tuple[str, ...] = option(..., "a run folder; several answer side by side", "runs/sentiment/DIR")
    host: str = option("127.0.0.1", "the address to listen at; 0.0.0.0 lets other machines in", "0.0.0.0")
    port: int = option(8000, "the port to listen at; 0 takes a free one", "8080", minimum=0, maximum=65_535)
    device: str = option("auto", "auto, cpu, cuda or mps", "cpu")
    characters: int = option(5000, "the maximum number of characters of all texts in a request", "1000")
    texts: int = option(100, "the maximum number of texts in a request", "10")
    seconds: int = option(30, "the time limit of a request", "10")
    requests: int = option(200, "the maximum number of concurrent requests; more are refused", "50")


def main(load: Load, purpose: str | None) -> None:
    """Serve the runs of the command line until SIGTERM or Ctrl-C; errors are one sentence, without a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with one_sentence():
        options = parse(Options, sys.argv[1:], COMMAND, (purpose or "").strip())
        choose_wait_policy()  # before torch is imported
        check_packages()
        listener = listen(options.host, options.port)
        with listener:
            serve(options, load, listener)


def check_packages() -> None:
    """Raise where the packages of the extra ``serve`` are not installed."""
    try:
        import fastapi
        import uvicorn
    except ImportError as error:
        raise InputError(f"{COMMAND} needs {error.name}: pip install 'rnnbench[serve]'.") from error
    assert fastapi and uvicorn


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address, bound before models are loaded.

    Raises:
        InputError: the port is in use or not allowed, or there is no such host.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise InputError(f"host={host} port={port}: {error.strerror}: give another host or port.") from error
    return listener


def serve(options: Options, load: Load, listener: socket.socket) -> None:
    """Load the models and answer until the process is asked to end; then answer what has come in."""
    import uvicorn

    from deployment.guard import Limits
    from deployment.models import named
    from deployment.service import application

    models = named({folder: load(str(folder), options.device) for folder in dict.fromkeys(map(Path, options.run))})
    body = Limits.body if not any(model.reads_files for model in models.values()) else LARGEST_FILE
    limits = Limits(options.characters, options.texts, body, options.seconds, options.requests)
    config = uvicorn.Config(
        application(models, limits, LOCAL if options.host in (*LOCAL, "::1") else ()),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=options.seconds + DRAINING,
    )
    signal.signal(signal.SIGTERM, leave)  # uvicorn sends itself the signal again when all is answered
    signal.signal(signal.SIGINT, leave)
    listener.listen(BACKLOG)
    announce(options.host, listener.getsockname()[1], list(models))
    uvicorn.Server(config).run(sockets=[listener])


def announce(host: str, port: int, names: list[str]) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"Serving {', '.join(names)} at http://{shown}:{port} (Ctrl-C ends)", flush=True)


def leave(number: int, frame: FrameType | None) -> None:
    """All requests that had come in are answered."""
    sys.exit(0)
