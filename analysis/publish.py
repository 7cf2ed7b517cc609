"""The tables of ``README.md`` and ``docs/results.md``: ``python -m analysis.publish`` writes, ``--check`` compares.

A recorded result is the ``result.json`` of a run, kept as ``analysis/results/<task>/<table>/<row>-seed<N>.json``.
On a page a table stands between ``<!-- results: <task>/<table> ... -->`` and ``<!-- end -->``; rows of more than
one recorded table may stand in it, each named by its row, or by its row and what follows the first table's name.
"""

import json
import re
import statistics
import sys
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

from training.direction import lower_is_better, quality
from training.percent import to_percent

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "analysis" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
PLACE = re.compile(r"(<!-- results: ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
SUMMARY = re.compile(r"(<!-- summary: ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = """\
| | parameters | test {metric} | best, worst |{titles} seeds | steps to best | seconds | tokens/s | peak MB | kernel |
|---|--:|--:|--:|{rules}--:|--:|--:|--:|--:|---|"""
BESIDE = {  # further test scores of a table, by task and selection metric; title -> key, with dots
    ("tagging", "accuracy"): {"known words": "accuracy_known", "unknown": "accuracy_unknown"},
    ("translation", "bleu"): {"lower-cased": "bleu_lowercase", "chrF2++": "chrf"},
    ("captioning", "facts_right_seen"): {
        "unseen": "facts_right_unseen",
        "wrong": "facts_wrong",
        "BLEU": "bleu_lowercase",
    },
    ("forecasting", "mase"): {"sMAPE": "smape", "90 % coverage": "coverage_90"},
    ("memory", "accuracy"): {
        f"after {distances.replace('-', '–')}": f"by_distance.{distances}.accuracy"
        for distances in ("20-39", "80-159", "320-639", "640-1279")
    },
}
STALE = " is older than analysis/results: run python -m analysis.publish"


def table(folders: list[Path]) -> str:
    """One row for every group of seeds, the best mean on top, and under it where the numbers come from."""
    rows = rows_of(folders)
    results = [result for group in rows.values() for result in group]
    metric = results[0]["selection"]["metric"]
    beside = BESIDE.get((results[0]["task"], metric), {})
    ranked = sorted(rows.items(), key=lambda row: -quality(metric, statistics.mean(scores(row[1], metric))))
    head = HEAD.format(metric=metric, titles="".join(f" {title} |" for title in beside), rules="--:|" * len(beside))
    lines = [head, *(line(name, group, metric, list(beside.values())) for name, group in ranked)]
    return "\n".join(lines) + f"\n\n{origin(results)}\n"


def rows_of(folders: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """The seeds of every row of some tables."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for folder in folders:
        extra = folder.name.removeprefix(folders[0].name).replace("_", " ").strip()
        for path in sorted(folder.glob("*.json")):
            name = ", ".join(filter(None, [path.stem.rsplit("-seed", 1)[0], extra]))
            rows.setdefault(name, []).append(json.loads(path.read_text()))
    if not rows:
        sys.exit(f"{folders[0]} has no results: record some, or remove the table from the page.")
    for name, group in rows.items():
        if len({result["config_id"] for result in group}) > 1:
            sys.exit(f"{folders[0]}: the seeds of {name} are of more than one config: remove those of the older.")
    return rows


def summary(folders: list[Path]) -> str:
    """One row for every cell: its mean and standard deviation in each table, best in bold, and where they come from."""
    tables = [rows_of([folder]) for folder in folders]
    results = [result for rows in tables for group in rows.values() for result in group]
    metrics = [next(iter(rows.values()))[0]["selection"]["metric"] for rows in tables]
    means = [
        {name: statistics.mean(scores(group, metric)) for name, group in rows.items()}
        for rows, metric in zip(tables, metrics, strict=True)
    ]
    best = [
        max(found, key=lambda name: quality(metric, found[name])) for found, metric in zip(means, metrics, strict=True)
    ]
    titles = [f"{folder.parent.name}, {metric}" for folder, metric in zip(folders, metrics, strict=True)]
    cells = sorted(means[0], key=lambda name: -quality(metrics[0], means[0][name]))
    lines = [
        f"| | {' | '.join(titles)} |",
        "|---|" + "--:|" * len(folders),
    ]
    for cell in cells:
        found = [
            cell_text(rows.get(cell, []), metric, bold=cell == winner)
            for rows, metric, winner in zip(tables, metrics, best, strict=True)
        ]
        lines.append(f"| {cell} | {' | '.join(found)} |")
    return "\n".join(lines) + f"\n\n{origin(results)}\n"


def cell_text(group: list[dict[str, Any]], metric: str, bold: bool) -> str:
    """``93.96 ± 0.17`` of the seeds of a row; a dash where there are none."""
    if not group:
        return "-"
    found = scores(group, metric)
    mean = f"**{statistics.mean(found):.2f}**" if bold else f"{statistics.mean(found):.2f}"
    return f"{mean} ± {statistics.stdev(found):.2f}" if len(found) > 1 else mean


def scores(group: list[dict[str, Any]], metric: str) -> list[float]:
    """The test scores of all seeds in percent; of a score inside others by its keys with dots between them."""
    found = [reduce(dict.__getitem__, metric.split("."), result["metrics"]["test"]) for result in group]
    return [to_percent(metric.rpartition(".")[2], score) for score in found]


def steps_to_best(result: dict[str, Any]) -> float:
    """The number of updates until the epoch whose weights were kept."""
    training = result["training"]
    return float(training["steps"] * result["selection"]["epoch"] / training["epochs"])


def line(name: str, group: list[dict[str, Any]], metric: str, beside: list[str]) -> str:
    found = sorted(scores(group, metric), reverse=not lower_is_better(metric))  # the best first
    others = "".join(f" {statistics.mean(scores(group, other)):.2f} |" for other in beside)
    spread = f" ± {statistics.stdev(found):.2f}" if len(found) > 1 else ""
    steps = statistics.mean(map(steps_to_best, group))
    seconds = statistics.mean(result["training"]["seconds"] for result in group)
    speed = statistics.mean(result["training"]["tokens_per_second"] for result in group)
    seeds = ", ".join(str(seed) for seed in sorted(result["seed"] for result in group))
    memory = max(result["training"]["peak_memory_mb"] for result in group)
    kernels = sorted({f"{result['training']['kernel']} {result['training']['precision']}" for result in group})
    return (
        f"| {name} | {group[0]['parameters']:,} | **{statistics.mean(found):.2f}**{spread} | {found[0]:.2f}, "
        f"{found[-1]:.2f} |{others} {seeds} | {steps:,.0f} | {seconds:,.0f} | {speed:,.0f} | {memory:,.0f} | "
        f"{', '.join(kernels)} |"
    )


def origin(results: list[dict[str, Any]]) -> str:
    """Hardware and commits, each listed once."""
    machines = sorted({machine(result["environment"]) for result in results})
    commits = sorted({result["environment"]["commit"][:10] for result in results})
    torch = sorted({result["environment"]["torch"] for result in results})
    return (
        f"Mean ± standard deviation over seeds; {'; '.join(machines)} a run; torch {', '.join(torch)}; commit "
        f"{', '.join(commits)}."
    )


def machine(environment: dict[str, Any]) -> str:
    """The processor and the number of threads; the number of processes too where a run has several."""
    processes = environment.get("processes", 1)
    threads = f"{environment['cpu']}, {environment['threads']} thread(s)"
    return threads if processes == 1 else f"{threads} in each of {processes} processes"


def filled(readme: str) -> str:
    def written(place: re.Match[str], write: Callable[[list[Path]], str]) -> str:
        return f"{place[1]}\n{write([RESULTS / name for name in place[2].split()])}\n{place[3]}"

    return SUMMARY.sub(partial(written, write=summary), PLACE.sub(partial(written, write=table), readme))


def main(check: bool) -> None:
    """Fill the tables of every page; with ``check``, end with exit code 1 where one is stale."""
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if check and before != after:
            sys.exit(f"{page.relative_to(ROOT)}{STALE}")
        if not check:
            page.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(check="--check" in sys.argv)
