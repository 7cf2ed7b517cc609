"""Promises over conf/: every file composes, and every part that it names keeps the contract of its kind."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import CONF, SMALL, assert_learns, compose_config, options
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from data.corpus import Corpus
from models.encoder import Encoding
from training.build import build
from training.help import serves
from training.identity import config_id
from training.recipe import read_corpus

TASKS = [path.stem for path in sorted(CONF.glob("*.yaml")) if path.stem != "base"]
EXPERIMENTS = [path.relative_to(CONF / "experiment") for path in sorted((CONF / "experiment").rglob("*.yaml"))]


@pytest.fixture
def full() -> Callable:
    """``composed`` with Hydra's own part, which tells what was chosen."""
    return partial(compose_config, hydra=True)


def corpus_of(cfg: DictConfig) -> Corpus:
    return Corpus(build(cfg.data), build(cfg.codec), **cfg.split)


PARTS = [*(f"cell={cell}" for cell in options("cell")), *(f"pooling={pooling}" for pooling in options("pooling"))]


@pytest.mark.parametrize("part", PARTS)
def test_every_cell_and_every_pooling_learns_from_a_batch(composed: Callable, files: list[str], part: str) -> None:
    cfg = composed("sentiment", part, *SMALL, *files, "model.dropout=0")
    corpus = corpus_of(cfg)
    torch.manual_seed(0)
    model = build(cfg.model, **corpus.sizes)
    batch = next(iter(corpus.splits["train"].shuffled(4096, 64, seed=0)))
    assert_learns(model, batch, steps=30)
    assert len(corpus.codec.decode(model.predict(batch))) == len(batch.rows)


@pytest.mark.parametrize("pooling", options("pooling"))
def test_padding_never_changes_what_is_pooled(composed: Callable, pooling: str) -> None:
    torch.manual_seed(0)
    pool = instantiate(composed("sentiment", f"pooling={pooling}").model.pooling)(6)
    outputs, final = torch.randn(1, 3, 6), torch.randn(1, 6)
    alone = pool(Encoding(outputs, final), torch.ones(1, 3, dtype=torch.bool))
    padded = torch.cat([outputs, torch.zeros(1, 2, 6)], dim=1)
    together = pool(Encoding(padded, final), torch.tensor([[True, True, True, False, False]]))
    assert alone.shape == (1, pool.output_size)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("tokenizer", options("tokenizer"))
def test_every_tokenizer_reads_new_text_after_a_reload(
    composed: Callable, files: list[str], tmp_path: Path, tokenizer: str
) -> None:
    size = ["codec.tokenizer.vocab_size=22"] if tokenizer == "sentencepiece" else []
    cfg, corpus = read_corpus(composed("sentiment", f"tokenizer={tokenizer}", *size, *files, "recipe=adaptive"))
    codec = corpus.codec
    codec.save(tmp_path)
    again = build(cfg.codec)
    again.load(tmp_path)
    for text in ("A warm film .", "", "  ", "Æther!", "dull " * 50):
        assert codec.encode_text(text) == again.encode_text(text) != []
    assert again.sizes == codec.sizes


@pytest.mark.parametrize("schedule", options("schedule"))
def test_every_schedule_rises_and_never_passes_the_peak(composed: Callable, schedule: str) -> None:
    factor = instantiate(composed("sentiment", f"schedule={schedule}").schedule)
    assert factor(0.0) == 0
    assert factor(0.05) == pytest.approx(1)
    assert all(0 <= factor(step / 100) <= 1 for step in range(101))


CORES = [
    *(f"encoder={name}" for name in options("encoder")),
    *(f"encoder=unidirectional cell={name}" for name in options("cell")),
]


@pytest.mark.parametrize("part", CORES)
def test_one_encoder_config_composes_unchanged_in_every_task(composed: Callable, part: str) -> None:
    having = [task for task in TASKS if "\n  - encoder:" in (CONF / f"{task}.yaml").read_text()]
    configs = [composed(task, *part.split(), "model.embedding_size=8").model.encoder for task in having]
    first, *others = [OmegaConf.to_container(cfg, resolve=True) for cfg in configs]
    assert others == [first] * (len(having) - 1)
    assert instantiate(configs[0]).output_size > 0


PARTS = [
    path.relative_to(CONF).with_suffix("")
    for path in sorted(CONF.glob("*/*.yaml"))
    if path.parent.name not in ("experiment", "hydra")
    and re.search(r"^_target_: [a-z]+\.", path.read_text(encoding="utf-8"), re.MULTILINE)  # others have values only
]


def task_with(composed: Callable, part: Path) -> str:
    """A task that offers an option."""
    group, option = part.parts
    for task in TASKS:
        if group in composed(task).hydra.runtime.choices and serves(task, group, option):
            return task
    raise AssertionError(f"No task has {group}={option}.")


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_every_part_is_built(full: Callable, part: Path) -> None:
    group, option = part.parts
    cfg = full(task_with(full, part), f"{group}={option}")
    header = (CONF / part).with_suffix(".yaml").read_text(encoding="utf-8").splitlines()[0]
    package = header.removeprefix("# @package ") if header.startswith("# @package ") else group
    node = OmegaConf.select(cfg, group if package == "_global_" else package)
    given = {"repository": "owner/name", "source": "en", "target": "fr"}
    for key in list(node):
        if OmegaConf.is_missing(node, key) or (key == "repository" and node[key] is None):
            node[key] = given.get(key, "some")
    assert build(node) is not None


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=str)
def test_every_experiment_composes_and_names_its_command(composed: Callable, experiment: Path) -> None:
    task = experiment.parts[0]
    composed(task, f"experiment={experiment.with_suffix('')}")
    head = (CONF / "experiment" / experiment).read_text().splitlines()[:6]
    assert any(re.search(rf"python -m tasks\.{task}.* experiment={experiment.with_suffix('')}", line) for line in head)


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_config_opens_with_what_it_is(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# @package")]
    assert lines[0].startswith("# ")


def test_the_config_id_is_that_of_the_experiment(composed: Callable) -> None:
    def identity(*overrides: str) -> str:
        return config_id(composed("sentiment", "data=sst2", *overrides))

    assert identity() == identity("seed=7", "device=cpu", "threads=1", "resume=true", "data.path=elsewhere")
    assert len({identity(), identity("cell=gru"), identity("model.dropout=0.2"), identity("pooling=mean")}) == 4


def test_the_saved_config_has_the_same_id(composed: Callable, tmp_path: Path) -> None:
    cfg = composed("sentiment")
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    assert config_id(OmegaConf.load(tmp_path / "config.yaml")) == config_id(cfg)
