"""Measures encoders, training steps, prediction and start-up: ``python -m analysis.speed``.

Everything is measured in one run and side by side: the median of several rounds whose order alternates. Rows are
reported as they are measured, and with --json written; the table of a part follows. On a machine with other work,
--busy counts the time of this process instead of the wall's; use it with --threads 1. Parts:

limit        matrix products of a recurrence's step, in GFLOP/s, by library and precision
encoder      every cell's encoder, 256 -> 2 layers x 2 directions x 256, forward and backward, as a share of the rate of
             its own product, and how many times as fast as torch.nn on packed input it is
scaling      its cost by length, number of sentences and hidden size
steps        training steps by share of time, first that of matrix products, convolutions and recurrent kernels
seeds        one layer of four seeds with batched products, beside the four one after another
loss         the suite's cross-entropy of an output layer beside torch's, by size of the vocabulary
prediction   sentences a second: alone, in batches, and greedy; translation searches with beam 5
startup      seconds of a process: --help, imports, and with --run an answer

Lengths are drawn by quantiles of the data sets; with --data, steps and prediction read the data sets themselves from
folders of these names: sst2_phrases, ud_english_ewt, multi30k, imdb. With a task and options as in training, only the
tokens per second of that config are measured: python -m analysis.speed translation experiment=NAME data.path=DIR.
"""

import argparse
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from analysis.command import command_parser, run_command
from analysis.speed_encoders import cell_names, encoder_rows, limit_rows, scaling_rows, seed_rows
from analysis.speed_steps import (
    FOLDERS,
    GENERATED,
    TASKS,
    loss_rows,
    prediction_rows,
    startup_rows,
    step_rows,
    throughput,
)
from analysis.timing import Now
from data.errors import InputError
from data.writing import write_json
from training.device import keep_freed_memory, processor_name
from training.plots import save

PARTS = ("limit", "encoder", "scaling", "seeds", "steps", "loss", "prediction", "startup")
DEFAULT_CELLS = ("rnn", "gru", "lstm")

Rows = list[dict[str, Any]]


def arguments() -> argparse.ArgumentParser:
    parser = command_parser("speed", __doc__)
    parser.add_argument("config", nargs="*", metavar="TASK key=value", help="measure one config's training only")
    parser.add_argument("--part", action="append", choices=PARTS, help="a part; may be repeated (default: all)")
    parser.add_argument("--cell", action="append", help="a cell, or all; may be repeated (default: rnn, gru, lstm)")
    parser.add_argument("--set", action="append", choices=(*FOLDERS, *GENERATED), help="a data set; may be repeated")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with the data sets")
    parser.add_argument("--run", type=Path, metavar="DIR", help="a run folder, for the start-up of prediction")
    parser.add_argument("--size", type=int, default=256, help="hidden size of the encoders (default: 256)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of every measurement (default: 7)")
    parser.add_argument("--threads", type=int, help="the number of threads (default: torch's)")
    parser.add_argument("--busy", action="store_true", help="count this process's time only: for a busy machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the encoders' shares")
    return parser


def main(options: argparse.Namespace) -> None:
    if options.threads is not None:
        torch.set_num_threads(at_least_one("--threads", options.threads))
    keep_freed_memory()  # as a training does
    if options.busy:
        Now.read = staticmethod(time.process_time)
    if options.config:
        task, *overrides = options.config
        if task not in TASKS:
            raise InputError(f"There is no task {task}: choose {', '.join(TASKS)}.")
        print(throughput(task, overrides))
        return
    at_least_one("--rounds", options.rounds)
    at_least_one("--size", options.size)
    found: dict[str, Rows] = {}
    record = {"machine": machine(), "command": options.command, "parts": found}
    for part in options.part or PARTS:
        measured = found.setdefault(part, [])
        for row in rows(part, options):
            measured.append(row)
            print(f"{part}: {', '.join(text(column, value) for column, value in row.items())}", file=sys.stderr)
            if options.json is not None:
                write_json(options.json, record)  # with every row: a run that is stopped has measured something
        show(part, measured)
    if options.plot is not None:
        draw(found.get("encoder", []), options.plot)


def at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise InputError(f"{name}={value}: give at least 1.")
    return value


def rows(part: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The measurements of a part."""
    cells, sets = chosen_cells(options.cell), options.set or list(FOLDERS)
    if wrong := [name for name in sets if name in GENERATED and part != "steps"]:
        raise InputError(f"--set {wrong[0]}: only --part steps measures it.")
    if part == "startup":
        return startup_rows(min(3, options.rounds), options.run)
    if part == "loss":
        return loss_rows(options.rounds)
    if part == "steps":
        sets = options.set or [*FOLDERS, *GENERATED]
        return step_rows(cells, sets if options.data else one_of_each_task(sets), options.data, 3 * options.rounds)
    if part == "prediction":
        sets = sets if options.data else one_of_each_task(sets)
        return prediction_rows(cells, sets, options.data, min(3, options.rounds))
    measure = {"limit": limit_rows, "encoder": encoder_rows, "scaling": scaling_rows, "seeds": seed_rows}[part]
    return measure(cells, sets, options.size, options.rounds)


def chosen_cells(given: Sequence[str] | None) -> list[str]:
    names = cell_names()
    if given is None:
        return list(DEFAULT_CELLS)
    for name in given:
        if name not in (*names, "all"):
            raise InputError(f"--cell {name}: there is no such cell; choose all, or of {', '.join(names)}.")
    return names if "all" in given else list(given)


def one_of_each_task(sets: Sequence[str]) -> list[str]:
    """Without their rows, data sets of one task are the same."""
    first: dict[str, str] = {}
    for name in sets:
        first.setdefault((FOLDERS.get(name) or GENERATED[name])[0], name)
    return list(first.values())


def machine() -> dict[str, Any]:
    return {
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
    }


def show(part: str, found: Rows) -> None:
    """Print all rows of a part as a table."""
    columns = list(dict.fromkeys(key for row in found for key in row))
    table = Table(title=f"{part}, {torch.get_num_threads()} thread(s)")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right" if column_is_number(found, column) else "left")
    for row in found:
        table.add_row(*(text(column, row.get(column)) for column in columns))
    Console(width=200).print(table)


def column_is_number(found: Rows, column: str) -> bool:
    return all(isinstance(row.get(column, 0), (int, float)) for row in found)


def text(column: str, value: Any) -> str:
    """A cell of a table: fractions of one as percent, others with three digits."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if column.startswith("share") or column in SHARES:
        return f"{value:.0%}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


SHARES = {
    *("encoder", "characters", "embedding", "decoder", "head", "dropout", "loss", "optimiser", "clipping", "data"),
    *("average of weights", "other"),
}


def draw(found: Rows, path: Path) -> None:
    """The encoders' shares of the machine's matrix rate, by data set, precision and cell."""
    if not found:
        raise InputError("--plot draws the part encoder: give --part encoder, or no --part.")
    sets = list(dict.fromkeys(f"{row['lengths']}, {row['precision']}" for row in found))
    cells = list(dict.fromkeys(row["cell"] for row in found))
    figure = Figure(figsize=(7, 1 + 0.25 * len(sets) * len(cells)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(cells)
    for number, cell in enumerate(cells):
        shares = [100 * row["share_of_matrix_rate"] for row in found if row["cell"] == cell]
        places = [place + number * height for place in range(len(sets))]
        bars = axes.barh(places, shares, height=0.9 * height, label=cell)
        axes.bar_label(bars, fmt="%.0f %%", padding=2, fontsize=8)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(sets))], sets)
    axes.set_xlabel("forward and backward, % of the rate of a matrix product of the recurrence's shape")
    axes.invert_yaxis()
    axes.margins(x=0.1)
    figure.legend(loc="outside upper center", ncols=min(6, len(cells)))
    save(figure, path)


if __name__ == "__main__":
    run_command(arguments(), main)
