"""The one exception that is meant for the person at the keyboard, and what others are called in its sentence."""


class UserError(Exception):
    """Something that the user can mend: the message is one sentence that says what is wrong, where, and what to do."""


def cause(error: Exception) -> str:
    """Return the kind of `error` and the first line of what it says."""
    return f"{type(error).__name__}: " + str(error).partition("\n")[0]
