"""Run folders from anywhere: loaded as they were saved, or refused in one sentence that names the file."""

import hashlib
import json
import platform
import shutil
import struct
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from conftest import TASKS
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError

import training.load
from data.errors import InputError
from training import result
from training.checksums import (
    CHECKSUMS,
    read_checksums,
    saved_files,
    sha256,
    verify_checksums,
    write_checksums,
)
from training.folders import (
    CHECKPOINTS,
    CONFIG,
    LOG,
    RESULT,
    WEIGHTS,
    cell_name,
    job_name,
    read_result,
    register_resolvers,
    remove_empty_run,
    run_name,
    status_of,
    unfinished,
)
from training.identity import config_id
from training.load import check_weights, load, load_config, load_task, stored_tensors
from training.result import Result
from training.trials import with_trial

CPU = torch.device("cpu")


@pytest.fixture
def copied(saved: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """``copied(task)``: a run folder to tamper with; without checksums, as a stranger would send it."""

    def copy(task: str = "sentiment", checksums: bool = False) -> Path:
        folder = Path(shutil.copytree(saved[task], tmp_path / task))
        if not checksums:
            (folder / CHECKSUMS).unlink()
        return folder

    return copy


def refusal(folder: Path) -> str:
    """The sentence by which a folder is refused."""
    with pytest.raises(InputError) as error:
        load(folder, CPU)
    message = str(error.value)
    assert str(folder) in message and "\n" not in message and len(message) < 600 + len(str(folder))
    return message


def edit_config(folder: Path, key: str, value: Any) -> None:
    """Set ``a.b.c`` in the config of a folder; ``...`` removes it."""
    path = folder / CONFIG
    cfg = yaml.safe_load(path.read_text())
    *parents, last = key.split(".")
    node = cfg
    for parent in parents:
        node = node[parent]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    path.write_text(yaml.safe_dump(cfg))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("checksums", [True, False])
def test_a_folder_is_loaded_as_it_was_saved(
    copied: Callable, saved: dict[str, Path], task: str, checksums: bool
) -> None:
    folder = copied(task, checksums=checksums)
    cfg, codec, model = load(folder, CPU)
    assert cfg == OmegaConf.load(saved[task] / CONFIG)
    stored = safetensors.torch.load_file(saved[task] / WEIGHTS)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in stored.items())
    again = folder / "again"
    again.mkdir()
    codec.save(again)
    files = [path.relative_to(again) for path in again.rglob("*") if path.is_file()]
    assert files and all((again / name).read_bytes() == (saved[task] / name).read_bytes() for name in files)


CONFIG_EDITS: list[tuple[str, str, Any, str]] = [
    ("sentiment", "codec", "${oc.decode:'{_target_: torch.hub.load, repo_or_dir: /tmp, source: local}'}", "resolvers"),
    ("sentiment", "model.dropout", "${oc.env:HOME}", "resolvers"),
    ("sentiment", "model.embedding_size", "${model.encoder.hidden_size}", "resolvers"),
    ("sentiment", "unused", ["a", {"b": "${now:%Y}"}], "resolvers"),
    ("sentiment", "codec._target_", "data.sources.language.__main__.main", "may be named"),
    ("sentiment", "codec._target_", "analysis.compare.main", "may be named"),
    ("sentiment", "codec._target_", "torch.hub.load", "may be named"),
    ("sentiment", "codec._target_", "os.system", "may be named"),
    ("sentiment", "codec._target_", "training.device.os.system", "may be named"),
    ("sentiment", "codec._target_", "data.vocabulary.Vocabulary.load", "may be named"),
    ("sentiment", "codec._target_", "data.vocabulary.Path", "may be named"),
    ("sentiment", "codec._target_", "data.vocabulary.Vocabulary", "must be Codec"),
    ("sentiment", "codec._target_", "tasks.sentiment.model.SentimentClassifier", "must be Codec"),
    ("sentiment", "codec._target_", "training.schedules.linear", "must be Codec"),
    ("sentiment", "codec._target_", "data.corpus.Codec", "config"),
    ("sentiment", "codec._target_", "data..corpus", "does not have"),
    ("sentiment", "codec._target_", "data.nowhere.Codec", "does not have"),
    ("sentiment", "codec._target_", 5, "must be a part"),
    ("sentiment", "codec._target_", None, "must be a part"),
    ("sentiment", "codec._target_", ["a"], "must be a part"),
    ("sentiment", "codec._target_", "", "may be named"),
    ("sentiment", "codec._target_", ..., "must be a part"),
    ("sentiment", "codec", ..., "must be a part"),
    ("sentiment", "codec", None, "must be a part"),
    ("sentiment", "codec", "words", "must be a part"),
    ("sentiment", "codec", [1, 2], "must be a part"),
    ("sentiment", "codec._partial_", True, "must be Codec"),
    ("sentiment", "codec._partial_", "yes please", "must be true or false"),
    ("sentiment", "codec._args_", [1], "no such argument"),
    ("sentiment", "codec._recursive_", False, "no such argument"),
    ("sentiment", "codec._convert_", "all", "no such argument"),
    ("sentiment", "codec.keep", "middle", "middle"),
    ("sentiment", "codec.keep", 3, "must be a word"),
    ("sentiment", "codec.min_count", "???", "must be given"),
    ("sentiment", "codec.min_counts", 2, "did you mean min_count?"),
    ("sentiment", "codec.max_length", "many", "must be a whole number or null"),
    ("sentiment", "codec.tokenizer", 5, "must be Tokenizer"),
    ("sentiment", "codec.tokenizer", None, "must be Tokenizer"),
    ("sentiment", "codec.tokenizer", {"_target_": "data.sources.generated.GeneratedLanguage"}, "must be Tokenizer"),
    ("sentiment", "codec.tokenizer", {"_target_": "data.tokenizers.Tokenizer"}, "config"),
    ("sentiment", "codec.keep", {"_target_": "data.tokenizers.CharacterTokenizer", "lowercase": True}, "must be"),
    ("sentiment", "model", ..., "must be a part"),
    ("sentiment", "model", "x", "must be a part"),
    ("sentiment", "model._target_", "torch.optim.AdamW", "must be TaskModel"),
    ("sentiment", "model._target_", "tasks.tagging.model.Tagger", "no such argument"),
    ("sentiment", "model.encoder", None, "must be Encoder"),
    ("sentiment", "model.encoder._target_", "models.pooling.FinalPooling", "must be Encoder"),
    ("sentiment", "model.encoder.cell", {"_target_": "torch.optim.AdamW", "_partial_": True}, "must be Cell"),
    ("sentiment", "model.encoder.cell._partial_", False, "must be Cell"),
    ("sentiment", "model.encoder.cell._target_", "models.cells.no.Cell", "does not have"),
    ("sentiment", "model.encoder.cell._target_", "models.cells.base.Cell", "config"),
    ("sentiment", "model.encoder.cell._target_", "models.cells.gru.GRUCell", "no such argument"),
    ("sentiment", "model.encoder.num_layers", 10**6, "must be at most 100"),
    ("sentiment", "model.encoder.num_layers", 10**30, "must be at most 100"),
    ("sentiment", "model.encoder.num_layers", 100, "has no weights named"),
    ("sentiment", "model.encoder.num_layers", 0, "config"),
    ("sentiment", "model.encoder.num_layers", 1.5, "must be a whole number"),
    ("sentiment", "model.encoder.hidden_size", 10**6, "model.safetensors"),
    ("sentiment", "model.encoder.hidden_size", 10**40, "config"),
    ("sentiment", "model.encoder.hidden_size", -8, "must be at least 1"),
    ("sentiment", "model.encoder.hidden_size", 9, "model.safetensors"),
    ("sentiment", "model.encoder.hidden_size", True, "must be a whole number"),
    ("sentiment", "model.embedding_size", 10**12, "input_size=8 cannot read inputs of 1000000000000 features"),
    ("sentiment", "model.embedding_size", 0, "must be at least 1"),
    ("sentiment", "model.dropout", float("nan"), "must be a number"),
    ("sentiment", "model.dropout", 7, "config"),
    ("sentiment", "model.pooling", ..., "config"),
    ("sentiment", "model.pooling", {"_target_": "models.pooling.FinalPooling", "_partial_": True}, "model.safetensors"),
    ("sentiment", "model.pooling", {"_target_": "models.bridge.FinalBridge", "_partial_": True}, "must be Pooling"),
    ("tagging", "model.characters.second.features.widths", [10**9], "must be at most 100"),
    ("tagging", "model.characters.second.features.widths", [2] * 1000, "must be at most 100"),
    ("tagging", "model.characters.second.features.widths", [2, "x"], "must be"),
    ("tagging", "model.characters.second.features.widths", [], "tagging"),
    ("tagging", "model.characters.first.buckets", 10**15, "model.safetensors"),
    ("tagging", "model.characters.second.features.filters", 10**8, "tagging"),
    ("tagging", "model.head", {"_target_": "tasks.tagging.heads.SoftmaxHead", "_partial_": True}, "config"),
    ("tagging", "codec.max_characters", 0, "config"),
    ("tagging", "codec.max_characters", "all", "must be a whole number"),
    ("translation", "model.search.beam", 10**6, "must be at most 1000"),
    ("translation", "model.search.beam", 0, "config"),
    ("translation", "model.search.max_length_factor", 1e9, "must be at most 100"),
    ("translation", "model.search.max_length_factor", float("inf"), "must be a number"),
    ("translation", "model.search.max_length_extra", 10**9, "must be at most 10000"),
    ("translation", "model.search._target_", "torch.optim.AdamW", "must be BeamSearch"),
    ("translation", "model.decoder.attention", ..., "config"),
    ("translation", "model.decoder.num_layers", 10**6, "must be at most 100"),
    ("translation", "model.tied_output", False, "model.safetensors"),
    ("translation", "model.shared_embedding", "no", "must be true or false"),
    ("translation", "codec.joint", False, "tokenizer.model"),
    ("translation", "codec.tokenizer.model_type", "word", "config"),
]


@pytest.mark.parametrize(
    "task, key, value, message", CONFIG_EDITS, ids=[f"{key}={str(value)[:40]}" for _, key, value, _ in CONFIG_EDITS]
)
def test_a_config_that_no_run_writes_is_refused(
    copied: Callable, task: str, key: str, value: Any, message: str
) -> None:
    folder = copied(task)
    edit_config(folder, key, value)
    assert message in refusal(folder)


@pytest.mark.parametrize("value", [..., None, 5, "x", True, [], {}, [{"_target_": "torch.optim.AdamW"}]], ids=str)
@pytest.mark.parametrize("key", ["codec", "model"])
def test_where_a_config_has_no_part_its_place_is_named(copied: Callable, key: str, value: Any) -> None:
    folder = copied()
    edit_config(folder, key, value)
    assert refusal(folder) == f"{folder / CONFIG}: {key}: must be a part, with the name of a class under _target_."


@pytest.mark.parametrize("place", ["codec", "codec.tokenizer", "model", "model.encoder", "model.encoder.cell"])
@pytest.mark.parametrize(
    "target, reason",
    [("os.system", "only classes of this suite"), ("models.nowhere.Cell", "this version does not have it")],
)
def test_where_a_config_names_what_it_may_not_the_place_is_named(
    copied: Callable, place: str, target: str, reason: str
) -> None:
    folder = copied()
    edit_config(folder, f"{place}._target_", target)
    assert refusal(folder).startswith(f"{folder / CONFIG}: {place}._target_={target}: {reason}")


@pytest.mark.parametrize(
    "place, what",
    [
        ("codec.tokenizer", "Tokenizer"),
        ("model.encoder", "Encoder"),
        ("model.encoder.cell", "Cell with _partial_: true"),
    ],
)
def test_where_a_config_lacks_a_part_its_place_is_named(copied: Callable, place: str, what: str) -> None:
    folder = copied()
    edit_config(folder, place, ...)
    assert refusal(folder) == f"{folder / CONFIG}: {place}: must be given, and be {what}."


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "must be a part"),
        (b"just text", "must be a part"),
        (b"- a\n- b\n", "not a mapping"),
        (b"a: [1, 2", "damaged"),
        (b"a: 1\na: 2\n", "damaged"),
        (b"a: b: c\n", "damaged"),
        (b"\xff\xfe\x00a", "damaged"),
        (b"\x00\x01\x02", "damaged"),
        (b"{a: 1}\n---\n{b: 2}\n", "damaged"),
        (LAUGHS.encode(), "aliases"),
        (b"a: &a\n  b: *a\n", "aliases"),
        (b"[" * 5000, "deep nesting"),
        (b"{a: " * 5000, "deep nesting"),
        (b"a: !!python/object/apply:os.system ['true']\n", "tags"),
        (b"a: !!binary aGFsbG8=\n", "tags"),
        (b"a: " + b"x" * 200_000, "bytes"),
        (b"codec: {_target_: data.classification.ClassificationCodec}\n", "config"),
    ],
    ids=range(17),
)
def test_a_damaged_config_is_refused(copied: Callable, content: bytes, message: str) -> None:
    folder = copied()
    (folder / CONFIG).write_bytes(content)
    assert message in refusal(folder)


SYMBOL_FILES = [
    ("sentiment", "vocabulary.json"),
    ("sentiment", "labels.json"),
    ("tagging", "vocabulary.json"),
    ("tagging", "characters.json"),
    ("tagging", "tags.json"),
    ("translation", "pieces/vocabulary.json"),
]


@pytest.mark.parametrize("task, name", SYMBOL_FILES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b'"good"',
        b"{}",
        b'["a", 5]',
        b'["a", "a"]',
        b"[" * 10_000,
        b"\xff\xfe",
        b'["a"]',
        b"[]",
        None,
    ],
    ids=str,
)
def test_a_damaged_list_of_symbols_is_refused(copied: Callable, task: str, name: str, content: bytes | None) -> None:
    folder = copied(task)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    sound = content == b'["a"]'  # a list, but of another length than the weights
    assert (WEIGHTS if sound else name) in refusal(folder)


@pytest.mark.parametrize("task, name", SYMBOL_FILES)
def test_a_folder_in_the_place_of_a_file_is_refused(copied: Callable, task: str, name: str) -> None:
    folder = copied(task)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert name in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"x", b"\x0a\x05\x0a\x01a\x15\x00\x00\x00\x00", None], ids=str)
def test_a_damaged_tokenizer_is_refused(copied: Callable, content: bytes | None) -> None:
    folder = copied("translation")
    path = folder / "pieces" / "tokenizer.model"
    path.unlink() if content is None else path.write_bytes(content)
    assert path.name in refusal(folder)


def with_first(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict], dict]:
    """Weights of which the first matrix is changed."""

    def edit(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        name = min(name for name, tensor in tensors.items() if tensor.dim() > 1)
        return {**tensors, name: change(tensors[name]).contiguous()}

    return edit


def set_one(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[0] = value
        return tensor

    return change


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "edit",
    [
        with_first(set_one(float("nan"))),
        with_first(set_one(float("inf"))),
        with_first(lambda tensor: tensor.to(torch.int8)),
        with_first(lambda tensor: tensor.double()),
        with_first(lambda tensor: tensor.half()),
        with_first(lambda tensor: tensor.flatten()),
        with_first(lambda tensor: tensor[:-1]),
        with_first(lambda tensor: tensor[:0]),
        lambda tensors: {**tensors, "more": torch.zeros(3)},
        lambda tensors: dict(list(tensors.items())[1:]),
        lambda tensors: {},
    ],
    ids=["nan", "inf", "int8", "double", "half", "flat", "short", "empty", "more", "fewer", "none"],
)
def test_weights_of_another_kind_are_refused(copied: Callable, task: str, edit: Callable[[dict], dict]) -> None:
    folder = copied(task)
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    safetensors.torch.save_file(edit(tensors), folder / WEIGHTS)
    assert WEIGHTS in refusal(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:4],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"more",
        lambda content: struct.pack("<Q", 2**62) + content[8:],
        lambda content: struct.pack("<Q", 10**9) + content[8:],
        lambda content: content[:8] + b"x" + content[9:],
        lambda content: content.replace(b"F32", b"F99", 1),
        lambda content: b"\x80\x02ccollections\nOrderedDict\n.",
    ],
    ids=["empty", "start", "half", "longer", "huge header", "large header", "no JSON", "no type", "pickle"],
)
def test_a_damaged_weights_file_is_refused(copied: Callable, damage: Callable[[bytes], bytes]) -> None:
    folder = copied()
    path = folder / WEIGHTS
    path.write_bytes(damage(path.read_bytes()))
    assert WEIGHTS in refusal(folder)


@pytest.mark.parametrize("task", TASKS)
def test_a_flipped_bit_is_found_by_the_checksum(copied: Callable, saved: dict[str, Path], task: str) -> None:
    folder = copied(task, checksums=True)
    for name in json.loads((folder / CHECKSUMS).read_text()):
        content = bytearray((saved[task] / name).read_bytes())
        content[-3] ^= 1
        (folder / name).write_bytes(content)
        assert name in refusal(folder)
        (folder / name).write_bytes((saved[task] / name).read_bytes())
    load(folder, CPU)


@pytest.mark.parametrize(
    "content", ["", "[]", "5", '{"../other": "x"}', '{"/etc/passwd": "x"}', '{"model.safetensors": 5}']
)
def test_damaged_checksums_are_refused(copied: Callable, content: str) -> None:
    folder = copied()
    (folder / CHECKSUMS).write_text(content)
    refusal(folder)


def test_checksums_cover_all_that_is_loaded(copied: Callable) -> None:
    for task in TASKS:
        folder = copied(task, checksums=True)
        names = set(json.loads((folder / CHECKSUMS).read_text()))
        assert names == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {CHECKSUMS}


def test_a_run_records_checksums_and_a_missing_folder_is_named(
    launch: Callable, files: list[str], tmp_path: Path
) -> None:
    folder = launch("sentiment", *files, "trainer.max_epochs=1")
    assert {CONFIG, WEIGHTS} <= json.loads((folder / CHECKSUMS).read_text()).keys()
    load(folder, CPU)
    assert "is not a run folder" in refusal(tmp_path / "gone")
    (folder / WEIGHTS).unlink()
    assert f"has no {WEIGHTS}" in refusal(folder)


IDENTITY = {"task": "sentiment", "cell": "gru", "data": {"name": "sst2"}, "seed": 3}


def test_a_result_says_how_a_run_ended(tmp_path: Path) -> None:
    record = Result(tmp_path, IDENTITY)
    assert record.title == "sentiment: gru on sst2, seed 3" and record.began is False
    record.add(epochs=2)
    record.write("failed", "no memory")
    found = read_result(tmp_path)
    assert found.items() >= {**IDENTITY, "schema": 1, "status": "failed", "reason": "no memory", "epochs": 2}.items()
    assert datetime.fromisoformat(found["started"]) <= datetime.fromisoformat(found["ended"])
    assert datetime.fromisoformat(found["ended"]).utcoffset() == timedelta(0) and len(found["ended"]) == 25
    assert "warnings" not in found and status_of(tmp_path) == "failed"


def test_a_failure_after_the_scores_costs_none(tmp_path: Path) -> None:
    record = Result(tmp_path, IDENTITY)
    record.warn("a picture")
    record.write("ok")
    assert "reason" not in read_result(tmp_path)
    record.write("failed", "no space")
    assert read_result(tmp_path)["warnings"] == ["a picture", "no space"]
    assert status_of(tmp_path) == "ok" and "reason" not in read_result(tmp_path)
    record.write("ok", "stopped early")
    assert read_result(tmp_path)["reason"] == "stopped early" and len(read_result(tmp_path)["warnings"]) == 2


def test_the_environment_names_the_machine_and_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "hardware_name", lambda device: f"a {device.type}")
    monkeypatch.setattr(result, "commit", lambda: {"commit": "abc", "dirty": False})
    found = result.environment(torch.device("cpu"))
    assert list(found) == ["python", "torch", "platform", "cpu", "threads", "device", "commit", "dirty"]
    assert (found["python"], found["torch"]) == (platform.python_version(), torch.__version__)
    assert (found["cpu"], found["device"], found["commit"]) == ("a cpu", "cpu", "abc")
    assert found["threads"] == torch.get_num_threads() and found["platform"] == platform.platform()
    monkeypatch.setattr(result, "world_size", lambda: 2)
    found = result.environment(torch.device("cuda", 1))
    assert (found["processes"], found["cpu"], found["device"]) == (2, "a cpu", "cuda:1 (a cuda)")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose package ``training`` holds the code of results."""
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "result.py").write_text("code\n")
    monkeypatch.setattr(result, "__file__", str(tmp_path / "training" / "result.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_the_commit_of_a_checkout_and_whether_its_files_differ(checkout: Path) -> None:
    def git(*arguments: str) -> str:
        user = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        done = subprocess.run(["git", "-C", str(checkout), *user, *arguments], capture_output=True, text=True)
        return done.stdout.strip()

    assert result.commit() == {"commit": None, "dirty": None}
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert result.commit() == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (checkout / "notes").touch()  # which is no part of the checkout
    assert result.commit()["dirty"] is False
    (checkout / "training" / "result.py").write_text("other\n")
    assert result.commit() == {"commit": git("rev-parse", "HEAD"), "dirty": True}


def test_without_git_a_run_has_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert result.commit() == {"commit": None, "dirty": None}


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff", b"5"])
def test_a_result_that_cannot_be_read_is_empty(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / RESULT).write_bytes(content)
    assert read_result(tmp_path) == {} and status_of(tmp_path) is None
    (tmp_path / RESULT).write_text('{"status": "é"}', encoding="utf-8")
    assert status_of(tmp_path) == "é"


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_a_run_is_unfinished_with_a_config_and_a_checkpoint_and_no_score(tmp_path: Path, checkpoint: str) -> None:
    assert not unfinished(tmp_path)
    (tmp_path / checkpoint).touch()
    assert not unfinished(tmp_path)
    (tmp_path / CONFIG).touch()
    assert unfinished(tmp_path)
    for status, left in (("failed", True), ("interrupted", True), ("ok", False)):
        (tmp_path / RESULT).write_text(json.dumps({"status": status}))
        assert unfinished(tmp_path) is left
    (tmp_path / RESULT).unlink()
    (tmp_path / checkpoint).unlink()
    assert not unfinished(tmp_path)


@pytest.mark.parametrize(
    "names, removed", [([], True), ([RESULT], True), ([RESULT, LOG], True), ([LOG, "notes"], False), ([CONFIG], False)]
)
def test_only_the_folder_of_a_run_that_never_began_is_removed(tmp_path: Path, names: list[str], removed: bool) -> None:
    folder = tmp_path / "run"
    remove_empty_run(folder)
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    remove_empty_run(folder)
    assert folder.exists() is not removed


def test_a_job_is_named_by_its_cell_and_its_seed(composed: Callable[..., DictConfig]) -> None:
    cfg = composed("sentiment", "cell=gru", "seed=7")
    cell, *rest, seed = job_name(_root_=cfg).split("-")
    assert (cell, rest, seed) == ("gru", [config_id(cfg)], "seed7")
    assert cell_name(OmegaConf.create({})) == "none" and cell_name(OmegaConf.create({"cell": None})) == "none"


def test_configs_name_run_folders_and_jobs(composed: Callable[..., DictConfig]) -> None:
    names = ("run_name", "job_name")
    for name in names:
        OmegaConf.clear_resolver(name)
    register_resolvers()
    assert all(map(OmegaConf.has_resolver, names))
    register_resolvers()  # again, as by another import
    cfg = composed("sentiment", hydra=True)
    assert cfg.hydra.run.dir.endswith(f"-{config_id(cfg)}") and cfg.hydra.sweep.subdir.endswith(job_name(_root_=cfg))


def test_a_job_of_a_trial_is_named_by_its_values_and_those_of_its_command_line(
    composed: Callable[..., DictConfig],
) -> None:
    given = ["trial=4", "optimizer.lr=0.5"]
    cfg = composed("sentiment", *given, hydra=True)
    assert config_id(with_trial(cfg, given)) in job_name(_root_=cfg) and with_trial(cfg).optimizer.lr != 0.5


def test_the_newest_unfinished_run_that_reads_the_same_files_is_resumed(
    composed: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(train: str, *overrides: str) -> DictConfig:
        return composed("sentiment", "data=files", f"data.train={train}.jsonl", *overrides)

    def add(year: int, cfg: DictConfig) -> str:
        folder = tmp_path / "runs" / "sentiment" / f"{year}-01-01_00-00-00-000000-{config_id(cfg)}"
        folder.mkdir(parents=True)
        (folder / CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True))
        (folder / CHECKPOINTS[0]).touch()
        return folder.name

    monkeypatch.chdir(tmp_path)
    resumed = reading("a", "resume=true")
    name = run_name(_root_=resumed)
    assert datetime.strptime(name, f"%Y-%m-%d_%H-%M-%S-%f-{config_id(resumed)}")  # with nothing to resume, a new one
    old = add(2020, reading("a"))
    new = add(2021, reading("a"))
    others = [add(2022, reading("b")), add(2023, reading("a", "seed=5"))]
    assert run_name(_root_=resumed) == new
    assert run_name(_root_=reading("b", "resume=true")) == others[0]
    assert run_name(_root_=reading("c", "resume=true")) == others[0]  # the newest of that seed
    shutil.rmtree(tmp_path / "runs" / "sentiment" / new)
    assert run_name(_root_=resumed) == old


def message(call: Callable[[], object]) -> str:
    """What a call refuses its input with."""
    with pytest.raises(InputError) as error:
        call()
    return str(error.value)


def test_a_loaded_model_answers_and_is_on_its_device(copied: Callable) -> None:
    folder = copied()
    _, _, model = load(folder, torch.device("meta"))
    assert not model.training and {weight.device.type for weight in model.parameters()} == {"meta"}
    (folder / WEIGHTS).unlink()
    assert message(lambda: load(folder, CPU)) == (
        f"{folder} has no {WEIGHTS}: it is not a run folder, or its run stopped before an epoch ended."
    )


def test_the_file_that_is_at_fault_is_named_once(copied: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied()
    whole = (folder / "vocabulary.json").read_text()
    (folder / "vocabulary.json").write_text("[")
    found = message(lambda: load(folder, CPU))
    assert found.startswith(f"{folder}/vocabulary.json") and found.count(str(folder)) == 1
    (folder / "vocabulary.json").write_text(whole)
    edit_config(folder, "codec._target_", "os.system")
    found = message(lambda: load(folder, CPU))
    assert found.startswith(f"{folder}/{CONFIG}: codec._target_=os.system: ") and found.count(str(folder)) == 1

    def fail(*_: Any) -> None:
        raise ConfigKeyError("there is no key\nfull_key: x")

    monkeypatch.setattr(training.load, "build_at", fail)
    assert message(lambda: load(folder, CPU)) == f"{folder}/{CONFIG}: there is no key."


def test_a_model_must_be_one_and_have_finite_weights(copied: Callable) -> None:
    folder = copied()
    weights = safetensors.torch.load_file(folder / WEIGHTS)
    name = sorted(weights)[-1]
    for value in (torch.nan, torch.inf):
        weights[name].view(-1)[0] = value
        safetensors.torch.save_file(weights, folder / WEIGHTS)
        found = message(lambda: load(folder, CPU))
        assert found == f"{folder}/{WEIGHTS}: {name} is NaN or infinite in places: train the model again."
    edit_config(folder, "model._target_", "data.classification.ClassificationCodec")
    assert "must be TaskModel" in message(lambda: load(folder, CPU))


def test_the_task_of_a_run_is_one_of_the_suite(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("task: tagging\n")
    assert load_task(tmp_path) == "tagging"
    (tmp_path / CONFIG).write_text(f"task: {'x' * 99}\n")
    tasks = "captioning, forecasting, memory, sentiment, tagging, translation"
    assert message(lambda: load_task(tmp_path)) == f"{tmp_path}/{CONFIG}: task={'x' * 79}…: the tasks are {tasks}."
    (tmp_path / CONFIG).write_text("seed: 1\n")
    assert message(lambda: load_task(tmp_path)) == f"{tmp_path}/{CONFIG}: task=null: the tasks are {tasks}."


class Tied(torch.nn.Module):
    """Two names of one matrix, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Parameter(torch.zeros(2, 3))
        self.second = self.first
        self.bias = torch.nn.Parameter(torch.zeros(2))


WHOLE = {"first": torch.zeros(2, 3), "bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (WHOLE, None),
        ({"second": torch.zeros(2, 3), "bias": torch.zeros(2)}, None),
        (WHOLE | {"more": torch.zeros(1)}, ": the model of config.yaml has no weights named more."),
        ({"x" * 99: torch.zeros(1)}, f": the model of config.yaml has no weights named {'x' * 79}…."),
        (WHOLE | {"first": torch.zeros(3, 2)}, ": first is F32 [3, 2], and the model of config.yaml has F32 [2, 3]."),
        (WHOLE | {"bias": torch.zeros(2).half()}, ": bias is F16 [2], and the model of config.yaml has F32 [2]."),
        ({"bias": torch.zeros(2)}, " has no weights named first, which the model of config.yaml needs."),
        ({"first": torch.zeros(2, 3)}, " has no weights named bias, which the model of config.yaml needs."),
    ],
)
def test_weights_are_those_of_the_model(tmp_path: Path, tensors: dict, said: str | None) -> None:
    path = tmp_path / WEIGHTS
    safetensors.torch.save_file(tensors, path)
    assert stored_tensors(path).keys() == tensors.keys()
    if said is None:
        check_weights(Tied(), path)
    else:
        assert message(lambda: check_weights(Tied(), path)) == f"{path}{said}"


@pytest.mark.parametrize("content", [b"", b"x" * 99, None])
def test_a_weights_file_that_cannot_be_read_is_damaged(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / WEIGHTS
    if content is not None:
        path.write_bytes(content)
    found = message(lambda: stored_tensors(path))
    assert found.startswith(f"{path} is damaged: ") and found.endswith(".") and "None" not in found


def nested(depth: int) -> str:
    return "a: " + "[" * (depth - 1) + "]" * (depth - 1) + "\n"


ODD = "aliases, tags and deep nesting are not allowed in the config of a run."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", " is not the config of a run: it is not a mapping."),
        ("a: 1\nb: &x 2\n", f":2: {ODD}"),
        ("a: 1\n\nb: *x\n", f":3: {ODD}"),
        ("a: !!python/name:os.system\n", f":1: {ODD}"),
        ("a: !!str 5\n", f":1: {ODD}"),
        (nested(31), f":1: {ODD}"),
        ("a: 1\nb: {c: [d, '${e}']}\n", ": '${e}': references and resolvers are not allowed in a run's config."),
        ("'${key}': 1\n", ": '${key}': references and resolvers are not allowed in a run's config."),
        (f"a: '{'x' * 99}${{b}}'\n", f": '{'x' * 79}…': references and resolvers are not allowed in a run's config."),
        (f"a: {'x' * 99_998}", " has more than 100,000 bytes: it is not the config of a run."),
    ],
)
def test_a_config_that_is_none_of_a_run_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / CONFIG
    path.write_text(content)
    assert message(lambda: load_config(tmp_path)) == f"{path}{said}"


@pytest.mark.parametrize("content", [b"a: [", b"\xff", b"a: 1\na: 2\n"])
def test_a_config_that_cannot_be_read_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / CONFIG
    path.write_bytes(content)
    found = message(lambda: load_config(tmp_path))
    assert found.startswith(f"{path} is damaged: ") and found.endswith(".") and "None" not in found


def test_a_config_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert message(lambda: load_config(tmp_path)) == (
        f"{tmp_path} is not a run folder: it has no {CONFIG}. Give run=DIR, a folder under runs/."
    )
    for content in ("a: [ü, {b: null}]\nc: 'x'\n", nested(30), f"a: {'x' * 99_997}", "a: {b: 1}\nd: [1]\n"):
        (tmp_path / CONFIG).write_text(content, encoding="utf-8")
        assert load_config(tmp_path) == OmegaConf.create(content)
    wide = {f"key{number}": [{"a": [number]}, {"b": {}}] for number in range(40)}
    (tmp_path / CONFIG).write_text(yaml.safe_dump(wide))
    assert load_config(tmp_path) == wide


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """A folder with checksums of two files."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json").write_text("{}")
    (tmp_path / "c").write_text("")
    digests = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("a/b.json", "c")}
    (tmp_path / CHECKSUMS).write_text(json.dumps(digests))
    return tmp_path


def test_every_file_is_compared_with_its_checksum(checked: Path) -> None:
    verify_checksums(checked)
    (checked / "c").write_text("more")
    assert message(lambda: verify_checksums(checked)) == (
        f"{checked}/c differs from its checksum in checksums.json: it is damaged or was edited; copy it again, or, if "
        "you trust it, delete checksums.json."
    )
    (checked / "c").unlink()
    assert message(lambda: verify_checksums(checked)) == f"{checked}/c is missing: the run folder is damaged."
    (checked / CHECKSUMS).unlink()
    verify_checksums(checked)


@pytest.mark.parametrize(
    "content", ["", "[1]", "[" * 100_000, '{"../c": ""}', '{"/c": ""}', '{"a/../c": ""}', '{"c\\n": ""}', '{"x": ""}']
)
def test_checksums_that_are_none_are_refused(checked: Path, content: str) -> None:
    path = checked / CHECKSUMS
    path.write_text(content.replace('"x"', f'"{"x" * 1001}"'))
    assert message(lambda: read_checksums(path)) == f"{path} is not a list of checksums: the run folder is damaged."
    path.write_text(json.dumps({"x" * 1000: ""}))
    assert read_checksums(path) == {"x" * 1000: ""}


def test_a_file_that_cannot_be_read_has_no_checksum(tmp_path: Path) -> None:
    assert message(lambda: sha256(tmp_path / "x")) == f"{tmp_path}/x cannot be read: No such file or directory."


def test_checksums_are_those_of_all_that_a_codec_saves(tmp_path: Path) -> None:
    class Codec:
        def save(self, directory: Path) -> None:
            (directory / "z").mkdir()
            for name in ("z/b.json", "a.json"):
                (directory / name).write_text(name)

    folder = tmp_path / "run"
    folder.mkdir()
    Codec().save(folder)
    for name in (CONFIG, WEIGHTS, "other"):
        (folder / name).write_text(name)
    assert saved_files(Codec()) == ["a.json", "z/b.json"]
    write_checksums(folder, Codec())
    found = json.loads((folder / CHECKSUMS).read_text())
    assert list(found) == [CONFIG, WEIGHTS, "a.json", "z/b.json"]
    assert found["a.json"] == hashlib.sha256(b"a.json").hexdigest()
    verify_checksums(folder)
