"""The parts that a config names, built. The only file that instantiates.

A config may name what fits its place: a class of this suite or of ``torch.optim`` that is of the type which the
constructor around it declares, or one of the functions that ``conf/`` names. The constructor is the schema: unknown
arguments and values of another type are refused.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, partial
from inspect import Parameter, signature
from pathlib import Path
from pkgutil import resolve_name
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from data.errors import InputError, first_line, shorten

CONF = Path(__file__).parents[1] / "conf"
ALLOWED_PREFIXES = ("data.", "models.", "training.", "tasks.", "torch.optim.")
RESERVED = ("_target_", "_partial_")
PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", NoneType: "null"}
SIZES = ("embedding_size", "input_size", "hidden_size", "num_features", "filters", "buckets", "widths", "groups")
STEPS = ("max_epochs", "patience", "batch_tokens", "batch_sentences")
AT_LEAST_ONE = (*SIZES, *STEPS, "number", "length", "captions_per_image")
NOT_NEGATIVE = ("seed", "rare_word_dropout", "min_count", "sampling_alpha", "noise", "shifts", "word_loss")
RATES = (  # from 0 to less than 1
    "word_dropout",
    "token_dropout",
    "ngram_dropout",
    "character_dropout",
    "label_smoothing",
    "missing",
)
LARGEST = {
    "num_layers": 100,
    "beam": 1000,
    "max_length_factor": 100,
    "max_length_extra": 10_000,
    "length_penalty": 100,
    "sampling_alpha": 1,
    "length": 1_000_000,
    "test_length": 1_000_000,
    "number": 1_000_000,
    "captions": 1000,
    "captions_per_image": 1000,
    "vocab_size": 10_000_000,
    "widths": 100,
    "seed": 2**63 - 1,
    "threads": 1024,  # many more end the process
}


def build(cfg: Any, expected: Any = object, **sizes: int) -> Any:
    """The part that a node of a config names, with all parts inside it.

    Args:
        cfg: a node with a ``_target_`` and arguments for it; ``_partial_: true`` leaves the others to be given later.
        expected: the type of the part, or ``Callable[..., type]`` where the node is partial; ``object`` for any.
        sizes: further arguments.

    Raises:
        InputError: the node names what may not be named at its place, or an argument is unknown, missing or wrong.
    """
    if not isinstance(cfg, DictConfig) or not isinstance(name := cfg.get("_target_"), str):
        raise no_part(place_of(cfg))
    is_partial = cfg.get("_partial_", False)
    if not isinstance(is_partial, bool):
        raise InputError(f"{cfg._get_full_key('_partial_')}={shorten(is_partial)}: must be true or false.")
    target = resolve_target(name, cfg._get_full_key("_target_"))
    if not suits(target, expected, is_partial):
        raise InputError(f"{cfg._get_full_key('_target_')}={name}: must be {description(expected)}.")
    given = arguments(cfg, target)
    if is_partial:
        return partial(target, **given, **sizes)
    check_required(cfg, target, {**given, **sizes})
    return call(target, place_of(cfg), {**given, **sizes})


def build_at(cfg: DictConfig, key: str, expected: Any = object, **sizes: int) -> Any:
    """``build`` of what a config has at a key, which an error names also where there is nothing."""
    if not isinstance(node := cfg.get(key), DictConfig):
        raise no_part(key)
    return build(node, expected, **sizes)


def no_part(place: str) -> InputError:
    return InputError(f"{place}: must be a part, with the name of a class under _target_.")


def place_of(cfg: Any) -> str:
    return (cfg._get_full_key(None) if isinstance(cfg, (DictConfig, ListConfig)) else "") or "config"


def resolve_target(name: str, place: str = "_target_") -> Any:
    """The class or function of a name: a class of the suite or of torch.optim, or a function that ``conf/`` names.

    Args:
        name: with the names of its packages.
        place: where a config has it, for errors.
    """
    if name.startswith(ALLOWED_PREFIXES):
        try:
            target = resolve_name(name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                f"{place}={shorten(name)}: this version does not have it: correct it, or use the version (commit) that "
                f"the run's result.json names."
            ) from error
        if isinstance(target, type) and f"{target.__module__}.".startswith(ALLOWED_PREFIXES):
            return target
        if callable(target) and name in names_in_conf():
            return target
    raise InputError(
        f"{place}={shorten(name)}: only classes of this suite and of torch.optim, and the functions in conf/, may be "
        f"named."
    )


@cache
def names_in_conf() -> frozenset[str]:
    """Every ``_target_`` in ``conf/``, with ``${task}`` in it standing for each task."""
    texts = [path.read_text(encoding="utf-8") for path in CONF.rglob("*.yaml")]
    names = [name for text in texts for name in re.findall(r"^\s*_target_:\s*([\w.${}]+)", text, re.MULTILINE)]
    return frozenset(name.replace("${task}", path.stem) for name in names for path in CONF.glob("*.yaml"))


def suits(target: Any, expected: Any, is_partial: bool) -> bool:
    """Whether a class or function gives what is expected at its place."""
    if expected is object:
        return True
    if get_origin(expected) in (Union, UnionType):
        return any(suits(target, alternative, is_partial) for alternative in get_args(expected))
    is_function = get_origin(expected) is Callable
    wanted = get_args(expected)[-1] if is_function else expected
    wanted = get_origin(wanted) or wanted
    made = target if isinstance(target, type) else get_type_hints(target).get("return")
    return (
        is_partial == is_function and isinstance(wanted, type) and isinstance(made, type) and issubclass(made, wanted)
    )


def arguments(cfg: DictConfig, target: Any) -> dict[str, Any]:
    """The arguments for a class or function, checked against its signature, nested parts built."""
    parameters, hints = signature(target).parameters, argument_types(target)
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    given = {}
    for key in map(str, cfg):
        if key in RESERVED:
            continue
        if key not in parameters and not takes_any:
            near = get_close_matches(key, parameters, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(parameters)}."
            raise InputError(f"{cfg._get_full_key(key)}: {target.__name__} has no such argument; {hint}")
        given[key] = argument(cfg, key, hints.get(key))
    return given


def check_required(cfg: DictConfig, target: Any, given: Mapping[str, Any]) -> None:
    """Raise where an argument that has no default is not given."""
    hints = argument_types(target)
    for name, parameter in signature(target).parameters.items():
        needed = parameter.default is Parameter.empty and parameter.kind not in (
            Parameter.VAR_POSITIONAL,
            Parameter.VAR_KEYWORD,
        )
        if needed and name not in given:
            kind = description(hints.get(name, object))
            raise InputError(f"{cfg._get_full_key(name)}: must be given, and be {kind}.")


def argument(cfg: DictConfig, key: str, hint: Any) -> Any:
    """The value of one argument: a part that its type expects, or a plain value of its type."""
    value = value_of(cfg, key)
    if isinstance(value, DictConfig) and "_target_" in value:
        return build(value, hint)
    check_type(cfg, key, hint)
    plain = OmegaConf.to_container(value, resolve=True) if isinstance(value, (DictConfig, ListConfig)) else value
    return tuple(plain) if isinstance(plain, list) and get_origin(hint) is tuple else plain


def value_of(cfg: DictConfig, key: str) -> Any:
    if OmegaConf.is_missing(cfg, key):
        raise InputError(f"{cfg._get_full_key(key)}: a value must be given.")
    try:
        return cfg[key]
    except OmegaConfBaseException as error:
        raise InputError(first_line(error)) from error


def check_given(cfg: DictConfig, not_yet: str) -> None:
    """Raise where a plain value of a part, or of a part inside it, does not suit its argument; nothing is built.

    Args:
        cfg: a node with a ``_target_``.
        not_yet: the value of arguments, and of the names of parts, that are chosen later.
    """
    if cfg._target_ == not_yet:
        return
    hints = argument_types(resolve_target(cfg._target_, cfg._get_full_key("_target_")))
    for key in map(str, cfg):
        value = value_of(cfg, key)
        if has_target(value):
            if isinstance(value, DictConfig) and "_target_" in value:
                check_given(value, not_yet)
        elif key in hints and value != not_yet:
            check_type(cfg, key, hints[key])


def check_types(cfg: DictConfig, hints: dict[str, Any]) -> None:
    """Raise where a value of ``cfg`` is not of the type that ``hints`` give for its key."""
    for key in cfg:
        if key in hints:
            check_type(cfg, str(key), hints[key])


def check_type(cfg: DictConfig, key: str, hint: Any) -> None:
    """Raise where a plain value is not of a type, or larger than any model needs."""
    value, place = value_of(cfg, key), cfg._get_full_key(key)
    if not fits(value, hint):
        raise InputError(f"{place}={shorten(value)}: must be {description(hint)}.")
    if key in AT_LEAST_ONE and min(numbers(value, default=1)) < 1:
        raise InputError(f"{place}={shorten(value)}: must be at least 1.")
    if key in (*NOT_NEGATIVE, *RATES) and min(numbers(value)) < 0:
        raise InputError(f"{place}={shorten(value)}: must not be negative.")
    if key in RATES and max(numbers(value)) >= 1:
        raise InputError(f"{place}={shorten(value)}: must be less than 1.")
    if key in LARGEST and max(numbers(value)) > LARGEST[key]:
        raise InputError(f"{place}={shorten(value)}: must be at most {LARGEST[key]}.")


def numbers(value: Any, default: float = 0) -> list[float]:
    """A number, or the length and the items of a list; the default where there is none."""
    items = [len(value), *value] if isinstance(value, ListConfig) else [value]
    return [item for item in items if isinstance(item, (int, float))] or [default]


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value of a config is of a type; a whole number is also a number, true and false are neither."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (None, Any, object):
        return not has_target(value)
    if origin in (Union, UnionType):
        return any(fits(value, kind) for kind in inner)
    if origin is tuple and Ellipsis not in inner:
        return isinstance(value, ListConfig) and len(value) == len(inner) and all(map(fits, value, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, DictConfig) and all(fits(value[key], inner[1]) for key in value)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, ListConfig) and all(fits(item, inner[0]) for item in value)
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, (int, float)) and math.isfinite(value)
    return hint in PLAIN and isinstance(value, hint)


def has_target(value: Any) -> bool:
    """Whether a part is named anywhere inside a value."""
    if isinstance(value, DictConfig):
        return "_target_" in value or any(has_target(value[key]) for key in value)
    return isinstance(value, ListConfig) and any(map(has_target, value))


def description(hint: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(
            dict.fromkeys(description(kind) for kind in inner if getattr(kind, "__name__", "") != "Tensor")
        )
    if origin is Callable:
        return f"{description(inner[-1])} with _partial_: true"
    if origin is tuple and Ellipsis not in inner:
        return f"a list of {len(inner)} values"
    if isinstance(origin, type) and issubclass(origin, Mapping | Sequence):
        return "a section with keys" if issubclass(origin, Mapping) else "a list"
    return PLAIN.get(hint) or str(getattr(origin or hint, "__name__", hint))


def argument_types(target: Any) -> dict[str, Any]:
    """The types of the arguments of a class or a function."""
    return get_type_hints(target.__init__ if isinstance(target, type) else target)  # type: ignore[misc]


def call(target: Any, place: str, given: dict[str, Any]) -> Any:
    """What a class or function gives; an error that its arguments cause names their place."""
    try:
        return target(**given)
    except InputError:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        reason = "there is no memory for its sizes" if "allocate memory" in str(error) else first_line(error)
        raise InputError(f"{place}: {reason}.") from error
