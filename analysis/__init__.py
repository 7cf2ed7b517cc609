"""Results of runs: compared, verified, reproduced, recorded and published. Imports all the other packages.

``compare`` reads the results of any runs; ``verify`` and ``reproduce`` run them again; ``record`` keeps results in
``results/``, and ``publish`` writes the README's tables from them.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
spec = find_spec("tasks")
if spec is None or spec.origin != str(ROOT / "tasks" / "__init__.py"):
    sys.path.insert(0, str(ROOT))  # a ``tasks.py`` of the user's would be imported instead

import tasks  # noqa: E402 - it does the same for the other packages

assert tasks
