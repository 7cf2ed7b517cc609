"""The command line of a task: help of its own parts, names that do not exist, and what needs quotes."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from conftest import CONF, ROOT, options
from omegaconf import OmegaConf
from processes import command

from data.errors import InputError
from training.commandline import check, check_data, explain, overrides_in
from training.help import KEY_LINE, commands, composed, help_text
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
    assert time_left([2.0], 1) == "; about 1 min left"
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
