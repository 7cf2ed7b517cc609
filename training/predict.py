"""A trained model on new inputs: as a library (``tasks.load``) and on the command line of every task."""

import json
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

from data.errors import InputError
from training.options import check, one_sentence, option, parse
from training.streams import Lines, is_live, opened_input, portions, prepare_output, read_chunks, write_lines
from training.waiting import choose_wait_policy

SPACE = "\u2581"  # a space, as a piece of SentencePiece


@dataclass
class Options:
    """``key=value`` on the command line, the same in every task."""

    run: str = option(
        ..., "the folder of the run whose model answers", "runs/sentiment/2026-01-31_12-00-00-000000-0a1b2c3d"
    )
    input: str = option("-", "the file to read; - is standard input", "lines.txt")
    output: str = option("-", "the file to write; - is standard output", "answers/lines.jsonl")
    format: str = option(
        "default",
        "json: JSON objects with input, prediction and score",
        "json",
        choices=("default", "json"),
    )
    device: str = option("auto", "auto, cpu, cuda or mps", "cpu")
    max_length: int = option(10_000, "the maximum number of tokens per line; longer lines are cut", "500", minimum=2)
    batch_tokens: int = option(4096, "the maximum number of tokens per batch, padding included", "1000")
    batch_sentences: int = option(256, "the maximum number of lines per batch", "32")


class Answer(NamedTuple):
    """What a model predicts for one input."""

    input: str
    prediction: Any  # a label, the tagged words, or a text
    score: float  # the higher, the more certain; a task says what it is
    details: Any = None  # what else a task knows

    def as_json(self) -> str:
        """The fields that all tasks share."""
        row = {"input": self.input, "prediction": self.prediction, "score": round(self.score, 4)}
        return json.dumps(row, ensure_ascii=False, allow_nan=False)


class Inspection(NamedTuple):
    """One answer with all that a page shows of it."""

    answer: Answer
    view: str = "plain"  # how the page shows the details: a key of ``views`` in deployment/page/script.js
    details: Mapping[str, Any] = MappingProxyType({})  # values for JSON


class Predictor(ABC):
    """A trained model that answers; ``predict(["..."])`` gives an ``Answer`` for each input.

    Args:
        options: the run folder, and how to read and answer.

    Raises:
        InputError: the run folder is damaged or of another task, or an option is wrong.
    """

    task: ClassVar[str]
    options_type: ClassVar[type[Options]] = Options
    unit: ClassVar[str] = "line"  # the name of an input, in warnings
    reads_files: ClassVar[bool] = False  # whether an input is the path of a file
    hint: str = ""  # what an input is like, where that is not any text; a sentence
    served_with: ClassVar[Mapping[str, Any]] = MappingProxyType({})  # options for what people type into a page
    on_warning: Callable[[str, str], None]  # takes where and what

    def __init__(self, options: Any) -> None:
        from training.device import choose_device, choose_precision
        from training.load import load

        check(options)
        self.options, self.device = options, choose_device(options.device)
        self.cfg, self.codec, self.model = load(Path(options.run), self.device)
        if self.cfg.get("task") != self.task:
            task = self.cfg.get("task")
            raise InputError(f"{options.run} is a run of {task}: use python -m tasks.{task}.predict.")
        precision = self.cfg.get("trainer", {}).get("precision", "auto")
        self.precision = choose_precision(str(precision), self.device)
        self.codec.limit_length(options.max_length)
        self.answered = 0
        self.on_warning = print_warning

    @classmethod
    def of(cls, run: str, **options: Any) -> Self:
        """The predictor of a run folder, with options by name."""
        known = [one.name for one in fields(cls.options_type)]
        for name in options:
            if name not in known:
                raise InputError(f"'{name}' is not an option: the options are {', '.join(known)}.")
        return cls(cls.options_type(run=run, **options))

    def predict(self, inputs: Iterable[str]) -> list[Answer]:
        """The answers to some texts, in their order."""
        return list(self.answers(map(self.example, inputs)))

    def inspect(self, text: str) -> Inspection:
        """The answer to one text, with what a task can show of it."""
        (answer,) = self.predict([text])
        return Inspection(answer, details=answer.details if isinstance(answer.details, dict) else {})

    def example(self, text: str) -> Any:
        """A text as the codec's kind of example."""
        return self.codec.unlabelled(text)

    def read(self, chunks: Iterator[Lines], name: str, live: bool) -> Iterator[Iterable[Any]]:
        """The examples in every chunk of lines.

        Args:
            chunks: all lines of a file, or those of a live stream that arrive together.
            name: stands for the input in errors.
            live: more chunks may follow later.
        """
        for chunk in chunks:
            yield (self.example(line) for _, line in chunk)

    def answers(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """The answers to examples, some thousands at a time."""
        for portion in portions(examples):
            answers = self.answer_all(portion)
            self.answered += len(portion)
            if not all(math.isfinite(answer.score) for answer in answers):
                raise InputError(f"{self.options.run}: the model's scores are NaN or infinite: train it again.")
            yield from answers

    def answer_all(self, examples: list[Any]) -> list[Answer]:
        predictions = self.codec.decode(self.run_model(examples, self.model.predict))
        return list(map(self.answer, examples, predictions))

    def run_model(self, examples: list[Any], method: Any) -> list[Any]:
        """What a method of the model gives for every example, with warnings about inputs that it cannot read well."""
        from data.corpus import Split
        from training.inference import predict_rows

        split = Split.of(examples, self.codec)
        self.warn(split.encoded)
        sizes = (self.options.batch_tokens, self.options.batch_sentences)
        return predict_rows(method, split, self.device, self.precision, *sizes)

    def warn(self, encoded: Any) -> None:
        """Report inputs that were cut, and those that are mostly unknown to the model."""
        if encoded.num_cut:
            limit = self.codec.max_length
            self.report(encoded.num_cut, len(encoded.lengths), f"longer than max_length={limit} tokens: cut")
        shares = unknown_shares(encoded.embedded, self.codec)
        if unknown := [row for row, share in enumerate(shares) if share > 0.5]:
            self.report(len(unknown), len(shares), "mostly unknown to the model: do not rely on the answer", unknown[0])

    def report(self, number: int, total: int, what: str, first: int = 0) -> None:
        start = self.answered + 1
        where = f"{self.unit} {start + first}"
        if total > 1:
            where = f"{number} of {self.unit}s {start} to {self.answered + total}"
            where += f" (first: {start + first})" if first else ""
        self.on_warning(where, what)

    @abstractmethod
    def answer(self, example: Any, prediction: Any) -> Answer: ...

    @abstractmethod
    def write(self, answer: Answer) -> Iterator[str]:
        """The lines of an answer in the task's own format."""


def print_warning(where: str, what: str) -> None:
    print(f"warning: {where}: {what}", file=sys.stderr)


def unknown_shares(embedded: Any, codec: Any) -> list[float]:
    """The fraction of unknown tokens in every row of at least two tokens; spaces and sentence ends are not counted."""
    import numpy as np

    from data.vocabulary import EOS, UNK

    vocabulary = getattr(getattr(codec, "source", codec), "vocabulary", None)
    ignored = [EOS] if vocabulary is None else [EOS, vocabulary.ids.get(SPACE, EOS)]
    kinds = np.stack([embedded.values == UNK, ~np.isin(embedded.values, ignored)])
    sums = np.pad(np.cumsum(kinds, axis=1), ((0, 0), (1, 0)))[:, embedded.offsets]
    return [unknown / counted if counted > 1 else 0.0 for unknown, counted in np.diff(sums, axis=1).T.tolist()]


@dataclass
class SearchOptions(Options):
    """Those of every task, and those of a beam search."""

    max_length: int = option(1000, "the maximum number of tokens per line; longer lines are cut", "200", minimum=2)
    beam: int | None = option(None, "the width of the beam search; none: as in the run", "1", maximum=1000)
    length_penalty: float | None = option(
        None, "the larger, the longer the texts; none: as in the run", "1.4", minimum=0, maximum=100
    )
    n_best: int = option(1, "how many texts per line; more than 1 gives a JSON list per line", "3", maximum=1000)


class SearchPredictor(Predictor):
    """A model that writes text, found by a beam search. The score is the one that the search ranks texts by."""

    options_type = SearchOptions
    text_name: ClassVar[str]  # the key of a text in an n-best list
    view: ClassVar[str] = "texts"  # of an ``Inspection``

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        search: Any = self.model.search
        search.beam = search.beam if options.beam is None else options.beam
        if options.length_penalty is not None:
            search.length_penalty = options.length_penalty
        if options.n_best > search.beam:
            raise InputError(
                f"n_best={options.n_best}, beam={search.beam}: a beam of k finds up to k texts: give n_best <= beam."
            )

    def answer(self, example: Any, prediction: Any) -> Answer:
        best = self.best(example, prediction)[: self.options.n_best]
        return Answer(self.text_of(example), *best[0], details=best)

    def best(self, example: Any, prediction: Any) -> Sequence[tuple[str, float]]:
        """The texts with their scores, best first."""
        return prediction.alternatives

    def inspect(self, text: str) -> Inspection:
        """The n best, and the attention map of the best where the model has attention."""
        example = self.example(text)
        (prediction,) = self.codec.decode(self.run_model([example], self.model.predict_with_attention))
        best = self.best(example, prediction)
        details = {"n_best": [{"text": found, "score": score} for found, score in best]}
        return Inspection(Answer(text, *best[0]), self.view, details | self.attention_map(prediction))

    def attention_map(self, prediction: Any) -> dict[str, Any]:
        """``rows`` and ``columns``, the names of what was generated and read, and their ``weights``; {} for none.

        Where an image was read, its ``grid`` of [rows, columns] takes the place of the names.
        """
        return {}

    @abstractmethod
    def text_of(self, example: Any) -> str: ...

    def write(self, answer: Answer) -> Iterator[str]:
        if self.options.n_best == 1:
            yield answer.prediction
        else:
            rows = [{self.text_name: text, "score": score} for text, score in answer.details]
            yield json.dumps(rows, ensure_ascii=False, allow_nan=False)


def main(predictor_type: type[Predictor], purpose: str | None) -> None:
    """Parse the command line, and answer every line of the input; errors are one sentence, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    with one_sentence():
        answer_input(predictor_type, purpose or "")


def answer_input(predictor_type: type[Predictor], purpose: str) -> None:
    command = f"python -m tasks.{predictor_type.task}.predict"
    options = parse(predictor_type.options_type, sys.argv[1:], command, purpose.strip())
    with opened_input(options.input) as stream:
        if options.output != "-":
            prepare_output(options.output)
        choose_wait_policy()  # before torch is imported
        predictor = predictor_type(options)
        name = "standard input" if options.input == "-" else options.input
        chunks = read_chunks(stream, name, prompt(options, stream))
        examples = predictor.read(chunks, name, is_live(stream))
        answers = (answer for some in examples for answer in predictor.answers(some))
        as_json = options.format == "json"
        lines = (line for answer in answers for line in ([answer.as_json()] if as_json else predictor.write(answer)))
        write_lines(options.output, lines)


def prompt(options: Options, stream: Any) -> Any:
    """What to do before waiting for a line: ask for one, if a person types them."""
    if options.input != "-" or not stream.isatty():
        return lambda: None
    print("Enter one input per line; Ctrl-D ends.", file=sys.stderr)
    return lambda: print("> ", end="", file=sys.stderr, flush=True)
