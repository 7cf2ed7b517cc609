"""Promises of the recipes: what data that nobody has tried are trained with, and what a command line changes of it."""

import json
import logging
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import CONF, assert_learns, options
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from data.captioning import CaptionedImage
from data.corpus import sample_rows
from data.errors import InputError
from data.tagging import TaggedSentence
from tasks.captioning.recipe import adapt as adapt_captioning
from tasks.tagging.recipe import adapt as adapt_tagging
from training.build import build
from training.checkpoint import save_checkpoint
from training.identity import config_id
from training.recipe import AUTO, Choices, Size, adapted, batches, between, choose_pieces, has_recipe, read_corpus

CJK = "一二三四五六七八九十百千万上下左右東西南北大小中日月火水木金土山川田人口目耳手足車門雨雪花草"


def words(count: int, seed: int, between: str = " ") -> str:
    drawn = random.Random(seed)
    if between:
        return between.join(
            drawn.choice("bcdfg") + drawn.choice("aeiou") + str(drawn.randrange(30)) for _ in range(count)
        )
    return "".join(drawn.choices(CJK, k=2 * count))


def text_rows(rows: int, labels: int = 2, length: int = 8, between: str = " ") -> list[dict[str, str]]:
    return [{"text": words(length, row, between), "label": f"label {row % labels}"} for row in range(rows)]


def pair_rows(rows: int, between: str = " ") -> list[dict[str, str]]:
    return [{"de": words(6, row, between), "en": words(5, -row, between)} for row in range(rows)]


def memory_rows(rows: int, length: int = 8) -> list[dict[str, str]]:
    return [{"tokens": words(length, row), "targets": f"label{row % 2}"} for row in range(rows)]


def sentences(rows: int) -> str:
    tagged = [
        "".join(
            "\t".join([str(number), word, "_", "NOUN" if word[0] == "b" else "VERB", *"______"]) + "\n"
            for number, word in enumerate(words(6, row).split(), start=1)
        )
        for row in range(rows)
    ]
    return "".join(f"{lines}\n" for lines in tagged)


def captions(folder: Path, rows: int) -> str:
    """A table of captions of equal images, each under a name of its own, at most 500."""
    rows = min(rows, 500)
    Image.new("RGB", (9, 7), "red").save(folder / "image.png")
    for row in range(rows):
        (folder / f"{row}.png").unlink(missing_ok=True)
        (folder / f"{row}.png").hardlink_to(folder / "image.png")
    return "image,caption\n" + "".join(f"{row}.png,{words(6, row)}\n" for row in range(rows))


def daily(rows: int) -> str:
    """A table of so many days after the first twenty."""
    drawn = random.Random(0)
    times = (np.datetime64("2000-01-01") + np.arange(rows + 20)).astype(str)
    return "date,sold\n" + "".join(f"{time},{drawn.random() + day % 7}\n" for day, time in enumerate(times))


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., list[str]]:
    """``own(task, rows, ...)``: the overrides that name files of that many training rows, and nothing else."""

    def write(task: str, rows: int, **kind: object) -> list[str]:
        if task == "forecasting":
            (tmp_path / "train.csv").write_text(daily(rows))
            return ["data=series_files", f"data.train={tmp_path / 'train.csv'}"]
        if task == "tagging":
            content, suffix, options = [sentences(rows), sentences(4)], "conllu", ["data=conllu"]
        elif task == "captioning":
            content, suffix = [captions(tmp_path, rows), captions(tmp_path, 4)], "csv"
            options = ["data=images", "codec.images.image_size=8"]
        else:
            make = {"memory": memory_rows, "sentiment": text_rows, "translation": pair_rows}[task]
            tables = [make(rows, **kind), make(rows, **kind)[:200]]
            content = ["".join(json.dumps(row) + "\n" for row in table) for table in tables]
            suffix = "jsonl"
            options = {
                "memory": ["data=sequences"],
                "sentiment": ["data=files"],
                "translation": ["data=parallel", "data.source=de", "data.target=en"],
            }[task]
        for split, text in zip(("train", "validation"), content, strict=True):
            (tmp_path / f"{split}.{suffix}").write_text(text)
            options.append(f"data.{split}={tmp_path / split}.{suffix}")
        return options

    return write


TASKS = [path.name for path in sorted((CONF / "recipe").iterdir()) if path.is_dir()]


def left_open(cfg: DictConfig) -> list[str]:
    parts = OmegaConf.to_container(cfg, resolve=True)
    del parts["device"], parts["threads"], parts["trainer"]["precision"]  # theirs is the machine's
    return [key for key, value in OmegaConf.create(parts).items() if AUTO in str(value)]


@pytest.mark.parametrize("task", TASKS)
def test_files_alone_settle_every_value(
    composed: Callable, own: Callable, caplog: pytest.LogCaptureFixture, task: str
) -> None:
    caplog.set_level(logging.INFO)
    before = composed(task, *own(task, 60))
    after, _ = read_corpus(before)
    assert left_open(before) and not left_open(after)
    assert f"trainer.max_epochs={after.trainer.max_epochs} " in f"{caplog.text.strip()} "
    assert before.trainer.max_epochs == AUTO


@pytest.mark.parametrize("task", TASKS)
def test_a_value_that_is_given_stays(composed: Callable, own: Callable, task: str) -> None:
    given = ["trainer.batch_tokens=97", "optimizer.lr=0.0123"]
    cfg, _ = read_corpus(composed(task, *own(task, 60), *given))
    assert (cfg.trainer.batch_tokens, cfg.optimizer.lr) == (97, 0.0123)
    free, _ = read_corpus(composed(task, *own(task, 60)))
    assert free.trainer.max_epochs >= cfg.trainer.max_epochs  # smaller batches take fewer epochs to as many updates


@pytest.mark.parametrize("task", TASKS)
def test_more_data_takes_larger_batches_and_fewer_epochs(composed: Callable, own: Callable, task: str) -> None:
    small, _ = read_corpus(composed(task, *own(task, 20)))
    large, _ = read_corpus(composed(task, *own(task, 2000)))
    assert small.trainer.batch_tokens <= large.trainer.batch_tokens
    assert small.trainer.max_epochs >= large.trainer.max_epochs


@pytest.mark.parametrize("task", TASKS)
def test_the_vanilla_rnn_has_a_lower_rate(composed: Callable, own: Callable, task: str) -> None:
    rates = [
        read_corpus(composed(task, *own(task, 20), f"cell={cell}"))[0].optimizer.lr for cell in ("rnn", "lstm", "gru")
    ]
    assert rates[0] < min(rates[1:])


@pytest.mark.parametrize("between, tokenizer", [(" ", "WordTokenizer"), ("", "SentencePieceTokenizer")])
def test_the_tokenizer_suits_the_script(composed: Callable, own: Callable, between: str, tokenizer: str) -> None:
    _, corpus = read_corpus(composed("sentiment", *own("sentiment", 300, length=20, between=between)))
    assert type(corpus.codec.tokenizer).__name__ == tokenizer
    lengths = corpus.splits["train"].encoded.lengths
    assert 8 < lengths.mean() < 42  # neither one token per text nor one per letter


def test_options_of_a_tokenizer_that_is_chosen_are_kept(composed: Callable, own: Callable) -> None:
    given = ["codec.tokenizer.vocab_size=120", "codec.tokenizer.lowercase=false"]
    cfg, corpus = read_corpus(composed("sentiment", *own("sentiment", 300, between=""), *given))
    assert (cfg.codec.tokenizer.vocab_size, cfg.codec.tokenizer.lowercase) == (120, False)
    assert len(corpus.codec.tokenizer.processor) == 120


@pytest.mark.parametrize("tokenizer", ["words", "characters"])
def test_a_tokenizer_without_sub_words_has_no_size(composed: Callable, own: Callable, tokenizer: str) -> None:
    cfg, corpus = read_corpus(composed("translation", *own("translation", 20), f"tokenizer={tokenizer}"))
    assert "vocab_size" not in cfg.codec.tokenizer and corpus.sizes["source_vocab_size"] > 4


@pytest.mark.parametrize("characters", options("characters"))
def test_any_characters_go_with_the_recipe_of_tagging(composed: Callable, own: Callable, characters: str) -> None:
    cfg, corpus = read_corpus(composed("tagging", *own("tagging", 8), f"characters={characters}"))
    model = build(cfg.model, **corpus.sizes)
    batch = next(iter(corpus.splits["train"].shuffled(512, 8, seed=0)))
    assert model.loss(batch).total.isfinite()


@pytest.mark.parametrize("sentences, rate, epochs", [(99, 0.1, 18), (100, None, 18), (200, None, 9)])
def test_words_are_hidden_in_small_treebanks_alone(
    composed: Callable, sentences: int, rate: float | None, epochs: int
) -> None:
    choices = Choices(composed("tagging", "data=conllu", "data.train=F"))
    adapt_tagging([TaggedSentence.untagged(["word"] * 1000)] * sentences, choices)
    assert choices.cfg.model.token_dropout == rate and choices.cfg.trainer.max_epochs == epochs


def test_the_script_of_a_text_is_recognised_by_its_spaces() -> None:
    assert Size.of(["the cat sat", ""]).spaced and Size.of([]).spaced
    assert not Size.of(["大家好今天天氣很好我們去公園散步吧"]).spaced


def test_texts_in_numbers() -> None:
    size = Size.of(iter(["the cat", "", "sat down there"]))
    assert size == (3, 5, 18) and size.tokens == 5 and Size.of([]) == (0, 0, 0) and Size.of([]).tokens == 1
    assert Size(1, 2, 24).spaced and not Size(1, 2, 25).spaced  # up to twelve characters in a word
    assert Size(1, 1, 31).tokens == 15


def test_a_number_between_two_bounds_is_whole() -> None:
    assert [between(2, value, 9) for value in (1.4, 2, 3.4, 3.6, 9, 9.4)] == [2, 2, 3, 4, 9, 9]
    assert type(between(2, 3.4, 9)) is int


def test_the_number_of_batches_is_that_of_the_bound_which_is_reached_first() -> None:
    choices = Choices(OmegaConf.create({"trainer": {"batch_tokens": 100, "batch_sentences": 10}}))
    assert batches(choices, 500, 20) == 5 and batches(choices, 500, 80) == 8 and batches(choices, 5, 2) == 1


def test_choices_are_printed_as_they_would_be_given() -> None:
    cfg = OmegaConf.create({"a": AUTO, "b": {"c": AUTO, "d": 5}, "cell": {"_target_": "models.cells.gru.GRUCell"}})
    choices = Choices(cfg)
    assert str(choices) == "" and choices.cell == "gru"
    assert choices.choose("a", None) is None and choices.choose("b.c", 3) == 3 and choices.choose("b.d", 7) == 5
    assert str(choices) == "a=null b.c=3" and choices.cfg.b == {"c": 3, "d": 5}
    assert cfg.a == cfg.b.c == AUTO  # the config that was given stays as it is


def test_a_part_is_chosen_from_its_group_and_keeps_the_options_that_were_given(composed: Callable) -> None:
    given = OmegaConf.create({"codec": {"tokenizer": {"_target_": AUTO, "lowercase": False, "vocab_size": 99}}})
    choices = Choices(given)
    choices.choose_part("codec.tokenizer", "words")
    assert choices.made == {"codec.tokenizer": "words"} and str(choices) == "codec.tokenizer=words"
    tokenizer = choices.cfg.codec.tokenizer
    assert tokenizer._target_.endswith(".WordTokenizer") and tokenizer.lowercase is False
    assert tokenizer.keys() == OmegaConf.load(CONF / "tokenizer" / "words.yaml").keys()
    choices.choose_part("codec.tokenizer", "characters")  # which is not open any more
    assert choices.cfg.codec.tokenizer == tokenizer and choices.made == {"codec.tokenizer": "words"}


def test_the_group_of_a_part_is_the_last_word_of_its_place() -> None:
    choices = Choices(OmegaConf.create({"model": {"encoder": {"pooling": {"_target_": AUTO}}}}))
    choices.choose_part("model.encoder.pooling", "mean")
    assert choices.cfg.model.encoder.pooling._target_.endswith(".MeanPooling")


@pytest.mark.parametrize("test", [True, False])
def test_the_test_split_is_read_only_where_it_is_asked_for(composed: Callable, files: list[str], test: bool) -> None:
    _, corpus = read_corpus(composed("sentiment", *files, f"test={test}", "split.limit=9"))
    assert len(corpus.splits["train"].examples) == 9
    assert list(corpus.splits) == ["train", "validation", *(["test"] if test else [])]


@pytest.mark.parametrize("wanted, chosen", [(8, 16), (15, 16), (17, 17)])
def test_there_are_at_least_two_pieces_for_every_character(wanted: int, chosen: int) -> None:
    tokenizer = {"_target_": "data.tokenizers.SentencePieceTokenizer", "vocab_size": AUTO}
    choices = Choices(OmegaConf.create({"codec": {"tokenizer": tokenizer}}))
    choose_pieces(choices, wanted, ["aba", "bc", "cc"])
    assert choices.cfg.codec.tokenizer.vocab_size == chosen


@pytest.mark.parametrize("given, left", [(AUTO, False), (50, True)])
def test_only_an_open_number_of_pieces_is_taken_from_a_tokenizer_without_any(given: object, left: bool) -> None:
    tokenizer = {"_target_": "data.tokenizers.WordTokenizer", "vocab_size": given}
    choices = Choices(OmegaConf.create({"codec": {"tokenizer": tokenizer}}))
    OmegaConf.set_struct(choices.cfg, True)
    choose_pieces(choices, 9, [])
    assert ("vocab_size" in choices.cfg.codec.tokenizer) is left and not choices.made


class Rows:
    """A data set of numbers, that notes which splits are read."""

    def __init__(self, rows: list[int] | None) -> None:
        self.rows = rows
        self.read: list[str] = []

    def read_split(self, name: str) -> list[int] | None:
        self.read.append(name)
        return self.rows


def note_rows(rows: list[int], choices: Choices) -> None:
    """A recipe that chooses the rows it sees."""
    choices.choose("seen", sorted(rows))


@pytest.mark.parametrize("recipe", [None, "adaptive"])
@pytest.mark.parametrize("rows", [None, [], list(range(20))], ids=["none", "empty", "twenty"])
def test_a_recipe_sees_the_training_rows_that_are_kept(
    composed: Callable,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    recipe: str | None,
    rows: list[int] | None,
) -> None:
    caplog.set_level(logging.INFO)
    cfg = composed("sentiment", "+seen=auto", "split.limit=5", "split.split_seed=3")
    cfg.recipe = recipe and {"_target_": "x"}
    monkeypatch.setattr("training.recipe.build", lambda node: note_rows)
    assert has_recipe(cfg) is (recipe is not None)
    reader = Rows(rows)
    found = adapted(cfg, reader)
    if recipe and rows:
        assert reader.read == ["train"] and found.seen == sorted(sample_rows(rows, 5, 3)) and cfg.seen == AUTO
        assert re.fullmatch(r"chosen .*: seen=\[.*\]", caplog.messages[-1])
    else:
        assert found is cfg and not caplog.messages


@pytest.mark.parametrize("task", TASKS)
def test_eight_rows_train(launch: Callable, own: Callable, task: str) -> None:
    folder = launch(task, *own(task, 8), "trainer.max_epochs=1", *(["beam=1"] if task == "translation" else []))
    result, saved = json.loads((folder / "result.json").read_text()), OmegaConf.load(folder / "config.yaml")
    assert result["status"] == "ok"
    assert isinstance(saved.trainer.batch_tokens, int) and not left_open(saved)
    assert config_id(saved) == result["config_id"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("key", ["trainer.batch_tokens", "trainer.batch_sentences", "trainer.max_epochs"])
@pytest.mark.parametrize("value", ["abc", "0", "null", "[1]", "2.5"])
def test_a_value_that_cannot_be_is_refused_before_a_recipe_reads_it(
    composed: Callable, own: Callable, task: str, key: str, value: str
) -> None:
    with pytest.raises(InputError, match=rf"{key}=.*: must be (a whole number|at least 1)\."):
        read_corpus(composed(task, *own(task, 8), f"{key}={value}"))


@pytest.mark.parametrize("value", ["abc", "0", "null", "[1]", "1000000000"])
def test_captions_per_image_are_checked_before_the_recipe_reads_them(
    composed: Callable, own: Callable, value: str
) -> None:
    with pytest.raises(
        InputError, match=r"codec\.captions_per_image=.*: must be (a whole number|at (least|most) \d+)\."
    ):
        read_corpus(composed("captioning", *own("captioning", 8), f"codec.captions_per_image={value}"))


def test_several_captions_of_own_images_are_read_together(composed: Callable, own: Callable, tmp_path: Path) -> None:
    given = own("captioning", 8)
    table = next(tmp_path.rglob("train*.csv"))
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *(f"{row} {way}" for row in rows for way in "abcdef")]) + "\n")
    cfg, _ = read_corpus(composed("captioning", *given))
    one, _ = read_corpus(composed("captioning", *own("captioning", 8)))
    assert (cfg.codec.captions_per_image, one.codec.captions_per_image) == (4, 1)
    assert cfg.trainer.batch_tokens == 4 * one.trainer.batch_tokens


def test_images_with_more_captions_are_read_fewer_times(composed: Callable) -> None:
    epochs = []
    for number in (1, 4):
        cfg = composed("captioning", "data=images", "data.train=train.csv")
        captions = tuple(f"a dog and {word} cats" for word in ("no", "two", "three", "four")[:number])
        choices = Choices(cfg)
        adapt_captioning([CaptionedImage("image.png", captions)] * 15_000, choices)
        epochs.append(choices.cfg.trainer.max_epochs)
    assert epochs == [10, 5]


@pytest.mark.parametrize("kind", [{"labels": 150}, {"length": 1}, {"between": ""}], ids=str)
def test_odd_texts_can_be_learnt(composed: Callable, own: Callable, kind: dict) -> None:
    cfg, corpus = read_corpus(
        composed("sentiment", *own("sentiment", 300, **kind), "model.dropout=0", "model.word_dropout=0")
    )
    batch = next(iter(corpus.splits["train"].shuffled(200, 32, seed=0)))
    assert_learns(build(cfg.model, **corpus.sizes), batch, steps=15)


def test_an_unfinished_run_goes_on_only_where_the_data_choose_the_same(
    launch: Callable, own: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    folder = launch("sentiment", *own("sentiment", 40, length=9))
    found = json.loads((folder / "result.json").read_text())
    data = {split: digest for split, digest in found["data"]["sha256"].items() if split != "test"}
    save_checkpoint({"identity": {"config_id": found["config_id"], "seed": 1, "data": data}}, folder)
    (folder / "result.json").unlink()
    with pytest.raises(SystemExit):
        launch("sentiment", *own("sentiment", 40, length=3), "resume=true")
    assert "an unfinished run of other config" in caplog.text


def test_auto_without_a_rule_is_an_error(composed: Callable, own: Callable) -> None:
    with pytest.raises(InputError, match="max_epochs=auto"):
        build(composed("sentiment", "trainer.max_epochs=auto").trainer)


@pytest.mark.parametrize("task", TASKS)
def test_the_embedded_language_keeps_its_own_values(composed: Callable, task: str) -> None:
    cfg = composed(task)
    assert not cfg.recipe and not left_open(cfg)
    assert left_open(composed(task, "recipe=adaptive"))
