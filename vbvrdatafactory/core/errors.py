"""The errors that callers distinguish; every other one is a ValueError with the value in its text."""


class DataFactoryError(Exception):
    """An error that a person can act on: its text is one line with the value and what to do."""


class ConfigError(DataFactoryError):
    """A required address is not set, or a value of the environment is invalid."""


class SpecError(DataFactoryError, ValueError):
    """The requested dataset cannot be planned."""


class ReleaseError(DataFactoryError, ValueError):
    """A release that can't be made as it is asked for, or that is none."""


class UnreadableRecordError(DataFactoryError):
    """A record in the bucket is damaged, or is not what its key says."""


class NewerSchemaError(UnreadableRecordError):
    """A record or a message has a newer ``schema_version`` than this version of the software can read.

    Args:
        kind: its model, such as ``Receipt``.
        found: its ``schema_version``.
        known: the newest version that can be read.
        where: its key; empty for a message.
    """

    def __init__(self, kind: str, found: int, known: int, where: str = "") -> None:
        self.kind, self.found, self.known, self.where = kind, found, known, where
        place = f"{where}: " if where else ""
        super().__init__(
            f"{place}the {kind} has schema_version {found}, and this version of vbvrdatafactory reads up to {known}; "
            "update it"
        )
