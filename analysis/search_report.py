"""What the page shows of a search."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from analysis import search_figures
from analysis.records import Record
from analysis.search_tables import (
    ABOUT_IMPORTANCE,
    chosen_columns,
    columns,
    expected_table,
    importance_rows,
    importance_table,
    readable,
)
from analysis.trials import Search, TrialGroup


def search_content(search: Search, name: str, path: Path) -> dict[str, Any]:
    """The content of one search for the template.

    Args:
        path: the file of the page, from which links to run folders are relative.
    """
    by = search_figures.by_hyperparameter(search, f"{name}-by")
    return {
        "id": name,
        "title": search.title,
        "data": list(dict.fromkeys(group.first_record.data_in_words for group in search.groups)),
        "answer": answer(search),
        "groups": [columns(group) for group in search.groups],
        "chosen": [chosen_columns(group, search.names) for group in search.groups],
        "expected_table": expected_table(search),
        "expected": Markup(search_figures.expected(search, f"{name}-expected")),
        "by": by and Markup(by),
        "importances": importance_table(search) if importance_rows(search) else [],
        "about_importance": ABOUT_IMPORTANCE,
        "trials": [trial_cells(record, group, search, path) for group in search.groups for record in group.records],
        "notes": search.notes,
        "cost": cost(search),
    }


def answer(search: Search) -> str:
    """Which group has the best trial, and how each fares with one trial and with all."""
    best = search.groups[0]
    if best.best is None:
        return "No trial has a score."
    parts = [f"{group.name}: {search_figures.curve_text(group)}" for group in search.groups if group.finished]
    top = f"The best trial is {best.name}'s trial {best.best} with {best.finished[best.best]:.2f}."
    return f"{top} Expected validation score of the best trial, {'; '.join(parts)}."


def cost(search: Search) -> str:
    runs = sum(len(group.records) for group in search.groups)
    return f"{runs} runs, {sum(group.core_hours for group in search.groups):.2f} core hours"


def trial_cells(record: Record, group: TrialGroup, search: Search, path: Path) -> dict[str, Any]:
    """One run of a trial as a row of the table of all trials."""
    values, score = record.content["trial"]["values"], record.score("validation", group.metric)
    folder = record.folder if record.in_run_folder else record.path
    return {
        "link": quote(os.path.relpath(folder.resolve(), path.resolve().parent)),
        "group": group.name,
        "trial": record.content["trial"]["number"],
        "status": record.status,
        "score": "" if score is None else f"{score:.2f}",
        "values": [readable(values[name]) if name in values else "-" for name in search.names],
        "names": search.names,
    }
