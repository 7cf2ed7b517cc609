"""Where the time of training steps goes, how fast models answer, and how long commands take to start."""

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from hydra import compose, initialize
from torch import Tensor, nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from analysis.timing import Clock, Now, side_by_side
from models.dropout import Dropout
from training import trainer as trainer_module
from training.build import build
from training.device import choose_device, hardware_name, limit_kernel_cache, peak_memory_mb, reset_peak_memory
from training.load import load_task
from training.loss import linear_cross_entropy
from training.recipe import read_corpus
from training.trainer import Trainer

STEPS, RUNS, WARM_UP = 20, 5, 3
TASKS = ("sentiment", "tagging", "translation")
FOLDERS = {
    "sst2": ("sentiment", "sentiment/sst2_phrases", "sst2_phrases"),
    "ewt": ("tagging", "tagging/ud_english_ewt", "ud_english_ewt"),
    "multi30k": ("translation", "translation/multi30k", "multi30k"),
    "imdb": ("sentiment", "sentiment/imdb_random", "imdb"),
}
PARTS = {"encoder": "encoder", "characters": "characters", "embedding": "embedding", "generator": "decoder"}
HEADS = ("output", "pooling", "head")
GENERATED = {  # workloads that need no folder
    "scenes": ("captioning", "captioning/scenes"),
    "series": ("forecasting", "forecasting/generated"),
    "recall": ("memory", "memory/recall"),
}
PRODUCTS = {  # operators that are matrix products, convolutions or kernels of a recurrence
    *("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::convolution", "aten::convolution_backward"),
    *("aten::mkldnn_rnn_layer", "aten::mkldnn_rnn_layer_backward"),
    *("PackedLayer", "PackedLayerBackward", "LinearScan", "LinearScanBackward"),
}


def trainer_of(task: str, options: list[str]) -> Trainer:
    """All that a run has, but for a run folder."""
    with initialize(version_base="1.3", config_path="../conf"):
        cfg = compose(task, options)
    if cfg.threads != "auto":
        torch.set_num_threads(cfg.threads)
    device = choose_device(cfg.device)
    limit_kernel_cache()
    torch.manual_seed(cfg.seed)
    cfg, corpus = read_corpus(cfg)
    model = build(cfg.model, **corpus.sizes).to(device)
    optimizer, schedule = build(cfg.optimizer)(model.parameters()), build(cfg.schedule)
    nowhere = Path(tempfile.gettempdir())  # nothing is written
    return build(cfg.trainer)(model, corpus, build(cfg.evaluation), optimizer, schedule, nowhere, device, cfg.seed, {})


def workload(name: str, data: Path | None) -> tuple[str, list[str]]:
    """The task and the options of a data set's experiment; without its rows, those of the task's generated language."""
    if name in GENERATED:
        task, experiment = GENERATED[name]
        return task, [f"experiment={experiment}", "limit=2000"]
    task, experiment, folder = FOLDERS[name]
    if data is None:
        return task, ["limit=2000"]
    return task, [f"experiment={experiment}", f"data.path={data / folder}", "limit=4000"]


class Mark(torch.autograd.Function):
    """A tensor as it is; ``reached`` is called when its gradient is."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, reached: Callable[[], None]) -> Tensor:
        ctx.reached = reached
        return inputs.view_as(inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.reached()
        return gradient, None


def marked(value: Any, reached: Callable[[], None]) -> Any:
    """The same value, or a tuple with it, with a mark on every tensor that has a gradient."""
    if isinstance(value, Tensor):
        return Mark.apply(value, reached) if value.requires_grad else value  # type: ignore[no-untyped-call]
    if isinstance(value, tuple):
        entries = [marked(entry, reached) for entry in value]
        return type(value)(*entries) if hasattr(value, "_fields") else tuple(entries)
    return value


def watch_module(module: nn.Module, part: str, clock: Clock) -> None:
    """Count a module's time, forward and backward, for a part.

    Its backward begins when the gradient of its output is reached and ends when that of its input is; without a
    gradient of the input, when the next part begins.
    """
    forward = clock.timed(part, module.forward)
    outer: list[str] = []

    def begin() -> None:
        before = clock.switch(part)
        if before != part:
            outer.append(before)

    def end() -> None:
        if clock.part == part:  # of several inputs the first one counts
            clock.switch(outer.pop() if outer else "other")

    def run(*inputs: Any, **options: Any) -> Any:
        return marked(forward(*(marked(entry, end) for entry in inputs), **options), begin)

    module.forward = run


def watch_trainer(trainer: Trainer, clock: Clock) -> None:
    """Count the time of a trainer's steps for their parts."""
    for name, module in trainer.model.named_children():
        part = PARTS.get(name, "head" if name in HEADS else None)
        if part is not None:
            watch_module(module, part, clock)
    for module in trainer.model.modules():
        if isinstance(module, Dropout) and module.rate:
            watch_module(module, "dropout", clock)
    watch_method(trainer.model, "loss", "loss", clock)
    watch_method(trainer.optimizer, "step", "optimiser", clock)
    if trainer.average is not None:
        watch_method(trainer.average, "update_parameters", "average of weights", clock)


def watch_method(owner: Any, name: str, part: str, clock: Clock) -> None:
    """Count the time of a method, or of a function of a module, for a part."""
    setattr(owner, name, clock.timed(part, getattr(owner, name)))


def chosen_batches(trainer: Trainer) -> tuple[Any, Iterator[list[Any]]]:
    """The batches of an epoch, and lists of some of them without end."""
    batches = trainer.corpus.splits["train"].shuffled(trainer.batch_tokens, trainer.batch_sentences, trainer.seed)
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    return batches, iter(lambda: list(itertools.islice(endless, STEPS)), None)


def ready(trainer: Trainer) -> tuple[Any, Iterator[Any]]:
    """A trainer in the middle of its schedule: the batches of an epoch, and the same without end."""
    batches, _ = chosen_batches(trainer)
    trainer.model.train()
    trainer.set_learning_rate(0.5)
    return batches, itertools.chain.from_iterable(itertools.repeat(batches))


def step_shares(trainer: Trainer, steps: int) -> tuple[dict[str, float], float]:
    """The fraction of the time of every part of training steps, and tokens a second."""
    batches, endless = ready(trainer)
    clock, tokens = Clock(), 0
    watch_trainer(trainer, clock)
    clipping = vars(trainer_module)["clip_grad_norm_"]
    watch_method(trainer_module, "clip_grad_norm_", "clipping", clock)
    try:
        for number in range(steps + WARM_UP):
            if number == WARM_UP:
                clock.restart()
            clock.switch("data")
            batch = next(endless)
            clock.switch("other")
            trainer.train_step(batch, batches)
            tokens += batch.num_tokens if number >= WARM_UP else 0
        clock.switch("other")
    finally:
        setattr(trainer_module, clipping.__name__, clipping)
    return clock.shares(), tokens / sum(clock.seconds.values())


def product_share(trainer: Trainer, steps: int) -> float:
    """The fraction of the time of training steps that matrix products and recurrent kernels take, on the CPU.

    PyTorch's profiler measures it, and its own time counts as that of everything else.
    """
    batches, endless = ready(trainer)
    for _ in range(WARM_UP):
        trainer.train_step(next(endless), batches)
    with profile(activities=[ProfilerActivity.CPU]) as taken:
        started = time.perf_counter()
        for _ in range(steps):
            trainer.train_step(next(endless), batches)
        seconds = time.perf_counter() - started
    return sum(event.cpu_time_total for event in taken.events() if outermost_product(event)) / 1e6 / seconds


def outermost_product(event: FunctionEvent) -> bool:
    """Whether an operator is a product or a kernel and is no part of another one."""
    if event.name not in PRODUCTS:
        return False
    parent = event.cpu_parent
    while parent is not None:
        if parent.name in PRODUCTS:
            return False
        parent = parent.cpu_parent
    return True


def step_rows(cells: list[str], sets: list[str], data: Path | None, steps: int) -> Iterator[dict[str, Any]]:
    """Training steps of every workload with every cell, by share of time."""
    for name in sets:
        for cell in cells:
            task, options = workload(name, data)
            trainer = trainer_of(task, [*options, f"cell={cell}", f"threads={torch.get_num_threads()}"])
            reset_peak_memory(trainer.device)
            row: dict[str, Any] = {
                "workload": name if data or name in GENERATED else f"{task} (language)",
                "cell": cell,
            }
            if trainer.device.type == "cpu":
                row["share_of_products"] = product_share(trainer, steps)
            shares, row["tokens_per_second"] = step_shares(trainer, steps)
            yield row | shares | {"peak_mb": peak_memory_mb(trainer.device)}


def prediction_rows(cells: list[str], sets: list[str], data: Path | None, rounds: int) -> Iterator[dict[str, Any]]:
    """Answers of an untrained model: sentences a second alone and in batches; in translation greedy and with a beam."""
    for name in sets:
        for cell in cells:
            task, options = workload(name, data)
            trainer = trainer_of(task, [*options, f"cell={cell}", f"threads={torch.get_num_threads()}"])
            split = trainer.corpus.splits["validation"]
            model = trainer.model.eval()
            many = [batch for batch, _ in zip(split.by_length(4096, 64), range(4), strict=False)]
            one = [split.encoded.batch(batch.rows[:1]) for batch in many for _ in range(4)]
            ways = {
                "one": lambda model=model, one=one: answer(model.predict, one),
                "batched": lambda model=model, many=many: answer(model.predict, many),
                "greedy": lambda model=model, many=many: answer(model.predict_greedy, many),
            }
            times = side_by_side(ways, rounds)
            counts = {way: len(one) if way == "one" else sum(len(batch.rows) for batch in many) for way in ways}
            speeds = {f"{way}_per_second": counts[way] / taken.median for way, taken in times.items()}
            yield {"workload": name if data else f"{task} (language)", "cell": cell} | speeds


@torch.no_grad()
def answer(predict: Callable[[Any], object], batches: list[Any]) -> None:
    for batch in batches:
        predict(batch)


def throughput(task: str, options: list[str]) -> str:
    """How fast a config trains: tokens a second without padding, the median and the range of runs of 20 steps."""
    trainer = trainer_of(task, options)
    batches, chosen = chosen_batches(trainer)
    trainer.model.train()
    trainer.set_learning_rate(0.5)
    speeds, tokens, positions = [], 0, 0
    for run in range(RUNS + 1):
        some = next(chosen)
        started = Now.read()
        for batch in some:
            loss, _ = trainer.train_step(batch, batches)
        loss.total.item()  # waits for the device
        if run:
            seconds = Now.read() - started
            speeds.append(sum(batch.num_tokens for batch in some) / seconds)
            tokens += sum(batch.num_tokens for batch in some)
            positions += sum(batch.num_positions for batch in some)
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    kernel = trainer.model.kernel_name(trainer.device)
    return (
        f"{statistics.median(speeds):,.0f} tokens/s ({min(speeds):,.0f} to {max(speeds):,.0f}), "
        f"{1 - tokens / positions:.1%} padding, {parameters:,} parameters, {kernel} {trainer.precision}, "
        f"{hardware_name(trainer.device)}, {torch.get_num_threads()} thread(s)"
    )


COMMANDS = {
    "--help": ["-m", "tasks.sentiment", "--help"],
    "import torch": ["-c", "import torch"],
    "what a run imports": ["-c", "import training.run"],
}


def startup_rows(rounds: int, run: Path | None) -> Iterator[dict[str, Any]]:
    """Seconds from the start of a process to its end; with a run folder also of an answer to one line."""
    commands = dict(COMMANDS)
    if run is not None:
        commands["predict, one line"] = ["-m", f"tasks.{load_task(run)}.predict", f"run={run.resolve()}"]
    times = side_by_side({name: process(arguments) for name, arguments in commands.items()}, rounds)
    for name, taken in times.items():
        yield {"command": name, "seconds": taken.median, "least": taken.least}


def process(arguments: list[str]) -> Callable[[], object]:
    """Runs Python with some arguments and one line to read."""
    command, root = [sys.executable, *arguments], Path(__file__).parents[1]
    return lambda: subprocess.run(command, cwd=root, check=True, capture_output=True, input=b"one line\n")


def loss_rows(rounds: int) -> Iterator[dict[str, Any]]:
    """The suite's cross-entropy of an output layer beside torch's, forward and backward, for 1,000 tokens of 256."""
    for vocabulary in (1000, 4000, 16000):
        output = nn.Linear(256, vocabulary)
        features, targets = torch.randn(1000, 256, requires_grad=True), torch.randint(vocabulary, (1000,))
        ways: dict[str, Callable[[], object]] = {
            "own": partial(own_loss, output, features, targets),
            "torch": partial(torch_loss, output, features, targets),
        }
        times = side_by_side(ways, rounds)
        ratio = times["torch"].median / times["own"].median
        yield {"vocabulary": vocabulary, "own_seconds": times["own"].median, "times_torch": ratio}


def own_loss(output: nn.Linear, features: Tensor, targets: Tensor) -> None:
    linear_cross_entropy(output, features, targets, 0.1).total.backward()


def torch_loss(output: nn.Linear, features: Tensor, targets: Tensor) -> None:
    F.cross_entropy(output(features), targets, reduction="sum", label_smoothing=0.1).backward()
