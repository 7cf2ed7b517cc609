"""Rows and ids in files (``data_cache``): the same bits with and without, nothing read twice, damage found."""

import csv
import hashlib
import json
import logging
import re
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FEW_ROWS
from filelock import FileLock
from omegaconf import DictConfig, OmegaConf, open_dict

import data.tokenizers
from data import cache as caching
from data.batch import Ragged
from data.cache import CorpusCache
from data.classification import ClassificationCodec, LabelledText
from data.corpus import Corpus, hold_out, sample_rows
from data.errors import InputError
from data.memory import MemorySequence
from data.stored import StoredRows, read_encoded, write_encoded, write_rows
from data.tagging import TaggedSentence
from data.tokenizers import SentencePieceTokenizer
from data.translation import SentencePair
from training.corpora import cache_of, code_digest, codec_key, library_versions, version_of
from training.identity import config_id, files_digest
from training.recipe import read_corpus

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


PAIRS = ["data=parallel", "data.source=en", "data.target=de", "recipe=embedded", "codec.tokenizer.vocab_size=60"]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A file of sentence pairs, one of them with an empty side."""
    rows = [(f"{WORDS[n % 10]} {WORDS[n % 7]} {n}", f"{n} {WORDS[n % 7]} - {WORDS[n % 10]} ü") for n in range(60)]
    with (tmp_path / "train.tsv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([("en", "de"), *rows, ("alone", "")])
    return tmp_path / "train.tsv"


def texts(folder: Path) -> list[str]:
    rows = [{"text": f"{WORDS[n % 10]} {WORDS[n % 3]} .", "label": "ab"[n % 2]} for n in range(60)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["data=files", f"data.train={folder}/train.jsonl", "codec.min_count=1"]


def tagged(folder: Path) -> list[str]:
    lines = [f"{WORDS[n % 10]} A\n{WORDS[n % 7]} {'BC'[n % 2]}\n" for n in range(60)]
    (folder / "train.txt").write_text("\n".join(lines))
    return ["data=column_files", f"data.train={folder}/train.txt"]


def sequences(folder: Path) -> list[str]:
    (folder / "train.tsv").write_text("tokens\ttargets\n" + "".join(f"{n % 5} 1 2\t{n % 3}\n" for n in range(60)))
    return ["data=sequences", f"data.train={folder}/train.tsv"]


def hub(folder: Path) -> list[str]:
    texts(folder)
    return ["data=hub", f"data.path={folder}", "codec.min_count=1"]


SOURCES = {"sentiment": texts, "tagging": tagged, "memory": sequences, "sentiment from the hub": hub}


def same(one: Any, other: Any) -> bool:
    """Whether two corpora have the same bits, to the last array of every split."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and np.array_equal(one, other))
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__
        )
    return bool(one == other)


def assert_same(one: Corpus, other: Corpus) -> None:
    assert list(one.splits) == list(other.splits)
    for name, split in one.splits.items():
        assert list(split.examples) == list(other.splits[name].examples)
        assert same(split.encoded, other.splits[name].encoded)
        orders = [corpus.splits[name].shuffled(64, 8, seed=3).rows for corpus in (one, other)]
        assert all(map(np.array_equal, *orders))
    assert one.description() == other.description()
    assert one.sizes == other.sizes


def saved(corpus: Corpus, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    corpus.codec.save(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def config(composed: Callable, pairs: Path) -> Callable[..., DictConfig]:
    """``config(*changes, cached=True)``: of the pairs, with changes as ``key=value``."""

    def make(*changes: str, cached: bool = True) -> DictConfig:
        cfg = composed("translation", *PAIRS)  # one composition for all tests
        own = [f"data.train={pairs}", *([f"data_cache={pairs.parent / 'cache'}"] if cached else [])]
        cfg.merge_with_dotlist([*own, *changes])
        return cfg

    return make


@pytest.mark.parametrize("options", [[], ["limit=40"], ["test=false", "codec.max_length=4"], ["codec.joint=false"]])
def test_pairs_from_the_cache_are_those_without_it(
    config: Callable[..., DictConfig], options: list[str], tmp_path: Path
) -> None:
    _, plain = read_corpus(config(*options, cached=False))
    for number in range(2):  # the first time it is written, the second time it is read
        _, corpus = read_corpus(config(*options))
        assert_same(plain, corpus)
        assert saved(corpus, tmp_path / f"codec{number}") == saved(plain, tmp_path / f"plain{number}")
    assert any("1 of 61 pairs were dropped" in note for note in corpus.notes)


@pytest.mark.parametrize("name", SOURCES)
def test_every_task_whose_examples_are_text_is_served(
    composed: Callable, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    options, task = [*SOURCES[name](tmp_path), "recipe=adaptive"], name.split()[0]
    cache = tmp_path_factory.mktemp("cache")
    cfg, plain = read_corpus(composed(task, *options))
    for _ in range(2):
        again, corpus = read_corpus(composed(task, *options, f"data_cache={cache}"))
        assert_same(plain, corpus)
        assert isinstance(corpus.splits["train"].examples, StoredRows)
        assert config_id(again) == config_id(cfg)


def test_what_is_in_the_cache_is_neither_read_nor_tokenised_again(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    cfg = config()
    read_corpus(cfg)[1].description()

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("This was done before.")

    monkeypatch.setattr("data.sources.parallel.read_table", refuse)
    monkeypatch.setattr(SentencePieceTokenizer, "train", refuse)
    monkeypatch.setattr(SentencePieceTokenizer, "split", refuse)
    monkeypatch.setattr("data.corpus.content_hash", refuse)
    caplog.clear()
    _, corpus = read_corpus(cfg)
    assert corpus.description()["sizes"] == {"train": 54, "validation": 6}
    assert f"encoded corpus read from {tmp_path / 'cache'}" in caplog.text and "written" not in caplog.text
    arrays = corpus.splits["train"].encoded.source
    assert isinstance(arrays.values.base, np.memmap) and isinstance(arrays.offsets.base, np.memmap)


CHANGES = [["codec.max_length=5"], ["codec.joint=false"], ["split.split_seed=1"], ["data.source=de", "data.target=en"]]


def test_what_decides_the_ids_makes_another_entry(config: Callable[..., DictConfig], tmp_path: Path) -> None:
    for number, change in enumerate([[], *CHANGES], start=1):
        _, plain = read_corpus(config(*change, cached=False))
        assert_same(plain, read_corpus(config(*change))[1])
        assert len(list((tmp_path / "cache").glob("ids-*"))) == number


def test_changed_files_changed_code_and_other_libraries_are_other_data(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = config()

    def entries() -> int:
        read_corpus(cfg)
        return len(list((tmp_path / "cache").glob("rows-*")))

    assert entries() == entries() == 1
    path = Path(cfg.data.train)
    path.write_text(path.read_text(encoding="utf-8") + "last\tletzte\n", encoding="utf-8")
    assert entries() == 2
    monkeypatch.setattr("training.corpora.version_of", lambda name: "another")
    assert entries() == 3
    monkeypatch.setattr("training.corpora.code_digest", lambda *kinds: "another")
    assert entries() == 4


def some_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def one_byte_less(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGE: list[tuple[str, Callable[[Path], object]]] = [
    ("rows-*/rows.jsonl", some_bytes),
    ("rows-*/offsets.npy", Path.unlink),
    ("ids-*/train/source.values.npy", some_bytes),
    ("ids-*/codec/pieces/tokenizer.model", one_byte_less),
    ("ids-*/manifest.json", some_bytes),
    ("ids-*/manifest.json", Path.unlink),
]


def test_a_damaged_entry_is_made_again(config: Callable[..., DictConfig], tmp_path: Path, caplog: Any) -> None:
    cfg = config()
    _, plain = read_corpus(config(cached=False))
    read_corpus(cfg)
    for name, damage in DAMAGE:
        (file,) = (tmp_path / "cache").glob(name)
        whole = file.read_bytes()
        damage(file)
        caplog.clear()
        assert_same(plain, read_corpus(cfg)[1])
        assert caplog.text.count("is damaged and is rebuilt") == 1
        assert file.read_bytes() == whole


def test_an_entry_is_complete_or_absent(tmp_path: Path) -> None:
    cache = CorpusCache(tmp_path, "data")

    def stop(folder: Path) -> None:
        (folder / "half").write_text("written")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.keep(tmp_path / "entry", "something", stop)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    (tmp_path / ".entry.part").mkdir()
    (tmp_path / ".entry.part" / "old").write_text("of a process that was killed")
    assert cache.keep(tmp_path / "entry", "something", lambda folder: (folder / "all").write_text("written"))
    assert sorted(path.name for path in (tmp_path / "entry").iterdir()) == ["all", caching.MANIFEST]
    assert not cache.keep(tmp_path / "entry", "something", stop)


def test_processes_wait_for_the_one_that_writes(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    cache, path, written = CorpusCache(tmp_path, "data"), tmp_path / "entry", []
    lock = FileLock(tmp_path / ".entry.lock")
    lock.acquire()
    kept: list[bool] = []
    waiting = threading.Thread(target=lambda: kept.append(cache.keep(path, "something", written.append)))
    waiting.start()
    while "waiting for another process" not in caplog.text:
        waiting.join(0.01)
    caching.replace(path, lambda folder: (folder / "all").write_text("by the other process"))
    lock.release()
    waiting.join()
    assert written == [] and (path / "all").read_text() == "by the other process"
    assert kept == [False] and f"something read from {path}" in caplog.text


EXAMPLES = [
    SentencePair("a\n\u2028b", '"ü"\t😀'),
    LabelledText("text", "label", {"distance": 7}, "a.csv:1"),
    LabelledText("text", "label", place="/tmp/\udcff.csv:1"),
    TaggedSentence(("a b", ""), ("X", "Y"), "xpos", "# text\n"),
    MemorySequence("1 2", ("", "3"), None, "a.tsv:2"),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_rows_in_a_file_are_those_that_were_written(tmp_path: Path, example: Any) -> None:
    write_rows(tmp_path, [example, example])
    rows = StoredRows.open(tmp_path, type(example))
    assert list(rows) == [example, example] and type(rows[0]) is type(example)
    assert [type(field) for field in rows[0] if not isinstance(field, dict)] == [
        type(field) for field in example if not hasattr(field, "items")
    ]


def test_rows_in_a_file_are_a_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.stored.PARSED_TOGETHER", 7)
    listed = [SentencePair(str(n), "x" * n) for n in range(50)]
    write_rows(tmp_path, listed)
    rows = StoredRows.open(tmp_path, SentencePair)
    assert len(rows) == 50 and list(rows) == listed
    assert rows[49] == rows[-1] == listed[49] and rows[3:20:2] == listed[3:20:2] and rows[50:] == []
    with pytest.raises(IndexError):
        rows[50]
    parts, expected = hold_out(rows, 0.2, seed=7), hold_out(listed, 0.2, seed=7)
    assert all(isinstance(part, StoredRows) for part in parts)
    assert [list(part) for part in parts] == [list(part) for part in expected]
    assert list(sample_rows(parts[0], 10, seed=7)) == list(sample_rows(expected[0], 10, seed=7))


@dataclass(frozen=True)
class Mixed:
    """What a codec may give: flat rows, an array and a number."""

    rows: Ragged
    array: np.ndarray
    number: int


def test_encoded_rows_arrays_and_numbers_are_read_back_mapped(tmp_path: Path) -> None:
    mixed = Mixed(Ragged.of([[1, 2], [], [3]]), np.array([[0.5], [1.5]], dtype=np.float32), 7)
    write_encoded(tmp_path, mixed)
    found = read_encoded(tmp_path, Mixed)
    assert same(mixed, found) and type(found.rows) is Ragged
    for array in (found.array, found.rows.values, found.rows.offsets):
        assert isinstance(array.base, np.memmap) and not array.flags.writeable
    assert json.loads((tmp_path / "numbers.json").read_text()) == {"number": 7}


def test_rows_are_compact_lines_in_utf_8(tmp_path: Path) -> None:
    write_rows(tmp_path, [SentencePair("ü", "b"), SentencePair("", "c\n")])
    assert (tmp_path / "rows.jsonl").read_bytes().decode() == '["ü","b"]\n["","c\\n"]\n'
    offsets = np.load(tmp_path / "offsets.npy")
    assert offsets.tolist() == [0, 11, 22] and offsets.dtype == np.int64
    rows = StoredRows.open(tmp_path, SentencePair)
    assert isinstance(rows.lines.base, np.memmap) and isinstance(rows.offsets.base, np.memmap)
    assert not rows.lines.flags.writeable and rows.lines.dtype == np.uint8
    picked = rows.select(np.array([1, 0, 1]))
    assert [pair.target for pair in picked] == ["c\n", "b", "c\n"] and len(picked) == 3
    assert picked.select(np.array([2]))[0] == rows[1] and type(picked) is StoredRows


def test_entries_have_a_name_of_their_own_for_every_kind_and_part(tmp_path: Path) -> None:
    cache = CorpusCache(tmp_path, "data", "codec")
    names = [cache.path(kind, *parts).name for kind, *parts in (("rows", "a"), ("ids", "a"), ("ids", "a", ["b"]))]
    assert all(re.fullmatch(r"(rows|ids)-[0-9a-f]{32}", name) for name in names)
    digest = hashlib.sha256(b'["a", ["b"]]').hexdigest()
    assert names[2] == f"ids-{digest[:32]}" and names[1] != names[2] and names[0][5:] == names[1][4:]
    assert cache.path("ids", {"x": 1, "y": 2}) == cache.path("ids", {"y": 2, "x": 1})


def test_a_computation_is_remembered_for_its_data_and_parts(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    computed = []

    def compute() -> dict[str, int]:
        computed.append(1)
        return {"value": len(computed)}

    cache = CorpusCache(tmp_path / "new" / "folder", "data")
    assert cache.remember("hashes", ["a"], compute) == cache.remember("hashes", ["a"], compute) == {"value": 1}
    (entry,) = (tmp_path / "new" / "folder").glob("hashes-*")
    said = [record.getMessage() for record in caplog.records if record.name == "data.cache"]
    assert said == [f"hashes written to {entry}", f"hashes read from {entry}"]
    assert cache.remember("hashes", ["b"], compute) == {"value": 2}
    assert cache.remember("other", ["a"], compute) == {"value": 3}
    assert CorpusCache(tmp_path / "new" / "folder", "changed").remember("hashes", ["a"], compute) == {"value": 4}
    assert json.loads((entry / "manifest.json").read_text())["files"] == {
        "value.json": hashlib.sha256((entry / "value.json").read_bytes()).hexdigest()
    }
    for damage in ("null", "[]", "{}", "{", "[" * 100_000):
        (entry / "manifest.json").write_text(damage)
        caplog.clear()
        assert cache.remember("hashes", ["a"], compute)["value"] == len(computed)
        assert f"{entry} is damaged and is rebuilt" in [record.getMessage() for record in caplog.records]


def test_a_cache_that_cannot_be_written_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advice = "give another folder, make room, or set data_cache=null."
    for error, reason in (
        (OSError(28, "No space left"), "No space left"),
        (OSError("the disk is gone."), "the disk is gone"),
    ):
        monkeypatch.setattr(caching, "write_json", lambda *_, error=error: throw(error))
        with pytest.raises(InputError) as raised:
            CorpusCache(tmp_path, "data").remember("hashes", [], dict)
        assert str(raised.value) == f"data_cache={tmp_path} cannot be written ({reason}): {advice}"
        assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def throw(error: Exception) -> None:
    raise error


class Lengths:
    """A codec that gives the lengths of texts, and counts how often it has encoded."""

    encoded_type, encoded = Mixed, 0

    def encode_splits(self, examples: dict[str, list[str]]) -> dict[str, Mixed]:
        self.encoded, self.notes = self.encoded + 1, [f"{len(examples)} splits"]
        return {split: Mixed(Ragged.of([[1]]), np.array([*map(len, rows)]), 3) for split, rows in examples.items()}

    def save(self, folder: Path) -> None:
        (folder / "fitted").write_text("yes")

    def load(self, folder: Path) -> None:
        self.loaded = (folder / "fitted").read_text()


def test_ids_are_kept_for_the_same_data_codec_splits_and_choice(tmp_path: Path) -> None:
    cache, examples = CorpusCache(tmp_path, "data", "codec"), {"train": ["a", "bb"], "test": ["ccc"]}
    first, again = Lengths(), Lengths()
    for codec in (first, again):
        found = cache.encode_splits(codec, examples, ["choice"])
        assert [found[split].array.tolist() for split in examples] == [[1, 2], [3]]
        assert list(codec.notes) == ["2 splits"]
    assert (first.encoded, again.encoded, again.loaded) == (1, 0, "yes")
    for other, splits, choice in (
        (CorpusCache(tmp_path, "new", "codec"), examples, ["choice"]),
        (CorpusCache(tmp_path, "data", "new"), examples, ["choice"]),
        (cache, {"train": ["a", "bb"]}, ["choice"]),
        (cache, examples, ["new"]),
    ):
        codec = Lengths()
        assert list(other.encode_splits(codec, splits, choice)) == list(splits) and codec.encoded == 1
    assert len(list(tmp_path.glob("ids-*"))) == 5


class Reader:
    """A reader of numbers as pairs, which leaves a note for every split that it reads."""

    example_type = SentencePair

    def __init__(self) -> None:
        self.notes: list[str] = ["before"]
        self.read: list[str] = []

    def iterate_split(self, split: str) -> Iterator[SentencePair] | None:
        if split == "test":
            return None
        self.read.append(split)
        return self.rows(split)

    def rows(self, split: str) -> Iterator[SentencePair]:
        yield SentencePair(split, "x")
        self.notes.append(f"{split} was read")


def test_notes_of_a_split_are_kept_with_its_rows(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    cache = CorpusCache(tmp_path, "data")
    for _ in range(2):
        reader = Reader()
        assert list(cache.read_split(reader, "train")) == [("train", "x")]
        assert list(cache.read_split(reader, "validation")) == [("validation", "x")]
        assert reader.notes == ["before", "train was read", "validation was read"]
        assert cache.read_split(reader, "test") is None
    assert reader.read == [] and len(list(tmp_path.glob("rows-*"))) == 2
    assert "train examples written to" in caplog.text and "validation examples read from" in caplog.text


def test_the_cache_is_part_of_no_experiment(config: Callable[..., DictConfig]) -> None:
    plain, older = config(cached=False), config(cached=False)
    assert config_id(plain) == config_id(config())
    with open_dict(older):
        del older["data_cache"]
    assert config_id(older) == config_id(plain)
    assert read_corpus(older)[1].cache is None


def test_generated_data_are_not_kept_and_the_log_says_so(composed: Callable, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    cfg = composed("sentiment", *FEW_ROWS)
    cfg.data_cache = str(tmp_path / "cache")
    assert read_corpus(cfg)[1].cache is None and not (tmp_path / "cache").exists()
    assert "is not kept: texts in files are" in caplog.text


def test_a_folder_that_cannot_be_written_is_an_error(config: Callable[..., DictConfig], pairs: Path) -> None:
    with pytest.raises(InputError, match=r"data_cache=.*train\.tsv cannot be written \(.*\): give another folder"):
        read_corpus(config(f"data_cache={pairs}"))


def test_a_run_from_the_cache_gives_the_same_bits(launch: Callable[..., Path], pairs: Path, tmp_path: Path) -> None:
    options = [*PAIRS, f"data.train={pairs}", "model.decoder.hidden_size=8", "trainer.max_epochs=1", "beam=1"]
    runs = [launch("translation", *options, folder="plain")]
    runs += [launch("translation", *options, f"data_cache={tmp_path / 'cache'}", folder=str(n)) for n in range(2)]
    weights = {(run / "model.safetensors").read_bytes() for run in runs}
    hypotheses = {(run / "hypotheses.txt").read_text() for run in runs}
    results = [json.loads((run / "result.json").read_text()) for run in runs]
    assert len(weights) == len(hypotheses) == 1
    for key in ("config_id", "data", "metrics", "files_sha256"):
        assert results[0][key] == results[1][key] == results[2][key]


def test_pieces_of_very_many_texts_are_learned_from_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{WORDS[n % 10]} {WORDS[n % 7]} {n}" for n in range(200)]

    def learned(texts: list[str]) -> SentencePieceTokenizer:
        tokenizer = SentencePieceTokenizer(40, "unigram", lowercase=False)
        tokenizer.fit(texts)
        return tokenizer

    chosen = learned(lines[1::2])
    whole = learned(lines)
    monkeypatch.setattr(data.tokenizers, "MOST_TEXTS", 100)
    part = learned(lines)
    assert part.notes == ["SentencePiece learned from 100 of 200 texts, evenly spaced."] and chosen.notes == []
    assert part.model == chosen.model != whole.model


class Films:
    """A reader of texts in files."""

    name, storable = "films", True


@pytest.fixture
def kept(composed: Callable, tmp_path: Path) -> DictConfig:
    """A config of texts in a file whose rows and ids are kept."""
    return composed("sentiment", *texts(tmp_path), f"data_cache={tmp_path}/cache")


def test_rows_are_recognised_by_options_files_code_and_libraries(
    kept: DictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(kept, Films())
    assert cache is not None and cache.folder == Path(kept.data_cache) and cache.codec == ""
    parts = {
        "options": OmegaConf.to_container(kept.data, resolve=True),
        "files": files_digest(kept.data),
        "code": code_digest(Films, ClassificationCodec),
        "libraries": library_versions(),
    }
    assert cache.data == json.dumps(parts, sort_keys=True) and parts["code"] != code_digest(Films)
    assert codec_key(kept) == json.dumps(OmegaConf.to_container(kept.codec, resolve=True), sort_keys=True)
    home = Path(kept.data_cache)
    monkeypatch.setenv("HOME", str(home))
    kept.data_cache = "~/cache"
    cache = cache_of(kept, Films())
    assert cache is not None and cache.folder == home / "cache"


@pytest.mark.parametrize("lacking", ["folder", "files", "storable", "encoded_type"])
def test_what_cannot_be_recognised_is_not_kept(
    kept: DictConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, lacking: str
) -> None:
    caplog.set_level(logging.INFO)
    changes = {
        "folder": lambda: kept.update(data_cache=None),
        "files": lambda: monkeypatch.setattr("training.corpora.files_digest", lambda data: None),
        "storable": lambda: monkeypatch.setattr(Films, "storable", False),
        "encoded_type": lambda: monkeypatch.setattr(ClassificationCodec, "encoded_type", None),
    }
    changes[lacking]()
    assert cache_of(kept, Films()) is None
    said = "data_cache: films is not kept: texts in files are, and in folders in the layout of the hub"
    assert caplog.messages == ([] if lacking == "folder" else [said])


def test_code_is_that_of_the_package_and_of_all_classes_that_have_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    monkeypatch.setattr("training.corpora.DATA", tmp_path)
    own = Path(__file__).read_bytes()
    assert code_digest() == code_digest(int) == hashlib.sha256(b"a = 1\n").hexdigest()
    contents = [content for _, content in sorted({tmp_path / "a.py": b"a = 1\n", Path(__file__): own}.items())]
    found = hashlib.sha256(b"".join(contents)).hexdigest()
    assert code_digest(Films) == code_digest(int, Films, Films) == found
    (tmp_path / "b.txt").write_text("")
    assert code_digest(Films) == found
    (tmp_path / "b.py").write_text("more")
    assert code_digest(Films) != found


def test_versions_are_those_of_python_and_of_what_rows_and_ids_depend_on() -> None:
    found = library_versions()
    assert found.keys() == {"python", "unicode", "datasets", "numpy", "pyarrow", "regex", "sentencepiece"}
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}" and found["numpy"] == np.__version__
    assert found["unicode"] == unicodedata.unidata_version and version_of("no-such-package") is None
