"""The hand-written layer of a CPU against the plain loop, and the cases that it leaves to other code."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.cells.base import Cell, FusedCell
from models.cells.gru import GRUCell
from models.cells.rnn import RNNCell
from models.recurrence import pack_steps, product_type

LENGTHS = [4, 0, 9, 1, 9, 3]
MASK = torch.arange(9) < torch.tensor(LENGTHS)[:, None]
EXACT = {"atol": 1e-10, "rtol": 1e-10}

CELLS: dict[str, Callable[[], FusedCell]] = {
    "gru": lambda: GRUCell(7, 5),
    "rnn": lambda: RNNCell(7, 5, "tanh"),
    "relu": lambda: RNNCell(7, 5, "relu"),
}


@pytest.fixture(params=CELLS)
def make(request: pytest.FixtureRequest) -> Callable[[], FusedCell]:
    torch.manual_seed(0)
    return CELLS[request.param]


def values_and_gradients(run: Callable[[], tuple[Tensor, ...]], sources: list[Tensor]) -> list[Tensor]:
    """What a scan gives, and the gradients of a function of all of it."""
    results = run()
    return [*results, *torch.autograd.grad(sum(entry.sin().sum() for entry in results), sources)]


def assert_exact(got: list[Tensor], wanted: list[Tensor]) -> None:
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def written_by_hand(outputs: Tensor) -> bool:
    """Whether the layer is in the graph of an output."""
    node, names = outputs.grad_fn, []
    while node is not None:
        names.append(type(node).__name__)
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)
    return "PackedLayerBackward" in names


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_equals_the_loop_in_double_precision(make: Callable[[], FusedCell], reverse: bool) -> None:
    cell = make().double()
    inputs = torch.randn(6, 9, 7, dtype=torch.double, requires_grad=True)
    state = tuple(torch.randn(6, size, dtype=torch.double, requires_grad=True) for size in cell.state_sizes)
    sources = [inputs, *state, *cell.parameters()]

    def run(scan: Callable) -> list[Tensor]:
        def results() -> tuple[Tensor, ...]:
            outputs, final = scan(cell, inputs, MASK, state, reverse)
            assert written_by_hand(outputs) == (scan is not Cell.scan)
            return outputs, *final

        return values_and_gradients(results, sources)

    assert_exact(run(type(cell).scan), run(Cell.scan))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_the_kernels_of_other_devices_equal_the_loop(
    make: Callable[[], FusedCell], reverse: bool, started: bool
) -> None:
    cell = make().double()
    cell.recurrence = None
    inputs = torch.randn(6, 9, 7, dtype=torch.double, requires_grad=True)
    state = (torch.randn(6, 5, dtype=torch.double, requires_grad=True),) if started else None
    sources = [inputs, *(state or ()), *cell.parameters()]

    def run(scan: Callable) -> list[Tensor]:
        outputs, final = scan(cell, inputs, MASK, state, reverse)
        assert not written_by_hand(outputs)
        return values_and_gradients(lambda: (outputs, *final), sources)

    assert_exact(run(type(cell).scan), run(Cell.scan))
    if started:
        rounded = (state[0].detach().bfloat16(),)  # a state is read in the type of the inputs
        assert_exact([cell.scan(inputs, MASK, rounded)[0]], [cell.scan(inputs, MASK, (rounded[0].double(),))[0]])


def test_gates_are_differentiated_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, inputs = CELLS["gru"]().double(), torch.randn(6, 9, 7, dtype=torch.double)

    def gradients(tokens: int) -> list[Tensor]:
        monkeypatch.setattr("models.cells.gru.IN_CACHE", tokens)
        return values_and_gradients(lambda: (cell.scan(inputs, MASK)[0],), list(cell.parameters()))

    assert_exact(gradients(10), gradients(sum(LENGTHS)))


def test_gradients_do_not_depend_on_where_they_are_asked_for(make: Callable[[], FusedCell]) -> None:
    cell, inputs = make(), torch.randn(6, 9, 7)
    total = cell.scan(inputs, MASK)[0].sum()
    outside = torch.autograd.grad(total, list(cell.parameters()), retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        inside = torch.autograd.grad(total, list(cell.parameters()))
    assert all(map(torch.equal, outside, inside))


@pytest.mark.parametrize("reverse", [(False, True), (True, False), (True,)])
def test_directions_in_one_loop_equal_the_loop_of_each(
    make: Callable[[], FusedCell], reverse: tuple[bool, ...]
) -> None:
    cells = [make().double() for _ in reverse]
    inputs = torch.randn(6, 9, 7, dtype=torch.double, requires_grad=True)
    sources = [inputs, *(parameter for cell in cells for parameter in cell.parameters())]

    def by_loops() -> tuple[Tensor, ...]:
        runs = [Cell.scan(cell, inputs, MASK, None, flip) for cell, flip in zip(cells, reverse, strict=True)]
        return torch.cat([out for out, _ in runs], dim=2), torch.cat([state[0] for _, state in runs], dim=1)

    together = values_and_gradients(lambda: cells[0].scan_layer(cells, inputs, MASK, reverse), sources)
    assert_exact(together, values_and_gradients(by_loops, sources))


@pytest.mark.parametrize("used", ["outputs", "final"])
def test_a_part_of_the_results_has_its_gradient(make: Callable[[], FusedCell], used: str) -> None:
    cell, inputs = make().double(), torch.randn(6, 9, 7, dtype=torch.double)

    def part(scan: Callable) -> tuple[Tensor, ...]:
        outputs, final = scan(cell, inputs, MASK)
        return (outputs,) if used == "outputs" else final

    sources = list(cell.parameters())
    fast, slow = (values_and_gradients(lambda scan=scan: part(scan), sources) for scan in (type(cell).scan, Cell.scan))
    assert_exact(fast, slow)


def test_the_gradient_may_be_computed_again(make: Callable[[], FusedCell]) -> None:
    cell, inputs = make(), torch.randn(6, 9, 7, requires_grad=True)
    total = cell.scan(inputs, MASK)[0].sum()
    first, second = (torch.autograd.grad(total, [inputs, *cell.parameters()], retain_graph=True) for _ in range(2))
    assert all(map(torch.equal, first, second))


def test_inputs_of_frozen_weights_have_their_gradient(make: Callable[[], FusedCell]) -> None:
    cell, inputs = make(), torch.randn(6, 9, 7, requires_grad=True)
    (expected,) = torch.autograd.grad(cell.scan(inputs, MASK)[0].sum(), inputs)
    (found,) = torch.autograd.grad(cell.requires_grad_(False).scan(inputs, MASK)[0].sum(), inputs)
    assert torch.equal(found, expected)


def test_a_second_derivative_is_refused(make: Callable[[], FusedCell]) -> None:
    cell, inputs = make(), torch.randn(6, 9, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(cell.scan(inputs, MASK)[0].pow(2).sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_bf16_only_products_are_rounded(make: Callable[[], FusedCell], dtype: torch.dtype) -> None:
    cells = [make(), make()]
    inputs = torch.randn(6, 9, 7).to(dtype).requires_grad_()
    sources = [inputs, *(parameter for cell in cells for parameter in cell.parameters())]

    def found(low: bool) -> list[Tensor]:
        given = inputs if low else inputs.float()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            results = cells[0].scan_layer(cells, given, MASK, (False, True))
        assert written_by_hand(results[0]) and {result.dtype for result in results} == {torch.float32}
        return values_and_gradients(lambda: results, sources)

    rounded, exact = found(low=True), found(low=False)
    for one, other in zip(rounded, exact, strict=True):
        assert one.dtype == other.dtype and not torch.equal(one, other)
        torch.testing.assert_close(one, other, atol=0.02 * float(other.detach().abs().max()), rtol=0.02)


def test_other_kinds_of_autocast_are_left_to_the_kernel(make: Callable[[], FusedCell]) -> None:
    inputs, weight = torch.randn(6, 9, 7), make().linear_hh.weight
    with torch.autocast("cpu", torch.float16):
        assert product_type(inputs, weight) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert product_type(inputs, weight.double()) is None and product_type(inputs, weight) == torch.bfloat16
    assert product_type(inputs.double(), weight) is None and product_type(inputs, weight) == torch.float32


@pytest.mark.parametrize(
    "state", ["torch.compiler.is_compiling", "torch.compiler.is_exporting", "torch._C._is_tracing"]
)
def test_a_program_that_is_being_made_has_other_operations(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    inputs, weight = torch.randn(6, 9, 7), torch.randn(5, 5)
    assert product_type(inputs, weight) == torch.float32
    monkeypatch.setattr(state, lambda: True)
    assert product_type(inputs, weight) is None


def test_an_activation_that_is_unknown_is_named() -> None:
    with pytest.raises(ValueError, match="'tanh' or 'relu', not 'gelu'"):
        RNNCell(7, 5, "gelu")


def test_steps_hold_every_token_once_and_no_padding() -> None:
    steps = pack_steps(tuple(LENGTHS), 9, (False, True))
    assert steps.tokens == sum(LENGTHS)
    assert [step.tokens.stop - step.tokens.start for step in steps.steps] == [5, 4, 4, 3, 2, 2, 2, 2, 2]
    for packed, padded in zip(steps.packed, steps.padded, strict=True):
        assert sorted(packed.tolist()) == MASK.flatten().nonzero().flatten().tolist()
        assert padded[~MASK.flatten()].eq(len(LENGTHS) + sum(LENGTHS)).all()


def test_a_batch_without_tokens_keeps_its_state(make: Callable[[], FusedCell]) -> None:
    state = (torch.randn(2, 5),)
    outputs, final = make().scan(torch.zeros(2, 1, 7), torch.zeros(2, 1, dtype=torch.bool), state)
    assert outputs.eq(0).all() and torch.equal(final[0], state[0])
