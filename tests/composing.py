"""Hydra's composition with a memory: a file is read once in a session, and what many choices begin with is merged once.

Hydra reads and merges about forty files for every config, which took most of the time of many small tests. Setting the
values of a command line stays with it. Only configs of ``conf/`` alone are kept, as that does not change in a session.
"""

import pickle
from collections.abc import Container
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra.core.default_element import InputDefault, ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, _utils
from omegaconf._utils import get_yaml_loader
from yaml import YAMLError
from yaml.constructor import SafeConstructor
from yaml.cyaml import CParser
from yaml.resolver import Resolver

CONF = Path(__file__).parents[1] / "conf"
Key = tuple[Any, ...]  # where configs come from, and what is chosen
FILES: dict[Key, ConfigResult | None] = {}  # which Hydra copies before it changes them
LISTS: dict[Key, DefaultsList] = {}
PARTS: dict[Key, bytes] = {}  # files at their place in a config
CONFIGS: dict[Key, bytes] = {}
BEGINNINGS: set[Key] = set()  # of all lists of files that were merged


def remember() -> None:
    """Let Hydra use what this module keeps, in this process and in its forks."""
    for (owner, name), (_, function) in FUNCTIONS.items():
        setattr(owner, name, function)


def forget() -> None:
    """Undo ``remember``."""
    for (owner, name), (function, _) in FUNCTIONS.items():
        setattr(owner, name, function)


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
        FILES[key] = load(repo, config_path)
    return FILES[key]


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


class Merged(ResultDefault):
    """What the files at the beginning of a list have been merged to.

    Args:
        config: that.
    """

    def __init__(self, config: DictConfig) -> None:
        super().__init__("merged")
        self.config = config


def remembered_part(loader: ConfigLoaderImpl, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
    """``ConfigLoaderImpl._load_single_config`` of Hydra."""
    if isinstance(default, Merged):
        return ConfigResult("", "", default.config, {"package": None})
    key = (sources(repo), repr(default))
    if key[0] is None:
        return part(loader, default, repo)
    if key not in PARTS:
        PARTS[key] = pickle.dumps(part(loader, default, repo))
    return pickle.loads(PARTS[key])


def remembered_config(loader: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
    """``ConfigLoaderImpl._compose_config_from_defaults_list`` of Hydra."""
    key = (sources(repo), *map(repr, defaults))
    if key[0] is None:
        return merge(loader, defaults, repo)
    if key not in CONFIGS:
        extend(loader, defaults[: beginning(key, BEGINNINGS)], repo)
        extend(loader, defaults, repo)
        BEGINNINGS.update(key[:length] for length in range(2, len(key)))
    return pickle.loads(CONFIGS[key])


def beginning(key: Key, known: Container[Key]) -> int:
    """How many files of a list are the beginning of one that is known."""
    return next((length for length in range(len(key) - 1, 0, -1) if key[: length + 1] in known), 0)


def extend(loader: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> None:
    """Keep what a list of files is merged to, made from the longest beginning that is kept."""
    key = (sources(repo), *map(repr, defaults))
    kept = beginning(key, CONFIGS)
    if kept < len(defaults):
        before = [Merged(pickle.loads(CONFIGS[key[: kept + 1]]))] if kept else []
        CONFIGS[key] = pickle.dumps(merge(loader, [*before, *defaults[kept:]], repo))


def shared_repository(repo: CachingConfigRepository, delegate: ConfigRepository) -> None:
    """``CachingConfigRepository.__init__`` of Hydra, which copies every source."""
    repo.delegate, repo.cache = copy(delegate), {}


class QuickLoader(CParser, get_yaml_loader()):  # type: ignore[misc]
    """OmegaConf's loader of YAML, with the parser that is written in C; mistakes are found by the other one.

    Args:
        stream: a text or a file.
    """

    def __init__(self, stream: Any) -> None:
        self.text = stream if isinstance(stream, str | bytes) else stream.read()
        CParser.__init__(self, self.text)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)

    def get_single_data(self) -> Any:
        try:
            return super().get_single_data()
        except YAMLError:
            return get_yaml_loader()(self.text).get_single_data()


def interpolated_choices(overrides: Overrides, defaults: list[InputDefault], self_added: bool) -> DictConfig | None:
    """``_create_interpolation_map`` of Hydra, which few of the files need for which it is made."""
    needed = any(not default.is_self() and default.is_interpolation() for default in defaults)
    return choices(overrides, defaults, self_added) if needed else None


list_defaults, choices = config_loader_impl.create_defaults_list, defaults_list._create_interpolation_map
merge, part = ConfigLoaderImpl._compose_config_from_defaults_list, ConfigLoaderImpl._load_single_config
load, copied_repository = ConfigRepository.load_config, CachingConfigRepository.__init__
FUNCTIONS: dict[tuple[Any, str], tuple[Any, Any]] = {  # of Hydra and OmegaConf, and of this module
    (_utils, "get_yaml_loader"): (get_yaml_loader, lambda: QuickLoader),
    (config_loader_impl, "create_defaults_list"): (list_defaults, remembered_list),
    (defaults_list, "_create_interpolation_map"): (choices, interpolated_choices),
    (ConfigLoaderImpl, "_compose_config_from_defaults_list"): (merge, remembered_config),
    (ConfigLoaderImpl, "_load_single_config"): (part, remembered_part),
    (ConfigRepository, "load_config"): (load, remembered_file),
    (CachingConfigRepository, "__init__"): (copied_repository, shared_repository),
}
