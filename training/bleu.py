"""Scores of translations by sacreBLEU, each with the signature that says how it was computed."""

from collections.abc import Sequence
from importlib.util import find_spec
from statistics import median
from typing import Any

from data.errors import InputError
from training.words import script_share

AUTOMATIC = "auto"
SAMPLE = 2000  # references by which a tokenization is chosen
SHORTEST = 4  # words that most references must have for BLEU, which counts 4-grams, to be computed on words
OFFLINE = ("none", "zh", "13a", "intl", "char", "ja-mecab", "ko-mecab")  # the others download a model


def choose_tokenization(references: Sequence[str]) -> str:
    """The sacreBLEU tokenization that suits the script and the length of the references.

    Chinese: ``zh``. Japanese: ``ja-mecab`` where MeCab is installed, else ``char``. Korean, Thai, Lao, Khmer and
    Burmese: ``char``. References most of which are too short for 4-grams of words: ``char``. All others: ``13a``.
    """
    sample = references[:SAMPLE]
    text = "\n".join(sample)
    if script_share(text, "Han", "Hiragana", "Katakana") > 0.5:
        if script_share(text, "Hiragana", "Katakana") < 0.05:
            return "zh"
        return "ja-mecab" if find_spec("MeCab") and find_spec("ipadic") else "char"
    if script_share(text, "Hangul", "Thai", "Lao", "Khmer", "Myanmar") > 0.5:
        return "char"
    tokens = [len(tokens_13a(reference)) for reference in sample]
    return "char" if tokens and median(tokens) < SHORTEST else "13a"


def tokens_13a(text: str) -> list[str]:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    return str(Tokenizer13a()(text)).split()  # type: ignore[no-untyped-call]


def check_tokenization(name: str) -> None:
    """Raise InputError for a tokenization that sacreBLEU does not have, or cannot have without a download."""
    if name not in (AUTOMATIC, *OFFLINE):
        raise InputError(f"evaluation.tokenize={name}: choose one of {', '.join((AUTOMATIC, *OFFLINE))}.")
    module = {"ja-mecab": "MeCab", "ko-mecab": "mecab_ko"}.get(name)
    if module is not None and not find_spec(module):
        extra = name.partition("-")[0]
        raise InputError(f"evaluation.tokenize={name} needs MeCab: pip install 'sacrebleu[{extra}]', or choose char.")


def translation_scores(hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> dict[str, Any]:
    """BLEU (mixed case), BLEU of lower-cased text, and chrF2++: 0 to 100, on plain text, one reference each.

    ``length_ratio`` is the number of tokens of all translations over that of their references, as BLEU counts them.

    Args:
        hypotheses, references: the translations, and what each is compared with.
        tokenize: sacreBLEU's tokenization for BLEU; chrF needs none. Text that is tokenized already is accepted.

    Raises:
        ValueError: the lists do not fit together, which sacreBLEU would not report.
    """
    check(hypotheses, references)
    from sacrebleu.metrics import BLEU, CHRF  # type: ignore[attr-defined]

    metrics = {
        "bleu": BLEU(tokenize=tokenize, force=True),
        "bleu_lowercase": BLEU(tokenize=tokenize, lowercase=True, force=True),
        "chrf": CHRF(word_order=2),
    }
    scores = {name: metric.corpus_score(hypotheses, [references]) for name, metric in metrics.items()}
    return {
        **{name: score.score for name, score in scores.items()},
        "length_ratio": scores["bleu"].sys_len / scores["bleu"].ref_len,
        "signatures": {name: str(metric.get_signature()) for name, metric in metrics.items()},
    }


def bleu_by(
    groups: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    order: Sequence[str],
    tokenize: str = "13a",
) -> dict[str, dict[str, float]]:
    """BLEU and count of every group that occurs, in the given order."""
    check(hypotheses, references)
    from sacrebleu.metrics import BLEU  # type: ignore[attr-defined]

    by_group: dict[str, list[int]] = {group: [] for group in order}
    for row, group in enumerate(groups):
        by_group[group].append(row)
    bleu = BLEU(tokenize=tokenize, force=True)
    return {
        group: {
            "bleu": bleu.corpus_score([hypotheses[row] for row in rows], [[references[row] for row in rows]]).score,
            "count": len(rows),
        }
        for group, rows in by_group.items()
        if rows
    }


def check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raise ValueError where two lists are not translations and their references."""
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} translations cannot be scored against {len(references)} references.")
    if not references:
        raise ValueError("There is no translation to score.")
    for kind, texts in (("translation", hypotheses), ("reference", references)):
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str):
                raise ValueError(f"{kind} {number} is not text but of type {type(text).__name__}.")
            if kind == "reference" and not text.strip():
                raise ValueError(f"reference {number} is empty: no translation can be compared with it.")
