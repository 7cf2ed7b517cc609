"""How tagging is scored, and what it leaves in the run folder."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from data.tagging import TaggedSentence
from data.writing import write_json_lines, write_text
from tasks.tagging.baselines import MostFrequentTag, any_word, capital_or_digit
from training.evaluation import Evaluation
from training.metrics import LENGTHS, accuracy_by, classification_scores, interval, intervals
from training.plots import confusion_matrix

Tags = Sequence[str]


class TaggingEvaluation(Evaluation):
    """Accuracy by word and by sentence, F1, accuracy on known and unknown words and by length, and two baselines."""

    def fit(self, train: Sequence[TaggedSentence]) -> None:
        """Note which words are known, and learn the baselines."""
        self.known = {word for sentence in train for word in sentence.words}
        self.baselines = {
            "most_frequent_tag": MostFrequentTag(train, any_word),
            "most_frequent_tag_with_rules": MostFrequentTag(train, capital_or_digit),
        }

    def score(self, hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]) -> dict[str, Any]:
        words, said, expected = flat(hypotheses, examples)
        right = [a == b for a, b in zip(said, expected, strict=True)]
        sentences = [tuple(tags) == example.tags for tags, example in zip(hypotheses, examples, strict=True)]
        lengths = [interval(len(example.words), LENGTHS) for example in examples for _ in example.words]
        return {
            **classification_scores(said, expected),
            "sentence_accuracy": share(sentences),
            **self.by_known(words, right),
            "by_length": accuracy_by(lengths, right, intervals(LENGTHS)),
            "baselines": {
                name: {"accuracy": share([tag_of(word) == tag for word, tag in zip(words, expected, strict=True)])}
                for name, tag_of in self.baselines.items()
            },
        }

    def by_known(self, words: Sequence[str], right: Sequence[bool]) -> dict[str, float]:
        """Accuracy on words that the training split has and on those it has not, where there are any."""
        known = [word in self.known for word in words]
        groups = accuracy_by(["known" if is_known else "unknown" for is_known in known], right, ["known", "unknown"])
        scores = {f"accuracy_{group}": entry["accuracy"] for group, entry in groups.items()}
        return {**scores, "unknown_share": 1 - share(known)}

    def write(self, directory: Path, hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]) -> None:
        """``predictions.conllu``, ``predictions.jsonl`` and ``confusion_matrix.png``."""
        pairs = list(zip(hypotheses, examples, strict=True))
        write_text(directory / "predictions.conllu", "".join(example.conllu(tags) for tags, example in pairs))
        rows = ({"words": example.words, "tags": example.tags, "predictions": tags} for tags, example in pairs)
        write_json_lines(directory / "predictions.jsonl", rows)
        _, said, expected = flat(hypotheses, examples)
        confusion_matrix(said, expected, directory / "confusion_matrix.png")


def flat(hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]) -> tuple[list[str], list[str], list[str]]:
    """All words, the tags said and the tags expected, sentence after sentence."""
    return (
        [word for example in examples for word in example.words],
        list(chain.from_iterable(hypotheses)),
        [tag for example in examples for tag in example.tags],
    )


def share(marks: Sequence[bool]) -> float:
    return sum(marks) / len(marks)
