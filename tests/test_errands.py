"""What a newcomer adds: a cell, a data set and a task, in a copy of the checkout, without a change to any file in it.

The tests of the copy must find all three and pass.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from processes import command

CELL = '''"""The leaky RNN, whose state changes by a fraction of a step (Jaeger et al., 2007)."""

import torch
from torch import Tensor, nn

from models.cells.base import Cell, State


class LeakyCell(Cell):
    """h' = (1 - a) h + a tanh(W_ih x + b_ih + W_hh h).

    Args:
        input_size, hidden_size: as in ``Cell``.
        leak: a, at most 1; 1 is the vanilla RNN.
    """

    def __init__(self, input_size: int, hidden_size: int, leak: float) -> None:
        super().__init__(input_size, hidden_size)
        self.leak = leak
        self.linear_ih = nn.Linear(input_size, hidden_size)
        self.linear_hh = nn.Linear(hidden_size, hidden_size, bias=False)
        self.reset_parameters()

    def project(self, inputs: Tensor) -> Tensor:
        return self.linear_ih(inputs)

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        return (torch.lerp(h, torch.tanh(projected + self.linear_hh(h)), self.leak),)
'''

CELL_OPTION = """# The leaky RNN: python -m tasks.sentiment cell=leaky
_target_: models.cells.leaky.LeakyCell
_partial_: true
leak: 0.5
"""

DATA_OPTION = """# Questions and their kinds in two files, 5,452 to train and 500 to test:
#   python -m tasks.sentiment data=questions data.train=train.tsv data.test=test.tsv
_target_: data.sources.texts.FileTexts
train: ???
validation: null
test: null
text_column: question
label_column: kind
columns: [kind, question]
pretokenized: true
"""

FINDERS = {  # the tests of the copy that must find what is new, by the words that they find it by
    "cell": ("leaky", ["test_cells.py", "test_configs.py", "test_sweep.py", "test_tagging.py", "test_translation.py"]),
    "data": ("questions", ["test_configs.py", "test_commandline.py", "test_hub.py"]),
    "task": ("topics", ["test_configs.py", "test_commandline.py", "test_build.py"]),
}
OF_ALL_FILES = "circle or odds"  # tests of the layout that are of no single file


def tracked_files() -> list[Path]:
    """The files of the checkout, whether or not they are committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def add_cell(root: Path) -> None:
    (root / "models" / "cells" / "leaky.py").write_text(CELL)
    (root / "conf" / "cell" / "leaky.yaml").write_text(CELL_OPTION)


def add_data(root: Path) -> None:
    (root / "conf" / "data" / "questions.yaml").write_text(DATA_OPTION)


def add_task(root: Path) -> None:
    """A task that classifies texts as sentiment analysis does, under a name of its own."""
    for place in (Path("tasks"), Path("conf"), Path("conf") / "recipe"):
        for path in sorted((ROOT / place).glob("sentiment*")):
            for file in [path] if path.is_file() else sorted(path.glob("*.[py]*")):
                target = root / str(file.relative_to(ROOT)).replace("sentiment", "topics")
                target.parent.mkdir(exist_ok=True)
                target.write_text(file.read_text().replace("sentiment", "topics").replace("Sentiment", "Topics"))


ERRANDS = {"cell": add_cell, "data": add_data, "task": add_task}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("the files of a checkout are listed by Git")
    for path in tracked_files():
        target = tmp_path / "copy" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    return tmp_path / "copy"


def test_a_cell_a_data_set_and_a_task_are_added_without_a_change_to_any_file(checkout: Path) -> None:
    before = {path: digest(path) for path in checkout.rglob("*") if path.is_file()}
    for add in ERRANDS.values():
        add(checkout)
    assert all(digest(path) == content for path, content in before.items())
    files = sorted({f"tests/{file}" for _, files in FINDERS.values() for file in files})
    words = " or ".join(word for word, _ in FINDERS.values())
    options = ["-n", "0", "-p", "no:cacheprovider", "-vv", "-k", f"{words} or {OF_ALL_FILES}"]
    done = command("pytest", *options, "tests/test_layout.py", *files, root=checkout)
    assert done.returncode == 0, done.stdout[-5000:]
    for word, finders in FINDERS.values():
        for file in finders:
            assert any(f"tests/{file}::" in line and word in line for line in done.stdout.splitlines()), (word, file)
