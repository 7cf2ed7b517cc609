"""Comparisons as tables: for a terminal, and as Markdown, CSV and JSON."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.comparison import Pair, SentenceTests, compare, count_pairs, headline, plural
from analysis.groups import ComparableGroups, RunGroup
from analysis.statistics import TOO_FEW


@dataclass
class Comparison:
    """Comparable groups with the tests of their pairs: the content of all tables and reports."""

    groups: ComparableGroups
    tests: SentenceTests
    pairs: list[Pair]
    headline: str

    @classmethod
    def of(cls, groups: ComparableGroups) -> "Comparison":
        tests = SentenceTests(groups)
        pairs = compare(groups, tests)
        return cls(groups, tests, pairs, headline(groups, pairs))


def group_values(group: RunGroup) -> dict[str, Any]:
    """All columns of a group, unrounded, as in CSV and JSON."""
    scores = group.scores
    low, high = group.interval or (None, None)
    return {
        "rank": group.rank or None,
        "name": group.name,
        "config_id": group.key[0],
        "seeds": sorted(scores),
        "mean": group.mean if scores else None,
        "standard_deviation": group.deviation,
        "low": low,
        "high": high,
        "best": next(iter(group.from_best), None),
        "worst": next(reversed(group.from_best), None),
        "baseline": group.baseline[1] if group.baseline else None,
        "baseline_name": group.baseline[0].replace("_", " ") if group.baseline else None,
        "parameters": group.average("parameters"),
        "seconds": group.average("seconds"),
        "tokens_per_second": group.average("tokens_per_second"),
        "kernel": group.distinct_values("kernel"),
        "precision": group.distinct_values("precision"),
        "missing_seeds": group.missing,
        "failed": [f"seed {record.seed}: {record.status}" for record in group.failed],
    }


def formatted_columns(group: RunGroup) -> dict[str, str]:
    """The columns of a group, rounded for readers."""
    found = group_values(group)
    return {
        "": formatted(found["rank"], "d"),
        "group": group.name,
        "mean": formatted(found["mean"], ".2f"),
        "sd": formatted(found["standard_deviation"], ".2f"),
        "95 % interval": f"{found['low']:.2f} to {found['high']:.2f}" if found["low"] is not None else "",
        "best": formatted(found["best"], ".2f"),
        "worst": formatted(found["worst"], ".2f"),
        "seeds": describe_group_seeds(group),
        "parameters": formatted(found["parameters"], ",.0f"),
        "seconds": formatted(found["seconds"], ",.0f"),
        "tokens/s": formatted(found["tokens_per_second"], ",.0f"),
        "kernel": found["kernel"],
        "precision": found["precision"],
    }


FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a formula may begin
COSTS = ("parameters", "seconds", "tokens/s", "kernel", "precision")
LEFT = ("group", "seeds", "kernel", "precision")  # columns of words


def formatted(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)


def describe_group_seeds(group: RunGroup) -> str:
    """The number of seeds with a score, and the seeds without one."""
    parts = [f"{record.seed} {record.status}" for record in group.failed]
    parts += [f"{seed} missing" for seed in group.missing]
    return str(len(group.scores)) + (f" (seed {', '.join(parts)})" if parts else "")


def show(compared: Sequence[Comparison], problems: Sequence[str], console: Console) -> None:
    """Print every comparison: headline, table, pairs, and excluded runs."""
    for part in compared:
        console.rule(escape(part.groups.title))
        console.print(escape(part.headline), style="bold")
        for table in tables(part.groups, console.width):
            console.print(table)
        for line in [*pair_lines(part), *excluded_runs(part.groups)]:
            console.print(escape(line), soft_wrap=True)
    for line in skipped(problems):
        console.print(escape(line), soft_wrap=True, style="yellow")


def tables(groups: ComparableGroups, width: int) -> list[Table]:
    """One table if it fits the width, otherwise one of scores and one of costs."""
    rows = [formatted_columns(group) for group in groups.ordered]
    columns = list(rows[0])
    wide = sum(max(len(column), *(len(row[column]) for row in rows)) + 3 for column in columns) + 1
    halves = [columns] if wide <= width else [columns[: -len(COSTS)], ["group", *COSTS]]
    return [table_of(rows, half) for half in halves]


def table_of(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, justify="left" if column in LEFT else "right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[column]) for column in columns))
    return table


def pair_lines(part: Comparison) -> list[str]:
    """One sentence for each pair, and one on the tests."""
    if not part.pairs:
        return []
    made = [test for pair in part.pairs for test in (pair.seeds, pair.sentences) if test and test.test != TOO_FEW]
    tests = sorted({test.test for test in made})
    count = count_pairs(len(part.groups.scored))
    corrected = f", p values corrected for all {count:,} pairs (Holm)" if count > 1 else ""
    how = f"tests: {', '.join(tests)}{corrected}; the intervals are not corrected" if made else "there are no tests"
    method = f"Scores in percent; {how}."
    tested = [pair.sentence for pair in part.pairs if not pair.one_seed or pair.on_sentences]
    single = [group.name for group in part.groups.scored if len(group.scores) == 1]
    return [*tested, *(f"{name} has one seed: too few seeds to compare." for name in single), method]


def excluded_runs(groups: ComparableGroups) -> list[str]:
    """Failed and missing runs, runs replaced by later ones, and other notes."""
    lines = []
    for group in groups.groups:
        lines += [f"{group.name}, seed {r.seed}: {r.status}. {reason(r.content)} ({r.path})" for r in group.failed]
        if group.missing:
            seeds = f"{plural('seed', len(group.missing))} {', '.join(map(str, group.missing))}"
            lines.append(f"{group.name}, {seeds}: missing, though other groups have a result.")
    return [*lines, *groups.notes]


def reason(content: dict[str, Any]) -> str:
    return str(content.get("reason") or "No reason is recorded.").splitlines()[0]


def skipped(problems: Sequence[str]) -> list[str]:
    """The number and the names of files that could not be read."""
    if not problems:
        return []
    files = "1 file was" if len(problems) == 1 else f"{len(problems)} files were"
    return [f"{files} skipped:", *(f"  {problem}" for problem in problems)]


def as_markdown(compared: Sequence[Comparison], problems: Sequence[str]) -> str:
    """The content of the terminal's tables as Markdown; text from runs is escaped."""
    blocks = []
    for part in compared:
        head = list(formatted_columns(part.groups.groups[0]))
        rule = "|" + "|".join("---" if column in LEFT else "--:" for column in head) + "|"
        rows = [row_of(list(formatted_columns(group).values())) for group in part.groups.ordered]
        lines = [f"- {escape_markdown(line)}" for line in [*pair_lines(part), *excluded_runs(part.groups)]]
        title, answer = escape_markdown(part.groups.title), escape_markdown(part.headline)
        blocks += [f"## {title}", f"**{answer}**", "\n".join([row_of(head), rule, *rows])]
        blocks += ["\n".join(lines)] if lines else []
    blocks += ["\n".join(map(escape_markdown, skipped(problems)))] if problems else []
    return "\n\n".join(blocks) + "\n"


def escape_markdown(text: str) -> str:
    """Text without HTML tags, links, emphasis or table cells of its own, on one line."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*|\[\]])", r"\\\1", text)


def row_of(texts: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape_markdown, texts)) + " |"


def as_csv(compared: Sequence[Comparison]) -> str:
    """One row for each group, unrounded."""
    rows = [
        {"task": s.task, "data": s.data, "split": s.split, "metric": s.metric, **group_values(group)}
        for s in (part.groups for part in compared)
        for group in s.ordered
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: quoted_cell(value) for key, value in row.items()})
    return text.getvalue()


def quoted_cell(value: Any) -> Any:
    """A CSV cell; text that a spreadsheet would run as a formula gets a leading apostrophe (OWASP, CSV injection)."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def as_json(compared: Sequence[Comparison], problems: Sequence[str]) -> dict[str, Any]:
    """All comparisons, unrounded."""
    return {"sections": [comparison_content(part) for part in compared], "skipped": list(problems)}


def comparison_content(part: Comparison) -> dict[str, Any]:
    groups = part.groups
    return {
        "task": groups.task,
        "data": groups.data,
        "split": groups.split,
        "metric": groups.metric,
        "headline": part.headline,
        "groups": [
            {
                **group_values(group),
                "scores": group.scores,
                "paths": {s: str(r.path) for s, r in group.finished.items()},
            }
            for group in groups.ordered
        ],
        "pairs": [
            {
                "better": pair.better.name,
                "worse": pair.worse.name,
                "sentence": pair.sentence,
                "over_seeds": asdict(pair.seeds),
                "on_sentences": pair.sentences and asdict(pair.sentences),
            }
            for pair in part.pairs
        ],
        "excluded": excluded_runs(groups),
    }
