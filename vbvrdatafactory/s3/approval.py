"""Reads and writes what a dataset's runs may spend (``approval.json``)."""

from obstore.store import ObjectStore

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.core import keys
from vbvrdatafactory.s3 import records


def read_approval(store: ObjectStore, dataset: str) -> Approval | None:
    """The latest approval; None where nobody approved anything.

    Raises:
        DataFactoryError: the object can't be read as one.
    """
    return records.read(store, keys.approval(dataset), Approval)


def write_approval(store: ObjectStore, dataset: str, approval: Approval) -> None:
    """Write what runs read from now on."""
    records.write(store, keys.approval(dataset), approval)
