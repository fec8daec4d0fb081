"""What can be wrong with a capture file."""


class Damage(Exception):
    """What is wrong from here on; what came before it is sound."""


class Unreadable(Exception):
    """Nothing can be read: the file is no capture, or its very beginning is damaged. The message names the remedy."""
