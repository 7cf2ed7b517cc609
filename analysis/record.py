"""Records the results of finished runs: ``python -m analysis.record sentiment/sst2_phrases FOLDER...``.

Every ``result.json`` with status ok under the folders is copied to ``analysis/results/<table>/<cell>-seed<N>.json``,
and its config to ``<cell>.yaml`` beside it. Results from a checkout with uncommitted changes are refused, since they
could not be repeated. ``--row NAME`` names the row, by default its cell.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from analysis.command import command_parser, run_command
from analysis.records import Record, find_records
from data.errors import InputError
from data.writing import write_json, write_text
from training.folders import CONFIG
from training.identity import PATHS

RESULTS = Path(__file__).parent / "results"


def record(table: str, folders: Sequence[Path], row: str | None, results: Path = RESULTS) -> None:
    """Copy finished results and their configs, and print what was copied; nothing is copied if any is refused."""
    found = find_records(folders)
    for problem in found.problems:
        print(f"skipped: {problem}")
    kept = [run for run in found.records if run.status == "ok"]
    for run in found.records:
        if run.status != "ok":
            print(f"{run.path}: {run.status}, not recorded: {run.content.get('reason')}")
    if not kept:
        raise InputError(f"There is no finished run under {', '.join(map(str, folders))}.")
    check_clean(kept)
    for run in kept:
        copy(run, results / table, row or run.content["cell"])


def check_clean(runs: Sequence[Record]) -> None:
    """Refuse results whose code is in no commit."""
    dirty = [str(run.path) for run in runs if run.content.get("environment", {}).get("dirty") is not False]
    if dirty:
        raise InputError(
            f"{', '.join(dirty)}: the run's code was in no commit (uncommitted changes, or no Git checkout). "
            f"Commit, run again and record the new result."
        )


def copy(run: Record, table: Path, row: str) -> None:
    """Copy one result and its config; the config of a row is that of the seed recorded last."""
    table.mkdir(parents=True, exist_ok=True)
    target = table / f"{row}-seed{run.seed}.json"
    write_json(target, {key: value for key, value in run.content.items() if key != "overrides"})  # paths of a machine
    if (run.folder / CONFIG).is_file():
        write_text(table / f"{row}.yaml", without_places(run.folder / CONFIG))
    print(f"{run.path} -> {target}")


def without_places(path: Path) -> str:
    """A config without the absolute paths of its data: they are those of a machine, and no part of the experiment."""
    cfg = OmegaConf.load(path)
    for key in ("data_cache", *(f"data.{key}" for key in PATHS)):
        value = OmegaConf.select(cfg, key)
        if isinstance(value, str) and Path(value).is_absolute():
            OmegaConf.update(cfg, key, None)
    return OmegaConf.to_yaml(cfg)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_parser("record", __doc__)
    parser.add_argument("table", help="<task>/<table>")
    parser.add_argument("folders", nargs="+", type=Path, help="runs and sweeps, searched recursively")
    parser.add_argument("--row", help="the name of the row, in place of the cell")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: analysis/results")
    run_command(parser, run, arguments)


def run(options: argparse.Namespace) -> None:
    record(options.table, options.folders, options.row, options.results)


if __name__ == "__main__":
    main()
