"""The cells against PyTorch's modules on packed input, and every fast scan against the loop it replaces."""

from collections.abc import Callable

import pytest
import torch
from conftest import options
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.cells.base import Cell
from models.cells.gru import GRUCell
from models.cells.lstm import LSTMCell
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


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_every_scan_equals_the_loop(make_cell: Callable[..., Cell], reverse: bool, started: bool) -> None:
    torch.manual_seed(0)
    cell = make_cell(input_size=3, hidden_size=5)
    inputs, mask = torch.randn(5, 6, 3), torch.cat([MASK, torch.zeros(1, 6, dtype=torch.bool)])
    state = tuple(torch.randn(5, size) for size in cell.state_sizes) if started else None
    runs = []
    for scan in (cell.scan, lambda *args, **options: Cell.scan(cell, *args, **options)):
        x = inputs.clone().requires_grad_()
        cell.zero_grad()
        outputs, final = scan(x, mask, state, reverse=reverse)
        (outputs.pow(2).sum() + sum(entry.sin().sum() for entry in final)).backward()
        runs.append([outputs, *final, x.grad, *(parameter.grad for parameter in cell.parameters())])
    for fast, slow in zip(*runs, strict=True):
        torch.testing.assert_close(fast, slow)


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


def test_cells_start_from_the_same_rule(make_cell: Callable[..., Cell]) -> None:
    bound = 1 / 8
    weights = torch.cat(
        [
            parameter.detach().flatten()
            for parameter in make_cell(input_size=64, hidden_size=64).parameters()
            if parameter.dim() > 1
        ]
    )
    assert weights.abs().max() <= bound
    assert weights.std() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_the_forget_bias_is_the_sum_of_both_biases() -> None:
    cell = LSTMCell(3, 5, forget_bias=1.5)
    total = cell.linear_ih.bias + cell.linear_hh.bias
    assert total[5:10].eq(1.5).all()
    assert not total[:5].eq(1.5).any()


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
