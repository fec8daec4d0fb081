"""Errors that a user can cause; each message is one sentence with the place and the remedy."""


class UserError(ValueError):
    """A mistake in what the user gave us: the command line prints it without a traceback."""


class ConfigError(UserError):
    """A flag or option has a value that cannot be used."""


class CaptureError(UserError):
    """A capture file cannot be read: names the file, the byte offset and the remedy."""


class NoSessionError(CaptureError):
    """Captures were read to their end and none of their packets is of a session."""


class DataError(UserError):
    """A published idx file, a prepared data set or a TFRecord shard cannot be used."""


class TrainingError(UserError):
    """A training cannot go on with the settings it was given."""


class ModelFileError(UserError):
    """A saved classifier or training state cannot be used."""
