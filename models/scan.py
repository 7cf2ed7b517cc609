"""A parallel scan: all states of a linear recurrence in a logarithmic number of batched operations."""

from typing import Any

import torch
from torch import Tensor


class LinearScan(torch.autograd.Function):
    """The gradient is the same scan over the reversed sequence."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
        states = associative_scan(a, torch.cat([b[:, :1] + a[:, :1] * start.unsqueeze(1), b[:, 1:]], dim=1))
        ctx.save_for_backward(a, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, states, start = ctx.saved_tensors
        following = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], dim=1).conj().resolve_conj()
        by_b = associative_scan(following.flip(1), gradient.flip(1)).flip(1)
        previous = torch.cat([start.unsqueeze(1), states[:, :-1]], dim=1)
        return by_b * previous.conj(), by_b, by_b[:, 0] * a[:, 0].conj()


def linear_scan(a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """c_t = a_t * c_t-1 + b_t for all t, with c_0 = ``start``: ([B, T, N], [B, T, N], [B, N]) -> [B, T, N].

    Real or complex. With |a| <= 1 nothing overflows at any length, since the scan only multiplies and adds; a scan
    that divides by cumulative products (Heinsen, 2023) needs log space for that, where sums over thousands of steps
    lose digits.
    """
    return LinearScan.apply(a, b, start)  # type: ignore[no-untyped-call]


def associative_scan(a: Tensor, b: Tensor) -> Tensor:
    """``linear_scan`` from zero: two steps are one, (a_2 a_1, a_2 b_1 + b_2), so halve and recur (Blelloch, 1990)."""
    if b.shape[1] == 1:
        return b
    pairs = b.shape[1] // 2 * 2
    a_first, b_first, a_second = a[:, :pairs:2], b[:, :pairs:2], a[:, 1::2]
    states = torch.empty_like(b)
    states[:, 1::2] = odd = associative_scan(a_second * a_first, torch.addcmul(b[:, 1::2], a_second, b_first))
    states[:, 0] = b[:, 0]
    states[:, 2::2] = torch.addcmul(b[:, 2::2], a[:, 2::2], odd[:, : (b.shape[1] - 1) // 2])
    return states
