"""What the owner can mend. By itself, since it is needed where nothing else is imported yet."""


class UsageError(ValueError):
    """The owner asked for something that can't be; the message is one sentence with its fix."""


class SealedError(UsageError):
    """The inventory is encrypted, and there is no password; what needs nothing of it goes on."""
