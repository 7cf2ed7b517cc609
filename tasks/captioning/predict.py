"""Describe images with a trained model: ``python -m tasks.captioning.predict run=DIR < lines``.

Reads the path of an image file per line and writes one caption per line; with n_best=3, the three best as a JSON list.
An empty line stays an empty line. With format=json, the score is the log-probability, divided by a power of the length.
A run with images=features reads paths of .npy files.
"""

import math
from collections.abc import Sequence
from typing import Any

from training.predict import SearchPredictor, main


class CaptioningPredictor(SearchPredictor):
    """Image files -> captions; ``details`` are the n best with their scores."""

    task, text_name, view = "captioning", "caption", "captions"
    reads_files = True

    def text_of(self, example: Any) -> str:
        return example.metadata["file"]

    def best(self, example: Any, prediction: Any) -> Sequence[tuple[str, float]]:
        return prediction.alternatives if self.text_of(example).strip() else [("", 0.0)]

    def attention_map(self, prediction: Any) -> dict[str, Any]:
        if not any(prediction.attention):
            return {}
        positions = len(prediction.attention[0])
        side = math.isqrt(positions)
        columns = {"columns": [str(number + 1) for number in range(positions)]}  # of features that are no square
        where = {"grid": [side, side]} if side * side == positions else columns
        return {"rows": prediction.pieces, "weights": prediction.attention} | where


if __name__ == "__main__":
    main(CaptioningPredictor, __doc__)
