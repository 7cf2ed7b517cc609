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
    assert torch.is_deterministic_algorithms_warn_only_enabled() is asked
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


def test_a_device_is_refused_where_it_is_unknown_or_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="device=tpu: choose auto, cpu, cuda or mps"):
        device.choose_device("tpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert device.choose_device("cuda:1") == torch.device("cuda", 1)
    assert device.choose_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device=mps: not available on this machine; device=auto"):
        device.choose_device("mps")


@pytest.mark.parametrize("kernels", [True, False])
def test_bf16_that_is_asked_for_needs_kernels_of_the_processor(monkeypatch: pytest.MonkeyPatch, kernels: bool) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: kernels)
    monkeypatch.setattr(device, "multiplies_bf16", lambda _: False)
    assert device.choose_precision("fp32", torch.device("cpu")) == "fp32"
    assert device.choose_precision("bf16", torch.device("cuda")) == "bf16"  # emulated, if need be
    if kernels:
        assert device.choose_precision("bf16", torch.device("cpu")) == "bf16"
    else:
        with pytest.raises(InputError, match=r"trainer\.precision=bf16: this processor has no kernels"):
            device.choose_precision("bf16", torch.device("cpu"))


@pytest.mark.parametrize("there", [True, False])
def test_emulated_bf16_is_no_hardware_for_it(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: there or bool(including_emulation)
    )
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: there)
    assert device.multiplies_bf16(torch.device("cuda")) is there
    assert device.multiplies_bf16(torch.device("cpu")) is there
    assert not device.multiplies_bf16(torch.device("mps"))


def test_a_memory_error_is_its_first_line_and_has_its_cause() -> None:
    with pytest.raises(MemoryError) as found, device.memory_errors():
        raise RuntimeError("DefaultCPUAllocator: no memory\nException raised from\na stack")
    assert str(found.value) == "DefaultCPUAllocator: no memory" and isinstance(found.value.__cause__, RuntimeError)


def test_the_cache_of_kernels_is_limited_unless_the_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    device.limit_kernel_cache()
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    device.limit_kernel_cache()
    assert os.environ[name] == "64"


class Allocator:
    """Notes what is asked of the C library."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def mallopt(self, *given: int) -> None:
        self.asked.append(given)

    def malloc_trim(self, *given: int) -> None:
        self.asked.append(given)


@pytest.fixture
def allocator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Allocator:
    """The C library, with no choice of the environment; files of the process are in ``tmp_path``."""
    for name in list(os.environ):
        if name.startswith("MALLOC_") or name == "LD_PRELOAD":
            monkeypatch.delenv(name)
    made = Allocator()
    monkeypatch.setattr("ctypes.CDLL", lambda name: made if name is None else None)
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(device, "PROCESS", tmp_path)
    return made


def test_glibc_keeps_large_buffers(allocator: Allocator) -> None:
    device.keep_freed_memory()
    assert sorted(allocator.asked) == [(-4, 0), (-1, 2**31 - 1)]  # numbers of its malloc.h


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "LD_PRELOAD", "libc"])
def test_another_allocator_is_left_as_it_is(
    allocator: Allocator, monkeypatch: pytest.MonkeyPatch, name: str, tmp_path: Path
) -> None:
    if name == "libc":
        monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1"))
        device.reset_peak_memory(torch.device("cpu"))
    else:
        monkeypatch.setenv(name, "x")
    device.keep_freed_memory()
    assert not allocator.asked


def test_the_peak_of_a_process_is_what_linux_says(allocator: Allocator, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    device.reset_peak_memory(cpu)
    assert (tmp_path / "clear_refs").read_text() == "5" and allocator.asked == [(0,)]
    (tmp_path / "status").write_text("VmPeak:\t 9 kB\nVmHWM:\t   2000 kB\nVmRSS:\t 1 kB\n")
    assert device.peak_memory_mb(cpu) == 2.048


@pytest.mark.parametrize("system, peak", [("Darwin", 3.0), ("Windows", 3072.0)])
def test_the_peak_of_a_process_has_the_unit_of_its_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, peak: float
) -> None:
    monkeypatch.setattr(device, "PROCESS", tmp_path)
    monkeypatch.setattr("platform.system", lambda: system)

    class Usage:
        ru_maxrss = 3_000_000

    monkeypatch.setattr(resource, "getrusage", lambda who: Usage() if who == resource.RUSAGE_SELF else None)
    assert device.peak_memory_mb(torch.device("cpu")) == peak


def test_memory_and_name_of_a_gpu_are_those_of_that_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    second, reset = torch.device("cuda", 1), []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda of: 5_000_000 if of == second else 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda of: "GPU 1" if of == second else "GPU 0")
    device.reset_peak_memory(second)
    assert reset == [second] and device.peak_memory_mb(second) == 5
    assert device.hardware_name(second) == "GPU 1" and device.hardware_name(torch.device("cpu")) != "GPU 1"


@pytest.mark.parametrize(
    "information, name",
    [
        ("processor : 0\nmodel name\t: CPU 3: fast \nmodel name : other\n", "CPU 3: fast"),
        ("processor : 0\n", "arm"),
        (None, "arm"),
    ],
)
def test_the_processor_is_named_as_the_system_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, information: str | None, name: str
) -> None:
    if information is not None:
        (tmp_path / "cpuinfo").write_text(information)
    monkeypatch.setattr(device, "Path", lambda path: tmp_path / Path(path).relative_to("/proc"))
    monkeypatch.setattr("platform.processor", lambda: "arm")
    assert device.processor_name() == name
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "a machine")
    assert device.processor_name() == (name if "model name" in (information or "") else "a machine")
