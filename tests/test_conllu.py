"""CoNLL-U is read word by word, written back byte for byte, and a broken line is named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import conllu
from data.errors import InputError
from data.sources.tables import decoded_lines
from data.sources.treebanks import read_treebank


def row(number: str, form: str, upos: str = "X", xpos: str = "_") -> str:
    return "\t".join([number, form, "_", upos, xpos, "_", "0", "root", "_", "_"])


ALL_THERE_IS = "\n".join(
    [
        "# newdoc id = one",
        "# sent_id = 1",
        "# text = Don't go.",
        row("1-2", "Don't", "_"),
        row("1", "Do", "AUX", "VBP"),
        row("2", "n't", "PART", "RB"),
        row("2.1", "you", "PRON", "PRP"),
        row("3", "go", "VERB", "VB"),
        row("4", ".", "PUNCT", "."),
        "",
        "# text = 1 000 #",
        row("0.1", "nothing", "X"),
        row("1", "1 000", "NUM", "CD"),
        row("2", "#", "SYM", "NN"),
        "",
        "",
    ]
)


def sentences(text: str) -> list[conllu.Sentence]:
    return list(
        conllu.parse_sentences(decoded_lines("file.conllu", text.encode().splitlines(keepends=True)), "file.conllu")
    )


def test_words_are_read_without_ranges_and_empty_nodes() -> None:
    first, second = sentences(ALL_THERE_IS)
    assert first.forms == ("Do", "n't", "go", ".")
    assert [word.value("upos") for word in first.words] == ["AUX", "PART", "VERB", "PUNCT"]
    assert [word.value("xpos") for word in first.words] == ["VBP", "RB", "VB", "."]
    assert first.words[0].place == "file.conllu:5"
    assert second.forms == ("1 000", "#")


def rewritten(text: str) -> str:
    return "".join(
        conllu.replace_column(sentence.raw, "upos", [word.value("upos") for word in sentence.words])
        for sentence in sentences(text)
    )


@pytest.mark.parametrize("text", [ALL_THERE_IS, "\n\n" + ALL_THERE_IS.replace("\n\n", "\n\n\n") + "\n"])
def test_everything_is_kept_on_writing(text: str) -> None:
    assert rewritten(text) == text


@pytest.mark.parametrize(
    "text", [ALL_THERE_IS.replace("\n", "\r\n"), ALL_THERE_IS.rstrip("\n"), "\ufeff" + ALL_THERE_IS]
)
def test_line_ends_and_the_end_of_the_file_are_put_right(text: str) -> None:
    assert rewritten(text) == ALL_THERE_IS


def test_only_the_tags_of_words_are_replaced() -> None:
    first, _ = sentences(ALL_THERE_IS)
    expected = first.raw.replace("\tAUX\t", "\tA\t").replace("\tPART\t", "\tB\t").replace("\tVERB\t", "\tC\t")
    assert conllu.replace_column(first.raw, "upos", ["A", "B", "C", "D"]) == expected.replace("\tPUNCT\t", "\tD\t")
    assert conllu.replace_column(first.raw, "xpos", ["VBP", "RB", "VB", "!"]).endswith(
        row("4", ".", "PUNCT", "!") + "\n\n"
    )


printable = st.text(st.characters(min_codepoint=33, exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(st.tuples(printable, printable), min_size=1))
def test_a_sentence_from_no_file_is_written_as_one_from_a_file(pairs: list[tuple[str, str]]) -> None:
    forms, tags = zip(*pairs, strict=True)
    block = conllu.replace_column(conllu.format_sentence(forms), "upos", tags)
    (sentence,) = sentences(block)
    assert sentence.forms == forms
    assert tuple(word.value("upos") for word in sentence.words) == tags
    assert sentence.raw == block


BROKEN = {
    "columns": (["1\tone\tX"], ":1: 3 columns where CoNLL-U has 10"),
    "spaces": ([row("1", "a"), row("2", "b").replace("\t", " ")], ":2: 1 columns"),
    "empty form": ([row("1", "")], ":1: the column form is empty: write '_'"),
    "gap": ([row("1", "a"), row("3", "c")], ":2: the word has the number 3 where 2 is next"),
    "no blank line between": ([row("1", "a"), row("1", "b")], ":2: the word has the number 1 where 2 is next"),
    "no number": ([row("1", "a"), row("x", "b")], ":2: 'x' is not a number that can follow word 1"),
    "zero": ([row("0", "a")], ":1: '0' is not a number that can follow word 0"),
    "node": ([row("1", "a"), row("2.1", "b")], ":2: '2.1' is not a number that can follow word 1"),
    "range too early": ([row("2-3", "ab"), row("1", "a")], ":1: the range 2-3 does not begin at the next word, 1"),
    "range too long": ([row("1-2", "ab"), row("1", "a")], ":2: the sentence ends at word 1, inside a range"),
    "too many digits": ([row("1" * 5000, "a")], ":1: '1111111111"),
    "range of too many digits": ([row("1-" + "9" * 5000, "ab")], ":1: '1-9999999"),
    "no words": (["# text = nothing"], ":1: the sentence that ends here has no words"),
    "comment inside": ([row("1", "a"), "# later"], ":2: 1 columns"),
    "comment after a range": ([row("1-2", "ab"), "# later", row("1", "a"), row("2", "b")], ":2: 1 columns"),
    "range backwards": ([row("1", "a"), row("2-1", "b")], ":2: the range 2-1 does not begin at the next word, 2"),
}


@pytest.mark.parametrize("lines, sentence", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_is_named(lines: list[str], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        sentences("\n".join([*lines, "", ""]))
    assert str(error.value).startswith(f"file.conllu{sentence}")


@pytest.mark.parametrize(
    "lines", [[row("1", "a")], [row("1-1", "a"), row("1", "a")], [row("1-2", "ab"), row("1", "a"), row("2", "b")]]
)
def test_the_last_sentence_may_end_with_its_only_word_or_with_a_range(lines: list[str]) -> None:
    (sentence,) = sentences("\n".join(lines))
    assert sentence.raw == "\n".join([*lines, "", ""])


def test_columns_of_a_sentence_have_a_value_for_every_word() -> None:
    with pytest.raises(ValueError, match="shorter"):
        conllu.format_sentence(["a", "b"], upos=["X"])
    assert conllu.format_sentence(["a", "b"]).startswith("# text = a b\n1\ta\t_\t")


def test_a_word_without_a_tag_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bare.conllu"
    path.write_text(row("1", "a", "X") + "\n\n" + row("1", "b", "_", "IN") + "\n\n")
    with pytest.raises(InputError, match=r"bare\.conllu:3: the word 'b' has no tag in the column upos.*column=xpos"):
        read_treebank(path, "upos")


def test_a_file_that_is_not_there_or_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*missing\.conllu"):
        read_treebank(tmp_path / "missing.conllu", "upos")
    path = tmp_path / "latin.conllu"
    path.write_bytes((row("1", "a") + "\n" + row("2", "é") + "\n\n").encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.conllu:2: byte 3 of the line is not UTF-8"):
        read_treebank(path, "upos")
