"""Waiting threads sleep on a loaded machine, and spin on an idle one; what the user has set stays."""

import subprocess
import sys

import pytest
from conftest import ROOT

from training import waiting


@pytest.mark.parametrize(
    "load, given, chosen",
    [
        (4.0, {}, "PASSIVE"),
        (0.9, {}, None),
        (9.0, {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        (9.0, {"GOMP_SPINCOUNT": "10"}, None),
    ],
)
def test_the_load_chooses_unless_the_user_has(
    monkeypatch: pytest.MonkeyPatch, load: float, given: dict[str, str], chosen: str | None
) -> None:
    monkeypatch.setattr(waiting, "machine_load", lambda: load)
    monkeypatch.setattr(waiting, "available_cores", lambda: 4)
    environment = dict(given)
    waiting.choose_wait_policy(environment)
    assert environment.get("OMP_WAIT_POLICY") == chosen


@pytest.mark.parametrize("average, running, load", [(0.1, 6, 0.1), (6.0, 1, 0.0), (6.0, 5, 4.0)])
def test_a_load_is_what_runs_now_and_did_before(
    monkeypatch: pytest.MonkeyPatch, average: float, running: int, load: float
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (average, 0.0, 0.0))
    monkeypatch.setattr(waiting.Path, "is_file", lambda path: True)
    monkeypatch.setattr(waiting.Path, "read_text", lambda path: f"{average} 0 0 {running}/900 77")
    monkeypatch.setattr(waiting, "PAUSE", 0)
    assert waiting.machine_load() == load


@pytest.mark.parametrize("task", sorted(path.parent.name for path in (ROOT / "tasks").glob("*/__main__.py")))
def test_every_task_chooses_before_torch_is_imported(task: str) -> None:
    code = f"import sys\nsys.modules['torch'] = None\nimport training.waiting, tasks.{task}.__main__ as command\n"
    code += "training.waiting.machine_load = lambda: 1e9\nimport os; os.environ.pop('OMP_WAIT_POLICY', None)\n"
    code += "try: command.main.__wrapped__(None)\nexcept ImportError: print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "PASSIVE", done.stderr


def test_threads_sleep_on_a_loaded_machine_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(waiting, "available_cores", lambda: 4)
    environment: dict[str, str] = {}
    monkeypatch.setattr(waiting, "machine_load", lambda: 4 * waiting.BUSY)
    waiting.choose_wait_policy(environment)
    assert environment == {} and caplog.messages == []
    monkeypatch.setattr(waiting, "machine_load", lambda: 4 * waiting.BUSY + 0.06)
    waiting.choose_wait_policy(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE"}
    said = "The machine is loaded (1.1 on 4 cores): idle threads sleep (OMP_WAIT_POLICY=PASSIVE; set it to choose)"
    assert caplog.messages == [said]


def test_a_load_is_read_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (6.5, 0.0, 0.0))
    monkeypatch.setattr(waiting, "PAUSE", 0)
    monkeypatch.setattr(waiting.Path, "read_text", lambda path: "6 0 0 4/900 77")
    monkeypatch.setattr(waiting.Path, "is_file", lambda path: str(path) == "/proc/loadavg")
    assert waiting.machine_load() == 3
    monkeypatch.setattr(waiting.Path, "is_file", lambda path: False)
    assert waiting.machine_load() == 6.5
    monkeypatch.delattr("os.getloadavg")
    assert waiting.machine_load() == 0.0


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {1, 2, 5} if process == 0 else set(), raising=False)
    assert waiting.available_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert waiting.available_cores() == 7
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert waiting.available_cores() == 1
