"""The textbook's claims about recurrent networks: sentence, experiments, rule and picture of each.

A rule reads the recorded jobs of a claim's sweeps and gives a number and a verdict; it raises ``NotMeasured`` where a
job is missing. Nothing on the page is decided by hand.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes

from training.titles import baseline_title

Job = dict[str, Any]  # values of the swept keys, cell, status, test scores, history, rows of the recorder
Jobs = list[Job]

HOLDS, FAILS, UNLEARNED = "holds", "does not hold here", "not shown: no model learned the task"
LEARNED = 10  # BLEU from which a decoder counts as one that translates
GOOD = 0.9  # the accuracy from which something counts as remembered
STEPPED, PARALLEL = ("rnn", "lstm", "gru"), ("min_gru", "lru")


class NotMeasuredError(Exception):
    """A job that a rule needs is not recorded."""


@dataclass(frozen=True)
class Sweep:
    """A normal sweep of the suite; what its jobs differ in are the keys with several values.

    Args:
        name: of its run folder and of its record.
        task: the task package.
        overrides: as on the command line.
    """

    name: str
    task: str
    overrides: tuple[str, ...]

    @property
    def axes(self) -> list[str]:
        pairs = [override.lstrip("+").partition("=")[::2] for override in self.overrides]
        return [key for key, value in pairs if "," in value and not value.startswith("{")]


@dataclass(frozen=True)
class Claim:
    """One row of the page.

    Args:
        name: the word that selects it on the command line, and the name of its picture.
        sentence: what the textbook says.
        rule: the condition under which it holds, in words.
        sweeps: its experiments.
        judge: the jobs of every sweep -> (number, verdict).
        draw: the same, onto axes.
    """

    name: str
    sentence: str
    rule: str
    sweeps: tuple[Sweep, ...]
    judge: Callable[..., tuple[str, str]]
    draw: Callable[..., None]


def only(jobs: Jobs, **values: Any) -> Job:
    """The job with these values of swept keys, ``__`` in place of a dot."""
    wanted = {key.replace("__", "."): value for key, value in values.items()}
    for job in jobs:
        if all(job["values"].get(key) == value for key, value in wanted.items()):
            return job
    raise NotMeasuredError(", ".join(f"{key}={value}" for key, value in wanted.items()))


def values(jobs: Jobs, key: str) -> list[Any]:
    """The values of a swept key that were run, in the order of the sweep."""
    return list(dict.fromkeys(job["values"][key] for job in jobs))


def accuracy(job: Job) -> float:
    return score(job, "accuracy")


def score(job: Job, name: str) -> float:
    """A test score of a job that ended well."""
    if job["status"] != "ok":
        raise NotMeasuredError(f"{job['values']}: {job['status']}")
    return float(job["test"][name])


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def groups(job: Job, name: str) -> dict[str, dict[str, float]]:
    """A breakdown of a job's test scores with at least 20 examples a group."""
    if job["status"] != "ok":
        raise NotMeasuredError(f"{job['values']}: {job['status']}")
    return {group: entry for group, entry in job["test"][name].items() if entry["count"] >= 20}


def reach(job: Job) -> tuple[str, bool]:
    """(the last interval of the distance up to which all are remembered, whether that is the last that was tested)."""
    found = groups(job, "by_distance")
    good = []
    for group, entry in found.items():
        if entry["accuracy"] < GOOD:
            break
        good.append(group)
    return (good[-1] if good else "none"), len(good) == len(found)


def lines(axes: Axes, named: Iterable[tuple[str, dict[str, dict[str, float]]]], metric: str, **labels: Any) -> None:
    """A line per name over the groups of a breakdown."""
    for name, found in named:
        axes.plot(list(found), [entry[metric] for entry in found.values()], marker="o", label=name)
    axes.set(**labels)
    axes.tick_params(axis="x", labelsize=8)


def bars(axes: Axes, named: dict[str, float], **labels: Any) -> None:
    axes.bar(list(named), list(named.values()), width=0.6)
    axes.tick_params(axis="x", labelsize=7)
    for place, value in enumerate(named.values()):
        axes.text(place, value, f"{value:.3g}", ha="center", va="bottom", fontsize=8)
    axes.set(**labels)


# Word order


def judge_order(jobs: Jobs) -> tuple[str, str]:
    kept, lost = (accuracy(only(jobs, data__shuffled=mark)) for mark in (False, True))
    number = f"{percent(kept)} in order, {percent(lost)} shuffled"
    return number, HOLDS if kept - lost > 0.05 else FAILS


def draw_order(axes: Axes, jobs: Jobs) -> None:
    found = {
        name: 100 * accuracy(only(jobs, data__shuffled=mark))
        for name, mark in {"in order": False, "shuffled": True}.items()
    }
    for name, scores in only(jobs, data__shuffled=False)["test"].get("baselines", {}).items():
        found[fill(baseline_title(name), 14)] = 100 * scores["accuracy"]
    bars(axes, found, ylabel="test accuracy, %", ylim=(0, 108))


# Cost by length


def speed(jobs: Jobs, cell: str, length: int) -> float:
    """Tokens per second in training."""
    return float(only(jobs, cell=cell, data__length=length)["training"]["tokens_per_second"])


def judge_cost(jobs: Jobs) -> tuple[str, str]:
    longest = max(values(jobs, "data.length"))
    stepped = max(speed(jobs, cell, longest) for cell in STEPPED)
    parallel = max(speed(jobs, cell, longest) for cell in PARALLEL)
    number = (
        f"tokens per second at {longest:,} tokens: {stepped:,.0f} for the fastest of {', '.join(STEPPED)}, "
        f"{parallel:,.0f} for the fastest of {', '.join(PARALLEL)}"
    )
    return number, HOLDS if parallel >= 2 * stepped else FAILS


def draw_cost(axes: Axes, jobs: Jobs) -> None:
    lengths = values(jobs, "data.length")
    for cell in values(jobs, "cell"):
        axes.plot(lengths, [speed(jobs, cell, length) for length in lengths], marker="o", label=cell)
    axes.set(xlabel="tokens per sequence", ylabel="tokens per second, training", xscale="log", yscale="log")


# Gradients by distance


def norms(job: Job, moment: str) -> dict[int, float]:
    """The median norm of dLoss/dstate by distance."""
    return {row["distance"]: row["state"] for row in job["gradients"] if row["moment"] == moment}


def decay(job: Job, moment: str, distance: int) -> float:
    """The norm at a distance, relative to that at distance 0."""
    found = norms(job, moment)
    if distance not in found:
        raise NotMeasuredError(f"{job['values']}: no gradient at distance {distance}")
    return found[distance] / found[0]


def judge_vanishing(jobs: Jobs) -> tuple[str, str]:
    shares = {cell: decay(only(jobs, cell=cell), "start", 50) for cell in values(jobs, "cell")}
    number = "at distance 50, before training: " + ", ".join(f"{cell} {share:.1e}" for cell, share in shares.items())
    return number, HOLDS if shares["rnn"] < 1e-3 else FAILS


def judge_gates_carry(jobs: Jobs) -> tuple[str, str]:
    moments = {m: {c: decay(only(jobs, cell=c), m, 50) for c in ("rnn", "lstm", "gru")} for m in ("start", "end")}
    number = "; ".join(
        f"{moment}: " + ", ".join(f"{cell} {share:.1e}" for cell, share in found.items())
        for moment, found in moments.items()
    )
    better = {m: min(found["lstm"], found["gru"]) > 10 * found["rnn"] for m, found in moments.items()}
    if all(better.values()):
        return number, HOLDS
    return number, {"start": "holds before training only", "end": "holds after training only"}.get(
        next((moment for moment, mark in better.items() if mark), ""), FAILS
    )


def draw_gradients(axes: Axes, jobs: Jobs) -> None:
    for number, cell in enumerate(values(jobs, "cell")):
        for moment, style in {"start": ":", "end": "-"}.items():
            found = norms(only(jobs, cell=cell), moment)
            relative = [max(norm / found[0], 1e-40) for norm in found.values()]
            axes.plot(list(found), relative, style, color=f"C{number}", label=f"{cell}, {moment} of training")
    axes.set(
        xlabel="distance from the loss, in tokens",
        ylabel="norm of dLoss/dstate, relative",
        yscale="log",
        ylim=(1e-20, 1e3),
    )


# Clipping


def last_loss(job: Job) -> float:
    """The last training loss; infinite where the run diverged."""
    return job["history"][-1]["train_loss"] if job["status"] == "ok" else float("inf")


def judge_clipping(jobs: Jobs) -> tuple[str, str]:
    found = {
        norm: [last_loss(job) for job in jobs if job["values"]["trainer.clip_grad_norm"] == norm] for norm in (1, None)
    }
    if not all(found.values()):
        raise NotMeasuredError("trainer.clip_grad_norm")
    seeds = len(found[1])
    number = f"training loss {mean(found[1]):.3f} with clipping, {mean(found[None]):.3f} without ({seeds} seeds)"
    return number, HOLDS if max(found[1]) < min(found[None]) else FAILS


def draw_clipping(axes: Axes, jobs: Jobs) -> None:
    for job in jobs:
        norm = job["values"]["trainer.clip_grad_norm"]
        color, name = ("C0", "clipped at 1") if norm is not None else ("C3", "not clipped")
        steps = [row["epoch"] for row in job["history"]]
        axes.plot(steps, [row["train_loss"] for row in job["history"]], color=color, marker=".", label=name)
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log")


# Memory by distance


def judge_forgetting(jobs: Jobs) -> tuple[str, str]:
    found = groups(only(jobs, cell="rnn"), "by_distance")
    group, whole = reach(only(jobs, cell="rnn"))
    last = list(found)[-1]
    distance = "at no distance" if group == "none" else f"up to distance {group}"
    number = f"rnn at least {percent(GOOD)} {distance}; {percent(found[last]['accuracy'])} at {last}"
    return number, FAILS if whole else HOLDS


def judge_memory(jobs: Jobs) -> tuple[str, str]:
    reached = {cell: reach(only(jobs, cell=cell)) for cell in ("lstm", "gru")}
    number = ", ".join(f"{cell}: {group}" for cell, (group, _) in reached.items())
    if all(whole for _, whole in reached.values()):
        return number, HOLDS
    groups_reached = [group for group, _ in reached.values()]
    return number, FAILS if "none" in groups_reached else f"holds up to {' and '.join(dict.fromkeys(groups_reached))}"


def judge_very_long(jobs: Jobs) -> tuple[str, str]:
    last = {cell: list(groups(only(jobs, cell=cell), "by_distance").items())[-1] for cell in values(jobs, "cell")}
    number = ", ".join(f"{cell} {percent(entry['accuracy'])}" for cell, (_, entry) in last.items())
    group = next(iter(last.values()))[0]
    return f"at {group}: {number}", HOLDS if all(e["accuracy"] < GOOD for _, e in last.values()) else FAILS


def draw_recall(axes: Axes, jobs: Jobs) -> None:
    named = [(cell, groups(only(jobs, cell=cell), "by_distance")) for cell in values(jobs, "cell")]
    lines(
        axes, named, "accuracy", xlabel="distance in tokens (trained up to 99)", ylabel="test accuracy", ylim=(0, 1.03)
    )
    axes.axhline(named[0][1][next(iter(named[0][1]))]["chance"], color="gray", linestyle=":", label="chance")


# State tracking


def at_longest(job: Job) -> float:
    """Accuracy in the last interval of the distance."""
    return list(groups(job, "by_distance").values())[-1]["accuracy"]


def judge_states(jobs: Jobs) -> tuple[str, str]:
    cells = values(jobs, "cell")
    found = {c: {d: at_longest(only(jobs, cell=c, data=d)) for d in values(jobs, "data")} for c in cells}
    number = "; ".join(
        f"{cell} " + ", ".join(f"{name} {percent(value)}" for name, value in by_data.items())
        for cell, by_data in found.items()
    )
    linear = [name for name in PARALLEL if name in found]
    solved = {d: any(found[c][d] >= GOOD for c in cells if c not in linear) for d in values(jobs, "data")}
    failed = {d: all(found[c][d] < GOOD for c in linear) for d in values(jobs, "data")}
    shown = [name for name in solved if solved[name] and failed[name]]
    return number, HOLDS if len(shown) == len(solved) else f"holds for {', '.join(shown)}" if shown else FAILS


def draw_states(axes: Axes, jobs: Jobs) -> None:
    cells, diagnostics = values(jobs, "cell"), values(jobs, "data")
    for number, name in enumerate(diagnostics):
        heights = [at_longest(only(jobs, cell=cell, data=name)) for cell in cells]
        axes.bar([place + 0.25 * number for place in range(len(cells))], heights, width=0.25, label=name)
    axes.set_xticks([place + 0.25 for place in range(len(cells))], cells)
    axes.set(ylabel="test accuracy, 160 to 255 tokens", ylim=(0, 1.03))


# Translation


def judge_lengths(translated: Jobs, tagged: Jobs) -> tuple[str, str]:
    found = (
        {"encoder-decoder": score(translated[0], "bleu"), "tagger": tagged[0]["bleu"]} if translated and tagged else {}
    )
    if not found:
        raise NotMeasuredError("translation and tagging")
    number = ", ".join(f"{name} {bleu:.1f} BLEU" for name, bleu in found.items())
    return number, HOLDS if found["encoder-decoder"] > found["tagger"] + 10 else FAILS


def draw_lengths(axes: Axes, translated: Jobs, tagged: Jobs) -> None:
    found = {"one German word per English word": tagged[0]["bleu"], "encoder and decoder": score(translated[0], "bleu")}
    bars(axes, found, ylabel="test BLEU", ylim=(0, 105))


def judge_attention(jobs: Jobs) -> tuple[str, str]:
    lost, shown = {}, []
    for name in ("cho", "luong"):
        found = groups(only(jobs, decoder=name), "by_length")
        first, *_, last = found
        short, long = found[first]["bleu"], found[last]["bleu"]
        lost[name] = 1 - long / short if short else 0.0
        shown.append(f"{name}: {short:.1f} BLEU at {first} words, {long:.1f} at {last}")
    if only(jobs, decoder="luong")["test"]["bleu"] < LEARNED:
        return "; ".join(shown), UNLEARNED
    return "; ".join(shown), HOLDS if lost["cho"] > lost["luong"] + 0.2 else FAILS


def draw_attention(axes: Axes, jobs: Jobs) -> None:
    named = [(name, groups(only(jobs, decoder=name), "by_length")) for name in values(jobs, "decoder")]
    lines(axes, named, "bleu", xlabel="words of the source", ylabel="test BLEU", ylim=(0, None))


FAST = ("threads=1", "baselines=false")
SMALL = ("model.encoder.hidden_size=64", *FAST)
RECALL = Sweep(
    "recall",
    "memory",
    (
        "data=recall",
        "data.test_length=1001",
        "data.sizes={train: 4000, validation: 300, test: 600}",
        "trainer.max_epochs=8",
        "trainer.batch_sentences=32",
        "cell=rnn,lstm,gru,min_gru",
        *SMALL,
    ),
)
GRADIENTS = Sweep(
    "gradients",
    "memory",
    (
        "data=recall",
        "data.min_length=2",
        "data.sizes={train: 2000, validation: 300, test: 100}",
        "trainer.max_epochs=6",
        "trainer.batch_sentences=32",
        "recorder=states",
        "cell=rnn,lstm,gru,min_gru",
        *SMALL,
    ),
)
LANGUAGE = "data.sizes={train: 6000, validation: 500, test: 1000}"

CLAIMS = (
    Claim(
        "order",
        "Recurrent networks read sequences of any length and use the order of the words.",
        "Accuracy falls by more than 5 points when the words of all sentences are shuffled.",
        (Sweep("order", "sentiment", (LANGUAGE, "trainer.max_epochs=10", "+data.shuffled=false,true", "threads=1")),),
        judge_order,
        draw_order,
    ),
    Claim(
        "cost",
        "A recurrence cannot be computed in parallel over time; cells without a state in their gates can.",
        "At the greatest length, the fastest parallel cell trains at least twice as many tokens per second as the "
        "fastest stepped one, on this hardware.",
        (
            Sweep(
                "cost",
                "memory",
                (
                    "data=recall",
                    "data.length=32,128,512,1024",
                    "data.min_length=${data.length}",
                    "data.test_length=${data.length}",
                    "data.sizes={train: 128, validation: 16, test: 16}",
                    "trainer.batch_sentences=16",
                    "trainer.batch_tokens=16384",
                    "trainer.max_epochs=2",
                    "cell=rnn,lstm,gru,min_gru,lru",
                    *SMALL,
                ),
            ),
        ),
        judge_cost,
        draw_cost,
    ),
    Claim(
        "vanishing",
        "The gradients of the vanilla RNN vanish with distance.",
        "Before training, the median norm at distance 50 is below 1/1,000 of that at distance 0.",
        (GRADIENTS,),
        judge_vanishing,
        draw_gradients,
    ),
    Claim(
        "gates",
        "LSTM and GRU mitigate vanishing gradients.",
        "Relative to distance 0, the median norm at distance 50 of both is more than 10 times that of the RNN, before "
        "and after training.",
        (GRADIENTS,),
        judge_gates_carry,
        draw_gradients,
    ),
    Claim(
        "clipping",
        "Clipping mitigates exploding gradients.",
        "With clipping, the last training loss of the worst seed is below that of the best seed without; a run that "
        "diverged has an infinite loss.",
        (
            Sweep(
                "clipping",
                "memory",
                (
                    "data=adding",
                    "data.length=60",
                    "data.sizes={train: 3000, validation: 300, test: 300}",
                    "cell=rnn",
                    "cell.activation=relu",
                    "trainer.max_epochs=5",
                    "trainer.patience=5",
                    "trainer.clip_grad_norm=1,null",
                    "seed=1,2,3",
                    *SMALL,
                ),
            ),
        ),
        judge_clipping,
        draw_clipping,
    ),
    Claim(
        "forgetting",
        "The vanilla RNN forgets over distance.",
        "Accuracy of recall falls below 90 % at some tested distance up to 1,000, after training up to 99.",
        (RECALL,),
        judge_forgetting,
        draw_recall,
    ),
    Claim(
        "memory",
        "LSTM and GRU remember over long distances.",
        "Accuracy of recall is at least 90 % in every interval of the distance, for both; otherwise up to which.",
        (RECALL,),
        judge_memory,
        draw_recall,
    ),
    Claim(
        "very_long",
        "At very long distances, every recurrent cell forgets.",
        "Accuracy of recall is below 90 % for all cells in the last interval of the distance.",
        (RECALL,),
        judge_very_long,
        draw_recall,
    ),
    Claim(
        "states",
        "Cells that are linear in their state cannot track states; the others can (Merrill et al., 2024).",
        "Trained up to 40 tokens, accuracy at 160 tokens and more is below 90 % for all parallel cells, and at least "
        "90 % for one of the others.",
        (
            Sweep(
                "states",
                "memory",
                (
                    "data=parity,permutations3,permutations5",
                    "trainer.max_epochs=8",
                    "cell=rnn,lstm,gru,min_gru,lru",
                    *SMALL,
                ),
            ),
        ),
        judge_states,
        draw_states,
    ),
    Claim(
        "lengths",
        "Labelling every word cannot translate; an encoder and a decoder handle sequences of different lengths.",
        "BLEU of the encoder-decoder is more than 10 above that of a tagger of the same size of data that predicts one "
        "German word per English word.",
        (
            Sweep("translation", "translation", (LANGUAGE, "trainer.max_epochs=20", "seed=1", "beam=1", *FAST)),
            Sweep("tagging", "tagging", (LANGUAGE, "trainer.max_epochs=20", "seed=1", "+data.translated=true", *FAST)),
        ),
        judge_lengths,
        draw_lengths,
    ),
    Claim(
        "attention",
        "A vector of fixed size is too small for long sentences; attention helps with them.",
        "From the shortest to the longest sources, the decoder that sees one vector of the source at every step loses "
        "a greater part of its BLEU than the one with attention, by more than 20 points of a hundred; with less than "
        "10 BLEU in all, attention shows nothing.",
        (
            Sweep(
                "attention",
                "translation",
                (
                    "data.sizes={train: 12000, validation: 300, test: 3000}",
                    "+data.joined=2",
                    "trainer.max_epochs=6",
                    "trainer.batch_tokens=1000",
                    "optimizer.lr=0.002",
                    "decoder=cho,luong",
                    "beam=1",
                    *FAST,
                ),
            ),
        ),
        judge_attention,
        draw_attention,
    ),
)
