"""Hold scores against those recorded: ``python -m analysis.verify experiment=NAME``, ``--all``, or ``run=DIR``.

An experiment is run once for every recorded row of it, with the first recorded seed; ``run=DIR`` checks a run that
there is. More ``key=value`` go into the configs; ``data.path=DIR`` names a copy of the data set, or a folder with one
of each under its name. A score passes within the range in which 99 of 100 new seeds fall, by the recorded seeds: a
row of one seed has none, and is left out. Exit code 0: all pass, 1: one does not, 2: nothing could be checked.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig

from analysis.groups import Group, sections
from analysis.records import Record, checked, find
from analysis.reproduce import repeat
from analysis.statistics import prediction_interval
from data.errors import InputError
from training.folders import RESULT, config_id

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "analysis" / "results"
CONFIDENCE = 0.99


def recorded_groups(folder: Path) -> list[Group]:
    """The recorded seeds of every row under a folder."""
    if not folder.is_dir():
        raise InputError(f"There is no recorded result under {folder}.")
    return [group for section in sections(find([folder]).records) for group in section.scored]


def verify_experiments(names: Sequence[str], overrides: Sequence[str], results: Path, into: Path) -> bool:
    """Run every recorded row of some experiments again; True where all scores are in their ranges."""
    passed = []
    for name in names:
        for group in recorded_groups(results / name):
            if len(group.scores) > 1:
                passed.append(passes(group, rerun(name, group, overrides, into / name)))
            else:
                print(f"left out {name} {group.any.content['cell']}: one recorded seed gives no range")
    if not passed:
        raise InputError("No row has two recorded seeds or more: there is no range to check against.")
    return all(passed)


def config(name: str, task: str, cell: str, seed: int, overrides: Sequence[str]) -> DictConfig:
    """The config of an experiment's row, its data set read from where ``data.path`` has a copy of it."""
    paths = [Path(option.removeprefix("data.path=")) for option in overrides if option.startswith("data.path=")]
    others = [option for option in overrides if not option.startswith("data.path=")]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
            cfg = compose(task, [f"experiment={name}", f"cell={cell}", f"seed={seed}", *others])
    except HydraException as error:
        raise InputError(str(error).splitlines()[0]) from error
    for path in paths:
        if "path" in cfg.data:  # the embedded language is read from nowhere
            own = path / cfg.data.name
            cfg.data.path = str(own if own.is_dir() else path)
    return cfg


def rerun(name: str, group: Group, overrides: Sequence[str], into: Path) -> Record:
    """The first recorded seed of a row once more."""
    content = group.any.content
    seed, cell = min(group.scores), content["cell"]
    cfg = config(name, content["task"], cell, seed, overrides)
    if cfg.match is None and config_id(cfg) != content["config_id"]:
        raise InputError(
            f"experiment={name} cell={cell} has config id {config_id(cfg)}, and {content['config_id']} is recorded: "
            f"the experiment is another one now. Record it again, or add the overrides that it was recorded with."
        )
    folder = into / f"{cell}-{config_id(cfg)}-seed{seed}"
    identity = {"task": cfg.task, "experiment": name, "cell": cell, "config_id": config_id(cfg), "seed": seed}
    return Record(folder / RESULT, repeat(cfg, identity, folder))


def verify_run(folder: Path, results: Path) -> bool:
    """Check a run that there is against the recorded seeds of its config."""
    record = Record(folder / RESULT, read(folder))
    key = (record.content["config_id"], record.hashes)
    group = next((group for group in recorded_groups(results) if group.key == key), None)
    if group is None:
        raise InputError(f"No result is recorded of config {key[0]} on the data of {folder}.")
    return passes(group, record)


def read(folder: Path) -> dict[str, Any]:
    if not (folder / RESULT).is_file():
        raise InputError(f"{folder} holds no {RESULT}: it is no run folder, or its run never ended.")
    return checked(folder / RESULT)


def passes(group: Group, record: Record) -> bool:
    """Say whether a score is in the range of the recorded ones."""
    name = f"{group.any.path.parent.name} {group.any.content['cell']}, seed {record.seed}"
    bounds = prediction_interval(list(group.scores.values()), CONFIDENCE)
    if bounds is None:
        raise InputError(f"{name}: one recorded seed gives no range; record two or more.")
    if record.hashes != group.key[1]:
        raise InputError(f"{name}: the data are not those of the recorded results (another SHA-256).")
    score = record.score(group.split, group.metric)
    inside = score is not None and bounds[0] - 1e-9 <= score <= bounds[1] + 1e-9
    said = "no score" if score is None else f"{score:.2f}"
    print(
        f"{'passes' if inside else 'FAILS '}  {name}: {group.split} {group.metric} {said}, recorded "
        f"{group.mean:.2f} over {len(group.scores)} seeds, range {bounds[0]:.2f} to {bounds[1]:.2f}"
    )
    return inside


def verify(chosen: argparse.Namespace) -> bool:
    """Do as the command line asks; True where all scores pass."""
    asked = dict(option.partition("=")[::2] for option in chosen.options)
    overrides = [option for option in chosen.options if not option.startswith(("experiment=", "run="))]
    if "run" in asked:
        return verify_run(Path(asked["run"]), chosen.results)
    into = chosen.into or Path("runs", f"verify-{datetime.now():%Y-%m-%d_%H-%M-%S}")
    if chosen.all:
        names = sorted({str(p.parent.relative_to(chosen.results)) for p in chosen.results.rglob("*-seed*.json")})
        if not names:
            raise InputError(f"There is no recorded result under {chosen.results}.")
        return verify_experiments(names, overrides, chosen.results, into)
    if "experiment" not in asked:
        raise InputError("Verify what? Give experiment=NAME, --all, or run=DIR.")
    return verify_experiments([asked["experiment"]], overrides, chosen.results, into)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("options", nargs="*", metavar="key=value", help="experiment=NAME or run=DIR, and overrides")
    parser.add_argument("--all", action="store_true", help="every experiment that has recorded results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: analysis/results")
    parser.add_argument("--into", type=Path, help="where the new runs are kept; default: runs/verify-<time>")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sys.exit(0 if verify(parser.parse_intermixed_args(arguments)) else 1)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
