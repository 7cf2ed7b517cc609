"""Users' files, the error message of every mistake in them, tokenizers and vocabularies."""

import csv
import gzip
import hashlib
import json
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from data.classification import ClassificationCodec, LabelledText
from data.corpus import Corpus, check_split_options, content_hash, held_out_sizes, hold_out, sample_rows
from data.errors import InputError, shorten
from data.sources.parallel import FilePairs
from data.sources.tables import Row, decoded_lines
from data.sources.texts import FileTexts, HubTexts, label_candidates
from data.tagging import TaggedSentence
from data.tokenizers import (
    ASCII_WORD,
    LONGEST_WORD,
    WORD,
    CharacterTokenizer,
    SentencePieceTokenizer,
    WordTokenizer,
    cut_long_words,
    evenly_spaced,
)
from data.translation import TranslationCodec
from data.vocabulary import SPECIALS, UNK, Vocabulary

ROWS = [("fine , warm", "good"), ('a "dull" one', "bad"), ("zwölf Töne", "good"), ("so so", "middling")]


def write(path: Path) -> Path:
    names = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in ROWS), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(
            json.dumps([{"text": text, "label": label} for text, label in ROWS], indent=2), encoding="utf-8"
        )
    elif path.suffix == ".parquet":
        parquet.write_table(pyarrow.table(names), path)
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        quoted = ('"' + text.replace('"', '""') + f'"{mark}{label}\n' for text, label in ROWS)
        path.write_text(f"text{mark}label\n" + "".join(quoted), encoding="utf-8-sig")
    return path


def texts(train: Path, validation: Path | None = None, test: Path | None = None, **columns: str) -> FileTexts:
    files = {"train": str(train), "validation": validation and str(validation), "test": test and str(test)}
    options = {"text_column": "text", "label_column": "label"} | columns
    return FileTexts(**files, **options, pretokenized=True)


def codec(**options: object) -> ClassificationCodec:
    defaults = {"min_count": 1, "vocab_size": None, "max_length": None, "keep": "start"}
    return ClassificationCodec(WordTokenizer(lowercase=True, pretokenized=True), **(defaults | options))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    examples = texts(write(tmp_path / f"train.{kind}")).read_split("train")
    assert [tuple(example.content()) for example in examples] == ROWS
    assert content_hash(examples) == content_hash([LabelledText(*row) for row in ROWS])


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", b"", r"a\.csv:1: there is no column 'text'; it has none: "),
        ("a.csv", b"text,sign\nfine,good\n", r"a\.csv:1: .* 'label'; it has text, sign: .*data\.label_column=NAME"),
        ("a.csv", b"text,label\nfine,good\n ,bad\n", r"a\.csv:3: there is no text in column 'text'"),
        ("a.csv", b"text,label\nfine,\n", r"a\.csv:2: '' in column 'label' is not a label"),
        ("a.csv", b"text,label\nfine,good,more\n", r"a\.csv:2: 3 cells in a row under 2 column names"),
        ("a.csv", b'text,label\n"fine,good\n', r"a\.csv:2: .*check the quotes"),
        ("a.tsv", b"text\tlabel\nfine\tgood\nb\xe4d\tbad\n", r"a\.tsv:3: byte 2 of the line is not UTF-8"),
        ("a.jsonl", b'{"text": "fine", "label": "good"}\n{"text": \n', r"a\.jsonl:2: not JSON"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl:1: every row must be a JSON object"),
        ("a.jsonl", b'{"text": "fine", "label": 0.5}\n', r"a\.jsonl:1: 0\.5 in column 'label' is not a label"),
        ("a.jsonl", b'{"text": 3, "label": "good"}\n', r"a\.jsonl:1: there is no text"),
        ("a.jsonl", b"", r"a\.jsonl: the train split is empty"),
        ("a.jsonl", b'{"text": "fine", "label": ' + b"1" * 4301 + b"}", r"a\.jsonl:1: a number .* too many digits"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl:1: the JSON is nested too deeply"),
        ("a.json", b"[" * 100_000, r"a\.json: the JSON is nested too deeply"),
        ("a.json", b'[{"text": "fine", "label": "x"}, 3]', r"a\.json, row 2: every row must be a JSON object"),
        ("a.json", b'[{"text": "fine"', r"a\.json: not JSON \(Expecting"),
        ("a.csv", b"text,label,text\nfine,good,warm\n", r"a\.csv:1: there are 2 columns 'text'"),
        ("a.tsv", b"text\tlabel\nfine\tgood\tmore\n", r"a\.tsv:2: 3 cells in a row under 2 column names"),
        (
            "a.csv",
            b"sign\n",
            r"data\.text_column=NAME, or, if the file has no header line, .* data\.columns=\[\.\.\.\]",
        ),
        ("a.tsv", b'"text"\tlabel\n', r"a\.tsv:1: there is no column 'text'; it has \"text\", label"),
        ("a.parquet", b"no", r"a\.parquet: not a Parquet file"),
        ("a.csv.gz", b"no", r"a\.csv\.gz: the gzip file is damaged"),
        ("a.xlsx", b"no", r"a\.xlsx: files end in \.csv, .*, \.parquet; '\.xlsx' is none"),
    ],
)
def test_a_mistake_in_a_file_is_named_by_file_and_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        texts(tmp_path / name).read_split("train")


@pytest.mark.parametrize("name", ["a.CSV", "a.csv.GZ", "a.TSV.gz"])
def test_capitals_in_a_suffix_are_those_of_the_format(tmp_path: Path, name: str) -> None:
    content = write(tmp_path / f"plain{name[1:5].lower()}").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    assert [example.content() for example in texts(tmp_path / name).read_split("train")] == ROWS


def test_only_line_ends_and_the_first_byte_order_mark_are_no_text() -> None:
    lines = [b"\xef\xbb\xbfa \r\n", b"\xef\xbb\xbfb\t\n", b"c"]
    assert list(decoded_lines("a.txt", lines)) == [(1, "a "), (2, "\ufeffb\t"), (3, "c")]


def test_columns_that_are_not_read_may_hold_anything(tmp_path: Path) -> None:
    years = pyarrow.array([10**12]).cast(pyarrow.timestamp("s"))  # that Python has not
    parquet.write_table(pyarrow.table({"when": years, "text": ["fine"], "label": ["x"]}), tmp_path / "a.parquet")
    assert [example.content() for example in texts(tmp_path / "a.parquet").read_split("train")] == [("fine", "x")]


def test_a_damaged_page_of_a_parquet_file_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pyarrow.table({"text": ["warm"], "label": ["x"]})
    plain = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    parquet.write_table(table, path, write_page_checksum=True, **plain)
    assert texts(path).read_split("train")[0].text == "warm"
    path.write_bytes(path.read_bytes().replace(b"warm", b"worm"))
    with pytest.raises(InputError, match=r"a\.parquet: .*a damaged one"):
        texts(path).read_split("train")


def test_rows_in_turn_are_those_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("text,label\n")
    source = texts(write(tmp_path / "a.csv"), None, tmp_path / "empty.csv")
    assert source.origin() == {"source": "files: a.csv, empty.csv", "revision": None}
    assert list(source.iterate_split("train")) == source.read_split("train")
    assert source.iterate_split("validation") is None
    with pytest.raises(InputError, match=r"empty\.csv: the test split is empty"):
        next(source.iterate_split("test"))


def test_long_paths_are_cut_in_messages(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 150) / ("y" * 150)
    (folder / "folder.csv").mkdir(parents=True)
    (folder / "a.xlsx").write_text("")
    for name, said in (("folder.csv", "no regular file"), ("gone.csv", "There is no file"), ("a.xlsx", "files end in")):
        with pytest.raises(InputError, match=said) as error:
            texts(folder / name).read_split("train")
        assert f"{str(folder)[:299]}…" in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*gone\.csv"):
        texts(tmp_path / "gone.csv").read_split("train")


def test_what_is_no_regular_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("folder.csv", "pipe.csv"):
        with pytest.raises(InputError, match=rf"{name} is no regular file, but a folder, pipe or device"):
            texts(tmp_path / name).read_split("train")


def test_a_label_unknown_to_training_is_named(tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text("text,label\nfine,splendid\n")
    source = texts(write(tmp_path / "train.csv"), tmp_path / "validation.csv")
    with pytest.raises(
        InputError, match=r"validation\.csv:2: the label 'splendid' does not occur in the training split"
    ):
        Corpus(source, codec())


@pytest.mark.parametrize("value", [datetime(1999, 1, 1), b"\xff", 10**40], ids=str)
def test_values_that_are_no_text_or_no_python_value_are_named(tmp_path: Path, value: object) -> None:
    kind = pyarrow.decimal256(60) if isinstance(value, int) else None
    table = pyarrow.table({"text": pyarrow.array([value], kind), "label": ["x"]})
    if isinstance(value, datetime):  # a year that Python has not
        table = table.set_column(0, "text", pyarrow.array([10**12]).cast(pyarrow.timestamp("s")))
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet.*(cannot represent|there is no text)"):
        texts(tmp_path / "a.parquet").read_split("train")


def test_messages_repeat_at_most_80_characters_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nfine,good\n")
    for name, content in {
        "a.csv": "x" * 5000 + "\n",
        "b.jsonl": json.dumps({"text": "fine", "label": ["x" * 5000]}),
        "c.csv": "text,label\nfine," + "y" * 5000,
    }.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError) as error:
            Corpus(texts(write(tmp_path / "train.csv"), tmp_path / name), codec())
        assert 80 < len(str(error.value)) < 500 and "…" in str(error.value)


def test_files_that_cannot_be_opened_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"x… cannot be read: File name too long") as error:
        texts(tmp_path / f"{'x' * 300}.csv").read_split("train")
    assert len(str(error.value).split(" cannot")[0]) == 300
    with pytest.raises(InputError, match="There is no file"):
        texts(tmp_path / "a\0.csv").read_split("train")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "a.csv")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"a\.csv cannot be read: Permission denied"):
        texts(path).read_split("train")

    def refuse_without_number(*_: object, **__: object) -> None:
        raise OSError("the device is gone")

    monkeypatch.setattr(Path, "open", refuse_without_number)
    with pytest.raises(InputError, match=r"a\.csv cannot be read: the device is gone"):
        texts(path).read_split("train")


PLAIN_TSV = {
    "a quoted first word": '"Great" said nobody\tneg\nfine day\tpos\n',
    "quotes that would swallow rows": 'first\tpos\n"second\tneg\nthird\tpos\nfourth"\tneg\n',
    "open to the end of the file": 'one\tpos\n"two\tneg\nthree\tpos\n',
    "inside": 'he said "no" twice\tneg\na 5" disc\tpos\n',
    "one whole cell": '"To be or not to be"\tpos\nplain\tneg\n',
}


@pytest.mark.parametrize("content", PLAIN_TSV.values(), ids=PLAIN_TSV.keys())
def test_quotation_marks_in_tsv_are_text(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + content)
    examples = texts(tmp_path / "a.tsv").read_split("train")
    assert "".join(f"{example.text}\t{example.label}\n" for example in examples) == content
    (tmp_path / "b.tsv").write_text("id\tlabel\ttext\n" + "".join(f"1\t{e.label}\t{e.text}\n" for e in examples))
    assert [e.text for e in texts(tmp_path / "b.tsv").read_split("train")] == [e.text for e in examples]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_tsv_with_consistent_quotes_is_unquoted(tmp_path: Path, quoting: int) -> None:
    rows = [["text", "label"], ['a "dull" one', "x"], ["fine", "y"], ['"warm" and\tlong', "x"], ["two\nlines", "y"]]
    for size in (3, 5):
        with (tmp_path / "a.tsv").open("w", newline="") as file:
            csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\n").writerows(rows[:size])
        examples = texts(tmp_path / "a.tsv").read_split("train")
        assert [list(example.content()) for example in examples] == rows[1:size]


@pytest.mark.parametrize(
    "lines, quoted",
    [
        (['"text"\t"label"', '"fine"\t"x"', '"dull"\t"y"'], True),
        (["text\tlabel", '"fine"\tx', '"dull"\ty'], True),
        (["text\tlabel", '"fine"\tx', 'dull\t"y"'], False),
        (["text\tlabel", '"a ""b"""\tx', "c\ty"], True),
        (["text\tlabel", '"""b"" a"\tx', "c\ty"], True),
        (["text\tlabel", '"""b"\tx', "c\ty"], True),
        (["text\tlabel", '"b"""\tx', "c\ty"], True),
        (["text\tlabel", "plain\tx", '"fine"\ty', '"dull"\tz'], False),
        (["text\tlabel", '"a\tb\tx', "c\ty"], False),
        (["text\tlabel", '"a ""b"""\tx', '"c\ty'], False),
        (["text\tlabel", '"a ""b"""\tx', '"c"\ty', "d\tz"], False),
        (["text\tlabel", '"a\tb"\tx', "c\ty"], True),
        (["text\tlabel", '"a\tb"\tx\tz', "c\ty"], False),
        (["text\tlabel", "a\tb\tx", "c\ty"], False),
        (["text\tlabel", '"a" b\tc\tx', "c\ty"], False),
    ],
)
def test_when_tsv_counts_as_quoted(tmp_path: Path, lines: list[str], quoted: bool) -> None:
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    try:
        cells = [list(e.content()) for e in texts(tmp_path / "a.tsv").read_split("train")]
    except InputError as error:
        assert not quoted and "cells in a row under 2 column names" in str(error)
        return
    assert cells == (list(csv.reader(lines, delimiter="\t")) if quoted else [x.split("\t") for x in lines])[1:]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_tables_without_a_header_line(tmp_path: Path, name: str, quote: str) -> None:
    mark = "," if name == "a.csv" else "\t"
    (tmp_path / name).write_text(f"{quote}x{quote}{mark}{quote}fine{quote}\n{quote}y{quote}{mark}{quote}dull{quote}\n")
    columns = {"text_column": "text", "label_column": "label", "pretokenized": True, "columns": ["label", "text"]}
    reader = FileTexts(train=str(tmp_path / name), validation=None, test=None, **columns)
    assert [e.content() for e in reader.read_split("train")] == [("fine", "x"), ("dull", "y")]
    short = FileTexts(train=str(tmp_path / name), validation=None, test=None, **columns | {"columns": ["label"]})
    with pytest.raises(
        InputError, match=r"a\.[ct]sv:1: there is no column 'text'; it has label: .*data\.text_column=NAME\.$"
    ):
        short.read_split("train")


def test_a_json_file_may_hold_an_array_or_an_object_per_line(tmp_path: Path) -> None:
    rows = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    for content in ("\n".join(rows), "\n \n  [" + ",\n".join(rows) + "]\n"):
        (tmp_path / "a.json").write_text(content)
        assert [e.content() for e in texts(tmp_path / "a.json").read_split("train")] == ROWS
    (tmp_path / "a.json").write_text(rows[0] + "\n{")
    with pytest.raises(InputError, match=r"a\.json:2: not JSON \(Expecting .* at character 2\)\.$"):
        texts(tmp_path / "a.json").read_split("train")
    (tmp_path / "a.json").write_text("\n")
    with pytest.raises(InputError, match=r"a\.json: the train split is empty"):
        texts(tmp_path / "a.json").read_split("train")


def test_a_cell_of_csv_may_have_several_lines_and_errors_name_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"line one\nline ""two""\n\nline four",pos\n"a, b",neg\n')
    examples = texts(tmp_path / "a.csv").read_split("train")
    assert [e.content() for e in examples] == [('line one\nline "two"\n\nline four', "pos"), ("a, b", "neg")]
    assert examples[1].place.endswith("a.csv:6")
    (tmp_path / "b.csv").write_text('text,label\n"two\nlines",x\n"open,y\n')
    with pytest.raises(InputError, match=r"b\.csv:4: unexpected end of data: check the quotes"):
        texts(tmp_path / "b.csv").read_split("train")


def test_half_an_emoji_in_json_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        r'{"text": "so happy \ud83d", "label": "p\udc00"}' + "\n" + r'{"text": "\ud83d\ude00", "label": "q"}' + "\n"
    )
    examples = texts(tmp_path / "a.jsonl").read_split("train")
    assert [e.content() for e in examples] == [("so happy \ufffd", "p\ufffd"), ("\U0001f600", "q")]


def test_the_content_hash_is_that_of_prefixed_utf8_bytes() -> None:
    one = hashlib.sha256("t2:s5:schöns1:x".encode()).hexdigest()
    assert content_hash([LabelledText("schön"[:4], "x")]) != one
    assert (
        content_hash([LabelledText("schön"[:4] + "n", "x")]) == hashlib.sha256("t2:s6:schöns1:x".encode()).hexdigest()
    )
    assert content_hash([LabelledText("ab", "c")]) != content_hash([LabelledText("a", "bc")])
    words = TaggedSentence(("a", "b"), ("X", "Y"))
    assert content_hash([words]) == hashlib.sha256(b"t2:t2:s1:as1:bt2:s1:Xs1:Y").hexdigest()
    assert content_hash([LabelledText("a", "b", {"distance": 3}, "a.csv:1")]) == content_hash([LabelledText("a", "b")])


def test_validation_is_held_out_with_the_same_shares_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{'a' if i % 4 else 'b'}\n" for i in range(200)))
    corpora = [Corpus(texts(path), codec(), split_seed=seed) for seed in (0, 0, 1)]
    held = [[example.text for example in corpus.splits["validation"].examples] for corpus in corpora]
    assert held[0] == held[1] != held[2]
    assert sorted(example.label for example in corpora[0].splits["validation"].examples) == ["a"] * 15 + ["b"] * 5
    train = {example.text for example in corpora[0].splits["train"].examples}
    assert len(train) == 180 and not train & set(held[0])
    assert "no validation split" in corpora[0].notes[0] and "no test score" in corpora[0].notes[1]


@pytest.mark.parametrize(
    "labels",
    ["abababab", "aaaabbbb", "aaaaaaab", [str(n // 4) for n in range(600)], "ab" * 4 + "c", "aa"],
    ids=["eight rows", "in order", "one alone", "150 classes of four", "a label once", "two rows"],
)
def test_a_part_of_small_data_is_held_out_and_training_keeps_every_label(labels: list[str]) -> None:
    rows = [LabelledText(f"text {n}", label) for n, label in enumerate(labels)]
    train, held = hold_out(rows, 0.1, seed=0)
    assert len(held) == max(1, round(len(rows) / 10)) and len(train) + len(held) == len(rows)
    assert {row.label for row in train} == set(labels)
    assert len({hold_out(rows, 0.1, seed)[1][0].text for seed in range(9)}) > 1


def test_what_is_held_out_and_what_was_read_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(60)))
    (tmp_path / "b.csv").write_text("text,label\n" + "".join(f"text {i},a\n" for i in range(60)))
    note = (
        "files has no validation split: 6 of its training examples, drawn with seed 0{}, were held out for validation."
    )
    proportions = " with the same proportions of labels"
    for name, size, added in (
        ("a", 1, proportions),
        ("b", 1, ""),
        ("a", 2, f" in groups of 2 consecutive rows{proportions}"),
        ("b", 3, " in groups of 3 consecutive rows"),
    ):
        reader = texts(tmp_path / f"{name}.csv")
        reader.group_size = size
        corpus = Corpus(reader, codec())
        assert corpus.notes == [note.format(added), "No test file is given (data.test=F), so there is no test score."]
        rows = [int(e.text.split()[1]) // (2 if name == "a" else 1) for e in corpus.splits["validation"].examples]
        assert len(rows) == 6 and (name == "a" or len({row // size for row in rows}) == 6 // size)
    assert corpus.description() == {
        "name": "files",
        "source": "files: b.csv",
        "revision": None,
        "sha256": {split: content_hash(corpus.splits[split].examples) for split in ("train", "validation")},
        "sizes": {"train": 54, "validation": 6},
        "notes": corpus.notes,
    }


def test_the_order_of_rows_that_are_held_out_is_fixed() -> None:
    """Results of earlier versions stay comparable: the rank of a row is the SHA-256 of the seed and its number."""
    rows = [LabelledText(str(n), "x") for n in range(50)]
    ranked = sorted(range(50), key=lambda n: hashlib.sha256(f"7:{n}".encode()).digest())
    assert [int(row.text) for row in hold_out(rows, 0.2, seed=7)[1]] == sorted(ranked[:10])
    assert [int(row.text) for row in sample_rows(rows, 10, seed=7)] == sorted(ranked[:10])
    assert sample_rows(rows, 50, seed=7) is rows is sample_rows(rows, None, seed=7)


@pytest.mark.parametrize(
    "sizes, fraction, expected",
    [
        ([100, 300], 0.1, [10, 30]),
        ([4] * 5, 0.1, 2),
        ([1, 1, 8], 0.1, [0, 0, 1]),
        ([1, 1], 0.5, [0, 0]),
        ([9, 1], 0.9, [8, 0]),
    ],
)
def test_held_out_sizes_add_up_to_the_fraction(sizes: list[int], fraction: float, expected: list[int] | int) -> None:
    held = held_out_sizes(sizes, fraction, seed=0)
    assert held == expected if isinstance(expected, list) else sum(held) == expected
    assert all(part < size for part, size in zip(held, sizes, strict=True))


def test_rows_left_over_by_rounding_go_to_the_largest_remainders_and_ties_to_the_seed() -> None:
    assert {tuple(held_out_sizes([11, 19], 0.1, seed)) for seed in range(9)} == {(1, 2)}
    assert {tuple(held_out_sizes([19, 11], 0.1, seed)) for seed in range(9)} == {(2, 1)}
    assert {tuple(held_out_sizes([15, 25], 0.1, seed)) for seed in range(9)} == {(2, 2), (1, 3)}
    rows = [LabelledText(str(n), "ab"[n < 15]) for n in range(40)]
    assert {sum(row.label == "b" for row in hold_out(rows, 0.1, seed)[1]) for seed in range(9)} == {1, 2}


def test_cut_texts_are_counted_in_a_note(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{name} b c d,x\ne f,x\n")
    notes = Corpus(texts(tmp_path / "a.csv", tmp_path / "b.csv"), codec(max_length=3)).notes
    cut = "1 of 2 {} examples are longer than codec.max_length=3 tokens and were cut."
    assert notes[1:] == [cut.format("train"), cut.format("validation")]
    assert len(Corpus(texts(tmp_path / "a.csv", tmp_path / "b.csv"), codec(max_length=4)).notes) == 1


def test_data_too_small_to_hold_out_asks_for_a_validation_split(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\none,a\ntwo,b\nthree,c\n")
    with pytest.raises(
        InputError,
        match=r"a part of it, as validation needs labels.* too: .* a validation split \(data\.validation=F\)",
    ):
        Corpus(texts(tmp_path / "a.csv"), codec())
    (tmp_path / "a.tsv").write_text("one\teins\n")
    files = {"train": str(tmp_path / "a.tsv"), "validation": None, "test": None}
    pairs = FilePairs(**files, source="en", target="de", columns=["en", "de"])
    with pytest.raises(InputError, match=r"too small to hold out a part of it: give more rows"):
        Corpus(pairs, TranslationCodec(WordTokenizer(True, False), True, None, -1, 20))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), float("inf"), "much", True, None])
def test_the_held_out_fraction_is_checked(tmp_path: Path, fraction: object) -> None:
    with pytest.raises(InputError, match=rf"split\.validation_share={shorten(fraction)}: must be "):
        Corpus(texts(write(tmp_path / "a.csv")), codec(), validation_share=fraction)
    with pytest.raises(InputError, match=r"split\.split_seed=x: must be a whole number"):
        Corpus(texts(write(tmp_path / "a.csv")), codec(), split_seed="x")
    with pytest.raises(InputError, match=r"split\.split_seed=-1: must not be negative"):
        Corpus(texts(write(tmp_path / "a.csv")), codec(), split_seed=-1, limit=1)


@pytest.mark.parametrize("limit", [0, True, 1.5, "x"])
def test_the_limit_is_a_number_of_examples(tmp_path: Path, limit: object) -> None:
    with pytest.raises(InputError, match=r"^limit=.*: must be a whole number greater than 0, or null"):
        check_split_options(0.1, 0, limit)
    with pytest.raises(InputError, match=r"^split\.split_seed=true: must be a whole number"):
        check_split_options(0.1, True, None)
    path = write(tmp_path / "a.csv")
    assert [len(split) for split in Corpus(texts(path, path), codec(), limit=1).splits.values()] == [1, 1]


def test_notes_of_the_reader_come_first(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    source = texts(path, path)
    source.notes.append("A side is empty.")
    notes = Corpus(source, codec(), limit=2).notes
    assert notes[:2] == ["A side is empty.", "limit=2: 2 of 4 train examples are used."]


def test_the_test_split_can_stay_unread(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    corpus = Corpus(texts(path, path, tmp_path / "gone.csv"), codec(), read_test=False)
    assert list(corpus.splits) == ["train", "validation"]
    assert corpus.notes == ["The test split was not read (test=false)."]


def test_the_test_split_is_read_where_validation_is_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    corpus = Corpus(texts(path, None, path), codec())
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 3, "test": 4, "validation": 1}
    assert all(split.codec is corpus.codec for split in corpus.splits.values()) and len(corpus.notes) == 1


@pytest.mark.parametrize("split, rows", [("train", None), ("train", []), ("validation", []), ("test", [])])
def test_splits_without_rows_are_refused(tmp_path: Path, split: str, rows: list[LabelledText] | None) -> None:
    path = write(tmp_path / "a.csv")
    source = texts(path, path, path)
    read = source.read_split
    source.read_split = lambda name: rows if name == split else read(name)
    with pytest.raises(InputError, match=f"The {split} split of 'files' is empty"):
        Corpus(source, codec())


@pytest.mark.parametrize("own, expected", [(None, 3), (2, 2), (5, 3)])
def test_a_maximum_length_only_ever_shortens(own: int | None, expected: int) -> None:
    limited = codec(max_length=own)
    limited.limit_length(3)
    assert limited.max_length == expected


def test_neighbours_are_held_out_in_whole_groups() -> None:
    rows = [LabelledText(f"text {i}", "a" if i < 200 else "b") for i in range(400)]
    train, held = hold_out(rows, 0.1, seed=0, group_size=10)
    for label, start in (("a", 0), ("b", 200)):
        drawn = [int(row.text.split()[1]) - start for row in held if row.label == label]
        assert len(drawn) == 20
        assert drawn == [block * 10 + i for block in sorted({row // 10 for row in drawn}) for i in range(10)]
    assert sorted(row.text for row in train + held) == sorted(row.text for row in rows)
    assert hold_out(rows, 0.1, seed=0, group_size=10)[1] == held != hold_out(rows, 0.1, seed=1, group_size=10)[1]
    assert sum(len(hold_out(rows, 0.13, seed=0, group_size=10)[part]) for part in (0, 1)) == 400
    assert {len(hold_out(rows[:5], 0.4, seed, group_size=2)[1]) for seed in range(9)} == {2}  # the last may be alone


@pytest.fixture
def hub_copy(tmp_path: Path) -> Path:
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    splits = {
        "train": {"sentence": [f"text {i}" for i in range(20)], "label": [i % 2 for i in range(20)]},
        "test": {"sentence": ["one", "two"], "label": [-1, -1]},
    }
    folder = tmp_path / "copy"
    for name, columns in splits.items():
        Dataset.from_dict(columns, features=features).to_parquet(folder / f"{name}.parquet")
    return folder


def hub(path: Path | None, **options: object) -> HubTexts:
    defaults = {
        "name": "reviews",
        "repository": "nobody/reviews",
        "revision": None,
        "text_column": ["sentence"],
        "label_column": "label",
        "labels": ["negative", "positive"],
        "replace": {"text": "word"},
        "pretokenized": True,
    }
    return HubTexts(path=path and str(path), **(defaults | options))


def test_a_copy_of_a_hub_data_set_is_read_in_its_layout(hub_copy: Path) -> None:
    corpus = Corpus(hub(hub_copy), codec())
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 18, "validation": 2}
    assert corpus.splits["train"].examples[0].content() == ("word 0", "negative")
    assert any("hidden in this copy (-1)" in note for note in corpus.notes)
    assert corpus.description()["source"] == "local copy"


def test_rows_of_a_copy_come_in_turn_too(hub_copy: Path) -> None:
    source = hub(hub_copy)
    rows = source.read_split("train")
    assert list(source.iterate_split("train")) == rows and rows[2].place.endswith("train.parquet, row 3")
    assert source.iterate_split("validation") is None


def test_labels_are_class_numbers_or_names() -> None:
    source, classes = hub(None), ["neg", "pos"]

    def label(value: object, classes: list[str] | None = classes) -> str:
        return source.label(Row("row 2", {"label": value}), "label", classes)

    assert [label(value) for value in ("pos", 1, "1", " 1 ", 0)] == ["pos", "pos", "pos", "pos", "neg"]
    assert label("1", ["1", "0"]) == "1" and label(5, None) == "5"
    for value in (True, 2, -1, "x", 0.5, "1" * 5000):
        with pytest.raises(InputError, match=r"^row 2: the label .* is none of 0 to 1 \(neg, pos\)"):
            label(value)
    with pytest.raises(InputError, match=r"data\.group_size=0: must be at least 1"):
        hub(None, group_size=0)


@pytest.mark.parametrize(
    "kinds, expected",
    [
        ({"text": "text", "kind": "class", "label": "text", "votes": "number"}, ["kind"]),
        ({"text": "text", "votes": "number", "label": "text"}, ["label"]),
        ({"text": "text", "remark": "text", "votes": "number"}, ["votes"]),
        ({"text": "text", "remark": "text"}, ["remark"]),
    ],
)
def test_what_may_be_the_label(kinds: dict[str, str], expected: list[str]) -> None:
    assert label_candidates(kinds) == expected


def test_mistakes_in_a_copy_are_named(hub_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.path=.*gone: there is no such folder"):
        Corpus(hub(tmp_path / "gone"), codec())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty cannot be read as reviews"):
        Corpus(hub(tmp_path / "empty"), codec())
    with pytest.raises(InputError, match=r"no column 'body'; it has sentence, label.* data\.text_column=NAME"):
        Corpus(hub(hub_copy, text_column=["body"]), codec())
    with pytest.raises(InputError, match=r"train\.parquet, row 2: the label 1 is none of 0 to 0"):
        Corpus(hub(hub_copy, labels=["negative"]), codec())


def test_a_hub_out_of_reach_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*arguments: object, **options: object) -> DatasetDict:
        raise ConnectionError("Couldn't reach 'nobody/reviews' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset_builder", unreachable)
    with pytest.raises(InputError, match=r"data\.path=DIR.*HF_HUB_OFFLINE=1"):
        Corpus(hub(None), codec())


def test_a_data_set_of_another_task_is_refused() -> None:
    source = hub(None)
    source.example_type = tuple
    with pytest.raises(InputError, match="has tuple rows, and this task needs LabelledText rows"):
        Corpus(source, codec())


def test_a_vocabulary_size_that_the_text_does_not_fill_is_lowered_with_a_note(tmp_path: Path) -> None:
    source = texts(write(tmp_path / "train.csv"), write(tmp_path / "validation.csv"))
    corpus = Corpus(source, codec(vocab_size=500))
    assert corpus.sizes["vocab_size"] == 13
    exact = Corpus(texts(tmp_path / "train.csv", tmp_path / "validation.csv"), codec(vocab_size=13))
    assert not any("vocabulary" in note for note in exact.notes)
    assert "The vocabulary has 13 symbols: the training text does not fill codec.vocab_size=500." in corpus.notes
    pieces = codec()
    pieces.tokenizer = SentencePieceTokenizer(vocab_size=500, model_type="unigram", lowercase=True)
    (note,) = [note for note in Corpus(source, pieces).notes if "SentencePiece" in note]
    assert note.startswith("The training text has fewer than codec.tokenizer.vocab_size=500 pieces")


def test_sentencepiece_learns_the_same_bytes_twice() -> None:
    models = []
    for _ in range(2):
        tokenizer = SentencePieceTokenizer(vocab_size=22, model_type="unigram", lowercase=True)
        tokenizer.fit(text for text, _ in ROWS * 5)
        models.append(tokenizer.model)
    assert models[0] == models[1]
    assert tokenizer.join(tokenizer.split("Warm töne")) == "warm töne"


def test_sentencepiece_learns_from_long_sentences_too() -> None:
    tokenizer = SentencePieceTokenizer(vocab_size=40, model_type="unigram", lowercase=True)
    tokenizer.fit(["a short text about b"] * 9 + ["zebra" + " zebra" * 2000])
    assert "z" in "".join(tokenizer.inventory)


def test_pieces_are_those_of_their_kind_of_model_without_special_symbols() -> None:
    inventories = {}
    for model_type in ("unigram", "bpe"):
        tokenizer = SentencePieceTokenizer(vocab_size=26, model_type=model_type, lowercase=True)
        tokenizer.fit([text for text, _ in ROWS * 5])
        inventories[model_type] = set(tokenizer.inventory)
        assert not {"<s>", "</s>", "<unk>"} & inventories[model_type]
    assert inventories["unigram"] != inventories["bpe"]


def test_only_very_long_words_are_cut() -> None:
    for text in ("a b", "a " * LONGEST_WORD, "x" * LONGEST_WORD):
        assert cut_long_words(text) == [text]
    text = "a " + "x" * (2 * LONGEST_WORD + 7)
    parts = cut_long_words(text)
    assert "".join(parts) == text and list(map(len, parts)) == [LONGEST_WORD, LONGEST_WORD, 9]


def test_texts_are_chosen_at_equal_distances() -> None:
    texts = list(map(str, range(10)))
    assert list(evenly_spaced(texts, 10, 3)) == ["3", "6", "9"]
    assert list(evenly_spaced(texts, 10, 4)) == ["2", "4", "7", "9"]
    assert list(evenly_spaced(texts, 10, 10)) == list(evenly_spaced(texts, 10, 99)) == texts


def test_sentencepiece_says_of_how_many_texts_it_has_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.tokenizers.MOST_TEXTS", 20)
    tokenizer = SentencePieceTokenizer(vocab_size=22, model_type="bpe", lowercase=True)
    tokenizer.fit([text for text, _ in ROWS * 5][:20])
    assert tokenizer.notes == [] and tokenizer.split("WARM") == tokenizer.split("warm")
    tokenizer = SentencePieceTokenizer(vocab_size=9000, model_type="bpe", lowercase=True)
    tokenizer.fit([text for text, _ in ROWS * 9][:21])
    few, small = tokenizer.notes
    assert few == "SentencePiece learned from 20 of 21 texts, evenly spaced." and "vocab_size=9000" in small


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
@pytest.mark.parametrize("texts", [[""], ["\ufeff", " "], ["x" * 70_000], ["</s> <unk> <pad>"] * 9])
def test_sentencepiece_never_ends_the_process(model_type: str, texts: list[str]) -> None:
    tokenizer = SentencePieceTokenizer(vocab_size=40, model_type=model_type, lowercase=True)
    if not "".join(texts).strip("\ufeff "):
        with pytest.raises(
            InputError,
            match=r"^The training text has no visible characters: SentencePiece can learn no pieces from it\.$",
        ):
            tokenizer.fit(texts)
    else:
        tokenizer.fit(texts)
        assert tokenizer.join(tokenizer.split(texts[0])) == texts[0]


@pytest.mark.parametrize("pieces", [list(SPECIALS), ["a", "</s>", "<pad>"], ["<unk>"]])
def test_text_that_looks_like_a_special_symbol_is_a_symbol_of_its_own(tmp_path: Path, pieces: list[str]) -> None:
    vocabulary = Vocabulary.of_text(pieces, min_count=1, max_size=None)
    ids = vocabulary.encode([*pieces, "unseen"])
    assert sorted(ids[:-1]) == list(range(4, 4 + len(pieces))) and ids[-1] == UNK
    assert vocabulary.decode(ids[:-1]) == pieces and vocabulary.decode(range(4)) == list(SPECIALS)
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json").encode(pieces) == ids[:-1]
    labels = Vocabulary.of_labels(pieces)
    labels.save(tmp_path / "l.json")
    assert sorted(Vocabulary.load(tmp_path / "l.json").encode(pieces)) == list(range(len(pieces)))


@pytest.mark.parametrize("content", [None, "", "{", "3", '{"a": 1}', "[1, 2]", '["a", "a"]', "[" * 10_000, "\xff"])
def test_a_damaged_vocabulary_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "vocabulary.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"vocabulary\.json is .*the run folder is damaged"):
        Vocabulary.load(tmp_path / "vocabulary.json")


def test_a_saved_vocabulary_has_a_symbol_per_line(tmp_path: Path) -> None:
    Vocabulary.of_labels(["ü", "b"]).save(tmp_path / "labels.json")
    assert (tmp_path / "labels.json").read_text(encoding="utf-8") == '[\n"b",\n"ü"\n]'


def test_a_vocabulary_keeps_the_most_frequent_symbols() -> None:
    pieces = list("aaabbbccd")
    assert Vocabulary.of_text(pieces, min_count=2, max_size=None).symbols[4:] == ["a", "b", "c"]
    assert Vocabulary.of_text(pieces, min_count=1, max_size=6).symbols[4:] == ["a", "b"]
    assert Vocabulary.of_text("azzbzay", min_count=1, max_size=None).symbols[4:] == ["z", "a", "b", "y"]
    assert len(Vocabulary.of_text(pieces, min_count=1, max_size=4)) == 4
    with pytest.raises(InputError, match=r"codec\.vocab_size=3: must be at least 4"):
        Vocabulary.of_text(pieces, min_count=1, max_size=3)


SCRIPTS = {
    "Hindi": "हिन्दी में अच्छी किताब",
    "Bengali": "বাংলা ভাষায় সুন্দর গল্প",
    "Tamil": "தமிழ் மொழியில் நல்ல",
    "Thai": "ภาษาไทย ที่นี่ น้ำ",
    "Arabic with vowels": "كِتَابٌ مُحَمَّدٌ جَمِيلٌ",
    "Hebrew with points": "שָׁלוֹם עֲלֵיכֶם",
    "decomposed French": "l’e\u0301te\u0301 a\u0300 la cafe\u0301te\u0301ria".removeprefix("l’"),
    "Vietnamese": "Tiếng Việt rất hay",
    "decomposed Vietnamese": "Tie\u0302\u0301ng Vie\u0323\u0302t",
    "Korean": "한국어 영화가 좋아요",
    "Chinese": "我 喜欢 这部 电影",
    "Japanese": "とても おもしろい が\u3099 映画",
    "Persian with joiners": "می\u200cخواهم نمی\u200cدانم",
    "Sinhala with joiners": "ශ්\u200dරී ලංකා",
    "Khmer": "ភាសា ខ្មែរ",
    "Tibetan": "བོད་ སྐད་",
    "emoji": "👍🏽 ❤️ 👨‍👩‍👧",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_words_of_every_script_stay_whole(text: str) -> None:
    split = WordTokenizer(lowercase=False, pretokenized=False).split
    words = [word.rstrip("་") for word in text.split()]
    assert [piece for piece in split(text) if piece != "་"] == words
    assert split(f"“{words[0]}”, {words[-1]}!") == ["“", words[0], "”", ",", words[-1], "!"]


def test_letters_are_folded_where_configured_and_pieces_joined() -> None:
    assert WordTokenizer(lowercase=True, pretokenized=False).split("Don't PANIC") == ["do", "n't", "panic"]
    assert WordTokenizer(lowercase=False, pretokenized=True).split(" Don't  PANIC, ") == ["Don't", "PANIC,"]
    assert WordTokenizer(lowercase=True, pretokenized=True).join(["a", ",", "b"]) == "a , b"
    characters = CharacterTokenizer(lowercase=True)
    assert characters.split(" A  b\tC\n") == ["a", " ", "b", " ", "c"]
    assert CharacterTokenizer(lowercase=False).split("Ab") == ["A", "b"]
    assert characters.join(["a", " ", "b"]) == "a b" and characters.inventory == []


def test_a_sentencepiece_model_is_saved_and_read_back(tmp_path: Path) -> None:
    tokenizer = SentencePieceTokenizer(vocab_size=22, model_type="unigram", lowercase=False)
    tokenizer.fit(text for text, _ in ROWS * 5)
    tokenizer.save(tmp_path)
    again = SentencePieceTokenizer(vocab_size=22, model_type="unigram", lowercase=False)
    again.load(tmp_path)
    assert again.split("fine Töne") == tokenizer.split("fine Töne") and again.inventory == tokenizer.inventory
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(InputError, match="is not a SentencePiece model"):
        again.load(tmp_path)
    (tmp_path / "tokenizer.model").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.model is missing: the run folder is damaged"):
        again.load(tmp_path)
    with pytest.raises(InputError, match=r"model_type is 'unigram' or 'bpe', not 'word'"):
        SentencePieceTokenizer(vocab_size=22, model_type="word", lowercase=False)


@given(st.text(st.characters(max_codepoint=127)))
def test_both_patterns_split_ascii_alike(text: str) -> None:
    assert ASCII_WORD.findall(text) == WORD.findall(text)


def test_a_batch_of_texts_has_ids_labels_and_all_targets_count() -> None:
    one = codec(min_count=2, vocab_size=9)
    one.fit([LabelledText("b a b", "y"), LabelledText("a b c", "x")])
    assert one.vocabulary.symbols[4:] == ["b", "a"] and one.labels.symbols == ["x", "y"]
    assert one.sizes == {"vocab_size": 6, "num_labels": 2}
    assert one.notes == ["The vocabulary has 6 symbols: the training text does not fill codec.vocab_size=9."]
    encoded = one.encode([LabelledText("a c", "y"), LabelledText(" ", "x"), LabelledText("b", "y")])
    batch = encoded.batch(np.array([2, 0, 1]))
    assert batch.rows.tolist() == [2, 0, 1] and batch.targets.tolist() == [1, 1, 0]
    assert batch.tokens.tolist() == [[4, 0], [5, UNK], [UNK, 0]] and batch.target_mask.tolist() == [True] * 3
    assert (batch.targets.dtype, batch.target_mask.dtype) == (torch.int64, torch.bool)
    assert encoded.num_cut == 0 and encoded.embedded is encoded.tokens and encoded.lengths.tolist() == [2, 1, 1]
    assert one.encode_text(" ") == [UNK]


def test_probabilities_become_labels_with_the_probability_of_each(tmp_path: Path) -> None:
    one = codec()
    one.fit([LabelledText("a", "x"), LabelledText("b", "y")])
    first, second = one.decode([[0.25, 0.75], [0.5, 0.5]])
    assert first == ("y", {"x": 0.25, "y": 0.75}) and second.label == "x"
    assert type(first.probabilities["x"]) is float and one.unlabelled("a b") == LabelledText("a b", "x")
    one.save(tmp_path)
    again = codec()
    again.load(tmp_path)
    assert again.sizes == one.sizes and again.encode_text("b") == one.encode_text("b")
    assert again.labels.symbols == ["x", "y"] and LabelledText("a", "x").stratum() == "x"


@pytest.mark.parametrize(
    "given, message",
    [
        ({"keep": "k" * 99}, f"codec.keep is 'start', 'end' or 'both', not '{'k' * 79}…'."),
        ({"max_length": 0}, "codec.max_length=0: must be at least 1, or null for no limit."),
    ],
)
def test_options_of_the_codec_of_texts_are_checked(given: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        codec(**given)
    assert str(error.value) == message
    one = codec(max_length=1)
    one.fit([LabelledText("a b", "x")])
    assert one.encode([LabelledText("a", "x"), LabelledText("a b", "x")]).num_cut == 1


def test_an_unknown_label_is_refused_with_those_of_training() -> None:
    one = codec()
    one.fit([LabelledText("a", "x" * 50), LabelledText("b", "y" * 50)])
    with pytest.raises(InputError) as error:
        one.encode([LabelledText("a", "z" * 99, place="t:1")])
    assert str(error.value) == (
        f"t:1: the label '{'z' * 79}…' does not occur in the training split, whose labels are "
        f"{('x' * 50 + ', ' + 'y' * 50)[:79]}…: correct the row, or add training examples with that label."
    )


@pytest.mark.parametrize("keep, left", [("start", "a b c"), ("end", "c d e"), ("both", "a d e")])
def test_long_texts_are_cut_where_configured(keep: str, left: str) -> None:
    cut = codec(max_length=3, keep=keep)
    cut.fit([LabelledText("a b c d e", "x")])
    assert cut.vocabulary.decode(cut.encode_text("a b c d e")) == left.split()


def test_words_are_split_as_treebanks_split_them() -> None:
    split = WordTokenizer(lowercase=False, pretokenized=False).split
    text = "I don't think it's the U.S. team's 10,000th co-star... isn't it?"
    assert " ".join(split(text)) == "I do n't think it 's the U.S . team 's 10,000th co-star ... is n't it ?"
