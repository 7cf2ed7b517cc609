"""The models of a service: their names, what is known about them, and their answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from data.errors import InputError
from training.bundle import opened
from training.folders import RESULT, cell_name
from training.percent import is_percent, to_percent
from training.predict import Predictor


class ServedModel:
    """A predictor as a service uses it, one call at a time.

    Args:
        name: differs from those of the other models.
        predictor: answers.
        run: its folder or its bundle.
    """

    def __init__(self, name: str, predictor: Predictor, run: Path) -> None:
        self.name, self.predictor, self.task = name, predictor, predictor.task
        self.reads_files = predictor.reads_files
        self.facts = [f"{count_parameters(predictor):,} parameters", *recorded_facts(run)]
        self.warnings: list[str] = []
        predictor.on_warning = lambda where, what: self.warnings.append(f"{what[:1].upper()}{what[1:]}.")

    def answer(self, texts: list[str]) -> list[dict[str, Any]]:
        """Input, prediction and score for every text."""
        self.warnings.clear()
        return [json.loads(answer.as_json()) for answer in self.predictor.predict(texts)]

    def inspect_file(self, content: bytes) -> dict[str, Any]:
        """The answer to a file, which is gone afterwards, for a model that reads files."""
        with NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            try:
                return {**self.inspect(file.name), "input": ""}
            except InputError as error:
                raise InputError(str(error).replace(file.name, "the file")) from error

    def inspect(self, text: str) -> dict[str, Any]:
        """The answer to one text, with all that a page can show of it."""
        self.warnings.clear()
        found = self.predictor.inspect(text)
        row, warnings = json.loads(found.answer.as_json()), [*self.warnings]
        return {**row, "model": self.name, "view": found.view, "details": found.details, "warnings": warnings}


def count_parameters(predictor: Predictor) -> int:
    return sum(parameter.numel() for parameter in predictor.model.parameters())


def recorded_facts(run: Path) -> list[str]:
    """The data set and the score of a run folder or a bundle; none where its result is missing or of another form."""
    try:
        with opened(run) as folder:
            result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        split, metric = "test" if "test" in result["metrics"] else "validation", result["selection"]["metric"]
        score = to_percent(metric, float(result["metrics"][split][metric]))
        unit = "" if is_percent(metric) else " %"
        return [f"trained on {result['data']['name']}", f"{split} {metric.replace('_', ' ')} {score:.2f}{unit}"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def named(predictors: Mapping[Path, Predictor]) -> dict[str, ServedModel]:
    """The models of some run folders, by the shortest distinct names in words."""
    candidates = [possible_names(predictor, folder) for folder, predictor in predictors.items()]
    names = next(found for found in zip(*candidates, strict=True) if len({*found}) == len(found))
    return {
        name: ServedModel(name, predictor, folder)
        for name, (folder, predictor) in zip(names, predictors.items(), strict=True)
    }


def possible_names(predictor: Predictor, folder: Path) -> list[str]:
    """``lstm``, ``lstm, seed 1`` and longer ones; the last is that of one folder only."""
    cell, seed = cell_name(predictor.cfg), f"seed {predictor.cfg.get('seed')}"
    return [
        cell,
        f"{predictor.task} {cell}",
        f"{cell}, {seed}",
        f"{predictor.task} {cell}, {seed}",
        f"{predictor.task} {cell}, {folder.name}",
        str(folder),
    ]
