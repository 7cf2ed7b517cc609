"""The error for inputs that cannot be used."""

ECHO = 80  # characters of an input that a message repeats


class InputError(ValueError):
    """An input cannot be used. The message is shown to the user: what is wrong, where, and what to do."""


def shorten(value: object, length: int = ECHO) -> str:
    """An input as messages repeat it: on one line, printable, and cut to ``length`` characters.

    None, True and False are spelled as configs spell them.
    """
    spelled = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    text = "".join(character if character.isprintable() else " " for character in spelled[: length + 1])
    return text if len(text) <= length else f"{text[: length - 1]}…"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its name where it has none."""
    lines = str(error).strip().splitlines()
    return shorten(lines[0].rstrip("."), 200) if lines else type(error).__name__
