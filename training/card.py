"""The card of a run, ``README.md`` in its folder: what the model is, its data, its scores and its limits.

It opens with the metadata of the Hugging Face hub, so that the folder can be uploaded as it is.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from data.errors import InputError
from data.writing import write_text
from training.build import resolve_target
from training.folders import CONFIG, RESULT
from training.load import load_config
from training.summary import count, duration, percent, readable, remarks
from training.titles import baseline_title

CARD = "README.md"
METRIC_NAMES = {"macro_f1": "f1"}  # as the hub calls them
RECIPE = (
    "cell",
    "model.embedding_size",
    "model.encoder.hidden_size",
    "model.encoder.num_layers",
    "model.encoder.bidirectional",
    "model.dropout",
    "optimizer.lr",
    "trainer.max_epochs",
    "trainer.batch_tokens",
    "trainer.average_decay",
    "trainer.precision",
)


def write_card(directory: Path, author: str | None = None) -> Path:
    """Write the card of a finished run from the files of its folder.

    Args:
        directory: the run folder.
        author: who trained the model; null for the name in git's configuration, if any.

    Raises:
        InputError: the folder has no result of a finished run.
    """
    from huggingface_hub import ModelCard

    result, cfg = finished_result(directory), load_config(directory)
    sections = "\n\n".join(text_of(result, cfg, directory, author or git_user()))
    card = ModelCard(f"---\n{metadata(result, cfg).to_yaml()}\n---\n\n{sections}\n")
    write_text(directory / CARD, str(card))
    return directory / CARD


def finished_result(directory: Path) -> dict[str, Any]:
    """The result of a run that has scores.

    Raises:
        InputError: there is none.
    """
    try:
        result = json.loads((directory / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{directory / RESULT} is missing or damaged: only finished runs have a card.") from None
    if not isinstance(result, dict) or result.get("status") != "ok" or not isinstance(result.get("metrics"), dict):
        raise InputError(f"{directory / RESULT} is not that of a finished run: only finished runs have a card.")
    return result


def metadata(result: dict[str, Any], cfg: DictConfig) -> Any:
    """The front matter, with the scores of the last split under ``model-index``."""
    from huggingface_hub import EvalResult, ModelCardData

    hub_task = getattr(resolve_target(cfg.evaluation._target_), "hub_task", "other")
    split, scores, data = last_split(result), plain(result), result["data"]
    repository = hub_repository(cfg)
    results = [
        EvalResult(
            task_type=hub_task,
            dataset_type=repository or data["name"],
            dataset_name=data["name"],
            dataset_split=split,
            dataset_revision=data.get("revision"),
            metric_type=METRIC_NAMES.get(name, name),
            metric_name=f"{split} {readable(name)}",
            metric_value=score,
        )
        for name, score in scores.items()
    ]
    return ModelCardData(
        model_name=f"{result['task']}-{result['cell']}-{result['config_id']}",
        eval_results=results,
        language=languages(cfg),
        pipeline_tag=hub_task,
        library_name="rnnbench",
        tags=["rnn", result["cell"], result["task"]],
        datasets=[repository] if repository else None,
        metrics=sorted({METRIC_NAMES.get(name, name) for name in scores}),
    )


def last_split(result: Mapping[str, Any]) -> str:
    """The test split; the validation split where none was scored."""
    return list(result["metrics"])[-1]


def plain(result: Mapping[str, Any]) -> dict[str, float]:
    """The scores of the last split that are numbers."""
    return {name: score for name, score in result["metrics"][last_split(result)].items() if isinstance(score, float)}


def hub_repository(cfg: DictConfig) -> str | None:
    """The hub's name of the data set, where it was read from there and not from a local copy."""
    data = cfg.get("data", {})
    return None if data.get("path") else data.get("repository")


def languages(cfg: DictConfig) -> list[str] | None:
    """The codes of the languages that a config names."""
    named = [cfg.get("data", {}).get(key) for key in ("source", "target")]
    codes = [name for name in named if isinstance(name, str) and re.fullmatch(r"[a-z]{2,3}", name)]
    return codes or None


def text_of(result: dict[str, Any], cfg: DictConfig, directory: Path, author: str | None) -> Iterator[str]:
    """The sections of the card."""
    task, data = result["task"], result["data"]
    yield f"# {task}: {result['cell']} on {data['name']}, seed {result['seed']}"
    yield (
        f"A recurrent network ({result['cell']}, {result['parameters']:,} parameters) for the task {task}, trained "
        f"from scratch with rnnbench on one data set."
    )
    if (directory / "learning_curve.png").is_file():
        yield "![Training loss and validation score by epoch](learning_curve.png)"
    yield f"## Use\n\n{use(task)}"
    yield f"## Data\n\n{list_of(describe_data(data))}"
    yield f"## Recipe\n\n{list_of(describe_recipe(result, cfg))}"
    yield f"## Scores\n\n{score_table(result)}"
    yield f"## Limits\n\n{list_of(limits(result))}"
    yield f"## Cost\n\n{list_of(describe_cost(result))}"
    if author:
        yield f"## Trained by\n\n{author}"
    yield f"## Repeat the training\n\n{list_of(how_to_repeat(result))}"


def list_of(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def use(task: str) -> str:
    """How the model answers, in Python and on the command line."""
    return (
        "```python\nfrom rnnbench import load\n\n"
        'model = load("DIR")  # this folder\nprint(model.predict(["..."])[0].prediction)\n```\n\n'
        f'```bash\necho "..." | python -m tasks.{task}.predict run=DIR\n```'
    )


def describe_data(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"{data['name']}, {data.get('source')}, revision {data.get('revision') or 'not known'}"
    for split, size in data.get("sizes", {}).items():
        yield f"{split}: {count(size, 'example')}, SHA-256 of the content {data['sha256'][split]}"
    yield from data.get("notes", [])


def describe_recipe(result: Mapping[str, Any], cfg: DictConfig) -> Iterator[str]:
    """The values that matter most; the config has all."""
    if result.get("experiment"):
        yield f"experiment={result['experiment']}"
    for key in RECIPE:
        value = result["cell"] if key == "cell" else OmegaConf.select(cfg, key)
        if value is not None:
            yield f"{key}={str(value).lower() if isinstance(value, bool) else value}"
    selection, epochs = result["selection"], result["training"]["epochs"]
    yield f"weights of epoch {selection['epoch']} of {epochs}, by validation {selection['metric']}"
    yield f"all values: `{CONFIG}` (config id {result['config_id']})"


def score_table(result: Mapping[str, Any]) -> str:
    """Scores of all splits in percent, with 95 % confidence intervals where there are any, and those of baselines."""
    metrics, metric = result["metrics"], result["selection"]["metric"]
    lines = [f"| | {' | '.join(metrics)} |", f"|---|{'--:|' * len(metrics)}"]
    for name in plain(result):
        cells = [score_cell(result, split, name) for split in metrics]
        lines.append(f"| {readable(name)} | {' | '.join(cells)} |")
    for name in metrics[last_split(result)].get("baselines", {}):
        found = (scores.get("baselines", {}).get(name, {}).get(metric) for scores in metrics.values())
        lines.append(
            f"| {baseline_title(name)}: {readable(metric)} | {' | '.join(percent(metric, s) for s in found)} |"
        )
    note = "In percent. In brackets: 95 % confidence interval, by the bootstrap over the examples of the split."
    signatures = metrics[last_split(result)].get("signatures", {})
    signed = "".join(f"\n\n{readable(name)}: `{signature}`" for name, signature in signatures.items())
    return "\n".join(lines) + f"\n\n{note}{signed}"


def score_cell(result: Mapping[str, Any], split: str, name: str) -> str:
    """A score with its interval, if it has one."""
    shown = percent(name, result["metrics"][split].get(name))
    found = result.get("intervals", {}).get(split, {}).get(name)
    return f"{shown} ({' to '.join(percent(name, end) for end in found)})" if found else shown


def limits(result: Mapping[str, Any]) -> Iterator[str]:
    """What a user of the model should know."""
    data, split = result["data"], last_split(result)
    yield f"It was trained on {data['name']} only. The scores are those of its {split} split; other data may be harder."
    yield "The scores are those of one seed; the intervals do not include the variation between seeds."
    if split != "test":
        yield "No test split was scored, and the weights were chosen by the validation score."
    if data.get("source") == "generated":
        yield "The data are sentences generated from a grammar: the model knows no other words."
    yield from remarks(dict(result))
    yield "Words outside its vocabulary are unknown to it; prediction warns about inputs that are mostly unknown."
    yield "It has not been checked for bias or harmful output."


def describe_cost(result: Mapping[str, Any]) -> Iterator[str]:
    training, machine = result["training"], result.get("environment", {})
    yield f"{duration(training['seconds'])} for {count(training['epochs'], 'epoch')}, {training['kernel']} kernel"
    processes = f" in each of {machine['processes']} processes" if "processes" in machine else ""
    yield f"{machine.get('cpu')}, {machine.get('device')}, {count(machine.get('threads', 1), 'thread')}{processes}"
    yield f"{training['peak_memory_mb']:,.0f} MB of memory at most{', in the first process' if processes else ''}"


def how_to_repeat(result: Mapping[str, Any]) -> Iterator[str]:
    machine = result.get("environment", {})
    commit, dirty = machine.get("commit"), machine.get("dirty")
    if commit:
        yield f"commit {commit} of rnnbench{', with changes that are not in it' if dirty else ''}"
    yield f"Python {machine.get('python')}, torch {machine.get('torch')}"
    yield "`python -m analysis.reproduce DIR` trains again from the config of this folder and compares the scores"


def git_user() -> str | None:
    """The name in git's configuration; None where there is none."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
