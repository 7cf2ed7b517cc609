"""How fast encoders are: as a share of the machine's own matrix rate, and beside torch.nn on packed input."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from hydra import compose, initialize
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from analysis.timing import side_by_side
from data.buckets import shuffled_buckets
from models.cells.base import Cell
from models.encoder import Encoder
from training.build import build
from training.device import multiplies_bf16

# tokens of a training example between spaces, at the quantiles 0, 5, 10, 25, 50, 75, 90, 95, 99 and 100 %
QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
LENGTHS = {
    "sst2": (2, 6, 7, 12, 19, 25, 32, 36, 43, 52),
    "ewt": (1, 2, 3, 7, 14, 22, 32, 39, 57, 159),
    "multi30k": (1, 6, 7, 8, 11, 13, 16, 18, 23, 39),
    "imdb": (10, 64, 91, 127, 174, 284, 458, 598, 913, 2470),
}
BATCH_TOKENS = {"sst2": 4096, "ewt": 500, "multi30k": 1024, "imdb": 4096}  # of one side, as in their experiments
PACKED = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
SEEDS = 4
BATCHES = 3  # that are timed together


def drawn_lengths(name: str, number: int = 6000) -> np.ndarray:
    """Lengths by the quantiles of a data set."""
    places = np.random.Generator(np.random.PCG64(1)).random(number)
    return np.maximum(1, np.interp(places, QUANTILES, LENGTHS[name]).round().astype(np.int64))


def batches(lengths: np.ndarray, tokens: int) -> list[np.ndarray]:
    """The lengths of some batches, cut as in training."""
    cut = shuffled_buckets(lengths, tokens, 256, np.random.Generator(np.random.PCG64(1)))
    return [lengths[rows] for rows in cut[:BATCHES]]


def padded(lengths: np.ndarray, size: int) -> tuple[Tensor, Tensor]:
    """Random inputs [B, T, size] that want a gradient, and their mask."""
    mask = torch.arange(int(lengths.max())) < torch.from_numpy(lengths)[:, None]
    return torch.randn(*mask.shape, size, requires_grad=True), mask


def cell_names() -> list[str]:
    return sorted(path.stem for path in (Path(__file__).parents[1] / "conf" / "cell").glob("*.yaml"))


def make_encoder(cell: str, size: int) -> Encoder:
    """A bidirectional encoder of two layers, ``size`` -> 2 x ``size``."""
    with initialize(version_base="1.3", config_path="../conf"):
        node = compose("sentiment", [f"cell={cell}"]).cell
    return Encoder(build(node), size, size, num_layers=2, bidirectional=True, dropout=0.0)


def matrix_rates(rows: int, inner: int, columns: int, rounds: int) -> dict[str, float]:
    """GFLOP/s of [rows, inner] x [inner, columns], by library and precision."""
    left, right = torch.randn(rows, inner), torch.randn(columns, inner)
    ways: dict[str, Callable[[], object]] = {}
    for precision in precisions():
        ways |= products(left, right, precision)
    repeats = repeats_of((rows, inner, columns))
    times = side_by_side({name: repeated(run, repeats) for name, run in ways.items()}, rounds)
    return {name: repeats * 2e-9 * rows * inner * columns / taken.median for name, taken in times.items()}


def precisions() -> list[str]:
    """fp32, and bf16 where the processor multiplies it."""
    return ["fp32", "bf16"] if multiplies_bf16(torch.device("cpu")) else ["fp32"]


def products(left: Tensor, right: Tensor, precision: str) -> dict[str, Callable[[], object]]:
    if precision == "bf16":
        left, right = left.bfloat16(), right.bfloat16()
    out = torch.empty(len(left), len(right), dtype=left.dtype)
    ways: dict[str, Callable[[], object]] = {f"MKL {precision}": lambda: torch.mm(left, right.T, out=out)}
    if torch.backends.mkldnn.is_available():
        linear = torch.ops.mkldnn._linear_pointwise
        ways[f"oneDNN {precision}"] = lambda: linear(left, right, None, "none", [], "")
    return ways


def repeats_of(shape: tuple[int, int, int]) -> int:
    """How often a product is computed in a round: some milliseconds, but not for minutes where it is tiny."""
    return min(100, max(1, int(4e8 / (2 * np.prod(shape)))))


def repeated(run: Callable[[], object], times: int) -> Callable[[], None]:
    def several() -> None:
        for _ in range(times):
            run()

    return several


def recurrent_shape(cell: Cell, lengths: np.ndarray) -> tuple[int, int, int]:
    """The shape of the product of a step: of all tokens at once, where no product reads the state."""
    recurrent = getattr(cell, "linear_hh", None)
    if recurrent is not None:
        return len(lengths), recurrent.in_features, recurrent.out_features
    largest = max((parameter for parameter in cell.parameters() if parameter.dim() == 2), key=torch.numel)
    return int(lengths.sum()), largest.shape[1], largest.shape[0]


def operations(encoder: Encoder, tokens: int) -> float:
    """Floating point operations of the matrix products of forward and backward, without padding."""
    return 6.0 * tokens * sum(parameter.numel() for parameter in encoder.parameters() if parameter.dim() == 2)


def packed_run(module: nn.RNNBase, inputs: Tensor, lengths: Tensor) -> Tensor:
    """What usual code does."""
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(module(packed)[0], batch_first=True)[0]


def forward_backward(run: Callable[[Tensor, Tensor], Tensor], given: list[tuple[Tensor, Tensor]]) -> None:
    for inputs, mask in given:
        run(inputs, mask).sum().backward()


def measure_encoder(cell: str, lengths: list[np.ndarray], size: int, rounds: int, precision: str) -> dict[str, Any]:
    """One row: the encoder's share of the matrix rate of its recurrence, and its speed beside packed torch.nn."""
    encoder = make_encoder(cell, size)
    given = [padded(each, size) for each in lengths]

    def run(inputs: Tensor, mask: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return encoder(inputs, mask).outputs

    ways: dict[str, Callable[[], object]] = {"encoder": lambda: forward_backward(run, given)}
    if cell in PACKED:
        module = PACKED[cell](size, size, num_layers=2, bidirectional=True, batch_first=True)
        ways["packed"] = lambda: forward_backward(lambda x, mask: packed_run(module, x, mask.sum(dim=1)), given)
    first: Cell = encoder.layers[0][0]  # type: ignore[index]
    shape = recurrent_shape(first, lengths[0])
    left, right = torch.randn(shape[:2]), torch.randn(shape[2], shape[1])
    count = repeats_of(shape)
    ways["matrix"] = repeated(products(left, right, precision)[f"MKL {precision}"], count)
    times = side_by_side(ways, rounds)
    rate = count * 2 * float(np.prod(shape)) / times["matrix"].median
    tokens = int(sum(each.sum() for each in lengths))
    row = {
        "cell": cell,
        "precision": precision,
        "kernel": first.kernel_name(torch.device("cpu")),
        "tokens_per_second": tokens / times["encoder"].median,
        "share_of_matrix_rate": operations(encoder, tokens) / times["encoder"].median / rate,
        "matrix_gflops": rate / 1e9,
    }
    return row | ({"times_packed": times["packed"].median / times["encoder"].median} if "packed" in times else {})


def encoder_rows(cells: list[str], sets: list[str], size: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Every cell on every data set's lengths, in every precision."""
    for name, precision in itertools.product(sets, precisions()):
        lengths = batches(drawn_lengths(name), BATCH_TOKENS[name])
        for cell in cells:
            row = measure_encoder(cell, lengths, size, rounds, precision)
            yield {"lengths": name, "rows": len(lengths[0])} | row


def limit_rows(cells: list[str], sets: list[str], size: int, rounds: int) -> Iterator[dict[str, Any]]:
    """The machine's limit: the product of a step of 1, 3 and 4 blocks with the rows of a batch of every data set."""
    for name in sets:
        rows = len(batches(drawn_lengths(name), BATCH_TOKENS[name])[0])
        for blocks in (1, 3, 4):
            rates = matrix_rates(rows, size, blocks * size, rounds)
            yield {"lengths": name, "product": f"{rows} x {size} x {blocks * size}"} | rates


def seed_rows(cells: list[str], sets: list[str], size: int, rounds: int) -> Iterator[dict[str, Any]]:
    """One layer of several seeds as one loop of batched products, beside the layers one after another."""
    for cell, name in itertools.product(cells, sets):
        given = [padded(each, size) for each in batches(drawn_lengths(name), BATCH_TOKENS[name])[:1]]
        layers = [layer_of(make_encoder(cell, size)) for _ in range(SEEDS)]
        ways = {run.__name__: partial(forward_backward, partial(run, layers), given) for run in (one_by_one, at_once)}
        times = side_by_side(ways, rounds)
        times_as_fast = times["one_by_one"].median / times["at_once"].median
        rows = len(given[0][0])
        yield {"cell": cell, "lengths": name, "rows": rows, "seeds": SEEDS, "times_as_fast": times_as_fast}


def one_by_one(layers: list[list[Cell]], inputs: Tensor, mask: Tensor) -> Tensor:
    return torch.stack([cells[0].scan_layer(cells, inputs, mask, (False, True))[0] for cells in layers])


def at_once(layers: list[list[Cell]], inputs: Tensor, mask: Tensor) -> Tensor:
    return layers[0][0].scan_layer(list(itertools.chain(*layers)), inputs, mask, (False, True) * len(layers))[0]


def layer_of(encoder: Encoder) -> list[Cell]:
    return list(cast(Iterable[Cell], encoder.layers[0]))


def scaling_rows(cells: list[str], sets: list[str], size: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Cost by length, by the number of sentences and by hidden size: microseconds a token."""
    cases = [("length", length, max(1, 4096 // length), length, size) for length in (32, 128, 512, 2048, 4096)]
    cases += [("sentences", rows, rows, 20, size) for rows in (1, 8, 64, 256)]
    cases += [("hidden size", hidden, 64, 20, hidden) for hidden in (64, 128, 256, 512)]
    for what, value, rows, length, hidden in cases:
        for cell in cells:
            found = measure_encoder(cell, [np.full(rows, length)], hidden, rounds, "fp32")
            microseconds = 1e6 / found["tokens_per_second"]
            share = found["share_of_matrix_rate"]
            yield {"cell": cell, "by": what, "value": value, "us_per_token": microseconds, "share": share}
