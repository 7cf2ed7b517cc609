"""What all commands of ``analysis`` share: their parsers, messages and exit codes."""

import argparse
import logging
import shlex
import sys
from collections.abc import Callable, Sequence

from training.options import one_sentence


def command_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for ``python -m analysis.<name>``, which prints the module's docstring as help."""
    return argparse.ArgumentParser(
        prog=f"python -m analysis.{name}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run_command(
    parser: argparse.ArgumentParser,
    body: Callable[[argparse.Namespace], bool | None],
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the arguments and run a command.

    The exit code is 0 on success, 1 if ``body`` returns False; of errors see ``one_sentence``.
    ``body`` finds the command line in ``command``.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_intermixed_args(arguments)
    options.command = f"{parser.prog} {shlex.join(arguments)}"
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with one_sentence():
        passed = body(options)
    if passed is False:
        sys.exit(1)
