"""Answer sequences with a trained model: ``python -m tasks.memory.predict run=DIR < sequences``.

Reads one sequence per line, with spaces between tokens, and writes one JSON object per line, with the answer after the
last token and after every token. With format=json, the score is the probability of the answer; 0 for numbers.
"""

import json
from collections.abc import Iterator
from typing import Any

from training.predict import Answer, Inspection, Predictor, main


class MemoryPredictor(Predictor):
    """Sequences -> the answers after their last token; ``details`` are those after every token."""

    task = "memory"
    hint = "Tokens with spaces between them, as in the training data."

    def answer(self, example: Any, prediction: Any) -> Answer:
        answers, probabilities = prediction
        return Answer(example.text, answers[-1], probabilities[-1], list(answers))

    def inspect(self, text: str) -> Inspection:
        """The answer after every token with its probability, which numbers do not have."""
        from data.memory import NumberCodec

        example = self.example(text)
        (prediction,) = self.codec.decode(self.run_model([example], self.model.predict))
        numbers = isinstance(self.codec, NumberCodec)
        steps = [
            {"token": token, "answer": answer, "probability": None if numbers else probability}
            for token, answer, probability in zip(example.tokens, *prediction, strict=False)  # long ones are cut
        ]
        return Inspection(self.answer(example, prediction), "steps", {"steps": steps})

    def write(self, answer: Answer) -> Iterator[str]:
        yield json.dumps({"answer": answer.prediction, "steps": answer.details}, ensure_ascii=False)


if __name__ == "__main__":
    main(MemoryPredictor, __doc__)
