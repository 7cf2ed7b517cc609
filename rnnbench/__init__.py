"""The public name of the suite, for programs that use what was trained::

    from rnnbench import load

    model = load("runs/sentiment/DIR")  # a run folder, or a bundle of ``python -m tasks.export``
    model.predict(["never dull"])[0].prediction

The suite's packages have plain names (``data``, ``models``, ...). Where a program has a module of such a name too, the
suite's is the one that is imported in this process from here on, with a warning.
"""

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "models", "training", "deployment", "tasks", "analysis", "conf")


def import_packages() -> None:
    """Import the suite's packages under their names, wherever else these names are found first.

    Raises:
        ImportError: a module of such a name, which is not the suite's, has been imported already.
    """
    places = {name: place_of(name) for name in PACKAGES}
    hidden = {name: place for name, place in places.items() if place is not None and ROOT / name not in place.parents}
    for name, place in hidden.items():
        if name in sys.modules:
            raise ImportError(
                f"{place} has the name of rnnbench's package '{name}': import rnnbench before it, or rename it."
            )
        warnings.warn(
            f"rnnbench's package '{name}' is imported in place of {place}: rename it to use both.", stacklevel=3
        )
    sys.path.insert(0, str(ROOT))
    try:
        for name in PACKAGES:
            import_module(name)
    finally:
        sys.path.remove(str(ROOT))


def place_of(name: str) -> Path | None:
    """The file that ``import name`` reads, or the folder of a package without one; None where there is none."""
    spec = find_spec(name)
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve()
    return Path(next(iter(spec.submodule_search_locations or []), "."), "__init__.py").resolve()


import_packages()

from data.errors import InputError  # noqa: E402 - the packages must come first
from tasks import load  # noqa: E402
from training.predict import Answer, Predictor  # noqa: E402

__all__ = ["Answer", "InputError", "Predictor", "load"]
