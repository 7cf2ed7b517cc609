"""Words of a text in any script, as baselines and breakdowns by length count them."""

import re

import regex

SCRIPTS_WITHOUT_SPACES = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")

UNSPACED = "".join(rf"\p{{{script}}}" for script in SCRIPTS_WITHOUT_SPACES)
UNSPACED_LETTER = regex.compile(rf"[{UNSPACED}--\p{{M}}]\p{{M}}*", regex.V1)
ASCII_WORD = re.compile(r"\w+(?:'\w+)*|\S")  # the same for ASCII, several times faster
UNSPACED_PIECE = regex.compile(rf"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")  # with the punctuation of such scripts
CLOSING, OPENING = frozenset(".,;:!?%)]}…»”’。，、！？；："), frozenset("([{¿¡«“")
WORD = regex.compile(
    rf"""
    [{UNSPACED}--\p{{M}}]\p{{M}}*                            # letters of scripts without spaces, one by one
    | [[\w\p{{M}}]--[{UNSPACED}--\p{{M}}]]+                    # words with their combining marks
      (?:['’][[\w\p{{M}}]--[{UNSPACED}--\p{{M}}]]+)*
    | \S                                                    # any other character
    """,
    regex.VERBOSE | regex.V1,
)


def words(text: str) -> list[str]:
    """Words and punctuation marks; every letter of a script without spaces is a word."""
    return ASCII_WORD.findall(text) if text.isascii() else WORD.findall(text)


def lowercase_words(text: str) -> list[str]:
    return words(text.lower())


def join_words(pieces: list[str]) -> str:
    """Words as text, with the usual spaces between words and around punctuation marks."""
    text = ""
    for before, piece in zip(["", *pieces], pieces, strict=False):
        text += piece if attached(before, piece) else f" {piece}"
    return text


def attached(before: str, piece: str) -> bool:
    """Whether there is no space between two words."""
    if not before or piece in CLOSING or before in OPENING:
        return True
    return UNSPACED_PIECE.match(before) is not None and UNSPACED_PIECE.match(piece) is not None


def number_of_words(text: str) -> int:
    """White-space separated words; letters of scripts without spaces count one by one."""
    letters, rest = UNSPACED_LETTER.subn(" ", text)[::-1]
    return letters + len(rest.split())


def script_share(text: str, *scripts: str) -> float:
    """The fraction of the letters of a text that belong to these scripts; 0 for a text without letters."""
    letters = len(regex.findall(r"\p{L}", text))
    found = len(regex.findall("|".join(rf"[\p{{{script}}}&&\p{{L}}]" for script in scripts), text, regex.V1))
    return found / letters if letters else 0.0
