"""One experiment from its config to scores: what it refuses before it starts, and what it asks its parts for."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import nn

from data.errors import InputError
from tasks.memory.evaluation import LabelEvaluation
from training import experiment
from training.distributed import Processes
from training.experiment import (
    build_optimizer,
    counter,
    export,
    fit,
    fit_and_score,
    initialise,
    lengths_digest,
    prepared,
    resolved,
    scored,
    sized_by_data,
    start_recurrence,
    train,
    train_along,
    trained_on,
)
from training.identity import config_id
from training.result import Result
from training.trackers.base import NoTracker, RunInfo, Tracker
from training.tracking import Tracking, tracked, tracker_of

FEW = ["recipe=embedded", "data.sizes={train: 6, validation: 3, test: 2}", "data.length=5"]


@pytest.fixture
def threads() -> Iterator[None]:
    """The number of threads is that of before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_threads_are_those_of_the_config_and_are_recorded(composed: Callable) -> None:
    assert resolved(composed("sentiment", "device=cpu", "threads=2")).threads == torch.get_num_threads() == 2
    assert resolved(composed("sentiment", "device=cpu")).threads == 2
    assert resolved(composed("sentiment", "device=cpu", "threads=1")).threads == torch.get_num_threads() == 1


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("threads=0", "threads=0: give auto, or at least 1."),
        ("threads=few", "threads=few: must be a whole number."),
        ("threads=1.5", "threads=1.5: must be a whole number."),
        ("seed=x", "seed=x: must be a whole number."),
        ("device=7", "device=7: must be a word."),
        ("device=tpu", "device=tpu: choose auto, cpu, cuda or mps."),
        ("resume=maybe", "resume=maybe: must be true or false."),
        ("test=maybe", "test=maybe: must be true or false."),
        ("baselines=maybe", "baselines=maybe: must be true or false."),
        ("data_cache=7", "data_cache=7: must be a word or null."),
        ("reference_cell=7", "reference_cell=7: must be a word."),
        *((f"{name}=x", f"{name}=x: this is a section; give values to its keys.") for name in experiment.SECTIONS),
    ],
)
def test_a_value_of_another_kind_is_refused(composed: Callable, override: str, message: str) -> None:
    with open_dict(cfg := composed("sentiment", "device=cpu")):
        key, _, value = override.partition("=")
        cfg[key] = OmegaConf.create(f"x: {value}").x
    with pytest.raises(InputError) as refusal:
        resolved(cfg)
    assert str(refusal.value) == message


@pytest.mark.usefixtures("threads")
def test_a_config_of_an_earlier_version_scores_the_test_split(composed: Callable) -> None:
    with open_dict(cfg := composed("sentiment", "device=cpu", "data_cache=here")):
        del cfg["test"]
    assert resolved(cfg).test is True
    cfg.test = None
    assert resolved(cfg).test is True
    assert resolved(composed("sentiment", "device=cpu", "test=false")).test is False


@pytest.mark.usefixtures("threads")
def test_the_precision_is_that_of_the_device(composed: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(experiment, "choose_precision", lambda *given: asked.extend(given) or "bf16")
    cfg = resolved(composed("sentiment", "device=cpu", "trainer.precision=auto"))
    assert cfg.trainer.precision == "bf16" and asked == ["auto", torch.device("cpu")]


class Linear(nn.Module):
    """A model with one matrix of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 3))


@pytest.mark.parametrize("rate", [-1, -0.001, float("inf"), float("nan"), "fast"])
def test_a_learning_rate_is_a_number(composed: Callable, rate: Any) -> None:
    cfg = composed("sentiment")
    cfg.optimizer.lr = rate
    with pytest.raises(InputError) as refusal:
        build_optimizer(cfg, Linear())
    assert str(refusal.value) == f"optimizer.lr={rate}: give a number, 0 or greater."


@pytest.mark.parametrize("rate", [0, 0.5, 3])
def test_the_optimizer_has_all_parameters(composed: Callable, rate: float) -> None:
    model = Linear()
    optimizer = build_optimizer(composed("sentiment", f"optimizer.lr={rate}"), model)
    (group,) = optimizer.param_groups
    assert group["lr"] == rate and group["params"] == [model.weight]


def test_an_optimizer_may_have_no_rate(composed: Callable) -> None:
    with open_dict(cfg := composed("sentiment")):
        del cfg.optimizer["lr"]
    assert build_optimizer(cfg, Linear()).param_groups[0]["lr"] == 0.001  # the optimizer's own


def test_an_option_that_the_optimizer_refuses_is_named(composed: Callable) -> None:
    with pytest.raises(InputError, match=r"^optimizer: Invalid weight_decay value: -1"):
        build_optimizer(composed("sentiment", "optimizer.weight_decay=-1"), Linear())


def test_a_training_depends_on_all_splits_but_the_test_split() -> None:
    description = {"name": "films", "sha256": {"train": "aa", "validation": "bb", "test": "cc"}}
    assert trained_on(description) == {"train": "aa", "validation": "bb"}


def test_batches_are_made_by_the_lengths_of_the_training_split() -> None:
    def corpus(train: list[int]) -> Any:
        split = {"train": np.array(train)[::2], "validation": np.array([9])}
        return SimpleNamespace(
            splits={name: SimpleNamespace(encoded=SimpleNamespace(lengths=found)) for name, found in split.items()}
        )

    digest = lengths_digest(corpus([3, 0, 1, 0]))
    assert digest == hashlib.sha256(np.array([3, 1]).tobytes()).hexdigest()
    assert digest != lengths_digest(corpus([1, 0, 3, 0]))


def test_a_file_that_cannot_be_written_is_reported_and_costs_no_score(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result, done = Result(tmp_path, {}), []
    export(result, lambda: done.append("written"))
    assert done == ["written"] and "warnings" not in result.content and caplog.messages == []
    export(result, lambda: 1 / 0)
    assert result.content["warnings"] == ["ZeroDivisionError: division by zero"]
    said = "A file of the run folder could not be written (ZeroDivisionError: division by zero)"
    assert caplog.messages == [said] and caplog.records[0].levelname == "WARNING"


def test_the_splits_that_are_there_are_scored() -> None:
    class Scores:
        def score(self, hypotheses: list, examples: list) -> dict[str, Any]:
            return {"right": sum(a == b for a, b in zip(hypotheses, examples, strict=True))}

    given = {"train": ["a"], "test": ["a", "b"], "validation": ["c", "d"]}
    for names in (["train", "validation", "test"], ["train", "validation"]):
        corpus = SimpleNamespace(splits={name: SimpleNamespace(examples=given[name]) for name in names})
        trainer = SimpleNamespace(predict={"validation": ["a", "d"], "test": ["a", "d"]}.get)
        metrics, predictions = scored(trainer, Scores(), corpus)
        assert list(metrics) == list(predictions) == names[1:]  # the one that is reported last
        assert set(map(str, metrics.values())) == {"{'right': 1}"} and predictions["validation"] == ["a", "d"]


class Recording:
    """A recorder that may fail."""

    def __init__(self, done: list[str], fails: bool) -> None:
        self.done, self.fails = done, fails

    def start(self, trainer: Any) -> None:
        self.note("start")

    def end(self, trainer: Any) -> None:
        self.note("end")

    def note(self, what: str) -> None:
        self.done.append(what)
        if self.fails:
            raise ValueError(what)


@pytest.mark.parametrize("fails", [False, True])
def test_a_recorder_measures_before_and_after_and_may_fail(
    composed: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool
) -> None:
    done: list[str] = []
    trainer, result = SimpleNamespace(fit=lambda: done.append("fit")), Result(tmp_path, {})
    fit(composed("sentiment"), trainer, result)
    assert done == ["fit"]
    cfg = composed("sentiment", "recorder=states")
    monkeypatch.setattr(
        experiment, "build", lambda given, kind: Recording(done, fails) if given == cfg.recorder else None
    )
    fit(cfg, trainer, result)
    assert done[1:] == ["start", "fit", "end"]
    assert result.content.get("warnings", []) == (["ValueError: start", "ValueError: end"] if fails else [])


def test_recurrent_weights_start_by_a_rule_or_the_cell(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cell = nn.Module()
    start_recurrence(None, cell)
    assert caplog.messages == []
    start_recurrence("orthogonal", cell)
    assert caplog.messages == ["recurrent_weights=orthogonal has no effect: this cell has no recurrent weight matrix"]
    with pytest.raises(InputError) as refusal:
        start_recurrence("skewed", cell)
    assert str(refusal.value) == "recurrent_weights=skewed: choose orthogonal, or null for the rule of the cell."


def test_a_rule_for_recurrent_weights_is_obeyed(composed: Callable) -> None:
    cfg = composed("sentiment", "cell=rnn", "model.encoder.hidden_size=4", "recurrent_weights=orthogonal")
    model = experiment.build(cfg.model, vocab_size=5, num_labels=2)
    initialise(cfg, model, None)
    weights = [one for name, one in model.named_parameters() if "linear_hh.weight" in name]
    assert weights and all(torch.allclose(one @ one.T, torch.eye(4), atol=1e-5) for one in weights)


class Embedding:
    """Keeps the vectors that it starts with."""

    def __init__(self) -> None:
        self.vectors = SimpleNamespace(weight=torch.zeros(5, 3))

    def initialise(self, vectors: torch.Tensor) -> None:
        self.started = vectors


def test_embeddings_start_with_vectors_of_the_training_split(
    composed: Callable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    asked: list[Any] = []
    vectors = np.arange(15.0).reshape(5, 3)
    cfg = composed("sentiment", "embeddings=ppmi_svd", "seed=4")
    monkeypatch.setattr(
        experiment, "build", lambda given: lambda *arguments: asked.extend([given, *arguments]) or vectors
    )
    corpus = SimpleNamespace(splits={"train": SimpleNamespace(encoded=SimpleNamespace(embedded="the ids"))})
    model = SimpleNamespace(embedding=Embedding())
    initialise(cfg, model, corpus)
    assert asked == [cfg.embeddings, "the ids", 5, 3, 4] and model.embedding.started.tolist() == vectors.tolist()
    (said,) = caplog.messages
    assert said.startswith("embeddings made from the training split in 0.") and said.endswith(" s")
    initialise(composed("sentiment"), SimpleNamespace(), corpus)
    with pytest.raises(InputError) as refusal:
        initialise(cfg, SimpleNamespace(), corpus)
    assert str(refusal.value) == (
        "embeddings: the model of task=sentiment embeds no tokens of its inputs; leave it null."
    )


def test_parameters_are_counted_without_making_any(composed: Callable) -> None:
    cfg = composed("sentiment", *SMALL)
    count = counter({"vocab_size": 50, "num_labels": 2})
    state = torch.random.get_rng_state()
    model = experiment.build(cfg.model, vocab_size=50, num_labels=2)
    torch.random.set_rng_state(state)
    assert count(cfg) == sum(parameter.numel() for parameter in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)
    cfg.model.embedding_size = 10**6
    assert count(cfg) > 5 * 10**7


def test_a_listed_job_reads_its_data_once_and_has_its_matched_size(
    composed: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[DictConfig] = []

    def read_corpus(cfg: DictConfig) -> tuple[DictConfig, Any]:
        read.append(cfg)
        return cfg, SimpleNamespace(sizes={"vocab_size": 50 * len(read), "num_labels": 2})

    monkeypatch.setattr(experiment, "SIZES", {})
    monkeypatch.setattr(experiment, "read_corpus", read_corpus)
    given = ["recipe=embedded", *SMALL]
    first, small = sized_by_data(composed("sentiment", *given))
    assert first == read[0] and small == counter({"vocab_size": 50, "num_labels": 2})(first)
    matched = ["cell=rnn", "match=parameters", "model.encoder.hidden_size=64"]
    cfg, rnn = sized_by_data(composed("sentiment", *given, *matched))
    assert len(read) == 1 and cfg.match is None and cfg.model.encoder.hidden_size > 64 and rnn > small
    for number, other in enumerate(["split.split_seed=1", "data.sizes.train=7", "codec.max_length=9"], start=2):
        assert sized_by_data(composed("sentiment", *given, other))[1] > small and len(read) == number
    for number in (5, 6):  # choices of a recipe depend on more
        with open_dict(cfg := composed("sentiment", *given)):
            cfg.recipe = {"_target_": "a recipe"}
        sized_by_data(cfg)
        assert len(read) == number
    both = ["codec.max_length=11", "split.limit=null"]
    assert sized_by_data(composed("sentiment", *given, *both, "limit=5")) and len(read) == 7
    assert sized_by_data(composed("sentiment", *given, "codec.max_length=11", "limit=6")) and len(read) == 8


class Watch(Tracker):
    """Records every call, and fails in the one that is named."""

    package, extra = "torch", "watch"

    def __init__(self, fails: str = "") -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fails = fails

    def note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name == self.fails:
            raise ValueError("no\n  answer " + 400 * "x")

    def start(self, run: RunInfo) -> None:
        self.note("start", run)

    def log_epoch(self, epoch: int, numbers: Any) -> None:
        self.note("epoch", epoch, numbers)

    def finish(self, status: str, numbers: Any, files: Any) -> None:
        self.note("finish", status, numbers, files)


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """The record of a run in a folder with a result and pictures."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for name in ("result.json", "b.png", "a.png", "model.safetensors"):
        (tmp_path / "run" / name).write_text("")
    identity = {"task": "sentiment", "experiment": None, "cell": "gru", "config_id": "aa", "seed": 3, "options_id": "b"}
    result = Result(Path("run"), identity)
    result.add(data={"name": "films"}, metrics={"test": {"accuracy": 0.5}}, training={"epochs": 2, "kernel": "ATen"})
    return result


ROWS = [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25, "note": "text"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "ok"), (KeyboardInterrupt(), "interrupted"), (ZeroDivisionError(), "failed")],
)
def test_a_tracker_follows_a_run_from_its_start_to_its_end(
    followed: Result, tmp_path: Path, error: BaseException | None, status: str
) -> None:
    watch, cfg = Watch(), OmegaConf.create({"seed": 3, "again": "${seed}"})
    try:
        with tracked(watch, followed, cfg, ROWS[:1]) as on_epoch:
            on_epoch(ROWS[1])
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error
    folder = tmp_path.resolve() / "run"
    identity = {"task": "sentiment", "experiment": None, "cell": "gru", "config_id": "aa", "seed": 3}
    assert watch.calls == [
        ("start", RunInfo("sentiment: gru on films, seed 3", folder, identity, {"seed": 3, "again": 3})),
        ("epoch", 1, {"epoch": 1.0, "train_loss": 0.5}),
        ("epoch", 2, {"epoch": 2.0, "train_loss": 0.25}),
        (
            "finish",
            status,
            {"metrics/test/accuracy": 0.5, "training/epochs": 2.0},
            [folder / name for name in ("result.json", "a.png", "b.png")],
        ),
    ]
    assert "warnings" not in followed.content


@pytest.mark.parametrize(("fails", "calls"), [("start", 1), ("epoch", 2), ("finish", 4)])
def test_a_tracker_that_fails_is_switched_off_with_a_warning(
    followed: Result, caplog: pytest.LogCaptureFixture, fails: str, calls: int
) -> None:
    watch = Watch(fails)
    with tracked(watch, followed, OmegaConf.create({}), ROWS):
        pass
    reason = f"ValueError: {('no answer ' + 400 * 'x')[:300]}"
    assert len(watch.calls) == calls and followed.content["warnings"] == [f"tracker=watch: {reason}"]
    said = f"tracker=watch failed and is switched off for the rest of this run ({reason})"
    assert caplog.messages == [said] and caplog.records[0].levelname == "WARNING"


def test_a_run_without_a_result_file_has_none_to_show(followed: Result) -> None:
    (followed.directory / "result.json").unlink()
    watch = Watch()
    Tracking(watch, followed).finish("failed")
    assert [path.name for path in watch.calls[0][3]] == ["a.png", "b.png"]


def test_the_tracker_of_a_config_has_its_package(composed: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(tracker_of(OmegaConf.create({})), NoTracker)
    assert isinstance(tracker_of(composed("sentiment", "tracker=none")), NoTracker)
    monkeypatch.setattr("training.trackers.base.find_spec", lambda package: None)
    with pytest.raises(InputError, match="tracker=tensorboard needs the package tensorboard"):
        tracker_of(composed("sentiment", "tracker=tensorboard"))
    with pytest.raises(InputError, match="must be Tracker"):
        tracker_of(OmegaConf.create({"tracker": {"_target_": "training.result.Result"}}))


CPU = torch.device("cpu")


class Pair(Processes):
    """The first of two processes, which keeps what it is asked."""

    size = 2

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def device(self, device: torch.device) -> torch.device:
        self.asked.append(("device", device))
        return device

    def check_same(self, facts: dict[str, Any]) -> None:
        self.asked.append(("same", facts))

    def broadcast_weights(self, model: nn.Module) -> None:
        self.asked.append(("weights", [weight.clone() for weight in model.parameters()]))


@pytest.fixture
def setting_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is set up for a device and its memory."""
    asked: list[tuple[Any, ...]] = []
    for name in ("limit_kernel_cache", "keep_freed_memory", "use_deterministic_kernels", "reset_peak_memory"):
        monkeypatch.setattr(experiment, name, lambda *given, name=name: asked.append((name, *given)))
    return asked


@pytest.mark.usefixtures("threads")
def test_a_training_is_prepared_from_its_config_alone(
    composed: Callable,
    setting_up: list,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def matched(cfg: DictConfig, count: Callable[[DictConfig], int]) -> DictConfig:
        counted.append(count(cfg))
        return OmegaConf.merge(cfg, {"match": None, "model": {"encoder": {"hidden_size": 9}}})

    counted: list[int] = []
    monkeypatch.setattr(experiment, "match_parameters", matched)
    caplog.set_level(logging.INFO)
    given = [*SMALL, *FEW, "cell=rnn", "seed=7", "recurrent_weights=orthogonal"]
    cfg = resolved(composed("memory", *given, "match=parameters"))
    processes = Pair()
    found, trainer, description = prepared(cfg, tmp_path, processes)
    assert setting_up == [
        ("limit_kernel_cache",),
        ("keep_freed_memory",),
        ("use_deterministic_kernels", CPU),
        ("reset_peak_memory", CPU),
    ]
    assert caplog.messages[0] == "reading the data"
    assert found.match is None and found.model.encoder.hidden_size == 9
    assert counted == [counter(trainer.corpus.sizes)(cfg)]
    corpus, hashes = trainer.corpus, description["sha256"]
    identity = {
        "config_id": config_id(found),
        "seed": 7,
        "data": {"train": hashes["train"], "validation": hashes["validation"]},
    }
    assert trainer.identity == identity and description == corpus.description()
    assert (trainer.directory, trainer.device, trainer.seed) == (tmp_path, CPU, 7)
    facts = {**identity, "sizes": corpus.sizes, "lengths": lengths_digest(corpus)}
    weights = [weight.clone() for weight in trainer.model.parameters()]
    assert processes.asked[:2] == [("device", CPU), ("same", facts)] and processes.asked[2][0] == "weights"
    assert all(map(torch.equal, processes.asked[2][1], weights)) and trainer.processes is processes
    (matrix,) = [one for name, one in trainer.model.named_parameters() if "linear_hh.weight" in name]
    assert torch.allclose(matrix @ matrix.T, torch.eye(len(matrix)), atol=1e-4)
    optimized = trainer.optimizer.param_groups[0]["params"]
    assert len(optimized) == len(weights) and set(map(id, optimized)) == set(map(id, trainer.model.parameters()))


@pytest.mark.usefixtures("threads", "setting_up")
def test_one_seed_gives_one_model(composed: Callable, tmp_path: Path) -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        cfg = resolved(composed("memory", *SMALL, *FEW, f"seed={seed}"))
        return list(prepared(cfg, tmp_path, Processes())[1].model.parameters())

    assert all(map(torch.equal, weights(7), weights(7))) and not all(map(torch.equal, weights(7), weights(8)))


@pytest.mark.usefixtures("threads", "setting_up")
def test_what_is_remarkable_about_the_data_is_logged_and_scores_know_the_training_split(
    composed: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    fitted: list[Any] = []
    monkeypatch.setattr(LabelEvaluation, "fit", lambda self, train: fitted.append(train))
    read = experiment.read_corpus

    def noted(cfg: DictConfig) -> Any:
        cfg, corpus = read(cfg)
        corpus.notes = ["100 % of it is generated", "Another."]
        return cfg, corpus

    monkeypatch.setattr(experiment, "read_corpus", noted)
    cfg = resolved(composed("memory", *SMALL, *FEW))
    _, trainer, _ = prepared(cfg, tmp_path, Processes())
    assert caplog.messages[:3] == ["reading the data", "100 % of it is generated", "Another."]
    assert fitted == [trainer.corpus.splits["train"].examples]


class Prepared(SimpleNamespace):
    """A trainer of a model with six weights."""

    @classmethod
    def of(cls, folder: Path, **changes: Any) -> "Prepared":
        model = Linear()
        model.kernel_name = lambda device: f"a loop on {device}"
        codec = SimpleNamespace(save=lambda directory: (directory / "codec.json").write_text("{}"))
        splits = {name: SimpleNamespace(examples=[name]) for name in ("train", "validation", "test")}
        given = {
            "model": model,
            "device": CPU,
            "precision": "fp32",
            "identity": {"config_id": "0a1b2c3d"},
            "corpus": SimpleNamespace(codec=codec, splits=splits),
            "check_metric": list,
            "directory": folder,
            "history": [{"epoch": 1}],
            "progress": SimpleNamespace(best_epoch=4),
            "predict": lambda split: [f"answer to {split}"],
            "selection": lambda: {"metric": "accuracy", "epoch": 4},
            "summary": lambda: {"epochs": 5, "precision": "unknown"},
        }
        return cls(**{**given, **changes})


@pytest.fixture
def trained(
    composed: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Callable[..., tuple[Result, list[Any]]]:
    """``trained(trainer, *overrides)``: the record of a training, and what ``fit_and_score`` was given."""
    caplog.set_level(logging.INFO)

    def start(trainer: Prepared, *overrides: str, processes: Any = None) -> tuple[Result, list[Any]]:
        cfg, seen = composed("memory", "seed=3", *overrides), []
        processes = processes or Processes()

        def prepare(*asked: Any) -> Any:
            assert asked == (cfg, tmp_path, processes)
            return OmegaConf.merge(cfg, {"trainer": {"max_epochs": 77}}), trainer, {"name": "films"}

        monkeypatch.setattr(experiment, "prepared", prepare)
        monkeypatch.setattr(experiment, "environment", lambda device: {"device": str(device)})
        monkeypatch.setattr(experiment, "fit_and_score", lambda *asked: seen.extend(asked) or 0.5)
        result = Result(tmp_path, {"task": "memory", "cell": "gru", "seed": 3})
        try:
            assert train(cfg, tmp_path, result, processes) == 0.5
        except InputError:
            seen.append("refused")
        return result, seen

    return start


def test_a_training_is_recorded_before_it_begins(
    trained: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Prepared.of(tmp_path, resume=lambda: 1 / 0)
    result, (cfg, given, same) = trained(trainer)
    assert (given, same, result.began, cfg.trainer.max_epochs) == (trainer, result, True, 77)
    assert {key: result.content[key] for key in ("config_id", "data", "parameters", "environment")} == {
        "config_id": "0a1b2c3d",
        "data": {"name": "films"},
        "parameters": 6,
        "environment": {"device": "cpu"},
    }
    assert caplog.messages == ["memory: gru on films, seed 3, 6 parameters, cpu, fp32, a loop on cpu"]
    assert callable(trainer.on_epoch) and (tmp_path / "codec.json").read_text() == "{}"
    assert OmegaConf.load(tmp_path / "config.yaml") == OmegaConf.to_container(cfg, resolve=True)
    assert "${" not in (tmp_path / "config.yaml").read_text()


def test_several_processes_are_logged(trained: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained(Prepared.of(tmp_path), processes=Pair())
    assert caplog.messages[0].endswith("6 parameters, cpu, fp32, a loop on cpu, 2 processes")


@pytest.mark.parametrize("found", [True, False])
def test_a_training_is_resumed_if_there_is_one(
    trained: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture, found: bool
) -> None:
    result, _ = trained(Prepared.of(tmp_path, resume=lambda: found), "resume=true")
    nothing = "There is nothing to resume: no earlier run of this config and seed saved a checkpoint."
    assert caplog.messages[1:] == ([] if found else [nothing]) and result.began


@pytest.mark.parametrize("refusing", ["check_metric", "resume"])
def test_a_training_that_is_refused_has_not_begun(trained: Callable, tmp_path: Path, refusing: str) -> None:
    def refuse() -> None:
        raise InputError("no")

    result, seen = trained(Prepared.of(tmp_path, **{"resume": list, refusing: refuse}), "resume=true")
    assert seen == ["refused"] and result.began is False and list(tmp_path.iterdir()) == []


def test_a_tracker_without_its_package_is_refused_before_the_data_are_read(
    trained: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("training.trackers.base.find_spec", lambda package: None)
    assert trained(Prepared.of(tmp_path), "tracker=tensorboard")[1] == ["refused"] and caplog.messages == []


@pytest.mark.parametrize("resume", [True, False])
def test_other_processes_train_along(composed: Callable, monkeypatch: pytest.MonkeyPatch, resume: bool) -> None:
    done: list[str] = []
    trainer = SimpleNamespace(resume=lambda: done.append("resume"), fit=lambda: done.append("fit"))
    cfg, processes = composed("memory", f"resume={str(resume).lower()}"), Pair()

    def prepare(*asked: Any) -> Any:
        assert asked == (cfg, Path(), processes)
        return cfg, trainer, {}

    monkeypatch.setattr(experiment, "prepared", prepare)
    assert train_along(cfg, processes) is None and done == (["resume", "fit"] if resume else ["fit"])


class Scored:
    """Scores, intervals and files of an evaluation, each of which may fail."""

    def __init__(self, done: list[Any], fails: bool) -> None:
        self.done, self.fails = done, fails

    def note(self, *what: Any) -> None:
        self.done.append(what)
        if self.fails:
            raise ValueError(what[0])

    def score(self, hypotheses: list[str], examples: list[str]) -> dict[str, float]:
        assert hypotheses == [f"answer to {examples[0]}"]
        return {"accuracy": {"validation": 0.75, "test": 0.5}[examples[0]]}

    def intervals(self, hypotheses: list[str], examples: list[str]) -> dict[str, list[float]]:
        self.note("intervals", hypotheses, examples)
        return {"accuracy": [0.4, 0.6]}

    def write(self, directory: Path, hypotheses: list[str], examples: list[str]) -> None:
        self.note("write", directory, hypotheses, examples)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("baselines", "test"), [(True, True), (False, False)])
def test_scores_are_safe_before_anything_else_is_written(
    composed: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool, baselines: bool, test: bool
) -> None:
    done: list[Any] = []
    evaluation, result = Scored(done, fails), Result(tmp_path, {"task": "memory"})
    trainer = Prepared.of(tmp_path, evaluation=evaluation)
    last = "test" if test else "validation"
    if not test:
        del trainer.corpus.splits["test"]
    written = tmp_path / "result.json"

    def add_baselines(metrics: dict, *given: Any) -> None:
        assert json.loads(written.read_text())["status"] == "ok" and metrics is result.content["metrics"]
        evaluation.note("baselines", *given)

    monkeypatch.setattr(experiment, "fit", lambda *given: done.append(("fit", *given)))
    monkeypatch.setattr(experiment, "write_checksums", lambda *given: done.append(("checksums", *given)))
    monkeypatch.setattr(experiment, "peak_memory_mb", {CPU: 12.5}.get)
    monkeypatch.setattr(experiment, "add_baselines", add_baselines)
    monkeypatch.setattr(experiment, "learning_curve", lambda *given: evaluation.note("curve", *given))
    cfg = composed("memory", f"baselines={str(baselines).lower()}")
    assert fit_and_score(cfg, trainer, result) == 0.75
    answers = [f"answer to {last}"], [last]
    assert done == [
        ("fit", cfg, trainer, result),
        ("checksums", tmp_path, trainer.corpus.codec),
        *([("baselines", evaluation, trainer.corpus)] if baselines else []),
        ("intervals", *answers),
        ("write", tmp_path, *answers),
        ("curve", [{"epoch": 1}], "accuracy", 4, tmp_path / "learning_curve.png"),
    ]
    content = json.loads(written.read_text())
    assert content["status"] == "ok" and content["selection"] == {"metric": "accuracy", "epoch": 4}
    assert content["metrics"] == {"validation": {"accuracy": 0.75}, **({"test": {"accuracy": 0.5}} if test else {})}
    assert content["training"] == {
        "epochs": 5,
        "peak_memory_mb": 12.5,
        "precision": "fp32",
        "kernel": "a loop on cpu",
    }
    failed = [*(["baselines"] if baselines else []), "intervals", "write", "curve"]
    assert result.content.get("warnings", []) == ([f"ValueError: {name}" for name in failed] if fails else [])
    assert result.content.get("intervals") == (None if fails else {last: {"accuracy": [0.4, 0.6]}})
