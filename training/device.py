"""Which device and which precision a run uses, and how it keeps to one seed."""

import contextlib
import ctypes
import os
import platform
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

from data.errors import InputError

PROCESS = Path("/proc/self")  # of Linux
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def choose_device(name: str) -> torch.device:
    """``auto`` takes CUDA, else MPS, else the processor."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name.split(":")[0] not in available:
        raise InputError(f"device={name}: choose auto, cpu, cuda or mps.")
    if not available[name.split(":")[0]]:
        raise InputError(f"device={name}: not available on this machine; device=auto takes a device that is.")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """``auto`` takes bf16 where the hardware multiplies in it, else fp32."""
    if name not in ("auto", "fp32", "bf16"):
        raise InputError(f"trainer.precision={name}: choose auto, fp32 or bf16.")
    if name == "auto":
        return "bf16" if multiplies_bf16(device) else "fp32"
    if name == "bf16" and device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise InputError("trainer.precision=bf16: this processor has no kernels for it; take auto or fp32.")
    return name


def multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Turn what PyTorch raises on a processor without memory left, a plain ``RuntimeError``, into a ``MemoryError``."""
    try:
        yield
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise MemoryError(str(error).splitlines()[0]) from error


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[None]:
    """Matrix products in bf16 where that is the precision, weights and sums in fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def limit_kernel_cache() -> None:
    """Keep fewer of oneDNN's compiled kernels: each shape of a batch makes some, of about 4 MB each."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def keep_freed_memory() -> None:
    """Let glibc reuse large buffers that were freed: it returns them to the system, and every step waits for new pages.

    Where the environment chooses how memory is allocated (``MALLOC_...``, ``LD_PRELOAD``), nothing changes.
    """
    chosen = any(name.startswith("MALLOC_") or name == "LD_PRELOAD" for name in os.environ)
    if not chosen and has_glibc():
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def use_deterministic_kernels(device: torch.device) -> None:
    """Ask CUDA for kernels that give the same bits twice; those of the processor do."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def reset_peak_memory(device: torch.device) -> None:
    """Let ``peak_memory_mb`` count from now on, so that a run is not charged for those before it in its process.

    Only Linux can do this for the memory of a process; what earlier runs still hold counts.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    if has_glibc():
        ctypes.CDLL(None).malloc_trim(0)  # gives back what earlier runs have freed
    with contextlib.suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")


def peak_memory_mb(device: torch.device) -> float:
    """The most memory held since ``reset_peak_memory``, in MB: of the GPU on CUDA, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s*(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if platform.system() == "Darwin" else peak * 1024 / 1e6


def hardware_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def processor_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
