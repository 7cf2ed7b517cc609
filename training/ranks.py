"""Which of the processes of a run this one is, by the variables that ``torchrun`` sets; without importing PyTorch."""

import os
from collections.abc import Sequence

from data.errors import InputError, shorten

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
OF_THE_FIRST = ("hydra.run.dir", "hydra.job_logging", "hydra/job_logging", "hydra.hydra_logging", "hydra/hydra_logging")


def world_size() -> int:
    """The number of processes that train one run together; 1 without ``torchrun``."""
    return number("WORLD_SIZE", 1) if "RANK" in os.environ else 1


def rank() -> int:
    """The number of this process; process 0 evaluates, decides, and writes the run folder."""
    return number("RANK", 0) if world_size() > 1 else 0


def local_rank() -> int:
    """The number of this process on its machine, and so that of its GPU."""
    return number("LOCAL_RANK", 0)


def number(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdecimal():
        raise InputError(f"The environment has {name}={shorten(value)}, not a number: unset it, or use torchrun.")
    return int(value)


def reports_errors() -> bool:
    """Whether this process reports what is wrong with a command line: one on every machine does."""
    return os.environ.get("LOCAL_RANK", "0") == "0" or "RANK" not in os.environ


def check_variables() -> None:
    """Raise where the variables of several processes are incomplete."""
    if missing := [name for name in NEEDED if name not in os.environ]:
        raise InputError(
            f"The environment has WORLD_SIZE={world_size()} and lacks {' and '.join(missing)}: start several processes "
            f"with torchrun, or unset WORLD_SIZE."
        )


def one_process_only(what: str, instead: str) -> None:
    """Raise where several processes were started for what one does."""
    if world_size() > 1:
        raise InputError(f"{what} under torchrun: several processes can train one run only; {instead}.")


def arguments_of(rank: int, arguments: Sequence[str]) -> list[str]:
    """The command line of a process: all but the first have neither a run folder nor a log."""
    if rank == 0:
        return list(arguments)
    kept = [argument for argument in arguments if not argument.lstrip("+~").startswith(OF_THE_FIRST)]
    return [*kept, "hydra.run.dir=.", "hydra/job_logging=none", "hydra/hydra_logging=none"]
