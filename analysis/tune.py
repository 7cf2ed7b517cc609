"""Trains the best trial of every group with fresh seeds and compares: ``python -m analysis.tune SWEEP_FOLDER``.

The trials of a sweep (``-m trial='range(12)' cell=rnn,lstm,gru``) are ranked by their validation scores. The best one
of each group is trained again from other seeds, whose runs read the test split once each, and these are compared.
Started again, the command skips finished runs, resumes interrupted ones, and adds what new trials or cells call for;
started twice at once, the two share the work.

Files: ``best/`` in the sweep's folder has the runs, ``trials.csv`` all trials, ``tuned.html`` the page.
"""

import argparse
import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from rich.console import Console

from analysis.command import command_parser, run_command
from analysis.compare import write_page
from analysis.groups import group_runs
from analysis.records import Record, find_records
from analysis.search_tables import show_searches
from analysis.tables import Comparison, show
from analysis.trials import Search, TrialGroup, as_csv, is_trial, searches
from data.errors import InputError
from data.writing import write_text
from training.folders import RESULT, job_name
from training.load import load_config
from training.waiting import choose_wait_policy

log = logging.getLogger(__name__)

BEST, TRIALS, PAGE = "best", "trials.csv", "tuned.html"


def tune(options: argparse.Namespace) -> bool:
    """Rank, train, compare; False if a final run has no score."""
    found = find_records([options.folder])
    ranked = searches(found.records)
    if not ranked:
        raise InputError(f"{options.folder} has no trials: run a sweep with trial='range(12)' first.")
    write_text(options.folder / TRIALS, as_csv(ranked))
    show_searches(ranked, Console())
    chosen = [group for search in ranked for group in search.groups if group.best is not None]
    jobs = final_jobs(chosen, options.folder / BEST, fresh_seeds(found.records, options.seeds))
    if options.list:
        print("\n".join(f"{state(folder):<9} {folder}" for folder, _, _ in jobs))
        return True
    for number, (folder, cfg, names) in enumerate(jobs, start=1):
        log.info("final run %d of %d: %s", number, len(jobs), folder)
        final_run(folder, cfg, names)
    return report_finals(ranked, [folder for folder, _, _ in jobs], options)


def fresh_seeds(records: Sequence[Record], count: int) -> list[int]:
    """The first whole numbers from 1 that no trial had as its seed: the choice of a trial has seen its own."""
    if count < 1:
        raise InputError(f"--seeds {count}: give at least 1.")
    used = {record.seed for record in records if is_trial(record)}
    return [seed for seed in range(1, count + len(used) + 1) if seed not in used][:count]


def final_jobs(
    groups: Sequence[TrialGroup], folder: Path, seeds: Sequence[int]
) -> list[tuple[Path, DictConfig, dict[str, Any]]]:
    """(folder, config, identity) of every final run: seed by seed, so that an early end leaves equal seeds."""
    jobs = []
    for seed in seeds:
        for group in groups:
            best = best_record(group)
            cfg = final_config(load_config(best.folder), seed)
            jobs.append((folder / job_name(_root_=cfg), cfg, final_identity(group, best, cfg)))
    return jobs


def best_record(group: TrialGroup) -> Record:
    assert group.best is not None
    return group.runs[group.best][0]


def final_config(trial: DictConfig, seed: int) -> DictConfig:
    """The config of a trial as that of a normal run: another seed, and with the test split."""
    cfg = copy.deepcopy(trial)
    with open_dict(cfg):
        cfg.pop("search", None)
        cfg.trial, cfg.seed, cfg.test, cfg.resume = None, seed, True, False
    return cfg


def final_identity(group: TrialGroup, best: Record, cfg: DictConfig) -> dict[str, Any]:
    """What identifies a final run; ``tuned`` records the search that chose its values."""
    from training.run import identity

    trial = best.content["trial"]
    search = {"group": group.key, "trials": len(group.runs), "failed": len(group.failed)}
    tuned = {"trial": trial["number"], **search, "values": trial["values"]}
    return {**identity(cfg, {}), "experiment": best.content.get("experiment"), "tuned": tuned}


def state(folder: Path) -> str:
    from training.folders import status_of

    return status_of(folder) or "to run"


def final_run(folder: Path, cfg: DictConfig, names: dict[str, Any]) -> None:
    """One final run, unless it is finished; what becomes of one that fails is in its folder."""
    import torch

    from training.experiment import resolved
    from training.run import locked, run_in
    from training.trainer import DivergedError

    try:
        with locked(folder):
            run_in(folder, resolved(cfg), names, alone=False)
    except (InputError, DivergedError, torch.OutOfMemoryError, MemoryError, OSError) as error:
        log.error("error: %s", error)


def report_finals(ranked: Sequence[Search], folders: Sequence[Path], options: argparse.Namespace) -> bool:
    """Compare the final runs, print and write the page."""
    there = [folder for folder in folders if (folder / RESULT).is_file()]
    if not there:
        raise InputError(f"No final run under {options.folder / BEST} has a result.")
    found = find_records(there)
    compared = [Comparison.of(groups) for groups in group_runs(found.records)]
    show(compared, found.problems, Console())
    write_page(options.html or options.folder / PAGE, compared, found.problems, ranked, options.command)
    return len(there) == len(folders) and all(record.status == "ok" for record in found.records)


def parser() -> argparse.ArgumentParser:
    made = command_parser("tune", __doc__)
    made.add_argument("folder", type=Path, help="the folder of a sweep with trials, searched recursively")
    made.add_argument("--seeds", type=int, default=5, metavar="N", help="fresh seeds of each best trial; default: 5")
    made.add_argument("--html", type=Path, metavar="FILE", help=f"the page; default: {PAGE} in the folder")
    made.add_argument("--list", action="store_true", help="rank the trials and list the final runs; train nothing")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    choose_wait_policy()  # before torch is imported
    run_command(parser(), tune, arguments)


if __name__ == "__main__":
    main()
