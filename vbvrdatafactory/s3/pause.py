"""Reads and writes whether a dataset is paused (``control.json``)."""

from obstore.store import ObjectStore

from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.s3 import records


def read_pause(store: ObjectStore, dataset: str) -> PauseState | None:
    """The state as it was last written; None where the dataset was never paused.

    Raises:
        DataFactoryError: the object can't be read as one.
    """
    return records.read(store, keys.pause_state(dataset), PauseState)


def write_pause(store: ObjectStore, dataset: str, state: PauseState) -> None:
    """Write the state that runs read from now on."""
    records.write(store, keys.pause_state(dataset), state)
