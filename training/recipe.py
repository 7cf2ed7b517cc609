"""Values that a config leaves to the data (``auto``), chosen from the training split before anything is built of it."""

import copy
import functools
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig, OmegaConf, open_dict

from data.corpus import Corpus, DatasetReader, sample_rows
from training.build import build, check_given, resolve_target
from training.corpora import cache_of, codec_key

log = logging.getLogger(__name__)

AUTO = "auto"
CONF = Path(__file__).parents[1] / "conf"
SPACED = 12  # characters: words are longer on average only where spaces do not separate words


class Size(NamedTuple):
    """Texts in numbers."""

    texts: int
    words: int  # between spaces
    characters: int  # of these words

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Size":
        number = words = characters = 0
        for text in texts:
            found = text.split()
            number += 1
            words += len(found)
            characters += sum(map(len, found))
        return cls(number, words, characters)

    @property
    def spaced(self) -> bool:
        """Whether spaces separate words: not so in Chinese, Japanese or Thai."""
        return self.characters <= SPACED * self.words

    @property
    def tokens(self) -> int:
        """Words; where spaces do not separate them, pieces of two characters. At least 1."""
        return max(1, self.words if self.spaced else self.characters // 2)


class Choices:
    """The values of a config that are ``auto`` are chosen here; every other value was given, and stays.

    Args:
        cfg: the config; it is not changed.
    """

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg = copy.deepcopy(cfg)
        self.made: dict[str, Any] = {}

    def choose(self, key: str, value: Any) -> Any:
        """Choose a value, if the key is ``auto``; the value that is in force."""
        if self.is_open(key):
            OmegaConf.update(self.cfg, key, value)
            self.made[key] = value
        return OmegaConf.select(self.cfg, key)

    def choose_part(self, key: str, name: str) -> None:
        """Choose a part from the config group that ``key`` ends in, if it is ``auto``; options given with it stay."""
        if not self.is_open(f"{key}._target_"):
            return
        given = OmegaConf.select(self.cfg, key)
        part = cast(DictConfig, OmegaConf.load(CONF / key.split(".")[-1] / f"{name}.yaml"))
        for option in part:
            if option in given and option != "_target_":
                part[option] = given[option]
        with open_dict(self.cfg):
            OmegaConf.update(self.cfg, key, part, merge=False)
        self.made[key] = name

    def is_open(self, key: str) -> bool:
        """Whether a value is left to the data."""
        return OmegaConf.select(self.cfg, key) == AUTO

    @property
    def cell(self) -> str:
        """The name of the cell: ``rnn``, ``lstm`` ..."""
        return self.cfg.cell._target_.split(".")[-2]

    def __str__(self) -> str:
        """As they would be given on the command line."""
        return " ".join(f"{key}={'null' if value is None else value}" for key, value in self.made.items())


def read_corpus(cfg: DictConfig) -> tuple[DictConfig, Corpus[Any]]:
    """The config with all values that its recipe leaves to the data, and the data set that it names."""
    example_type = resolve_target(cfg.codec._target_).example_type
    reader: DatasetReader[Any] = build(cfg.data).for_examples(example_type)
    cache = cache_of(cfg, reader)
    read_split = reader.read_split if cache is None else functools.partial(cache.read_split, reader)
    reader.read_split = functools.cache(read_split)  # type: ignore[method-assign]  # the recipe reads it too
    cfg = adapted(cfg, reader)
    if cache is not None:
        cache = replace(cache, codec=codec_key(cfg))
    return cfg, Corpus(reader, build(cfg.codec), **cfg.split, read_test=cfg.test, cache=cache)


def adapted(cfg: DictConfig, reader: DatasetReader[Any]) -> DictConfig:
    """The config with a value in place of every ``auto`` that its recipe has a rule for."""
    if not has_recipe(cfg):
        return cfg
    rows = sample_rows(reader.read_split("train") or [], cfg.split.limit, cfg.split.split_seed)
    if not rows:
        return cfg  # the data set says what is wrong
    for part in (cfg.codec, cfg.trainer):  # whose values recipes read
        check_given(part, AUTO)
    choices = Choices(cfg)
    build(cfg.recipe)(rows, choices)
    if choices.made:
        log.info("chosen from the training split: %s", choices)
    return choices.cfg


def has_recipe(cfg: DictConfig) -> bool:
    """Whether a config may leave values to the data."""
    return bool(cfg.get("recipe"))


def between(low: float, value: float, high: float) -> int:
    """The whole number next to ``value`` that is not below ``low`` nor above ``high``."""
    return round(min(max(value, low), high))


def batches(choices: Choices, tokens: int, sentences: int) -> float:
    """About how many batches an epoch has."""
    trainer = choices.cfg.trainer
    return max(tokens / trainer.batch_tokens, sentences / trainer.batch_sentences, 1)


def choose_pieces(choices: Choices, wanted: int, texts: Iterable[str]) -> None:
    """Choose how many sub-words there are, where the tokenizer learns any: at least two for every character."""
    tokenizer = choices.cfg.codec.tokenizer
    if not tokenizer._target_.endswith(".SentencePieceTokenizer"):
        if choices.is_open("codec.tokenizer.vocab_size"):
            with open_dict(tokenizer):
                del tokenizer["vocab_size"]
        return
    characters: set[str] = set()
    for text in texts:
        characters.update(text)
    choices.choose("codec.tokenizer.vocab_size", max(wanted, 2 * len(characters) + 10))
