"""What can be wrong with a capture file."""


class Damage(Exception):
    """What is wrong from here on; what came before it is sound."""


class Unreadable(Exception):
    """Nothing can be read: the file is no capture, or its very beginning is damaged. The message names the remedy."""


class Empty(Unreadable):
    """The file has no byte: a capture that is about to be written, or failed. Nothing in it is lost."""
