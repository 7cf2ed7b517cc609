"""Checks scores against recorded ones: ``python -m analysis.verify experiment=NAME``, ``--all``, or ``run=DIR``.

An experiment is run once for every recorded row, with the first recorded seed; ``run=DIR`` checks an existing run.
Other ``key=value`` arguments override the configs; ``data.path=DIR`` names a copy of the data set, or a folder with one
copy of each under its name.

A recorded seed passes if its score is within a tolerance of the recorded one: 0.1 points with the same processor,
threads, processes, precision, kernel and version of PyTorch; otherwise 1 point, or twice the standard deviation over
the recorded seeds if that is larger. A new seed passes within the range expected of 99 of 100 new seeds, which takes
two recorded seeds or more. The exit code is 0 if all scores pass, 1 if one fails, and 2 if nothing could be checked.
"""

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from analysis.command import command_parser, run_command
from analysis.groups import RunGroup, group_runs
from analysis.records import Record, find_records, load_result
from analysis.reproduce import repeat
from analysis.statistics import Interval, clip, prediction_interval
from data.errors import InputError, first_line
from training.folders import RESULT
from training.identity import config_id

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "analysis" / "results"
CONFIDENCE = 0.99
SAME_TOLERANCE, OTHER_TOLERANCE = 0.1, 1.0  # points; runs on one machine are equal, 0.1 allows for a library's update
DEVIATIONS = 2  # what another machine may add, in standard deviations over seeds
SAME_MACHINE = ("cpu", "device", "threads", "processes", "torch", "precision", "kernel")


def recorded_groups(folder: Path) -> list[RunGroup]:
    """The recorded seeds of every row under a folder."""
    if not folder.is_dir():
        raise InputError(f"There is no recorded result under {folder}.")
    return [group for groups in group_runs(find_records([folder]).records) for group in groups.scored]


def verify_experiments(names: Sequence[str], overrides: Sequence[str], results: Path, into: Path) -> bool:
    """Run the first seed of every recorded row again; True if all scores pass."""
    rows = [(name, group) for name in names for group in recorded_groups(results / name)]
    if not rows:
        raise InputError(f"There is no recorded result under {results} of {', '.join(names)}.")
    passed = [passes(group, rerun(name, group, overrides, into / name)) for name, group in rows]
    return all(passed)


def recorded_config(group: RunGroup, seed: int, overrides: Sequence[str]) -> DictConfig:
    """The config kept beside the results of a tuned row, which reads its data set from the copy under ``data.path``."""
    kept = group.finished[seed].config
    if not kept:
        raise InputError(f"{group.finished[seed].path} has no config beside it, so that it cannot be run again.")
    cfg = cast(DictConfig, OmegaConf.merge(kept, {"seed": seed}))
    try:
        OmegaConf.set_struct(cfg, True)
        cfg.merge_with_dotlist([option for option in overrides if not option.startswith("data.path=")])
    except OmegaConfBaseException as error:
        raise InputError(first_line(error)) from error
    use_copy(cfg, overrides)
    return cfg


def use_copy(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Let a config read its data set from the copy under ``data.path``, if it reads files."""
    for path in [Path(option.removeprefix("data.path=")) for option in overrides if option.startswith("data.path=")]:
        if "path" in cfg.data:  # the embedded language reads no files
            own = path / cfg.data.name
            cfg.data.path = str(own if own.is_dir() else path)


def config(name: str, task: str, cell: str, seed: int, overrides: Sequence[str]) -> DictConfig:
    """The config of a recorded row, reading its data set from the copy under ``data.path``."""
    others = [option for option in overrides if not option.startswith("data.path=")]
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
            cfg = compose(task, [f"experiment={name}", f"cell={cell}", f"seed={seed}", *others])
    except HydraException as error:
        raise InputError(str(error).splitlines()[0]) from error
    use_copy(cfg, overrides)
    return cfg


def rerun(name: str, group: RunGroup, overrides: Sequence[str], into: Path) -> Record:
    """Run the first recorded seed of a row again."""
    content = group.finished[min(group.scores)].content
    seed, cell = min(group.scores), content["cell"]
    tuned = "tuned" in content  # its values are those of a trial, which only its own config has
    cfg = recorded_config(group, seed, overrides) if tuned else config(name, content["task"], cell, seed, overrides)
    if cfg.match is None and config_id(cfg) != content["config_id"]:
        raise InputError(
            f"experiment={name} cell={cell} has config id {config_id(cfg)}, but {content['config_id']} is recorded: "
            f"the experiment has changed. Record it again, or add the overrides that it was recorded with."
        )
    folder = into / f"{cell}-{config_id(cfg)}-seed{seed}"
    identity = {"task": cfg.task, "experiment": name, "cell": cell, "config_id": config_id(cfg), "seed": seed}
    return Record(folder / RESULT, repeat(cfg, identity, content, folder))


def verify_run(folder: Path, results: Path) -> bool:
    """Check an existing run against the recorded seeds of its config."""
    record = Record(folder / RESULT, read_run(folder))
    key = (record.content["config_id"], record.hashes)
    group = next((group for group in recorded_groups(results) if group.key == key), None)
    if group is None:
        raise InputError(f"No result is recorded of config {key[0]} on the data of {folder}.")
    return passes(group, record)


def read_run(folder: Path) -> dict[str, Any]:
    if not (folder / RESULT).is_file():
        raise InputError(f"{folder} has no {RESULT}: it is not a run folder, or its run did not end.")
    return load_result(folder / RESULT)


def passes(group: RunGroup, record: Record) -> bool:
    """Check and print whether a score agrees with the recorded ones."""
    name = f"{group.first_record.path.parent.name} {group.first_record.content['cell']}, seed {record.seed}"
    if record.hashes != group.key[1]:
        raise InputError(f"{name}: the data differ from those of the recorded results (another SHA-256).")
    (low, high), basis = accepted_range(name, group, record)
    score = record.score(group.split, group.metric)
    inside = score is not None and low - 1e-9 <= score <= high + 1e-9
    found = "no score" if score is None else f"{score:.2f}"
    print(
        f"{'passes' if inside else 'FAILS '}  {name}: {group.split} {group.metric} {found}, "
        f"accepted {low:.2f} to {high:.2f}: {basis}"
    )
    return inside


def accepted_range(name: str, group: RunGroup, record: Record) -> tuple[Interval, str]:
    """The scores that pass, and a description of where the range comes from."""
    if record.seed in group.scores:
        return around_recorded(group, record)
    interval = prediction_interval(list(group.scores.values()), CONFIDENCE, group.bounds)
    if interval is None:
        raise InputError(f"{name}: the seed is not recorded, and one recorded seed gives no range; record two or more.")
    return interval, f"new seed, {CONFIDENCE:.0%} prediction interval of {len(group.scores)} recorded seeds"


def around_recorded(group: RunGroup, record: Record) -> tuple[Interval, str]:
    """The recorded score of the same seed, plus and minus a tolerance that depends on what else is the same."""
    recorded, changed = group.scores[record.seed], circumstances(group.finished[record.seed], record)
    other = max(OTHER_TOLERANCE, DEVIATIONS * (group.deviation or 0.0))
    tolerance = other if changed else SAME_TOLERANCE
    where = f"another {', '.join(changed)}" if changed else "same machine and precision"
    interval = clip((recorded - tolerance, recorded + tolerance), group.bounds)
    return interval, f"recorded {recorded:.2f}, tolerance {tolerance:.2f} ({where})"


def circumstances(before: Record, after: Record) -> list[str]:
    """The names of what differs between two runs and changes the last bits of scores: processor, precision, ..."""
    first, second = (
        {**record.content.get("environment", {}), **record.content.get("training", {})} for record in (before, after)
    )
    return [name for name in SAME_MACHINE if first.get(name) != second.get(name)]


def verify(chosen: argparse.Namespace) -> bool:
    """Check what the command line asks for; True if all scores pass."""
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
    parser = command_parser("verify", __doc__)
    parser.add_argument("options", nargs="*", metavar="key=value", help="experiment=NAME or run=DIR, and overrides")
    parser.add_argument("--all", action="store_true", help="every experiment that has recorded results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: analysis/results")
    parser.add_argument("--into", type=Path, help="the folder of the new runs; default: runs/verify-<time>")
    run_command(parser, verify, arguments)


if __name__ == "__main__":
    main()
