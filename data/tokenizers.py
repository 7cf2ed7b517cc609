"""Text <-> pieces: words, characters, SentencePiece."""

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import regex

from data.errors import InputError, first_line, shorten
from data.writing import write_with

LONGEST_WORD = 10_000  # characters
MOST_TEXTS = 500_000  # that SentencePiece learns from: it needs about 1 GB of memory for 1,000,000 short sentences
SAMPLED_TOGETHER = 10_000  # texts

WORDS = r"""
    LETTER+(?=n['’]t\b)                                # the verb of don't, isn't
    | n['’]t\b                                         # and its negation
    | ['’](?:s|m|d|ll|re|ve)\b                         # clitics
    | LETTER+(?:[-.,/&\u200c\u200d]LETTER+)*            # words, numbers, compounds; zero-width joiners inside
    | \.{2,} | -{2,}                                   # dots and dashes
    | (?![\s\x1c-\x1f])OTHER                           # any other character, with its combining marks
"""
WORD = regex.compile(
    WORDS.replace("LETTER", r"[\w\p{M}\p{N}]").replace("OTHER", r"\X"), regex.VERBOSE | regex.IGNORECASE
)
ASCII_WORD = re.compile(
    WORDS.replace("LETTER", r"\w").replace("OTHER", "."), re.VERBOSE | re.IGNORECASE
)  # the same, faster


class Texts(Iterable[str]):
    """Texts that can be iterated over any number of times, without being in memory together.

    Args:
        read: gives an iterator over all of them.
    """

    def __init__(self, read: Callable[[], Iterator[str]]) -> None:
        self.read = read

    def __iter__(self) -> Iterator[str]:
        return self.read()


class Tokenizer(ABC):
    """Text <-> pieces. ``fit`` learns from the training text; ``save`` writes what it learned beside the model."""

    notes: Sequence[str] = ()  # what the user should know about the last ``fit``

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the pieces, for tokenizers that learn any."""

    @property
    def inventory(self) -> list[str]:
        """All the pieces that ``fit`` learned, used so far or not."""
        return []

    @abstractmethod
    def split(self, text: str) -> list[str]: ...

    @abstractmethod
    def join(self, pieces: list[str]) -> str: ...

    def sample(self, texts: Iterable[str], alpha: float, nbest: int, seed: int) -> Iterator[list[str]]:
        """One segmentation of each text in turn, sampled with a seed."""
        raise InputError(
            f"codec.sampling_alpha={alpha:g}: {type(self).__name__} has one segmentation per text, and only sub-words "
            f"can be sampled: set it to null, or choose tokenizer=sentencepiece."
        )

    def save(self, directory: Path) -> None:
        """Write what ``fit`` learned into a run folder."""

    def load(self, directory: Path) -> None:
        """Read what ``save`` wrote."""


class WordTokenizer(Tokenizer):
    """Words and punctuation marks.

    Args:
        lowercase: convert the text to lower case.
        pretokenized: words and punctuation are separated by spaces already, as in SST and in treebanks.
    """

    def __init__(self, lowercase: bool, pretokenized: bool) -> None:
        self.lowercase, self.pretokenized = lowercase, pretokenized

    def split(self, text: str) -> list[str]:
        text = text.lower() if self.lowercase else text
        if self.pretokenized:
            return text.split()
        return ASCII_WORD.findall(text) if text.isascii() else WORD.findall(text)

    def join(self, pieces: list[str]) -> str:
        return " ".join(pieces)


class CharacterTokenizer(Tokenizer):
    """Single characters, spaces included; runs of white space are one space."""

    def __init__(self, lowercase: bool) -> None:
        self.lowercase = lowercase

    def split(self, text: str) -> list[str]:
        return list(" ".join((text.lower() if self.lowercase else text).split()))

    def join(self, pieces: list[str]) -> str:
        return "".join(pieces)


def cut_long_words(text: str) -> list[str]:
    """The text in parts without very long words, which end the process when SentencePiece learns from them."""
    if len(text) <= LONGEST_WORD or max(map(len, text.split()), default=0) <= LONGEST_WORD:
        return [text]
    return [text[start : start + LONGEST_WORD] for start in range(0, len(text), LONGEST_WORD)]


def evenly_spaced(texts: Iterable[str], number: int, most: int) -> Iterator[str]:
    """``most`` of ``number`` texts, at equal distances; all of them where there are not more."""
    most = min(most, number)
    return (text for row, text in enumerate(texts) if (row + 1) * most // number > row * most // number)


class SentencePieceTokenizer(Tokenizer):
    """Sub-words learned from the training text (Kudo & Richardson, 2018), byte-identical from run to run.

    Of more than ``MOST_TEXTS`` texts, so many are learned from.

    Args:
        vocab_size: the number of pieces, SentencePiece's own unknown piece included.
        model_type: ``unigram`` (Kudo, 2018) or ``bpe`` (Sennrich et al., 2016).
        lowercase: convert the text to lower case.
    """

    file_name = "tokenizer.model"

    def __init__(self, vocab_size: int, model_type: str, lowercase: bool) -> None:
        if model_type not in ("unigram", "bpe"):
            raise InputError(f"codec.tokenizer.model_type is 'unigram' or 'bpe', not '{shorten(model_type)}'.")
        self.vocab_size, self.model_type, self.lowercase = vocab_size, model_type, lowercase

    def fit(self, texts: Iterable[str]) -> None:
        again = list(texts) if iter(texts) is texts else texts  # they are read several times
        folded = Texts(lambda: (part for text in map(self.fold, again) for part in cut_long_words(text)))
        number = sum(1 for _ in folded)
        self.notes = []
        if number > MOST_TEXTS:
            self.notes += [f"SentencePiece learned from {MOST_TEXTS:,} of {number:,} texts, evenly spaced."]
        chosen = Texts(lambda: evenly_spaced(folded, number, MOST_TEXTS))
        try:
            model = self.train(chosen, self.vocab_size)
        except RuntimeError as error:
            found = re.search(r"Vocabulary size too high.*?<= (\d+)", str(error))
            if found is None:
                raise InputError(self.explain(str(error))) from error
            self.notes += [
                f"The training text has fewer than codec.tokenizer.vocab_size={self.vocab_size} pieces: SentencePiece "
                f"learned {found.group(1)}."
            ]
            model = self.train(chosen, int(found.group(1)))
        self.load_model(model)

    def fold(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    def train(self, texts: Iterable[str], vocab_size: int) -> bytes:
        """The SentencePiece model of a text, with this number of pieces."""
        import sentencepiece

        normalizer = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc")
        if not any(normalizer.normalize(text).strip() for text in texts):  # would end the process
            raise InputError("The training text has no visible characters: SentencePiece can learn no pieces from it.")
        model = io.BytesIO()
        longest = max((len(text.encode()) for text in texts), default=0)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=vocab_size,
            model_type=self.model_type,
            character_coverage=1.0,
            max_sentence_length=max(4192, longest),  # longer sentences would be ignored
            num_threads=1,  # the model depends on the number of threads
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
        return model.getvalue()

    def explain(self, error: str) -> str:
        """An error message of SentencePiece, with advice where the vocabulary size is too small."""
        if found := re.search(r"Vocabulary size is smaller than required_chars.*?(\d+) vs (\d+)", error):
            return (
                f"codec.tokenizer.vocab_size={self.vocab_size} is less than the number of distinct characters of the "
                f"training text: set it to more than {found.group(2)}."
            )
        return f"SentencePiece could not learn {self.vocab_size} pieces from the training text: {error}"

    def load_model(self, model: bytes) -> None:
        import sentencepiece

        if not model:
            raise InputError(f"{self.file_name} is empty: the run folder is damaged.")
        self.model = model
        try:
            self.processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise InputError(f"{self.file_name} is not a SentencePiece model: {first_line(error)}.") from None

    @property
    def inventory(self) -> list[str]:
        known = (index for index in range(len(self.processor)) if not self.processor.is_unknown(index))
        return [self.processor.id_to_piece(index) for index in known]

    def split(self, text: str) -> list[str]:
        return self.processor.encode(self.fold(text), out_type=str)

    def sample(self, texts: Iterable[str], alpha: float, nbest: int, seed: int) -> Iterator[list[str]]:
        """Sub-word regularisation (Kudo, 2018), or BPE-dropout for ``bpe`` (Provilkov et al., 2020).

        A unigram model samples from its ``nbest`` segmentations (-1 for all) by their probability to the power of
        ``alpha``; a bpe model drops each merge with probability ``alpha``.
        """
        import sentencepiece

        def sampled(some: list[str]) -> list[list[str]]:
            return [
                self.processor.encode(text, out_type=str, enable_sampling=True, alpha=alpha, nbest_size=nbest)
                for text in some
            ]

        folded = map(self.fold, texts)
        with ThreadPoolExecutor(1) as thread:  # a thread takes the seed at its first sample and never again
            sentencepiece.set_random_generator_seed(seed % 2**32)
            while some := list(islice(folded, SAMPLED_TOGETHER)):
                yield from thread.submit(sampled, some).result()

    def join(self, pieces: list[str]) -> str:
        return self.processor.decode(pieces)

    def save(self, directory: Path) -> None:
        write_with(directory / self.file_name, lambda beside: beside.write_bytes(self.model))

    def load(self, directory: Path) -> None:
        path = directory / self.file_name
        if not path.is_file():
            raise InputError(f"{path} is missing: the run folder is damaged.")
        self.load_model(path.read_bytes())
