"""Observes a dataset: lists its bucket and subtracts what is there from the plan."""

from collections.abc import Collection

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.driver.origins import take_origins
from vbvrdatafactory.planning.gaps import Observation, find_gaps
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.listing import Listed, sizes, take_inventory


def observe(
    store: ObjectStore,
    plan: Plan,
    on_listed: Listed | None = None,
    *,
    generators: Collection[str] | None = None,
) -> Observation:
    """List the bucket and subtract it from the plan; only `generators` of it where they are given."""
    inventory = take_inventory(store, plan.spec.require, generators=generators, on_listed=on_listed)
    return Observation(inventory, find_gaps(plan, inventory, generators))


def with_origins(store: ObjectStore, plan: Plan, seen: Observation) -> Observation:
    """The same observation, with what receipts say about the seeds that made the samples."""
    return seen._replace(origins=take_origins(store, plan, seen.inventory))


def remove_superseded(store: ObjectStore, plan: Plan, seen: Observation) -> int:
    """Delete the files of torn samples that are whole elsewhere; returns how many samples that were."""
    folders = seen.inventory.superseded(plan.generators)
    for folder in folders:
        obstore.delete(store, [key for key, _ in sizes(store, folder)])
    return len(folders)
