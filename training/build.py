"""What a config may name, and the parts that it names, built. The only file that instantiates.

The constructor is the schema: values of a config are held against the types that it declares.
"""

from collections.abc import Iterator
from pkgutil import resolve_name
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from data.errors import InputError

ALLOWED_PREFIXES = ("data.", "models.", "training.", "tasks.", "torch.optim.")
PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}


def build(cfg: Any, **sizes: int) -> Any:
    """Instantiate a part of a config, if all it names is the suite's own or PyTorch's, and of the types declared."""
    try:
        for part in parts(cfg):
            check_types(part, argument_types(resolve_target(part["_target_"])))
        return instantiate(cfg, **sizes)
    except (InstantiationException, OmegaConfBaseException) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise InputError(str(cause).splitlines()[0]) from error


def resolve_target(name: str) -> Any:
    """The class or function that a config names, if it is the suite's own or PyTorch's; nothing else is imported."""
    if name.startswith(ALLOWED_PREFIXES):
        try:
            target = resolve_name(name)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"The config names '{name}', which this version has not: correct it, or use the version (commit) that "
                f"the run's result.json names."
            ) from error
        if f"{target.__module__}.".startswith(ALLOWED_PREFIXES):
            return target
    raise InputError(f"The config names '{name}': only parts of this suite and of torch.optim may be.")


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


def argument_types(target: Any) -> dict[str, Any]:
    """The types of the arguments of a class or a function."""
    return get_type_hints(target.__init__ if isinstance(target, type) else target)  # type: ignore[misc]
