"""The tests' memory of composed configs: they are those that Hydra gives, values and modes alike."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import composing
import pytest
from conftest import CONF, compose_config, pickled
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError

CHOICES = [
    ("sentiment", "data=files", "data.train=a.csv", "seed=5"),
    ("sentiment", "experiment=sentiment/sst2_phrases", "cell=gru", "+optimizer.amsgrad=true"),
    ("translation", "tokenizer=words", "decoder=bahdanau", "~codec.tokenizer.vocab_size"),
    ("tagging", "hydra/launcher=joblib", "hydra.launcher.n_jobs=3", "head=crf"),
]


@pytest.fixture
def memory() -> Iterator[None]:
    """What is kept now is what a test composes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FILES", "LISTS", "PARTS", "CONFIGS"):
            patch.setattr(composing, name, {})
        patch.setattr(composing, "BEGINNINGS", set())
        yield
    composing.remember()


def composed(task: str, *overrides: str) -> DictConfig:
    pickled.cache_clear()
    return compose_config(task, *overrides, hydra=True)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_remembered_config_is_that_of_hydra(memory: None, choice: tuple[str, ...]) -> None:
    task, *overrides = choice
    composing.forget()
    wanted = OmegaConf.to_yaml(composed(task, *overrides))
    assert not composing.CONFIGS
    composing.remember()
    first, other, again = composed(task, *overrides), composed(task, *overrides, "seed=6"), composed(task, *overrides)
    assert OmegaConf.to_yaml(first) == OmegaConf.to_yaml(again) == wanted
    assert other.seed == 6 and len(composing.CONFIGS) == 1
    with pytest.raises(ConfigAttributeError):
        again.trainer.max_epoch = 3


def test_choices_that_begin_alike_are_those_of_hydra(memory: None) -> None:
    """The second keeps what it shares with the first, and the third goes on from there."""
    cells = [("tagging", f"cell={cell}", "hydra/launcher=joblib") for cell in ("gru", "rnn", "sru")]
    found = [OmegaConf.to_yaml(composed(*choice)) for choice in cells]
    assert len(composing.CONFIGS) == 4
    composing.forget()
    assert found == [OmegaConf.to_yaml(composed(*choice)) for choice in cells]


def test_configs_of_another_folder_are_read_anew(memory: None, tmp_path: Path) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    seeds = []
    for seed in (1, 8):
        base = tmp_path / "conf" / "base.yaml"
        base.write_text(base.read_text().replace("\nseed: 1", f"\nseed: {seed}"))
        with initialize_config_dir(version_base="1.3", config_dir=str(tmp_path / "conf")):
            seeds.append(compose("sentiment").seed)
    assert seeds == [1, 8] and not composing.CONFIGS
