"""The errors a caller branches on; everything else is a plain ValueError with the value in it."""


class DataFactoryError(Exception):
    """A failure a person can act on: its text is one line with the value and the next move."""


class ConfigError(DataFactoryError):
    """An address is needed and not set, or the environment holds something unusable."""


class SpecError(DataFactoryError, ValueError):
    """A dataset was asked for that cannot be planned."""
