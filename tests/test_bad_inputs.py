"""Damaged and odd files of every format: each is read, or refused in one sentence that names the file. None hangs.

By default a few files per format; ``RNNBENCH_BAD_INPUTS=10000 python -m pytest tests/test_bad_inputs.py`` for many.
"""

import gzip
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from data import conllu
from data.captioning import CaptioningCodec, PixelCodec
from data.classification import ClassificationCodec
from data.corpus import Codec, Corpus, DatasetReader
from data.errors import InputError
from data.forecasting import ForecastingCodec
from data.memory import MemoryCodec, NumberCodec, SymbolCodec
from data.scaling import StandardScaling
from data.sources.hub import HubReader
from data.sources.images import ImageFiles
from data.sources.parallel import FilePairs, HubPairs
from data.sources.sequences import FileSequences
from data.sources.series import FileSeries
from data.sources.tagged import ColumnFiles, HubTags
from data.sources.texts import FileTexts, HubTexts
from data.sources.treebanks import FileTreebank
from data.tagging import TaggingCodec
from data.tokenizers import WordTokenizer
from data.translation import TranslationCodec

EXAMPLES = int(os.environ.get("RNNBENCH_BAD_INPUTS", "12"))
ODD = [
    '"',
    '""',
    "\t",
    "\r",
    "\n",
    "\n\n",
    "\x00",
    "\u2028",
    "\ufeff",
    "\\ud83d",
    "1" * 5000,
    "[" * 100_000,
    "{",
    "}",
    "null",
]
ODD += [
    "</s>",
    "1-2",
    "1.1",
    "_",
    "#",
    "-0",
    "1e999",
    "NaN",
    "\u0301",
    "\u200d",
    ",",
    " ",
    "translation",
    "-DOCSTART-",
    "x" * 9000,
]
SNIPPETS = st.sampled_from([snippet.encode() for snippet in ODD]) | st.binary(min_size=1, max_size=4)
EDITS = st.tuples(st.floats(0, 1), st.integers(0, 6), SNIPPETS | st.just(b""))

ROWS = [
    {"text": f"a {kind} film {n}", "label": kind, "de": f"Satz {n}", "en": f"line {n}"}
    for n in range(9)
    for kind in "xy"
]
WORDS = [("The", "DET"), ("dog", "NOUN"), ("sees", "VERB"), ("two", "NUM"), ("cats", "NOUN"), (".", "PUNCT")]


def delimited(separator: str) -> bytes:
    quoted = ({key: value.replace("film", 'so-called ""film""') for key, value in row.items()} for row in ROWS)
    lines = [list(ROWS[0]), *([f'"{value}"' for value in row.values()] for row in quoted)]
    return "\n".join(map(separator.join, lines)).encode()


def as_parquet(compression: str = "none", **columns: Any) -> bytes:
    buffer = io.BytesIO()
    table = pyarrow.table(columns) if columns else pyarrow.Table.from_pylist(ROWS)
    parquet.write_table(table, buffer, compression=compression, row_group_size=7)
    return buffer.getvalue()


def json_lines(rows: list[dict[str, Any]] = ROWS) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


SENTENCE = conllu.format_sentence([word for word, _ in WORDS], upos=[tag for _, tag in WORDS])
CONLLU = f"{SENTENCE}1-2\t{chr(9).join('_' * 9)}\n".replace("# text", "# x") + SENTENCE * 5
TABLES = {
    "a.csv": delimited(","),
    "a.tsv": delimited("\t"),
    "a.jsonl": json_lines(),
    "a.json": json.dumps(ROWS).encode(),
    "a.parquet": as_parquet(),
    "a.jsonl.gz": gzip.compress(json_lines(), mtime=0),
}


def mutate(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """The content with bytes removed and others inserted at relative positions."""
    for position, removed, inserted in edits:
        start = int(position * len(content))
        content = content[:start] + inserted + content[start + removed :]
    return content


@contextmanager
def no_hang(seconds: int = 20) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError(f"still reading after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def read(reader: Callable[[], DatasetReader[Any]], codec: Codec[Any]) -> Corpus | str:
    """An encoded data set, or the sentence by which it is refused."""
    with no_hang():
        try:
            return Corpus(reader(), codec)
        except InputError as error:
            return str(error)


def is_sound(found: Corpus | str, place: Path) -> bool:
    """Whether every row can be used and written, or the refusal is one short sentence about a file in the folder."""
    if isinstance(found, str):
        named = any(name in found for name in (str(place), place.name, "split", "Series '"))
        return named and "\n" not in found and len(found) < 700 + 3 * len(str(place))
    for split in found.splits.values():
        for example in split.examples:
            json.dumps(example.content(), ensure_ascii=False).encode()  # what is written after training
    return all(len(split.examples) == len(split.encoded.lengths) > 0 for split in found.splits.values())


def texts_codec() -> ClassificationCodec:
    return ClassificationCodec(WordTokenizer(True, False), 1, None, None, "start")


def pairs_codec() -> TranslationCodec:
    return TranslationCodec(WordTokenizer(True, False), True, None, -1, 20)


def tags_codec() -> TaggingCodec:
    return TaggingCodec(True, 1, None, 9, 20)


damaged = given(edits=st.lists(EDITS, min_size=1, max_size=4))
several = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)


@pytest.mark.parametrize("name", TABLES)
@several
@damaged
def test_tables(tmp_path: Path, name: str, edits: list[tuple[float, int, bytes]]) -> None:
    path = tmp_path / name
    path.write_bytes(mutate(TABLES[name], edits))
    files = {"train": str(path), "validation": None, "test": str(path)}
    columns = {"text_column": "text", "label_column": "label", "pretokenized": False}
    assert is_sound(read(lambda: FileTexts(**files, **columns), texts_codec()), tmp_path)
    assert is_sound(read(lambda: FilePairs(**files, source="de", target="en"), pairs_codec()), tmp_path)


@several
@damaged
def test_conllu(tmp_path: Path, edits: list[tuple[float, int, bytes]]) -> None:
    path = tmp_path / "a.conllu"
    path.write_bytes(mutate(CONLLU.encode(), edits))
    assert is_sound(
        read(lambda: FileTreebank(train=str(path), validation=None, test=str(path), column="upos"), tags_codec()),
        tmp_path,
    )


@several
@damaged
def test_column_files(tmp_path: Path, edits: list[tuple[float, int, bytes]]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(mutate("\n".join(f"{word} {tag}" for word, tag in [*WORDS, ("", "")] * 5).encode(), edits))
    files = {"train": str(path), "validation": None, "test": None}
    assert is_sound(read(lambda: ColumnFiles(**files, word_column=0, tag_column=-1), tags_codec()), tmp_path)


@several
@damaged
def test_aligned_files(tmp_path: Path, edits: list[tuple[float, int, bytes]]) -> None:
    (tmp_path / "a.de").write_text("".join(row["de"] + "\n" for row in ROWS))
    (tmp_path / "a.en").write_bytes(mutate("".join(row["en"] + "\n" for row in ROWS).encode(), edits))
    files = {"train": str(tmp_path / "a"), "validation": None, "test": None}
    assert is_sound(read(lambda: FilePairs(**files, source="de", target="en"), pairs_codec()), tmp_path)


DAYS = [f"2024-{day // 28 + 1:02}-{day % 28 + 1:02},{name},{day % 7},{day}" for name in "ab" for day in range(56)]


@pytest.mark.parametrize("wide", ["channels", "series"])
@several
@damaged
def test_series(tmp_path: Path, wide: str, edits: list[tuple[float, int, bytes]]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(mutate("\n".join(["date,shop,sold,stock", *DAYS]).encode(), edits))
    columns = {"time_column": "date", "series_column": "shop", "value_columns": None, "covariates": [], "wide": wide}
    windows = {"horizon": 2, "season": 7, "stride": 1, "test_stride": 1, "validation_share": 0.2, "test_share": 0.2}
    files = {"train": str(path), "validation": None, "test": None, "time_format": None}
    assert is_sound(
        read(lambda: FileSeries(**files, **columns, **windows), ForecastingCodec(3, StandardScaling(), [0.5])), tmp_path
    )


@pytest.mark.parametrize(("codec", "symbols"), [(SymbolCodec, "abcd"), (NumberCodec, "1234")])
@several
@damaged
def test_sequences(
    tmp_path: Path, codec: type[MemoryCodec], symbols: str, edits: list[tuple[float, int, bytes]]
) -> None:
    path = tmp_path / "a.tsv"
    rows = [f"{' '.join(symbols)} {symbol}\t{symbol}" for symbol in symbols] * 3
    path.write_bytes(mutate("\n".join(["tokens\ttargets", *rows]).encode(), edits))
    files = {"train": str(path), "validation": None, "test": str(path)}
    assert is_sound(
        read(lambda: FileSequences(**files, tokens_column="tokens", targets_column="targets"), codec()), tmp_path
    )


def as_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize("damaged_file", ["captions.csv", "0.png"])
@several
@damaged
def test_images(tmp_path: Path, damaged_file: str, edits: list[tuple[float, int, bytes]]) -> None:
    files = {f"{n}.png": as_png() for n in range(6)}
    files["captions.csv"] = "\n".join(["image,caption", *(f'{name},"a ""red"" flag"' for name in files)] * 2).encode()
    for name, content in files.items():
        (tmp_path / name).write_bytes(mutate(content, edits) if name == damaged_file else content)
    table = str(tmp_path / "captions.csv")
    codec = CaptioningCodec(PixelCodec(8), WordTokenizer(lowercase=True, pretokenized=False))
    assert is_sound(
        read(
            lambda: ImageFiles(
                train=table, validation=None, test=table, folder=None, image_column="image", caption_columns=["caption"]
            ),
            codec,
        ),
        tmp_path,
    )


FOLDERS: dict[str, tuple[dict[str, bytes], type[HubReader[Any]], dict[str, Any], Callable[[], Codec[Any]]]] = {
    "texts": (
        {"train.parquet": as_parquet("zstd"), "test.csv": delimited(",")},
        HubTexts,
        {"text_column": "text", "label_column": None, "labels": None, "replace": {}, "pretokenized": False},
        texts_codec,
    ),
    "pairs": ({"train.jsonl": json_lines()}, HubPairs, {"source": "de", "target": "en"}, pairs_codec),
    "tags": (
        {"train.jsonl": json_lines([{"tokens": [w for w, _ in WORDS], "tags": [t for _, t in WORDS]}] * 9)},
        HubTags,
        {"word_column": None, "tag_column": None},
        tags_codec,
    ),
}


@pytest.mark.parametrize("kind", FOLDERS)
@settings(several, max_examples=max(4, EXAMPLES // 4))
@damaged
def test_folders_in_the_layout_of_the_hub(tmp_path: Path, kind: str, edits: list[tuple[float, int, bytes]]) -> None:
    files, reader, options, codec = FOLDERS[kind]
    place = {"name": None, "repository": None, "revision": None, "path": str(tmp_path)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(mutate(content, edits) if name.startswith("train") else content)
    assert is_sound(read(lambda: reader(**place, **options), codec()), tmp_path)
