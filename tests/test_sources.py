"""Files as users have them, and the sentence that each mistake gets."""

import json
from pathlib import Path

import pyarrow
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from pyarrow import parquet

from data.classification import ClassificationCodec, LabelledText
from data.corpus import Corpus, content_hash, hold_out
from data.errors import InputError
from data.sources.texts import FileTexts, HubTexts
from data.tokenizers import SentencePieceTokenizer, WordTokenizer

ROWS = [("fine , warm", "good"), ('a "dull" one', "bad"), ("zwölf Töne", "good"), ("so so", "middling")]


def write(path: Path) -> Path:
    names = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in ROWS), encoding="utf-8")
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


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    examples = texts(write(tmp_path / f"train.{kind}")).read_split("train")
    assert [tuple(example.content()) for example in examples] == ROWS
    assert content_hash(examples) == content_hash([LabelledText(*row) for row in ROWS])


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.csv", b"text,sign\nfine,good\n", r"a\.csv:1: there is no column 'label'; it has text, sign"),
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
        ("a.parquet", b"no", r"a\.parquet: not a Parquet file"),
        ("a.xlsx", b"no", r"a\.xlsx: files end in \.csv, \.tsv, \.jsonl, \.json, \.parquet"),
    ],
)
def test_a_mistake_in_a_file_is_named_by_file_and_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        texts(tmp_path / name).read_split("train")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*gone\.csv"):
        texts(tmp_path / "gone.csv").read_split("train")


def test_a_label_unknown_to_training_is_named(tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text("text,label\nfine,splendid\n")
    source = texts(write(tmp_path / "train.csv"), tmp_path / "validation.csv")
    with pytest.raises(
        InputError, match=r"validation\.csv:2: the label 'splendid' does not occur in the training split"
    ):
        Corpus(source, codec())


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


def test_mistakes_in_a_copy_are_named(hub_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.path=.*gone: there is no such folder"):
        Corpus(hub(tmp_path / "gone"), codec())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty cannot be read as reviews"):
        Corpus(hub(tmp_path / "empty"), codec())
    with pytest.raises(InputError, match="split train: there is no column 'body'; it has sentence, label"):
        Corpus(hub(hub_copy, text_column=["body"]), codec())
    with pytest.raises(InputError, match=r"train\.parquet, row 2: the label 1 is none of 0 to 0"):
        Corpus(hub(hub_copy, labels=["negative"]), codec())


def test_a_hub_out_of_reach_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*arguments: object, **options: object) -> DatasetDict:
        raise ConnectionError("Couldn't reach 'nobody/reviews' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
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


@pytest.mark.parametrize("keep, left", [("start", "a b c"), ("end", "c d e"), ("both", "a d e")])
def test_long_texts_are_cut_where_told(keep: str, left: str) -> None:
    cut = codec(max_length=3, keep=keep)
    cut.fit([LabelledText("a b c d e", "x")])
    assert cut.vocabulary.decode(cut.encode_text("a b c d e")) == left.split()


def test_words_are_split_as_treebanks_split_them() -> None:
    split = WordTokenizer(lowercase=False, pretokenized=False).split
    text = "I don't think it's the U.S. team's 10,000th co-star... isn't it?"
    assert " ".join(split(text)) == "I do n't think it 's the U.S . team 's 10,000th co-star ... is n't it ?"
