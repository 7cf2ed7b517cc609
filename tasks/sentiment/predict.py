"""Label lines with a trained classifier: ``python -m tasks.sentiment.predict run=DIR < lines``.

Reads a text a line and writes a JSON object a line: the label and the probability of every label.
"""

import json
from collections.abc import Iterable, Iterator

from training.predict import Options, Predictor, main


def answer(options: Options, predictor: Predictor, lines: Iterable[str]) -> Iterator[str]:
    for _, said in predictor.predict(lines):
        yield json.dumps({"label": said.label, "probabilities": said.probabilities}, ensure_ascii=False)


if __name__ == "__main__":
    main("sentiment", Options, answer)
