"""Modules of which only the shapes of the parameters are wanted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

DRAWS = {"normal_", "uniform_", "trunc_normal_", "bernoulli_", "kaiming_uniform_", "kaiming_normal_"}


@contextmanager
def shapes_only() -> Iterator[None]:
    """Within it, new parameters have a shape, take no memory, and no values are drawn (the device ``meta``).

    On this device PyTorch decomposes a normal distribution, for which it first imports its compiler: seconds.
    """
    with torch.device("meta"), WithoutDraws():
        yield


class WithoutDraws(TorchFunctionMode):
    """Functions that fill a tensor with random values leave it as it is."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
