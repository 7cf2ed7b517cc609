"""The card of a run, and its upload to a hub."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from conftest import FEW_ROWS
from huggingface_hub import ModelCard
from omegaconf import OmegaConf

from data.errors import InputError
from tasks import card as command
from training import card
from training.load import load_config

RUNS = {
    "sentiment": [],
    "tagging": ["characters=none"],
    "translation": ["codec.tokenizer.vocab_size=120", "model.decoder.hidden_size=8", "beam=1"],
}
HUB_TASKS = {"sentiment": "text-classification", "tagging": "token-classification", "translation": "translation"}


def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


@pytest.mark.parametrize("task", RUNS)
def test_every_run_writes_a_card(launch: Callable, task: str) -> None:
    folder = launch(task, *FEW_ROWS, *RUNS[task], "trainer.max_epochs=1")
    result, found = content(folder), ModelCard.load(folder / "README.md")
    assert found.data.pipeline_tag == HUB_TASKS[task] and found.data.library_name == "rnnbench"
    scores = {name: score for name, score in result["metrics"]["test"].items() if isinstance(score, float)}
    assert {one.metric_value for one in found.data.eval_results} == set(scores.values())
    for one in found.data.eval_results:
        assert (one.task_type, one.dataset_name, one.dataset_split) == (HUB_TASKS[task], result["data"]["name"], "test")
    metric = result["selection"]["metric"]
    low, high = result["intervals"]["test"][metric]
    assert low <= result["metrics"]["test"][metric] <= high
    percent = 1 if metric == "bleu" else 100
    for shown in (f"({percent * low:.2f} to {percent * high:.2f})", result["data"]["sha256"]["test"], result["cell"]):
        assert shown in found.text
    for heading in ("Use", "Data", "Recipe", "Scores", "Limits", "Cost", "Repeat the training"):
        assert f"\n## {heading}\n" in found.text
    assert "warnings" not in result


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, saved: dict[str, Path]) -> Path:
    """A folder with a model, as a finished run leaves it."""
    import shutil

    folder = tmp_path_factory.mktemp("card") / "run"
    shutil.copytree(saved["sentiment"], folder)
    data = {"name": "language", "source": "generated", "revision": None, "notes": ["A note."]}
    data |= {"sizes": {"train": 40, "test": 10}, "sha256": {"train": "aa", "test": "bb"}}
    training = {"seconds": 61.0, "epochs": 3, "kernel": "ATen", "peak_memory_mb": 100.0, "tokens_per_second": 1.0}
    test = {"accuracy": 0.75, "macro_f1": 0.5, "baselines": {"chance": {"accuracy": 0.5}}}
    result = {
        "schema": 1, "status": "ok", "task": "sentiment", "experiment": None, "cell": "lstm", "config_id": "0a1b2c3d",
        "seed": 1, "data": data, "parameters": 1234, "environment": {"commit": "f" * 40, "dirty": False},
        "metrics": {"validation": {"accuracy": 0.8}, "test": test},
        "selection": {"metric": "accuracy", "epoch": 2, "score": 0.8}, "training": training,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["card", *arguments])
    capsys.readouterr()
    command.main()
    return capsys.readouterr().out


def test_the_author_is_named_only_if_known(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(card, "git_user", lambda: None)
    run_command(monkeypatch, capsys, f"run={finished}")
    assert "Trained by" not in (finished / "README.md").read_text()
    run_command(monkeypatch, capsys, f"run={finished}", "author=A. Person")
    assert "## Trained by\n\nA. Person\n" in (finished / "README.md").read_text()


def test_limits_say_what_is_missing(finished: Path) -> None:
    result = content(finished)
    del result["metrics"]["test"]
    text = "\n".join(card.text_of(result, load_config(finished), finished, None))
    assert "No test split was scored" in text and "those of one seed" in text
    assert "generated from a grammar" in text and "A note." in text


def test_baselines_stand_beside_the_scores(finished: Path) -> None:
    table = card.score_table(content(finished))
    assert "| accuracy | 80.00 | 75.00 |" in table and "| chance: accuracy |  | 50.00 |" in table


def test_a_card_that_fails_costs_no_score(launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.run.write_card", lambda directory: 1 / 0)
    folder = launch("sentiment", *files, "trainer.max_epochs=1")
    assert content(folder)["status"] == "ok" and not (folder / "README.md").exists()
    assert content(folder)["warnings"] == ["ZeroDivisionError: division by zero"]


def test_an_unfinished_run_has_no_card(saved: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="only finished runs have a card"):
        card.write_card(saved["tagging"])


class FakeHub:
    """Keeps what is uploaded, or fails as the hub's client does."""

    repositories: dict[str, dict[str, bytes]]
    error: Exception | None = None

    def create_repo(self, name: str, private: bool, exist_ok: bool) -> None:
        assert private and exist_ok
        if FakeHub.error is not None:
            raise FakeHub.error
        FakeHub.repositories.setdefault(name, {})

    def upload_folder(self, repo_id: str, folder_path: Path, allow_patterns: list[str], commit_message: str) -> Any:
        files = {name: (folder_path / name).read_bytes() for name in allow_patterns}
        FakeHub.repositories[repo_id].update(files)
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[FakeHub]:
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "token")
    FakeHub.repositories, FakeHub.error = {}, None
    return FakeHub


def test_a_pushed_run_can_be_loaded_and_holds_no_data(
    hub: type[FakeHub], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from tasks import load

    (finished / "predictions.jsonl").write_text("{}\n")
    printed = run_command(monkeypatch, capsys, f"run={finished}", "push=someone/model")
    assert "Uploaded: https://hub/someone/model/commit/1" in printed
    files = hub.repositories["someone/model"]
    assert "README.md" in files and "predictions.jsonl" not in files and "run.log" not in files
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    texts = ["the film is good ."]
    assert load(tmp_path, device="cpu").predict(texts) == load(finished, device="cpu").predict(texts)


@pytest.mark.parametrize("error", [ConnectionError("no route"), TimeoutError("timed out")])
def test_without_a_network_one_sentence(hub: type[FakeHub], finished: Path, error: Exception) -> None:
    from deployment.hub import push

    hub.error = error
    with pytest.raises(ValueError, match=r"push=a/b: the hub cannot be reached .*: try again later\.$"):
        push(finished, "a/b", private=True)


def test_a_refused_connection_is_one_sentence(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real client, at an address where nothing listens."""
    from functools import partial

    from deployment.hub import push

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "token")
    monkeypatch.setattr(huggingface_hub, "HfApi", partial(huggingface_hub.HfApi, endpoint="http://127.0.0.1:9"))
    with pytest.raises(ValueError, match=r"push=a/b: the hub cannot be reached"):
        push(finished, "a/b", private=True)


def test_without_a_token_one_sentence(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deployment.hub import push

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(ValueError, match=r"push=a/b: there is no token .* log in with 'hf auth login'"):
        push(finished, "a/b", private=True)


def test_a_name_that_is_none_is_one_sentence(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deployment.hub import push

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "token")
    with pytest.raises(ValueError, match=r"push=a b/c d: write push=ORGANISATION/NAME"):
        push(finished, "a b/c d", private=True)


RESULT: dict[str, Any] = {
    "status": "ok", "task": "sentiment", "experiment": None, "cell": "gru", "config_id": "0a1b2c3d", "seed": 3,
    "parameters": 1234567,
    "data": {
        "name": "films", "source": "hub", "revision": "abc", "sizes": {"train": 4000, "validation": 1},
        "sha256": {"train": "aa", "validation": "bb", "test": "cc"}, "notes": ["A note.", "Another."],
    },
    "metrics": {
        "validation": {"accuracy": 0.8, "macro_f1": 0.7, "baselines": {"chance": {"accuracy": 0.4}}},
        "test": {
            "accuracy": 0.75, "macro_f1": 0.5, "number": 3, "by_length": {"1-9": {"accuracy": 0.5, "count": 4}},
            "baselines": {"chance": {"accuracy": 0.5}, "nbsvm": {"accuracy": 0.9}, "other": {"macro_f1": 1.0}},
            "signatures": {"bleu": "nrefs:1", "chrf": "nc:6"},
        },
    },
    "intervals": {"test": {"accuracy": [0.7, 0.8]}},
    "selection": {"metric": "accuracy", "epoch": 2, "score": 0.8},
    "training": {"seconds": 61.0, "epochs": 3, "kernel": "ATen", "peak_memory_mb": 1234.5, "tokens_per_second": 1.0},
    "environment": {
        "python": "3.12", "torch": "2.13", "cpu": "a processor", "device": "cpu", "threads": 2, "commit": "f" * 40,
        "dirty": False,
    },
}  # fmt: skip

SECTIONS = {
    "Use": """```python
from rnnbench import load

model = load("DIR")  # this folder
print(model.predict(["..."])[0].prediction)
```

```bash
echo "..." | python -m tasks.sentiment.predict run=DIR
```""",
    "Data": """- films, hub, revision abc
- train: 4,000 examples, SHA-256 of the content aa
- validation: 1 example, SHA-256 of the content bb
- A note.
- Another.""",
    "Recipe": """- cell=gru
- model.embedding_size=8
- model.encoder.hidden_size=16
- model.encoder.num_layers=1
- model.encoder.bidirectional=true
- model.dropout=0.25
- optimizer.lr=0.01
- trainer.max_epochs=4
- trainer.batch_tokens=1000
- trainer.average_decay=0.5
- trainer.precision=fp32
- weights of epoch 2 of 3, by validation accuracy
- all values: `config.yaml` (config id 0a1b2c3d)""",
    "Scores": """| | validation | test |
|---|--:|--:|
| accuracy | 80.00 | 75.00 (70.00 to 80.00) |
| macro f1 | 70.00 | 50.00 |
| chance: accuracy | 40.00 | 50.00 |
| NB-SVM on bigrams: accuracy |  | 90.00 |
| other: accuracy |  |  |

In percent. In brackets: 95 % confidence interval, by the bootstrap over the examples of the split.

BLEU: `nrefs:1`

chrF2++: `nc:6`""",
    "Limits": """- It was trained on films only. The scores are those of its test split; other data may be harder.
- The scores are those of one seed; the intervals do not include the variation between seeds.
- The model scores 75.0 % on test, below NB-SVM on bigrams (90.0 %).
- Words outside its vocabulary are unknown to it; prediction warns about inputs that are mostly unknown.
- It has not been checked for bias or harmful output.""",
    "Cost": """- 61 s for 3 epochs, ATen kernel
- a processor, cpu, 2 threads
- 1,234 MB of memory at most""",
    "Trained by": "A. Person",
    "Repeat the training": f"""- commit {"f" * 40} of rnnbench
- Python 3.12, torch 2.13
- `python -m analysis.reproduce DIR` trains again from the config of this folder and compares the scores""",
}


@pytest.fixture
def recipe(composed: Callable) -> Any:
    """The config of ``RESULT``."""
    return composed(
        "sentiment",
        "cell=gru",
        "model.embedding_size=8",
        "model.encoder.hidden_size=16",
        "model.encoder.num_layers=1",
        "model.encoder.bidirectional=true",
        "model.dropout=0.25",
        "optimizer.lr=0.01",
        "trainer.max_epochs=4",
        "trainer.batch_tokens=1000",
        "trainer.average_decay=0.5",
        "trainer.precision=fp32",
    )


def sections(
    result: dict[str, Any], cfg: Any, folder: Path, author: str | None = None
) -> tuple[list[str], dict[str, str]]:
    """The first lines of a card, and its sections by their headings."""
    parts = list(card.text_of(result, cfg, folder, author))
    own = [part for part in parts if part.startswith("## ")]
    return parts[: len(parts) - len(own)], dict(part.removeprefix("## ").split("\n\n", 1) for part in own)


def test_a_card_says_all_that_a_user_of_the_model_needs(recipe: Any, tmp_path: Path) -> None:
    opening, found = sections(RESULT, recipe, tmp_path, "A. Person")
    assert opening == [
        "# sentiment: gru on films, seed 3",
        "A recurrent network (gru, 1,234,567 parameters) for the task sentiment, trained from scratch with rnnbench on "
        "one data set.",
    ]
    assert found == SECTIONS and list(found) == list(SECTIONS)
    (tmp_path / "learning_curve.png").write_text("")
    opening, found = sections(RESULT, recipe, tmp_path)
    assert opening[2:] == ["![Training loss and validation score by epoch](learning_curve.png)"]
    assert "Trained by" not in found


def changed(*keys: str, value: Any = ...) -> dict[str, Any]:
    """``RESULT`` with another value under nested keys, or without them."""
    result = copy.deepcopy(RESULT)
    node = result
    for key in keys[:-1]:
        node = node[key]
    if value is ...:
        del node[keys[-1]]
    else:
        node[keys[-1]] = value
    return result


@pytest.mark.parametrize(
    ("keys", "value", "section", "line"),
    [
        (["data", "revision"], None, "Data", "- films, hub, revision not known"),
        (["data", "revision"], ..., "Data", "- films, hub, revision not known"),
        (["cell"], "Mine", "Recipe", "- cell=Mine"),
        (["experiment"], "sentiment/imdb", "Recipe", "- experiment=sentiment/imdb"),
        (["environment"], ..., "Cost", "- None, None, 1 thread"),
        (["environment", "threads"], 1, "Cost", "- a processor, cpu, 1 thread"),
        (["environment", "processes"], 2, "Cost", "- a processor, cpu, 2 threads in each of 2 processes"),
        (["environment", "processes"], 2, "Cost", "- 1,234 MB of memory at most, in the first process"),
        (["environment", "dirty"], True, "Repeat the training", f"- commit {'f' * 40} of rnnbench, with changes that "
         "are not in it"),
        (["environment"], ..., "Repeat the training", "- Python None, torch None"),
        (["metrics", "test"], ..., "Limits", "- No test split was scored, and the weights were chosen by the "
         "validation score."),
        (["metrics", "test"], ..., "Limits", "- It was trained on films only. The scores are those of its validation "
         "split; other data may be harder."),
        (["metrics", "test"], ..., "Scores", "| accuracy | 80.00 |"),
        (["data", "source"], "generated", "Limits", "- The data are sentences generated from a grammar: the model "
         "knows no other words."),
        (["intervals"], ..., "Scores", "| accuracy | 80.00 | 75.00 |"),
        (["intervals"], {"validation": {"accuracy": [0.1, 0.2]}}, "Scores", "| accuracy | 80.00 (10.00 to "
         "20.00) | 75.00 |"),
        (["metrics", "validation", "macro_f1"], ..., "Scores", "| macro f1 |  | 50.00 |"),
    ],
)  # fmt: skip
def test_a_card_says_what_is_known(
    recipe: Any, tmp_path: Path, keys: list[str], value: Any, section: str, line: str
) -> None:
    assert line not in SECTIONS[section].splitlines()
    assert line in sections(changed(*keys, value=value), recipe, tmp_path)[1][section].splitlines()


def test_a_card_leaves_out_what_is_not_known(recipe: Any, tmp_path: Path) -> None:
    result = changed("environment", "commit")
    assert sections(result, recipe, tmp_path)[1]["Repeat the training"].startswith("- Python 3.12")
    for name in ("sizes", "notes"):
        shown = sections(changed("data", name), recipe, tmp_path)[1]["Data"].splitlines()
        assert shown[0] == "- films, hub, revision abc" and len(shown) == {"sizes": 3, "notes": 3}[name]
    OmegaConf.set_struct(recipe, False)
    recipe.model.dropout, recipe.optimizer = None, {}
    shown = sections(RESULT, recipe, tmp_path)[1]["Recipe"]
    assert "model.dropout" not in shown and "optimizer.lr" not in shown and "=None" not in shown
    del result["metrics"]["test"]["signatures"], result["metrics"]["test"]["baselines"]
    assert sections(result, recipe, tmp_path)[1]["Scores"].splitlines()[4:] == [
        "",
        "In percent. In brackets: 95 % confidence interval, by the bootstrap over the examples of the split.",
    ]


def test_the_metadata_of_a_card_are_those_of_the_hub(recipe: Any) -> None:
    found = card.metadata(RESULT, recipe)
    assert (found.model_name, found.pipeline_tag, found.library_name) == (
        "sentiment-gru-0a1b2c3d",
        "text-classification",
        "rnnbench",
    )
    assert found.tags == ["rnn", "gru", "sentiment"] and found.metrics == ["accuracy", "f1"]
    assert found.language is None and found.datasets is None
    keys = ("task_type", "dataset_type", "dataset_name", "dataset_split", "dataset_revision")
    keys += ("metric_type", "metric_name", "metric_value")
    assert [tuple(getattr(one, key) for key in keys) for one in found.eval_results] == [
        ("text-classification", "films", "films", "test", "abc", "accuracy", "test accuracy", 0.75),
        ("text-classification", "films", "films", "test", "abc", "f1", "test macro f1", 0.5),
    ]
    OmegaConf.set_struct(recipe, False)
    recipe.data = {"repository": "someone/films", "source": "en", "target": "deu"}
    found = card.metadata(RESULT, recipe)
    assert found.datasets == ["someone/films"] and found.language == ["en", "deu"]
    assert {one.dataset_type for one in found.eval_results} == {"someone/films"}
    recipe.evaluation._target_ = "training.result.Result"  # says nothing of the hub
    assert card.metadata(RESULT, recipe).pipeline_tag == "other"


@pytest.mark.parametrize(
    ("data", "repository", "codes"),
    [
        ({}, None, None),
        ({"repository": "a/b", "path": None}, "a/b", None),
        ({"repository": "a/b", "path": "here"}, None, None),
        ({"source": "en", "target": "english"}, None, ["en"]),
        ({"source": "EN", "target": "e"}, None, None),
        ({"source": 5, "target": "abcd"}, None, None),
        ({"source": "de", "target": "gsw"}, None, ["de", "gsw"]),
    ],
)
def test_the_hub_is_told_the_data_set_and_its_languages(data: dict, repository: str | None, codes: list | None) -> None:
    cfg = OmegaConf.create({"data": data})
    assert card.hub_repository(cfg) == repository and card.languages(cfg) == codes
    assert card.hub_repository(OmegaConf.create({})) is None and card.languages(OmegaConf.create({})) is None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "is missing or damaged"),
        ("{", "is missing or damaged"),
        ("[" * 100_000, "is missing or damaged"),
        ("[1]", "is not that of a finished run"),
        ('{"status": "failed", "metrics": {}}', "is not that of a finished run"),
        ('{"status": "ok", "metrics": []}', "is not that of a finished run"),
        ('{"status": "ok"}', "is not that of a finished run"),
    ],
)
def test_only_a_finished_run_has_a_card(tmp_path: Path, content: str | None, what: str) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(InputError) as refusal:
        card.finished_result(tmp_path)
    assert str(refusal.value) == f"{tmp_path}/result.json {what}: only finished runs have a card."


def test_a_card_is_a_file_that_the_hub_reads(recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "git_user", lambda: "Git User")
    (tmp_path / "result.json").write_text(json.dumps({**RESULT, "cell": "grü"}), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(recipe, resolve=True))
    for author, named in ((None, "Git User"), ("A. Person", "A. Person")):
        path = card.write_card(tmp_path, author)
        text, found = path.read_text(encoding="utf-8"), ModelCard.load(path)
        assert path == tmp_path / "README.md" and text.startswith("---\n") and f"## Trained by\n\n{named}\n" in text
        assert found.data.model_name == "sentiment-grü-0a1b2c3d"
        assert text.partition("\n---\n\n")[2].startswith("# sentiment: grü on films, seed 3\n\nA recurrent network")
    monkeypatch.setattr(card, "git_user", lambda: None)
    assert "Trained by" not in card.write_card(tmp_path).read_text()


@pytest.mark.parametrize(("printed", "name"), [(" A. Person\n", "A. Person"), ("\n", None)])
def test_the_author_is_the_user_of_git(monkeypatch: pytest.MonkeyPatch, printed: str, name: str | None) -> None:
    asked: list[Any] = []

    def run(command: list[str], **how: Any) -> Any:
        asked.append((command, how))
        return SimpleNamespace(stdout=printed)

    monkeypatch.setattr(subprocess, "run", run)
    assert card.git_user() == name
    ((command, how),) = asked
    assert command == ["git", "config", "user.name"] and how.pop("timeout") <= 60
    assert how == {"capture_output": True, "text": True, "check": True}


@pytest.mark.parametrize(
    "error", [FileNotFoundError(), subprocess.CalledProcessError(1, "git"), subprocess.TimeoutExpired("git", 10)]
)
def test_without_git_no_author_is_known(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert card.git_user() is None
