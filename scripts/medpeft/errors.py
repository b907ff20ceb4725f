"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something that the user can mend: the message is one sentence that says what is wrong, where, and what to do."""
