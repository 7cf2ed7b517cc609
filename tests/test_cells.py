"""The cells against PyTorch's modules on packed input, and every fast scan against the loop it replaces."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from conftest import options
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.cells.base import Cell, FusedCell, LinearCell
from models.cells.gru import GRUCell
from models.cells.ind_rnn import IndRNNCell
from models.cells.lstm import LSTMCell
from models.cells.min_gru import MinGRUCell
from models.cells.mlstm import MLSTMCell
from models.cells.rnn import RNNCell
from models.encoder import Encoder

LENGTHS = [2, 6, 1, 4]
MASK = torch.arange(6) < torch.tensor(LENGTHS)[:, None]

PAIRS = {
    "rnn": (lambda **sizes: RNNCell(activation="tanh", **sizes), nn.RNN),
    "relu": (lambda **sizes: RNNCell(activation="relu", **sizes), lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k)),
    "lstm": (lambda **sizes: LSTMCell(forget_bias=None, **sizes), nn.LSTM),
    "gru": (GRUCell, nn.GRU),
}


def with_weights_of(reference: nn.RNNBase, make: Callable[..., Cell]) -> list[list[Cell]]:
    """Cells by layer and direction, with the weights of a PyTorch module."""
    layers = []
    for layer in range(reference.num_layers):
        cells = []
        for suffix in ["", "_reverse"][: 2 if reference.bidirectional else 1]:
            weights = [
                getattr(reference, f"{name}_l{layer}{suffix}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            cell = make(input_size=weights[0].shape[1], hidden_size=reference.hidden_size)
            with torch.no_grad():
                for mine, theirs in zip(cell.weights(), weights, strict=True):
                    mine.copy_(theirs)
            cells.append(cell)
        layers.append(cells)
    return layers


def scan_all(layers: list[list[Cell]], inputs: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    """Outputs of the top layer, and each entry of the final states stacked as PyTorch stacks them."""
    finals, index = [], 0
    for cells in layers:
        outputs = []
        for direction, cell in enumerate(cells):
            run, final = cell.scan(inputs, MASK, tuple(entry[index] for entry in states), reverse=bool(direction))
            outputs.append(run)
            finals.append(final)
            index += 1
        inputs = torch.cat(outputs, dim=-1)
    return inputs, [torch.stack(entries) for entries in zip(*finals, strict=True)]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_cells_equal_torch_on_packed_input(name: str, num_layers: int, bidirectional: bool) -> None:
    torch.manual_seed(0)
    make, module = PAIRS[name]
    reference = module(3, 5, num_layers=num_layers, bidirectional=bidirectional, batch_first=True)
    layers = with_weights_of(reference, make)
    states = tuple(torch.randn(num_layers * (1 + bidirectional), 4, size) for size in layers[0][0].state_sizes)
    inputs = torch.randn(4, 6, 3)
    mine, theirs = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()

    packed = pack_padded_sequence(theirs, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    expected, final = reference(packed, states if len(states) > 1 else states[0])
    expected, _ = pad_packed_sequence(expected, batch_first=True, total_length=6)
    outputs, finals = scan_all(layers, mine, states)

    torch.testing.assert_close(outputs, expected)
    for got, wanted in zip(finals, final if isinstance(final, tuple) else (final,), strict=True):
        torch.testing.assert_close(got, wanted)
    readout = torch.randn_like(expected)
    ((outputs * readout).sum() + sum(entry.sum() for entry in finals)).backward()
    (
        (expected * readout).sum() + sum(entry.sum() for entry in (final if isinstance(final, tuple) else (final,)))
    ).backward()
    torch.testing.assert_close(mine.grad, theirs.grad)
    for layer, cells in enumerate(layers):
        for suffix, cell in zip(["", "_reverse"], cells, strict=False):
            for parameter, weight in zip(cell.weights(), ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
                torch.testing.assert_close(parameter.grad, getattr(reference, f"{weight}_l{layer}{suffix}").grad)


@pytest.fixture(params=options("cell"))
def make_cell(request: pytest.FixtureRequest, composed: Callable) -> Callable[..., Cell]:
    return instantiate(composed("sentiment", f"cell={request.param}").cell)


def states_and_gradients(
    scan: Callable, cell: Cell, inputs: Tensor, **options: object
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and final state of a scan, and the gradients of inputs, initial state and parameters."""
    x = inputs.clone().requires_grad_()
    state = options.pop("state")
    started = None if state is None else [entry.clone().requires_grad_() for entry in state]
    cell.zero_grad()
    outputs, final = scan(x, state=started and tuple(started), **options)
    (outputs.pow(2).mean() + sum(entry.sin().mean() for entry in final)).backward()
    gradients = [x.grad, *(entry.grad for entry in started or []), *(p.grad for p in cell.parameters())]
    return [outputs, *final], [g for g in gradients if g is not None]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("length", [1, 6, 131])
def test_every_scan_equals_the_loop(make_cell: Callable[..., Cell], reverse: bool, started: bool, length: int) -> None:
    torch.manual_seed(0)
    cell = make_cell(input_size=3, hidden_size=5)
    if overrides_nothing(cell, "scan"):
        return  # it is the loop
    mask = torch.arange(length) < torch.tensor([length, length // 2, 1, 0, length - 1])[:, None]
    inputs, state = torch.randn(5, length, 3), tuple(torch.randn(5, size) for size in cell.state_sizes)
    options = {"mask": mask, "state": state if started else None, "reverse": reverse}
    fast = states_and_gradients(cell.scan, cell, inputs, **options)
    slow = states_and_gradients(partial(Cell.scan, cell), cell, inputs, **options)
    for got, wanted in zip([*fast[0], *fast[1]], [*slow[0], *slow[1]], strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def overrides_nothing(cell: Cell, method: str) -> bool:
    return getattr(type(cell), method) is getattr(Cell, method)


@torch.no_grad()
def test_long_sequences_neither_overflow_nor_drift(make_cell: Callable[..., Cell]) -> None:
    """4,096 steps with some large inputs, from a non-zero state: finite, and a fast scan equals the loop."""
    torch.manual_seed(0)
    cell = make_cell(input_size=3, hidden_size=4)
    length = 1024 if overrides_nothing(cell, "scan") else 4096
    inputs, mask = torch.randn(2, length, 3), torch.arange(length) < torch.tensor([[length], [length - 99]])
    inputs[:, ::97] *= 10
    state = tuple(torch.randn(2, size) for size in cell.state_sizes)
    outputs, final = cell.scan(inputs, mask, state)
    assert all(entry.isfinite().all() for entry in (outputs, *final))
    if not overrides_nothing(cell, "scan"):
        expected, _ = Cell.scan(cell, inputs, mask, state)
        scale = expected.abs().max().clamp(min=1)
        assert (outputs - expected).abs().max() <= 1e-5 * scale


def test_padding_holds_the_state_and_outputs_zero(make_cell: Callable[..., Cell]) -> None:
    torch.manual_seed(0)
    cell = make_cell(input_size=3, hidden_size=5)
    inputs = torch.randn(4, 6, 3)
    for reverse in (False, True):
        outputs, final = cell.scan(inputs, MASK, reverse=reverse)
        assert outputs[~MASK].eq(0).all()
        changed, same = cell.scan(inputs.masked_fill(~MASK.unsqueeze(-1), 9.0), MASK, reverse=reverse)
        torch.testing.assert_close(changed, outputs)
        for before, after in zip(final, same, strict=True):
            torch.testing.assert_close(before, after)


def test_a_cell_knows_its_sizes(make_cell: Callable[..., Cell]) -> None:
    cell = make_cell(input_size=3, hidden_size=5)
    assert (cell.input_size, cell.hidden_size, cell.state_sizes[0]) == (3, 5, 5)
    assert [entry.shape for entry in cell.initial_state(torch.zeros(2, 3))] == [(2, size) for size in cell.state_sizes]


def test_parts_of_different_lengths_are_refused() -> None:
    cell, inputs = IndRNNCell(3, 5), torch.randn(4, 7, 3)
    with pytest.raises(ValueError, match="zip"):
        cell.scan(inputs, MASK)
    with pytest.raises(ValueError, match="zip"):
        cell.scan(inputs[:, :6], MASK, (torch.zeros(4, 5),) * 2)
    with pytest.raises(ValueError, match="zip"):
        cell.scan_layer([cell, cell], inputs[:, :6], MASK, [False])
    linear = MinGRUCell(3, 5)
    with pytest.raises(ValueError, match="zip"):
        linear.scan(inputs[:, :6], MASK, (torch.zeros(4, 5),) * 2)


def test_steps_equal_the_scan(make_cell: Callable[..., Cell]) -> None:
    torch.manual_seed(0)
    cell = make_cell(input_size=3, hidden_size=5)
    inputs = torch.randn(2, 4, 3)
    outputs, final = cell.scan(inputs, torch.ones(2, 4, dtype=torch.bool))
    state = cell.initial_state(inputs)
    for time in range(4):
        state = cell.step(cell.project(inputs[:, time]), state)
        torch.testing.assert_close(state[0], outputs[:, time])
    for stepped, scanned in zip(state, final, strict=True):
        torch.testing.assert_close(stepped, scanned)


@torch.no_grad()
def test_a_state_in_half_precision_is_read_in_that_of_the_cell(make_cell: Callable[..., Cell]) -> None:
    torch.manual_seed(0)
    cell, inputs = make_cell(input_size=3, hidden_size=5), torch.randn(4, 6, 3)
    if overrides_nothing(cell, "scan"):
        return  # left to autocast
    state = tuple(torch.randn(4, size).bfloat16() for size in cell.state_sizes)
    outputs, final = cell.scan(inputs, MASK, state)
    expected, wanted = cell.scan(inputs, MASK, tuple(entry.float() for entry in state))
    for got, other in zip([outputs, *final], [expected, *wanted], strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, other)


def test_the_code_that_runs_a_scan_is_named_by_device(
    make_cell: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make_cell(input_size=3, hidden_size=5)
    names = []
    for onednn in (True, False):
        monkeypatch.setattr("torch.backends.mkldnn.is_available", lambda onednn=onednn: onednn)
        names.append([cell.kernel_name(torch.device(device)) for device in ("cpu", "cuda", "mps")])
    if isinstance(cell, LSTMCell):
        assert names == [["oneDNN", "cuDNN", "MPS"], ["ATen", "cuDNN", "MPS"]]
    elif isinstance(cell, FusedCell):
        assert names == [["packed", "cuDNN", "MPS"]] * 2
    elif overrides_nothing(cell, "scan"):
        assert names == [["loop"] * 3] * 2
    elif isinstance(cell, (LinearCell, MLSTMCell)):
        assert names == [["parallel scan" if isinstance(cell, LinearCell) else "parallel chunks"] * 3] * 2
    else:  # a cell with a scan of its own
        assert all(name for of_device in names for name in of_device)


def test_cells_share_the_rule_of_initialisation(make_cell: Callable[..., Cell]) -> None:
    """U(-1/sqrt(H), 1/sqrt(H)), unless a cell declares the initialisation of its paper."""
    cell = make_cell(input_size=64, hidden_size=64)
    if not overrides_nothing(cell, "reset_parameters"):
        return
    weights = torch.cat([parameter.detach().flatten() for parameter in cell.parameters() if parameter.dim() > 1])
    assert weights.abs().max() <= 1 / 8
    assert weights.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.05)


def test_every_parameter_and_every_past_input_has_an_effect(make_cell: Callable[..., Cell]) -> None:
    """The last output depends on all parameters, on the first input and on all entries of the initial state."""
    torch.manual_seed(0)
    cell = make_cell(input_size=3, hidden_size=5)
    inputs = torch.randn(4, 3, 3, requires_grad=True)
    state = tuple(torch.randn(4, size, requires_grad=True) for size in cell.state_sizes)
    outputs, _ = cell.scan(inputs, torch.ones(4, 3, dtype=torch.bool), state)
    wanted = [inputs, *cell.parameters()]
    gradients = torch.autograd.grad(outputs[:, -1].sum(), [*wanted, *state], allow_unused=True)
    assert all(gradient is not None and gradient.ne(0).any() for gradient in gradients[: len(wanted)])
    assert gradients[0][:, 0].ne(0).any()
    assert any(gradient is not None and gradient.ne(0).any() for gradient in gradients[len(wanted) :])


def test_the_forget_bias_is_the_sum_of_both_biases() -> None:
    cell = LSTMCell(3, 5, forget_bias=1.5)
    total = cell.linear_ih.bias + cell.linear_hh.bias
    assert total[5:10].eq(1.5).all()
    assert not total[:5].eq(1.5).any()
    assert set(cell.state_dict()) == {f"linear_{side}.{part}" for side in ("ih", "hh") for part in ("weight", "bias")}


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_sentence_gives_the_same_result_in_any_batch(make_cell: Callable[..., Cell], bidirectional: bool) -> None:
    torch.manual_seed(0)
    encoder = Encoder(make_cell, 3, 5, num_layers=2, bidirectional=bidirectional, dropout=0.5).eval()
    inputs = torch.randn(4, 6, 3)
    together = encoder(inputs, MASK)
    for row, length in enumerate(LENGTHS):
        alone = encoder(inputs[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))
        torch.testing.assert_close(together.outputs[row, :length], alone.outputs[0])
        torch.testing.assert_close(together.final_state[row], alone.final_state[0])


def test_the_final_state_is_each_direction_at_its_end(make_cell: Callable[..., Cell]) -> None:
    torch.manual_seed(0)
    encoding = Encoder(make_cell, 3, 5, num_layers=1, bidirectional=True, dropout=0.0)(torch.randn(4, 6, 3), MASK)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(encoding.final_state[row, :5], encoding.outputs[row, length - 1, :5])
        torch.testing.assert_close(encoding.final_state[row, 5:], encoding.outputs[row, 0, 5:])
