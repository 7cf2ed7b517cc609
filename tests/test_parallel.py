"""Sentence pairs in users' files, and the error message of every mistake."""

import gzip
import json
from pathlib import Path

import pyarrow
import pytest
from conftest import CONF
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pyarrow import parquet

from data.classification import LabelledText
from data.corpus import Corpus, content_hash
from data.errors import InputError
from data.sources.parallel import FilePairs, HubPairs
from data.tokenizers import SentencePieceTokenizer
from data.translation import SentencePair, TranslationCodec

PAIRS = [("Zwei Hunde, zwei Katzen.", "Two dogs, two cats."), ('"Größe"\tzählt', 'size "counts"'), ("ja", "yes")]


def write(path: Path) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"en": en, "de": de}) + "\n" for de, en in PAIRS), encoding="utf-8")
    elif path.suffix == ".parquet":
        parquet.write_table(pyarrow.table({"de": [de for de, _ in PAIRS], "en": [en for _, en in PAIRS]}), path)
    elif path.suffix in (".tsv", ".csv"):
        mark = "\t" if path.suffix == ".tsv" else ","
        rows = (mark.join('"' + text.replace('"', '""') + '"' for text in pair) + "\n" for pair in PAIRS)
        path.write_text(f"de{mark}en\n" + "".join(rows), encoding="utf-8")
    else:
        for number, language in enumerate(("de", "en")):
            lines = "".join(pair[number] + "\n" for pair in PAIRS)
            path.with_name(f"{path.name}.{language}").write_text(lines, encoding="utf-8")
    return path


def pairs(train: Path, source: str = "de", target: str = "en") -> FilePairs:
    return FilePairs(train=str(train), validation=None, test=None, source=source, target=target)


@pytest.mark.parametrize("name", ["a.jsonl", "a.tsv", "a.csv", "a.parquet", "a"])
def test_every_kind_of_file_gives_the_same_pairs(tmp_path: Path, name: str) -> None:
    examples = pairs(write(tmp_path / name)).read_split("train")
    assert [tuple(example) for example in examples] == PAIRS
    assert content_hash(examples) == content_hash([SentencePair(*pair) for pair in PAIRS])


@pytest.mark.parametrize("name", ["a.jsonl", "a"])
def test_the_direction_can_be_reversed(tmp_path: Path, name: str) -> None:
    source = pairs(write(tmp_path / name), source="en", target="de")
    assert source.read_split("train")[2] == ("yes", "ja")
    assert source.origin()["direction"] == "en-de"


def test_text_files_from_windows_and_without_a_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "a.de").write_bytes(b"\xef\xbb\xbfeins\r\nzwei\r\n")
    (tmp_path / "a.en").write_bytes(b"one\ntwo")
    assert pairs(tmp_path / "a").read_split("train") == [("eins", "one"), ("zwei", "two")]


@pytest.mark.parametrize(
    "files, name, said",
    [
        (
            {"a.de": "eins\nzwei\n", "a.en": "one\n"},
            "a",
            r"a\.de and .*a\.en do not have the same number of lines: .*a\.en ends before line 2",
        ),
        (
            {"a.de": "eins\n", "a.en": "one\ntwo\n"},
            "a",
            r"not have the same number of lines: .*a\.de ends before line 2",
        ),
        ({"a.de": "eins\n", "a.en": b"\xff\n"}, "a", r"a\.en:1: byte 1 of the line is not UTF-8"),
        (
            {"a.de": "eins\n"},
            "a",
            r"a is neither a table \(\.csv, .*\) nor the common part of .*: there is no file .*a\.en",
        ),
        ({"a.de": "", "a.en": ""}, "a", r"a: the train split is empty"),
        ({"a.tsv": "de\tfr\neins\tun\n"}, "a.tsv", r"a\.tsv:1: there is no column 'en'; it has de, fr"),
        ({"a.jsonl": '{"de": "eins", "en": 5}\n'}, "a.jsonl", r"a\.jsonl:1: there is no text in column 'en'"),
        ({"a.tsv": "1\tGeh.\tGo.\n"}, "a.tsv", r"no column 'de'; .*data\.source=NAME, or, .* data\.columns=\[\.\.\.\]"),
        (
            {"a.jsonl": '{"de": "eins"}\n'},
            "a.jsonl",
            r"a\.jsonl:1: there is no column 'en'; it has de: .* data\.target=NAME\.$",
        ),
        ({}, "a.jsonl", r"There is no file .*a\.jsonl"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(
    tmp_path: Path, files: dict[str, str | bytes], name: str, said: str
) -> None:
    for file, content in files.items():
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said):
        pairs(tmp_path / name).read_split("train")


def test_dropped_pairs_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("de\ten\neins\tone\n \ttwo\ndrei\t\nvier\tfour\n")
    (tmp_path / "b.de").write_text("\nzwei\n")
    (tmp_path / "b.en").write_text("one\ntwo\n")
    for name, kept, counts, place in (
        ("a.tsv", [("eins", "one"), ("vier", "four")], "2 of 4", "a.tsv:3"),
        ("b", [("zwei", "two")], "1 of 2", "b.de:1"),
    ):
        source = pairs(tmp_path / name)
        assert source.read_split("train") == kept
        (note,) = source.notes
        assert note.startswith(f"{counts} pairs were dropped") and f"the first at {tmp_path / place}." in note


def test_a_name_that_is_too_long_is_cut_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x… cannot be read: File name too long") as error:
        pairs(tmp_path / ("x" * 300)).read_split("train")
    assert len(str(error.value).split(" cannot")[0]) == 300


def test_two_different_languages_are_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.source and data\.target are both 'de': give two languages"):
        pairs(tmp_path / "a", source="de", target="de")


def captions(folder: Path, source: str, target: str) -> HubPairs:
    place = {"name": "captions", "repository": "nobody/captions", "revision": None, "path": str(folder)}
    return HubPairs(**place, source=source, target=target)


def test_a_copy_of_a_hub_data_set_is_read_in_its_layout(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write(tmp_path / f"{split}.jsonl")
    source = captions(tmp_path, "en", "de")
    for split in ("train", "validation", "test"):
        assert source.read_split(split) == [(en, de) for de, en in PAIRS]
    assert source.origin() == {"source": "local copy", "revision": None, "direction": "en-de"}
    with pytest.raises(InputError, match="captions, split train: there is no column 'fr'; it has en, de"):
        captions(tmp_path, "fr", "de").read_split("train")


def test_a_copy_may_lack_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl")
    source = captions(tmp_path, "en", "de")
    assert source.read_split("validation") is None is source.iterate_split("test")


def test_a_data_set_that_is_not_on_the_hub_needs_its_folder() -> None:
    source = instantiate(OmegaConf.load(CONF / "data" / "tatoeba_de_en.yaml"))
    with pytest.raises(InputError, match=r"tatoeba_de_en is not on the Hugging Face hub: .* data\.path=DIR"):
        source.read_split("train")


def test_without_validation_and_test_files_a_part_is_held_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"de": f"Satz {n}", "en": f"sentence {n}"}) + "\n" for n in range(40)))
    tokenizer = SentencePieceTokenizer(vocab_size=30, model_type="bpe", lowercase=False)
    corpus = Corpus(pairs(path), TranslationCodec(tokenizer, True, None, -1))
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 36, "validation": 4}
    assert "no validation split" in corpus.notes[0] and "no test score" in corpus.notes[1]


def test_a_data_set_of_another_task_is_refused(tmp_path: Path) -> None:
    tokenizer = SentencePieceTokenizer(vocab_size=30, model_type="bpe", lowercase=False)
    source = pairs(write(tmp_path / "a.jsonl"))
    source.example_type = LabelledText
    with pytest.raises(InputError, match="has LabelledText rows, and this task needs SentencePair rows"):
        Corpus(source, TranslationCodec(tokenizer, True, None, -1))


@pytest.mark.parametrize(
    "files, name",
    [
        ({"a.de": "eins\n\nzwei\n\n", "a.en": "one\n\ntwo\n \n"}, "a"),
        ({"a.de": "eins\ndrei\nzwei\n", "a.en": "one\n\ntwo\n"}, "a"),
        ({"a.tsv": "de\ten\neins\tone\n\tthree\nzwei\ttwo\n"}, "a.tsv"),
        ({"a.jsonl": '{"de": "eins", "en": "one"}\n{"de": "x", "en": null}\n{"de": "zwei", "en": "two"}\n'}, "a.jsonl"),
    ],
)
def test_pairs_with_an_empty_side_are_dropped_and_counted(tmp_path: Path, files: dict[str, str], name: str) -> None:
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    source = pairs(tmp_path / name)
    assert source.read_split("train") == [("eins", "one"), ("zwei", "two")]
    (note,) = source.notes
    assert "pairs were dropped, because a side is empty" in note and str(tmp_path / name) in note


def test_translation_rows_of_the_hub_are_read_from_json_and_parquet(tmp_path: Path) -> None:
    rows = [{"id": number, "translation": {"en": en, "de": de}} for number, (de, en) in enumerate(PAIRS)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.json", "a.parquet"):
        assert pairs(tmp_path / name).read_split("train") == PAIRS
        with pytest.raises(InputError, match=rf"/{name}.*: there is no column 'fr'.* data\.target=NAME"):
            pairs(tmp_path / name, target="fr").read_split("train")


def test_a_file_without_a_header_line_is_read_with_the_names_of_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("1\tGo.\tGeh.\tCC-BY\n2\tHi!\tHallo!\tCC-BY\n")
    source = FilePairs(
        train=str(tmp_path / "a.tsv"),
        validation=None,
        test=None,
        source="en",
        target="de",
        columns=["id", "en", "de", "licence"],
    )
    assert source.read_split("train") == [("Go.", "Geh."), ("Hi!", "Hallo!")]


def test_gzipped_files_are_read(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.tsv", "a"):
        write(tmp_path / name)
    for path in list(tmp_path.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for name in ("a.jsonl.gz", "a.tsv.gz", "a"):
        assert pairs(tmp_path / name).read_split("train") == PAIRS
    (tmp_path / "a.jsonl.gz").write_bytes((tmp_path / "a.jsonl.gz").read_bytes()[:-9])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: the gzip file is damaged"):
        pairs(tmp_path / "a.jsonl.gz").read_split("train")
