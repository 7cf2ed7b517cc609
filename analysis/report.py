"""A comparison as one HTML page that needs nothing beside itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from analysis import report_figures
from analysis.comparison import SentenceTests, representative, scored_rows
from analysis.groups import FACTS, ComparableGroups, RunGroup, differing, readable_value
from analysis.tables import LEFT, Comparison, excluded_runs, formatted_columns, group_values, pair_lines

COLUMNS = 6  # groups beside each other in a table of examples
EXAMPLES = 6  # for either of two groups
MACHINE = ("cpu", "threads", "device")
SORTED_BY = {"": "rank", "sd": "standard_deviation", "95 % interval": "low", "tokens/s": "tokens_per_second"}


@dataclass
class Example:
    """A sentence on which two groups disagree, and what every group says of it."""

    text: str
    expected: str
    said: list[str]


def report(compared: Sequence[Comparison], problems: Sequence[str]) -> str:
    """The whole page."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    parts = [content(part, f"part{number}") for number, part in enumerate(compared, start=1)]
    return environment.get_template("report.html").render(parts=parts, problems=problems, left=LEFT)


def content(part: Comparison, name: str) -> dict[str, Any]:
    """All that the template shows of one section."""
    section = part.groups
    found = {
        "id": name,
        "title": section.title,
        "answer": part.headline,
        "rows": [row(group) for group in section.ordered],
        "sentences": pair_lines(part),
        "left_out": excluded_runs(section),
        "differences": differences(section),
    }
    return found | (scored_content(part, name) if section.scored else {})


def row(group: RunGroup) -> list[tuple[str, str, Any]]:
    """(column, text, what it is sorted by) of every column."""
    plain = group_values(group) | {"group": group.name, "seeds": len(group.scores)}
    return [(column, text, plain[SORTED_BY.get(column, column)]) for column, text in formatted_columns(group).items()]


def scored_content(part: Comparison, name: str) -> dict[str, Any]:
    """What only groups with scores have: figures, classes, examples, machines."""
    section = part.groups
    figures = {
        "scores": report_figures.scores(section, f"{name}-scores"),
        "learning": report_figures.learning_curves(section, f"{name}-learning"),
        "costs": report_figures.costs(section, f"{name}-costs"),
    }
    breakdowns = report_figures.breakdowns(section, f"{name}-breakdown")
    return {
        "figures": {key: svg and Markup(svg) for key, svg in figures.items()},
        "breakdowns": {kind: Markup(svg) for kind, svg in breakdowns.items()},
        "drawn": min(len(section.scored), report_figures.DRAWN),
        "count": len(section.scored),
        "names": [group.name for group in section.scored[:COLUMNS]],
        "classes": classes(section),
        "examples": examples(section, part.tests),
        "environment": environment_rows(section),
        "machines_differ": machines_differ(section),
    }


def classes(section: ComparableGroups) -> list[tuple[str, int, list[float], float]]:
    """(class, examples, mean F1 in % of every group, range of them), the class on which groups differ most first."""
    groups = section.scored[:COLUMNS]
    found = [report_figures.split_scores(group, section) for group in groups]
    names = found[0][0].get("per_class", {})
    rows = []
    for name, entry in names.items():
        values = [100 * float(np.mean([s["per_class"].get(name, {}).get("f1", 0) for s in seeds])) for seeds in found]
        rows.append((name, entry["count"], values, max(values) - min(values)))
    return sorted(rows, key=lambda row: -row[3])


def examples(section: ComparableGroups, tests: SentenceTests) -> list[tuple[str, list[Example]]]:
    """(heading, examples) for the best two groups: where the one is right and the other is not, both ways."""
    groups = section.scored[:COLUMNS]
    if len(groups) < 2:
        return []
    rows = [scored_rows(representative(group), section.split) for group in groups]
    differences = disagreement(groups, rows, tests)
    if differences is None:
        return []
    order = np.argsort(differences, kind="stable")
    ends = ((order[::-1], 1, groups[0].name), (order, -1, groups[1].name))
    found = []
    for ranked, sign, name in ends:
        chosen = [index for index in ranked[:EXAMPLES] if sign * differences[index] > 0]
        if chosen:
            found.append((f"Better by {name}", [example(index, groups, rows, tests) for index in chosen]))
    return found


def disagreement(
    groups: Sequence[RunGroup], rows: Sequence[list[dict[str, Any]]], tests: SentenceTests
) -> np.ndarray | None:
    """[N] how much more of a sentence the best group has right than the second; None where that is not known."""
    if len({len(found) for found in rows}) > 1 or not rows[0]:
        return None
    if tests.bleu:
        return chrf(rows[0]) - chrf(rows[1])
    found = [tests.correctness[id(group)] for group in groups]
    if any(marks is None or len(marks[0]) != len(rows[0]) for marks in found):
        return None
    first, second = (marks for marks in found[:2] if marks is not None)
    return first[0] - second[0]


def chrf(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """chrF of every translation by itself."""
    from sacrebleu.metrics import CHRF  # type: ignore[attr-defined]

    metric = CHRF()
    return np.array([metric.sentence_score(row["prediction"], [row["reference"]]).score for row in rows])


def example(
    index: int, groups: Sequence[RunGroup], rows: Sequence[list[dict[str, Any]]], tests: SentenceTests
) -> Example:
    """What every group says of one sentence."""
    at = [found[index] for found in rows]
    first = at[0]
    if "words" in first:
        return Example(" ".join(first["words"]), "", [wrong_tags(found) for found in at])
    if "reference" in first:
        return Example(first["source"], first["reference"], [found["prediction"] for found in at])
    said = [
        f"{found['prediction']} ({rightness(group, tests, index)})" for found, group in zip(at, groups, strict=True)
    ]
    return Example(first["text"], first["label"], said)


def wrong_tags(row: dict[str, Any]) -> str:
    """``walks NOUN for VERB``, of every word tagged wrongly."""
    triples = zip(row["words"], row["predictions"], row["tags"], strict=True)
    return ", ".join(f"{word} {said} for {tag}" for word, said, tag in triples if said != tag) or "all right"


def rightness(group: RunGroup, tests: SentenceTests, index: int) -> str:
    """In what share of the seeds the sentence is right."""
    marks = tests.correctness[id(group)]
    return f"{marks[0][index]:.0%} of seeds right" if marks is not None else ""


def differences(section: ComparableGroups) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """(names, (key, value of every group)) of all config keys in which groups differ."""
    groups = section.ordered[: report_figures.DRAWN]
    keys = [key for key in differing(groups) if key not in FACTS]
    return [g.name for g in groups], [
        (key, [readable_value(key, group.flat_config.get(key)) for group in groups]) for key in keys
    ]


def environments(section: ComparableGroups) -> list[dict[str, Any]]:
    return [r.content.get("environment", {}) for group in section.scored for r in group.finished.values()]


def environment_rows(section: ComparableGroups) -> list[tuple[str, list[tuple[str, int]]]]:
    """(what, its values with the number of runs that have them)."""
    found = environments(section)
    keys = dict.fromkeys(key for entry in found for key in entry)
    return [(key, Counter(str(entry.get(key)) for entry in found).most_common()) for key in keys]


def machines_differ(section: ComparableGroups) -> bool:
    """Whether seconds and tokens a second compare machines as well as groups."""
    return len({tuple(str(entry.get(key)) for key in MACHINE) for entry in environments(section)}) > 1
