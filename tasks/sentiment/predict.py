"""Label lines with a trained classifier: ``python -m tasks.sentiment.predict run=DIR < lines``.

Reads one text per line and writes one JSON object per line, with the label and the probability of every label.
With format=json, the score is the probability of the label.
"""

import json
from collections.abc import Iterator
from typing import Any

from training.predict import Answer, Inspection, Predictor, main


class SentimentPredictor(Predictor):
    """Texts -> labels; ``details`` are the probabilities of all labels."""

    task = "sentiment"

    def answer(self, example: Any, prediction: Any) -> Answer:
        probabilities = prediction.probabilities
        return Answer(example.text, prediction.label, probabilities[prediction.label], probabilities)

    def inspect(self, text: str) -> Inspection:
        """The probabilities of all labels, and how far every word moved that of the predicted one."""
        from training.occlusion import occlusion

        (answer,) = self.predict([text])
        return Inspection(answer, "labels", {"probabilities": answer.details, **occlusion(self, answer)})

    def write(self, answer: Answer) -> Iterator[str]:
        yield json.dumps({"label": answer.prediction, "probabilities": answer.details}, ensure_ascii=False)


if __name__ == "__main__":
    main(SentimentPredictor, __doc__)
