"""`python -m data.sources.scenes`: writes generated scenes as image files, and a table of their captions and facts."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.errors import InputError
from data.sources.scenes.captions import captions
from data.sources.scenes.drawing import draw
from data.sources.scenes.generate import SIZES, facts, scenes
from data.writing import write_json_lines


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Report the error only, without the usage text."""
        self.exit(2, f"error: {message}\n")


def parser() -> Parser:
    known = Parser(prog="python -m data.sources.scenes", description=__doc__)
    known.add_argument("--scenes", type=int, default=20, metavar="N", help="how many (default 20)")
    known.add_argument("--split", default="train", help=f"one of {', '.join(SIZES)} (default train)")
    known.add_argument("--seed", type=int, default=1)
    known.add_argument("--size", type=int, default=32, help="pixels of a side (default 32)")
    known.add_argument("--captions", type=int, default=5, help="captions of every scene (default 5)")
    known.add_argument("--output", type=Path, required=True, help="the folder to write to")
    return known


def write(options: argparse.Namespace) -> None:
    """``<number>.png`` for every scene, and ``captions.jsonl``, which ``data=images`` reads."""
    from PIL import Image

    if not 16 <= options.size <= 1024 or options.captions < 1:
        raise InputError("give --size from 16 to 1024, and --captions of at least 1.")
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, scene in enumerate(scenes(options.split, size=options.scenes, seed=options.seed), start=1):
        name = f"{number:05}.png"
        Image.fromarray(draw(scene, options.size)).save(options.output / name)
        texts = captions(scene, options.captions)
        rows.append({"image": name, "caption": texts, "facts": sorted(map(" ".join, facts(scene)))})
    write_json_lines(options.output / "captions.jsonl", rows)


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        write(parser().parse_args(arguments))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
