"""The door to a dataset's control file."""

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.control import Control
from vbvrdatafactory.s3 import records


def read_control(store: ObjectStore, dataset: str) -> Control | None:
    """What was last wanted; None where nobody ever wanted anything.

    Raises:
        DataFactoryError: what lies there can't be read.
    """
    return records.read(store, keys.control(dataset), Control)


def write_control(store: ObjectStore, dataset: str, control: Control) -> None:
    """Say what is wanted from now on."""
    records.write(store, keys.control(dataset), control)
