"""Padded batches of sentences: reversing each within its length, and reading its last step."""

from typing import Any

import torch
from torch import Tensor


class ReverseRows(torch.autograd.Function):
    """Permute the steps of every sentence by an index that is its own inverse."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return inputs.flatten(0, 1).index_select(0, index).view_as(inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return gradient.flatten(0, 1).index_select(0, index).view_as(gradient), None


def reverse_padded(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Reverse every sentence and leave its padding in place: ([B, T, ...], [B]) -> [B, T, ...]."""
    batch, width = inputs.shape[:2]
    steps = torch.arange(width, device=inputs.device)
    mirrored = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    rows = torch.arange(batch, device=inputs.device)[:, None] * width
    return ReverseRows.apply(inputs, (rows + mirrored).flatten())  # type: ignore[no-untyped-call]


def last_step(outputs: Tensor, lengths: Tensor, start: Tensor) -> Tensor:
    """The outputs at the last token, ``start`` [B, H] where there is none: ([B, T, H], [B]) -> [B, H]."""
    index = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, outputs.shape[-1])
    last = outputs.gather(1, index).squeeze(1)
    return torch.where((lengths > 0)[:, None], last, start.to(last.dtype))


def last_of_row(mask: Tensor) -> Tensor:
    """True at the last True of every row alone: [B, T] -> [B, T]."""
    return mask & (mask.flip(1).cumsum(dim=1).flip(1) == 1)


def mean_over_time(outputs: Tensor, mask: Tensor) -> Tensor:
    """The mean over the tokens, zero for a sentence without any: ([B, T, D], zero on padding, and [B, T]) -> [B, D]."""
    return outputs.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
