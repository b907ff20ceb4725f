"""Exceptions: the one that is meant for the person at the keyboard, and those that are the result of a run."""


class UserError(Exception):
    """Something that the user can mend: the message is one sentence that says what is wrong, where, and what to do."""


class RunFailed(Exception):
    """A run ended without a network, which is itself a result: out of memory, or a loss that is not finite."""


class OutOfMemory(RunFailed):
    """The memory of the device does not hold the work."""


def cause(error: Exception) -> str:
    """Return the kind of `error` and the first line of what it says."""
    return f"{type(error).__name__}: " + str(error).partition("\n")[0]
