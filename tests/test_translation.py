"""Translation from pairs to scores: sub-words, decoders, loss, evaluation, and whole runs."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SMALL, assert_learns, attending_decoders, options
from omegaconf import DictConfig, OmegaConf

from data.corpus import Corpus, DatasetReader
from data.errors import InputError
from data.tokenizers import CharacterTokenizer, SentencePieceTokenizer, WordTokenizer
from data.translation import Hypothesis, Prediction, SentencePair, Translation, TranslationCodec
from data.vocabulary import EOS
from tasks.translation.evaluation import TranslationEvaluation
from training.bleu import bleu_by, translation_scores
from training.build import build

WORDS = {
    "ein": "one",
    "zwei": "two",
    "drei": "three",
    "vier": "four",
    "rot": "red",
    "blau": "blue",
    "Übung": "practice",
}
WORDS |= {"Haus": "house", "Baum": "tree", "Garten": "garden", "gehen": "walk", "schlafen": "sleep", "jung": "young"}


def sentence(generator: random.Random) -> SentencePair:
    """A made-up language: the other words, back to front."""
    words = generator.choices(list(WORDS), k=generator.randint(1, 6))
    return SentencePair(" ".join(words), " ".join(WORDS[word] for word in reversed(words)))


def sentences(number: int, seed: int = 0) -> list[SentencePair]:
    generator = random.Random(seed)
    return [sentence(generator) for _ in range(number)]


@pytest.fixture
def parallel(tmp_path: Path) -> list[str]:
    """The overrides that read small files of pairs."""
    for seed, split in enumerate(("train", "validation", "test")):
        rows = sentences(60 if split == "train" else 20, seed)
        for side, language in enumerate(("de", "en")):
            (tmp_path / f"{split}.{language}").write_text("".join(pair[side] + "\n" for pair in rows))
    files = [f"data.{split}={tmp_path / split}" for split in ("train", "validation", "test")]
    return ["data=parallel", *files, "data.source=de", "data.target=en", *SIZES]


SIZES = ["codec.tokenizer.vocab_size=40", "model.decoder.hidden_size=16"]


def codec(model_type: str = "unigram", joint: bool = True, alpha: float | None = None, size: int = 40):
    return TranslationCodec(SentencePieceTokenizer(size, model_type, lowercase=False), joint, alpha, -1)


@pytest.mark.parametrize("joint", [True, False], ids=["joint", "separate"])
@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_pieces_are_the_same_bytes_twice_and_read_back(tmp_path: Path, model_type: str, joint: bool) -> None:
    folders = []
    for name in ("once", "again"):
        one = codec(model_type, joint, size=34)
        one.fit(sentences(200))
        (tmp_path / name).mkdir()
        one.save(tmp_path / name)
        folders.append({path.relative_to(tmp_path / name): path.read_bytes() for path in folder_files(tmp_path / name)})
    assert folders[0] == folders[1] and len(folders[0]) == (2 if joint else 4)
    loaded = codec(model_type, joint)
    loaded.load(tmp_path / "once")
    pairs = sentences(20, seed=5)
    assert np.array_equal(loaded.encode(pairs).source.values, one.encode(pairs).source.values)
    assert loaded.sizes == one.sizes
    for pair in pairs:
        assert one.target.decode_text(one.target.encode_text(pair.target)[:-1]) == pair.target


def folder_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def test_pieces_come_from_the_training_split_alone_and_separate_ones_from_their_side() -> None:
    one = codec("bpe", joint=False, size=40)
    one.fit(sentences(200))
    assert "Ü" in "".join(one.source.vocabulary.symbols) and "Ü" not in "".join(one.target.vocabulary.symbols)
    assert codec().source is not one.source and one.source is not one.target
    joint = codec("bpe")
    joint.fit(sentences(200))
    assert joint.sizes["source_vocab_size"] == joint.sizes["target_vocab_size"]


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_sampled_pieces_belong_to_the_seed_and_say_the_same(model_type: str) -> None:
    one, pairs = codec(model_type, alpha=0.3), sentences(100)
    one.fit(pairs)
    best = one.encode(pairs)
    epochs = [one.resample(best, pairs, seed) for seed in (1, 2, 1)]
    assert np.array_equal(epochs[0].source.values, epochs[2].source.values)
    assert np.array_equal(epochs[0].target.values, epochs[2].target.values)
    assert not np.array_equal(epochs[0].source.values, epochs[1].source.values)
    assert not np.array_equal(epochs[0].source.values, best.source.values)
    for row, pair in enumerate(pairs):
        ids = epochs[0].source.values[epochs[0].source.offsets[row] : epochs[0].source.offsets[row + 1]].tolist()
        assert ids[-1] == EOS and one.source.decode_text(ids[:-1]) == pair.source
    assert codec(model_type).resample(best, pairs, 1) is best


def test_pieces_are_sampled_as_widely_as_asked_for() -> None:
    texts = [pair.source for pair in sentences(100)]
    tokenizer = SentencePieceTokenizer(40, "unigram", lowercase=False)
    tokenizer.fit(texts)
    best = [tokenizer.split(text) for text in texts]

    def share(alpha: float, nbest: int) -> float:
        sampled = tokenizer.sample(texts, alpha, nbest, seed=1)
        return sum(one == other for one, other in zip(sampled, best, strict=True)) / len(texts)

    assert share(50.0, -1) > 0.9 and share(0.01, -1) < 0.3 < share(0.01, 2) < 0.7


def test_every_whole_number_is_a_seed_of_its_own() -> None:
    texts = [pair.source for pair in sentences(100)]
    tokenizer = SentencePieceTokenizer(40, "unigram", lowercase=False)
    tokenizer.fit(texts)
    drawn = [list(tokenizer.sample(texts, 0.1, -1, seed)) for seed in (-2, 0, 1, 2, 3, 2**33 - 3)]
    assert all(one != other for place, one in enumerate(drawn) for other in drawn[:place])


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_sampled_pieces_are_the_same_in_another_process(model_type: str) -> None:
    texts = [pair.source for pair in sentences(100)]
    tokenizer = SentencePieceTokenizer(40, model_type, lowercase=False)
    tokenizer.fit(texts)
    list(tokenizer.sample(texts, 0.3, -1, seed=2))  # what was drawn before is of no account
    script = f"""
import json, sys
from data.tokenizers import SentencePieceTokenizer
texts, tokenizer = json.load(sys.stdin), SentencePieceTokenizer(40, {model_type!r}, lowercase=False)
tokenizer.fit(texts)
json.dump(list(tokenizer.sample(texts, 0.3, -1, seed=1)), sys.stdout)
"""
    root = Path(__file__).parents[1]
    other = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=root
    )
    assert json.loads(other.stdout) == list(tokenizer.sample(texts, 0.3, -1, seed=1))


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_size_that_the_text_cannot_fill_is_lowered_to_the_largest_possible(model_type: str) -> None:
    lowered, exact = codec(model_type, size=9000), None
    lowered.fit(sentences(200))
    (note,) = lowered.notes
    assert "fewer than codec.tokenizer.vocab_size=9000 pieces" in note
    largest = int(note.rsplit(maxsplit=1)[1].rstrip("."))
    exact = codec(model_type, size=largest)
    exact.fit(sentences(200))
    assert exact.notes == [] and exact.sizes == lowered.sizes


def test_a_size_below_the_number_of_characters_is_an_error() -> None:
    with pytest.raises(
        InputError, match=r"vocab_size=9 is less than the number of distinct characters .* more than \d+"
    ):
        codec(size=9).fit(sentences(200))


@pytest.mark.parametrize("joint", [True, False])
def test_long_sides_are_cut_and_counted(joint: bool) -> None:
    one = TranslationCodec(CharacterTokenizer(lowercase=False), joint, None, -1, max_length=5)
    pairs = [SentencePair("abcd", "abcdefgh"), SentencePair("abcd", "abcd"), SentencePair("abcdef", "ab")]
    one.fit(pairs)
    encoded = one.encode(pairs)
    assert encoded.num_cut == 2
    assert encoded.lengths.tolist() == [[5, 5], [5, 5], [5, 3]]
    assert all(encoded.target.values[end - 1] == EOS for end in encoded.target.offsets[1:])
    assert one.target.decode_text(encoded.target.values[:4].tolist()) == "abcd"
    with pytest.raises(InputError, match=r"codec\.max_length=1: must be at least 2"):
        TranslationCodec(CharacterTokenizer(lowercase=False), joint, None, -1, max_length=1)


def words_codec(**given: Any) -> TranslationCodec:
    options = {"joint": False, "sampling_alpha": None, "sampling_nbest": -1} | given
    made = TranslationCodec(WordTokenizer(lowercase=True, pretokenized=True), **options)
    made.fit([SentencePair("a b c", "x y")])
    return made


def test_a_batch_has_both_sides_and_their_ends() -> None:
    one = words_codec()
    encoded = one.encode([SentencePair("a c", "y"), SentencePair("", "x y z")])
    batch = encoded.batch(np.array([1, 0]))
    sides = ((one.source, batch.tokens, batch.mask), (one.target, batch.targets, batch.target_mask))
    texts = [
        [language.vocabulary.decode(ids[keep].tolist()) for ids, keep in zip(*side, strict=True)]
        for language, *side in sides
    ]
    assert texts == [[["</s>"], ["a", "c", "</s>"]], [["x", "y", "<unk>", "</s>"], ["y", "</s>"]]]
    assert batch.rows.tolist() == [1, 0] and encoded.lengths.tolist() == [[3, 2], [1, 4]]
    assert encoded.embedded is encoded.source and encoded.num_cut == 0
    assert one.sizes == {"source_vocab_size": 7, "target_vocab_size": 6}
    assert one.unlabelled("a b") == ("a b", "") and SentencePair("a", "b").stratum() is None


def test_languages_share_their_pieces_or_have_their_own(tmp_path: Path) -> None:
    joint, apart = words_codec(joint=True), words_codec()
    assert joint.source.vocabulary.symbols[4:] == [*"abcxy"] and joint.source is joint.target
    assert apart.source.vocabulary.symbols[4:] == [*"abc"] and apart.target.vocabulary.symbols[4:] == [*"xy"]
    assert apart.source.tokenizer is not apart.target.tokenizer
    for one, folders in ((joint, {"pieces"}), (apart, {"source_pieces", "target_pieces"})):
        folder = tmp_path / str(len(folders))
        folder.mkdir()
        for _ in range(2):  # also over what is there
            one.save(folder)
        assert {path.name for path in folder.iterdir()} == folders
        again = TranslationCodec(WordTokenizer(True, True), len(folders) == 1, None, -1)
        again.load(folder)
        assert again.sizes == one.sizes and again.target.vocabulary.symbols == one.target.vocabulary.symbols


def test_equal_texts_of_hypotheses_are_one_with_the_best_score() -> None:
    one = words_codec()
    x, y = one.target.vocabulary.encode("xy")
    nbest = [Hypothesis([x, y], -1.0), Hypothesis([y], -2.0), Hypothesis([x, y], -3.0)]
    prediction = Prediction(one.source.encode_text("a c"), nbest, [[0.5, 0.25]])
    assert one.decode([prediction]) == [
        Translation("x y", [("x y", -1.0), ("y", -2.0)], ["a", "c", "</s>"], ["x", "y", "</s>"], [[0.5, 0.25]])
    ]
    assert one.source.decode_text([]) == ""


def test_sides_are_cut_to_the_smaller_bound() -> None:
    pairs = [SentencePair("a b c", "x y"), SentencePair("a", "x y y y"), SentencePair("a b", "x")]
    one = words_codec(max_length=4)
    assert one.encode(pairs).num_cut == 1 and one.encode(pairs).lengths.tolist() == [[4, 3], [2, 4], [3, 2]]
    one = words_codec(joint=True)
    assert one.encode(pairs).num_cut == 0
    one.limit_length(3)
    encoded = one.encode(pairs)
    assert one.max_length == 3 and encoded.num_cut == 2 and encoded.lengths.tolist() == [[3, 3], [2, 3], [3, 2]]
    assert one.source.encode_text("a b c")[-1] == EOS
    for length in (1, 0):
        with pytest.raises(InputError) as error:
            words_codec(max_length=length)
        assert str(error.value) == f"codec.max_length={length}: must be at least 2, or null for no limit."
    assert words_codec(max_length=2).encode(pairs).lengths.tolist() == [[2, 2], [2, 2], [2, 2]]


def test_samples_are_asked_for_with_the_options_and_a_seed_of_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def sample(self: WordTokenizer, texts: Any, alpha: float, nbest: int, seed: int) -> Iterator[list[str]]:
        asked.append((list(texts), alpha, nbest, seed))
        return iter([["b"]])

    monkeypatch.setattr(WordTokenizer, "sample", sample)
    pairs = [SentencePair("a b", "x")]
    one = words_codec(sampling_alpha=0.25, sampling_nbest=7)
    encoded = replace(one.encode(pairs), num_cut=5)
    found = one.resample(encoded, pairs, 3)
    assert asked == [(["a b"], 0.25, 7, 3), (["x"], 0.25, 7, 4)]
    assert one.source.vocabulary.decode(found.source.values) == ["b", "</s>"] and found.num_cut == 5
    assert one.target.vocabulary.decode(found.target.values) == ["<unk>", "</s>"]


def test_only_subwords_can_be_sampled() -> None:
    one = TranslationCodec(CharacterTokenizer(lowercase=False), True, 0.1, -1)
    one.fit(sentences(5))
    with pytest.raises(InputError, match=r"sampling_alpha=0\.1: CharacterTokenizer .*only sub-words can be sampled"):
        one.resample(one.encode(sentences(5)), sentences(5), 1)


def test_both_sides_count_against_the_size_of_a_batch() -> None:
    one, pairs = codec(), sentences(300)
    one.fit(pairs)
    corpus = Corpus(Pairs(), one)
    seen = []
    for batch in corpus.splits["train"].shuffled(200, 50, seed=1):
        assert batch.num_positions <= 200 and len(batch.rows) <= 50
        assert batch.num_tokens == int(batch.mask.sum() + batch.target_mask.sum())
        assert all(row[mask][-1] == EOS for row, mask in zip(batch.targets, batch.target_mask, strict=True))
        seen += batch.rows.tolist()
    assert sorted(seen) == list(range(len(corpus.splits["train"])))


class Pairs(DatasetReader):
    """Sentence pairs without files."""

    name, example_type = "pairs", SentencePair

    def read_split(self, split: str) -> list[SentencePair]:
        return sentences(300 if split == "train" else 30, seed=len(split))

    def origin(self) -> dict[str, None]:
        return {"source": None, "revision": None}


SEPARATE = "codec.joint=false codec.tokenizer.vocab_size=34"
PARTS = [f"decoder=bahdanau cell={cell}" for cell in options("cell")]  # step by step
PARTS += [f"decoder=luong cell={cell}" for cell in options("cell")]  # one scan
PARTS += [
    f"decoder={name} attention={attention}" for name in attending_decoders() for attention in options("attention")
]
PARTS += [f"decoder={decoder} model.decoder.num_layers=2" for decoder in options("decoder")]
PARTS += [f"bridge={bridge}" for bridge in options("bridge")]
PARTS += [SEPARATE, "model.tied_output=false", "model.encoder.skip=true"]


@cache
def corpus_of(codec_config: str) -> Corpus:
    return Corpus(Pairs(), build(OmegaConf.create(codec_config)))


@pytest.fixture
def translator(composed: Callable[..., DictConfig]) -> Iterator[Callable]:
    """``translator(*overrides)``: (model, corpus), small and made in here."""

    def make(*overrides: str):
        cfg = composed("translation", *SMALL, *SIZES, *overrides)
        corpus = corpus_of(OmegaConf.to_yaml(cfg.codec, resolve=True))
        torch.manual_seed(0)
        return build(cfg.model, **corpus.sizes), corpus

    yield make


@pytest.mark.parametrize("overrides", PARTS)
def test_every_part_learns_from_a_batch(translator: Callable, overrides: str) -> None:
    model, corpus = translator(*overrides.split(), *NO_DROPOUT)
    batch = next(iter(corpus.splits["train"].shuffled(400, 16, seed=0)))
    assert_learns(model, batch, steps=12)
    model.eval()
    for predict in (model.predict, model.predict_greedy):
        assert len(corpus.codec.decode(predict(batch))) == len(batch.rows)


NO_DROPOUT = ["model.dropout=0", "model.decoder.dropout=0", "model.decoder.output_dropout=0"]


STEPPED = [f"decoder=luong cell={cell}" for cell in options("cell")]
STEPPED += [f"decoder={decoder} cell=lstm" for decoder in options("decoder")]


@pytest.mark.parametrize("parts", STEPPED)
def test_single_steps_equal_the_whole_sentence(translator: Callable, parts: str) -> None:
    model, corpus = translator(*parts.split(), "model.decoder.num_layers=2")
    model.eval()
    batch = corpus.splits["test"].encoded.batch(np.arange(12))
    memory, state = model.encode(batch)
    features, _ = model.generator(batch.targets, batch.target_mask, memory, state)
    whole = model.generator.output(features).log_softmax(dim=-1)
    token = torch.full_like(batch.targets[:, 0], model.generator.bos_id)
    for position in range(batch.targets.shape[1]):
        stepped, state = model.generator.step(token, memory, state)
        token, scored = batch.targets[:, position], batch.target_mask[:, position]
        likely = stepped.isfinite()
        assert torch.allclose(stepped[scored][likely[scored]], whole[scored, position][likely[scored]], atol=1e-4)
        assert torch.equal(~likely.all(dim=0), torch.isin(torch.arange(whole.shape[-1]), torch.tensor([0, 1, 2])))


@pytest.mark.parametrize("decoder", options("decoder"))
def test_a_sentence_is_read_and_translated_the_same_in_any_batch(translator: Callable, decoder: str) -> None:
    model, corpus = translator(f"decoder={decoder}")
    model.eval()
    encoded = corpus.splits["test"].encoded
    together = encoded.batch(np.arange(12))
    alone = [encoded.batch(np.array([row])) for row in range(12)]
    torch.testing.assert_close(model.loss(together).total, sum(model.loss(batch).total for batch in alone))
    for predict in (model.predict, model.predict_greedy):
        said = predict(together)
        for row, batch in enumerate(alone):
            single = predict(batch)[0]
            assert [ids for ids, _ in single.nbest] == [ids for ids, _ in said[row].nbest]
            assert single.tokens == said[row].tokens
            assert np.allclose(single.attention, said[row].attention, atol=1e-5)


@pytest.mark.parametrize("decoder", options("decoder"))
def test_a_beam_of_one_is_greedy(translator: Callable, decoder: str) -> None:
    model, corpus = translator(f"decoder={decoder}", "beam=1")
    model.eval()
    batch = corpus.splits["test"].encoded.batch(np.arange(30))
    assert [p.nbest[0].ids for p in model.predict(batch)] == [p.nbest[0].ids for p in model.predict_greedy(batch)]


@pytest.mark.parametrize(("decoder", "remembers"), [("luong", False), ("stacked", True), ("bahdanau", True)])
def test_a_decoder_remembers_what_it_attended_to_or_not(translator: Callable, decoder: str, remembers: bool) -> None:
    model, corpus = translator(f"decoder={decoder}")
    model.eval()
    memory, state = model.encode(corpus.splits["test"].encoded.batch(np.arange(4)))
    other = memory._replace(values=memory.values.flip(0))
    tokens = torch.full((4,), model.generator.bos_id)
    _, after = model.generator.step(tokens, memory, state)
    _, after_other = model.generator.step(tokens, other, state)
    (here, _), (there, _) = (model.generator.step(tokens, memory, state) for state in (after, after_other))
    assert torch.allclose(here, there) is not remembers


def test_a_decoder_that_attends_between_layers_has_two_of_them(translator: Callable) -> None:
    with pytest.raises(InputError, match="num_layers=1: StackedDecoder has at least 2 of them"):
        translator("decoder=stacked", "model.decoder.num_layers=1")


def test_attention_is_over_the_pieces_of_the_sentence(translator: Callable) -> None:
    model, corpus = translator("decoder=luong")
    model.eval()
    for said in corpus.codec.decode(model.predict_with_attention(corpus.splits["test"].encoded.batch(np.arange(5)))):
        weights = np.array(said.attention)
        assert weights.shape == (len(said.target_pieces), len(said.source_pieces))
        assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)
    model, corpus = translator("decoder=plain")
    model.eval()
    assert not any(
        any(row) for row in model.predict_with_attention(corpus.splits["test"].encoded.batch(np.arange(2)))[0].attention
    )


def test_tied_weights_are_one(translator: Callable) -> None:
    model, _ = translator()
    assert model.generator.output.weight is model.embedding.vectors.weight is model.generator.embedding.vectors.weight
    model, _ = translator(*SEPARATE.split())
    assert (
        model.generator.output.weight is model.generator.embedding.vectors.weight is not model.embedding.vectors.weight
    )
    model, _ = translator("model.tied_output=false")
    assert model.generator.output.weight is not model.generator.embedding.vectors.weight


def test_scores_are_those_of_sacrebleu_with_their_signatures() -> None:
    from sacrebleu import corpus_bleu, corpus_chrf

    said = ["The cat sits on the mat.", "two dogs run in the Snow"]
    expected = ["The cat sat on the mat.", "Two dogs run in the snow"]
    scores = translation_scores(said, expected)
    assert scores["bleu"] == corpus_bleu(said, [expected]).score < scores["bleu_lowercase"]
    assert scores["chrf"] == corpus_chrf(said, [expected], word_order=2).score
    assert "tok:13a" in scores["signatures"]["bleu"] and "case:mixed" in scores["signatures"]["bleu"]
    assert "case:lc" in scores["signatures"]["bleu_lowercase"] and "nw:2" in scores["signatures"]["chrf"]
    assert translation_scores(expected, expected)["bleu"] == pytest.approx(100)
    assert scores["length_ratio"] == 1 and translation_scores(["a b c", ""], ["a b", "c d"])["length_ratio"] == 0.75
    groups = bleu_by(["short", "long"], said, expected, ["long", "short", "none"])
    assert list(groups) == ["long", "short"] and groups["short"]["count"] == 1
    assert groups["long"]["bleu"] == corpus_bleu(said[1:], [expected[1:]]).score


def test_a_text_is_one_line_and_a_translation_said_twice_counts_once(tmp_path: Path) -> None:
    said = [
        Translation("a\nb", [("a\nb", -1.0)], ["x"], ["a", "</s>"], [[1.0], [1.0]]),
        Translation("", [], [], [], []),
    ]
    examples = [SentencePair("one\u2028two", "a b"), SentencePair("three", "c")]
    TranslationEvaluation(attention_maps=3, max_pieces=9).write(tmp_path, said, examples)
    assert (tmp_path / "hypotheses.txt").read_text() == "a b\n\n"
    assert (tmp_path / "sources.txt").read_text() == "one two\nthree\n"
    assert (tmp_path / "references.txt").read_text() == "a b\nc\n"
    assert [path.name for path in tmp_path.glob("*.png")] == ["attention_1.png"]
    one = codec()
    one.fit(sentences(50))
    ids = one.target.encode_text("one two")[:-1]
    letters = one.target.vocabulary.encode(["▁", *"one", "▁", *"two"])
    nbest = one.decode(
        [Prediction([EOS], [Hypothesis(ids, -1.0), Hypothesis(letters, -2.0), Hypothesis([], -3.0)], [])]
    )[0]
    assert nbest.alternatives == [("one two", -1.0), ("", -3.0)]


@pytest.mark.draws
def test_a_run_leaves_scores_texts_and_pictures(launch: Callable, parallel: list[str]) -> None:
    sampled = [*parallel, "codec.sampling_alpha=0.5"]
    folder = launch("translation", *sampled, "evaluation.attention_maps=2")
    result = json.loads((folder / "result.json").read_text())
    assert (result["status"], result["task"]) == ("ok", "translation")
    assert 0 <= result["metrics"]["test"]["bleu"] <= 100
    assert result["metrics"]["test"]["signatures"]["bleu"].startswith("nrefs:1|case:mixed")
    assert sum(group["count"] for group in result["metrics"]["test"]["by_length"].values()) == 20
    assert result["data"]["direction"] == "de-en"
    pairs = sentences(20, seed=2)
    assert (folder / "sources.txt").read_text().splitlines() == [pair.source for pair in pairs]
    assert (folder / "references.txt").read_text().splitlines() == [pair.target for pair in pairs]
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert (folder / "hypotheses.txt").read_text().splitlines() == [row["prediction"] for row in rows]
    assert len(list(folder.glob("attention_*.png"))) == 2
    assert not list(folder.glob("*.pt"))

    again = launch("translation", *sampled, "evaluation.attention_maps=0", folder="again")
    for name in ("model.safetensors", "pieces/tokenizer.model", "hypotheses.txt"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()
