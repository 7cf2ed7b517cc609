"""Overrides as Hydra's command line takes them: ``key=value``, ``+key=value``, ``~key``."""


def split_override(override: str) -> tuple[str, str, str | None]:
    """The sign (``+``, ``++``, ``~`` or none), the key and the value of an override; None where there is no value."""
    rest = override.lstrip("+~")
    key, equals, value = rest.partition("=")
    return override.removesuffix(rest), key, value if equals else None


def join_override(sign: str, key: str, value: str | None) -> str:
    """An override in one piece again."""
    return f"{sign}{key}" if value is None else f"{sign}{key}={value}"
