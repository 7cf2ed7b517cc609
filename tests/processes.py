"""Commands of the suite in processes of their own, which do not wait for the imports that this process has done."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import composing
import torch
import torch._dynamo
from hydra.core.global_hydra import GlobalHydra

assert torch._dynamo  # the first optimizer of a process imports it, and copies of this one find it imported
ROOT = Path(__file__).parents[1]
FORKS = sys.platform == "linux" and not torch.cuda.is_available()  # CUDA and its threads do not survive a fork


class Command:
    """``python -m module arguments``, started in the root of the checkout: a copy of this process where that works.

    Args:
        stdin: what it reads, a text or a descriptor.
        root: of another checkout.
        variables: of its environment.
    """

    def __init__(
        self, module: str, *arguments: str, stdin: str | int = "", root: Path = ROOT, **variables: str
    ) -> None:
        self.arguments, self.root = [module, *arguments], root
        self.stdin = text_file(stdin) if isinstance(stdin, str) else os.fdopen(stdin, closefd=False)
        self.variables = {"OMP_NUM_THREADS": "1", **variables}
        self.files = [tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") for _ in range(2)]  # noqa: SIM115
        if FORKS:
            self.process = multiprocessing.get_context("fork").Process(target=self.run)
            self.process.start()
        else:
            command = [sys.executable, "-m", *self.arguments]
            environment = {**os.environ, **self.variables}
            out, err = self.files
            self.process = subprocess.Popen(
                command, cwd=root, stdin=self.stdin, stdout=out, stderr=err, env=environment
            )

    def run(self) -> None:
        """What the copy of this process does."""
        for stream, file in enumerate((self.stdin, *self.files)):
            os.dup2(file.fileno(), stream)
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1, encoding="utf-8") for stream in (1, 2))
        warnings.resetwarnings()
        warnings.simplefilter("ignore", DeprecationWarning)  # as in a process that is no test
        os.chdir(self.root)
        if self.root != ROOT:
            forget_modules(self.root)
        run_module(self.arguments, self.variables)

    @property
    def output(self) -> str:
        """What it has written to standard output so far."""
        descriptor = self.files[0].fileno()  # of which the process uses the position, too
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def poll(self) -> int | None:
        """The exit code; None while the process runs."""
        return self.process.exitcode if FORKS else self.process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the process has ended."""
        if FORKS:
            self.process.join(timeout)
        else:
            self.process.wait(timeout)
        code = self.poll()
        assert code is not None, "the process has not ended"
        self.stdin.close()
        self.printed = [close(file) for file in self.files]
        return code


def run_module(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """What ``python -m module arguments`` does, in a copy of this process."""
    os.environ.update(variables)
    sys.argv[1:] = arguments[1:]
    GlobalHydra.instance().clear()
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def forget_modules(root: Path) -> None:
    """Import the suite from another checkout from now on; what is not of the suite stays imported."""
    composing.forget()
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(ROOT) and name != "__main__":
            del sys.modules[name]
    sys.path[:] = [str(root), *(path for path in sys.path if not Path(path or ".").resolve().is_relative_to(ROOT))]


def text_file(text: str) -> IO[str]:
    """A file without a name, to be read from its start."""
    file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    file.write(text)
    file.seek(0)
    return file


def close(file: IO[str]) -> str:
    """Close a file; its content."""
    with file:
        file.seek(0)
        return file.read()


def command(
    module: str, *arguments: str, stdin: str = "", root: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command from start to end, with all that it printed."""
    started = Command(module, *arguments, stdin=stdin, root=root, **variables)
    return subprocess.CompletedProcess(started.arguments, started.wait(), *started.printed)


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once the condition is met."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")
