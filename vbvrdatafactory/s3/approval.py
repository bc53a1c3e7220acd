"""Reads and writes what a dataset's runs may spend (``approval.json``)."""

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.core import keys
from vbvrdatafactory.s3 import records


def read_approval(store: ObjectStore, dataset: str) -> Approval | None:
    """The latest approval; None where nobody approved anything. It counts from when it was written, by the bucket's clock.

    Raises:
        DataFactoryError: the object can't be read as one.
    """
    approval = records.read(store, keys.approval(dataset), Approval)
    if approval is None:
        return None
    # A clock that is ahead must not make what is spent now a thing of before.
    written = obstore.head(store, keys.approval(dataset))["last_modified"]
    return approval.model_copy(update={"at": min(approval.at, written)})


def write_approval(store: ObjectStore, dataset: str, approval: Approval) -> None:
    """Write what runs read from now on."""
    records.write(store, keys.approval(dataset), approval)
