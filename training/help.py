"""``python -m tasks.<task> --help``: the groups and the keys of one task, with their defaults."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CONF = Path(__file__).parents[1] / "conf"
# an option of these serves the tasks that its first comment names
SERVE_SOME_TASKS = ("data", "tokenizer", "characters")
KEY_LINE = re.compile(r"(?P<key>[a-z_]+(?:\.[a-z_]+)*) {2,}(?P<meaning>.+)")


def help_text(task: str) -> str:
    """``hydra.help.template`` of a task, with its groups and the default of every key that it explains."""
    cfg = composed(task)
    lines = (with_default(cfg, line) for line in cfg.hydra.help.template.splitlines())
    return "\n".join(lines).replace("$APP_CONFIG_GROUPS", group_lines(task, dict(cfg.hydra.runtime.choices)))


@cache
def composed(task: str, *overrides: str) -> DictConfig:
    """The config that a command line gives, Hydra's own part included, to be read only: Hydra takes its time."""
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose(task, overrides=list(overrides), return_hydra_config=True)
    OmegaConf.set_readonly(cfg, True)
    return cfg


def options(group: str) -> list[str]:
    """The names in a config group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def offered(task: str, group: str, default: str | None) -> list[str]:
    """The options of a group that serve a task, as the command line takes them."""
    if group == "experiment":
        return [f"{task}/{name}" for name in options(f"experiment/{task}")]
    return [name for name in options(group) if name == default or serves(task, group, name)]


def serves(task: str, group: str, option: str) -> bool:
    """Whether the comments of an option name a command of this task, or of none."""
    if group not in SERVE_SOME_TASKS:
        return True
    text = (CONF / group / f"{option}.yaml").read_text(encoding="utf-8")
    tasks = re.findall(r"^#.*python -m tasks\.(\w+)", text, re.MULTILINE)
    return task in tasks or not tasks


def commands(task: str, group: str, option: str) -> list[str]:
    """The commands of a task in the comments of an option; a line that is indented deeper continues the one before."""
    text = (CONF / group / f"{option}.yaml").read_text(encoding="utf-8")
    found = re.findall(rf"^#   (python -m tasks\.{task} .+(?:\n#     .+)*)", text, re.MULTILINE)
    return [re.sub(r"\n# +", " ", command) for command in found]


def group_lines(task: str, choices: dict[str, str | None]) -> str:
    """A line per group: its options, the default marked."""
    lines = []
    for group in reversed(choices):
        if "/" not in group:
            default = choices[group]
            names = [*(["null"] if default is None and group != "experiment" else []), *offered(task, group, default)]
            marked = (f"{name}*" if name == (default or "null") else name for name in names)
            lines.append(f"{group:<15} {', '.join(marked)}")
    return "\n".join(lines)


def with_default(cfg: DictConfig, line: str) -> str:
    """A line of the help that explains a key, with the key's default in between; any other line as it is."""
    match = KEY_LINE.fullmatch(line)
    if match is None or match["key"].startswith("hydra."):
        return line
    return f"{match['key']:<30} {default(cfg, match['key']):<9} {match['meaning']}"


def default(cfg: DictConfig, key: str) -> str:
    """The value of a key, as the command line would give it; a dash where only some options have the key."""
    parent, _, name = key.rpartition(".")
    node: Any = OmegaConf.select(cfg, parent) if parent else cfg
    if isinstance(node, DictConfig) and OmegaConf.is_missing(node, name):
        return "required"
    if not isinstance(node, DictConfig) or name not in node:
        return "-"
    try:
        value = node[name]
    except OmegaConfBaseException:
        return "-"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
