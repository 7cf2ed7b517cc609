"""The command line of a task, before and around its run: help, names that do not exist, one sentence for a mistake.

Nothing here imports PyTorch, so that ``--help``, a misspelt name and the first line come at once.
"""

import difflib
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from data.errors import InputError
from training.help import CONF, commands, composed, help_text, offered
from training.interrupt import deferred_interrupts, exit_code, stop_on_termination
from training.overrides import join_override, split_override
from training.ranks import arguments_of, one_process_only, rank, reports_errors
from training.waiting import choose_wait_policy

PRINTS_ONLY = re.compile(r"(--cfg|-c|--info|-i|--resolve|--package|--hydra-help|--version|--shell-completion|-sc)\b")
SWITCHES_WITH_A_VALUE = (
    *("--cfg", "-c", "--info", "-i", "--package", "-p", "--config-name", "-cn", "--config-path", "-cp"),
    *("--config-dir", "-cd", "--experimental-rerun"),
)
PLAIN_SECTIONS = ("hydra",)  # checked by Hydra itself


def start(task: str, main: Callable[[], Any]) -> None:
    """Run ``main``, a function of ``hydra.main``, for the command line of a task.

    A mistake on the command line ends the process with one sentence and exit code 2. Of several processes that
    ``torchrun`` started, one prints it.
    """
    arguments = [left_out(argument) for argument in sys.argv[1:]]
    if any(argument in ("-h", "--help") for argument in arguments):
        show_help(task)
        return
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors arrive here, in place of Hydra's own report
    stop_on_termination()
    try:
        sweep = any(argument in ("-m", "--multirun") for argument in arguments)
        if sweep:
            one_process_only("-m", "start a sweep without it, and its launcher starts the jobs")
        check(task, overrides_in(arguments), sweep)
        if not any(PRINTS_ONLY.match(argument) for argument in arguments):
            check_data(task, overrides_in(arguments))
            if rank() == 0:
                print(f"{task}: loading PyTorch and the data", file=sys.stderr, flush=True)
        sys.argv[1:] = arguments_of(rank(), arguments)
        main()
    except (InputError, HydraException, OmegaConfBaseException, KeyboardInterrupt) as error:
        if (interrupt := interrupt_of(error)) is not None:
            remove_unused_folder()
            if rank() == 0:
                print("interrupted before the run began: nothing was saved", file=sys.stderr)
            sys.exit(exit_code(interrupt))
        if reports_errors():
            print(f"error: {explain(task, overrides_in(arguments), error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # Hydra could not make the folder
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or first_line(error)}: choose another folder.", file=sys.stderr)
        sys.exit(2)


def left_out(argument: str) -> str:
    """``~group`` for ``group=null``: a part that is left out, as config files write it and Hydra does not take it."""
    sign, key, value = split_override(argument)
    return f"~{key}" if value == "null" and not sign and is_group(key) else argument


def is_group(key: str) -> bool:
    """Whether a key is a folder of ``conf/``, whose files are the options."""
    return bool(re.fullmatch(r"\w+", key)) and (CONF / key).is_dir()


def interrupt_of(error: BaseException | None) -> KeyboardInterrupt | None:
    """The request to stop that an error is, or that Hydra or OmegaConf made it of."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def remove_unused_folder() -> None:
    """Remove the folder of a run that never began, which Hydra made for its log."""
    from training.folders import remove_empty_run  # here, as names of folders depend on command lines

    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            remove_empty_run(Path(handler.baseFilename).parent)


def run_task(cfg: DictConfig) -> float | None:
    """Import PyTorch, which takes seconds and is what --help does not wait for, and run a config."""
    stop_on_termination()
    choose_wait_policy()  # before PyTorch is imported
    with deferred_interrupts():
        from training.run import run

    return run(cfg)


def show_help(task: str) -> None:
    """Print the help of a task; a reader that stops early, such as ``head``, is no error."""
    try:
        print(help_text(task), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python still flushes at its end


def overrides_in(arguments: list[str]) -> list[str]:
    """The arguments of the form ``key=value`` or ``~key``; the others are switches and the values of switches."""
    before = ["", *arguments]
    return [
        argument
        for switch, argument in zip(before, arguments, strict=False)
        if not argument.startswith("-") and switch not in SWITCHES_WITH_A_VALUE
    ]


def check(task: str, overrides: list[str], sweep: bool = False) -> None:
    """Refuse options that do not exist, and keys that nothing reads; of a sweep, before its first job."""
    for override in overrides:
        sign, key, value = split_override(override)
        check_grammar(override, sweep)
        if is_group(key):
            check_options(task, sign, key, value)
        elif sign in ("+", "++"):
            check_added(task, key)


def check_grammar(override: str, sweep: bool) -> None:
    """Hydra's grammar reads some characters as its own; the message shows the override in quotes."""
    sign, key, value = split_override(override)
    if value is None:
        if sign != "~":
            raise InputError(f"'{override}' is not an option: write key=value, for instance seed=2.")
        return
    try:
        OverridesParser.create().parse_override(override)
    except (HydraException, OmegaConfBaseException) as error:
        quoted = f"{sign}{key}={','.join(map(quote, value.split(',') if sweep else [value]))}"
        raise InputError(f"{override}: put the value in quotes. In a shell, write {shlex.quote(quoted)}") from error


def quote(value: str) -> str:
    """A value in the quotes of Hydra's grammar, in which a backslash is only one before a quote."""
    escaped = re.sub(r'(\\*)("|$)', lambda match: match[1] * 2 + ('\\"' if match[2] else ""), value)
    return f'"{escaped}"'


def check_options(task: str, sign: str, group: str, value: str | None) -> None:
    """Refuse an option that a config group does not have, and a group that a task cannot do without."""
    choices = composed(task).hydra.runtime.choices
    default: dict[str, str | None] = {str(name): option for name, option in choices.items()}
    if group not in default:
        raise InputError(f"{sign}{group}: {task} has no such part. {suggestion(group, default)}")
    names = offered(task, group, default[group])
    if sign == "+":
        given = join_override(sign, group, value)
        raise InputError(f"{given}: {group} has a value already; write {group}={value or ''}")
    if sign == "~" or value in ("null", ""):
        if default[group] is not None:
            raise InputError(f"{join_override(sign, group, value)}: {task} needs one of {', '.join(names)}.")
        if value == "":
            raise InputError(f"{group}=: choose one of {', '.join(names)}, or null for none.")
        return
    for name in (value or "").split(","):
        if not re.fullmatch(r"[\w/.-]+", name):  # a form of Hydra's own: choice(...), glob(...), a list
            return
        if name == "null":
            raise InputError(f"{group}={value}: no sweep leaves a part out: start one with {group}=null of its own.")
        if not (CONF / group / f"{name}.yaml").is_file():
            raise InputError(f"{group}={name}: there is no such option. {suggestion(name, names)}")


def check_data(task: str, overrides: list[str]) -> None:
    """Refuse a data option without the keys that it needs; the message shows a whole command."""
    given = {key: value or "" for _, key, value in map(split_override, overrides)}
    for name in given.get("data", "").split(","):
        path = CONF / "data" / f"{name}.yaml"
        if not re.fullmatch(r"\w+", name) or not path.is_file():
            continue
        option = OmegaConf.load(path)
        needed = [f"data.{key}" for key in map(str, option) if OmegaConf.is_missing(option, key)]
        if missing := [key for key in needed if not given.get(key)]:
            raise InputError(f"data={name} needs {' and '.join(missing)}.{example(task, name, needed)}")


def example(task: str, data: str, needed: list[str]) -> str:
    """A sentence with the command of a data option that gives the keys it needs, if its comments have one."""
    for command in commands(task, "data", data):
        if all(f"{key}=" in command for key in needed):
            return f" For instance: {command}"
    return ""


def check_added(task: str, key: str) -> None:
    """Refuse ``+key`` where no constructor reads it: at the top of the config, or in a section of plain values."""
    cfg = composed(task)
    top, _, rest = key.partition(".")
    if top in PLAIN_SECTIONS:
        return
    section = OmegaConf.select(cfg, key.rpartition(".")[0]) if rest else None
    exists = top in cfg if not rest else isinstance(section, DictConfig) and key.rpartition(".")[2] in section
    if exists or (rest and isinstance(cfg.get(top), DictConfig) and "_target_" in cfg[top]):
        return
    raise InputError(f"+{key}: nothing reads this key. {suggestion(key, names_of(cfg))}")


def names_of(cfg: DictConfig) -> list[str]:
    """All groups and keys that a command line may set, Hydra's own aside."""
    groups = [group for group in cfg.hydra.runtime.choices if "/" not in group]
    return list(dict.fromkeys([*groups, *(key for key in keys(cfg) if not key.startswith("hydra."))]))


def keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted names of all keys of a config, without following references."""
    for name in map(str, cfg):
        yield f"{prefix}{name}"
        node = cfg._get_node(name)
        if isinstance(node, DictConfig):  # references, missing values and null have no keys
            yield from keys(node, f"{prefix}{name}.")


def suggestion(name: str, names: Iterable[str]) -> str:
    """The names that come nearest, as a sentence; all of them where none is near and they are few."""
    found = nearest(name, [other for other in names if not name.startswith(f"{other}.")])
    if found:
        return f"Did you mean {' or '.join(found)}?"
    few = sorted(names)
    return f"Choose one of {', '.join(few)}." if len(few) <= 12 else "--help lists the options."


def nearest(name: str, names: list[str]) -> list[str]:
    """Up to three names that end alike or are spelt alike."""
    tail = re.split(r"[./]", name)[-1]
    tails = {other: re.split(r"[./]", other)[-1] for other in names}
    if same := [other for other in names if tails[other] == tail]:
        return same[:3]
    if alike := difflib.get_close_matches(name, names, n=1, cutoff=0.75):
        return alike
    near_tails = difflib.get_close_matches(tail, list(tails.values()), n=1, cutoff=0.75)
    if alike := [other for other in names if tails[other] in near_tails]:
        return alike[:3]
    return difflib.get_close_matches(name, names, n=1)


def explain(task: str, overrides: list[str], error: BaseException) -> str:
    """A mistake on the command line in one sentence, with the name that was perhaps meant."""
    if isinstance(error.__cause__, InputError):  # raised while a resolver named a folder
        return str(error.__cause__)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={name}: there is no such option. {suggestion(name, error.options or [])}"
    if isinstance(error, ConfigCompositionException | OverrideParseException | OmegaConfBaseException):
        for override in overrides:
            key = split_override(override)[1]
            if f"'{key}'" in first_line(error) and not (CONF / key).is_dir():
                return f"{override}: there is no such key. {suggestion(key, known_names(task, overrides))}"
    return first_line(error)


def known_names(task: str, overrides: list[str]) -> list[str]:
    """What the command line might have meant: the names of its config with the parts that it chooses."""
    choices = [text for text in overrides if "," not in text and (CONF / split_override(text)[1]).is_dir()]
    try:
        return names_of(composed(task, *choices))
    except (HydraException, OmegaConfBaseException):
        return names_of(composed(task))


def first_line(error: BaseException) -> str:
    """The first line of a message, or the name of an error that has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
