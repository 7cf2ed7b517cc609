"""Comparisons as tables: for a terminal, and as Markdown, CSV and JSON."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.comparison import Pair, SentenceTests, answer, compare
from analysis.groups import Group, Section

Read = Callable[[Group], Any]


@dataclass
class Compared:
    """A section with its pairs: all that tables and pages are made of."""

    section: Section
    tests: SentenceTests
    pairs: list[Pair]
    answer: str

    @classmethod
    def of(cls, section: Section) -> "Compared":
        tests = SentenceTests(section)
        pairs = compare(section, tests)
        return cls(section, tests, pairs, answer(section, pairs))


def numbers(group: Group) -> dict[str, Any]:
    """All columns of a group, unrounded: what CSV and JSON hold."""
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
        "best": max(scores.values(), default=None),
        "worst": min(scores.values(), default=None),
        "parameters": group.average("parameters"),
        "seconds": group.average("seconds"),
        "tokens_per_second": group.average("tokens_per_second"),
        "kernel": group.kinds("kernel"),
        "precision": group.kinds("precision"),
        "missing_seeds": group.missing,
        "failed": [f"seed {record.seed}: {record.status}" for record in group.failed],
    }


def cells(group: Group) -> dict[str, str]:
    """The columns of a group as a reader wants them."""
    found = numbers(group)
    return {
        "": plain(found["rank"], "d"),
        "group": group.name,
        "mean": plain(found["mean"], ".2f"),
        "sd": plain(found["standard_deviation"], ".2f"),
        "95 % interval": f"{found['low']:.2f} to {found['high']:.2f}" if found["low"] is not None else "",
        "best": plain(found["best"], ".2f"),
        "worst": plain(found["worst"], ".2f"),
        "seeds": seeds_said(group),
        "parameters": plain(found["parameters"], ",.0f"),
        "seconds": plain(found["seconds"], ",.0f"),
        "tokens/s": plain(found["tokens_per_second"], ",.0f"),
        "kernel": found["kernel"],
        "precision": found["precision"],
    }


COSTS = ("parameters", "seconds", "tokens/s", "kernel", "precision")
LEFT = ("group", "seeds", "kernel", "precision")  # columns of words


def plain(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)


def seeds_said(group: Group) -> str:
    """How many seeds came to a score, and which did not."""
    parts = [str(len(group.scores))]
    parts += [f"{record.seed} {record.status}" for record in group.failed]
    parts += [f"{seed} missing" for seed in group.missing]
    return ", ".join(parts)


def show(compared: Sequence[Compared], problems: Sequence[str], console: Console) -> None:
    """Every section in the terminal: the answer, the table, the pairs, and what is not in them."""
    for part in compared:
        console.rule(escape(part.section.title))
        console.print(escape(part.answer), style="bold")
        for table in tables(part.section, console.width):
            console.print(table)
        for line in [*sentences(part), *left_out(part.section)]:
            console.print(escape(line), soft_wrap=True)
    for line in skipped(problems):
        console.print(escape(line), soft_wrap=True, style="yellow")


def tables(section: Section, width: int) -> list[Table]:
    """One table where it fits into the width, else one of scores and one of costs."""
    rows = [cells(group) for group in section.ordered]
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


def sentences(part: Compared) -> list[str]:
    """The pairs in words, and how their tests were made."""
    if not part.pairs:
        return []
    tests = sorted({pair.seeds.test for pair in part.pairs} | {p.sentences.test for p in part.pairs if p.sentences})
    count = len(part.pairs)
    corrected = f", p corrected for {count} pairs (Holm)" if count > 1 else ""
    made = f"Scores in points of 100; tests: {', '.join(tests)}{corrected}; intervals are of each pair alone."
    return [*(pair.sentence for pair in part.pairs), made]


def left_out(section: Section) -> list[str]:
    """Failed and missing runs, and runs that gave way to later ones."""
    lines = []
    for group in section.groups:
        lines += [f"{group.name}, seed {r.seed}: {r.status}. {reason(r.content)} ({r.path})" for r in group.failed]
        lines += [f"{group.name}, seed {seed}: missing, though others have it." for seed in group.missing]
    return [*lines, *section.notes]


def reason(content: dict[str, Any]) -> str:
    return str(content.get("reason") or "It says no reason.").splitlines()[0]


def skipped(problems: Sequence[str]) -> list[str]:
    """What could not be read, counted and named."""
    if not problems:
        return []
    files = "1 file was" if len(problems) == 1 else f"{len(problems)} files were"
    return [f"{files} skipped:", *(f"  {problem}" for problem in problems)]


def as_markdown(compared: Sequence[Compared], problems: Sequence[str]) -> str:
    """The same as the terminal shows, as Markdown."""
    blocks = []
    for part in compared:
        head = list(cells(part.section.groups[0]))
        rule = "|" + "|".join("---" if column in LEFT else "--:" for column in head) + "|"
        rows = [row_of(list(cells(group).values())) for group in part.section.ordered]
        lines = [f"- {line}" for line in [*sentences(part), *left_out(part.section)]]
        blocks += [f"## {part.section.title}", f"**{part.answer}**", "\n".join([row_of(head), rule, *rows])]
        blocks += ["\n".join(lines)] if lines else []
    blocks += ["\n".join(skipped(problems))] if problems else []
    return "\n\n".join(blocks) + "\n"


def row_of(texts: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def as_csv(compared: Sequence[Compared]) -> str:
    """A row a group, unrounded."""
    rows = [
        {"task": s.task, "data": s.data, "split": s.split, "metric": s.metric, **numbers(group)}
        for s in (part.section for part in compared)
        for group in s.ordered
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()})
    return text.getvalue()


def as_json(compared: Sequence[Compared], problems: Sequence[str]) -> dict[str, Any]:
    """All of it, unrounded."""
    return {"sections": [section_content(part) for part in compared], "skipped": list(problems)}


def section_content(part: Compared) -> dict[str, Any]:
    section = part.section
    return {
        "task": section.task,
        "data": section.data,
        "split": section.split,
        "metric": section.metric,
        "answer": part.answer,
        "groups": [
            {**numbers(group), "scores": group.scores, "paths": {s: str(r.path) for s, r in group.finished.items()}}
            for group in section.ordered
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
        "left_out": left_out(section),
    }
