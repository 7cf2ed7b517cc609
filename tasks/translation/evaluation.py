"""How translation is scored, and what it leaves in the run folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data.translation import SentencePair, Translation
from data.writing import write_json_lines, write_text
from training.bleu import bleu_by, translation_scores
from training.evaluation import Evaluation
from training.metrics import interval, intervals
from training.plots import attention_map

LENGTHS = (8, 11, 14, 17, 20, 25, 30, 40)  # words of a source sentence


class TranslationEvaluation(Evaluation):
    """BLEU and chrF2++ on plain text, and BLEU by the source's length in words.

    Args:
        attention_maps: for how many sentences there are pictures of attention.
        max_pieces: only of sentences of at most so many pieces, which can be read in a picture.
    """

    def __init__(self, attention_maps: int, max_pieces: int) -> None:
        self.attention_maps, self.max_pieces = attention_maps, max_pieces

    def score(self, hypotheses: Sequence[Translation], examples: Sequence[SentencePair]) -> dict[str, Any]:
        said = [hypothesis.text for hypothesis in hypotheses]
        expected = [example.target for example in examples]
        lengths = [interval(len(example.source.split()), LENGTHS) for example in examples]
        by_length = bleu_by(lengths, said, expected, intervals(LENGTHS))
        return translation_scores(said, expected) | {"by_length": by_length}

    def write(self, directory: Path, hypotheses: Sequence[Translation], examples: Sequence[SentencePair]) -> None:
        """``hypotheses.txt``, ``references.txt``, ``sources.txt``, ``predictions.jsonl`` and ``attention_<n>.png``."""
        write_lines(directory / "hypotheses.txt", (hypothesis.text for hypothesis in hypotheses))
        write_lines(directory / "references.txt", (example.target for example in examples))
        write_lines(directory / "sources.txt", (example.source for example in examples))
        rows = (
            {
                "source": example.source,
                "reference": example.target,
                "prediction": said.text,
                "n_best": [{"translation": text, "score": score} for text, score in said.alternatives],
            }
            for said, example in zip(hypotheses, examples, strict=True)
        )
        write_json_lines(directory / "predictions.jsonl", rows)
        for number, said in enumerate(self.pictured(hypotheses), start=1):
            path = directory / f"attention_{number}.png"
            attention_map(said.attention, said.source_pieces, said.target_pieces, path)

    def pictured(self, hypotheses: Sequence[Translation]) -> list[Translation]:
        """The first few that have attention and fit into a picture."""
        fit = [said for said in hypotheses if len(said.source_pieces) <= self.max_pieces and any(said.attention)]
        return fit[: self.attention_maps]


def write_lines(path: Path, texts: Iterable[str]) -> None:
    """One text a line, whatever line breaks are in it."""
    write_text(path, "".join(" ".join(text.split()) + "\n" for text in texts))
