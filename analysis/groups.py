"""Runs grouped by experiment, and the groups that were scored on the same sentences."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from analysis.records import Record
from analysis.statistics import BOUNDS, NOT_NEGATIVE, Interval, above, mean_interval
from data.errors import InputError
from training.direction import lower_is_better, quality
from training.identity import NOT_THE_EXPERIMENT, PATHS

PLACES = tuple(f"data.{path}" for path in PATHS)  # of files: they name groups that nothing else distinguishes
FACTS = ("cell", "data", "experiment", "row")  # what results hold beside their configs, by priority in names
HARDLY_BETTER = 0.1  # of the distance from the baseline to 100


@dataclass
class RunGroup:
    """All runs of one config on the same data, which differ in nothing but their seeds.

    Args:
        key: config id and data hashes.
        split, metric: the score that is compared.
        finished: the finished run of every seed.
        others: failed and unfinished runs.
        missing: seeds that other groups have and this one does not.
        rank: 1 for the best mean of all groups of two seeds or more; 0 for groups of one seed and of none.
    """

    key: tuple[Any, ...]
    split: str
    metric: str
    finished: dict[int, Record] = field(default_factory=dict)
    others: list[Record] = field(default_factory=list)
    name: str = ""
    missing: list[int] = field(default_factory=list)
    rank: int = 0

    @cached_property
    def scores(self) -> dict[int, float]:
        """In percent, by seed."""
        found = {seed: record.score(self.split, self.metric) for seed, record in sorted(self.finished.items())}
        return {seed: score for seed, score in found.items() if score is not None}

    @property
    def mean(self) -> float:
        return mean(self.scores.values())

    @property
    def qualities(self) -> dict[int, float]:
        """The scores so that greater is better: minus the scores of an error."""
        return {seed: quality(self.metric, score) for seed, score in self.scores.items()}

    @property
    def mean_quality(self) -> float:
        """The mean so that greater is better."""
        return mean(self.qualities.values())

    @property
    def from_best(self) -> list[float]:
        """The scores of all seeds, the best first."""
        return sorted(self.scores.values(), key=lambda score: -quality(self.metric, score))

    @property
    def deviation(self) -> float | None:
        return stdev(self.scores.values()) if len(self.scores) > 1 else None

    @property
    def bounds(self) -> Interval:
        """The range of the metric; an error such as TER or MASE has no upper bound."""
        return NOT_NEGATIVE if lower_is_better(self.metric) else BOUNDS

    @property
    def interval(self) -> Interval | None:
        """The 95 % confidence interval of the mean, within the bounds of the metric."""
        return mean_interval(list(self.scores.values()), self.bounds)

    @property
    def baseline(self) -> tuple[str, float] | None:
        """The best trivial predictor of the split, and its score."""
        return self.first_record.baseline(self.split, self.metric)

    @property
    def at_baseline(self) -> bool:
        """Whether the mean is hardly better than a trivial predictor.

        It is if it gains less than a tenth of what separates the baseline from 100, or if the gain is not significant
        by the binomial test. An error is at the baseline if it is not below that of the baseline.
        """
        if self.baseline is None or not self.scores:
            return False
        level, size = self.baseline[1], self.first_record.content.get("data", {}).get("sizes", {}).get(self.split)
        if lower_is_better(self.metric):
            return self.mean >= level
        if self.mean - level < HARDLY_BETTER * (100 - level):
            return True
        return self.metric == "accuracy" and bool(size) and not above(self.mean / 100, level / 100, size)

    @property
    def first_record(self) -> Record:
        return next(iter([*self.finished.values(), *self.others]))

    @property
    def failed(self) -> list[Record]:
        """Runs without scores, of seeds that no other run finished."""
        return [record for record in self.others if record.seed not in self.finished]

    @cached_property
    def flat_config(self) -> dict[str, Any]:
        """The config with dotted keys, and the facts that only the result holds: groups are named by these."""
        record = self.first_record
        facts = {"cell": record.content.get("cell"), "data": record.content.get("data", {}).get("name")}
        if not record.in_run_folder:
            facts["row"] = record.row
        facts = {key: value for key, value in facts.items() if value is not None}
        options = flatten(record.config) if record.config else record.overrides
        config = {k: v for k, v in options if not {k, k.partition(".")[0]} & {*NOT_THE_EXPERIMENT}}
        return {**facts, **({"experiment": record.experiment} if record.experiment else {}), **config}

    def average(self, name: str) -> float | None:
        """The mean over seeds of an entry of the result or of its ``training``."""
        contents = [record.content for record in self.finished.values()]
        values = [content.get(name, content.get("training", {}).get(name)) for content in contents]
        numbers = [value for value in values if isinstance(value, (int, float))]
        return mean(numbers) if numbers else None

    def distinct_values(self, name: str) -> str:
        """The distinct values of an entry of ``training`` over the seeds, separated by commas."""
        return ", ".join(sorted({str(r.content["training"].get(name)) for r in self.finished.values()}))


@dataclass
class ComparableGroups:
    """Groups that were scored on the same sentences by the same metric, and may be compared."""

    task: str
    data: str
    split: str
    metric: str
    groups: list[RunGroup]
    notes: list[str]

    @property
    def title(self) -> str:
        return f"{self.task} on {self.data}: {self.split} {self.metric.replace('_', ' ')}"

    @property
    def scored(self) -> list[RunGroup]:
        """Groups with a score, the best first."""
        return sorted((group for group in self.groups if group.scores), key=lambda group: -group.mean_quality)

    @property
    def ordered(self) -> list[RunGroup]:
        """Groups with a score, the best first, followed by those without."""
        return self.scored + [group for group in self.groups if not group.scores]


def group_runs(
    records: Sequence[Record], by: Sequence[str] = (), split: str = "test", metric: str | None = None
) -> list[ComparableGroups]:
    """Group records by experiment, and groups by the split they were scored on; name and rank the groups.

    Args:
        by: config keys to name the groups by; the keys in which they differ by default.
    """
    finished = [record for record in records if record.status == "ok"]
    parts: dict[tuple[Any, ...], dict[tuple[Any, ...], RunGroup]] = {}
    notes: dict[tuple[Any, ...], list[str]] = {}
    for record in sorted(finished, key=lambda record: record.content.get("ended", "")):
        key = scored_on(record, split, metric)
        groups = parts.setdefault(key, {})
        identity = (record.content["config_id"], record.hashes)
        group = groups.setdefault(identity, RunGroup(identity, key[2], key[3]))
        if record.seed in group.finished:
            before = group.finished[record.seed].path
            twice = f"Seed {record.seed} of config {identity[0]} was run more than once:"
            notes.setdefault(key, []).append(f"{twice} {before} is replaced by the later {record.path}.")
        group.finished[record.seed] = record
    for record in records:
        if record.status != "ok":
            add_unfinished(record, parts, split)
    found = [comparable(key, list(groups.values()), notes.get(key, []), by) for key, groups in sorted(parts.items())]
    for title in {groups.title for groups in found}:
        name_files([groups for groups in found if groups.title == title])
    return found


def name_files(same_title: Sequence[ComparableGroups]) -> None:
    """Add the name of the file that was scored to the data of groups that would have the same title."""
    key = f"data.{same_title[0].split}"
    paths = [groups.groups[0].flat_config.get(key) for groups in same_title]
    if len({*paths}) == len(same_title) > 1 and all(paths):
        tails = distinct_tails(map(str, paths))
        for groups, path in zip(same_title, paths, strict=True):
            groups.data += f" ({tails[str(path)]})"


def scored_on(record: Record, split: str, metric: str | None) -> tuple[str, str, str, str]:
    """What two comparable scores share: the task, the SHA-256 and the name of the split, and the metric."""
    metrics = record.content["metrics"]
    split = split if split in metrics else "validation"
    metric = metric or record.content["selection"]["metric"]
    if metric not in metrics.get(split, {}):
        numbers = [name for name, score in metrics.get(split, {}).items() if isinstance(score, (int, float))]
        raise InputError(f"{record.path} has no {split} {metric}: it has {', '.join(numbers) or 'nothing'}.")
    digest = record.content.get("data", {}).get("sha256", {}).get(split, "")
    return record.content["task"], digest, split, metric


def add_unfinished(record: Record, parts: dict[tuple[Any, ...], dict[tuple[Any, ...], RunGroup]], split: str) -> None:
    """Add a run without scores to the group of its config; if there is none, to a new group of its task."""
    identity = (record.content["config_id"], record.hashes)
    same_config = [group for groups in parts.values() for group in groups.values() if group.key[0] == identity[0]]
    matching = [group for group in same_config if not record.hashes or group.key == identity]
    if matching:
        matching[0].others.append(record)
        return
    digest = dict(record.hashes).get(split)
    same = [key for key in parts if key[0] == record.content["task"] and digest in (None, key[1])]
    key = same[0] if same else (record.content["task"], digest or "", split, "score")
    groups = parts.setdefault(key, {})
    groups.setdefault(identity, RunGroup(identity, key[2], key[3])).others.append(record)


def comparable(key: tuple[Any, ...], groups: list[RunGroup], notes: list[str], by: Sequence[str]) -> ComparableGroups:
    """Comparable groups, named and ranked, with notes on what else than the configs differs."""
    task, _, split, metric = key
    seeds = {record.seed for group in groups for record in [*group.finished.values(), *group.others]}
    for group in groups:
        group.missing = sorted(seeds - group.finished.keys() - {record.seed for record in group.others})
    name_groups(groups, by)
    rank(groups)
    names = sorted({group.flat_config["data"] for group in groups if "data" in group.flat_config}) or ["unknown data"]
    if any(group.scores for group in groups):
        no_test = ["There is no test score: validation scores are compared."] if split == "validation" else []
        notes = [*no_test, *notes, *computation_notes([group for group in groups if group.scores])]
    return ComparableGroups(task, ", ".join(names), split, metric, groups, notes)


def rank(groups: Sequence[RunGroup]) -> None:
    """Rank groups of several seeds by their means; equal means share a rank."""
    scored = sorted((group for group in groups if len(group.scores) > 1), key=lambda group: -group.mean_quality)
    for place, group in enumerate(scored, start=1):
        tied = place > 1 and group.mean == scored[place - 2].mean
        group.rank = scored[place - 2].rank if tied else place


def computation_notes(groups: Sequence[RunGroup]) -> list[str]:
    """One note for the kernels and one for the precisions, if they are not the same in all groups."""
    notes = []
    for name, consequence in (("precision", "Scores and speeds"), ("kernel", "Speeds")):
        found = {group.name: group.distinct_values(name) for group in groups}
        if len(set(found.values())) > 1 or any("," in value for value in found.values()):
            listing = "; ".join(f"{group}: {value}" for group, value in list(found.items())[:6])
            more = "; ..." if len(found) > 6 else ""
            notes.append(f"{consequence} are compared across {name}s ({listing}{more}).")
    return notes


def name_groups(groups: list[RunGroup], by: Sequence[str]) -> None:
    """Name every group by the values of the requested keys, or of the fewest keys that distinguish the groups."""
    keys = [resolve(axis, groups) for axis in by] or distinguishing_keys(groups)
    shorter = {key: distinct_tails(values(key, groups)) for key in keys if key in PLACES}
    for group in groups:
        group.name = label(group, keys, shorter)
    for name in {group.name for group in groups}:
        add_what_differs([group for group in groups if group.name == name])


def add_what_differs(same: Sequence[RunGroup]) -> None:
    """Add the config id, the hash of the data or both to a name that several groups have, or that is empty."""
    by_data = len({digest(group) for group in same}) > 1
    by_id = len({group.key[0] for group in same}) > 1 or (len(same) > 1 and not by_data)
    for group in same:
        identifier = f"[{group.key[0]}]" if by_id or not group.name else ""
        data = f"on data {digest(group)}" if by_data else ""
        group.name = " ".join(filter(None, (group.name, identifier, data)))


def digest(group: RunGroup) -> str:
    """The first eight characters of the SHA-256 of the training split."""
    return dict(group.key[1]).get("train", "unknown")[:8]


def label(group: RunGroup, keys: Sequence[str], shorter: Mapping[str, Mapping[str, str]]) -> str:
    """``gru``, ``gru, pooling max`` or ``gru, not bidirectional``: cell, data and other facts have no key.

    Args:
        shorter: short forms of the values of a key.
    """
    parts = []
    for key in keys:
        value = readable_value(key, group.flat_config.get(key))
        value = shorter.get(key, {}).get(value, value)
        parts.append(value if key in FACTS else key_in_words(short(key), value))
    return ", ".join(dict.fromkeys(parts))


def key_in_words(name: str, value: str) -> str:
    """``pooling max``; of a switch its name alone or with "not", of what a group does not have "no" and the name."""
    return {"True": name, "False": f"not {name}", "-": f"no {name}"}.get(value, f"{name} {value}")


def distinct_tails(paths: Iterable[str]) -> dict[str, str]:
    """``small.csv`` for ``files/small.csv``: the fewest last parts that distinguish all paths."""
    parts = {path: Path(path).parts for path in paths}
    length = 1
    while len({tail[-length:] for tail in parts.values()}) < len({*parts.values()}):
        length += 1
    return {path: str(Path(*tail[-length:])) for path, tail in parts.items()}


def short(key: str) -> str:
    """The last word of a key, without ``_target_``."""
    words = [word for word in key.split(".") if word != "_target_"]
    return words[-1].replace("_", " ")


def readable_value(key: str, value: Any) -> str:
    """A config value as text: ``models.pooling.MaxMeanPooling`` of ``pooling`` becomes ``max_mean``."""
    if key == "experiment":
        return str(value).rpartition("/")[2]
    if not key.endswith("_target_") or not isinstance(value, str):
        return "-" if value is None else str(value)
    kind = key.split(".")[-2]
    name = value.rsplit(".", 1)[-1].removesuffix(kind.capitalize()) or value
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def distinguishing_keys(groups: Sequence[RunGroup]) -> list[str]:
    """The fewest keys, classes before numbers, whose values distinguish as many groups as possible."""
    chosen: list[str] = []
    tiers = [list(tier) for _, tier in groupby(differing(groups), key=tier_of)]
    for tier in tiers:
        while tier:
            best = max(tier, key=lambda key: count_distinct([*chosen, key], groups))
            if count_distinct([*chosen, best], groups) == count_distinct(chosen, groups):
                break
            chosen.append(best)
    return chosen or [key for key in ("row", "cell") if any(group.flat_config.get(key) for group in groups)][:1]


def count_distinct(keys: Sequence[str], groups: Sequence[RunGroup]) -> int:
    """The number of distinct combinations of the values of some keys."""
    return len({tuple(str(group.flat_config.get(key)) for key in keys) for group in groups})


def differing(groups: Sequence[RunGroup]) -> list[str]:
    """Keys in which configs differ: facts first, then classes, then values, each in the order of the config."""
    keys = list(dict.fromkeys(key for group in groups for key in group.flat_config))
    return sorted((key for key in keys if len(values(key, groups)) > 1), key=tier_of)


def values(key: str, groups: Sequence[RunGroup]) -> set[str]:
    """All values of a key; what is not known of a run that failed is ignored: facts, and all keys without a config."""
    known = [g for g in groups if key in g.flat_config or (g.first_record.config and key not in FACTS)]
    return {str(group.flat_config.get(key)) for group in known}


def tier_of(key: str) -> int:
    """The priority of a key in names, the lowest first."""
    classes, numbers, places = len(FACTS), len(FACTS) + 1, len(FACTS) + 2
    if key in PLACES:
        return places
    return FACTS.index(key) if key in FACTS else classes if key.endswith("_target_") else numbers


def resolve(axis: str, groups: Sequence[RunGroup]) -> str:
    """The config key that a word of ``--by`` names: the key itself, a class of that name, or a key ending with it."""
    keys = list(dict.fromkeys(key for group in groups for key in group.flat_config))
    ends = [axis, f"{axis}._target_"]
    found = [key for end in ends for key in keys if key == end or key.endswith(f".{end}")]
    if not found:
        raise InputError(
            f"--by {axis}: no config has such a key. The configs differ in: {', '.join(differing(groups))}."
        )
    return min(found, key=lambda key: (key != axis, key.count(".")))


def flatten(config: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """All values of a config as (dotted key, value)."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config
