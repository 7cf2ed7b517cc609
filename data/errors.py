"""What a user is told when an input cannot be used."""


class InputError(ValueError):
    """Something given cannot be used. The message is shown as it is: what is wrong, where, and what to do."""
