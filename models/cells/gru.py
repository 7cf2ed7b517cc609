"""The gated recurrent unit (Cho et al., 2014), in the form that PyTorch and cuDNN compute."""

import torch
from torch import Tensor

from models.cells.base import FusedCell, State
from models.recurrence import PackedSteps, Recurrence, Weights, add_product

IN_CACHE = 64  # tokens whose gates a core holds close to it


class GRURecurrence(Recurrence):
    """Blocks r, z, n of W_ih and n, r, z of W_hh, so that products of r and z are added in place.

    With g the gradient of h', those of the products are (1 - z) (1 - n^2) g for n, r times that for W_hn h + b_hn,
    (h - n) z (1 - z) g for z, and (W_hn h + b_hn) (1 - r) times that of W_hn h + b_hn for r.
    """

    def input_bias(self, weights: Weights) -> Tensor:
        size = weights.hh.shape[2]
        return weights.bias_ih + torch.nn.functional.pad(weights.bias_hh[:, size:], (0, size))

    def forward(self, gates: Tensor, states: list[Tensor], weights: Weights, steps: PackedSteps) -> list[Tensor]:
        (h,) = states
        size = h.shape[2]
        r, z, n = gates.split(size, dim=2)
        rz, products = gates[..., : 2 * size], torch.empty_like(n)  # W_hn h + b_hn
        products[:] = weights.bias_hh[:, None, :size]
        blocks = weights.hh.split([size, 2 * size], dim=1)
        weight_n, weight_rz = (block.contiguous().transpose(1, 2) for block in blocks)  # else copied in every step
        for now, after, before in steps.steps:
            old, candidate = h[:, before], n[:, now]
            add_product(rz[:, now], old, weight_rz).sigmoid_()
            product = add_product(products[:, now], old, weight_n)
            candidate.addcmul_(r[:, now], product).tanh_()
            torch.lerp(candidate, old, z[:, now], out=h[:, after])
        return [gates, products]

    def backward(
        self, gradients: list[Tensor], saved: list[Tensor], states: list[Tensor], weights: Weights, steps: PackedSteps
    ) -> tuple[Tensor, slice, slice]:
        (by_h,), (gates, products), (h,) = gradients, saved, states
        size = h.shape[2]
        z = gates[..., size : 2 * size]
        factors = gates.new_empty(*gates.shape[:2], 4, size)
        for first in range(0, steps.tokens, IN_CACHE):
            rows = slice(first, first + IN_CACHE)
            before = h.index_select(1, steps.before[rows])
            self.write_factors(factors[:, rows], gates[:, rows], products[:, rows], before)
        flat = factors.flatten(2)
        by_hh = flat[..., : 3 * size]
        for now, after, before in reversed(steps.steps):
            gradient = by_h[:, after]
            factors[:, now].mul_(gradient.unsqueeze(2))
            add_product(by_h[:, before].addcmul_(gradient, z[:, now]), by_hh[:, now], weights.hh)
        return flat, slice(size, None), slice(None, 3 * size)

    @staticmethod
    def write_factors(factors: Tensor, gates: Tensor, products: Tensor, before: Tensor) -> None:
        """By what g is multiplied, from [D, n, 3 H], [D, n, H] and h [D, n, H], which is overwritten: [D, n, 4, H]."""
        r, z, n = gates.chunk(3, dim=2)
        by_product, by_r, by_z, by_n = factors.unbind(2)
        torch.addcmul(1 - z, 1 - z, n * n, value=-1, out=by_n)
        torch.mul(by_n, r, out=by_product)
        torch.mul(by_product * products, 1 - r, out=by_r)
        torch.mul(before.sub_(n), z - z * z, out=by_z)


class GRUCell(FusedCell):
    """Reset gate r, update gate z, candidate n (Cho et al., 2014).

    r, z = sigmoid(W_ih x + b_ih + W_hh h + b_hh)
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h' = (1 - z) * n + z * h
    """

    num_gates = 3
    recurrence = GRURecurrence()

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        r_x, z_x, n_x = projected.chunk(3, dim=-1)
        r_h, z_h, n_h = self.linear_hh(h).chunk(3, dim=-1)
        r = torch.sigmoid(r_x + r_h)
        z = torch.sigmoid(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        return ((1 - z) * n + z * h,)

    def recurrent_blocks(self, parameter: Tensor) -> Tensor:
        r, z, n = parameter.chunk(3)
        return torch.cat([n, r, z])

    def kernel(self, inputs: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        start = state[0].unsqueeze(0).to(inputs.dtype)
        outputs, _ = torch.gru(inputs, start, self.weights(), True, 1, 0.0, self.training, False, True)
        return outputs, state
