"""Prediction with a run folder: on the command line, at a terminal, at a pipe, and as a library."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT, TASKS, TEXT_TASKS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processes import Command, wait_for

import training.load
from data.errors import InputError
from models.generator import TargetGenerator
from tasks import load
from tasks.tagging.predict import whole_sentences
from training.options import help_text
from training.predict import Options, main

LINES = "a good film\n\nnever dull , I think\n  \na good film\n"


@pytest.fixture
def ask(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """``ask(task, *options, text=...)``: the exit code and both outputs of the prediction command."""

    def run(task: str, *options: str, text: str | bytes = LINES) -> tuple[int, str, str]:
        module = import_module(f"tasks.{task}.predict")
        content = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr(sys, "argv", ["predict", f"run={saved[task]}", *options])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        capsys.readouterr()
        code = 0
        try:
            main(getattr(module, f"{task.title()}Predictor"), module.__doc__)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def start(task: str, *options: str, **how: object) -> subprocess.Popen:
    """The command as a process of its own."""
    command = [sys.executable, "-m", f"tasks.{task}.predict", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, **how)


@pytest.mark.parametrize("task", TEXT_TASKS)
def test_the_same_fields_in_every_task(ask: Callable, task: str) -> None:
    code, written, _ = ask(task, "format=json", "reads=text" if task == "tagging" else "device=cpu")
    rows = [json.loads(line) for line in written.splitlines()]
    assert code == 0 and len(rows) == 5 and rows[0] == rows[4]
    assert all(list(row) == ["input", "prediction", "score"] for row in rows)
    assert [row["input"].split() for row in rows] == [line.split() for line in LINES.splitlines()]
    assert all(row["score"] == round(row["score"], 4) for row in rows)


def test_labels_with_their_probabilities(ask: Callable) -> None:
    _, written, _ = ask("sentiment")
    answers = [json.loads(line) for line in written.splitlines()]
    assert len(answers) == 5
    for answer in answers:
        assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_translations_and_the_n_best(ask: Callable) -> None:
    _, written, _ = ask("translation")
    texts = written.split("\n")[:-1]
    assert len(texts) == 5 and texts[1] == texts[3] == "" and texts[0] == texts[4]
    assert ask("translation", text="a good film")[1] == texts[0] + "\n"
    nbest = [json.loads(line) for line in ask("translation", "n_best=3", "beam=4")[1].splitlines()]
    assert nbest[1] == [{"translation": "", "score": 0.0}] and 1 <= len(nbest[0]) <= 3
    assert all([row["score"] for row in rows] == sorted((r["score"] for r in rows), reverse=True) for rows in nbest)


def test_attention_is_not_computed_for_answers(ask: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("attention was computed")

    monkeypatch.setattr(TargetGenerator, "attention", fail)
    assert ask("translation")[0] == 0


def test_raw_text_is_split_into_words(ask: Callable) -> None:
    text = "It isn't good, is it?\n"
    _, written, _ = ask("tagging", "reads=raw", "writes=text", text=text)
    words = [pair.rsplit("/", 1)[0] for pair in written.split()]
    assert words == ["It", "is", "n't", "good", ",", "is", "it", "?"]
    assert len(ask("tagging", "reads=text", "writes=text", text=text)[1].split()) == 5


def test_raw_text_is_classified_as_the_training_data_are_written(ask: Callable) -> None:
    raw, spaced = "It isn't good, is it?\n", "It is n't good , is it ?\n"
    assert ask("sentiment", "reads=raw", text=raw)[1] == ask("sentiment", text=spaced)[1]
    assert ask("sentiment", text=raw)[1] != ask("sentiment", text=spaced)[1]


def test_long_sentences_are_tagged_in_parts(ask: Callable) -> None:
    text = " ".join(["the dog sees a cat ."] * 20)
    _, written, error = ask("tagging", "writes=text", "max_length=7", "reads=text", text=text)
    assert [pair.rsplit("/", 1)[0] for pair in written.split()] == text.split() and "cut" not in error


@pytest.mark.parametrize("task", ["sentiment", "translation"])
def test_long_lines_are_cut_with_a_warning(ask: Callable, task: str) -> None:
    text = "a good film\n" + "good film " * 8 + "\n" + "good film " * 9 + "\n"
    _, written, error = ask(task, "max_length=15", text=text)
    answers = written.splitlines()
    assert answers[1] == answers[2] and "2 of lines 1 to 3: longer than max_length=15 tokens: cut" in error
    assert "cut" not in ask(task, text=text)[2]


@pytest.mark.parametrize("task", TEXT_TASKS)
def test_unknown_lines_are_reported(ask: Callable, task: str) -> None:
    known = "a b c" if task == "memory" else "the film is good"
    _, _, error = ask(task, text=f"{known}\nжщю ъыь юяэ\n{known}\n")
    assert "1 of " in error and "(first: 2): mostly unknown to the model" in error


@pytest.mark.parametrize("name", ["2024_01_05", "007", "no", "a #1.txt", "${x}", "a=b", "null", "1e3", "[a, b]", "ü ñ"])
def test_file_names_are_taken_as_they_stand(
    ask: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("a good film\n")
    code, _, error = ask("sentiment", f"input={name}", f"output=out/{name}")
    assert (code, error) == (0, "") and Path("out", name).read_text().count("\n") == 1


def test_output_goes_into_what_is_there(ask: Callable, tmp_path: Path) -> None:
    expected = ask("sentiment")[1]
    fifo, target, link = tmp_path / "fifo", tmp_path / "target", tmp_path / "link"
    os.mkfifo(fifo)
    target.write_text("before")
    link.symlink_to(target)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_text()))
    reader.start()
    assert ask("sentiment", f"output={fifo}")[0] == 0
    reader.join(10)
    assert received == [expected] and fifo.is_fifo()
    assert ask("sentiment", f"output={link}")[0] == 0
    assert link.is_symlink() and target.read_text() == expected
    assert ask("sentiment", "output=/dev/null")[0] == 0 and not Path("/dev/null").is_file()
    assert ask("sentiment", f"output={tmp_path}/new/folder/out")[0] == 0
    assert (tmp_path / "new" / "folder" / "out").read_text() == expected


@pytest.mark.parametrize(
    "task, options, message",
    [
        ("sentiment", ["inptu=x"], "'inptu=x' is not an option; did you mean input=?"),
        ("sentiment", ["--run"], "'--run' is not an option; did you mean run=?"),
        ("sentiment", ["qqqq"], "the options are run, input"),
        ("sentiment", ["run="], "run= is missing: python -m tasks.sentiment.predict run=runs/"),
        ("sentiment", ["run=gone"], "gone is not a run folder"),
        ("sentiment", ["batch_tokens=many"], "batch_tokens=many: must be a whole number."),
        ("sentiment", ["batch_sentences=0"], "batch_sentences=0: must be from 1"),
        ("sentiment", ["max_length=1"], "max_length=1: must be from 2"),
        ("sentiment", ["format=jsn"], "format=jsn: choose default or json (did you mean json?)"),
        ("sentiment", ["device=tpu"], "device=tpu"),
        ("sentiment", ["input=gone.txt"], "input=gone.txt: there is no such file."),
        ("sentiment", ["input=/tmp"], "input=/tmp: this is a folder"),
        ("sentiment", ["output=/tmp"], "output=/tmp: this is a folder"),
        ("sentiment", ["output=/dev/null/x"], "/dev/null"),
        ("sentiment", ["input=" + "x" * 300], "error: "),
        ("tagging", ["reads=xml"], "reads=xml: choose auto, conllu, text or raw"),
        ("tagging", ["reads=conllu"], "standard input:1: 1 columns where CoNLL-U has 10"),
        ("translation", ["n_best=9"], "n_best=9, beam=5: a beam of k finds up to k texts"),
        ("translation", ["beam=0"], "beam=0: must be from 1 to 1,000"),
        ("translation", ["length_penalty=long"], "length_penalty=long: must be a number."),
        ("translation", ["length_penalty=-1"], "length_penalty=-1.0: must be from 0 to 100."),
        ("translation", ["beam=1000000"], "beam=1000000: must be from 1 to 1,000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes_are_one_sentence(ask: Callable, task: str, options: list[str], message: str) -> None:
    code, written, error = ask(task, *options, text="word\n")
    assert code == 2 and written == "" and message in error and error.count("\n") == 1


def test_a_run_of_another_task_is_refused(ask: Callable, saved: dict[str, Path]) -> None:
    code, _, error = ask("sentiment", f"run={saved['tagging']}")
    assert code == 2 and "is a run of tagging: use python -m tasks.tagging.predict" in error


@pytest.mark.parametrize("task", TASKS)
def test_help_explains_every_key(ask: Callable, task: str) -> None:
    code, text, _ = ask(task, "--help")
    module = import_module(f"tasks.{task}.predict")
    predictor = getattr(module, f"{task.title()}Predictor")
    assert code == 0 and module.__doc__.splitlines()[0] in text
    assert help_text(predictor.options_type, "", "").split("\n\n")[-1] in text
    for key in predictor.options_type.__dataclass_fields__:
        assert f"example: {key}=" in text
    assert Options.__dataclass_fields__.keys() <= predictor.options_type.__dataclass_fields__.keys()


@pytest.mark.parametrize("task", TEXT_TASKS)
def test_a_bad_line_is_named_and_those_before_it_are_answered(ask: Callable, tmp_path: Path, task: str) -> None:
    options = ["reads=text", "writes=text"] if task == "tagging" else []
    code, written, error = ask(task, *options, text=b"a film\ngood\n\xff\xfe bad\nmore\n")
    assert code == 2 and written.count("\n") == 2 and "standard input:3: byte 1 of the line is not UTF-8" in error
    out = tmp_path / "out"
    assert ask(task, *options, f"output={out}", text=b"a film\n\xff\n")[0] == 2 and not out.exists()


ODD = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=60)
HUGE = st.sampled_from(
    ["x" * 20_000, "x " * 5_000, "\u0301" * 3_000, "\x00" * 500, "👩‍👩‍👧" * 400, "\r", "#", "a\tb", "\ufeff"]
)


def some(examples: int) -> settings:
    """So many generated inputs, the same in every run."""
    unhealthy = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=examples, deadline=None, suppress_health_check=unhealthy, derandomize=True)


@pytest.mark.parametrize("task", TEXT_TASKS)
@some(150)
@given(lines=st.lists(ODD, max_size=6))
def test_every_line_has_an_answer(predictors: dict, task: str, lines: list[str]) -> None:
    check_answers(predictors, task, lines)


@pytest.mark.parametrize("task", TEXT_TASKS)
@some(12)
@given(lines=st.lists(HUGE, min_size=1, max_size=3))
def test_every_long_line_has_an_answer(predictors: dict, task: str, lines: list[str]) -> None:
    check_answers(predictors, task, lines)


def check_answers(predictors: dict, task: str, lines: list[str]) -> None:
    answers = predictors[task].predict(lines)
    assert len(answers) == len(lines)
    for line, answer in zip(lines, answers, strict=True):
        json.loads(answer.as_json())
        written = "".join(predictors[task].write(answer))
        assert "\n" not in written and (task == "tagging" or answer.input == line)


@pytest.fixture
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is read once for all calls of the command."""
    monkeypatch.setattr("training.load.load", cache(training.load.load))


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("task", TEXT_TASKS)
@some(40)
@given(content=st.binary(max_size=80) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_answered_or_refused(ask: Callable, task: str, content: bytes) -> None:
    options = {"tagging": ["reads=text", "writes=text"], "translation": ["beam=1", "max_length=40"]}
    code, written, error = ask(task, *options.get(task, []), text=content)
    lines = content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
    assert "Traceback" not in error
    assert (code, written.count("\n")) == (0, lines) or (code == 2 and written.count("\n") < lines)


@pytest.fixture(scope="session")
def predictors(saved: dict[str, Path]) -> dict:
    options = {"tagging": {"reads": "text", "writes": "text"}, "translation": {"max_length": 40, "beam": 1}}
    return {task: load(saved[task], device="cpu", **options.get(task, {})) for task in TASKS}


@pytest.mark.parametrize("task", TEXT_TASKS)
def test_the_library_gives_what_the_command_gives(ask: Callable, saved: dict[str, Path], task: str) -> None:
    options = {"reads": "text"} if task == "tagging" else {}
    answers = load(str(saved[task]), **options).predict(LINES.splitlines())
    _, written, _ = ask(task, "format=json", *(f"{key}={value}" for key, value in options.items()))
    assert [answer.as_json() for answer in answers] == written.splitlines()


def test_the_library_names_mistakes(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        load(tmp_path)
    with pytest.raises(InputError, match="'beam' is not an option"):
        load(saved["sentiment"], beam=3)
    with pytest.raises(InputError, match="max_length=1: must be from 2"):
        load(saved["sentiment"], max_length=1)
    (tmp_path / "config.yaml").write_text("task: ../x\n")
    with pytest.raises(InputError, match=r"config\.yaml: task=\.\./x: the tasks are "):
        load(tmp_path)


@pytest.mark.parametrize("code", ["import tasks", "import tasks.tagging.predict, tasks.translation.predict"])
def test_importing_is_cheap(code: str) -> None:
    check = f"{code}\nimport sys\nassert not {{'torch', 'hydra', 'datasets', 'numpy'}} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)


def read_line(descriptor: int) -> bytes:
    """What arrives within a minute, up to a line end."""
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([descriptor], [], [], 60)[0], f"no answer, only {line!r}"
        line += os.read(descriptor, 1)
    return line


def test_a_program_at_a_pipe_gets_each_answer_as_its_line_comes(saved: dict[str, Path]) -> None:
    process = start("tagging", f"run={saved['tagging']}", "writes=text", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        for line in ("the dog", "größe ж"):
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            answer = read_line(process.stdout.fileno()).decode()
            assert [pair.rsplit("/", 1)[0] for pair in answer.split()] == line.split()
        process.stdin.close()
        assert process.wait(60) == 0


def test_sentences_of_conllu_are_answered_at_their_empty_line() -> None:
    lines = ["# text = a b", "1\ta", "2\tb", "", "", "1\tc", "", "1\td"]
    arriving = iter([[(number, line)] for number, line in enumerate(lines, start=1)])
    sentences = whole_sentences(arriving)
    assert [line for _, line in next(sentences)] == lines[:4]
    assert next(arriving) == [(5, "")]  # no later line was waited for
    assert [[line for _, line in sentence] for sentence in sentences] == [["1\tc", ""], ["1\td"]]


def test_a_person_at_a_terminal_is_prompted_and_may_leave_with_ctrl_c(saved: dict[str, Path]) -> None:
    controller, terminal = pty.openpty()
    process = Command("tasks.translation.predict", f"run={saved['translation']}", stdin=terminal)
    os.write(controller, b"the dog\n")
    wait_for(lambda: process.output.endswith("\n"))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    _, error = process.printed
    assert "Enter one input per line; Ctrl-D ends.\n> " in error and "Traceback" not in error


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Path]:
    """A working directory with modules and folders of the user's that have the names of the suite's packages."""
    (tmp_path / "data.py").write_text("raise SystemExit('the data.py of the user was imported')")
    for name in ("models", "training", "conf"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('the {name} of the user was imported')")
    (tmp_path / "conf" / "sentiment.yaml").write_text("task: mine\n")
    yield tmp_path


@pytest.mark.parametrize(
    "command",
    [["tasks.sentiment", "--help"], ["tasks.tagging.predict", "--help"], ["analysis.compare", "--help"]],
)
def test_names_in_the_working_directory_hide_no_package(crowded: Path, command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=crowded, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and "of the user" not in done.stderr and "mine" not in done.stdout


def test_a_module_that_was_imported_before_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "import data, tasks"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert "data.py hides rnnbench's package 'data'" in done.stderr
