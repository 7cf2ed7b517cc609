"""Compares runs: ``python -m analysis.compare FOLDER...`` reports which group is better, and at what cost.

Reads every ``result.json`` under the folders, groups the seeds of one config, tests the groups that were scored on the
same sentences, and lists runs that failed, seeds that are missing and files that cannot be read.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.command import command_parser, run_command
from analysis.groups import group_runs
from analysis.records import find_records
from analysis.tables import Comparison, as_csv, as_json, as_markdown, show
from data.errors import InputError
from data.writing import write_json, write_text


def compare(options: argparse.Namespace) -> None:
    """Read, compare, print and write as the command line asks."""
    found = find_records(options.folders)
    if not found.records:
        problems = "".join(f"\n  {problem}" for problem in found.problems)
        raise InputError(f"There is no run under {', '.join(map(str, options.folders))}.{problems}")
    by = [key for key in options.by.split(",") if key]
    compared = [Comparison.of(groups) for groups in group_runs(found.records, by, options.split, options.metric)]
    show(compared, found.problems, Console())
    if options.csv:
        write_text(options.csv, as_csv(compared))
    if options.json:
        write_json(options.json, as_json(compared, found.problems))
    if options.markdown:
        write_text(options.markdown, as_markdown(compared, found.problems))
    if options.html:
        from analysis.report import report  # imports Matplotlib, which a table does not need

        write_text(options.html, report(compared, found.problems, options.html, options.command))


def parser() -> argparse.ArgumentParser:
    made = command_parser("compare", __doc__)
    made.add_argument("folders", nargs="+", type=Path, help="runs, sweeps or recorded results, searched recursively")
    made.add_argument("--by", default="", help="config keys to name groups by, as cell,pooling; default: what differs")
    made.add_argument("--metric", help="the score to compare; default: the metric that selected the weights")
    made.add_argument("--split", default="test", choices=("test", "validation"), help="default: test")
    for form in ("csv", "json", "markdown", "html"):
        made.add_argument(f"--{form}", type=Path, metavar="FILE", help=f"also write the comparison as {form}")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    run_command(parser(), compare, arguments)


if __name__ == "__main__":
    main()
