"""Which cell wins, by how much, how surely and at what cost: ``python -m analysis.compare FOLDER...``.

Reads every ``result.json`` under the folders, puts the seeds of one config together, compares those scored on the
same sentences, and says what failed, what is missing and what could not be read.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.groups import sections
from analysis.records import find
from analysis.tables import Compared, as_csv, as_json, as_markdown, show
from data.errors import InputError
from data.writing import write_json, write_text


def compare(options: argparse.Namespace) -> None:
    """Read, compare, show and write, as the command line asks."""
    found = find(options.folders)
    if not found.records:
        listed = "".join(f"\n  {problem}" for problem in found.problems)
        raise InputError(f"There is no run under {', '.join(map(str, options.folders))}.{listed}")
    by = [axis for axis in options.by.split(",") if axis]
    compared = [Compared.of(section) for section in sections(found.records, by, options.split, options.metric)]
    show(compared, found.problems, Console())
    if options.csv:
        write_text(options.csv, as_csv(compared))
    if options.json:
        write_json(options.json, as_json(compared, found.problems))
    if options.markdown:
        write_text(options.markdown, as_markdown(compared, found.problems))
    if options.html:
        from analysis.report import report  # here, so that a table does not wait for what draws

        write_text(options.html, report(compared, found.problems))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m analysis.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("folders", nargs="+", type=Path, help="runs, sweeps or recorded results, read to the bottom")
    made.add_argument("--by", default="", help="config keys to name groups by, as cell,pooling; default: what differs")
    made.add_argument("--metric", help="the score to compare; default: the one that chose the weights")
    made.add_argument("--split", default="test", choices=("test", "validation"), help="default: test")
    for form in ("csv", "json", "markdown", "html"):
        made.add_argument(f"--{form}", type=Path, metavar="FILE", help=f"write it as {form} too")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        compare(parser().parse_intermixed_args(arguments))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
