"""Hydra's composition with a memory: each file is read once, and each choice of options merged once in a session.

Hydra reads and merges about forty files for every config, which took most of the time of many small tests. Setting the
values of a command line stays with it. Only configs of ``conf/`` alone are kept, as that does not change in a session.
"""

import pickle
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

CONF = Path(__file__).parents[1] / "conf"
list_defaults, merge = config_loader_impl.create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list
load = ConfigRepository.load_config
FILES: dict[tuple[Any, ...], bytes] = {}
LISTS: dict[tuple[Any, ...], DefaultsList] = {}
CONFIGS: dict[tuple[Any, ...], bytes] = {}


def remember() -> None:
    """Let Hydra use what this module keeps, in this process and in its forks."""
    config_loader_impl.create_defaults_list = remembered_list
    ConfigLoaderImpl._compose_config_from_defaults_list = remembered_config
    ConfigRepository.load_config = remembered_file


def forget() -> None:
    """Undo ``remember``."""
    config_loader_impl.create_defaults_list = list_defaults
    ConfigLoaderImpl._compose_config_from_defaults_list = merge
    ConfigRepository.load_config = load


def sources(repo: IConfigRepository) -> tuple[str, ...] | None:
    """Where configs come from; None if a folder but that of the suite is among them."""
    found = repo.get_sources()
    if any(source.scheme() == "file" and Path(source.path).resolve() != CONF for source in found):
        return None
    return tuple(source.full_path() for source in found)


def remembered_file(repo: ConfigRepository, config_path: str) -> ConfigResult | None:
    """``ConfigRepository.load_config`` of Hydra."""
    key = (sources(repo), config_path)
    if key[0] is None:
        return load(repo, config_path)
    if key not in FILES:
        FILES[key] = pickle.dumps(load(repo, config_path))
    return pickle.loads(FILES[key])


def remembered_list(
    repo: IConfigRepository,
    config_name: str | None,
    overrides_list: list[Override],
    prepend_hydra: bool,
    skip_missing: bool,
) -> DefaultsList:
    """``create_defaults_list`` of Hydra."""
    given, overrides = (repo, config_name, overrides_list, prepend_hydra, skip_missing), Overrides(repo, overrides_list)
    values = {id(override) for override in overrides.config_overrides}
    choices = tuple(override.input_line for override in overrides_list if id(override) not in values)
    key = (sources(repo), config_name, choices, prepend_hydra, skip_missing)
    if key[0] is None:
        return list_defaults(*given)
    if key not in LISTS:
        LISTS[key] = list_defaults(*given)
    kept = LISTS[key]
    overrides.known_choices = dict(kept.overrides.known_choices)
    overrides.known_choices_per_group = deepcopy(kept.overrides.known_choices_per_group)
    return replace(kept, defaults=list(kept.defaults), config_overrides=overrides.config_overrides, overrides=overrides)


def remembered_config(loader: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
    """``ConfigLoaderImpl._compose_config_from_defaults_list`` of Hydra."""
    key = (sources(repo), *map(repr, defaults))
    if key[0] is None:
        return merge(loader, defaults, repo)
    if key not in CONFIGS:
        CONFIGS[key] = pickle.dumps(merge(loader, defaults, repo))
    return pickle.loads(CONFIGS[key])
