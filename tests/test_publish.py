"""Tables of recorded results on the pages of the repository."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.publish import summary, table


def record(folder: Path, name: str, seed: int, accuracy: float, **values: Any) -> None:
    distances = {d: {"accuracy": accuracy / 2, "count": 9} for d in ("20-39", "80-159", "320-639", "640-1279")}
    content = {
        "task": "memory", "seed": seed, "config_id": name, "parameters": 1234,
        "selection": {"metric": "accuracy", "epoch": 3, "score": 0.5},
        "metrics": {"test": {"accuracy": accuracy, "by_distance": distances}},
        "training": {
            "epochs": 4, "steps": 400, "seconds": 10.0, "tokens_per_second": 2000.0, "peak_memory_mb": 500.0,
            "kernel": "loop", "precision": "fp32",
        },
        "environment": {"cpu": "a processor", "threads": 1, "commit": "0123456789abcdef", "torch": "2"},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-seed{seed}.json").write_text(json.dumps(content | values))


def test_a_row_has_mean_spread_other_scores_and_cost(tmp_path: Path) -> None:
    for seed, accuracy in ((1, 0.9), (2, 0.8)):
        record(tmp_path / "recall", "gru", seed, accuracy)
    record(tmp_path / "recall", "rnn", 1, 0.95)
    lines = table([tmp_path / "recall"]).splitlines()
    assert lines[0].split(" | ")[4:9] == ["after 20–39", "after 80–159", "after 320–639", "after 640–1279", "seeds"]
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| rnn", "| gru"]  # the best on top
    assert lines[3].startswith(
        "| gru | 1,234 | **85.00** ± 7.07 | 90.00, 80.00 | 42.50 | 42.50 | 42.50 | 42.50 | 1, 2 |"
    )
    assert lines[3].endswith("| 300 | 10 | 2,000 | 500 | loop fp32 |")
    assert lines[-1].endswith("a processor, 1 thread(s) a run; torch 2; commit 0123456789.")


def test_seeds_of_two_configs_are_not_pooled(tmp_path: Path) -> None:
    record(tmp_path / "recall", "gru", 1, 0.9)
    record(tmp_path / "recall", "gru", 2, 0.9, config_id="another")
    with pytest.raises(SystemExit, match="more than one config"):
        table([tmp_path / "recall"])


def test_a_table_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="recall has no results: record some, or remove the table from the page"):
        table([tmp_path / "recall"])


def test_a_summary_has_a_column_for_every_table_and_the_best_in_bold(tmp_path: Path) -> None:
    for seed in (1, 2):
        record(tmp_path / "memory" / "recall", "gru", seed, 0.9)
        record(tmp_path / "memory" / "recall", "rnn", seed, 0.7)
        record(tmp_path / "tagging" / "tuned", "rnn", seed, 0.8)
    lines = summary([tmp_path / "memory" / "recall", tmp_path / "tagging" / "tuned"]).splitlines()
    assert lines[0] == "| | memory, accuracy | tagging, accuracy |"
    assert lines[2:4] == ["| gru | **90.00** ± 0.00 | - |", "| rnn | 70.00 ± 0.00 | **80.00** ± 0.00 |"]
