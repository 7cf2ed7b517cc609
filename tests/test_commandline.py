"""The command line of a task: help of its own parts, names that do not exist, and what needs quotes."""

import logging
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import CONF, ROOT, options
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError
from processes import command

from data.errors import InputError
from training.commandline import (
    check,
    check_data,
    explain,
    keys,
    names_of,
    overrides_in,
    quote,
    run_task,
    show_help,
    start,
    suggestion,
)
from training.help import KEY_LINE, commands, composed, default, group_lines, help_text, offered
from training.interrupt import TerminatedError
from training.overrides import split_override
from training.sweep_progress import number_of_jobs, time_left, varied_keys
from training.sweep_table import job_title

TASKS = [path.stem for path in sorted(CONF.glob("*.yaml")) if path.stem != "base"]


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    return {task: help_text(task) for task in TASKS}


def groups_in(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z]+) {2,}(.+)$", text.partition("Change a value")[0], re.MULTILINE))


@pytest.mark.parametrize("task", TASKS)
def test_help_lists_the_groups_of_its_own_task_and_marks_the_defaults(helps: dict[str, str], task: str) -> None:
    listed, choices = groups_in(helps[task]), composed(task).hydra.runtime.choices
    assert set(listed) == {group for group in choices if "/" not in group}
    for group, names in listed.items():
        if group != "experiment":
            assert re.findall(r"([\w/]+)\*", names) == [choices[group] or "null"]


@pytest.mark.parametrize("task", TASKS)
def test_help_lists_only_experiments_and_data_of_its_own_task(helps: dict[str, str], task: str) -> None:
    listed = groups_in(helps[task])
    experiments = set(listed.get("experiment", "").replace(",", " ").split())
    assert experiments == {f"{task}/{path.stem}" for path in (CONF / "experiment" / task).glob("*")}
    own = {"sentiment": "sst2", "tagging": "conllu", "translation": "multi30k"}
    if task in own:
        assert {name for name in own.values() if re.search(rf"\b{name}\b", listed["data"])} == {own[task]}


@pytest.mark.parametrize("task", TASKS)
def test_every_key_in_the_help_exists_with_the_default_shown(helps: dict[str, str], task: str) -> None:
    cfg, shown = composed(task), 0
    for line in helps[task].partition("Change a value")[2].splitlines():
        match = re.fullmatch(r"([a-z_.]+) +(\S+) +(.+)", line)
        if match is None or match[1].startswith("hydra.") or match[2] in ("-", "required"):
            continue
        value = OmegaConf.select(cfg, match[1], throw_on_missing=True)
        assert match[2] == ("null" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
        shown += 1
    assert shown >= 12
    for key in ("test", "baselines", "trainer.max_minutes", "seed", "trainer.max_epochs"):
        assert re.search(rf"^{re.escape(key)} +\S+ +\S", helps[task], re.MULTILINE)


@pytest.mark.parametrize("task", TASKS)
def test_no_name_is_listed_twice_in_the_help(helps: dict[str, str], task: str) -> None:
    _, choices, values = re.split(r"^C.+=.+\n\n", helps[task], flags=re.MULTILINE)
    names = re.findall(r"^([a-z_.]+) {2,}", choices + values, re.MULTILINE)
    assert len(names) > 30 and {"cell", "seed"} <= set(names)
    assert [name for name in names if names.count(name) > 1] == []


@pytest.mark.parametrize("task", TASKS)
def test_help_has_an_example_with_own_data_that_composes(helps: dict[str, str], task: str) -> None:
    examples = re.findall(rf"^ *python -m tasks\.{task} (data=.+)$", helps[task], re.MULTILINE)
    assert examples
    for example in examples:
        check(task, shlex.split(example))
        assert "data.train=" in example and composed(task, *shlex.split(example)).data.train


def test_a_line_of_the_help_that_explains_no_key_is_left_alone() -> None:
    assert KEY_LINE.fullmatch("Train a recurrent network") is None


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("cell=grx", "gru"),
        ("cell=lstm,grv", "gru"),
        ("experiment=sst2_phrases", "sentiment/sst2_phrases"),
        ("+cel=gru", "cell"),
        ("+trainers.max_epochs=3", "trainer.max_epochs"),
        ("++split.validation_shar=0.2", "split.validation_share"),
        ("+cell=gru", "write cell=gru"),
        ("cell=null", "gru"),
        ("experiment=", "sentiment/imdb"),
        ("embeddings=null,ppmi_svd", "embeddings=null of its own"),
        ("~cell", "gru"),
        ("decoder=luong", "no such part"),
        ("cell", "key=value"),
    ],
)
def test_a_wrong_option_is_refused_before_the_run_with_the_nearest_name(override: str, meant: str) -> None:
    with pytest.raises(InputError, match=re.escape(meant)) as refusal:
        check("sentiment", [override])
    assert "\n" not in str(refusal.value) and "append" not in str(refusal.value)


TAKEN = """cell=gru cell=rnn,lstm ~embeddings +optimizer.amsgrad=true ++seed=3 ++trainer.patience=2
optimizer.lr=interval(0.1,0.2) cell=choice(gru,lstm) hydra/launcher=basic hydra.run.dir=here +hydra.job.env_set.A=b
data.labels=[a,b] data.path=C:/dir/x"""


@pytest.mark.parametrize("override", TAKEN.split())
def test_what_hydra_takes_is_taken(override: str) -> None:
    check("sentiment", [override])


@pytest.mark.parametrize("group", ["embeddings", "experiment", "recorder"])
def test_a_part_that_is_null_is_left_out(group: str) -> None:
    given = ["experiment=sentiment/imdb"] if group == "embeddings" else []
    ended = command("tasks.sentiment", *given, f"{group}=null", "--cfg", "job")
    assert ended.returncode == 0, ended.stderr
    assert yaml.safe_load(ended.stdout).get(group) is None


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("trainer.max_epoch=3", "trainer.max_epochs"),
        ("cel=gru", "cell"),
        ("lr=0.1", "optimizer.lr"),
        ("data.pth=x", "data.path"),
    ],
)
def test_a_misspelt_key_is_explained_with_the_nearest_name(override: str, meant: str) -> None:
    overrides = ["data=sst2", override]
    with pytest.raises(Exception) as raised:
        composed("sentiment", *overrides)
    sentence = explain("sentiment", overrides, raised.value)
    assert sentence.startswith(override) and meant in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    "name",
    [
        "a=b.csv",
        "copy (1).csv",
        "(1).csv",
        "it's.csv",
        "år.csv",
        "#1.csv",
        'say "hi".csv',
        "a,b=c",
        "back\\slash=.csv",
        "end=\\",
    ],
)
def test_a_value_that_needs_quotes_is_shown_in_quotes_that_work(name: str) -> None:
    override = f"data.train={name}"
    try:
        check("sentiment", [override])
    except InputError as error:
        (quoted,) = shlex.split(str(error).partition("write ")[2])
        check("sentiment", [quoted])
        override = quoted
    assert composed("sentiment", "data=files", override).data.train == name
    assert split_override(override)[1] == "data.train"


def test_several_values_that_need_quotes_are_quoted_one_by_one() -> None:
    with pytest.raises(InputError) as refusal:
        check("sentiment", ["data.train=a=1.csv,b=2.csv"], sweep=True)
    assert '"a=1.csv","b=2.csv"' in str(refusal.value)


def test_neither_help_nor_a_mistake_imports_torch() -> None:
    for arguments, code in ((["--help"], 0), (["trainer.max_epoch=3"], 2)):
        importing = [sys.executable, "-X", "importtime", "-m", "tasks.sentiment", *arguments]
        done = subprocess.run(importing, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code
        assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("overrides", "jobs"),
    [
        (["cell=rnn,lstm,gru", "seed=1,2", "trainer.max_epochs=3"], 6),
        (["seed=range(1,5)"], 4),
        (["seed=1"], 1),
        (["cell=glob(*)"], 0),
    ],
)
def test_a_sweep_knows_the_number_of_its_jobs(overrides: list[str], jobs: int) -> None:
    assert number_of_jobs(overrides, OmegaConf.create({})) == jobs
    assert number_of_jobs(overrides, OmegaConf.create({"n_trials": 20})) == 20


def test_the_number_of_jobs_of_a_search_over_an_interval_is_unknown_without_its_sweeper() -> None:
    assert number_of_jobs(["optimizer.lr=interval(0.1,0.2)"], OmegaConf.create({})) == 0


def test_a_sweep_tells_the_time_that_is_left() -> None:
    assert time_left([60.0, 60.0, 60.0], 3) == "; about 3 min left"
    assert time_left([2.0], 1) == "; about 1 min left" and time_left([600.0], 12) == "; about 120 min left"
    assert time_left([], 3) == time_left([2.0], 0) == ""


def test_a_sweep_knows_what_it_varies() -> None:
    overrides = ["cell=rnn,gru", "+seed=1,2", "trainer.max_epochs=3", "optimizer.lr=interval(0.1,0.2)"]
    assert varied_keys(overrides, OmegaConf.create({})) == ["cell", "seed", "optimizer.lr"]
    sweeper = OmegaConf.create({"params": {"optimizer.lr": "0.1,0.2", "seed": "1,2"}})
    assert varied_keys(overrides[:2], sweeper) == ["optimizer.lr", "seed", "cell"]


def test_a_job_is_named_by_what_its_sweep_varies() -> None:
    overrides = ["cell=gru", "trainer.max_epochs=3", "+optimizer.weight_decay=0.1", "seed=2"]
    assert job_title(overrides, ["cell", "seed", "optimizer.weight_decay"]) == "gru, seed 2, weight decay 0.1"
    assert job_title(overrides, []) == ""
    assert job_title(["data.train=../films/data/small.csv"], ["data.train"]) == "train data/small.csv"


DATA_IN_FILES = [(task, name) for task in TASKS for name in options("data") if commands(task, "data", name)]


def keys_of(data: str) -> list[str]:
    option = yaml.safe_load((CONF / "data" / f"{data}.yaml").read_text())
    return [f"data.{key}" for key, value in option.items() if value == "???"]


@pytest.mark.parametrize(("task", "data"), DATA_IN_FILES)
def test_data_without_what_they_need_are_refused_with_a_command_that_gives_it(task: str, data: str) -> None:
    needed = keys_of(data)
    check_data(task, [f"data={data}", *(f"{key}=x" for key in needed)])
    for key in needed:
        with pytest.raises(InputError) as refusal:
            check_data(task, [f"data={data}", *(f"{other}=x" for other in needed if other != key)])
        sentence, _, command = str(refusal.value).partition(f"For instance: python -m tasks.{task} ")
        assert sentence == f"data={data} needs {key}. "
        overrides = shlex.split(command)
        check(task, overrides)
        check_data(task, overrides)
        assert all(OmegaConf.select(composed(task, *overrides), one) for one in needed)


def test_some_data_of_several_tasks_need_keys() -> None:
    assert len({task for task, name in DATA_IN_FILES if keys_of(name)}) > 2


def test_data_are_checked_before_the_first_job_of_a_sweep() -> None:
    done = command("tasks.sentiment", "-m", "data=files", "seed=1,2")
    assert done.returncode == 2 and done.stderr.startswith("error: data=files needs data.train. For instance: python")
    assert "job 1" not in done.stdout
    assert command("tasks.sentiment", "data=files", "--cfg", "job").returncode == 0  # shows, and trains nothing


def test_the_value_of_a_switch_is_no_override() -> None:
    assert overrides_in(["--cfg", "job", "seed=2", "-m", "--package", "model", "~match"]) == ["seed=2", "~match"]


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """``starting(*arguments, main=..., task=...)``: start a task; the arguments that its main function has."""

    def begin(*arguments: str, main: Callable[[], object] = list, task: str = "sentiment") -> list[str]:
        seen: list[list[str]] = []
        monkeypatch.setattr(sys, "argv", ["task", *arguments])

        def run() -> None:
            seen.append(sys.argv[1:])
            main()

        start(task, run)
        return seen[0] if seen else ["main was not called"]

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    yield begin
    signal.signal(signal.SIGTERM, before)
    os.environ.pop("HYDRA_FULL_ERROR", None)


LOADING = "sentiment: loading PyTorch and the data\n"


def refused(starting: Callable, capsys: pytest.CaptureFixture[str], *arguments: str, **how: Any) -> tuple[Any, str]:
    """The exit code of a start that is refused, and what it says beside what it loads."""
    with pytest.raises(SystemExit) as ended:
        starting(*arguments, **how)
    return ended.value.code, capsys.readouterr().err.removeprefix(LOADING)


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def test_a_task_starts_with_its_arguments_and_says_at_once_what_it_loads(
    starting: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert starting("cell=gru", "seed=2") == ["cell=gru", "seed=2"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", LOADING)


def test_a_part_that_is_null_is_given_to_hydra_as_it_takes_it(starting: Callable) -> None:
    given = ["experiment=null", "match=null", "trainer.clip_grad_norm=null", "cell=gru"]
    assert starting(*given) == ["~experiment", *given[1:]]


def test_errors_of_hydra_arrive_whole_and_a_request_to_stop_is_an_interrupt(starting: Callable) -> None:
    found: list[str] = []

    def main() -> None:
        found.append(os.environ["HYDRA_FULL_ERROR"])
        with pytest.raises(TerminatedError):
            signal.raise_signal(signal.SIGTERM)

    starting(main=main)
    os.environ["HYDRA_FULL_ERROR"] = "0"
    starting(main=main)
    assert found == ["1", "0"]


@pytest.mark.parametrize("switch", ["-h", "--help"])
def test_help_is_printed_and_nothing_runs(
    starting: Callable, capsys: pytest.CaptureFixture[str], helps: dict[str, str], switch: str
) -> None:
    assert starting("sed=2", switch, task="tagging") == ["main was not called"]
    assert capsys.readouterr().out == helps["tagging"] + "\n"


def test_a_reader_of_the_help_may_stop_early(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        show_help("sentiment")
        print("what Python still writes", file=stream, flush=True)
        assert os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())


@pytest.mark.parametrize("switches", ["--cfg job", "-c job", "--info all", "--hydra-help", "--version", "--resolve"])
def test_what_only_prints_needs_no_data_and_loads_nothing(
    starting: Callable, capsys: pytest.CaptureFixture[str], switches: str
) -> None:
    given = ["data=files", *switches.split()]
    assert starting(*given) == given and capsys.readouterr().err == ""


def test_mistakes_are_found_before_anything_is_loaded(starting: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(starting, capsys, "cell=grx")
    assert (code, said) == (2, "error: cell=grx: there is no such option. Did you mean gru?\n")
    code, said = refused(starting, capsys, "data=files")
    assert code == 2 and said.startswith("error: data=files needs data.train. For instance: python -m tasks.sentiment")


@pytest.mark.parametrize("switch", ["-m", "--multirun"])
def test_values_of_a_sweep_are_quoted_one_by_one(
    starting: Callable, capsys: pytest.CaptureFixture[str], switch: str
) -> None:
    values = "data.train=a=1.csv,b=2.csv"
    assert '"a=1.csv","b=2.csv"' in refused(starting, capsys, "data=files", switch, values)[1]
    assert '"a=1.csv,b=2.csv"' in refused(starting, capsys, "data=files", values)[1]


def several_processes(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))


def test_one_of_several_processes_has_the_folder_the_log_and_the_word(
    starting: Callable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    several_processes(monkeypatch, 0)
    assert starting("seed=2", "hydra.run.dir=here") == ["seed=2", "hydra.run.dir=here"]
    assert capsys.readouterr().err == LOADING
    assert refused(starting, capsys, main=raising(KeyboardInterrupt())) == (130, STOPPED)
    several_processes(monkeypatch, 1)
    none = ["hydra.run.dir=.", "hydra/job_logging=none", "hydra/hydra_logging=none"]
    assert starting("seed=2", "hydra.run.dir=here") == ["seed=2", *none]
    assert capsys.readouterr().err == ""
    assert refused(starting, capsys, "cell=grx") == (2, "")
    assert refused(starting, capsys, main=raising(KeyboardInterrupt())) == (130, "")


def test_no_sweep_starts_in_several_processes(
    starting: Callable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    several_processes(monkeypatch, 0)
    assert refused(starting, capsys, "-m", "seed=1,2") == (
        2,
        "error: -m under torchrun: several processes can train one run only; start a sweep without it, and its "
        "launcher starts the jobs.\n",
    )


STOPPED = "interrupted before the run began: nothing was saved\n"


def chained(cause: BaseException | None = None, context: BaseException | None = None) -> BaseException:
    """An error that Hydra or OmegaConf made of another."""
    error = HydraException("in the way")
    error.__cause__, error.__context__ = cause, context
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (TerminatedError(), 143),
        (chained(cause=TerminatedError()), 143),
        (chained(context=chained(cause=KeyboardInterrupt())), 130),
    ],
)
def test_a_run_that_is_stopped_before_it_began_leaves_nothing(
    starting: Callable, capsys: pytest.CaptureFixture[str], tmp_path: Path, error: BaseException, code: int
) -> None:
    for name in ("empty", "used"):
        (tmp_path / name).mkdir()
    (tmp_path / "used" / "history.jsonl").write_text("{}\n")
    handlers = [logging.FileHandler(tmp_path / name / "run.log") for name in ("empty", "used")]
    try:
        for handler in handlers:
            logging.getLogger().addHandler(handler)
        assert refused(starting, capsys, main=raising(error)) == (code, STOPPED)
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
    assert not (tmp_path / "empty").exists() and (tmp_path / "used" / "run.log").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("a.csv has no rows."), "a.csv has no rows."),
        (chained(cause=InputError("runs/x has no config.")), "runs/x has no config."),
        (HydraException("one line\nand another"), "one line"),
        (HydraException(""), "HydraException"),
        (
            MissingConfigException("no", "cell/grx", ["gru"]),
            "cell=grx: there is no such option. Did you mean gru?",
        ),
        (MissingConfigException("no", "a/b/zzz", ["e"]), "a/b=zzz: there is no such option. Choose one of e."),
        (MissingConfigException("nothing is missing"), "nothing is missing"),
        (ConfigCompositionException("Could not override 'sed'."), "sed=2: there is no such key. Did you mean seed?"),
        (ConfigKeyError("Key 'sed' is not in struct"), "sed=2: there is no such key. Did you mean seed?"),
        (OverrideParseException("sed=2", "Key 'sed'\nis odd"), "sed=2: there is no such key. Did you mean seed?"),
        (ConfigKeyError("wrong\nKey 'sed'"), "wrong"),
        (ConfigKeyError("Key 'cell' is not in struct"), "Key 'cell' is not in struct"),
        (HydraException("Key 'sed' is not in struct"), "Key 'sed' is not in struct"),
        (OSError(28, "No space left on device", "runs/a"), "runs/a: No space left on device: choose another folder."),
        (OSError(28, "No space left on device"), "No space left on device: choose another folder."),
        (OSError("no folder\nat all"), "no folder: choose another folder."),
    ],
)
def test_what_ends_a_start_is_one_sentence(
    starting: Callable, capsys: pytest.CaptureFixture[str], error: BaseException, said: str
) -> None:
    given = ["cell=gru", "sed=2", "-p", "sed"]
    assert refused(starting, capsys, *given, main=raising(error)) == (2, f"error: {said}\n")


def test_another_error_is_no_mistake_of_the_user(starting: Callable) -> None:
    with pytest.raises(ZeroDivisionError):
        starting(main=lambda: 1 / 0)


@pytest.mark.parametrize(
    ("task", "override", "said"),
    [
        ("sentiment", "seed", "'seed' is not an option: write key=value, for instance seed=2."),
        ("sentiment", "+cell=gru", "+cell=gru: cell has a value already; write cell=gru"),
        ("sentiment", "+cell=", "+cell=: cell has a value already; write cell="),
        ("sentiment", "decoder=luong", "decoder: sentiment has no such part. "),
        ("sentiment", "~decoders=luong", None),
        ("memory", "~tokenizr=", None),
        ("sentiment", "+decoder=luong", "+decoder: sentiment has no such part. "),
        ("sentiment", "readout=", "readout: sentiment has no such part. --help lists the options."),
        ("sentiment", "cell=grx", "cell=grx: there is no such option. Did you mean gru?"),
        ("sentiment", "cell=gru,lstn", "cell=lstn: there is no such option. Did you mean lstm?"),
        ("sentiment", "~schedule", "~schedule: sentiment needs one of {schedule}."),
        ("sentiment", "schedule=null", "schedule=null: sentiment needs one of {schedule}."),
        ("sentiment", "schedule=", "schedule=: sentiment needs one of {schedule}."),
        ("sentiment", "embeddings=", "embeddings=: choose one of {embeddings}, or null for none."),
        ("sentiment", "experiment=", "experiment=: choose one of {experiment}, or null for none."),
        ("sentiment", "embeddings=null", None),
        ("sentiment", "~embeddings", None),
        ("sentiment", "++cell=gru", None),
        ("sentiment", "~cell", "~cell: sentiment needs one of {cell}."),
        ("sentiment", "recorder=null,states", "recorder=null,states: no sweep leaves a part out: start one with "
         "recorder=null of its own."),
        ("sentiment", "cell=gru,choice(zzz)", None),
        ("sentiment", "+nothing=1", "+nothing: nothing reads this key. "),
        ("sentiment", "+nothing.at.all=1", "+nothing.at.all: nothing reads this key. "),
        ("sentiment", "+split.limt=1", "+split.limt: nothing reads this key. Did you mean split.limit?"),
        ("sentiment", "+seed.more=1", "+seed.more: nothing reads this key. "),
        ("sentiment", "+split.limit=1", None),
        ("sentiment", "++search.space.rate.log=[0.1,1]", None),
        ("sentiment", "++search.space.rat.log=[0.1,1]", "+search.space.rat.log: nothing reads this key. "),
        ("sentiment", "+split.limit.more=1", "+split.limit.more: nothing reads this key. "),
        ("sentiment", "+trainer.anything.at.all=1", None),
        ("sentiment", "+hydra.anything=1", None),
    ],
)  # fmt: skip
def test_a_sentence_names_what_may_be_given(task: str, override: str, said: str | None) -> None:
    if said is None:
        check(task, [override])
        return
    with pytest.raises(InputError) as refusal:
        check(task, [override])
    found = {group: ", ".join(options(group)) for group in ("schedule", "embeddings", "cell")}
    found["experiment"] = ", ".join(f"sentiment/{name}" for name in options("experiment/sentiment"))
    sentence = str(refusal.value)
    assert sentence.startswith(said.format(**found)) and (said.endswith(" ") or sentence == said.format(**found))


def test_every_override_is_checked() -> None:
    check("sentiment", ["seed=1", "cell=gru"])
    for wrong in ("cell=grx", "sed", "+zz=1", "data.train=a=b"):
        with pytest.raises(InputError):
            check("sentiment", ["cell=gru", "~embeddings", wrong])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data=files"], "data=files needs data.train."),
        (["data=nothing,sst2,files"], "data=files needs data.train."),
        (["data=files", "data.train="], "data=files needs data.train."),
        (["data=files", "++data.train=x"], None),
        (["data=nothing"], None),
        (["data=choice(files)"], None),
        (["data.train=x"], None),
    ],
)
def test_data_are_checked_for_what_they_need(overrides: list[str], said: str | None) -> None:
    if said is None:
        check_data("sentiment", overrides)
        return
    with pytest.raises(InputError) as refusal:
        check_data("sentiment", overrides)
    assert str(refusal.value).startswith(f"{said} For instance: python -m tasks.sentiment data=files data.train=")


def test_data_without_an_example_for_the_task_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError) as refusal:
        check_data("memory", ["data=parallel"])
    needed = " and ".join(keys_of("parallel"))
    assert len(keys_of("parallel")) > 1 and str(refusal.value) == f"data=parallel needs {needed}."


def test_all_keys_that_a_command_line_may_set_are_known() -> None:
    cfg = OmegaConf.create(
        {"a": {"b": {"c": 1}, "d": None, "e": "???", "f": [1]}, "g": "${a}", "h": None, "i": "???",
         "j": DictConfig(None), "k": DictConfig("???"), "l": DictConfig("${a}"),
         "hydra": {"runtime": {"choices": {"cell": "gru", "data": "x", "a": "y", "hydra/launcher": "basic"}}}}
    )  # fmt: skip
    below = ["a", "a.b", "a.b.c", "a.d", "a.e", "a.f", "g", "h", "i", "j", "k", "l"]
    assert list(keys(cfg))[: len(below)] == below and "hydra.runtime.choices.cell" in list(keys(cfg))
    assert names_of(cfg) == ["cell", "data", *below, "hydra"]


@pytest.mark.parametrize(
    ("name", "names", "said"),
    [
        ("grv", ["gru", "lstm"], "Did you mean gru?"),
        (
            "lr",
            ["a.lr", "other.lr", "third/lr", "b.lr", "lrx"],
            "Did you mean a.lr or other.lr or third/lr?",
        ),
        ("x.lr", ["x", "y.lr"], "Did you mean y.lr?"),
        ("data.pth", ["data", "data.path", "other.path"], "Did you mean data.path?"),
        ("zzzzzzzz.pth", ["a.path", "b.path", "c.path", "d.path"], "Did you mean a.path or b.path or c.path?"),
        ("epochs", ["trainer.max_epochs", "zzz"], "Did you mean trainer.max_epochs?"),
        ("max_epoch", ["trainer.max_epochs", "max_e"], "Did you mean trainer.max_epochs?"),
        ("gruuu", ["gruua", "gruub"], "Did you mean gruub?"),
        ("aaa.epohcs", ["q.epochs", "r.epohcz"], "Did you mean r.epohcz?"),
        ("decoder.abcde", ["q.abcxx", "decoder.zzzzz"], "Did you mean decoder.zzzzz?"),
        ("limt", ["limits_of", "limbo"], "Did you mean limbo?"),
        ("zzzz", ["b", "a"], "Choose one of a, b."),
        ("zzzz", list("abcdefghijkl"), "Choose one of a, b, c, d, e, f, g, h, i, j, k, l."),
        ("zzzz", list("abcdefghijklm"), "--help lists the options."),
        ("data.path.zzz", ["data.path", "data"], "Choose one of data, data.path."),
    ],
)
def test_the_nearest_names_are_suggested(name: str, names: list[str], said: str) -> None:
    assert suggestion(name, names) == said


def test_a_misspelt_key_is_compared_with_the_parts_that_are_chosen() -> None:
    error = ConfigKeyError("Key 'optimizer.betsa' is not in struct")
    said = explain("sentiment", ["optimizer=adamw", "seed=1,2", "optimizer.betsa=1"], error)
    assert said == "optimizer.betsa=1: there is no such key. Did you mean optimizer.betas?"
    error, path = ConfigKeyError("Key 'data.pth' is not in struct"), "Did you mean data.path?"
    assert explain("sentiment", ["data=sst2", "cell=rnn,gru", "data.pth=1"], error).endswith(path)
    assert not explain("sentiment", ["data.pth=1"], error).endswith(path)
    error = ConfigKeyError("Key 'sed' is not in struct")
    assert explain("sentiment", ["data=sst2", "cell=nothing", "sed=1"], error).endswith("Did you mean seed?")


@pytest.mark.parametrize("value", ["", "a", 'a"b', "a\\", 'a\\"b', "a\\\\b", '\\\\"', "a b=c"])
def test_a_quoted_value_is_read_as_it_was(value: str) -> None:
    parsed = OverridesParser.create().parse_override(f"data.train={quote(value)}")
    assert parsed.value() == value


def test_a_run_is_started_after_the_choice_of_how_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("training.commandline.choose_wait_policy", lambda: done.append("waiting"))
    monkeypatch.setattr("training.run.run", lambda cfg: done.append(cfg.task) or 0.5)
    try:
        assert run_task(OmegaConf.create({"task": "sentiment"})) == 0.5 and done == ["waiting", "sentiment"]
        with pytest.raises(TerminatedError):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


FILES = {
    "data/a.yaml": "#   python -m tasks.sentiment data=a\n#     data.train=x\n#   python -m tasks.tagging data=a\n",
    "data/b.yaml": "# python -m tasks.tagging data=b\n",
    "data/c.yaml": "name: c # python -m tasks.tagging\n",
    "cell/gru.yaml": "",
    "cell/lstm.yaml": "# python -m tasks.tagging cell=lstm\n",
    "characters/x.yaml": "",
    "experiment/sentiment/y.yaml": "",
    "experiment/sentiment/z.yaml": "# python -m tasks.tagging\n",
    "experiment/tagging/w.yaml": "",
}


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few groups of options."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.setattr("training.help.CONF", tmp_path)


@pytest.mark.usefixtures("groups")
def test_the_options_of_a_task_are_those_that_name_it_or_none() -> None:
    assert offered("sentiment", "data", None) == ["a", "c"] and offered("tagging", "data", None) == ["a", "b", "c"]
    assert offered("sentiment", "data", "b") == ["a", "b", "c"] and offered("memory", "data", None) == ["c"]
    assert offered("sentiment", "cell", None) == ["gru", "lstm"]
    assert offered("sentiment", "experiment", None) == ["sentiment/y", "sentiment/z"]
    assert commands("sentiment", "data", "a") == ["python -m tasks.sentiment data=a data.train=x"]
    assert commands("tagging", "data", "a") == ["python -m tasks.tagging data=a"]


CHOICES = {"data": "a", "hydra/launcher": "basic", "experiment": None, "characters": None, "cell": "gru"}
LINES = """cell            gru*, lstm
characters      null*, x
experiment      sentiment/y, sentiment/z
data            a*, c"""


@pytest.mark.usefixtures("groups")
def test_help_has_a_line_for_every_group_and_the_default_of_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert group_lines("sentiment", CHOICES) == LINES
    template = "Seeds:\n\n$APP_CONFIG_GROUPS\n\nseed    random seed\nhydra.run.dir   a folder\na.b.c  two  words"
    hydra = {"help": {"template": template}, "runtime": {"choices": CHOICES}}
    cfg = OmegaConf.create({"seed": 5, "a": {"b": {"c": None}}, "hydra": hydra})
    monkeypatch.setattr("training.help.composed", lambda task: cfg if task == "sentiment" else None)
    assert help_text("sentiment").splitlines() == [
        "Seeds:",
        "",
        *LINES.splitlines(),
        "",
        "seed                           5         random seed",
        "hydra.run.dir   a folder",
        "a.b.c                          null      two  words",
    ]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("number", "0.5"),
        ("flag", "true"),
        ("none", "null"),
        ("missing", "required"),
        ("gone", "-"),
        ("unknown", "-"),
        ("part.flag", "false"),
        ("part.missing", "required"),
        ("part.gone", "-"),
        ("number.part", "-"),
        ("gone.part", "-"),
        ("again", "0.5"),
        ("part.deep.text", "A b"),
    ],
)
def test_a_default_is_shown_as_the_command_line_takes_it(key: str, shown: str) -> None:
    part = {"flag": False, "missing": "???", "deep": {"text": "A b"}}
    values = {"number": 0.5, "flag": True, "none": None, "missing": "???", "unknown": "${no.such.key}"}
    assert default(OmegaConf.create({**values, "again": "${number}", "part": part}), key) == shown
