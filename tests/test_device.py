"""Devices: CUDA is asked for deterministic kernels, and what a machine lacks is reported."""

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from data.errors import InputError
from training import device


@pytest.fixture
def deterministic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave no setting of CUDA behind."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.parametrize("name, asked", [("cuda", True), ("cpu", False)])
def test_cuda_is_asked_for_deterministic_kernels(deterministic: None, name: str, asked: bool) -> None:
    device.use_deterministic_kernels(torch.device(name))
    assert torch.are_deterministic_algorithms_enabled() is asked
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if asked else None)


def test_every_run_asks_before_its_model_is_built(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.device] = []
    monkeypatch.setattr("training.experiment.use_deterministic_kernels", asked.append)
    monkeypatch.setattr("training.experiment.match_parameters", lambda *_: 1 / len(asked) / 0)
    with pytest.raises(ZeroDivisionError):
        launch("sentiment", *files)
    assert asked == [torch.device("cpu")]


@pytest.mark.parametrize("cuda, mps, chosen", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_the_fastest_device(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert device.choose_device("auto") == torch.device(chosen)
    if not cuda:
        with pytest.raises(InputError, match="device=cuda:1: not available"):
            device.choose_device("cuda:1")


def test_auto_takes_bf16_only_where_the_hardware_multiplies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, chosen in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(device, "multiplies_bf16", lambda _, fast=fast: fast)
        assert device.choose_precision("auto", torch.device("cpu")) == chosen
    with pytest.raises(InputError, match=r"trainer\.precision=fp16: choose auto, fp32 or bf16"):
        device.choose_precision("fp16", torch.device("cpu"))


def test_matrix_products_are_in_bf16_only_where_that_is_the_precision() -> None:
    square = torch.ones(2, 2)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with device.autocast(torch.device("cpu"), precision):
            assert (square @ square).dtype == dtype


def test_memory_errors_of_the_processor_are_memory_errors() -> None:
    with pytest.raises(MemoryError, match="can't allocate"), device.memory_errors():
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    with pytest.raises(RuntimeError, match="of another kind"), device.memory_errors():
        raise RuntimeError("of another kind")


@pytest.mark.skipif(not (device.PROCESS / "clear_refs").exists(), reason="needs Linux")
def test_peak_memory_counts_from_its_reset() -> None:
    cpu = torch.device("cpu")
    device.keep_freed_memory()  # what a run does, and a run after it in the same process is not charged for
    large = np.ones(200_000_000, dtype=np.uint8)
    del large
    before = device.peak_memory_mb(cpu)
    device.reset_peak_memory(cpu)
    assert 0 < device.peak_memory_mb(cpu) < before - 100
    large = np.ones(200_000_000, dtype=np.uint8)
    del large
    assert device.peak_memory_mb(cpu) > before - 100


@pytest.mark.parametrize("process", ["nowhere", "."])
def test_peak_memory_is_measured_without_linux_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, process: str
) -> None:
    monkeypatch.setattr(device, "PROCESS", tmp_path / process)
    device.reset_peak_memory(torch.device("cpu"))
    (tmp_path / "status").write_text("VmPeak: 1 kB\n")
    assert device.peak_memory_mb(torch.device("cpu")) > 50


FREE = """
import sys

import numpy as np

from training.device import keep_freed_memory

def pages():
    return int(open("/proc/self/statm").read().split()[1])

keep_freed_memory()
before = pages()
array = np.ones(2**23)
del array
print(pages() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are")
@pytest.mark.parametrize("variables, kept", [({}, True), ({"MALLOC_ARENA_MAX": "2"}, False)])
def test_freed_memory_is_kept_unless_the_environment_chooses(variables: dict[str, str], kept: bool) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "LD_PRELOAD"))}
    done = subprocess.run(
        [sys.executable, "-c", FREE],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    pages = 2**23 * 8 // resource.getpagesize()
    assert (int(done.stdout) > 0.9 * pages) is kept
