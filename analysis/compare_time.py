"""How long 500 results take to compare: ``python -m analysis.compare_time``.

Writes 100 made-up configs of 5 seeds each, with histories and predictions of 2,000 sentences, into a folder that is
removed again, and times ``python -m analysis.compare`` on it, start of Python included: median of three.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

CONFIGS, SEEDS, SENTENCES, EPOCHS = 100, 5, 2_000, 10


def write_run(folder: Path, config: int, seed: int) -> None:
    """One run folder, as far as a comparison reads it."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng((config, seed))
    right = generator.random(SENTENCES) < 0.7 + config / 500
    accuracy = float(right.mean())
    cell = ("rnn", "lstm", "gru")[config % 3]
    model = {"encoder": {"cell": {"_target_": f"models.cells.{cell}.Cell"}, "hidden_size": 8 * config}}
    content = {
        "schema": 1,
        "status": "ok",
        "task": "sentiment",
        "cell": cell,
        "config_id": f"{config:08x}",
        "seed": seed,
        "data": {"name": "made up", "sha256": {"train": "a", "test": "b"}, "sizes": {"test": SENTENCES}},
        "parameters": 1_000 * config,
        "metrics": {"validation": {"accuracy": accuracy}, "test": {"accuracy": accuracy}},
        "selection": {"metric": "accuracy", "epoch": EPOCHS, "score": accuracy},
        "training": {"seconds": 60.0, "tokens_per_second": 1e4 - config, "kernel": "oneDNN", "precision": "fp32"},
        "environment": {"python": "3", "torch": "2", "cpu": "one", "threads": 1, "commit": "c" * 40, "dirty": False},
        "ended": "2026-01-01T00:00:00+00:00",
    }
    rows = [{"text": f"text {i}", "label": "good", "prediction": "good" if r else "bad"} for i, r in enumerate(right)]
    epochs = [{"epoch": e, "train_loss": 1 / e, "validation": {"accuracy": accuracy}} for e in range(1, EPOCHS + 1)]
    (folder / "config.yaml").write_text(yaml.safe_dump({"task": "sentiment", "seed": seed, "data": {}, "model": model}))
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in epochs))
    (folder / "result.json").write_text(json.dumps(content))


def seconds(*options: str) -> float:
    """The median of three starts of the command."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "analysis.compare", *options], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        for config in range(CONFIGS):
            for seed in range(SEEDS):
                write_run(Path(root) / "runs" / f"{config}-{seed}", config, seed)
        print(f"{CONFIGS * SEEDS} results, the table: {seconds(root):.1f} s")
        print(f"{CONFIGS * SEEDS} results, the page: {seconds(root, '--html', str(Path(root) / 'page.html')):.1f} s")
