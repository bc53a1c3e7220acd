"""The door to a dataset's control file."""

from obstore.store import ObjectStore

from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.s3 import records


def read_pause(store: ObjectStore, dataset: str) -> PauseState | None:
    """What was last wanted; None where nobody ever wanted anything.

    Raises:
        DataFactoryError: what lies there can't be read.
    """
    return records.read(store, keys.pause_state(dataset), PauseState)


def write_pause(store: ObjectStore, dataset: str, control: PauseState) -> None:
    """Say what is wanted from now on."""
    records.write(store, keys.pause_state(dataset), control)
