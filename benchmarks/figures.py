"""The README's figures from the recorded results: ``python benchmarks/figures.py``."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
FIGURES = Path(__file__).parent / "figures"


def accuracy_by_distance(folder: Path, path: Path) -> None:
    """A line a cell: mean over seeds, with a band from the worst to the best seed."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    cells = sorted({file.stem.rsplit("-seed", 1)[0] for file in folder.glob("*.json")})
    for cell in cells:
        runs = [json.loads(file.read_text()) for file in sorted(folder.glob(f"{cell}-seed*.json"))]
        groups = list(runs[0]["metrics"]["test"]["by_distance"])
        shares = np.array(
            [[run["metrics"]["test"]["by_distance"][group]["accuracy"] for group in groups] for run in runs]
        )
        (line,) = axes.plot(groups, 100 * shares.mean(axis=0), marker="o", label=f"{cell} ({len(runs)} seeds)")
        axes.fill_between(
            groups, 100 * shares.min(axis=0), 100 * shares.max(axis=0), alpha=0.15, color=line.get_color()
        )
    axes.axhline(50, color="gray", linewidth=0.8, linestyle=":")
    axes.set(xlabel="tokens between the cue and the word that it acts on", ylabel="test accuracy, %", ylim=(45, 101))
    axes.legend(loc="lower left")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    accuracy_by_distance(RESULTS / "sentiment" / "language", FIGURES / "language_by_distance.png")
