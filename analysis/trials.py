"""Searches: trials that drew their hyperparameters from the same points, grouped, summarised and ranked.

A trial's score is its validation score, the mean over its seeds. A trial that failed or diverged counts as the worst
score of its search.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from statistics import mean, median
from typing import Any

import numpy as np

from analysis.groups import RunGroup, name_groups
from analysis.records import Record
from analysis.tables import quoted_cell, reason
from training.direction import quality
from training.trials import Dimension

NEAR = 2.0  # points below the best trial of a group


@dataclass
class TrialGroup:
    """The trials of one config, whose search is the same for every group of a ``Search``.

    Args:
        key: the identifier that its trials share.
        metric: the validation score.
        runs: all runs of every trial, by number.
        worst: the score of a trial that failed.
    """

    key: str
    metric: str
    runs: dict[int, list[Record]] = field(default_factory=dict)
    name: str = ""
    worst: float = 0.0

    @property
    def records(self) -> list[Record]:
        return [record for number in sorted(self.runs) for record in self.runs[number]]

    @cached_property
    def finished(self) -> dict[int, float]:
        """The score in percent of every trial all of whose runs have one, by number."""
        found = {n: [r.score("validation", self.metric) for r in runs] for n, runs in sorted(self.runs.items())}
        return {n: mean(s for s in scores if s is not None) for n, scores in found.items() if None not in scores}

    @property
    def failed(self) -> list[int]:
        """The numbers of trials without a score."""
        return [number for number in sorted(self.runs) if number not in self.finished]

    @property
    def scores(self) -> dict[int, float]:
        """The score of every trial; the worst one for those that failed."""
        return {number: self.finished.get(number, self.worst) for number in sorted(self.runs)}

    @property
    def best(self) -> int | None:
        """The number of the best trial, the first of equal ones; None if all failed."""
        return max(self.finished, key=lambda n: (quality(self.metric, self.finished[n]), -n), default=None)

    @property
    def qualities(self) -> list[float]:
        """The scores of all trials so that greater is better."""
        return [quality(self.metric, score) for score in self.scores.values()]

    @property
    def near(self) -> int:
        """The number of trials within two points of the best one: few if the group does well at few points only."""
        return sum(found >= max(self.qualities) - NEAR for found in self.qualities)

    @property
    def first_record(self) -> Record:
        return self.records[0]

    @property
    def core_hours(self) -> float:
        return sum(map(core_hours, self.records))

    @cached_property
    def dimensions(self) -> list[Dimension]:
        """What its trials drew, in the order of the search space."""
        spaces = [record.config.get("search", {}).get("space", {}) for record in self.records]
        return [Dimension(name, entry) for name, entry in next(filter(None, spaces), {}).items()]

    def values(self, number: int) -> dict[str, Any]:
        """The values that a trial drew, by name."""
        return self.runs[number][0].content["trial"]["values"]


@dataclass(eq=False)
class Search:
    """Groups whose trials were scored on the same validation split by the same metric; hashed by identity."""

    task: str
    data: str
    metric: str
    groups: list[TrialGroup]

    @property
    def title(self) -> str:
        return f"{self.task} on {self.data}: validation {self.metric.replace('_', ' ')} of trials"

    @property
    def names(self) -> list[str]:
        """The names of all values that were drawn."""
        return list(dict.fromkeys(name for group in self.groups for name in group.values(min(group.runs))))

    @property
    def notes(self) -> list[str]:
        """What a reader must know: failed trials, and budgets that are not equal."""
        numbers = {group.name: set(group.runs) for group in self.groups}
        everything = set().union(*numbers.values())
        notes = [
            f"{name} lacks trials {listing(everything - own)}, which other groups have: the budgets are not equal."
            for name, own in numbers.items()
            if own != everything
        ]
        return [*notes, *(line for group in self.groups for line in failure_lines(group))]


def listing(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def failure_lines(group: TrialGroup) -> list[str]:
    """One line for each run without a score."""
    failed = [record for number in group.failed for record in group.runs[number] if record.status != "ok"]
    worst = f"counts as {group.worst:.2f}, the worst score of the search"
    return [
        f"{group.name}, trial {r.content['trial']['number']}, seed {r.seed}: {r.status}, {worst}. {reason(r.content)}"
        for r in failed
    ]


def is_trial(record: Record) -> bool:
    return isinstance(record.content.get("trial"), dict)


def searches(records: Sequence[Record]) -> list[Search]:
    """The searches among some records, each group with its trials."""
    trials = [record for record in records if is_trial(record)]
    groups: dict[tuple[str, str], TrialGroup] = {}
    for record in sorted(trials, key=lambda record: (record.status != "ok", record.seed)):
        key, digest = record.content["trial"]["group"], dict(record.hashes).get("validation")
        known = [other for other in groups if other[0] == key and digest in (None, other[1])]
        place = known[0] if known else (key, digest or "")
        group = groups.setdefault(place, TrialGroup(key, metric_of(record)))
        group.runs.setdefault(record.content["trial"]["number"], []).append(record)
    parts: dict[tuple[str, str, str], list[TrialGroup]] = {}
    for (_, digest), group in groups.items():  # groups of which all trials failed early know no digest, and come last
        task = group.first_record.content["task"]
        same = [part for part in parts if (part[0], part[2]) == (task, group.metric) and digest in ("", part[1])]
        parts.setdefault(same[0] if same else (task, digest, group.metric), []).append(group)
    return [search_of(task, metric, found) for (task, _, metric), found in sorted(parts.items())]


def metric_of(record: Record) -> str:
    """The metric that selects the weights of a run, also of one that failed before."""
    chosen = record.content.get("selection", {})
    return str(chosen.get("requested_metric") or chosen.get("metric") or record.config.get("metric", "score"))


def search_of(task: str, metric: str, groups: list[TrialGroup]) -> Search:
    """A search with its groups named and ordered, the best first."""
    name_trial_groups(groups)
    known = [score for group in groups for score in group.finished.values()]
    for group in groups:
        group.worst = min(known, key=lambda score: quality(metric, score), default=0.0)
    groups.sort(key=lambda group: (not group.finished, -max(group.qualities)))
    names = {str(group.first_record.content.get("data", {}).get("name", "unknown data")) for group in groups}
    return Search(task, ", ".join(sorted(names)), metric, groups)


def name_trial_groups(groups: list[TrialGroup]) -> None:
    """Name groups as a comparison does, by the values that were not drawn."""
    named = []
    for group in groups:
        one = RunGroup((group.key, ()), "validation", group.metric, others=[group.first_record])
        drawn = {key for dimension in group.dimensions for key in dimension.keys}
        one.flat_config = {key: value for key, value in one.flat_config.items() if key not in drawn}
        named.append(one)
    name_groups(named, ())
    for group, one in zip(groups, named, strict=True):
        group.name = one.name


def core_hours(record: Record) -> float:
    """The hours that a run took, times the threads of its processes; all training of a resumed one counts."""
    content = record.content
    try:
        wall = (datetime.fromisoformat(content["ended"]) - datetime.fromisoformat(content["started"])).total_seconds()
    except (KeyError, ValueError):
        wall = 0.0
    machine = content.get("environment", {})
    cores = (machine.get("threads") or 1) * machine.get("processes", 1)
    return max(wall, content.get("training", {}).get("seconds", 0.0)) * cores / 3600


def expected_best(scores: Sequence[float], count: int) -> tuple[float, float]:
    """Mean and standard deviation of the best of ``count`` trials drawn from the scores with replacement.

    The closed form of Dodge et al. (2019): of N sorted scores, the i-th is the best with probability
    (i / N)^n - ((i - 1) / N)^n.
    """
    ranks = np.arange(len(scores) + 1) / len(scores)
    chances, ordered = np.diff(ranks**count), np.sort(np.asarray(scores, dtype=float))
    expected = float(chances @ ordered)
    variance = float(chances @ (ordered - expected) ** 2)
    return expected, math.sqrt(max(0.0, variance))


def expected_curve(group: TrialGroup) -> list[tuple[float, float]]:
    """``expected_best`` for 1 to N trials."""
    sign = quality(group.metric, 1.0)
    found = [expected_best(group.qualities, count) for count in range(1, len(group.qualities) + 1)]
    return [(sign * expected, deviation) for expected, deviation in found]


def summary(group: TrialGroup) -> dict[str, Any]:
    """One group in numbers, unrounded."""
    scores, best = list(group.scores.values()), group.best
    return {
        "name": group.name,
        "trials": len(scores),
        "failed": len(group.failed),
        "best": None if best is None else group.finished[best],
        "best_trial": best,
        "median": median(scores),
        "worst": min(scores),
        "near_best": group.near,
        "runs": len(group.records),
        "core_hours": group.core_hours,
        "expected_best": [expected for expected, _ in expected_curve(group)],
        "values": {} if best is None else group.values(best),
    }


def as_csv(found: Sequence[Search]) -> str:
    """One row for every run of every trial, unrounded."""
    names = list(dict.fromkeys(name for search in found for name in search.names))
    fields = ["task", "data", "group", "cell", "trial", "seed", "status", "metric", "validation", *names]
    fields += ["parameters", "steps", "core_hours", "reason", "path"]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=fields, lineterminator="\n")
    writer.writeheader()
    for search in found:
        for group in search.groups:
            for record in group.records:
                row = {**trial_row(record, group), "task": search.task, "data": search.data}
                writer.writerow({key: quoted_cell(value) for key, value in row.items()})
    return text.getvalue()


def trial_row(record: Record, group: TrialGroup) -> dict[str, Any]:
    """One run of a trial as a row of the CSV."""
    content = record.content
    return {
        **content["trial"]["values"],
        "group": group.name,
        "cell": content.get("cell"),
        "trial": content["trial"]["number"],
        "seed": record.seed,
        "status": record.status,
        "metric": group.metric,
        "validation": record.score("validation", group.metric),
        "parameters": content.get("parameters"),
        "steps": content.get("training", {}).get("steps"),
        "core_hours": core_hours(record),
        "reason": content.get("reason"),
        "path": str(record.path),
    }
