"""Repeats a run from its stored config and reports what differs: ``python -m analysis.reproduce RUN_DIR``.

The repetition uses the recorded number of threads, on which the last bits of scores depend. The exit code is 0 if all
scores are equal, 1 if they differ, and 2 if the run cannot be repeated.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from analysis.command import command_parser, run_command
from analysis.groups import flatten
from analysis.records import load_result
from data.errors import InputError
from training.folders import RESULT, run_name

IDENTITY = ("task", "experiment", "cell", "config_id", "seed")
SCORES = ("metrics", "selection")
CIRCUMSTANCES = ("data", "parameters", "environment", "training.precision", "training.kernel", "training.epochs")


def repeat(cfg: DictConfig, identity: dict[str, Any], before: dict[str, Any], into: Path) -> dict[str, Any]:
    """The result of one more run of a config, in a new folder, with as many threads as the result ``before``.

    ``threads`` of a config may be ``auto``, which is another number on another machine.
    """
    from training.result import Result
    from training.run import recorded

    into.mkdir(parents=True, exist_ok=False)
    cfg.resume, cfg.tracker, cfg.data_cache = False, None, None
    cfg.threads = before.get("environment", {}).get("threads") or cfg.threads
    result = Result(into, identity)
    recorded(cfg, into, result)
    return result.content


def reproduce(folder: Path, into: Path | None) -> bool:
    """Repeat a run and print the differences; True if all scores are equal."""
    from training.load import load_config

    cfg = load_config(folder)
    if not (folder / RESULT).is_file():
        raise InputError(f"{folder} has no {RESULT}: the run did not end, so there is nothing to reproduce.")
    before = load_result(folder / RESULT)
    if before["status"] != "ok":
        raise InputError(f"{folder} ended as {before['status']}: there are no scores to reproduce.")
    identity = {key: before.get(key) for key in IDENTITY}
    after = repeat(cfg, identity, before, into or Path("runs", cfg.task, run_name(_root_=cfg)))
    for line in differences(before, after, CIRCUMSTANCES):
        print(f"circumstances differ: {line}")
    found = list(differences(before, after, SCORES))
    for line in found:
        print(f"scores differ: {line}")
    print(f"{len(found)} of the scores differ." if found else "All scores are equal, bit for bit.")
    return not found


def differences(before: dict[str, Any], after: dict[str, Any], parts: Sequence[str]) -> Iterator[str]:
    """``key: 1 before, 2 now`` for every value under ``parts`` that was recorded and differs."""
    now = dict(flatten(after))
    for key, value in flatten(before):
        if f"{key}.".startswith(tuple(f"{part}." for part in parts)) and value != now.get(key):
            yield f"{key}: {value} before, {now.get(key)} now"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_parser("reproduce", __doc__)
    parser.add_argument("run", type=Path, help="a finished run folder")
    parser.add_argument("--into", type=Path, help="the new run folder; default: a new one under runs/")
    run_command(parser, lambda options: reproduce(options.run, options.into), arguments)


if __name__ == "__main__":
    main()
