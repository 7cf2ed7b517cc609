"""Write a trained model to files for other programs: ``python -m tasks.export run=DIR format=onnx``.

format=onnx writes a folder with ONNX graphs, their int8 forms, the vocabulary, a report of checks and measurements, and
an example that runs them with ONNX Runtime alone. format=safetensors writes one file with config, weights and
vocabulary, which predict, serve and tasks.load take in place of a run folder.
"""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from data.errors import InputError
from tasks import load
from training.options import one_sentence, option, parse

HERE = Path(__file__).parent


@dataclass
class ExportOptions:
    """``key=value`` on the command line."""

    run: str = option(..., "the folder of the run", "runs/sentiment/2026-01-31_12-00-00-000000-0a1b2c3d")
    format: str = option("onnx", "onnx: graphs; safetensors: one file", "safetensors", choices=("onnx", "safetensors"))
    output: str | None = option(None, "what is written; none: RUN/onnx, or RUN/<task>.zip", "model.zip")
    examples: int = option(1000, "how many examples of the data are scored; 0: none", "100", minimum=0)


def main() -> None:
    options = parse(ExportOptions, sys.argv[1:], "python -m tasks.export", (__doc__ or "").strip())
    write = write_onnx if options.format == "onnx" else write_safetensors
    write(Path(options.run), None if options.output is None else Path(options.output), options)


def write_safetensors(run: Path, output: Path | None, options: ExportOptions) -> None:
    """One file."""
    from training.bundle import write_bundle
    from training.load import load_task

    if run.is_file():
        raise InputError(f"{run} is a file already: give a run folder.")
    path = output or run / f"{load_task(run)}.zip"
    digest = write_bundle(run, path)
    print(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {digest}")


def write_onnx(run: Path, output: Path | None, options: ExportOptions) -> None:
    """A folder of graphs, and what its report says."""
    from deployment.onnx import export_onnx

    predictor = load(run, device="cpu")
    folder = output or (run.parent if run.is_file() else run) / "onnx"
    task = HERE / predictor.task
    if not (task / "export.py").is_file():
        raise InputError(f"{run} is a run of {predictor.task}, which has no graphs for format=onnx.")
    kind = getattr(import_module(f"tasks.{predictor.task}.export"), f"{predictor.task.title()}Export")
    report = export_onnx(predictor, kind, task / "onnx_example.py", folder, options.examples)
    show(report, folder)


def show(report: dict[str, Any], folder: Path) -> None:
    """The checks and the measurements of an export."""
    for check in report["checks"]["batches"]:
        size = f"{' x '.join(map(str, check['shape']))} {check['unit']}"
        print(f"{check['graph']}.onnx on {size} differs from the suite by {check['largest_difference']:.1e} at most")
    for row in report["comparison"]:
        speeds = [(key.removesuffix("_per_second"), row[key]) for key in row if key.endswith("_per_second")]
        speed = "".join(f", {number:,.0f} {unit}/s" for unit, number in speeds) or f", {row['note']}"
        scores = "".join(f", {name} {score:.4g}" for name, score in row.get("scores", {}).items())
        print(f"{row['form']:<10} {row['bytes']:,} bytes{speed}{scores}")
    if report["left_out"]:
        print(f"Not in the graphs: {report['left_out']}")
    print(f"Files: {folder}")


if __name__ == "__main__":
    with one_sentence():
        main()
