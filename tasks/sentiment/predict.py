"""Label lines with a trained classifier: ``python -m tasks.sentiment.predict run=DIR < lines``.

Reads one text per line, as the training data has them, or, with reads=raw, as people write them: then punctuation is
split from words where the training data has it so. Writes one JSON object per line, with the label and the probability
of every label.
With format=json, the score is the probability of the label.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from training.options import option
from training.predict import Answer, Inspection, Options, Predictor, main


@dataclass
class SentimentOptions(Options):
    """Those of every task, and how texts are written."""

    reads: str = option(
        "text",
        "text: as the training data; raw: as people write, with punctuation split off where the data have it so",
        "raw",
        choices=("text", "raw"),
    )


class SentimentPredictor(Predictor):
    """Texts -> labels; ``details`` are the probabilities of all labels."""

    task = "sentiment"
    options_type = SentimentOptions
    codec: Any
    served_with: ClassVar[Mapping[str, Any]] = MappingProxyType({"reads": "raw"})

    def example(self, text: str) -> Any:
        if self.options.reads == "raw" and getattr(self.codec.tokenizer, "pretokenized", False):
            from data.tokenizers import WordTokenizer

            text = " ".join(WordTokenizer(lowercase=False, pretokenized=False).split(text))
        return super().example(text)

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
