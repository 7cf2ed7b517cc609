"""Compares runs: ``python -m analysis.compare FOLDER...`` reports which group is better, and at what cost.

Reads every ``result.json`` under the folders, groups the seeds of one config, tests the groups that were scored on the
same sentences, and lists runs that failed, seeds that are missing and files that cannot be read. Trials of a search
(``trial=...``) are summarised on their own: the best of every group, and what mattered.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.command import command_parser, run_command
from analysis.groups import group_runs
from analysis.records import find_records
from analysis.search_tables import searches_json, searches_markdown, show_searches
from analysis.tables import Comparison, as_csv, as_json, as_markdown, show
from analysis.trials import Search, is_trial, searches
from analysis.trials import as_csv as trials_csv
from data.errors import InputError
from data.writing import write_json, write_text


def compare(options: argparse.Namespace) -> None:
    """Read, compare, write as the command line asks, and print."""
    found = find_records(options.folders)
    if not found.records:
        problems = "".join(f"\n  {problem}" for problem in found.problems)
        raise InputError(f"There is no run under {', '.join(map(str, options.folders))}.{problems}")
    by = [key for key in options.by.split(",") if key]
    ranked, runs = searches(found.records), [record for record in found.records if not is_trial(record)]
    compared = [Comparison.of(groups) for groups in group_runs(runs, by, options.split, options.metric)]
    if options.csv and not compared:
        raise InputError("There are only trials, and no other run to compare: give --trials FILE in place of --csv.")
    if options.csv:
        write_text(options.csv, as_csv(compared))
    if options.trials:
        write_text(options.trials, trials_csv(ranked))
    if options.json:
        write_json(options.json, as_json(compared, found.problems) | searches_json(ranked))
    if options.markdown:
        write_text(options.markdown, searches_markdown(ranked) + as_markdown(compared, found.problems))
    if options.html:
        write_page(options.html, compared, found.problems, ranked, options.command)
    show_searches(ranked, Console())  # last, as a reader such as head may end before the tables do
    show(compared, found.problems, Console())


def write_page(
    path: Path, compared: Sequence[Comparison], problems: Sequence[str], ranked: Sequence[Search], command: str
) -> None:
    """Write the page of a comparison, and of the searches that it has."""
    from analysis.report import report  # imports Matplotlib, which a table does not need

    write_text(path, report(compared, problems, path, command, ranked))


def parser() -> argparse.ArgumentParser:
    made = command_parser("compare", __doc__)
    made.add_argument("folders", nargs="+", type=Path, help="runs, sweeps or recorded results, searched recursively")
    made.add_argument("--by", default="", help="config keys to name groups by, as cell,pooling; default: what differs")
    made.add_argument("--metric", help="the score to compare; default: the metric that selected the weights")
    made.add_argument("--split", default="test", choices=("test", "validation"), help="default: test")
    made.add_argument("--trials", type=Path, metavar="FILE", help="also write all trials of searches as csv")
    for form in ("csv", "json", "markdown", "html"):
        made.add_argument(f"--{form}", type=Path, metavar="FILE", help=f"also write the comparison as {form}")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    run_command(parser(), compare, arguments)


if __name__ == "__main__":
    main()
