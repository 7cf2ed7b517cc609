"""`python -m data.sources.language`: prints sentences of the generated language, or writes them to files."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from data.errors import InputError
from data.sources.language.formats import format_sentences, write_file, write_parallel
from data.sources.language.generate import SIZES, sentences

FORMATS = ("table", "jsonl", "conllu", "parallel")


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Report the error only, without the usage text."""
        self.exit(2, f"error: {message}\n")


def parser() -> Parser:
    known = Parser(prog="python -m data.sources.language", description=__doc__)
    known.add_argument("--sentences", type=int, default=20, metavar="N", help="how many (default 20)")
    known.add_argument("--split", default="train", help=f"one of {', '.join(SIZES)} (default train)")
    known.add_argument("--seed", type=int, default=1)
    known.add_argument(
        "--distance", type=int, default=12, help="maximum tokens between a cue and its word (default 12)"
    )
    known.add_argument("--label-noise", type=float, default=0.0, help="fraction of labels that are flipped (default 0)")
    known.add_argument(
        "--unknown", type=float, default=0.1, help="fraction with words unseen in training (default 0.1)"
    )
    known.add_argument("--format", choices=FORMATS, default="table")
    known.add_argument("--output", type=Path, help="a file to write; parallel writes PATH.en and PATH.de")
    return known


def write(options: argparse.Namespace) -> None:
    stream = sentences(
        options.split,
        size=options.sentences,
        distance=options.distance,
        label_noise=options.label_noise,
        unknown=options.unknown,
        seed=options.seed,
    )
    output: Path | None = options.output
    if output is not None and not output.parent.is_dir():
        raise InputError(f"there is no folder {output.parent} to write into")
    if output is not None and options.format == "parallel":
        write_parallel(stream, output)
    elif output is not None:
        write_file(format_sentences(stream, options.format, options.split), output)
    else:
        for text in format_sentences(stream, options.format, options.split):
            sys.stdout.write(text)
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        write(options)
    except BrokenPipeError:
        # The reading process (head, less) closed the pipe; without this Python reports the error again on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
