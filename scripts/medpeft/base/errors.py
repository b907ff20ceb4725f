"""Exceptions: the one for the person at the keyboard, and those that are the result of a run."""

from medpeft.base.redaction import redacted


class UserError(Exception):
    """Something that the user can mend: its message is one sentence that says what is wrong, where, and what to do.

    Secrets of addresses are left out of it.
    """

    def __init__(self, message: str):
        super().__init__(redacted(message))


class RunFailed(Exception):
    """Training failed, and the failure is a result to report: memory ran out, or the loss became NaN or infinite."""


class OutOfMemory(RunFailed):
    """The memory of the device does not hold the work."""


def cause(error: Exception) -> str:
    """Return the kind of `error` and the first line of what it says."""
    return f"{type(error).__name__}: " + str(error).partition("\n")[0]
