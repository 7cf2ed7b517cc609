"""``key=value`` options of a command: declared once, parsed, checked and explained. Values are taken as they stand.

The key of a tuple may be given several times.
"""

import difflib
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar, get_type_hints

from data.errors import InputError, first_line, shorten
from training.ranks import one_process_only, reports_errors

Options = TypeVar("Options")


@contextmanager
def one_sentence() -> Iterator[None]:
    """Within it, a command that cannot continue ends with one sentence.

    The exit code is 2 where its input or a file is at fault, 1 where memory does not suffice, and 130 after Ctrl-C.
    """
    try:
        one_process_only("This command", "start it without")
        yield
    except InputError as error:
        stop(f"error: {error}", 2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has ended, and wants nothing more
    except OSError as error:
        named = error.filename or "input or output"
        stop(f"error: {named}: {error.strerror}" if error.strerror else f"error: {first_line(error)}", 2)
    except MemoryError:
        stop("error: out of memory: lower batch_tokens, batch_sentences or max_length", 1)
    except KeyboardInterrupt:
        stop("", 130)


def stop(message: str, code: int) -> None:
    if reports_errors():
        print(message, file=sys.stderr)
    sys.exit(code)


def option(
    default: Any, help: str, example: str = "", choices: Sequence[str] = (), minimum: int = 1, maximum: int = 10**9
) -> Any:
    """A field of a dataclass of options. ``...`` in place of a default marks a required option."""
    metadata = {"help": help, "example": example, "choices": choices, "minimum": minimum, "maximum": maximum}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def parse(options: type[Options], arguments: Sequence[str], command: str, purpose: str) -> Options:
    """The options of a command line; ``--help`` prints what they mean and ends the program.

    Raises:
        InputError: a key is unknown, a required one is missing, or a value is not what its key takes.
    """
    if any(argument in ("-h", "--help") for argument in arguments):
        print(help_text(options, command, purpose))
        sys.exit(0)
    known = {one.name: one for one in fields(options)}  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in known:
            near = difflib.get_close_matches(key.lstrip("-"), known, n=1)
            hint = f"did you mean {near[0]}=?" if near else f"the options are {', '.join(known)}."
            raise InputError(f"'{shorten(argument)}' is not an option; {hint}")
        hint = get_type_hints(options)[key]
        given[key] = (*given.get(key, ()), value) if hint == tuple[str, ...] else converted(key, value, hint)
    for key, one in known.items():
        if one.default is MISSING and not given.get(key):
            raise InputError(f"{key}= is missing: {command} {key}={one.metadata['example']}")
    chosen = options(**given)
    check(chosen)
    return chosen


def converted(key: str, value: str, hint: Any) -> Any:
    """A value as text, or as a number or a whole number where the option is one."""
    if hint in (str, str | None):
        return value
    if value == "null" and hint not in (int, float):
        return None
    if hint in (float, float | None):
        return number(key, value)
    if not value.isascii() or not value.isdigit() or len(value) > 12:
        raise InputError(f"{key}={shorten(value)}: must be a whole number.")
    return int(value)


def number(key: str, value: str) -> float:
    """A finite number in ASCII digits."""
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not value.isascii() or not math.isfinite(found):
        raise InputError(f"{key}={shorten(value)}: must be a number.")
    return found


def check(options: Any) -> None:
    """Raise where a value is not one of its choices, or out of its range."""
    for one in fields(options):
        value, rules = getattr(options, one.name), one.metadata
        if rules["choices"] and value not in rules["choices"]:
            near = difflib.get_close_matches(str(value), rules["choices"], n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            choices = f"{', '.join(rules['choices'][:-1])} or {rules['choices'][-1]}"
            raise InputError(f"{one.name}={shorten(value)}: choose {choices}{hint}.")
        if isinstance(value, int | float) and not rules["minimum"] <= value <= rules["maximum"]:
            raise InputError(f"{one.name}={value}: must be from {rules['minimum']} to {rules['maximum']:,}.")


def help_text(options: type, command: str, purpose: str) -> str:
    """What a command does, and a line or two for each of its options."""
    needed = "".join(f" {one.name}=DIR" for one in fields(options) if one.default is MISSING)
    lines = [f"{command}{needed} [key=value ...]", "", purpose, ""]
    for one in fields(options):
        lines.append(f"  {one.name:<16} {one.metadata['help']}")
        lines.append(f"  {'':<16} {default_text(one)}; example: {one.name}={one.metadata['example']}")
    return "\n".join(lines)


def default_text(one: "Field[Any]") -> str:
    if one.default is MISSING:
        return "required"
    return f"default: {'none' if one.default in (None, ()) else one.default}"
