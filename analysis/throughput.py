"""How fast a config trains: ``python -m analysis.throughput translation experiment=NAME data.path=DIR``.

Builds what ``python -m tasks.<task>`` would with the same options, takes 20 steps to warm up, and times 5 runs of 20
steps more: tokens a second without padding, of both sides where there are two, as the median and the range of the runs.
"""

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize

from training.build import build
from training.device import bound_kernel_cache, choose_device, hardware_name
from training.recipe import read
from training.trainer import Trainer

STEPS, RUNS = 20, 5


def trainer_of(task: str, options: list[str]) -> Trainer:
    """All that a run has, but for a run folder."""
    with initialize(version_base="1.3", config_path="../conf"):
        cfg = compose(task, options)
    if cfg.threads != "auto":
        torch.set_num_threads(cfg.threads)
    device = choose_device(cfg.device)
    bound_kernel_cache()
    torch.manual_seed(cfg.seed)
    cfg, corpus = read(cfg)
    model = build(cfg.model, **corpus.sizes).to(device)
    optimizer, schedule = build(cfg.optimizer)(model.parameters()), build(cfg.schedule)
    nowhere = Path(tempfile.gettempdir())  # nothing is written
    return build(cfg.trainer)(model, corpus, build(cfg.evaluation), optimizer, schedule, nowhere, device, cfg.seed, {})


def measure(trainer: Trainer) -> tuple[list[float], float]:
    """(tokens a second in each run, the share of padding)."""
    batches = trainer.corpus.splits["train"].shuffled(trainer.batch_tokens, trainer.batch_sentences, trainer.seed)
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    trainer.model.train()
    trainer.set_rate(0.5)
    speeds, tokens, positions = [], 0, 0
    for run in range(RUNS + 1):
        chosen = list(itertools.islice(endless, STEPS))
        started = time.perf_counter()
        for batch in chosen:
            loss, _ = trainer.train_step(batch, batches)
        loss.total.item()  # waits for the device
        seconds = time.perf_counter() - started
        if run:
            speeds.append(sum(batch.num_tokens for batch in chosen) / seconds)
            tokens += sum(batch.num_tokens for batch in chosen)
            positions += sum(batch.num_positions for batch in chosen)
    return speeds, 1 - tokens / positions


def main(task: str, *options: str) -> None:
    trainer = trainer_of(task, list(options))
    speeds, padding = measure(trainer)
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    kernel = trainer.model.kernel_name(trainer.device, trainer.precision)
    print(
        f"{statistics.median(speeds):,.0f} tokens/s ({min(speeds):,.0f} to {max(speeds):,.0f}), {padding:.1%} padding, "
        f"{parameters:,} parameters, {kernel} {trainer.precision}, {hardware_name(trainer.device)}, "
        f"{torch.get_num_threads()} thread(s)"
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Which task? python -m analysis.throughput TASK [key=value ...]")
    main(*sys.argv[1:])
