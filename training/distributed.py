"""One training in several processes, as ``torchrun`` starts them: each has a share of every batch and the same weights.

The first process validates, decides and writes the run folder; the others train along. Gradients are summed in one
vector after each backward pass. Of a run with one process, nothing here does anything.
"""

import hashlib
import pickle
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from data.corpus import Batches
from data.errors import InputError, first_line
from training.loss import Loss
from training.ranks import check_variables, local_rank, world_size

Value = TypeVar("Value")

STEP = timedelta(minutes=30)  # in which every process must have done its share of a step
VALIDATION = timedelta(hours=12)  # for which the others wait while the first process validates and writes


class LostProcessError(RuntimeError):
    """Another process of the run has ended without a reason that is known here, or does not answer."""


class Processes:
    """The processes that train a run together; here, as in most runs, only one."""

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this process validates, decides and writes."""
        return self.rank == 0

    def device(self, device: torch.device) -> torch.device:
        """The device of this process, of the kind that was chosen for all."""
        return device

    def broadcast_weights(self, model: nn.Module) -> None:
        """Give every process the weights and buffers of the first one."""

    def check_same(self, facts: dict[str, Any]) -> None:
        """Raise ``InputError`` where facts by name, on which batches and gradients depend, differ between processes."""

    def shard(self, batches: Batches) -> Batches:
        """The part of every batch that this process computes."""
        return batches

    def seed_step(self, seed: int, step: int) -> None:
        """Let every process draw dropout of its own, which depends on the step alone."""

    def reduce(self, model: nn.Module, loss: Loss, counts: Sequence[int]) -> tuple[Loss, list[int]]:
        """The loss and the counts of all processes; gradients become those of the mean over all their predictions."""
        return loss, list(counts)

    def broadcast_number(self, value: float) -> float:
        """The number that the first process has."""
        return value

    def broadcast(self, value: Value) -> Value:
        """What the first process has, for which the others wait as long as a validation may take."""
        return value

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Within it, an error of one process is raised in all."""
        yield


ALONE = Processes()


class SeveralProcesses(Processes):
    """More than one process, joined by ``torch.distributed``: gloo, and NCCL for tensors on GPUs.

    Args:
        store: a store of ``torch.distributed``, for the reason why a process has ended.
        rank, size: the number of this process, and of all.
    """

    def __init__(self, store: Any, rank: int, size: int) -> None:
        self.store, self.rank, self.size = store, rank, size
        self.patient = dist.new_group(backend="gloo", timeout=VALIDATION)

    def device(self, device: torch.device) -> torch.device:
        """The GPU with the number of the process on its machine.

        Raises:
            InputError: there is none, or several processes cannot use the device.
        """
        if device.type == "cpu":
            return device
        if device.type != "cuda" or device.index is not None:
            raise InputError(f"device={device}: several processes train with device=cuda, a GPU each, or device=cpu.")
        if local_rank() >= (found := torch.cuda.device_count()):
            raise InputError(
                f"{socket.gethostname()} has {found} GPU(s) and more processes: start torchrun with "
                f"--nproc-per-node {found}, or add device=cpu."
            )
        torch.cuda.set_device(local_rank())
        return torch.device("cuda", local_rank())

    def broadcast_weights(self, model: nn.Module) -> None:
        with answered():
            for tensor in model.state_dict().values():
                dist.broadcast(tensor, src=0)

    def check_same(self, facts: dict[str, Any]) -> None:
        everywhere: list[Any] = [None] * self.size
        with answered():
            dist.all_gather_object(everywhere, (socket.gethostname(), facts), group=self.patient)
        for rank, (host, other) in enumerate(everywhere):
            for name, fact in everywhere[0][1].items():
                if other[name] != fact:
                    raise InputError(
                        f"Process {rank} on {host} and process 0 on {everywhere[0][0]} differ in {name}: give all "
                        f"machines the same files, versions and options, trainer.precision among them."
                    )

    def shard(self, batches: Batches) -> Batches:
        """Every n-th row, so that shares are of similar lengths; of a batch with fewer rows some shares are empty."""
        return Batches(batches.encoded, [rows[self.rank :: self.size] for rows in batches.rows])

    def seed_step(self, seed: int, step: int) -> None:
        digest = hashlib.sha256(f"{seed}:{step}:{self.rank}".encode()).digest()
        torch.manual_seed(int.from_bytes(digest[:7]))

    def reduce(self, model: nn.Module, loss: Loss, counts: Sequence[int]) -> tuple[Loss, list[int]]:
        """As above. A parameter that no process has used in a step keeps no gradient, and optimizers pass over it."""
        parameters = list(model.parameters())
        known = [loss.number > 0 and parameter.grad is not None for parameter in parameters]
        number, *sums = map(int, self.sums([loss.number, *counts, *known]))
        used = [parameter for parameter, users in zip(parameters, sums[len(counts) :], strict=True) if users]
        weight = loss.number / max(1, number)  # the gradients here are those of the mean over this share
        parts = [gradient(parameter, weight) for parameter in used]
        flat = torch.cat([*parts, loss.total.reshape(1) if loss.number else loss.total.new_zeros(1)])
        with answered():
            dist.all_reduce(flat)
        for parameter, summed in zip(used, flat.split([*map(len, parts), 1]), strict=False):
            parameter.grad = summed.view_as(parameter)
        return Loss(flat[-1], number), sums[: len(counts)]

    def broadcast_number(self, value: float) -> float:
        return self.sums([value if self.first else 0.0])[0]

    def sums(self, numbers: Sequence[float]) -> list[float]:
        """Numbers of the processor, each summed over all processes."""
        summed = torch.tensor(numbers, dtype=torch.float64)
        with answered():
            dist.all_reduce(summed)
        return summed.tolist()

    def broadcast(self, value: Value) -> Value:
        box = [value if self.first else None]
        with answered():
            dist.broadcast_object_list(box, src=0, group=self.patient, device=torch.device("cpu"))
        return value if self.first else box[0]  # type: ignore[return-value]

    @contextmanager
    def errors(self) -> Iterator[None]:
        """As above: the reason is posted before a process leaves, and found by those that miss it or are to stop too.

        From an error on, signals are ignored: ``torchrun`` ends what is left as soon as one process has ended.
        """
        try:
            yield
        except BaseException as error:
            ignore_signals()
            missed = isinstance(error, LostProcessError)
            posted = self.posted() if missed else self.post(error)
            if posted is None or posted is error or not (missed or isinstance(error, KeyboardInterrupt)):
                raise
            raise posted from error

    def post(self, error: BaseException) -> BaseException | None:
        """Say why this process ends, unless another has ended before; the first reason of any process."""
        try:
            reason = f"{self.rank} {pickled(error).hex()}"
            found = self.store.compare_set("reason", "", reason).decode()
        except RuntimeError:
            return None
        return error if found == reason else self.reason(found)

    def posted(self) -> BaseException | None:
        """The reason that another process has posted."""
        try:
            return self.reason(self.store.get("reason").decode()) if self.store.check(["reason"]) else None
        except RuntimeError:
            return None

    def reason(self, text: str) -> BaseException:
        """A posted error, which names its process where a user can do something about it."""
        rank, content = text.split()
        error: BaseException = pickle.loads(bytes.fromhex(content))  # of a process of this run
        if not isinstance(error, KeyboardInterrupt):
            error.args = (f"process {rank} of {self.size}: {error}",)
        return error


def gradient(parameter: nn.Parameter, weight: float) -> Tensor:
    """A weighted gradient in one dimension; zeros for a share that has no part in it."""
    if parameter.grad is None or weight == 0:
        return torch.zeros_like(parameter).flatten()
    return (parameter.grad * weight).flatten()


@contextmanager
def answered() -> Iterator[None]:
    """Turn what a lost connection raises into ``LostProcessError``."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            "Another process of this run ended or does not answer, and left no reason: see its output."
        ) from error


def pickled(error: BaseException) -> bytes:
    """An error as bytes; one that cannot be read again as a ``RuntimeError`` with its name."""
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {first_line(error)}"))
    return content


def ignore_signals() -> None:
    """Let nothing but SIGKILL end this process before it has written why it ends."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes of this run, which wait for each other to start.

    Raises:
        InputError: the variables of ``torchrun`` are incomplete.
        LostProcessError: not all of them have started in time.
    """
    if world_size() == 1:
        yield ALONE
        return
    check_variables()
    with answered():
        store, rank, size = next(rendezvous("env://", timeout=STEP))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=STEP)
        processes = SeveralProcesses(store, rank, size)
    with processes.errors():
        yield processes
    dist.destroy_process_group()
