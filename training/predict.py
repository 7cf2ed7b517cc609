"""A trained model on new lines: the part of ``python -m tasks.<task>.predict`` that all tasks share."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from data.errors import InputError
from data.sources.tables import decoded_lines
from data.writing import write_with

EXAMPLES_AT_A_TIME = 2000


@dataclass
class Options:
    """``key=value`` on the command line."""

    run: str = MISSING  # the run folder
    input: str = "-"  # a file; - is standard input
    output: str = "-"  # a file; - is standard output
    device: str = "auto"
    batch_tokens: int = 4096
    batch_sentences: int = 256


def main(task: str, options: type[Options], answer: Callable[[Any, Any, Iterable[str]], Iterator[str]]) -> None:
    """Parse the command line, and write what ``answer(options, predictor, lines)`` makes of the lines."""
    try:
        chosen = parse(task, options, sys.argv[1:])
        predictor = Predictor(task, chosen)
        with source(chosen.input) as lines:
            answers = answer(chosen, predictor, lines)
            if chosen.output == "-":
                for text in answers:
                    print(text, flush=True)
            else:
                write_with(Path(chosen.output), lambda beside: beside.write_text("".join(f"{a}\n" for a in answers)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()


def parse(task: str, options: type[Options], arguments: list[str]) -> Any:
    """The options; a key that is none of them, or a value of another type, is told."""
    keys = ", ".join(options.__dataclass_fields__)
    usage = f"python -m tasks.{task}.predict run=DIR takes key=value for {keys}"
    if any(argument in ("-h", "--help") for argument in arguments):
        print(usage)
        sys.exit(0)
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not equals or key not in options.__dataclass_fields__:
            raise InputError(f"'{argument}' is no option: {usage}.")
    try:
        chosen = OmegaConf.merge(OmegaConf.structured(options), OmegaConf.from_cli(arguments))
    except OmegaConfBaseException as error:
        raise InputError(str(error).splitlines()[0]) from error
    if OmegaConf.is_missing(chosen, "run"):
        raise InputError(f"Which run? {usage}.")
    return cast(Any, chosen)


def source(name: str) -> Any:
    """Lines of a file or of standard input, without their ends."""
    if name == "-":
        return nullcontext(line for _, line in decoded_lines("standard input", sys.stdin.buffer))
    if not Path(name).is_file():
        raise InputError(f"input={name}: there is no such file.")
    return nullcontext(line for _, line in decoded_lines(name, Path(name).open("rb")))


class Predictor:
    """A trained model that reads examples.

    Args:
        task: the name of the task; a run of another task is refused.
        options: where the run is, and how to read.
    """

    def __init__(self, task: str, options: Options) -> None:
        from training.device import choose_device, choose_precision
        from training.load import load

        self.options, self.device = options, choose_device(options.device)
        self.cfg, self.codec, self.model = load(Path(options.run), self.device)
        if self.cfg.task != task:
            raise InputError(f"{options.run} is a run of {self.cfg.task}: use python -m tasks.{self.cfg.task}.predict.")
        self.precision = choose_precision(self.cfg.trainer.precision, self.device)

    def predict(self, lines: Iterable[str]) -> Iterator[tuple[Any, Any]]:
        """Every line, as an example, with what the model says of it."""
        return self.predict_examples(map(self.codec.unlabelled, lines))

    def predict_examples(self, examples: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Every example with what the model says of it; read as they come, some thousands at a time."""
        from data.corpus import Split
        from training.inference import predict_split

        examples = iter(examples)
        while chunk := list(islice(examples, EXAMPLES_AT_A_TIME)):
            split = Split.of(chunk, self.codec)
            sizes = (self.options.batch_tokens, self.options.batch_sentences)
            yield from zip(
                chunk, predict_split(self.model, self.codec, split, self.device, self.precision, *sizes), strict=True
            )
