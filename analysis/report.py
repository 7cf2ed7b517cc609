"""A comparison as one HTML page, which needs no other file; its links lead to the run folders."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from analysis import report_figures
from analysis.comparison import SentenceTests, references, representative, scored_rows
from analysis.groups import FACTS, ComparableGroups, RunGroup, differing, readable_value
from analysis.records import Record
from analysis.search_report import search_content
from analysis.tables import LEFT, Comparison, excluded_runs, formatted_columns, group_values, pair_lines
from analysis.trials import Search
from training.titles import baseline_title

COLUMNS = 6  # groups beside each other in a table of examples
EXAMPLES = 6  # for either of two groups
TITLES = {"cpu": "processor", "dirty": "changes that are in no commit"}  # of what is recorded about an environment
MACHINE = ("cpu", "threads", "processes", "device")
SORTED_BY = {"": "rank", "sd": "standard_deviation", "95 % interval": "low", "tokens/s": "tokens_per_second"}


@dataclass
class Example:
    """A sentence on which two groups disagree, with the predictions of every group."""

    text: str
    expected: str
    predictions: list[str]


def report(
    compared: Sequence[Comparison], problems: Sequence[str], path: Path, command: str, ranked: Sequence[Search] = ()
) -> str:
    """The whole page.

    Args:
        ranked: searches, which are shown below the comparisons.
        path: the file that the page is written to, from which links to run folders are relative.
        command: the command line that made the page.
    """
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    parts = [content(part, f"part{number}", path) for number, part in enumerate(compared, start=1)]
    found = [search_content(search, f"search{number}", path) for number, search in enumerate(ranked, start=1)]
    template = environment.get_template("report.html")
    date = f"{datetime.now():%Y-%m-%d %H:%M}"
    return template.render(parts=parts, searches=found, problems=problems, left=LEFT, date=date, command=command)


def content(part: Comparison, name: str, path: Path) -> dict[str, Any]:
    """What the template shows of one comparison."""
    groups = part.groups
    found = {
        "id": name,
        "title": groups.title,
        "headline": part.headline,
        "claims": bool(groups.scored) and len(groups.scored[0].scores) > 1 and not groups.scored[0].at_baseline,
        "data": data_lines(groups),
        "rows": [row(group) for group in groups.ordered],
        "runs": [(group.name, run_links(group, path)) for group in groups.ordered],
        "pairs": pair_lines(part),
        "excluded": excluded_runs(groups),
        "differences": differences(groups),
    }
    return found | (scored_content(part, name) if groups.scored else {})


def data_lines(groups: ComparableGroups) -> list[str]:
    """Name, size and revision of the data, and the baseline of the split."""
    lines = [group.first_record.data_in_words for group in groups.ordered]
    baselines = {group.baseline for group in groups.scored if group.baseline}
    lines += [f"{groups.split} baseline {score:.2f}, {baseline_title(name)}" for name, score in sorted(baselines)]
    return list(dict.fromkeys(lines))


def run_links(group: RunGroup, path: Path) -> list[tuple[str, str]]:
    """(seed and status, relative link to the run folder) of every run of a group."""
    runs = sorted([*group.finished.values(), *group.failed], key=lambda record: record.seed)
    start = path.resolve().parent
    return [(f"seed {run.seed}" + ("" if run.status == "ok" else f" ({run.status})"), link(run, start)) for run in runs]


def link(run: Record, start: Path) -> str:
    """A relative URL of the run folder, or of a recorded result."""
    target = run.folder if run.in_run_folder else run.path
    return quote(os.path.relpath(target.resolve(), start))


def row(group: RunGroup) -> list[tuple[str, str, Any]]:
    """(column, text, what it is sorted by) of every column."""
    plain = group_values(group) | {"group": group.name, "seeds": len(group.scores)}
    return [(column, text, plain[SORTED_BY.get(column, column)]) for column, text in formatted_columns(group).items()]


def scored_content(part: Comparison, name: str) -> dict[str, Any]:
    """What only groups with scores have: figures, classes, examples and environments."""
    groups = part.groups
    figures = {
        "scores": report_figures.scores(groups, f"{name}-scores"),
        "learning": report_figures.learning_curves(groups, f"{name}-learning"),
        "costs": report_figures.costs(groups, f"{name}-costs"),
    }
    breakdowns = report_figures.breakdowns(groups, f"{name}-breakdown")
    return {
        "figures": {key: svg and Markup(svg) for key, svg in figures.items()},
        "breakdowns": {kind: Markup(svg) for kind, svg in breakdowns.items()},
        "drawn": min(len(groups.scored), report_figures.DRAWN),
        "count": len(groups.scored),
        "names": [group.name for group in groups.scored[:COLUMNS]],
        "several": [len(group.scores) > 1 for group in groups.scored[:COLUMNS]],
        "classes": classes(groups),
        "examples": examples(groups, part.tests),
        "environment": environment_rows(groups),
        "machines_differ": machines_differ(groups),
    }


def classes(groups: ComparableGroups) -> list[tuple[str, int, list[float], float]]:
    """(class, examples, mean F1 in % of every group, their range), the class on which groups differ most first."""
    found = [report_figures.split_scores(group, groups) for group in groups.scored[:COLUMNS]]
    names = found[0][0].get("per_class", {})
    rows = []
    for name, entry in names.items():
        values = [100 * float(np.mean([s["per_class"].get(name, {}).get("f1", 0) for s in seeds])) for seeds in found]
        rows.append((name, entry["count"], values, max(values) - min(values)))
    return sorted(rows, key=lambda row: -row[3])


def examples(groups: ComparableGroups, tests: SentenceTests) -> list[tuple[str, list[Example]]]:
    """(heading, examples) for the best two groups: sentences on which one scores higher, both ways."""
    shown = groups.scored[:COLUMNS]
    if len(shown) < 2:
        return []
    rows = [scored_rows(representative(group), groups.split) for group in shown]
    differences = disagreement(shown, rows, tests)
    if differences is None:
        return []
    order = np.argsort(differences, kind="stable")
    ends = ((order[::-1], 1, shown[0].name, shown[1].name), (order, -1, shown[1].name, shown[0].name))
    found = []
    for ranked, sign, name, other in ends:
        chosen = [index for index in ranked[:EXAMPLES] if sign * differences[index] > 0]
        if chosen:
            heading = f"Sentences on which {name} scores higher than {other}"
            found.append((heading, [example(index, shown, rows, tests) for index in chosen]))
    return found


def disagreement(
    groups: Sequence[RunGroup], rows: Sequence[list[dict[str, Any]]], tests: SentenceTests
) -> np.ndarray | None:
    """[N] by how much the best group scores higher than the second on every sentence; None if unknown."""
    if len({len(found) for found in rows}) > 1 or not rows[0]:
        return None
    if tests.bleu:
        return chrf(rows[0]) - chrf(rows[1])
    found = [tests.correctness[id(group)] for group in groups]
    if any(entry is None or len(entry[0]) != len(rows[0]) for entry in found):
        return None
    first, second = (entry for entry in found[:2] if entry is not None)
    return first[0] - second[0]


def chrf(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """The chrF of every translation."""
    from sacrebleu.metrics import CHRF  # type: ignore[attr-defined]

    metric = CHRF()
    return np.array([metric.sentence_score(row["prediction"], references(row)).score for row in rows])


def example(
    index: int, groups: Sequence[RunGroup], rows: Sequence[list[dict[str, Any]]], tests: SentenceTests
) -> Example:
    """One sentence with the predictions of every group."""
    at = [found[index] for found in rows]
    first = at[0]
    if "words" in first:
        return Example(" ".join(first["words"]), "", [wrong_tags(found) for found in at])
    if found_references := references(first):
        given = first.get("source") or first.get("image", "")
        return Example(given, found_references[0], [found["prediction"] for found in at])
    predictions = [
        f"{found['prediction']} ({share_correct(group, tests, index)})" for found, group in zip(at, groups, strict=True)
    ]
    return Example(first["text"], first["label"], predictions)


def wrong_tags(row: dict[str, Any]) -> str:
    """``walks NOUN for VERB`` for every wrong tag."""
    triples = zip(row["words"], row["predictions"], row["tags"], strict=True)
    return ", ".join(f"{word} {found} for {tag}" for word, found, tag in triples if found != tag) or "all correct"


def share_correct(group: RunGroup, tests: SentenceTests, index: int) -> str:
    """The percentage of seeds that classify the sentence correctly."""
    correct = tests.correctness[id(group)]
    return f"correct for {correct[0][index]:.0%} of seeds" if correct is not None else ""


def differences(groups: ComparableGroups) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """(names, (key, value of every group)) for all config keys in which groups differ."""
    shown = groups.ordered[: report_figures.DRAWN]
    keys = [key for key in differing(shown) if key not in FACTS]
    rows = {key: [readable_value(key, group.flat_config.get(key)) for group in shown] for key in keys}
    return [group.name for group in shown], [(key, values) for key, values in rows.items() if not repeated(key, rows)]


def repeated(key: str, rows: Mapping[str, list[str]]) -> bool:
    """Whether a longer key ends with this one and has the same values, as that of the encoder's cell."""
    return any(other.endswith(f".{key}") and rows[other] == rows[key] for other in rows)


def environments(groups: ComparableGroups) -> list[dict[str, Any]]:
    return [r.content.get("environment", {}) for group in groups.scored for r in group.finished.values()]


def environment_rows(groups: ComparableGroups) -> list[tuple[str, list[tuple[str, int]]]]:
    """(property, its values with the number of runs of each)."""
    found = environments(groups)
    keys = dict.fromkeys(key for entry in found for key in entry)
    return [(TITLES.get(key, key), Counter(recorded(entry.get(key)) for entry in found).most_common()) for key in keys]


def recorded(value: Any) -> str:
    """A recorded value for readers."""
    if value is None:
        return "not recorded"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def machines_differ(groups: ComparableGroups) -> bool:
    """Whether the runs were made on different machines, so that their speeds are not comparable."""
    return len({tuple(str(entry.get(key)) for key in MACHINE) for entry in environments(groups)}) > 1
