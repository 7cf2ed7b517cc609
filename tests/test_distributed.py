"""Several processes that train one run: two with gloo on this machine, with the variables that ``torchrun`` sets."""

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.distributed as dist
from conftest import PARTS, SMALL, small
from omegaconf import DictConfig
from processes import FORKS, Command, command, run_module
from torch import nn
from torch.distributed.elastic.multiprocessing.subprocess_handler import SubprocessHandler

from data.corpus import Batches, Corpus
from data.errors import InputError
from training import distributed, ranks
from training.build import build
from training.distributed import LostProcessError, Processes, SeveralProcesses
from training.loss import Loss
from training.run import run
from training.trainer import Trainer

assert run  # what it imports, copies of this process need not import

pytestmark = pytest.mark.usefixtures("undrawn")

SHARES = ["trainer.batch_sentences=13"]  # of 40 rows: batches of 13, and one of 1
EXACT = ["model.dropout=0", "model.word_dropout=0"]  # masks are drawn in each process


def new_store() -> dist.TCPStore:
    """Where two processes meet, which ``torchrun`` keeps in a process of its own."""
    return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def variables(rank: int, port: int) -> dict[str, str]:
    """What ``torchrun`` sets for one of two processes."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    return {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", **place}


def two_processes(*options: str, second: Sequence[str] = ()) -> tuple[list[int], list[str]]:
    """The exit codes of two processes, the second one with further options, and what each printed."""
    store = new_store()
    processes = [
        Command("tasks.sentiment", *options, *(second if rank else ()), **variables(rank, store.port))
        for rank in (0, 1)
    ]
    codes = [process.wait(timeout=600) for process in processes]
    return codes, ["".join(process.printed) for process in processes]


def trained(folder: Path, *options: str, **second: Sequence[str]) -> tuple[list[int], list[str]]:
    """The same of a small run."""
    return two_processes(*SMALL, *options, f"hydra.run.dir={folder}", **second)


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


def history(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.endswith("seconds")} for row in rows]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "model.safetensors")


def test_two_processes_train_what_one_does(launch: Callable, files: list[str], tmp_path: Path) -> None:
    """Of every batch one process has 7 rows and the other 6, and of the last batch one has none: equal within 1e-5."""
    options = [*files, *SHARES, *EXACT, "threads=1"]
    codes, printed = trained(tmp_path / "two", *options)
    assert codes == [0, 0] and printed[1] == "" and "2 processes" in printed[0], printed
    one, two = launch("sentiment", *options, folder="one"), tmp_path / "two"
    assert result(two)["environment"]["processes"] == 2 and "processes" not in result(one)["environment"]
    assert result(two)["config_id"] == result(one)["config_id"] and result(two)["metrics"] == result(one)["metrics"]
    rows = list(zip(history(one), history(two), strict=True))
    assert len(rows) == 3 and rows[0][0]["steps"] == 4
    for before, after in rows:
        for name in ("steps", "tokens", "learning_rate", "validation"):
            assert after[name] == before[name]
        for name in ("train_loss", "gradient_norm"):
            assert after[name] == pytest.approx(before[name], rel=1e-5)
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(two)[name], tensor, rtol=1e-5, atol=1e-5)
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()} | {"run.log"}


def start_a_copy(handler: object, command: tuple[str, ...], variables: dict[str, str]) -> multiprocessing.Process:
    """In place of the method by which ``torchrun`` starts Python: a copy of this process, which has the imports."""
    assert command[:3] == (sys.executable, "-u", "-m")
    process = multiprocessing.get_context("fork").Process(target=in_a_session, args=(command[3:], variables))
    process.start()
    process.poll, process.wait = lambda: process.exitcode, process.join  # type: ignore[attr-defined]
    return process


def in_a_session(arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    os.setsid()
    run_module(arguments, variables)


def test_torchrun_starts_a_run(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if FORKS:
        monkeypatch.setattr(SubprocessHandler, "_popen", start_a_copy)
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    options = ["tasks.sentiment", *SMALL, *files, "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'run'}"]
    done = command(*torchrun, *options)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "run")["status"] == "ok" and result(tmp_path / "run")["environment"]["processes"] == 2
    assert done.stdout.count("Files: ") == 1 and done.stderr.count("loading PyTorch") == 1


def signal_itself(monkeypatch: pytest.MonkeyPatch, rank: int, number: signal.Signals) -> None:
    """Let one of the processes that are started next get a signal in its sixth step, after a checkpoint."""
    save = Trainer.save

    def save_and_signal(trainer: Trainer) -> None:
        save(trainer)
        if trainer.processes.rank == rank and trainer.progress.steps == 6:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "save", save_and_signal)


copies = pytest.mark.skipif(not FORKS, reason="processes are copies of this one")


@copies
def test_a_run_that_was_terminated_goes_on_to_the_same_bits(
    launch: Callable, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*files, *SHARES, "trainer.checkpoint_steps=1"]
    with monkeypatch.context() as patch:
        signal_itself(patch, 0, signal.SIGTERM)
        codes, printed = trained(tmp_path / "cut", *options)
    assert codes == [143, 143] and result(tmp_path / "cut")["status"] == "interrupted", printed
    assert printed[0].count("interrupted: the same command with resume=true continues") == 1 and printed[1] == ""
    shutil.copytree(tmp_path / "cut", tmp_path / "alone")
    launch("sentiment", *options, "resume=true", folder="alone")  # in one process, which draws other dropout
    assert result(tmp_path / "alone")["status"] == "ok" and len(history(tmp_path / "alone")) == 3
    assert history(tmp_path / "alone")[0] == history(tmp_path / "cut")[0]
    for folder, more in {"cut": ["resume=true"], "whole": []}.items():
        assert trained(tmp_path / folder, *options, *more)[0] == [0, 0]
    assert history(tmp_path / "cut") == history(tmp_path / "whole")
    for name, tensor in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "cut")[name], tensor)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ("seed=2", "and process 0 on {host} differ in seed: give all machines the same files"),
        ("data.train=none.jsonl", "error: process 1 of 2: There is no file none.jsonl"),
    ],
)
def test_an_error_of_one_process_is_the_error_of_all(
    files: list[str], tmp_path: Path, second: str, sentence: str
) -> None:
    codes, printed = trained(tmp_path / "run", *files, second=[second])
    assert codes == [2, 2] and printed[1] == "", printed
    assert sentence.format(host=socket.gethostname()) in printed[0] and "Traceback" not in printed[0]
    assert not (tmp_path / "run").exists()


@copies
def test_a_process_that_is_killed_ends_the_others(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_itself(monkeypatch, 1, signal.SIGKILL)
    codes, printed = trained(tmp_path / "run", *files, *SHARES, "trainer.checkpoint_steps=1")
    assert codes == [1, -signal.SIGKILL] and "error: Another process of this run ended" in printed[0], printed
    assert result(tmp_path / "run")["status"] == "failed" and "Traceback" not in printed[0]


def test_a_sweep_is_refused_in_one_sentence(tmp_path: Path) -> None:
    codes, printed = two_processes("-m", "seed=1,2", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert codes == [2, 2] and not (tmp_path / "sweep").exists() and printed[1] == ""
    assert printed[0].startswith("error: -m under torchrun: several processes can train one run only")
    assert len(printed[0].splitlines()) == 1


def test_other_commands_are_refused_in_one_sentence(tmp_path: Path) -> None:
    done = command("analysis.compare", str(tmp_path), **variables(0, 1))
    sentence = "error: This command under torchrun: several processes can train one run only; start it without.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


class Unequal(nn.Module):
    """Two linear layers, of which a row uses one, and a third that none uses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(3, 2, dtype=torch.float64) for _ in range(3))

    def loss(self, rows: Sequence[int]) -> Loss:
        """Every row has as many predictions as its number says; row 0 has none, and its loss is NaN."""
        inputs = torch.arange(24, dtype=torch.float64).reshape(8, 3).sin()
        losses = [number * self.layers[number % 2](inputs[number]).square().sum() for number in rows]
        total = torch.stack(losses).sum() if sum(rows) else torch.tensor(torch.nan, dtype=torch.float64)
        return Loss(total, sum(rows))


def gradients(model: nn.Module) -> list[torch.Tensor | None]:
    return [parameter.grad for parameter in model.parameters()]


def reduce_shares(rank: int, port: int, folder: str) -> None:
    """In one of two processes: the loss and the gradients of shares of several kinds."""
    os.environ.update(variables(rank, port))
    found = []
    with distributed.joined() as processes:
        for shares in SHARES_OF_ROWS:
            model, rows = Unequal(), shares[rank]
            loss = model.loss(rows) if rows else Loss(torch.zeros((), dtype=torch.float64), 0)
            if loss.number:
                (loss.total / loss.number).backward()
            loss, counts = processes.reduce(model, Loss(loss.total.detach(), loss.number), [len(rows), 1])
            found.append((loss.total.item(), loss.number, counts, gradients(model)))
        assert processes.broadcast_number(rank + 0.5) == 0.5 and processes.broadcast({"rank": rank}) == {"rank": 0}
    torch.save(found, Path(folder, f"{rank}.pt"))


SHARES_OF_ROWS: list[tuple[list[int], list[int]]] = [
    ([1, 3, 5], [2, 4]),  # each share uses another layer
    ([7], []),
    ([], [6, 2]),
    ([1, 2], [0]),  # rows without predictions
]


@copies
def test_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    """In float64 within 1e-12: shares of unequal size, empty ones, and parameters that some or all do not use."""
    store, fork = new_store(), multiprocessing.get_context("fork")
    processes = [fork.Process(target=reduce_shares, args=(rank, store.port, str(tmp_path))) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
        assert process.exitcode == 0
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for number, (first, second) in enumerate(SHARES_OF_ROWS):
        model, rows = Unequal(), [row for row in first + second if row]
        loss = model.loss(rows)
        (loss.total / loss.number).backward()
        for total, predictions, counts, reduced in (found[0][number], found[1][number]):
            assert total == pytest.approx(loss.total.item(), rel=1e-12) and predictions == loss.number
            assert counts == [len(first) + len(second), 2]
            for gradient, expected in zip(reduced, gradients(model), strict=True):
                assert (gradient is None) == (expected is None)
                torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)
        assert any(gradient is None for gradient in gradients(model))


def of_two(rank: int) -> SeveralProcesses:
    """One of two processes, which is not joined to the other."""
    processes = SeveralProcesses.__new__(SeveralProcesses)
    processes.rank, processes.size = rank, 2
    return processes


@pytest.mark.parametrize("task", PARTS)
def test_shares_make_up_the_batches_of_every_task(composed: Callable[..., DictConfig], task: str) -> None:
    cfg = composed(task, *small(task))
    train = Corpus(build(cfg.data), build(cfg.codec), **cfg.split).splits["train"]
    whole = train.shuffled(10**6, 3, seed=1)
    assert len(whole.rows[-1]) <= 3 and Processes().shard(whole) is whole
    shares = [of_two(rank).shard(whole) for rank in (0, 1)]
    for rows, *parts in zip(whole.rows, *(share.rows for share in shares), strict=True):
        assert sorted(np.concatenate(parts)) == sorted(rows) and abs(len(parts[0]) - len(parts[1])) <= 1
    (empty,) = Batches(train.encoded, [whole.rows[0][:0]])
    assert len(empty.rows) == 0 and empty.num_tokens == 0 and empty.num_positions >= 0


def test_every_process_draws_other_dropout_in_every_step() -> None:
    def drawn(rank: int, seed: int, step: int) -> float:
        of_two(rank).seed_step(seed, step)
        return torch.rand(()).item()

    assert drawn(1, 3, 4) == drawn(1, 3, 4)
    assert len({drawn(*numbers) for numbers in [(0, 3, 4), (1, 3, 4), (1, 4, 4), (1, 3, 5)]}) == 4
    before = torch.get_rng_state()
    Processes().seed_step(3, 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert of_two(1).device(torch.device("cuda")) == torch.device("cuda", 1) and taken == [1]
    assert of_two(1).device(torch.device("cpu")) == torch.device("cpu")
    for name in ("cuda:0", "mps"):
        with pytest.raises(InputError, match=f"device={name}: several processes train with device=cuda"):
            of_two(1).device(torch.device(name))
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match=r"has 2 GPU.* start torchrun with --nproc-per-node 2"):
        of_two(1).device(torch.device("cuda"))


def test_incomplete_variables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="WORLD_SIZE=2 and lacks MASTER_ADDR"), distributed.joined():
        raise AssertionError("unreachable")
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(InputError, match="WORLD_SIZE=two, not a number"):
        ranks.rank()
    monkeypatch.setenv("WORLD_SIZE", "1")
    with distributed.joined() as processes:
        assert processes is distributed.ALONE and not dist.is_initialized()


@pytest.fixture
def signals() -> Iterator[None]:
    """Tests leave signals as they are."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def sharing(store: Any, rank: int) -> SeveralProcesses:
    """One of two processes, with a store for reasons."""
    processes = of_two(rank)
    processes.store = store
    return processes


class LostStore:
    """A store whose process has ended."""

    def refuse(self, *arguments: Any) -> None:
        raise RuntimeError("connection reset")

    get = check = compare_set = refuse


def test_the_first_error_is_that_of_all_and_names_its_process(signals: None) -> None:
    store = dist.HashStore()
    with pytest.raises(InputError) as found, sharing(store, 1).errors():
        raise InputError("a wrong value")
    assert str(found.value) == "a wrong value"  # in its own process
    with pytest.raises(InputError, match=r"^process 1 of 2: a wrong value$") as found, sharing(store, 0).errors():
        raise LostProcessError("no answer")
    assert isinstance(found.value.__cause__, LostProcessError)
    with pytest.raises(InputError, match="process 1 of 2: a wrong value"), sharing(store, 0).errors():
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match=r"^another$"), sharing(store, 0).errors():
        raise ValueError("another")  # the own error says more than that of another process


def test_an_interrupt_stays_one_in_all_processes(signals: None) -> None:
    store = dist.HashStore()
    own = KeyboardInterrupt("by hand")
    with pytest.raises(KeyboardInterrupt) as found, sharing(store, 0).errors():
        raise own
    assert found.value is own
    with pytest.raises(KeyboardInterrupt, match=r"^by hand$"), sharing(store, 1).errors():
        raise LostProcessError("no answer")


def test_without_a_reason_a_lost_process_is_reported(signals: None) -> None:
    for store in (dist.HashStore(), LostStore()):
        with pytest.raises(LostProcessError, match="no answer"), sharing(store, 0).errors():
            raise LostProcessError("no answer")
    with pytest.raises(KeyboardInterrupt), sharing(LostStore(), 0).errors():
        raise KeyboardInterrupt
    with sharing(LostStore(), 0).errors():
        pass  # without an error nothing is asked


def test_from_an_error_on_signals_are_ignored_in_the_main_thread(signals: None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    thread = threading.Thread(target=distributed.ignore_signals)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(ValueError, match=r"^own$"), sharing(dist.HashStore(), 0).errors():
        raise ValueError("own")
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.SIG_IGN


class UnreadableError(Exception):
    """It can be pickled, but takes other arguments than those that it keeps."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}\nand more")


def test_an_error_that_cannot_be_read_again_becomes_one_with_its_name() -> None:
    error = pickle.loads(distributed.pickled(UnreadableError("a", "b")))
    assert type(error) is RuntimeError and str(error) == "UnreadableError: a b"
    error = pickle.loads(distributed.pickled(InputError("plain")))
    assert type(error) is InputError and str(error) == "plain"


def test_a_lost_connection_is_a_lost_process() -> None:
    with pytest.raises(LostProcessError, match="ended or does not answer") as found, distributed.answered():
        raise RuntimeError("connection reset")
    assert str(found.value.__cause__) == "connection reset"
    with pytest.raises(ValueError, match="of another kind"), distributed.answered():
        raise ValueError("of another kind")


@pytest.mark.parametrize("process", [Processes(), of_two(0)], ids=["alone", "of two"])
def test_facts_that_are_the_same_everywhere_are_no_error(
    monkeypatch: pytest.MonkeyPatch, process: SeveralProcesses
) -> None:
    def gather(everywhere: list[Any], own: Any, group: Any) -> None:
        assert group == "patient" and len(everywhere) == 2
        everywhere[:] = [own, ("there", {"seed": 1, "files": "a"})]

    process.patient = "patient"
    monkeypatch.setattr(dist, "all_gather_object", gather)
    monkeypatch.setattr(socket, "gethostname", lambda: "here")
    process.check_same({"seed": 1, "files": "a"})
    if process.size == 2:
        with pytest.raises(InputError, match=r"^Process 1 on there and process 0 on here differ in files:"):
            process.check_same({"seed": 1, "files": "b"})


def test_a_process_alone_changes_nothing() -> None:
    alone, model, loss = Processes(), nn.Linear(1, 1), Loss(torch.tensor(2.0), 3)
    before = [parameter.clone() for parameter in model.parameters()]
    alone.broadcast_weights(model)
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert alone.first and alone.device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    found, counts = alone.reduce(model, loss, (4, 5))
    assert found is loss and counts == [4, 5]
    assert alone.broadcast_number(0.5) == 0.5 and alone.broadcast(model) is model
    with pytest.raises(KeyError), alone.errors():
        raise KeyError
    assert of_two(0).first and not of_two(1).first


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch, signals: None) -> Iterator[SeveralProcesses]:
    """A process that is joined to itself."""
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "",
        "MASTER_PORT": "",
    }.items():
        monkeypatch.setenv(name, value)
    store = dist.HashStore()
    monkeypatch.setattr(distributed, "rendezvous", lambda address, timeout: iter([(store, 0, 1)]))
    with distributed.joined() as processes:
        yield processes
    assert not dist.is_initialized()


def test_processes_that_are_joined_share_numbers_weights_and_values(joined: SeveralProcesses) -> None:
    assert dist.is_initialized() and (joined.rank, joined.size) == (0, 1)
    value = {"a": 1}
    assert joined.broadcast_number(0.1) == 0.1 and joined.broadcast(value) is value
    joined.check_same({"seed": 1})
    model = nn.Linear(2, 1)
    model(torch.ones(2)).sum().backward()
    model.bias.grad = None
    loss, counts = joined.reduce(model, Loss(torch.tensor(6.0), 3), [4, 5])
    assert (loss.total.item(), loss.number, counts) == (6, 3, [4, 5])
    assert model.bias.grad is None and model.weight.grad.tolist() == [[1, 1]]
    loss, counts = joined.reduce(model, Loss(torch.tensor(torch.nan), 0), [1])
    assert (loss.total.item(), loss.number, counts) == (0, 0, [1])
    assert model.weight.grad.tolist() == [[1, 1]]  # without predictions it stays as it was
    loss, counts = joined.reduce(model, Loss(torch.tensor(2.0), 1), [])
    assert (loss.total.item(), loss.number, counts) == (2, 1, []) and model.weight.grad.tolist() == [[1, 1]]


def test_the_others_wait_for_a_validation_as_long_as_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[dict[str, Any]] = []
    monkeypatch.setattr(dist, "new_group", lambda **given: groups.append(given) or "patient")
    store = dist.HashStore()
    processes = SeveralProcesses(store, 1, 3)
    assert (processes.store, processes.rank, processes.size, processes.patient) == (store, 1, 3, "patient")
    assert groups == [{"backend": "gloo", "timeout": distributed.VALIDATION}]


def test_a_share_is_every_other_row_of_the_same_data() -> None:
    encoded = object()
    share = of_two(1).shard(Batches(encoded, [np.array([5, 6, 7]), np.array([8])]))
    assert share.encoded is encoded and [rows.tolist() for rows in share.rows] == [[6], []]


def test_weights_come_from_the_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, int]] = []
    monkeypatch.setattr(dist, "broadcast", lambda tensor, src: sent.append((tensor, src)))
    model = nn.BatchNorm1d(2)
    of_two(1).broadcast_weights(model)
    assert {source for _, source in sent} == {0}
    assert [tensor.data_ptr() for tensor, _ in sent] == [tensor.data_ptr() for tensor in model.state_dict().values()]


def test_a_later_process_takes_what_the_first_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def receive(box: list[Any], src: int, group: Any, device: torch.device) -> None:
        assert (src, group, device) == (0, "patient", torch.device("cpu"))
        sent.append(box[0])
        box[0] = "of the first"

    first, second = of_two(0), of_two(1)
    first.patient = second.patient = "patient"
    monkeypatch.setattr(dist, "broadcast_object_list", receive)
    monkeypatch.setattr(dist, "all_reduce", lambda summed: summed.add_(3))
    assert second.broadcast("own") == "of the first" and second.broadcast_number(9.0) == 3
    assert second.sums([1, 2.5]) == [4, 5.5]
    assert first.broadcast("own") == "own" and sent == [None, "own"]


def test_a_gradient_is_weighted_and_a_share_without_predictions_has_none() -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    assert distributed.gradient(parameter, 0.5).tolist() == [0] * 4
    parameter.grad = torch.full((2, 2), torch.nan)
    assert distributed.gradient(parameter, 0).tolist() == [0] * 4
    parameter.grad = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert distributed.gradient(parameter, 0.5).tolist() == [0.5, 1, 1.5, 2]
    assert distributed.gradient(parameter, 1).tolist() == [1, 2, 3, 4]
