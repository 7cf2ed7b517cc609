"""What a run is: its options and values, and the content of its data. What a sweep skips, and what can be resumed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import CONF, PARTS, ROOT, TASKS
from hydra.types import RunMode
from omegaconf import OmegaConf

from data.errors import InputError
from training import identity
from training.checkpoint import load_checkpoint, save_checkpoint
from training.folders import CHECKPOINTS, job_name
from training.identity import config_id, files_digest, files_label, option_name
from training.sweep import set_aside

SIZES = ("model.encoder.hidden_size", "model.decoder.hidden_size")


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_moving_a_class_changes_no_id(composed: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = config_id(composed("sentiment"))
    shutil.copytree(CONF, tmp_path / "conf")
    moved = tmp_path / "conf" / "cell" / "lstm.yaml"
    moved.write_text(moved.read_text().replace("models.cells.lstm.LSTMCell", "elsewhere.Renamed"))
    monkeypatch.setattr(identity, "CONF", tmp_path / "conf")
    identity.options_by_target.cache_clear()
    cfg = composed("sentiment")
    cfg.cell._target_ = "elsewhere.Renamed"
    assert option_name("elsewhere.Renamed") == "cell/lstm"
    assert config_id(cfg) == before
    identity.options_by_target.cache_clear()


def test_another_option_of_the_same_class_changes_no_id(
    composed: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = config_id(composed("sentiment"))
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copy(CONF / "cell" / "lstm.yaml", tmp_path / "conf" / "cell" / "lstm_forgetful.yaml")
    monkeypatch.setattr(identity, "CONF", tmp_path / "conf")
    identity.options_by_target.cache_clear()
    assert config_id(composed("sentiment")) == before
    identity.options_by_target.cache_clear()


def test_an_option_that_is_null_is_as_one_that_is_not_there(composed: Callable) -> None:
    cfg = composed("sentiment")
    before = config_id(cfg)
    OmegaConf.update(cfg, "trainer.added_later", None, force_add=True)
    assert config_id(cfg) == before
    cfg.trainer.added_later = 1
    assert config_id(cfg) != before


def test_an_id_is_made_of_values_not_of_how_they_are_written(composed: Callable) -> None:
    ids = {config_id(composed("sentiment", f"model.dropout={value}")) for value in ("0", "0.0", "0e3")}
    assert len(ids) == 1
    assert config_id(composed("sentiment", "model.dropout=0.5")) not in ids


def recorded_experiments() -> list[tuple[Path, str]]:
    """The recorded configs of the tables that an experiment gives, each with the name of its row."""
    paths = sorted((ROOT / "analysis" / "results").glob("*/*/*.yaml"))
    return [(path, f"{path.parents[1].name}/{path.parent.name}") for path in paths]


@pytest.mark.parametrize(("path", "name"), recorded_experiments())
def test_every_experiment_composes_to_what_was_recorded(composed: Callable, path: Path, name: str) -> None:
    """Hidden sizes that ``match=parameters`` found, and the precision of the machine, are those of the recording.

    The values of a tuned row are those of a trial, which only its own config has.
    """
    assert (CONF / "experiment" / f"{name}.yaml").is_file()
    kept = OmegaConf.load(path)
    results = [json.loads(file.read_text()) for file in path.parent.glob(f"{path.stem}-seed*.json")]
    assert results and {result["config_id"] for result in results} == {config_id(kept)}
    if all("tuned" in result for result in results):
        return
    (cell,) = {result["cell"] for result in results}
    sizes = [f"{key}={OmegaConf.select(kept, key)}" for key in SIZES if OmegaConf.select(kept, key) is not None]
    precision = f"trainer.precision={kept.trainer.precision}"
    cfg = composed(name.split("/")[0], f"experiment={name}", f"cell={cell}", "match=null", precision, *sizes)
    assert config_id(cfg) == config_id(kept)


def test_every_experiment_with_recorded_results_has_its_config() -> None:
    tables = {path.parent for path in (ROOT / "analysis" / "results").glob("*/*/*-seed*.json")}
    assert tables and all(list(table.glob("*.yaml")) for table in tables)


def test_what_changes_no_result_changes_no_id(composed: Callable) -> None:
    options = ["seed=3", "device=cpu", "threads=2", "test=false", "trainer.checkpoint_minutes=1", "data.path=elsewhere"]
    assert config_id(composed("sentiment", "data=sst2")) == config_id(composed("sentiment", "data=sst2", *options))
    hub = ["data=hub", "data.repository=OWNER/NAME"]
    assert config_id(composed("sentiment", *hub)) == config_id(composed("sentiment", *hub, "data.streaming=true"))
    assert config_id(composed("sentiment", "trainer.precision=bf16")) != config_id(
        composed("sentiment", "trainer.precision=fp32")
    )


def test_the_resolved_precision_is_recorded_in_the_config(launch: Callable, files: list[str]) -> None:
    folder = launch("sentiment", *files, "trainer.precision=auto", "trainer.max_epochs=1")
    cfg = OmegaConf.load(folder / "config.yaml")
    assert cfg.trainer.precision == result(folder)["training"]["precision"] != "auto"
    assert cfg.threads == result(folder)["environment"]["threads"]
    assert result(folder)["config_id"] == config_id(cfg)


def test_jobs_that_read_other_files_have_other_folders(composed: Callable) -> None:
    def name(**paths: str) -> str:
        return job_name(_root_=composed("sentiment", "data=files", *(f"data.{k}={v}" for k, v in paths.items())))

    assert len({name(train="a.csv"), name(train="b.csv"), name(train="a.csv", test="c.csv")}) == 3
    assert name(train="a.csv") == name(train="a.csv")
    assert len({job_name(_root_=composed("sentiment", "data=sst2", f"data.path={p}")) for p in ("x", "y")}) == 2


def test_the_digest_of_files_is_of_their_content(composed: Callable, tmp_path: Path) -> None:
    for name in ("train.en", "train.de"):
        (tmp_path / name).write_text("one\n")
    data = OmegaConf.create({"train": str(tmp_path / "train"), "validation": None})
    before = files_digest(data)
    assert before == files_digest(data) is not None
    (tmp_path / "train.de").write_text("two\n")
    assert files_digest(data) != before
    folder = OmegaConf.create({"path": str(tmp_path)})
    before = files_digest(folder)
    (tmp_path / "more.txt").write_text("more\n")
    assert files_digest(folder) != before is not None
    assert files_digest(OmegaConf.create({"name": "hub"})) is None


def test_identifiers_stay_the_same_from_version_to_version() -> None:
    """Recorded results and the folders of unfinished sweeps are found by them."""
    assert config_id(OmegaConf.create({"data": {"name": "Übung"}, "trainer": {"patience": 5}})) == "7d293350"
    assert files_label(OmegaConf.create({"train": "a.csv", "test": "b.csv"})) == "68c38b20"
    assert files_label(OmegaConf.create({"name": "hub"})) == ""


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", f"{path}/a.csv")

    monkeypatch.setattr(identity, "files_of", refuse)
    with pytest.raises(InputError, match=r"^corpus/a\.csv cannot be read: Permission denied\.$"):
        files_digest(OmegaConf.create({"train": "corpus"}))


def test_a_sweep_runs_again_what_was_run_on_other_data_or_for_other_scores(
    launch: Callable, files: list[str], reviews: Path, tmp_path: Path
) -> None:
    def job(*options: str) -> str:
        launch("sentiment", *files, "trainer.max_epochs=1", *options, folder="sweep/job", mode=RunMode.MULTIRUN)
        return result(tmp_path / "sweep" / "job")["started"] + str(result(tmp_path / "sweep" / "job").get("metrics"))

    first = job()
    assert job() == first and len(list((tmp_path / "sweep").iterdir())) == 1
    test = reviews / "test.jsonl"
    test.write_text(test.read_text().replace('"good"}', '"bad"}'))
    corrected = job()
    assert corrected != first
    aside = [path for path in (tmp_path / "sweep").iterdir() if path.name != "job"]
    assert len(aside) == 1 and result(aside[0])["status"] == "ok"
    job("test=false")
    assert "test" not in result(tmp_path / "sweep" / "job")["metrics"]


def test_a_sweep_skips_what_is_finished_where_the_precision_is_left_to_the_machine(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*files, "trainer.max_epochs=1", "trainer.precision=auto")

    def started(precision: str) -> str:
        monkeypatch.setattr("training.experiment.choose_precision", lambda *_: precision)
        return result(launch("sentiment", *given, mode=RunMode.MULTIRUN))["started"]

    monkeypatch.setattr("training.result.now", iter(map(str, range(100))).__next__)
    first = started("fp32")
    assert started("fp32") == first
    assert started("bf16") != first


def test_a_job_whose_result_is_damaged_runs_again(launch: Callable, files: list[str], tmp_path: Path) -> None:
    given = (*files, "trainer.max_epochs=1")
    path = launch("sentiment", *given, mode=RunMode.MULTIRUN) / "result.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({key: whole[key] for key in ("status", "options_id", "files_sha256")}))
    launch("sentiment", *given, mode=RunMode.MULTIRUN)
    assert json.loads(path.read_text())["metrics"] == whole["metrics"]
    assert len(list(tmp_path.glob("run-before-*"))) == 1


def test_a_dry_sweep_says_whether_a_job_is_finished_on_the_same_data(
    launch: Callable, files: list[str], reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*options: str) -> str:
        launch("sentiment", *files, "trainer.max_epochs=1", *options, mode=RunMode.MULTIRUN)
        return capsys.readouterr().out

    assert listed("sweep=dry").endswith("to run\n")
    listed()
    assert listed("sweep=dry").endswith("finished\n")
    test = reviews / "test.jsonl"
    test.write_text(test.read_text().replace('"good"}', '"bad"}'))
    assert listed("sweep=dry").endswith("to run\n")


def test_results_of_one_job_that_end_in_the_same_second_are_all_kept(tmp_path: Path) -> None:
    for score in (0.5, 0.6, 0.7):
        (tmp_path / "job").mkdir(exist_ok=True)
        content = {"status": "ok", "ended": "2026-11-25T12:12:34+00:00", "score": score}
        (tmp_path / "job" / "result.json").write_text(json.dumps(content))
        set_aside(tmp_path / "job")
    assert sorted(result(folder)["score"] for folder in tmp_path.glob("job-before-*")) == [0.5, 0.6, 0.7]


def test_a_search_counts_how_often_it_scored_the_test_split(launch: Callable, files: list[str], tmp_path: Path) -> None:
    for seed in (1, 2):
        folder = launch("sentiment", *files, "trainer.max_epochs=1", f"seed={seed}", folder=f"sweep/{seed}")
        assert result(folder)["test_scored_in_sweep"] == seed
    folder = launch("sentiment", *files, "trainer.max_epochs=1", "test=false", folder="sweep/3")
    assert result(folder)["test_scored_in_sweep"] == 2


@pytest.mark.parametrize("change", ["labels", "words"])
def test_other_data_are_refused_and_the_first_run_stays_resumable(
    launch: Callable,
    files: list[str],
    reviews: Path,
    tmp_path: Path,
    stopped: Callable,
    caplog: pytest.LogCaptureFixture,
    change: str,
) -> None:
    stopped("sentiment", *files)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.suffix != ".log"}
    train = (reviews / "train.jsonl").read_text()
    other = reviews / "other.jsonl"
    other.write_text(
        train.replace('"good"}', '"?"}').replace('"bad"}', '"good"}').replace('"?"}', '"bad"}')
        if change == "labels"
        else train.replace("film", "novel")
    )
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, "resume=true", f"data.train={other}")
    assert ended.value.code == 2 and "has an unfinished run of other data" in caplog.text
    after = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.suffix != ".log"}
    assert {name: after[name] for name in before if name != "result.json"} == {
        name: content for name, content in before.items() if name != "result.json"
    }
    folder = launch("sentiment", *files, "resume=true")
    assert result(folder)["status"] == "ok" and result(folder)["training"]["epochs"] == 3


@pytest.mark.parametrize("task", TASKS)
def test_a_run_that_is_stopped_within_an_epoch_goes_on_to_the_same_bits(
    launch: Callable, stopped: Callable, task: str
) -> None:
    sizes = ["data.sizes={train: 60, validation: 10, test: 10}", "trainer.max_epochs=2", "trainer.average_decay=0.9"]
    sampled = ["codec.tokenizer.vocab_size=120", "codec.sampling_alpha=0.3", "model.decoder.hidden_size=8", "beam=1"]
    own = {"translation": sampled, "captioning": [*PARTS["captioning"], "beam=1"]}
    options = [*sizes, *own.get(task, []), "trainer.checkpoint_steps=2"]
    whole = launch(task, *options, folder="whole")
    stopped(task, *options, batches=4, folder="cut")
    cut = launch(task, *options, "resume=true", folder="cut")
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    rows = [[json.loads(line) for line in (f / "history.jsonl").read_text().splitlines()] for f in (cut, whole)]
    assert [row["train_loss"] for row in rows[0]] == [row["train_loss"] for row in rows[1]]
    assert result(cut)["metrics"] == result(whole)["metrics"]


def test_a_damaged_checkpoint_gives_way_to_the_older_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 2):
        save_checkpoint({"weights": torch.full((8,), float(number))}, tmp_path)
    newest = tmp_path / CHECKPOINTS[0]
    whole = newest.read_bytes()
    for offset in (0, 64, len(whole) // 2, len(whole) - 1):
        newest.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        state = load_checkpoint(tmp_path)
        assert state is not None and state["weights"].eq(1).all() and "is damaged" in caplog.text
    (tmp_path / CHECKPOINTS[1]).write_bytes(b"")
    with pytest.raises(ValueError, match="All checkpoints"):
        load_checkpoint(tmp_path)


def test_weights_that_overflow_in_the_last_step_are_never_kept(
    launch: Callable, files: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        launch(
            "sentiment",
            *files,
            "optimizer.lr=3e38",
            "schedule=constant",
            "schedule.warmup=0",
            "trainer.max_epochs=1",
            "trainer.batch_sentences=64",
            "trainer.average_decay=0",
        )
    assert result(tmp_path / "run")["status"] == "diverged"
    assert "batch 1, first in " in result(tmp_path / "run")["reason"]
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_picture_that_cannot_be_drawn_costs_no_score(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.experiment.learning_curve", lambda *arguments: 1 / 0)
    folder = launch("sentiment", *files, "trainer.max_epochs=1")
    assert result(folder)["status"] == "ok" and "test" in result(folder)["metrics"]
    assert result(folder)["warnings"] == ["ZeroDivisionError: division by zero"]


def test_a_batch_that_does_not_fit_is_computed_in_halves(
    launch: Callable, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*files, "trainer.max_epochs=1", "model.dropout=0", "model.word_dropout=0"]
    whole = launch("sentiment", *options, folder="whole")
    from tasks.sentiment.model import SentimentClassifier

    original, failed = SentimentClassifier.loss, []

    def loss(model: SentimentClassifier, batch: object) -> object:
        if len(batch.rows) == 8 and len(failed) < 2:  # type: ignore[attr-defined]
            failed.append(1)
            raise torch.OutOfMemoryError("no more")
        return original(model, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(SentimentClassifier, "loss", loss)
    halved = launch("sentiment", *options, folder="halved")
    losses = [json.loads((f / "history.jsonl").read_text())["train_loss"] for f in (whole, halved)]
    assert result(halved)["training"]["split_batches"] == 2
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_a_time_limit_ends_the_training_with_the_best_weights(launch: Callable, files: list[str]) -> None:
    folder = launch("sentiment", *files, "trainer.max_epochs=500", "trainer.max_minutes=0.02", "trainer.patience=500")
    found = result(folder)
    assert found["status"] == "ok" and found["training"]["out_of_time"]
    assert 1 <= found["training"]["epochs"] < 500
    last = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
    assert last["learning_rate"] < 0.004  # the schedule ends with the time


def test_two_processes_do_not_share_a_folder(
    launch: Callable, files: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from filelock import FileLock

    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"), pytest.raises(SystemExit):
        launch("sentiment", *files)
    assert "Another process is running in" in caplog.text


@pytest.mark.parametrize(
    "option, message",
    [
        ("optimizer.lr=nan", "optimizer.lr=nan: give a number"),
        ("optimizer.lr=-1", "optimizer.lr=-1: give a number"),
        ("optimizer.lr=abc", "optimizer.lr=abc: give a number"),
        ("schedule.warmup=1", "schedule.warmup=1: give a fraction"),
        ("threads=0", "threads=0: give auto, or at least 1"),
        ("trainer.max_minutes=-3", "trainer.max_minutes=-3: give a number greater than 0"),
    ],
)
def test_values_that_cannot_train_are_refused(
    launch: Callable, files: list[str], caplog: pytest.LogCaptureFixture, option: str, message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        launch("sentiment", *files, option)
    assert ended.value.code == 2 and message in caplog.text
