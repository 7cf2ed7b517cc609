"""The card of a run, and its upload to a hub."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from conftest import FEW_ROWS
from huggingface_hub import ModelCard

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
