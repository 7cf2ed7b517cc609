"""Measures the textbook's claims about recurrent networks: ``python -m analysis.claims [NAME ...]``.

Runs the sweeps of all claims, or of those named, keeps their results in docs/claims/results.json, and writes
docs/claims.md and its pictures. An interrupted sweep continues where it stopped, and a finished one is not run again.
With --page, nothing is run: the page is written from what is recorded. What is not recorded stands as "not
measured".
"""

import argparse
import hashlib
import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from omegaconf import DictConfig

from analysis.claim_list import CLAIMS, Claim, Job, NotMeasuredError, Sweep
from analysis.command import command_parser, run_command
from data.errors import InputError
from data.writing import write_json, write_text
from training.build import build
from training.folders import HISTORY, RESULT
from training.identity import config_id

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RUNS = Path("runs/claims")
NOT_MEASURED = "not measured"
DIGITS = 4  # significant, of the numbers that are kept

Records = dict[str, dict[str, Any]]  # by the name of a sweep


def command(sweep: Sweep) -> list[str]:
    """The command line of a sweep; its folder is named by all that it runs."""
    key = hashlib.sha256(repr((sweep.task, sweep.overrides)).encode()).hexdigest()[:8]
    folder = RUNS / f"{sweep.name}-{key}"
    return ["-m", f"tasks.{sweep.task}", "-m", *sweep.overrides, f"hydra.sweep.dir={folder}"]


def folder_of(sweep: Sweep) -> Path:
    return Path(command(sweep)[-1].partition("=")[2])


def shown(sweep: Sweep) -> str:
    """The command as a person types it."""
    return f"python {shlex.join(command(sweep)[:-1])}"


def run(sweep: Sweep) -> None:
    """Run the jobs that are not finished."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    log.info("%s", shown(sweep))
    done = subprocess.run([sys.executable, *command(sweep)], env={**os.environ, "PYTHONPATH": path})
    if done.returncode:
        log.warning("%s ended with exit code %d: the same command continues.", sweep.name, done.returncode)


def jobs(sweep: Sweep) -> Iterator[tuple[dict[str, Any], DictConfig]]:
    """The values of the swept keys and the config of every job."""
    fixed = [override for override in sweep.overrides if override.lstrip("+").partition("=")[0] not in sweep.axes]
    swept = [override for override in sweep.overrides if override not in fixed]
    choices = [
        [f"{key}={value}" for value in values.split(",")] for key, _, values in (s.partition("=") for s in swept)
    ]
    with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
        for chosen in product(*choices):
            cfg = compose(sweep.task, overrides=[*fixed, *chosen])
            pairs = (override.lstrip("+").partition("=")[::2] for override in chosen)
            yield {key: plain(value) for key, value in pairs}, cfg


def plain(text: str) -> Any:
    """A value of the command line as JSON has it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def record(sweep: Sweep) -> dict[str, Any] | None:
    """The results of the finished and failed jobs of a sweep; None without any."""
    contents = {}
    for path in sorted(folder_of(sweep).glob(f"*/{RESULT}")):
        content = json.loads(path.read_text(encoding="utf-8"))
        contents[content["options_id"], content["seed"]] = (path.parent, content)
    found, results = [], []
    for values, cfg in jobs(sweep):
        seed = cfg.seed
        place = contents.get((config_id(cfg), seed))
        if place is not None and place[1]["status"] in ("ok", "diverged"):
            found.append(job(values, cfg, *place))
            results.append(place[1])
    if not found:
        return None
    environments = [result["environment"] for result in results]
    return {
        "command": shown(sweep),
        "seconds": sum(entry.get("training", {}).get("seconds", 0.0) for entry in found),
        "cpu": sorted({environment["cpu"] for environment in environments}),
        "torch": sorted({environment["torch"] for environment in environments}),
        "commits": sorted({str(environment["commit"])[:10] for environment in environments}),
        "jobs": found,
    }


def job(values: dict[str, Any], cfg: DictConfig, folder: Path, result: dict[str, Any]) -> Job:
    """The part of a run folder that rules and pictures read."""
    path = folder / HISTORY
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    history = [{key: row[key] for key in ("epoch", "train_loss", "gradient_norm", "clipped_share")} for row in rows]
    entry = {"values": values, "seed": cfg.seed, "status": result["status"], "history": history}
    if result["status"] == "ok":
        test = {
            key: score for key, score in result["metrics"]["test"].items() if key not in ("per_class", "signatures")
        }
        entry |= {"test": test, "training": result["training"], "parameters": result["parameters"]}
    if (folder / "recorder.json").is_file():
        entry |= recorded_states(json.loads((folder / "recorder.json").read_text(encoding="utf-8")))
    if cfg.task == "tagging":
        entry["bleu"] = bleu_of_tags(cfg, folder)
    return rounded(entry)


def recorded_states(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Median norms by distance, and the saturated gates."""
    gradients = [
        {
            "moment": r["moment"],
            "distance": r["distance"],
            "hidden": r["hidden"]["median"],
            "state": r["state"]["median"],
        }
        for r in rows["gradients"]
    ]
    return {"gradients": gradients, "gates": rows["gates"]}


def bleu_of_tags(cfg: DictConfig, folder: Path) -> float:
    """BLEU of predicted German words, one per English word, against the whole German sentences."""
    from data.translation import SentencePair
    from training.bleu import translation_scores

    references = [pair.target for pair in build(cfg.data).for_examples(SentencePair).read_split("test")]
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    hypotheses = [" ".join(tag for tag in row["predictions"] if tag != "-") for row in rows]
    return float(translation_scores(hypotheses, references)["bleu"])


def rounded(value: Any) -> Any:
    """Numbers to so many digits as are read; all else as it is."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def read_records(docs: Path) -> Records:
    path = docs / "claims" / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def jobs_of(claim: Claim, records: Records) -> list[list[Job]]:
    """The recorded jobs of every sweep of a claim; of a sweep that was changed since, none."""
    found = [records.get(sweep.name, {}) for sweep in claim.sweeps]
    current = [record.get("command") == shown(sweep) for record, sweep in zip(found, claim.sweeps, strict=True)]
    return [record["jobs"] if same else [] for record, same in zip(found, current, strict=True)]


def judged(claim: Claim, records: Records) -> tuple[str, str]:
    """The number and the verdict of a claim."""
    found = jobs_of(claim, records)
    if not all(found):
        return "", NOT_MEASURED
    try:
        return claim.judge(*found)
    except NotMeasuredError as missing:
        return f"missing: {missing}", NOT_MEASURED


def draw(claim: Claim, records: Records, path: Path) -> bool:
    """The picture of a claim; False where not all of it is recorded."""
    found = jobs_of(claim, records)
    if not all(found):
        return False
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    try:
        claim.draw(axes, *found)
    except NotMeasuredError:
        return False
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(unique.values(), unique.keys(), fontsize=8)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})
    return True


def write_page(docs: Path) -> None:
    """``claims.md`` and ``claims/<name>.png`` from ``claims/results.json``."""
    records = read_records(docs)
    verdicts = {claim.name: judged(claim, records) for claim in CLAIMS}
    rows = [
        f"| [{claim.sentence}](#{claim.name}) | {verdicts[claim.name][0] or '-'} | **{verdicts[claim.name][1]}** |"
        for claim in CLAIMS
    ]
    sections = [section(claim, *verdicts[claim.name], records, docs) for claim in CLAIMS]
    write_text(
        docs / "claims.md", "\n".join([HEAD, "| claim | measured | verdict |\n|---|---|---|", *rows, "", *sections])
    )


HEAD = """\
# The textbook's claims, measured

Written by `python -m analysis.claims`, which runs every experiment below, or continues where it stopped, and writes
this page from the recorded results ([results.json](claims/results.json)). `python -m analysis.claims NAME` measures one
claim, `--page` only writes the page. A verdict follows from the rule given with it. One seed unless stated; all
cells share one recipe, which was not tuned for any of them, so that a verdict is about these runs.
"""


def section(claim: Claim, number: str, verdict: str, records: Records, docs: Path) -> str:
    """Everything about one claim."""
    picture = f"claims/{claim.name}.png"
    lines = [f"## {claim.name}", "", claim.sentence, "", f"**{verdict[0].upper()}{verdict[1:]}.** {number}".strip(), ""]
    lines += [f"Rule: {claim.rule}", "", "```bash", f"python -m analysis.claims {claim.name}"]
    lines += [f"# {shown(sweep)}" for sweep in claim.sweeps] + ["```", ""]
    lines += [
        origin(records[sweep.name]) for sweep in claim.sweeps if sweep.name in records and verdict != NOT_MEASURED
    ]
    if draw(claim, records, docs / picture):
        lines += ["", f"![{claim.sentence}]({picture})"]
    return "\n".join(lines) + "\n"


def origin(record: dict[str, Any]) -> str:
    """Hardware, time and commit of a sweep."""
    number = len(record["jobs"])
    cpu, torch, commits = (", ".join(record[key]) for key in ("cpu", "torch", "commits"))
    runs = f"{number} run{'s' if number > 1 else ''}, {record['seconds'] / 60:.1f} minutes of training"
    return f"{runs} on {cpu}, 1 thread; torch {torch}; commit {commits}."


def chosen_sweeps(names: Sequence[str]) -> list[Sweep]:
    """The sweeps of some claims, or of all, each once."""
    known = [claim.name for claim in CLAIMS]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"There is no claim {unknown[0]}: the claims are {', '.join(known)}.")
    claims = [claim for claim in CLAIMS if not names or claim.name in names]
    return list({sweep.name: sweep for claim in claims for sweep in claim.sweeps}.values())


def measure(sweep: Sweep, docs: Path) -> None:
    """Run a sweep, and record it at once."""
    run(sweep)
    if (found := record(sweep)) is not None:
        write_json(docs / "claims" / "results.json", read_records(docs) | {sweep.name: found})


def body(options: argparse.Namespace) -> None:
    docs = Path(options.docs)
    (docs / "claims").mkdir(parents=True, exist_ok=True)
    for sweep in [] if options.page else chosen_sweeps(options.claims):
        measure(sweep, docs)
        write_page(docs)  # after each one, in case the next is interrupted
    write_page(docs)
    log.info("written: %s", docs / "claims.md")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = command_parser("claims", __doc__)
    parser.add_argument("claims", nargs="*", metavar="NAME", help="a claim; all without a name")
    parser.add_argument("--page", action="store_true", help="run nothing")
    parser.add_argument("--docs", default=str(DOCS), help="the folder of the page")
    run_command(parser, body, arguments)


if __name__ == "__main__":
    main()
