"""The error for inputs that cannot be used."""


class InputError(ValueError):
    """An input cannot be used. The message is shown to the user: what is wrong, where, and what to do."""
