"""Run a stored config again, and say what differs: ``python -m analysis.reproduce RUN_DIR``.

Ends with exit code 0 where all scores are the same, 1 where they are not, 2 where the run cannot be repeated.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from analysis.groups import flatten
from analysis.records import checked
from data.errors import InputError
from training.folders import RESULT, run_name

IDENTITY = ("task", "experiment", "cell", "config_id", "seed")
SCORES = ("metrics", "selection")
CIRCUMSTANCES = ("data", "parameters", "environment", "training.precision", "training.kernel", "training.epochs")


def repeat(cfg: DictConfig, identity: dict[str, Any], into: Path) -> dict[str, Any]:
    """The result of a config that is run once more, in a folder of its own."""
    from training.result import Result
    from training.run import recorded

    into.mkdir(parents=True, exist_ok=False)
    cfg.resume = False
    result = Result(into, identity)
    recorded(cfg, into, result)
    return result.content


def reproduce(folder: Path, into: Path | None) -> bool:
    """Run it again and report; True where all scores are the same."""
    from training.load import load_config

    cfg = load_config(folder)
    if not (folder / RESULT).is_file():
        raise InputError(f"{folder} holds no {RESULT}: the run never ended, so that there is nothing to reproduce.")
    before = checked(folder / RESULT)
    if before["status"] != "ok":
        raise InputError(f"{folder} ended as {before['status']}: there are no scores to reproduce.")
    identity = {key: before.get(key) for key in IDENTITY}
    after = repeat(cfg, identity, into or Path("runs", cfg.task, run_name(_root_=cfg)))
    for line in differences(before, after, CIRCUMSTANCES):
        print(f"circumstances differ: {line}")
    found = list(differences(before, after, SCORES))
    for line in found:
        print(f"scores differ: {line}")
    print(f"{len(found)} of the scores differ." if found else "All scores are the same, to the bit.")
    return not found


def differences(before: dict[str, Any], after: dict[str, Any], parts: Sequence[str]) -> Iterator[str]:
    """``key: this then, that now`` of every value under some keys that is not the same."""
    then, now = dict(flatten(before)), dict(flatten(after))
    for key in dict.fromkeys([*then, *now]):
        if f"{key}.".startswith(tuple(f"{part}." for part in parts)) and then.get(key) != now.get(key):
            yield f"{key}: {then.get(key)} then, {now.get(key)} now"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.reproduce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a finished run folder")
    parser.add_argument("--into", type=Path, help="the new run folder; default: a new one under runs/")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sys.exit(0 if reproduce(chosen.run, chosen.into) else 1)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
