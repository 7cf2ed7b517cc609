"""Translate lines with a trained model: ``python -m tasks.translation.predict run=DIR < lines``.

Reads a sentence a line and writes its translation on a line; with ``n_best=3``, the three best as a JSON list.
An empty line stays an empty line.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from data.errors import InputError
from training.predict import Options, Predictor, main


@dataclass
class TranslationOptions(Options):
    """Those of every task, and how to search."""

    beam: int | None = None  # as in the run
    n_best: int = 1


def answer(options: TranslationOptions, predictor: Predictor, lines: Iterable[str]) -> Iterator[str]:
    search: Any = predictor.model.search
    search.beam = search.beam if options.beam is None else options.beam
    if not 1 <= options.n_best <= search.beam:
        raise InputError(
            f"n_best={options.n_best}, beam={search.beam}: a beam of k finds up to k translations, and at least one "
            f"is asked for: give 1 <= n_best <= beam."
        )
    for example, said in predictor.predict(lines):
        best = said.alternatives[: options.n_best] if example.source.strip() else [("", 0.0)]
        if options.n_best == 1:
            yield best[0][0]
        else:
            yield json.dumps([{"translation": text, "score": score} for text, score in best], ensure_ascii=False)


if __name__ == "__main__":
    main("translation", TranslationOptions, answer)
