"""Lists all experiments with their recorded scores, times and sizes: ``python -m analysis.experiments [TASK]``.

Every file in ``conf/experiment`` is one experiment; its recorded results lie in ``analysis/results``. Scores are test
scores in percent, times are training seconds, both averaged over seeds.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.command import command_parser, run_command
from analysis.groups import RunGroup, group_runs
from analysis.records import find_records
from analysis.tables import formatted
from data.errors import InputError

ROOT = Path(__file__).parents[1]
COLUMNS = ("experiment", "row", "score", "seeds", "seconds", "parameters", "description")


def experiments(task: str | None = None) -> dict[str, Path]:
    """The config of every experiment, by name."""
    folder = ROOT / "conf" / "experiment"
    found = {str(path.relative_to(folder).with_suffix("")): path for path in sorted(folder.glob("*/*.yaml"))}
    return {name: path for name, path in found.items() if task is None or name.startswith(f"{task}/")}


def description(path: Path) -> str:
    """The first sentence of the comment that heads a config."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.removeprefix("#").strip() for line in lines if line.startswith("# ") and "@package" not in line]
    first = " ".join(comments).partition(". ")[0].partition(" python -m")[0]
    return shorten(first.rstrip(".:"), 60, placeholder=" ...")


def recorded_groups(results: Path) -> dict[str, list[RunGroup]]:
    """The recorded groups of every experiment, the best first."""
    found: dict[str, list[RunGroup]] = {}
    for groups in group_runs(find_records([results]).records) if results.is_dir() else []:
        for group in groups.scored:
            found.setdefault(str(group.first_record.experiment), []).append(group)
    return found


def table_rows(task: str | None, results: Path) -> Iterator[tuple[str, ...]]:
    """One row for every recorded row of an experiment, or one without scores."""
    recorded = recorded_groups(results)
    for name, path in experiments(task).items():
        groups = recorded.get(name, [])
        if not groups:
            yield name, "", "", "", "", "", description(path)
        for number, group in enumerate(groups):
            yield (name, *columns(group), description(path)) if number == 0 else ("", *columns(group), "")


def columns(group: RunGroup) -> tuple[str, str, str, str, str]:
    """Row, score with its metric, seeds, seconds and parameters of a group."""
    deviation = "" if group.deviation is None else f" ± {group.deviation:.2f}"
    score = f"{group.metric} {group.mean:.2f}{deviation}"
    costs = formatted(group.average("seconds"), ",.0f"), formatted(group.average("parameters"), ",.0f")
    return group.first_record.row, score, str(len(group.scores)), *costs


def show(options: argparse.Namespace) -> None:
    """Print the table."""
    if not experiments(options.task):
        known = sorted({name.partition("/")[0] for name in experiments()})
        raise InputError(f"There is no experiment of {options.task}: choose {', '.join(known)}.")
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        numeric = column in ("seeds", "seconds", "parameters")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=column != "description")
    for row in table_rows(options.task, options.results):
        table.add_row(*map(escape, row))
    console = Console()
    Console(width=max(console.width, 150) if not console.is_terminal else None).print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_parser("experiments", __doc__)
    parser.add_argument("task", nargs="?", help="sentiment, tagging or translation; default: all")
    parser.add_argument("--results", type=Path, default=ROOT / "analysis" / "results", help="default: analysis/results")
    run_command(parser, show, arguments)


if __name__ == "__main__":
    main()
