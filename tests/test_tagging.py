"""Tagging: words and characters to arrays and back, every part of the model, and runs on small treebanks made here."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from conftest import SMALL, assert_learns, options
from omegaconf import DictConfig

from data import conllu
from data.corpus import Corpus
from data.errors import InputError
from data.sources.tables import Row
from data.sources.tagged import ColumnFiles, tag_of, word_of
from data.sources.treebanks import HUB_TAGS, FileTreebank, Treebank, hub_tag
from data.spelling import KINDS, Spelling
from data.tagging import TaggedSentence, TaggingCodec
from data.vocabulary import BOS, EOS, PAD, UNK
from models.characters import NgramCharacters, ShapeCharacters
from models.embedding import TokenEmbedding
from tasks.tagging import predict
from tasks.tagging.evaluation import TaggingEvaluation
from training.build import build
from training.distributed import Processes
from training.experiment import prepared

NOUNS, NAMES, VERBS = ["dog", "stone", "river", "house"], ["Ann", "Bob", "Eve"], ["sees", "finds", "likes"]
TINY = [*SMALL[:-1], "model.characters.embedding_size=4"]


def sentence(number: int) -> TaggedSentence:
    """A name or a noun, a verb, a noun or a number; which words depends on ``number`` alone."""
    words, tags = ["The", NOUNS[number % 4]], ["DET", "NOUN"]
    if number % 3 == 0:
        words, tags = [NAMES[number % 3]], ["PROPN"]
    words, tags = [*words, VERBS[number % 3]], [*tags, "VERB"]
    if number % 5 == 0:
        words, tags = [*words, str(number)], [*tags, "NUM"]
    words, tags = [*words, NOUNS[number % 3], "."], [*tags, "NOUN", "PUNCT"]
    return TaggedSentence(tuple(words), tuple(tags))


def file_of(sentences: list[TaggedSentence]) -> str:
    """CoNLL-U with a comment, a range and an empty node in every sentence."""
    blocks = []
    for number, example in enumerate(sentences):
        _, *lines = conllu.format_sentence(example.words, upos=example.tags, xpos=[t[:2] for t in example.tags]).split(
            "\n"
        )
        around = "\t".join(["_"] * 9)
        blocks.append("\n".join([f"# sent_id = {number}", f"1-2\t{around}", lines[0], f"1.1\t{around}", *lines[1:]]))
    return "".join(blocks)


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    """A folder with the official names."""
    folder = tmp_path / "treebank"
    folder.mkdir()
    for split, numbers in {"train": range(40), "dev": range(40, 52), "test": range(52, 64)}.items():
        (folder / f"xx_xx-ud-{split}.conllu").write_text(file_of([sentence(n) for n in numbers]))
    return folder


@pytest.fixture
def codec() -> TaggingCodec:
    codec = TaggingCodec(lowercase=True, min_count=1, vocab_size=None, max_characters=6)
    codec.fit([sentence(number) for number in range(40)])
    return codec


def ewt(treebank: Path) -> list[str]:
    return ["data=ud_english_ewt", "recipe=embedded", f"data.path={treebank}"]


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``tag(*arguments, text=...)``: the exit code and both outputs of ``python -m tasks.tagging.predict``."""

    def run(*arguments: str, text: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["predict", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        capsys.readouterr()
        code = 0
        try:
            predict.main(predict.TaggingPredictor, predict.__doc__)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def test_a_batch_holds_every_word_and_its_characters(codec: TaggingCodec) -> None:
    examples = [sentence(5), sentence(3), TaggedSentence(("Stone", "unheard-of"), ("NOUN", "NEW"))]
    batch = codec.encode(examples).batch(np.array([2, 0]))
    assert batch.mask.tolist() == [[True, True] + [False] * 4, [True] * 6]
    assert batch.tokens[0].tolist() == [codec.word_id("stone"), UNK, *[PAD] * 4]
    assert batch.target_mask[0].tolist() == [True] + [False] * 5  # the tag NEW can be neither learnt nor predicted
    assert codec.decode([batch.targets[1].tolist()]) == [sentence(5).tags]
    assert batch.counts[1, 0] == sum("The" in sentence(number).words for number in range(40))
    assert len(batch.characters) == len({*sentence(5).words, *examples[2].words}) + 1  # and padding
    for row, example in enumerate([examples[2], examples[0]]):
        for column, word in enumerate(example.words):
            characters = batch.characters[batch.word_types[row, column]]
            assert characters[batch.character_mask[batch.word_types[row, column]]].tolist() == codec.spelling.encode(
                word
            )
    assert not batch.character_mask[batch.word_types[0, 2]].any()


def test_long_words_keep_both_ends(codec: TaggingCodec) -> None:
    codec.fit([TaggedSentence(("stone", "stones", "house", "houses"), ("NOUN",) * 4)])
    symbols = codec.spelling.characters.symbols
    assert [symbols[i] for i in codec.spelling.encode("stonehouse")[1:-1]] == list("stouse")
    assert codec.spelling.encode("house")[0] == BOS and codec.spelling.encode("house")[-1] == EOS
    with pytest.raises(InputError, match=r"codec\.max_characters is at least 1, not 0"):
        TaggingCodec(True, 1, None, 0)


def test_a_character_of_one_word_alone_stands_for_the_unknown(codec: TaggingCodec) -> None:
    assert "v" not in codec.spelling.characters.ids and "e" in codec.spelling.characters.ids
    assert codec.spelling.encode("veß") == [BOS, UNK, codec.spelling.characters.ids["e"], UNK, EOS]


def test_words_that_look_like_special_symbols_are_words(codec: TaggingCodec) -> None:
    words = ("<s>", "the", "<unk>", "<pad>", "</s>")
    codec.fit([TaggedSentence(words, ("X",) * 5)] * 2)
    assert sorted(map(codec.word_id, words)) == [4, 5, 6, 7, 8]
    assert codec.vocabulary.decode(map(codec.word_id, words)) == list(words)


def test_long_training_sentences_are_cut_and_others_are_not() -> None:
    codec = TaggingCodec(True, min_count=1, vocab_size=None, max_characters=6, max_length=3)
    examples = [sentence(number) for number in range(40)]
    codec.fit(examples)
    training, others = codec.encode_training(examples), codec.encode(examples)
    assert training.num_cut == sum(len(example.words) > 3 for example in examples) > 0 == others.num_cut
    assert training.lengths.tolist() == [min(3, len(example.words)) for example in examples]
    assert others.lengths.tolist() == [len(example.words) for example in examples]
    first = training.batch(np.arange(1))
    assert codec.decode(first.targets.tolist()) == [examples[0].tags[:3]]
    splits = codec.encode_splits({"train": examples, "test": examples})
    assert [splits[name].num_cut for name in ("train", "test")] == [training.num_cut, 0]
    with pytest.raises(InputError, match=r"codec\.max_length=0: must be at least 1, or null"):
        TaggingCodec(True, 1, None, 6, max_length=0)


def test_a_sentence_without_tags_is_written_with_the_tags_of_a_model() -> None:
    plain = TaggedSentence.untagged(["a", "b"], "xpos")
    assert plain == (("a", "b"), ("_", "_"), "xpos", None) and plain.stratum() is None
    assert [line.split("\t")[4] for line in plain.conllu(["X", "Y"]).strip().split("\n")[1:]] == ["X", "Y"]
    raw = conllu.format_sentence(["a", "b"], upos=["N", "V"]).replace("# text", "# kept")
    written = TaggedSentence.untagged(["a", "b"], raw=raw).conllu(["X", "Y"])
    assert written == raw.replace("\tN\t", "\tX\t").replace("\tV\t", "\tY\t") and "# kept" in written


def test_what_a_tagger_has_learned_is_saved(codec: TaggingCodec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    again = TaggingCodec(lowercase=True, min_count=1, vocab_size=None, max_characters=6)
    again.load(tmp_path)
    assert again.sizes == codec.sizes == {"vocab_size": len(codec.vocabulary), "num_characters": 16, "num_tags": 6}
    assert again.tags.symbols == codec.tags.symbols == ["DET", "NOUN", "NUM", "PROPN", "PUNCT", "VERB"]
    assert again.word_id("dog") == codec.word_id("Dog") != UNK
    assert again.spelling.encode("dog") == codec.spelling.encode("dog")
    assert codec.unlabelled(" Ann  sees ") == TaggedSentence(("Ann", "sees"), ("_", "_"))


def test_counts_of_words_add_up_where_case_is_folded() -> None:
    codec = TaggingCodec(lowercase=True, min_count=2, vocab_size=None, max_characters=6)
    codec.fit([TaggedSentence(("The", "the", "the", "a"), ("X",) * 4)])
    assert codec.counts[codec.word_id("THE")] == 3 and codec.counts.dtype == np.float32
    assert codec.counts[UNK] == 1 and codec.counts[PAD] == 0
    batch = codec.encode([TaggedSentence(("The", "new"), ("X", "X")), TaggedSentence(("a",), ("Z",))]).batch(
        np.arange(2)
    )
    assert batch.counts.tolist() == [[3, 1], [1, 0]] and batch.targets.tolist() == [[0, 0], [0, 0]]
    assert batch.target_mask.tolist() == [[True, True], [False, False]]


def test_a_vocabulary_that_words_do_not_fill_is_noted() -> None:
    codec = TaggingCodec(lowercase=True, min_count=1, vocab_size=99, max_characters=6)
    codec.fit([sentence(1)])
    (note,) = codec.notes
    assert note.startswith("The vocabulary has") and "codec.vocab_size=99" in note
    small = TaggingCodec(lowercase=True, min_count=1, vocab_size=6, max_characters=6)
    small.fit([sentence(1), sentence(2)])
    assert len(small.vocabulary) == 6 and list(small.notes) == []


def test_training_sentences_of_the_greatest_length_are_whole() -> None:
    codec = TaggingCodec(True, 1, None, max_characters=1, max_length=1)
    examples = [TaggedSentence(("a",), ("X",)), TaggedSentence(("a", "b"), ("X", "Y"))]
    codec.fit(examples)
    encoded = codec.encode_training(examples)
    assert encoded.num_cut == 1 and encoded.lengths.tolist() == [1, 1] and encoded.targets.lengths.tolist() == [1, 1]
    with pytest.raises(InputError) as error:
        TaggingCodec(True, 1, None, 6, max_length=0)
    assert str(error.value) == "codec.max_length=0: must be at least 1, or null for no limit."


COLUMNS = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

-DOCSTART- -X- O O
Peter NNP I-NP I-PER
"""


@pytest.mark.parametrize("separator", [" ", "  ", "\t"])
@pytest.mark.parametrize("column, tags", [(-1, ["I-ORG", "O", "I-PER"]), (1, ["NNP", "VBZ", "NNP"])])
def test_column_files_as_those_of_conll_2003(tmp_path: Path, separator: str, column: int, tags: list[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text(COLUMNS.replace(" ", separator))
    files = {"train": str(path), "validation": None, "test": None}
    examples = ColumnFiles(**files, word_column=0, tag_column=column).read_split("train")
    assert [example.words for example in examples] == [("EU", "rejects"), ("Peter",)]
    assert [tag for example in examples for tag in example.tags] == tags
    with pytest.raises(InputError, match=r"a\.txt:3: there is no value in column 4 \(data\.tag_column\) of 4"):
        ColumnFiles(**files, word_column=0, tag_column=4).read_split("train")


def test_columns_may_count_from_the_last_and_every_line_needs_both(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files = {"train": str(path), "validation": None, "test": None}
    path.write_text("New York\tNNP\tO\n \nsees\tVBZ\tO\n")
    examples = ColumnFiles(**files, word_column=-3, tag_column=-2).read_split("train")
    assert [example.content() for example in examples] == [(("New York",), ("NNP",)), (("sees",), ("VBZ",))]
    for column in (3, -4):
        with pytest.raises(InputError, match=rf"a\.txt:1: .* column {column} \(data\.word_column\) of 3"):
            ColumnFiles(**files, word_column=column, tag_column=1).read_split("train")
    path.write_text("EU\tNNP\tO\nrejects\t \tO\n")
    with pytest.raises(InputError, match=r"a\.txt:2: .* column 1 \(data\.tag_column\)"):
        ColumnFiles(**files, word_column=0, tag_column=1).read_split("train")


def test_tags_are_class_numbers_or_text() -> None:
    assert [tag_of(number, ["O", "PER"], "row 1") for number in (0, 1)] == ["O", "PER"]
    assert [tag_of(tag, None, "row 1") for tag in (" PER ", 7, "p\udc00")] == ["PER", "7", "p\ufffd"]
    assert hub_tag(0, "row 1") == HUB_TAGS[0] and hub_tag(len(HUB_TAGS) - 1, "row 1") == HUB_TAGS[-1]
    for tag, classes in ((2, ["O", "PER"]), (-1, ["O", "PER"]), ("O", ["O", "PER"]), (" ", None), (0.5, None)):
        with pytest.raises(InputError, match=rf"^row 1: {tag!r} is not a tag"):
            tag_of(tag, classes, "row 1")
    for number in (len(HUB_TAGS), -1, "0"):
        with pytest.raises(InputError, match=rf"^row 1: the tag {number!r} is none of 0 to {len(HUB_TAGS) - 1}"):
            hub_tag(number, "row 1")
    assert word_of("a b\ud83d", "row 1") == "a b\ufffd"
    for word in (" ", None, 3):
        with pytest.raises(InputError, match=rf"^row 1: {word!r} is not a word"):
            word_of(word, "row 1")


@pytest.mark.parametrize("lowercase, expected", [(True, ["dog", "dog", "ann"]), (False, ["dog", "dog", "Ann"])])
def test_capitals_are_folded_or_fall_back(lowercase: bool, expected: list[str]) -> None:
    codec = TaggingCodec(lowercase, min_count=1, vocab_size=None, max_characters=6)
    codec.fit([sentence(number) for number in range(40)])
    assert codec.vocabulary.decode(map(codec.word_id, ["dog", "DOG", "Ann"])) == expected


def test_rare_words_are_read_as_unknown_in_training_alone() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=1.0, unknown_id=UNK)
    tokens = torch.full((100, 200), 7)
    counts = torch.full((100, 200), 3.0)
    mask = torch.ones_like(tokens, dtype=torch.bool)
    unknown = (embedding(tokens, mask, counts) == embedding.vectors.weight[UNK]).all(dim=-1)
    assert unknown.float().mean().item() == pytest.approx(1 / 4, abs=0.02)
    assert not (embedding.eval()(tokens, mask, counts) == embedding.vectors.weight[UNK]).all(dim=-1).any()


def test_ngrams_are_those_inside_a_word_and_its_signs() -> None:
    model = NgramCharacters(60, UNK, output_size=4, widths=[2, 3], buckets=10_000, dropout=0.0, ngram_dropout=0.0)
    words = [[BOS, 10, 11, 12, EOS], [BOS, 13, 11, 12, EOS], [BOS, 10, EOS]]
    characters = torch.tensor([word + [PAD] * (5 - len(word)) for word in words])
    found = [set(row) - {0} for row in model.ngrams(characters, characters != PAD).tolist()]
    assert [len(row) for row in found] == [4 + 3, 4 + 3, 2 + 1]
    assert len(found[0] & found[1]) == 3  # 11 12, 12 EOS and 11 12 EOS
    assert len(found[0] & found[2]) == 1  # BOS 10
    summed = sum(model.vectors.weight[bucket] for bucket in found[0]) / 7**0.5
    torch.testing.assert_close(model(characters, characters != PAD)[0], summed)


def test_shape_is_of_which_kinds_the_characters_of_a_word_are() -> None:
    spelling = Spelling(max_characters=6)
    spelling.fit(["Ab", "aB", "Ba", "b1", "b-1", "A-1", "\u4eba", "\u4eba\u4eba", "</s>", "</s>x/"])
    model = ShapeCharacters(len(spelling.characters), UNK, output_size=4 * len(KINDS))
    torch.nn.init.eye_(model.linear.weight)
    torch.nn.init.zeros_(model.linear.bias)
    model.describe(spelling.kinds())
    words = ["Ab", "aB", "bb-1", "Bbbbbbbbbb1", "\u4eba", "", "\u00c4"]
    rows = spelling.encode_all(words)
    features = model(*rows.pad(np.arange(len(words) + 1)))
    lower, upper, letter, digit, other = np.eye(len(KINDS))
    nothing = lower * 0
    expected = [
        [nothing, nothing, nothing, nothing],  # padding
        [upper, lower, lower + upper, nothing],
        [lower, upper, lower + upper, nothing],
        [lower, digit, lower + other + digit, lower],
        [upper, digit, upper + lower + digit, lower],  # cut, both ends are kept
        [letter, letter, letter, nothing],
        [nothing, nothing, nothing, nothing],
        [nothing, nothing, nothing, nothing],  # a character that training does not show
    ]
    assert features.tolist() == np.array(expected).reshape(len(expected), -1).tolist()


def test_a_run_tells_its_model_the_kinds_of_characters(
    composed: Callable[..., DictConfig], treebank: Path, tmp_path: Path
) -> None:
    """Without them, the shape of every word is the same."""
    cfg = composed("tagging", "characters=ngrams_convolution_shape", *SMALL, *ewt(treebank))
    _, trainer, _ = prepared(cfg, tmp_path, Processes())
    shape = trainer.model.characters.parts[2]
    assert torch.equal(shape.kinds, trainer.corpus.codec.spelling.kinds()) and shape.kinds.sum() > 0


def test_a_dropped_token_hides_the_word_and_its_spelling(composed: Callable[..., DictConfig], treebank: Path) -> None:
    cfg = composed(
        "tagging", *SMALL, *ewt(treebank), "model.dropout=0", "model.characters.dropout=0", "model.encoder.dropout=0"
    )
    corpus: Corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    model = build(cfg.model, **corpus.sizes, token_dropout=0.999999)
    words = [("Ann", "sees", "Bob"), ("The", "dog", "likes")]
    batch = corpus.codec.encode([TaggedSentence.untagged(row) for row in words]).batch(np.arange(2))
    hidden, seen = model(batch), model.eval()(batch)
    assert torch.equal(hidden[0], hidden[1]) and not torch.equal(seen[0], seen[1])


PARTS = [f"cell={cell} characters=recurrent" for cell in options("cell")]  # the cell reads words and characters
PARTS += [f"characters={characters} head={head}" for characters in options("characters") for head in options("head")]


@pytest.mark.parametrize("parts", PARTS)
def test_every_cell_character_encoder_and_head_learns_from_a_batch(
    composed: Callable[..., DictConfig], treebank: Path, parts: str
) -> None:
    cfg = composed("tagging", *parts.split(), *SMALL, *ewt(treebank), "model.dropout=0", "model.rare_word_dropout=0")
    corpus: Corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    torch.manual_seed(0)
    model = build(cfg.model, **corpus.sizes)
    (batch,) = corpus.splits["train"].by_length(4096, 64)
    assert_learns(model, batch, steps=20)


@pytest.mark.parametrize("head", options("head"))
@pytest.mark.parametrize("characters", options("characters"))
def test_padding_never_changes_a_sentence(
    composed: Callable[..., DictConfig], treebank: Path, characters: str, head: str
) -> None:
    cfg = composed("tagging", f"characters={characters}", f"head={head}", *SMALL, *ewt(treebank))
    corpus: Corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    torch.manual_seed(0)
    model = build(cfg.model, **corpus.sizes).eval()
    long = TaggedSentence(("incomprehensibilities",) * 9, ("NOUN",) * 9)
    encoded = corpus.codec.encode([sentence(3), long, TaggedSentence((), ())])
    together, alone = encoded.batch(np.arange(3)), encoded.batch(np.arange(1))
    torch.testing.assert_close(model(together)[0, : len(sentence(3).words)], model(alone)[0])
    assert model.predict(together)[0] == model.predict(alone)[0]
    assert model.predict(together)[2] == []


def test_scores_by_word_sentence_and_what_is_known() -> None:
    evaluation = TaggingEvaluation()
    evaluation.fit([TaggedSentence(("a", "b"), ("X", "Y"))])
    examples = [TaggedSentence(("a", "new"), ("X", "Y")), TaggedSentence(("b", "a"), ("Y", "X"))]
    scores = evaluation.score([("X", "X"), ("Y", "X")], examples)
    assert scores["accuracy"] == 3 / 4 and scores["sentence_accuracy"] == 1 / 2
    assert scores["accuracy_known"] == 1 and scores["accuracy_unknown"] == 0 and scores["unknown_share"] == 1 / 4
    assert scores["per_class"]["X"]["precision"] == 2 / 3 and scores["per_class"]["Y"]["recall"] == 1 / 2
    assert scores["by_length"] == {"0-4": {"accuracy": 3 / 4, "count": 4}}
    known_alone = evaluation.score([("Y", "X")], examples[1:])
    assert "accuracy_unknown" not in known_alone


@pytest.mark.draws
def test_a_run_leaves_what_the_official_evaluation_reads(launch: Callable[..., Path], treebank: Path) -> None:
    folder = launch(
        "tagging",
        *TINY,
        *ewt(treebank),
        "trainer.max_epochs=25",
        "trainer.patience=25",
        "optimizer.lr=0.03",
        "baselines=true",
    )
    found = json.loads((folder / "result.json").read_text())
    assert found["status"] == "ok" and found["data"]["sizes"] == {"train": 40, "validation": 12, "test": 12}
    scores = found["metrics"]["test"]
    assert scores["accuracy"] > 0.9
    names = {"chance", "most_frequent_tag", "most_frequent_tag_with_rules", "linear_svm"}
    assert scores["baselines"].keys() == names
    predictions = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    tags = [(tag, said) for row in predictions for tag, said in zip(row["tags"], row["predictions"], strict=True)]
    assert sum(tag == said for tag, said in tags) / len(tags) == scores["accuracy"]
    gold = (treebank / "xx_xx-ud-test.conllu").read_text().split("\n")
    written = (folder / "predictions.conllu").read_text().split("\n")
    assert len(written) == len(gold)
    for before, after in zip(gold, written, strict=True):
        assert [*before.split("\t")[:3], *before.split("\t")[4:]] == [*after.split("\t")[:3], *after.split("\t")[4:]]
    assert (folder / "confusion_matrix.png").stat().st_size > 0


def test_predict_reads_and_writes_text_and_conllu(launch: Callable[..., Path], treebank: Path, tag: Callable) -> None:
    folder = launch("tagging", *TINY, *ewt(treebank))
    moved = folder.rename(folder.with_name("moved"))
    test = treebank / "xx_xx-ud-test.conllu"
    assert tag(f"run={moved}", f"input={test}") == (0, (moved / "predictions.conllu").read_text(), "")
    blank = "\n".join(
        "\t".join([*cells[:3], "_", *cells[4:]]) if len(cells := line.split("\t")) > 1 else line
        for line in test.read_text().split("\n")
    )
    assert tag(f"run={moved}", text=blank) == (0, (moved / "predictions.conllu").read_text(), "")

    assert tag(f"run={moved}", "writes=text", text="\n\n") == (0, "\n\n", "")
    assert tag(f"run={moved}", text="\n") == tag(f"run={moved}", text="") == (0, "", "")
    text = "The dog sees\n\nBob likes 50 .\n"
    _, lines, _ = tag(f"run={moved}", "writes=text", text=text)
    assert [[pair.rsplit("/")[0] for pair in line.split()] for line in lines.split("\n")[:-1]] == [
        line.split() for line in text.split("\n")[:-1]
    ]
    _, written, _ = tag(f"run={moved}", text=text)
    found = list(conllu.parse_sentences(enumerate(written.split("\n"), 1), "written"))
    assert [sentence.forms for sentence in found] == [("The", "dog", "sees"), ("Bob", "likes", "50", ".")]
    assert [[f"{w.value('form')}/{w.value('upos')}" for w in s.words] for s in found] == [
        line.split() for line in lines.split("\n") if line
    ]


@pytest.mark.parametrize(
    "argument, text, said",
    [
        ("writes=xml", "a", "writes=xml: choose conllu or text"),
        ("reads=xml", "a", "reads=xml: choose auto, conllu, text or raw"),
        ("reads=conllu", "# text = a\n1\ta\n", "standard input:2: 2 columns where CoNLL-U has 10"),
        ("column=xpos", "a", "'column=xpos' is not an option"),
    ],
)
def test_predict_says_what_is_wrong(
    launch: Callable[..., Path], treebank: Path, tag: Callable, argument: str, text: str, said: str
) -> None:
    folder = launch("tagging", *TINY, *ewt(treebank), "trainer.max_epochs=1")
    code, _, error = tag(f"run={folder}", argument, text=text)
    assert code == 2 and said in error


def test_own_files_and_the_other_column(launch: Callable[..., Path], treebank: Path) -> None:
    files = [
        f"data.{split}={treebank}/xx_xx-ud-{name}.conllu" for split, name in (("train", "train"), ("test", "test"))
    ]
    folder = launch("tagging", *TINY, "data=conllu", *files, "data.column=xpos", "head=crf", "characters=recurrent")
    found = json.loads((folder / "result.json").read_text())
    assert found["data"]["sizes"] == {"train": 36, "validation": 4, "test": 12}
    assert "held out for validation" in found["data"]["notes"][0]
    assert found["metrics"]["test"]["per_class"].keys() >= {"NO", "VE", "PU"}
    assert json.loads((folder / "tags.json").read_text()) == ["DE", "NO", "NU", "PR", "PU", "VE"]


def test_the_hub_and_the_official_files_give_the_same_words(treebank: Path, tmp_path: Path) -> None:
    """The parquet conversion holds ranges (the tag ``_``) and empty nodes as rows of their own, both without a head."""
    copy = tmp_path / "copy"
    for split, numbers in {"train": range(40), "validation": range(40, 52), "test": range(52, 64)}.items():
        rows = []
        for example in map(sentence, numbers):
            size = len(example.words) + 2
            rows.append(
                {
                    "tokens": ["range", *example.words[:1], "node", *example.words[1:]],
                    "lemmas": ["_"] * size,
                    "upos": [HUB_TAGS.index(tag) for tag in ("_", example.tags[0], "VERB", *example.tags[1:])],
                    "xpos": ["_", example.tags[0][:2], None, *(tag[:2] for tag in example.tags[1:])],
                    "head": ["None", "0", "None", *["1"] * (size - 3)],
                    "deprel": ["_"] * size,
                }
            )
        (copy / "en_ewt" / split).mkdir(parents=True)
        datasets.Dataset.from_list(rows).to_parquet(copy / "en_ewt" / split / "0000.parquet")
    options_ = {"name": "t", "repository": "r", "config": "en_ewt", "revision": None}
    for column in conllu.TAGS:
        hub = Treebank(path=str(copy), column=column, **options_)
        official = Treebank(path=str(treebank), column=column, **options_)
        for split in ("train", "validation", "test"):
            ours, theirs = hub.read_split(split), official.read_split(split)
            assert ours is not None and theirs is not None
            assert [example.content() for example in ours] == [example.content() for example in theirs]
        assert ours[0].conllu(ours[0].tags).split("\n")[1].split("\t")[6] == "0"


def test_a_treebank_needs_no_other_split_than_that_for_training(treebank: Path) -> None:
    for name in ("dev", "test"):
        next(treebank.glob(f"*-ud-{name}.conllu")).unlink()
    source = Treebank(path=str(treebank), column="upos", name="t", repository="r", config="c", revision=None)
    assert source.read_split("train") and source.read_split("validation") is None is source.read_split("test")


def test_own_treebanks_are_written_as_they_were_read(treebank: Path) -> None:
    path = treebank / "xx_xx-ud-train.conllu"
    examples = FileTreebank(train=str(path), validation=None, test=None, column="xpos").read_split("train")
    assert examples is not None and examples[0].tags == tuple(tag[:2] for tag in sentence(0).tags)
    assert "".join(example.conllu(example.tags) for example in examples) == path.read_text()


def test_a_copy_of_a_treebank_needs_its_columns(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        (tmp_path / "c" / split).mkdir(parents=True)
        datasets.Dataset.from_list([{"tokens": ["a"], "upos": [0]}]).to_parquet(tmp_path / "c" / split / "0.parquet")
    source = Treebank(path=str(tmp_path), column="upos", name="t", repository="r", config="c", revision=None)
    with pytest.raises(InputError, match=r"t, split train: there is no column 'lemmas'.* data=NAME"):
        source.read_split("train")


def test_rows_of_the_hub_that_are_no_sentence_are_named() -> None:
    source = Treebank(path=None, column="xpos", name="t", repository="r", config="c", revision=None)
    columns = {"tokens": ["a", "b"], "lemmas": ["a", "b"], "upos": [0, 1], "head": ["0", "1"], "deprel": ["_", "_"]}
    assert source.sentence(Row("row 3", {**columns, "xpos": ["A", "B"]})).tags == ("A", "B")
    with pytest.raises(InputError, match=r"^row 3: the word 'b' has no tag in the column xpos.*data\.column=upos"):
        source.sentence(Row("row 3", {**columns, "xpos": ["A", None]}))
    with pytest.raises(InputError, match=r"^row 3: the tag 99 is none of 0 to"):
        source.sentence(Row("row 3", {**columns, "xpos": ["A", "B"], "upos": [0, 99]}))
    with pytest.raises(InputError, match=r"^row 3: the columns have lists of different lengths"):
        source.sentence(Row("row 3", {**columns, "xpos": ["A"]}))


def test_what_cannot_be_used_is_told(treebank: Path, tmp_path: Path) -> None:
    options_ = {"name": "t", "repository": "r", "config": "en_ewt", "revision": None}

    def read(path: Path, column: str = "upos") -> None:
        Treebank(path=str(path), column=column, **options_).read_split("train")

    with pytest.raises(InputError, match=r"data\.column=pos: the columns with tags are upos and xpos"):
        FileTreebank(train="train", validation=None, test=None, column="pos")
    with pytest.raises(InputError, match="there is no such folder"):
        read(tmp_path / "gone")
    (treebank / "yy_yy-ud-train.conllu").write_text("")
    with pytest.raises(InputError, match=r"xx_xx-ud-train\.conllu and yy_yy-ud-train\.conllu are both there"):
        read(treebank)
    only = tmp_path / "only"
    only.mkdir()
    (only / "some.conllu").write_text("")
    with pytest.raises(InputError, match=r"there is no file \*-ud-train\.conllu.*data=conllu data\.train=train"):
        read(only)
    with pytest.raises(InputError, match=r"some\.conllu: the train split is empty"):
        FileTreebank(train=str(only / "some.conllu"), validation=None, test=None, column="upos").read_split("train")


def test_a_data_set_of_another_task_is_told(treebank: Path, composed: Callable[..., DictConfig]) -> None:
    cfg = composed("sentiment", *ewt(treebank))
    with pytest.raises(InputError, match="has TaggedSentence rows, and this task needs LabelledText rows"):
        Corpus(build(cfg.data), build(cfg.codec))
    cfg = composed("tagging", "data=sst2")
    with pytest.raises(InputError, match="has LabelledText rows, and this task needs TaggedSentence rows"):
        Corpus(build(cfg.data), build(cfg.codec))
