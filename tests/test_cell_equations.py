"""Cells without a counterpart in PyTorch, against the equations of their papers, one step at a time."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.cells.ind_rnn import IndRNNCell
from models.cells.irnn import IRNNCell
from models.cells.layer_norm_lstm import LayerNormLSTMCell
from models.cells.lru import LRUCell
from models.cells.mgu import MGUCell
from models.cells.min_gru import MinGRUCell
from models.cells.min_lstm import MinLSTMCell
from models.cells.mlstm import MLSTMCell
from models.cells.peephole_lstm import PeepholeLSTMCell
from models.cells.qrnn import QRNNCell
from models.cells.s6 import S6Cell
from models.cells.slstm import SLSTMCell
from models.cells.sru import SRUCell

B, T, INPUT, H = 2, 5, 3, 8
sigmoid, tanh = torch.sigmoid, torch.tanh


def blocks(linear: torch.nn.Linear, x: Tensor, count: int) -> tuple[Tensor, ...]:
    return linear(x).chunk(count, dim=-1)


def g(y: Tensor) -> Tensor:
    return torch.where(y >= 0, y + 0.5, sigmoid(y))


def min_gru(cell: MinGRUCell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    z, candidate = blocks(cell.linear, x, 2)
    h = (1 - sigmoid(z)) * h + sigmoid(z) * g(candidate)
    return h, h


def min_lstm(cell: MinLSTMCell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    f, i, candidate = blocks(cell.linear, x, 3)
    f, i = sigmoid(f), sigmoid(i)
    h = f / (f + i) * h + i / (f + i) * g(candidate)
    return h, h


def sru(cell: SRUCell, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    f, r, w = blocks(cell.linear, x, 3)
    f, r = sigmoid(f + cell.v_f * c), sigmoid(r + cell.v_r * c)
    c = f * c + (1 - f) * w
    return r * c + (1 - r) * cell.highway(x) * 3**0.5, c


def ind_rnn(cell: IndRNNCell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    h = (cell.linear(x) + cell.u * h).clamp(min=0)
    return h, h


def mgu(cell: MGUCell, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    f, candidate = blocks(cell.linear, x, 2)
    f = sigmoid(f + h @ cell.u_f.T)
    h = (1 - f) * h + f * tanh(candidate + (f * h) @ cell.u_h.T)
    return h, h


def peephole_lstm(cell: PeepholeLSTMCell, x: Tensor, state: tuple) -> tuple[Tensor, tuple]:
    h, c = state if isinstance(state, tuple) else (state, state)
    i, f, candidate, o = (cell.linear_ih(x) + cell.linear_hh(h)).chunk(4, dim=-1)
    p_i, p_f, p_o = cell.peepholes
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(candidate)
    h = sigmoid(o + p_o * c) * tanh(c)
    return h, (h, c)


def layer_norm_lstm(cell: LayerNormLSTMCell, x: Tensor, state: tuple) -> tuple[Tensor, tuple]:
    h, c = state if isinstance(state, tuple) else (state, state)

    def norm(v: Tensor) -> Tensor:
        return (v - v.mean(-1, keepdim=True)) / (v.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()

    i, f, candidate, o = (norm(cell.linear_ih(x)) + norm(cell.linear_hh(h)) + cell.norm_ih.bias).chunk(4, dim=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(candidate)
    h = sigmoid(o) * tanh(norm(c))
    return h, (h, c)


def slstm(cell: SLSTMCell, x: Tensor, state: tuple) -> tuple[Tensor, tuple]:
    h, c, n = state if isinstance(state, tuple) else (state, state, state)
    i, f, z, o = (cell.linear_ih(x) + cell.linear_hh(h)).chunk(4, dim=-1)
    c = sigmoid(f) * c + i.exp() * tanh(z)
    n = sigmoid(f) * n + i.exp()
    h = sigmoid(o) * c / n
    return h, (h, c, n)


def mlstm(cell: MLSTMCell, x: Tensor, state: tuple) -> tuple[Tensor, tuple]:
    if not isinstance(state, tuple):
        state = torch.zeros(B, H, cell.key_size), torch.zeros(B, cell.key_size)
    q, k, v, o, i, f = cell.linear(x).split([cell.key_size, cell.key_size, H, H, 1, 1], dim=-1)
    k = k / cell.key_size**0.5
    c = sigmoid(f).unsqueeze(-1) * state[0] + i.exp().unsqueeze(-1) * v.unsqueeze(2) * k.unsqueeze(1)
    n = sigmoid(f) * state[1] + i.exp() * k
    norm = (n * q).sum(-1, keepdim=True).abs().clamp(min=1)
    return sigmoid(o) * torch.einsum("bhk,bk->bh", c, q) / norm, (c, n)


def lru(cell: LRUCell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    real, imaginary, direct = blocks(cell.linear, x, 3)
    decay = torch.exp(torch.complex(-cell.nu.exp(), cell.theta.exp()))
    state = decay * state + cell.log_gamma.exp() * torch.complex(real, imaginary)
    c_real, minus_c_imaginary = cell.c.weight.chunk(2, dim=1)
    y = (torch.complex(c_real, -minus_c_imaginary) @ state.unsqueeze(-1)).squeeze(-1).real + direct
    first, second = cell.glu(F.gelu(y)).chunk(2, dim=-1)
    return first * sigmoid(second), state


def s6(cell: S6Cell, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    if state.dim() == 2:
        state = torch.zeros(B, H, cell.state_size)
    u, z = blocks(cell.linear, x, 2)
    u = F.silu(u)
    low, b, c = cell.select(u).split([1, cell.state_size, cell.state_size], dim=-1)
    delta = F.softplus(cell.delta(low))
    state = torch.exp(-delta[..., None] * cell.a_log.exp()) * state + (delta * u)[..., None] * b[:, None]
    return ((state * c[:, None]).sum(-1) + cell.d * u) * F.silu(z), state


def qrnn(cell: QRNNCell, x: Tensor, state: tuple) -> tuple[Tensor, tuple]:
    c, previous = state if isinstance(state, tuple) else (state, torch.zeros(B, INPUT))
    z, f, o = (cell.linear(x) + cell.previous(previous)).chunk(3, dim=-1)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)
    return sigmoid(o) * c, (c, x)


CASES: dict[str, tuple[Callable[[], torch.nn.Module], Callable]] = {
    "min_gru": (lambda: MinGRUCell(INPUT, H), min_gru),
    "min_lstm": (lambda: MinLSTMCell(INPUT, H), min_lstm),
    "sru": (lambda: SRUCell(INPUT, H), sru),
    "ind_rnn": (lambda: IndRNNCell(INPUT, H), ind_rnn),
    "mgu": (lambda: MGUCell(INPUT, H), mgu),
    "peephole_lstm": (lambda: PeepholeLSTMCell(INPUT, H, 1.0), peephole_lstm),
    "layer_norm_lstm": (lambda: LayerNormLSTMCell(INPUT, H, 1.0), layer_norm_lstm),
    "slstm": (lambda: SLSTMCell(INPUT, H, 1.0), slstm),
    "mlstm": (lambda: MLSTMCell(INPUT, H, 3, 3.0), mlstm),
    "lru": (lambda: LRUCell(INPUT, H, 0.0, 1.0, 6.28), lru),
    "s6": (lambda: S6Cell(INPUT, H, 3, 0.5, 2.0), s6),
    "qrnn": (lambda: QRNNCell(INPUT, H), qrnn),
}


@pytest.mark.parametrize("name", CASES)
def test_a_cell_computes_the_equations_of_its_paper(name: str) -> None:
    torch.manual_seed(0)
    make, equations = CASES[name]
    cell = make()
    inputs, state = torch.randn(B, T, INPUT, generator=torch.Generator().manual_seed(3)), torch.zeros(B, H)
    outputs, _ = cell.scan(inputs, torch.ones(B, T, dtype=torch.bool))
    for step in range(T):
        expected, state = equations(cell, inputs[:, step], state)
        torch.testing.assert_close(outputs[:, step], expected)


MATRIX, INPUTS, K, N = H * H, H * INPUT, 3, 3
PARAMETERS = {
    "min_gru": 2 * (INPUTS + H),
    "min_lstm": 3 * (INPUTS + H),
    "sru": 3 * (INPUTS + H) + INPUTS + 2 * H,
    "ind_rnn": INPUTS + 2 * H,
    "mgu": 2 * (INPUTS + MATRIX + H),
    "peephole_lstm": 4 * (INPUTS + MATRIX + H) + 3 * H,
    "layer_norm_lstm": 4 * (INPUTS + MATRIX + 2 * H + H) + 2 * H,  # gains of both products and one shift
    "slstm": 4 * (INPUTS + MATRIX + H),
    "mlstm": (2 * K + 2 * H + 2) * (INPUT + 1),
    "lru": 3 * H + 3 * INPUTS + 2 * MATRIX + 2 * (MATRIX + H),
    "s6": 2 * INPUTS + H * (1 + 2 * N) + 2 * H + H * N + H,
    "qrnn": 3 * (INPUTS + H) + 3 * INPUTS,
}


@pytest.mark.parametrize("name", CASES)
def test_a_cell_has_the_parameters_of_its_equations(name: str) -> None:
    assert sum(parameter.numel() for parameter in CASES[name][0]().parameters()) == PARAMETERS[name]


def test_a_matrix_memory_is_computed_a_chunk_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, shapes = MLSTMCell(INPUT, 40, 3, 3.0), []
    chunk = cell.chunk
    monkeypatch.setattr(cell, "chunk", lambda steps, state: shapes.append(steps.shape[:2]) or chunk(steps, state))
    cell.scan(torch.randn(70, 131, INPUT), torch.ones(70, 131, dtype=torch.bool))
    assert shapes == [(70, 64), (70, 64), (70, 3)]


def test_initialisations_are_those_of_the_papers() -> None:
    irnn = IRNNCell(INPUT, H, 0.001)
    assert torch.equal(irnn.linear_hh.weight, torch.eye(H)) and irnn.linear_ih.weight.abs().max() < 0.01
    assert irnn.linear_ih.bias.eq(0).all() and irnn.linear_hh.bias.eq(0).all()
    assert 0 <= IndRNNCell(INPUT, 500).u.min() < 0.02 < 0.98 < IndRNNCell(INPUT, 500).u.max() <= 1
    radius = torch.exp(-torch.exp(LRUCell(INPUT, 500, 0.5, 0.9, 0.1).nu))
    assert radius.min() >= 0.499 and radius.max() <= 0.901 and radius.std() > 0.05
    lru = LRUCell(INPUT, 500, 0.5, 0.9, 0.1)
    assert lru.theta.exp().max() <= 0.1
    torch.testing.assert_close(lru.log_gamma.exp() ** 2, 1 - torch.exp(-2 * torch.exp(lru.nu)), atol=1e-4, rtol=1e-4)
    s6 = S6Cell(INPUT, 500, 3, 0.001, 0.1)
    torch.testing.assert_close(-s6.a_log.exp(), torch.tensor([-1.0, -2.0, -3.0]).expand(500, 3))
    delta = F.softplus(s6.delta.bias)
    assert delta.min() > 0.0009 and delta.max() < 0.11 and delta.log().std() > 1
    assert LayerNormLSTMCell(INPUT, H, 1.5).norm_ih.bias.tolist() == [0.0] * H + [1.5] * H + [0.0] * 2 * H


def test_the_forget_bias_is_that_of_the_forget_gate_alone() -> None:
    forget = torch.tensor([False] * H + [True] * H + [False] * 2 * H)
    for cell in (PeepholeLSTMCell(INPUT, H, 1.5), SLSTMCell(INPUT, H, 1.5)):
        assert torch.equal(cell.linear_ih.bias == 1.5, forget)
    assert (MLSTMCell(INPUT, H, 3, 4.5).linear.bias == 4.5).tolist() == [False] * (2 * 3 + 2 * H + 1) + [True]
    assert PeepholeLSTMCell(INPUT, H, None).linear_ih.bias.abs().max() <= 0.5


def test_weights_are_drawn_as_widely_as_the_papers_say() -> None:
    torch.manual_seed(0)
    sru, lru = SRUCell(12, 400), LRUCell(8, 400, 0.5, 0.9, 0.1)
    assert sru.linear.weight.min() < -0.49 and sru.highway.weight.min() < -0.049
    assert 0.49 < sru.linear.weight.abs().max() <= 0.5 and sru.linear.bias.eq(0).all()  # sqrt(3 / 12)
    assert 0.04 < sru.highway.weight.abs().max() <= 0.05
    assert lru.linear.weight.std().item() == pytest.approx(1 / 4, rel=0.05)  # 1 / sqrt(2 * 8)
    assert lru.c.weight.std().item() == pytest.approx(1 / 20, rel=0.05)
    assert IRNNCell(50, 50, 0.01).linear_ih.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert [S6Cell(INPUT, size, 3, 0.001, 0.1).delta.in_features for size in (16, 17, 33)] == [1, 2, 3]
    for cell in (sru, lru):
        assert cell.scan(torch.randn(1, 2, cell.input_size), torch.ones(1, 2, dtype=torch.bool))[0].isfinite().all()


def test_the_eigenvalues_of_a_linear_recurrent_unit_fill_their_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    lru = LRUCell(INPUT, 1000, 0.5, 0.9, 2.0)
    squared, phase = torch.exp(-2 * torch.exp(lru.nu)), lru.theta.exp()
    for values, low, high in ((squared, 0.25, 0.81), (phase, 0.0, 2.0)):  # uniformly by area
        assert values.mean().item() == pytest.approx((low + high) / 2, rel=0.05)
        assert values.min().item() == pytest.approx(low, abs=0.01) and values.max().item() == pytest.approx(
            high, abs=0.01
        )
    for radius, kept in ((0.0, 1e-4), (1.0, 1 - 1e-4)):  # neither forgets nor keeps everything
        found = torch.exp(-2 * torch.exp(LRUCell(INPUT, H, radius, radius, 1.0).nu))
        torch.testing.assert_close(found, torch.full((H,), kept), rtol=1e-3, atol=0.0)
    monkeypatch.setattr(torch, "rand", torch.zeros)
    torch.testing.assert_close(LRUCell(INPUT, H, 0.5, 0.9, 2.0).theta.exp(), torch.full((H,), 2e-4))


def test_the_steps_of_s6_start_uniformly_in_their_logarithm() -> None:
    torch.manual_seed(0)
    found = F.softplus(S6Cell(INPUT, 2000, 2, 0.001, 0.1).delta.bias).log10()
    assert found.min().item() == pytest.approx(-3, abs=0.02) and found.max().item() == pytest.approx(-1, abs=0.02)
    assert found.mean().item() == pytest.approx(-2, abs=0.05)
