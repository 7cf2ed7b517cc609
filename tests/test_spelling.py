"""Classifiers that read the spelling of words: words that training never showed differ by their characters."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import options, save_run
from omegaconf import DictConfig

from data.classification import ClassificationCodec, LabelledText
from data.errors import InputError
from data.spelling import Spelling
from data.stored import read_encoded, write_encoded
from data.tokenizers import WordTokenizer
from data.vocabulary import BOS, EOS, PAD, UNK
from tasks import load
from training.build import build

TEXTS = ["the plot is dull", "the cast is superb , the plot superb", "dull"]
SPELLED = ["codec.max_characters=18"]


@pytest.fixture
def codec() -> ClassificationCodec:
    made = ClassificationCodec(WordTokenizer(True, True), 1, None, 4, "both", max_characters=6)
    made.fit([LabelledText(text, "yn"[number % 2]) for number, text in enumerate(TEXTS)])
    return made


def test_a_batch_has_the_characters_of_every_kept_word(codec: ClassificationCodec) -> None:
    texts = [*TEXTS, "", "unheard"]
    encoded = codec.encode([LabelledText(text, "y") for text in texts])
    batch = encoded.batch(np.arange(len(texts)))
    kept = [["the", "plot", "is", "dull"], ["the", "cast", "plot", "superb"], ["dull"], [""], ["unheard"]]
    assert encoded.num_cut == 1 and encoded.lengths.tolist() == [4, 4, 1, 1, 1]
    assert batch.tokens[3, 0] == batch.tokens[4, 0] == UNK and batch.tokens[2, 1] == PAD
    for row, words in enumerate(kept):
        assert batch.tokens[row][batch.mask[row]].tolist() == codec.encode_text(texts[row])
        for column, word in enumerate(words):
            kind = batch.word_types[row, column]
            assert batch.characters[kind][batch.character_mask[kind]].tolist() == codec.spelling.encode(word)
    assert len(batch.characters) == len({word for words in kept for word in words}) + 1  # each once, and padding
    assert not batch.character_mask[batch.word_types[2, 1]].any()
    assert batch.target_mask.tolist() == [True] * 5 and batch.target_mask.dtype == torch.bool
    assert encoded.embedded.pad(np.arange(1, 2))[0].tolist() == batch.tokens[1:2].tolist()


@pytest.mark.parametrize("most, kept", [(1, "a"), (2, "af"), (3, "abf"), (5, "abcef"), (6, "abcdef"), (7, "abcdef")])
def test_long_words_keep_their_ends_and_one_more_at_the_start(most: int, kept: str) -> None:
    spelling = Spelling(most)
    spelling.fit(["abcdef", "fedcba"])
    ids = spelling.encode("abcdef")
    assert (ids[0], ids[-1]) == (BOS, EOS) and "".join(spelling.characters.decode(ids[1:-1])) == kept
    rows = spelling.encode_all(["abcdef", "a"])
    assert rows.lengths.tolist() == [0, len(kept) + 2, 3]
    with pytest.raises(InputError) as error:
        Spelling(1 - most)
    assert str(error.value) == f"codec.max_characters is at least 1, not {1 - most}."


def test_a_codec_that_spells_is_saved_with_its_characters(codec: ClassificationCodec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    again = ClassificationCodec(WordTokenizer(True, True), 1, None, 4, "both", max_characters=6)
    again.load(tmp_path)
    assert again.sizes == codec.sizes and again.spelling.encode("superb") == codec.spelling.encode("superb")


def test_characters_count_once_per_word_and_are_saved(tmp_path: Path) -> None:
    spelling = Spelling(9)
    spelling.fit(["aab", "cca", "dc"])
    assert sorted(spelling.characters.symbols[4:]) == ["a", "c"]
    spelling.save(tmp_path)
    again = Spelling(9)
    again.load(tmp_path)
    assert again.encode("abc") == spelling.encode("abc") and (tmp_path / "characters.json").is_file()


def test_ids_and_characters_are_stored(codec: ClassificationCodec, tmp_path: Path) -> None:
    encoded = codec.encode([LabelledText(text, "n") for text in TEXTS])
    write_encoded(tmp_path, encoded)
    wanted, got = (split.batch(np.array([2, 0])) for split in (encoded, read_encoded(tmp_path, codec.encoded_type)))
    for name in ("tokens", "mask", "targets", "word_types", "characters", "character_mask"):
        assert torch.equal(getattr(wanted, name), getattr(got, name))


READ_LETTERS = [name for name in options("characters") if name not in ("none", "shape")]


@pytest.mark.parametrize("characters", READ_LETTERS)
def test_unknown_words_differ_by_their_spelling(tmp_path: Path, characters: str) -> None:
    known = dict.fromkeys(("likeable", "unlikeable"))
    for name, parts in {"words": [], "spelled": [f"characters={characters}", *SPELLED]}.items():
        save_run("sentiment", tmp_path / name, *parts)
        predictor = load(tmp_path / name, device="cpu")
        known[name] = [answer.score for answer in predictor.predict(["a xqzlikeable film", "a xqzdreadful film"])]
    assert known["words"][0] == known["words"][1] and known["spelled"][0] != known["spelled"][1]


def test_a_spelled_classifier_trains_and_answers(launch: Callable[..., Path], files: list[str]) -> None:
    folder = launch("sentiment", *files, "characters=ngrams", *SPELLED, "model.embedding_size=8")
    assert (folder / "characters.json").is_file()
    (answer,) = load(folder, device="cpu").predict(["a good film"])
    assert answer.prediction in ("good", "bad")


def test_spelling_needs_a_codec_that_has_it(composed: Callable[..., DictConfig]) -> None:
    model = composed("sentiment", "characters=ngrams").model
    with pytest.raises(InputError, match=r"set codec\.max_characters, for example to 18"):
        build(model, vocab_size=9, num_labels=2)
