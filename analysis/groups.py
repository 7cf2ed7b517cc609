"""Seeds of one experiment, and the experiments that were scored on the same sentences."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from statistics import mean, stdev
from typing import Any

from analysis.records import Record
from analysis.statistics import mean_interval
from data.errors import InputError
from training.folders import NOT_THE_EXPERIMENT, PATHS


@dataclass
class Group:
    """All runs of one config on one data: seeds of one experiment.

    Args:
        key: config id and data hashes.
        split, metric: which score is compared.
        finished: the run of every seed that came to its end.
        others: those that did not, whatever the reason.
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
        """In points, by seed."""
        found = {seed: record.score(self.split, self.metric) for seed, record in sorted(self.finished.items())}
        return {seed: score for seed, score in found.items() if score is not None}

    @property
    def mean(self) -> float:
        return mean(self.scores.values())

    @property
    def deviation(self) -> float | None:
        return stdev(self.scores.values()) if len(self.scores) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return mean_interval(list(self.scores.values()))

    @property
    def any(self) -> Record:
        return next(iter([*self.finished.values(), *self.others]))

    @property
    def failed(self) -> list[Record]:
        """Runs that came to no result, of seeds that no other run finished."""
        return [record for record in self.others if record.seed not in self.finished]

    @cached_property
    def flat(self) -> dict[str, Any]:
        """The config in dotted keys, with what only the result tells: that is what names are made of."""
        content = self.any.content
        told = {"cell": content.get("cell"), "data": content.get("data", {}).get("name")}
        if not self.any.whole:
            told["row"] = self.any.path.stem.rsplit("-seed", 1)[0]
        told = {key: value for key, value in told.items() if value is not None}
        config = dict(flatten(self.any.config))
        hidden = {*NOT_THE_EXPERIMENT, *(f"data.{path}" for path in PATHS)}
        return {key: value for key, value in {**told, **config}.items() if not {key, key.partition(".")[0]} & hidden}

    def average(self, name: str) -> float | None:
        """The mean over seeds of an entry of ``training``, or of the parameters."""
        contents = [record.content for record in self.finished.values()]
        values = [content.get(name, content.get("training", {}).get(name)) for content in contents]
        numbers = [value for value in values if isinstance(value, (int, float))]
        return mean(numbers) if numbers else None

    def kinds(self, name: str) -> str:
        """All that an entry of ``training`` is over the seeds, in words."""
        return ", ".join(sorted({str(r.content["training"].get(name)) for r in self.finished.values()}))


@dataclass
class Section:
    """Groups that were scored on the same sentences: they may be compared, and no others with them."""

    task: str
    data: str
    split: str
    metric: str
    groups: list[Group]
    notes: list[str]

    @property
    def title(self) -> str:
        return f"{self.task} on {self.data}: {self.split} {self.metric.replace('_', ' ')}"

    @property
    def scored(self) -> list[Group]:
        """Those with a score, the best first."""
        return sorted((group for group in self.groups if group.scores), key=lambda group: group.rank)

    @property
    def ordered(self) -> list[Group]:
        """Those with a score, the best first, and after them those without."""
        return self.scored + [group for group in self.groups if not group.scores]


def sections(
    records: Sequence[Record], by: Sequence[str] = (), split: str = "test", metric: str | None = None
) -> list[Section]:
    """Sort records into groups, and groups into sections; name and rank them, and note every seed that is missing."""
    finished = [record for record in records if record.status == "ok"]
    parts: dict[tuple[Any, ...], dict[tuple[Any, ...], Group]] = {}
    notes: dict[tuple[Any, ...], list[str]] = {}
    for record in sorted(finished, key=lambda record: record.content.get("ended", "")):
        key = scored_on(record, split, metric)
        groups = parts.setdefault(key, {})
        identity = (record.content["config_id"], record.hashes)
        group = groups.setdefault(identity, Group(identity, key[2], key[3]))
        if record.seed in group.finished:
            before = group.finished[record.seed].path
            twice = f"Seed {record.seed} of config {identity[0]} was run more than once:"
            notes.setdefault(key, []).append(f"{twice} {before} gives way to the later {record.path}.")
        group.finished[record.seed] = record
    for record in records:
        if record.status != "ok":
            add_unfinished(record, parts, split)
    return [section(key, list(groups.values()), notes.get(key, []), by) for key, groups in sorted(parts.items())]


def scored_on(record: Record, split: str, metric: str | None) -> tuple[str, str, str, str]:
    """What makes two scores comparable: task, the content of the split, its name, and the metric."""
    metrics = record.content["metrics"]
    split = split if split in metrics else "validation"
    metric = metric or record.content["selection"]["metric"]
    if metric not in metrics.get(split, {}):
        numbers = [name for name, score in metrics.get(split, {}).items() if isinstance(score, (int, float))]
        raise InputError(f"{record.path} has no {split} {metric}: it has {', '.join(numbers) or 'nothing'}.")
    digest = record.content.get("data", {}).get("sha256", {}).get(split, "")
    return record.content["task"], digest, split, metric


def add_unfinished(record: Record, parts: dict[tuple[Any, ...], dict[tuple[Any, ...], Group]], split: str) -> None:
    """Put a run without scores to its fellow seeds; or, where it has none, to the runs of its task."""
    identity = (record.content["config_id"], record.hashes)
    fellows = [group for groups in parts.values() for group in groups.values() if group.key[0] == identity[0]]
    fitting = [group for group in fellows if not record.hashes or group.key == identity]
    if fitting:
        fitting[0].others.append(record)
        return
    digest = dict(record.hashes).get(split)
    same = [key for key in parts if key[0] == record.content["task"] and digest in (None, key[1])]
    key = same[0] if same else (record.content["task"], digest or "", split, "score")
    groups = parts.setdefault(key, {})
    groups.setdefault(identity, Group(identity, key[2], key[3])).others.append(record)


def section(key: tuple[Any, ...], groups: list[Group], notes: list[str], by: Sequence[str]) -> Section:
    """One section, its groups named and ranked."""
    task, _, split, metric = key
    seeds = {record.seed for group in groups for record in [*group.finished.values(), *group.others]}
    for group in groups:
        group.missing = sorted(seeds - group.finished.keys() - {record.seed for record in group.others})
    name_groups(groups, by)
    scored = sorted((group for group in groups if group.scores), key=lambda group: -group.mean)
    for rank, group in enumerate(scored, start=1):
        tied = rank > 1 and group.mean == scored[rank - 2].mean
        group.rank = scored[rank - 2].rank if tied else rank
    names = sorted({group.flat["data"] for group in groups if "data" in group.flat}) or ["unknown data"]
    if scored and split != "test":
        notes = ["There is no test score: validation scores are compared.", *notes] if split == "validation" else notes
    return Section(task, ", ".join(names), split, metric, groups, notes)


def name_groups(groups: list[Group], by: Sequence[str]) -> None:
    """Name every group by the values of the keys asked for, or of the fewest in which they differ."""
    keys = [resolve(axis, groups) for axis in by] or telling(groups)
    for group in groups:
        group.name = label(group, keys)
    names = [group.name for group in groups]
    for group in groups:
        if names.count(group.name) > 1 or not group.name:
            group.name = f"{group.name} [{group.key[0]}]".strip()
    still = [group.name for group in groups]
    for group in groups:
        if still.count(group.name) > 1:
            group.name += f" on data {digest(group)}"


def digest(group: Group) -> str:
    """Enough of the hash of the training split to tell it from others."""
    return dict(group.key[1]).get("train", "unknown")[:8]


def label(group: Group, keys: Sequence[str]) -> str:
    """``gru``, or ``gru, pooling max``: a cell needs no word before it, nor does data."""
    parts = []
    for key in keys:
        value = shown(key, group.flat.get(key))
        plain = key in ("cell", "data", "row")
        parts.append(value if plain else f"{short(key)} {value}")
    return ", ".join(parts)


def short(key: str) -> str:
    """The last word of a key that says what it is of."""
    words = [word for word in key.split(".") if word != "_target_"]
    return words[-1].replace("_", " ")


def shown(key: str, value: Any) -> str:
    """A value as a reader says it: ``models.pooling.MaxMeanPooling`` of ``pooling`` is ``max_mean``."""
    if not key.endswith("_target_") or not isinstance(value, str):
        return "-" if value is None else str(value)
    kind = key.split(".")[-2]
    name = value.rsplit(".", 1)[-1].removesuffix(kind.capitalize()) or value
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def telling(groups: Sequence[Group]) -> list[str]:
    """The fewest keys, parts before numbers, that tell all groups apart as far as configs can."""
    chosen: list[str] = []
    tiers = [list(tier) for _, tier in groupby(differing(groups), key=tier_of)]
    for tier in tiers:
        while tier:
            best = max(tier, key=lambda key: kinds([*chosen, key], groups))
            if kinds([*chosen, best], groups) == kinds(chosen, groups):
                break
            chosen.append(best)
    return chosen or [key for key in ("row", "cell") if any(group.flat.get(key) for group in groups)][:1]


def kinds(keys: Sequence[str], groups: Sequence[Group]) -> int:
    """How many groups some keys tell apart."""
    return len({tuple(str(group.flat.get(key)) for key in keys) for group in groups})


def differing(groups: Sequence[Group]) -> list[str]:
    """Keys in which configs differ: cell and data first, then parts, then values, each as the config orders them."""
    keys = list(dict.fromkeys(key for group in groups for key in group.flat))
    return sorted((key for key in keys if len(values(key, groups)) > 1), key=tier_of)


def values(key: str, groups: Sequence[Group]) -> set[str]:
    """All values of a key; what a failed run never came to know counts for none."""
    unknown = key in ("cell", "data", "row")
    return {str(group.flat.get(key)) for group in groups if key in group.flat or not unknown}


def tier_of(key: str) -> int:
    """How soon a key is taken for a name."""
    return {"cell": 0, "data": 1, "row": 2}.get(key, 3 if key.endswith("_target_") else 4)


def resolve(axis: str, groups: Sequence[Group]) -> str:
    """The config key that a word on the command line means: itself, the part of that name, or the key that ends so."""
    keys = list(dict.fromkeys(key for group in groups for key in group.flat))
    ends = [axis, f"{axis}._target_"]
    found = [key for end in ends for key in keys if key == end or key.endswith(f".{end}")]
    if not found:
        raise InputError(f"--by {axis}: no config has such a key. They differ in: {', '.join(differing(groups))}.")
    return min(found, key=lambda key: (key != axis, key.count(".")))


def flatten(config: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """(dotted key, plain value) of all values of a config."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config
