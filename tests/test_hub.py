"""Data sets in the layout of the hub by name alone: class names from the features, columns found where they can be."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT, options
from datasets import ClassLabel, Dataset, Features, IterableDataset, List, Translation, Value
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from data.corpus import Corpus, DatasetReader
from data.errors import InputError
from data.sources.hub import (
    FeatureTable,
    FileTable,
    HubReader,
    guess_column,
    kind_of_feature,
    local_tables,
    streamed,
)
from training.build import build

SHARED = ROOT.parent / "shared" / "data"


def save(folder: Path, features: dict[str, Any], **columns: list[Any]) -> Path:
    """A Parquet data set with the same train and test rows."""
    for split in ("train", "test"):
        Dataset.from_dict(columns, features=Features(features)).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture
def read(composed: Callable[..., DictConfig]) -> Callable[..., DatasetReader[Any]]:
    """``read(task, data, folder, *overrides)``: the reader that the command line gives."""

    def make(task: str, data: str, folder: Path, *overrides: str) -> DatasetReader[Any]:
        return build(composed(task, f"data={data}", f"data.path={folder}", *overrides).data)

    return make


def test_columns_and_class_names_come_from_the_features(read: Callable, tmp_path: Path) -> None:
    features = {"idx": Value("int32"), "remark": Value("string"), "stars": ClassLabel(names=["one", "two"])}
    save(tmp_path, features, idx=[7, 8], remark=["dull", "warm"], stars=[0, 1])
    reader = read("sentiment", "hub", tmp_path)
    assert [example.content() for example in reader.read_split("train")] == [("dull", "one"), ("warm", "two")]
    assert reader.read_split("validation") is None
    assert reader.name == tmp_path.name and reader.origin() == {"source": "local copy", "revision": None}


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_streamed_rows_are_those_of_the_files(
    read: Callable, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``datasets`` reads local files by the same iterators as those of the hub."""
    rows = [{"idx": number, "remark": f"so {number}", "stars": ("dull", "warm")[number % 2]} for number in range(5)]
    if form == "parquet":
        features = {"idx": Value("int32"), "remark": Value("string"), "stars": ClassLabel(names=["dull", "warm"])}
        columns = {"idx": list(range(5)), "remark": [row["remark"] for row in rows], "stars": [0, 1, 0, 1, 0]}
        save(tmp_path, features, **columns)
    else:
        (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["data.text_column=remark", "data.label_column=stars"]
    whole = read("sentiment", "hub", tmp_path, *options).read_split("train")
    monkeypatch.setattr("data.sources.hub.local_tables", lambda builder: pytest.fail("read as files"))
    streamed = read("sentiment", "hub", tmp_path, *options, "data.streaming=true")
    found = [example.content() for example in streamed.read_split("train")]
    assert found == [example.content() for example in whole] and found[3] == ("so 3", "warm")
    assert streamed.read_split("validation") is None


def test_usual_names_decide_between_candidates(read: Callable, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(
        json.dumps({"title": "T", "text": "fine", "label": "good", "votes": 3}) + "\n"
    )
    assert read("sentiment", "hub", tmp_path).read_split("train")[0].content() == ("fine", "good")


@pytest.mark.parametrize(
    "row, missing",
    [
        (
            {"one": "a", "two": "b", "three": "c"},
            r"data\.label_column=NAME .*one \(text\), two \(text\), three \(text\)",
        ),
        (
            {"one": "a", "two": "b", "label": 1},
            r"data\.text_column=NAME .*one \(text\), two \(text\), label \(number\)",
        ),
        ({"label": 1}, r"data\.text_column=NAME .*label \(number\)"),
    ],
)
def test_several_candidates_are_listed(read: Callable, tmp_path: Path, row: dict[str, Any], missing: str) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=f"^{tmp_path.name}: .*{missing}"):
        read("sentiment", "hub", tmp_path).read_split("train")


def test_configured_columns_are_read(read: Callable, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps({"one": "a", "two": "b", "three": "c"}) + "\n")
    chosen = ["data.text_column=two", "data.label_column=three"]
    assert read("sentiment", "hub", tmp_path, *chosen).read_split("train")[0].content() == ("b", "c")
    names = ["data.text_column=[four,one]", "data.label_column=three"]
    assert read("sentiment", "hub", tmp_path, *names).read_split("train")[0].content() == ("a", "c")
    with pytest.raises(InputError, match=r"there is no column 'five'; .*data\.label_column=NAME"):
        read("sentiment", "hub", tmp_path, "data.text_column=two", "data.label_column=five").read_split("train")


def test_words_such_as_null_stay_words_in_csv(read: Callable, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nnull,NA\nNone,nan\n")
    examples = read("sentiment", "hub", tmp_path).read_split("train")
    assert [example.content() for example in examples] == [("null", "NA"), ("None", "nan")]


def test_a_changed_file_is_read_anew_though_its_time_stays(read: Callable, tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    for label in ("good", "evil"):
        file.write_text(f"text,label\nfine,{label}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert read("sentiment", "hub", tmp_path).read_split("train")[0].label == label


def test_one_of_several_data_sets_is_chosen_by_config(read: Callable, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "train").mkdir(parents=True)
        (tmp_path / name / "train" / "0000.jsonl").write_text(json.dumps({"text": name, "label": "x"}) + "\n")
    assert read("sentiment", "hub", tmp_path, "data.config=second").read_split("train")[0].text == "second"
    card = "---\nconfigs:\n" + "".join(
        f"- config_name: {name}\n  data_files: {other}/train/*.jsonl\n"
        for name, other in (("a", "first"), ("b", "second"))
    )
    (tmp_path / "README.md").write_text(card + "---\n")
    assert read("sentiment", "hub", tmp_path, "data.config=b").read_split("train")[0].text == "second"
    for overrides in ([], ["data.config=c"]):
        with pytest.raises(InputError, match=r"has the data sets 'a', 'b': choose one with data\.config=NAME"):
            read("sentiment", "hub", tmp_path, *overrides).read_split("train")


def test_tags_are_named_by_the_features(read: Callable, tmp_path: Path) -> None:
    tags = {name: List(ClassLabel(names=["O", "PER"])) for name in ("chunk_tags", "ner_tags")}
    features = {"id": Value("string"), "tokens": List(Value("string")), **tags}
    rows = {
        "id": ["0", "1"],
        "tokens": [["Ann", "sees"], ["it"]],
        "chunk_tags": [[0, 0], [0]],
        "ner_tags": [[1, 0], [0]],
    }
    save(tmp_path, features, **rows)
    with pytest.raises(
        InputError, match=r"data\.tag_column=NAME .*chunk_tags \(list of class\), ner_tags \(list of class\)"
    ):
        read("tagging", "hub_tags", tmp_path).read_split("train")
    for option, other in (("word_column", "tag_column"), ("tag_column", "word_column")):
        with pytest.raises(InputError, match=rf"there is no column 'gone'.* data\.{option}=NAME"):
            read("tagging", "hub_tags", tmp_path, f"data.{option}=gone", f"data.{other}=chunk_tags").read_split("train")
    reader = read("tagging", "hub_tags", tmp_path, "data.tag_column=ner_tags")
    assert [e.content() for e in reader.read_split("test")] == [(("Ann", "sees"), ("PER", "O")), (("it",), ("O",))]


def test_several_columns_that_may_be_words_are_listed(read: Callable, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps({"one": ["a"], "two": ["b"]}) + "\n")
    listed = r"one \(list of text\), two \(list of text\)"
    with pytest.raises(InputError, match=rf"^{tmp_path.name}: .* data\.word_column=NAME .*{listed}"):
        read("tagging", "hub_tags", tmp_path).read_split("train")
    (tmp_path / "train.jsonl").write_text(json.dumps({"words": ["a"], "one": ["b"], "two": ["c"]}) + "\n")
    with pytest.raises(InputError, match=rf"^{tmp_path.name}: .* data\.tag_column=NAME .*{listed}"):
        read("tagging", "hub_tags", tmp_path).read_split("train")


def test_ranges_and_empty_nodes_of_treebanks_on_the_hub_are_no_words(read: Callable, tmp_path: Path) -> None:
    names = ["_", "AUX", "PART", "VERB"]
    features = {
        "tokens": List(Value("string")),
        "lemmas": List(Value("string")),
        "upos": List(ClassLabel(names=names)),
        "head": List(Value("string")),
    }
    save(
        tmp_path / "xx_test",
        features,
        tokens=[["Don't", "Do", "n't", "you", "go"]],
        lemmas=[["_", "do", "not", "you", "go"]],
        upos=[[0, 1, 2, 3, 3]],
        head=[["None", "3", "3", "None", "0"]],
    )
    reader = read("tagging", "hub_tags", tmp_path, "data.config=xx_test")
    assert reader.read_split("train")[0].content() == (("Do", "n't", "go"), ("AUX", "PART", "VERB"))


@pytest.mark.parametrize(
    "row, said",
    [
        (
            {"tokens": ["a", "b"], "tags": ["X"]},
            r"train\.jsonl:2: the columns 'tokens' and 'tags' must be lists of the same",
        ),
        ({"tokens": "a", "tags": ["X"]}, r"train\.jsonl:2: the columns 'tokens' and 'tags' must be lists"),
        ({"tokens": ["a", None], "tags": ["X", "X"]}, r"train\.jsonl:2: None is not a word"),
        ({"tokens": ["a"], "tags": [["X"]]}, r"train\.jsonl:2: \['X'\] is not a tag"),
        ({"tokens": ["a", "b"], "tags": ["X", "X"], "head": ["0"]}, r"train\.jsonl:2: .*'head' .*length"),
    ],
)
def test_rows_that_are_no_tagged_sentences_are_named(read: Callable, tmp_path: Path, row: dict, said: str) -> None:
    good = {"tokens": ["a"], "tags": ["X"]} | ({"head": ["0"]} if "head" in row else {})
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in (good, row)))
    with pytest.raises(InputError, match=said):
        read("tagging", "hub_tags", tmp_path).read_split("train")


@pytest.mark.parametrize("nested", [True, False])
def test_pairs_are_read_from_translation_rows_and_from_columns(read: Callable, tmp_path: Path, nested: bool) -> None:
    languages = ["data.source=de", "data.target=en"]
    if nested:
        features = {"id": Value("string"), "translation": Translation(languages=["de", "en"])}
        save(tmp_path, features, id=["0"], translation=[{"de": "eins", "en": "one"}])
    else:
        save(tmp_path, {"de": Value("string"), "en": Value("string")}, de=["eins"], en=["one"])
    assert read("translation", "hub_pairs", tmp_path, *languages).read_split("train") == [("eins", "one")]
    with pytest.raises(InputError, match=r"there is no column 'fr'; it has .*de, en.*data\.target=NAME"):
        read("translation", "hub_pairs", tmp_path, "data.source=de", "data.target=fr").read_split("train")


def test_a_data_set_needs_a_repository_or_a_folder(composed: Callable[..., DictConfig]) -> None:
    with pytest.raises(InputError, match=r"data\.repository=OWNER/NAME or data\.path=DIR"):
        build(composed("sentiment", "data=hub").data)


def test_a_folder_of_too_long_a_name_is_refused(read: Callable) -> None:
    with pytest.raises(InputError, match=r"^data\.path=x+…: there is no such folder"):
        read("sentiment", "hub", Path("x" * 400)).read_split("train")


class AnyRows(HubReader[Any]):
    def read_split(self, split: str) -> None: ...


def hub_reader(**given: Any) -> HubReader[Any]:
    return AnyRows(**{"name": None, "repository": None, "revision": None, "path": None} | given)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the builders of ``datasets`` are asked for. Of the config ``part`` there is a folder only."""
    calls: list[tuple[Any, ...]] = []

    def load(place: str, config: str | None = None, **options: Any) -> SimpleNamespace:
        calls.append((place, config, options))
        if config in ("part", "gone"):
            raise ValueError(f"BuilderConfig '{config}' not found.")
        if config == "broken" or options.get("data_dir") == "gone":
            raise ValueError("another reason")
        return SimpleNamespace(config=SimpleNamespace(**{"keep_default_na": True} if place == "a/csv" else {}))

    monkeypatch.setattr("datasets.load_dataset_builder", load)
    return calls


def test_a_commit_of_a_repository_is_loaded_and_results_name_it(asked: list, tmp_path: Path) -> None:
    reader = hub_reader(repository="a/b", revision="abc", config="c")
    reader.builder()
    assert asked == [("a/b", "c", {"revision": "abc", "data_files": None})]
    assert reader.name == "a/b" and reader.origin() == {"source": "hub: a/b", "revision": "abc"}
    hub_reader(name="x", repository="a/b", revision="abc", path=str(tmp_path / ".." / tmp_path.name)).builder()
    assert asked[1:] == [(str(tmp_path), None, {"revision": None, "data_files": None})]


def test_files_with_names_of_their_own_are_loaded_without_a_config(
    asked: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubReader, "files", {"train": "a.csv"})
    hub_reader(repository="a/b", config="c").builder()
    assert asked == [("a/b", None, {"revision": None, "data_files": {"train": "a.csv"}})]


def test_missing_values_of_csv_are_asked_for_as_words(asked: list) -> None:
    hub_reader(repository="a/csv", revision="abc", config="c").builder()
    plain = {"revision": "abc", "data_files": None}
    assert asked == [("a/csv", "c", plain), ("a/csv", "c", plain | {"keep_default_na": False})]


def test_a_config_that_is_none_is_a_folder_of_the_repository(asked: list) -> None:
    assert hub_reader(repository="a/b", config="part").builder() is not None
    plain = {"revision": None, "data_files": None}
    assert asked == [("a/b", "part", plain), ("a/b", None, plain | {"data_dir": "part"})]
    with pytest.raises(ValueError, match=r"^BuilderConfig 'gone' not found\.$"):
        hub_reader(repository="a/b", config="gone").builder()
    del asked[:]
    with pytest.raises(ValueError, match="another reason"):
        hub_reader(repository="a/b", config="broken").builder()
    assert len(asked) == 1


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "Which data set? Give data.repository=OWNER/NAME or data.path=DIR."),
        ({"name": "x"}, "x is not on the Hugging Face hub: give its folder with data.path=DIR."),
        ({"path": "gone" * 80}, f"data.path={('gone' * 80)[:299]}…: there is no such folder (relative paths start at "),
    ],
)
def test_what_is_nowhere_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        hub_reader(**given).place()
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "given, error, message",
    [
        (
            {"repository": "a/b"},
            ValueError("Config name is missing.\nPlease pick one among the available configs: ['x',\n'y']"),
            "a/b has the data sets 'x', 'y': choose one with data.config=NAME.",
        ),
        ({"path": "f"}, ValueError("bad\nfile"), "data.path=f cannot be read as f: bad."),
        (
            {"repository": "a/b", "name": "x"},
            OSError("no network\nat all"),
            "x (a/b) could not be loaded from the Hugging Face hub (no network): give a local copy with data.path=DIR, "
            "or, where it was loaded before, read it from the cache with the environment variable HF_HUB_OFFLINE=1.",
        ),
        ({"repository": "a/b", "name": "x"}, KeyError("odd"), "x (a/b) cannot be read: 'odd'."),
    ],
    ids=["config", "folder", "network", "other"],
)
def test_errors_of_datasets_are_one_sentence(given: dict[str, str], error: Exception, message: str) -> None:
    with pytest.raises(InputError) as raised:
        hub_reader(**given).explain(error)
    assert str(raised.value) == message and raised.value.__cause__ is error


def test_many_data_sets_of_a_repository_are_cut_in_the_message() -> None:
    with pytest.raises(InputError, match=rf"^a/b has the data sets {'x' * 399}…: choose"):
        hub_reader(repository="a/b").explain(ValueError(f"Config: available: [{'x' * 500}]"))


def test_a_table_of_the_hub_gives_the_columns_asked_for_and_numbers_its_rows() -> None:
    rows = [{"a": 1, "b": 2, "translation": {"de": "ja", "en": "yes"}}, {"a": 3, "b": 4, "translation": {}}]
    table = streamed(IterableDataset.from_generator(lambda: iter(rows)))
    assert table.features == rows[0] and table.column_names == ["a", "b", "translation", "de", "en"]
    reader = hub_reader(repository="a/b")
    reader.splits = {"test": table}
    found = list(reader.rows("test", {"b": "data.b"}))
    assert [row.place for row in found] == ["a/b, split test, row 1", "a/b, split test, row 2"]
    assert found[0].values == {"b": 2, "translation": rows[0]["translation"], "de": "ja", "en": "yes"}
    with pytest.raises(InputError, match=r"^a/b, split test: there is no column 'c'; it has a, b, translation, de, en"):
        next(reader.rows("test", {"c": "data.c"}))
    assert streamed(IterableDataset.from_generator(lambda: iter([]))).features == {}


def test_features_of_local_files_are_declared_or_those_of_the_first_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": "one", "y": [2]}\n{"x": "two", "y": [3]}\n')
    (tmp_path / "empty.jsonl").write_text("")
    declared = Features({"x": ClassLabel(names=["n", "p"])})
    for features, kinds in ((declared, {"x": "class"}), (None, {"x": "text", "y": "list of number"})):
        builder = SimpleNamespace(
            config=SimpleNamespace(data_files={"train": [tmp_path / "a.jsonl", tmp_path / "a.jsonl"]}),
            info=SimpleNamespace(features=features),
        )
        (table,) = local_tables(builder).values()
        assert table.kinds == kinds
        assert [row.values["x"] for row in table.rows({"x": "data.x"}, "a")] == ["one", "two"] * 2
    assert FileTable([tmp_path / "empty.jsonl"], None).kinds == {}
    assert local_tables(SimpleNamespace(config=SimpleNamespace(data_files=None))) == {}


def test_class_names_are_those_of_a_column_or_of_its_items() -> None:
    table = FeatureTable({"a": ClassLabel(names=["n"]), "b": List(ClassLabel(names=["p"])), "c": Value("int32")})
    assert [table.class_names(column) for column in "abc"] == [["n"], ["p"], None]


@pytest.mark.parametrize(
    "feature, kind",
    [
        (Value("string"), "text"),
        (Value("large_string"), "text"),
        ("a value", "text"),
        (Value("int8"), "number"),
        (Value("uint16"), "number"),
        (Value("bool"), "number"),
        (3, "number"),
        (True, "number"),
        (Value("float32"), "other"),
        (0.5, "other"),
        (None, "other"),
        (ClassLabel(names=["a"]), "class"),
        (List(ClassLabel(names=["a"])), "list of class"),
        ([Value("string")], "list of text"),
        (["a"], "list of text"),
        ([[1]], "list of list of number"),
        ([], "list of other"),
        (Translation(languages=["de", "en"]), "translation"),
        ({"de": "ja"}, "translation"),
        ({}, "other"),
    ],
    ids=str,
)
def test_what_a_column_holds(feature: Any, kind: str) -> None:
    assert kind_of_feature(feature) == kind


def test_the_only_candidate_or_the_only_usual_one_is_the_column() -> None:
    kinds = {"a": "text", "b": "text", "n": "number"}
    assert guess_column("data.x", ["b"], ["a"], kinds, "set") == "b"
    assert guess_column("data.x", iter(["a", "b"]), ["b", "c"], kinds, "set") == "b"
    for candidates, usual in (([], ["a"]), (["a", "b"], ["c"]), (["a", "b"], ["a", "b"])):
        with pytest.raises(InputError) as error:
            guess_column("data.x", candidates, usual, kinds, "set")
        listed = "a (text), b (text), n (number)"
        assert str(error.value) == f"set: which column? Set data.x=NAME to one of its columns: {listed}."
    with pytest.raises(InputError, match=r"to one of its columns: none\.$"):
        guess_column("data.x", [], [], {}, "set")
    with pytest.raises(InputError, match=r"columns: y{399}…\.$"):
        guess_column("data.x", [], [], {"y" * 500: "text"}, "set")


def test_limit_takes_a_seeded_part_of_every_split(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": "xy"[n % 2]} for n in range(50)]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def drawn(*overrides: str) -> list[str]:
        cfg = composed(
            "sentiment", "data=hub", "recipe=embedded", f"data.path={tmp_path}", "codec.min_count=1", *overrides
        )
        corpus: Corpus[Any] = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
        assert {len(split) for split in corpus.splits.values()} == {cfg.limit or 50}
        if cfg.limit:
            assert f"limit={cfg.limit}: {cfg.limit} of 50 train examples are used." in corpus.notes
        return [example.text for example in corpus.splits["train"].examples]

    every, first, again, other = drawn(), drawn("limit=9"), drawn("limit=9"), drawn("limit=9", "split.split_seed=1")
    assert first == again != other
    assert first != every[:9] and first == [text for text in every if text in first]
    with pytest.raises(InputError, match=r"limit=0: must be a whole number greater than 0, or null"):
        drawn("limit=0")


@pytest.mark.parametrize("data", options("data"))
def test_every_data_config_names_a_reader_with_its_keys(data: str) -> None:
    cfg = OmegaConf.load(ROOT / "conf" / "data" / f"{data}.yaml")
    for name in [name for name in cfg.pop("defaults", []) if isinstance(name, str)]:
        cfg = OmegaConf.merge(OmegaConf.load(ROOT / "conf" / "data" / f"{name}.yaml"), cfg)
    cfg = cfg.get("data", cfg)  # a file that chooses a recipe too names its package
    given = {key: "x" for key in ("train", "source") if OmegaConf.is_missing(cfg, key)}
    given |= {"repository": "a/b"} if "repository" in cfg and cfg.repository is None else {}
    given |= {"target": "y"} if OmegaConf.is_missing(cfg, "target") else {}
    assert isinstance(instantiate(OmegaConf.merge(cfg, given)), DatasetReader)


@pytest.mark.parametrize("data", ["sst2", "customer_reviews", "mpqa_opinions", "subjectivity"])
def test_public_data_sets_are_read_without_column_names(read: Callable, data: str) -> None:
    if not (SHARED / data).is_dir():
        pytest.skip(f"no copy of {data} in {SHARED}")
    examples = read("sentiment", "hub", SHARED / data).read_split("test")
    assert len({example.label for example in examples}) == 2 and len(examples) > 300
