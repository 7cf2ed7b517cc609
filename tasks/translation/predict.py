"""Translate lines with a trained model: ``python -m tasks.translation.predict run=DIR < lines``.

Reads one sentence per line and writes one translation per line; with n_best=3, the three best as a JSON list.
An empty line stays an empty line. With format=json, the score is the log-probability, divided by a power of the length.
"""

from collections.abc import Sequence
from typing import Any

from training.predict import SearchPredictor, main


class TranslationPredictor(SearchPredictor):
    """Sentences -> translations; ``details`` are the n best with their scores."""

    task, text_name = "translation", "translation"

    def text_of(self, example: Any) -> str:
        return example.source

    def best(self, example: Any, prediction: Any) -> Sequence[tuple[str, float]]:
        return prediction.alternatives if example.source.strip() else [("", 0.0)]

    def attention_map(self, prediction: Any) -> dict[str, Any]:
        if not any(prediction.attention):
            return {}
        rows, columns = prediction.target_pieces, [*prediction.source_pieces]
        return {"rows": rows, "columns": columns, "weights": prediction.attention}


if __name__ == "__main__":
    main(TranslationPredictor, __doc__)
