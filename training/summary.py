"""The few lines that a run ends with."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show(title: str, result: dict[str, Any], directory: Path) -> None:
    """Scores of every split, then those by group, then where everything is."""
    console = Console()
    metrics = result["metrics"]
    table = Table(title=title)
    table.add_column("")
    for split in metrics:
        table.add_column(split, justify="right")
    last = metrics[list(metrics)[-1]]
    for name, score in last.items():
        if isinstance(score, (int, float)):
            table.add_row(name, *(f"{scores[name]:.4f}" if name in scores else "" for scores in metrics.values()))
    for name in last.get("baselines", {}):
        table.add_row(
            f"baseline: {name.replace('_', ' ')}",
            *(f"{scores['baselines'][name]['accuracy']:.4f}" for scores in metrics.values()),
        )
    for name, groups in last.items():
        if name.startswith("by_"):
            table.add_section()
            for group in groups:
                cells = (group_cell(scores[name].get(group)) for scores in metrics.values())
                metric = next(iter(groups[group]))
                table.add_row(f"{metric}, {name.removeprefix('by_')} {group}", *cells)
    console.print(table)
    training = result["training"]
    console.print(
        f"{training['epochs']} epochs in {training['seconds']:.0f} s, {training['tokens_per_second']:,.0f} tokens/s, "
        f"{result['parameters']:,} parameters, {training['peak_memory_mb']:,.0f} MB at most"
    )
    console.print(f"everything is in {directory}", soft_wrap=True)


def group_cell(scores: dict[str, float] | None) -> str:
    """The first score of a group and how many examples it has; nothing where a split has none."""
    return f"{next(iter(scores.values())):.4f} ({scores['count']})" if scores else ""
