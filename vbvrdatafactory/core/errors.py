"""The errors a caller branches on; everything else is a plain ValueError with the value in it."""


class DataFactoryError(Exception):
    """A failure a person can act on: its text is one line with the value and the next move."""


class ConfigError(DataFactoryError):
    """An address is needed and not set, or the environment holds something unusable."""


class SpecError(DataFactoryError, ValueError):
    """A dataset was asked for that cannot be planned."""


class UnreadableRecordError(DataFactoryError):
    """A record in the bucket is damaged, or is not what its key says."""


class NewerSchemaError(UnreadableRecordError):
    """A record or a message was written by a newer version of this software, by a schema that is not known here.

    Args:
        kind: what it is, such as ``Receipt``.
        found: its ``schema_version``.
        known: the newest that is known here.
        where: its key; empty for a message.
    """

    def __init__(self, kind: str, found: int, known: int, where: str = "") -> None:
        self.kind, self.found, self.known, self.where = kind, found, known, where
        place = f"{where}: " if where else ""
        super().__init__(
            f"{place}the {kind} has schema_version {found}, and this version of vbvrdatafactory reads up to {known}; "
            "update it"
        )
