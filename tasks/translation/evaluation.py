"""How translation is scored, and what is written into the run folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.translation import SentencePair, Translation
from data.writing import write_json_lines, write_text
from training.bleu import AUTOMATIC, SAMPLE, bleu_by, check_tokenization, choose_tokenization, translation_scores
from training.evaluation import Evaluation, Scores
from training.intervals import bleu_interval
from training.metrics import interval, intervals
from training.plots import attention_map
from training.words import number_of_words

LENGTHS = (8, 11, 14, 17, 20, 25, 30, 40)  # words of a source sentence


class TranslationEvaluation(Evaluation):
    """BLEU and chrF2++ on plain text, and BLEU by the length of the source in words.

    Args:
        attention_maps: the number of sentences whose attention is drawn.
        max_pieces: the maximum number of pieces of such a sentence.
        tokenize: sacreBLEU's tokenization for BLEU; null or ``auto`` for the one that suits the script of the targets.
    """

    tie_breakers = ("chrf",)
    hub_task = "translation"

    def __init__(self, attention_maps: int, max_pieces: int, tokenize: str | None = None) -> None:
        self.attention_maps, self.max_pieces = attention_maps, max_pieces
        self.tokenize = tokenize or AUTOMATIC
        check_tokenization(self.tokenize)
        self.tokenization = "13a" if self.tokenize == AUTOMATIC else self.tokenize

    def fit(self, train: Sequence[SentencePair]) -> None:
        """Choose the tokenization by the training targets, so that all splits have the same."""
        if self.tokenize == AUTOMATIC:
            self.tokenization = choose_tokenization([example.target for example in train[:SAMPLE]])

    def score(self, hypotheses: Sequence[Translation], examples: Sequence[SentencePair]) -> dict[str, Any]:
        translations = [hypothesis.text for hypothesis in hypotheses]
        references = [example.target for example in examples]
        lengths = [interval(number_of_words(example.source), LENGTHS) for example in examples]
        by_length = bleu_by(lengths, translations, references, intervals(LENGTHS), self.tokenization)
        return translation_scores(translations, references, self.tokenization) | {"by_length": by_length}

    def intervals(
        self, hypotheses: Sequence[Translation], examples: Sequence[SentencePair]
    ) -> dict[str, tuple[float, float]]:
        texts = [hypothesis.text for hypothesis in hypotheses]
        return {"bleu": bleu_interval(texts, [example.target for example in examples], self.tokenization)}

    def baselines(
        self, train: Sequence[SentencePair], splits: Mapping[str, Sequence[SentencePair]]
    ) -> dict[str, dict[str, Scores]]:
        """Copying the source, and a word-by-word dictionary."""
        from tasks.translation.baselines import WordDictionary

        translators: dict[str, Callable[[str], str]] = {
            "copy": str,
            "word_by_word": WordDictionary(example.content() for example in train),
        }
        return {
            split: {
                name: self.numbers([translate(example.source) for example in examples], examples)
                for name, translate in translators.items()
            }
            for split, examples in splits.items()
        }

    def numbers(self, translations: Sequence[str], examples: Sequence[SentencePair]) -> Scores:
        """BLEU and chrF2++ alone."""
        scores = translation_scores(translations, [example.target for example in examples], self.tokenization)
        return {name: score for name, score in scores.items() if name not in ("length_ratio", "signatures")}

    def baseline_options(self) -> str:
        return self.tokenization

    def write(self, directory: Path, hypotheses: Sequence[Translation], examples: Sequence[SentencePair]) -> None:
        """``hypotheses.txt``, ``references.txt``, ``sources.txt``, ``predictions.jsonl`` and ``attention_<n>.png``."""
        write_lines(directory / "hypotheses.txt", (hypothesis.text for hypothesis in hypotheses))
        write_lines(directory / "references.txt", (example.target for example in examples))
        write_lines(directory / "sources.txt", (example.source for example in examples))
        rows = (
            {
                "source": example.source,
                "reference": example.target,
                "prediction": hypothesis.text,
                "n_best": [{"translation": text, "score": score} for text, score in hypothesis.alternatives],
            }
            for hypothesis, example in zip(hypotheses, examples, strict=True)
        )
        write_json_lines(directory / "predictions.jsonl", rows)
        for number, hypothesis in enumerate(self.drawn(hypotheses), start=1):
            path = directory / f"attention_{number}.png"
            attention_map(hypothesis.attention, hypothesis.source_pieces, hypothesis.target_pieces, path)

    def drawn(self, hypotheses: Sequence[Translation]) -> list[Translation]:
        """The first hypotheses that have attention and fit into a figure."""
        fit = [one for one in hypotheses if len(one.source_pieces) <= self.max_pieces and any(one.attention)]
        return fit[: self.attention_maps]


def write_lines(path: Path, texts: Iterable[str]) -> None:
    """One text per line, whatever line breaks are in it."""
    write_text(path, "".join(" ".join(text.split()) + "\n" for text in texts))
