"""How tagging is scored, and what is written into the run folder."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import eq
from pathlib import Path
from typing import Any

from data.tagging import TaggedSentence
from data.writing import write_json_lines, write_text
from training.evaluation import Evaluation, Scores
from training.intervals import accuracy_interval
from training.metrics import (
    LENGTHS,
    accuracy_by,
    classification_scores,
    fraction,
    interval,
    intervals,
    label_scores,
    unseen_counts,
)
from training.plots import confusion_matrix

Tags = Sequence[str]


class TaggingEvaluation(Evaluation):
    """Accuracy by word and by sentence, F1, and accuracy on known words, on unknown words and by length."""

    hub_task = "token-classification"

    def fit(self, train: Sequence[TaggedSentence]) -> None:
        """Note which words and tags are known."""
        self.words = {word for sentence in train for word in sentence.words}
        self.tags = {tag for sentence in train for tag in sentence.tags}

    def score(self, hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]) -> dict[str, Any]:
        words, predicted, references = flat(hypotheses, examples)
        correct = [a == b for a, b in zip(predicted, references, strict=True)]
        sentences = [tuple(tags) == example.tags for tags, example in zip(hypotheses, examples, strict=True)]
        lengths = [interval(len(example.words), LENGTHS) for example in examples for _ in example.words]
        unseen = unseen_counts(self.tags, references)
        return {
            **classification_scores(predicted, references),
            "sentence_accuracy": fraction(sentences),
            **self.by_known(words, correct),
            **({"unseen_labels": unseen} if unseen else {}),
            "by_length": accuracy_by(lengths, correct, intervals(LENGTHS)),
        }

    def intervals(
        self, hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]
    ) -> dict[str, tuple[float, float]]:
        correct = [sum(map(eq, tags, example.tags)) for tags, example in zip(hypotheses, examples, strict=True)]
        return {"accuracy": accuracy_interval(correct, [len(example.tags) for example in examples])}

    def by_known(self, words: Sequence[str], correct: Sequence[bool]) -> dict[str, float]:
        """Accuracy on words that the training split has and on those it does not have, where there are any."""
        known = [word in self.words for word in words]
        groups = accuracy_by(["known" if is_known else "unknown" for is_known in known], correct, ["known", "unknown"])
        scores = {f"accuracy_{group}": entry["accuracy"] for group, entry in groups.items()}
        return {**scores, "unknown_share": fraction([not is_known for is_known in known])}

    def baselines(
        self, train: Sequence[TaggedSentence], splits: Mapping[str, Sequence[TaggedSentence]]
    ) -> dict[str, dict[str, Scores]]:
        """Chance, the most frequent tag of every word, and a linear model of a word and its neighbours."""
        from tasks.tagging.baselines import fitted_taggers  # imports scikit-learn, which takes a second

        taggers, chance = fitted_taggers(train), {"accuracy": 1 / len({tag for s in train for tag in s.tags})}
        return {
            split: {"chance": chance} | {name: tagger_scores(tagger, examples) for name, tagger in taggers.items()}
            for split, examples in splits.items()
        }

    def write(self, directory: Path, hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]) -> None:
        """``predictions.conllu``, ``predictions.jsonl`` and ``confusion_matrix.png``."""
        pairs = list(zip(hypotheses, examples, strict=True))
        write_text(directory / "predictions.conllu", "".join(example.conllu(tags) for tags, example in pairs))
        rows = ({"words": example.words, "tags": example.tags, "predictions": tags} for tags, example in pairs)
        write_json_lines(directory / "predictions.jsonl", rows)
        _, predicted, references = flat(hypotheses, examples)
        confusion_matrix(predicted, references, directory / "confusion_matrix.png")


def flat(hypotheses: Sequence[Tags], examples: Sequence[TaggedSentence]) -> tuple[list[str], list[str], list[str]]:
    """All words, predicted tags and reference tags, sentence after sentence."""
    return (
        [word for example in examples for word in example.words],
        list(chain.from_iterable(hypotheses)),
        [tag for example in examples for tag in example.tags],
    )


def tagger_scores(
    tagger: Callable[[Sequence[TaggedSentence]], list[str]], examples: Sequence[TaggedSentence]
) -> Scores:
    """Accuracy and macro-averaged F1 of a baseline."""
    return label_scores(tagger(examples), [tag for example in examples for tag in example.tags])
