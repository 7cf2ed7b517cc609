"""One package per task, all alike: the model, its evaluation, and prediction with it.

``load`` gives the model of a finished run::

    from tasks import load

    model = load("runs/sentiment/DIR")
    model.predict(["never dull"])[0].prediction
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.predict import Predictor

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "conf", "data", "deployment", "models", "tasks", "training")


def prefer_own_packages() -> None:
    """Put the suite first in ``sys.path`` where a ``data.py`` or ``models/`` of the user's would be imported instead.

    Raises:
        ImportError: one of the user's has been imported already.
    """
    for name in PACKAGES:
        spec = find_spec(name)
        origin = spec.origin if spec is not None else None
        if origin is not None and Path(origin).resolve().parent == ROOT / name:
            continue
        if name in sys.modules:
            raise ImportError(f"{origin} hides rnnbench's package '{name}', as it was imported before it: rename it.")
        sys.path.insert(0, str(ROOT))
        return


def load(run: "str | Path", device: str = "auto", **options: Any) -> "Predictor":
    """The trained model of a run folder.

    Args:
        run: the folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        options: others of the task's prediction command, as in ``beam=1``.

    Returns:
        A predictor; its ``predict(["..."])`` gives an ``Answer(input, prediction, score, details)`` per text.

    Raises:
        data.errors.InputError: the folder is damaged or not that of a run, or an option is wrong.
    """
    return predictor_type(run).of(str(run), device=device, **options)


def predictor_type(run: "str | Path") -> "type[Predictor]":
    """The class whose predictor answers with the model of a run folder."""
    from training.load import load_task

    task = load_task(Path(run))
    found: type[Predictor] = getattr(import_module(f"tasks.{task}.predict"), f"{task.title()}Predictor")
    return found


prefer_own_packages()
