"""The console command ``rnnbench``: tasks and analyses by name.

rnnbench sentiment cell=gru seed=2            trains and scores, as python -m tasks.sentiment does
rnnbench sentiment predict run=runs/...       answers with a trained model
rnnbench compare runs/sentiment/DIR           compares runs
rnnbench experiments                          lists experiments with recorded scores
"""

import ast
import difflib
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ANALYSES = (
    "compare",
    "tune",
    "watch",
    "experiments",
    "verify",
    "reproduce",
    "record",
    "publish",
    "speed",
    "claims",
)


def commands() -> dict[str, str]:
    """The module of every command: task packages, modules of ``tasks`` that can be run, and analyses."""
    packages = {path.parent.name: f"tasks.{path.parent.name}" for path in sorted(ROOT.glob("tasks/*/__main__.py"))}
    modules = {
        path.stem: f"tasks.{path.stem}"
        for path in sorted(ROOT.glob("tasks/*.py"))
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    return {**packages, **modules, **{name: f"analysis.{name}" for name in ANALYSES}}


def summary(module: str) -> str:
    """The first line of a module's docstring, read without importing the module."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].partition(": ``")[0].replace("``", "")


def usage() -> str:
    """The help text: every command with its summary."""
    found = commands()
    width = max(map(len, found)) + 2
    lines = [f"  {name:<{width}}{summary(module)}" for name, module in found.items()]
    examples = (__doc__ or "").partition("\n")[2].strip("\n")
    return "\n".join(
        [
            "usage: rnnbench COMMAND ...",
            "",
            *lines,
            "",
            examples,
            "",
            "For the options of a command: rnnbench COMMAND --help.",
        ]
    )


def resolve(name: str) -> str:
    """The module of a command; exits with the nearest name if there is none."""
    found = commands()
    if name in found:
        return found[name]
    nearest = difflib.get_close_matches(name, found, n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else f" There are {', '.join(found)}."
    print(f"error: There is no command {name}.{hint}", file=sys.stderr)
    sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the module of a command as ``python -m`` does."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(usage())
        return
    module, rest = resolve(given[0]), given[1:]
    if module.startswith("tasks.") and rest[:1] == ["predict"]:
        module, rest = f"{module}.predict", rest[1:]
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
