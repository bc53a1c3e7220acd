"""Approves what the runs of a dataset may spend."""

from datetime import UTC, datetime

from obstore.store import ObjectStore

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.s3.approval import write_approval
from vbvrdatafactory.s3.specs import read_spec


def approve(store: ObjectStore, dataset: str, max_cost_usd: float, *, by: str) -> Approval:
    """File that the runs of a dataset may spend so much from now on; returns what was filed.

    Args:
        store: the bucket.
        dataset: its name.
        max_cost_usd: at most so much, by list prices; 0 takes an approval back.
        by: who approves.

    Raises:
        DataFactoryError: the bucket describes no dataset of that name.
    """
    read_spec(store, dataset)
    approval = Approval(max_cost_usd=max_cost_usd, by=by, at=datetime.now(UTC))
    write_approval(store, dataset, approval)
    return approval
