"""Searches as tables: for a terminal, and as Markdown and JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from rich.console import Console
from rich.markup import escape

from analysis.importance import Importance, importance_of_group, importance_of_search
from analysis.tables import escape_markdown, formatted, row_of, table_of
from analysis.trials import NEAR, Search, TrialGroup, expected_curve, failure_lines, summary

FEW = (1, 2, 4, 8, 16, 32)  # trials of which the expected best is printed, and all of them
NEAR_BEST = f"within {NEAR:g} points"


def columns(group: TrialGroup) -> dict[str, str]:
    """A group rounded for readers: how its trials scored."""
    found = summary(group)
    best = "" if found["best"] is None else f"{found['best']:.2f} (trial {found['best_trial']})"
    failed = f" ({found['failed']} failed)" if found["failed"] else ""
    return {
        "group": found["name"],
        "trials": f"{found['trials']}{failed}",
        "best": best,
        "median": formatted(found["median"], ".2f"),
        "worst": formatted(found["worst"], ".2f"),
        NEAR_BEST: f"{found['near_best']} of {found['trials']}",
        "core hours": formatted(found["core_hours"], ".2f"),
    }


def expected_columns(group: TrialGroup, counts: Sequence[int]) -> dict[str, str]:
    """The expected score of the best of some numbers of trials; empty where a group has fewer."""
    curve = {count: expected for count, (expected, _) in enumerate(expected_curve(group), start=1)}
    return {"group": group.name} | {f"best of {count}": formatted(curve.get(count), ".2f") for count in counts}


def expected_table(search: Search) -> list[dict[str, str]]:
    most = max(len(group.runs) for group in search.groups)
    counts = [count for count in FEW if count < most] + [most]
    return [expected_columns(group, counts) for group in search.groups]


def chosen_columns(group: TrialGroup, names: Sequence[str]) -> dict[str, str]:
    """The values of the best trial of a group; a dash where a group does not have the hyperparameter."""
    found = {} if group.best is None else group.values(group.best)
    return {"group": group.name} | {name: readable(found[name]) if name in found else "-" for name in names}


def readable(value: Any) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=32)
def importance_rows(search: Search) -> list[tuple[str, Importance]]:
    """(group, its importances), that of all groups together first; groups of too few trials are left out."""
    found = [("all groups", importance_of_search(search))]
    found += [(group.name, importance_of_group(group)) for group in search.groups]
    return [(name, one) for name, one in found if one is not None]


def importance_columns(name: str, found: Importance, names: Sequence[str]) -> dict[str, str]:
    """``34 (51)``: percent of the variance alone, and with interactions."""
    shares = {n: f"{100 * found.alone[n]:.0f} ({100 * found.total[n]:.0f})" if n in found.alone else "-" for n in names}
    return {"group": name, "trials": str(found.count), "R2": f"{found.explained:.2f}", **shares}


def importance_names(search: Search, rows: Sequence[tuple[str, Importance]]) -> list[str]:
    return [*(["group"] if any("group" in one.alone for _, one in rows) else []), *search.names]


def importance_table(search: Search) -> list[dict[str, str]]:
    """The rows of the table of importances; the share of the group itself is called ``which group``."""
    rows = importance_rows(search)
    names = importance_names(search, rows)
    table = []
    for name, found in rows:
        cells = importance_columns(name, found, [n for n in names if n != "group"])
        which = importance_columns(name, found, ["group"])["group"] if "group" in found.alone else "-"
        table.append({**cells, "which group": which} if "group" in names else cells)
    return table


ABOUT_IMPORTANCE = (
    "Percent of the variance of the validation score that a hyperparameter explains alone, and in parentheses with its "
    "interactions, by functional ANOVA of a random forest. R2 is that of the forest on trials that it was not fitted "
    "to: near 0 or below, the row says nothing."
)


def show_searches(found: Sequence[Search], console: Console) -> None:
    """Print every search: how trials scored, what was chosen, what mattered, and what failed."""
    for search in found:
        console.rule(escape(search.title))
        for rows in tables(search):
            console.print(table_of(rows, list(rows[0])))
        for line in search_lines(search):
            console.print(escape(line), soft_wrap=True)


def tables(search: Search) -> list[list[dict[str, str]]]:
    """The tables of a search, those that are not empty."""
    made = [
        [columns(group) for group in search.groups],
        expected_table(search),
        [chosen_columns(group, search.names) for group in search.groups],
        importance_table(search),
    ]
    return [rows for rows in made if rows]


def search_lines(search: Search) -> list[str]:
    """Sentences below the tables."""
    runs, hours = sum(len(group.records) for group in search.groups), sum(group.core_hours for group in search.groups)
    about = [ABOUT_IMPORTANCE] if importance_rows(search) else []
    return [*search.notes, *about, f"The search took {runs} runs and {hours:.2f} core hours."]


def searches_markdown(found: Sequence[Search]) -> str:
    """The content of the terminal's tables as Markdown; empty without searches."""
    blocks = []
    for search in found:
        blocks.append(f"## {escape_markdown(search.title)}")
        for rows in tables(search):
            head = list(rows[0])
            rule = "|" + "|".join("---" if column == "group" else "--:" for column in head) + "|"
            blocks.append("\n".join([row_of(head), rule, *(row_of(list(row.values())) for row in rows)]))
        blocks.append("\n".join(f"- {escape_markdown(line)}" for line in search_lines(search)))
    return "".join(f"{block}\n\n" for block in blocks)


def searches_json(found: Sequence[Search]) -> dict[str, Any]:
    """All searches, unrounded; an empty dictionary without any."""
    return {"searches": [search_json(search) for search in found]} if found else {}


def search_json(search: Search) -> dict[str, Any]:
    return {
        "title": search.title,
        "task": search.task,
        "data": search.data,
        "metric": search.metric,
        "groups": [
            {**summary(group), "scores": group.scores, "failures": failure_lines(group)} for group in search.groups
        ],
        "importances": {name: asdict(one) for name, one in importance_rows(search)},
        "notes": search.notes,
    }
