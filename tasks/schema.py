"""The constructor is the schema: values of a config are held against the types that it declares."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf

from data.errors import InputError

PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}


def check_types(cfg: DictConfig, hints: dict[str, Any]) -> None:
    """Raise where a plain value of ``cfg`` is not of the type that ``hints`` give its key."""
    for key in cfg:
        hint = hints.get(str(key))
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        if not all(kind in PLAIN for kind in kinds) or OmegaConf.is_missing(cfg, key):
            continue
        value = cfg[key]
        if not any(fits(value, kind) for kind in kinds):
            wanted = " or ".join(PLAIN[kind] for kind in kinds)
            raise InputError(f"{cfg._get_full_key(key)}={value}: {wanted} is wanted here.")


def fits(value: Any, kind: type) -> bool:
    """Whether a value may stand for a type: a whole number for a number, but neither for true or false."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def parts(cfg: Any) -> Iterator[DictConfig]:
    """Every node of a config that names a ``_target_``, from the outside in."""
    if isinstance(cfg, DictConfig):
        if "_target_" in cfg:
            yield cfg
        for key in cfg:
            if not OmegaConf.is_missing(cfg, key):
                yield from parts(cfg[key])
    elif isinstance(cfg, ListConfig):
        for item in cfg:
            yield from parts(item)


def declared(target: Any) -> dict[str, Any]:
    """The types of the arguments of a class or a function."""
    return get_type_hints(target.__init__ if isinstance(target, type) else target)  # type: ignore[misc]
