"""Sentences as text: a readable table, JSON lines, CoNLL-U, and parallel text."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from data.sources.language.english import space_after
from data.sources.language.generate import Sentence
from data.writing import write_with


def table(sentence: Sentence) -> str:
    """Tokens above their tags, the translation, and the label with its derivation."""
    widths = [max(len(token), len(tag)) for token, tag in zip(sentence.tokens, sentence.tags, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in (sentence.tokens, sentence.tags)
    ]
    noise = ", flipped" if sentence.flipped else ""
    verdict = f"{sentence.label}{noise}   distance {sentence.distance}   {sentence.derivation}"
    return "\n".join((*lines, sentence.german, verdict)) + "\n"


def json_line(sentence: Sentence) -> str:
    return json.dumps(asdict(sentence), ensure_ascii=False)


def conllu(sentence: Sentence, name: str) -> str:
    """One sentence in CoNLL-U with the columns that are known: ID, FORM, UPOS and SpaceAfter."""
    comments = [
        f"# sent_id = {name}",
        f"# text = {sentence.english}",
        f"# text_de = {sentence.german}",
        f"# sentiment = {sentence.label}",
    ]
    spaces = space_after(sentence.tokens)
    last = len(spaces) - 1
    rows = [
        "\t".join((str(position + 1), token, "_", tag, *"_____", "_" if space or position == last else "SpaceAfter=No"))
        for position, (token, tag, space) in enumerate(zip(sentence.tokens, sentence.tags, spaces, strict=True))
    ]
    return "\n".join((*comments, *rows)) + "\n"


def write_file(texts: Iterable[str], path: Path) -> None:
    """Write texts to a file, which is renamed to ``path`` when it is complete."""
    write_with(path, lambda beside: fill(texts, beside))


def fill(texts: Iterable[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(texts)


def write_parallel(sentences: Iterable[Sentence], path: Path) -> None:
    """Write PATH.en and PATH.de, one sentence per line."""
    english, german = (path.with_name(path.name + ending) for ending in (".en", ".de"))
    write_with(english, lambda one: write_with(german, lambda other: fill_both(sentences, one, other)))


def fill_both(sentences: Iterable[Sentence], english: Path, german: Path) -> None:
    with (
        english.open("w", encoding="utf-8", newline="\n") as one,
        german.open("w", encoding="utf-8", newline="\n") as other,
    ):
        for sentence in sentences:
            one.write(sentence.english + "\n")
            other.write(sentence.german + "\n")


def parallel(sentence: Sentence) -> str:
    return f"{sentence.english}\t{sentence.german}"


def format_sentences(sentences: Iterable[Sentence], form: str, split: str) -> Iterator[str]:
    """Every sentence in a format, with its line end."""
    if form == "conllu":
        for number, sentence in enumerate(sentences, start=1):
            yield conllu(sentence, f"{split}-{number}") + "\n"
        return
    write: Callable[[Sentence], str] = {"table": table, "jsonl": json_line, "parallel": parallel}[form]
    for sentence in sentences:
        yield write(sentence) + "\n"
