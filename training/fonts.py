"""Text in figures: in any script for which a font is installed, and never two labels that look the same."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib import font_manager

log = logging.getLogger(__name__)

LONGEST = 28  # characters of a label
NOT_FONTS = ("Last Resort", "LastResort")  # these have a box for every character


class Labels(NamedTuple):
    """Labels as they are drawn."""

    texts: list[str]
    families: list[str]  # in the order in which matplotlib looks for a character
    legend: dict[str, str]  # label as it is drawn -> name, where they differ


def drawable(names: Sequence[str]) -> Labels:
    """Different names as different labels: long ones are cut, and those that no installed font has are numbered."""
    shown = [shorten(name) for name in names]
    families = families_for({character for text in shown for character in text if not character.isspace()})
    covered = {character for family in families for character in characters(family)}
    repeated = {text for text, count in Counter(shown).items() if count > 1}
    texts = []
    for number, (name, text) in enumerate(zip(names, shown, strict=True), start=1):
        missing = not text.strip() or any(c not in covered for c in text if not c.isspace())
        cut = text if text == name else f"{text} [{number}]" if text in repeated else text
        texts.append(f"[{number}]" if missing else cut)
    return Labels(distinct(texts), families, {t: n for t, n in zip(distinct(texts), names, strict=True) if t != n})


def readable(text: str) -> tuple[str, list[str]]:
    """A text of one line or more, with ``?`` for characters that no installed font has, and its font families."""
    families = families_for({character for character in text if not character.isspace()})
    covered = {character for family in families for character in characters(family)}
    return "".join(c if c.isspace() or c in covered else "?" for c in text), families


def distinct(texts: Sequence[str]) -> list[str]:
    """The same texts, with a number behind every one that was there before."""
    found: list[str] = []
    for number, text in enumerate(texts, start=1):
        found.append(f"{text} [{number}]" if text in found else text)
    return found


def shorten(name: str) -> str:
    """A name on one line, cut in its middle to ``LONGEST`` characters, with a mark for control characters."""
    line = "".join(character if character.isprintable() else "\u2423" for character in name)
    if len(line) <= LONGEST:
        return line
    return f"{line[: LONGEST * 2 // 3]}…{line[-(LONGEST // 3 - 1) :]}"


def families_for(needed: set[str]) -> list[str]:
    """The default family, and so many of the other installed ones that they have the characters, if any do."""
    default = font_manager.FontProperties().get_name()
    families, missing = [default], needed - characters(default)
    while missing:
        best = max(installed(), key=lambda family: (len(characters(family) & missing), family), default=default)
        if not characters(best) & missing:
            break
        families.append(best)
        missing = missing - characters(best)
    return families


@cache
def installed() -> tuple[str, ...]:
    """The families of all installed fonts."""
    return tuple(sorted({font.name for font in font_manager.fontManager.ttflist if is_text_font(font.name)}))


def is_text_font(family: str) -> bool:
    return not family.startswith(NOT_FONTS)


@cache
def characters(family: str) -> frozenset[str]:
    """The characters that a family has in all its fonts; none where it is not installed or cannot be read."""
    paths = [font.fname for font in font_manager.fontManager.ttflist if font.name == family]
    try:
        found = [frozenset(map(chr, matplotlib.ft2font.FT2Font(path).get_charmap())) for path in paths]
    except (OSError, RuntimeError, ValueError):
        return frozenset()
    return frozenset.intersection(*found) if found else frozenset()


def report_legend(labels: Labels, path: Path) -> None:
    """Say which names a figure shows by other labels."""
    if labels.legend:
        entries = ", ".join(f"{text} = {name[:80]}" for text, name in list(labels.legend.items())[:20])
        log.warning("%s shows labels that are too long, or that no installed font has, as: %s", path.name, entries)
