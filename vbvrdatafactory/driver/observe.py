"""Observes a dataset: lists its bucket, finds out what each sample is, and subtracts what is right from the plan."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from types import MappingProxyType

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.core.generators_lock import Pins, pin
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.contents import ContentReader, Found
from vbvrdatafactory.driver.services import Log, Services
from vbvrdatafactory.lockfile import read_lock
from vbvrdatafactory.planning.gaps import Observation, Refilled, find_gaps
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.judging import Judge
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.ledger import list_adopted
from vbvrdatafactory.s3.listing import Listed, Page, sizes, take_evidence, take_inventory
from vbvrdatafactory.s3.records import READ_THREADS

# Called with a generator and what was found of it, before its tables are dropped.
OnFound = Callable[[str, Found], None]

_NO_PINS = Pins()
_LOG = logging.getLogger(__name__)


def observe(  # noqa: PLR0913 - where, what for, and how to look
    store: ObjectStore,
    plan: Plan,
    on_listed: Listed | None = None,
    *,
    generators: Collection[str] | None = None,
    tried: Mapping[str, Collection[IndexRange]] = MappingProxyType({}),
    now: Pins = _NO_PINS,
    log: Log = _LOG,
    save: bool = True,
    on_found: OnFound | None = None,
) -> Observation:
    """List the bucket, join it with the ledger, and subtract it from the plan. New receipts are folded into the ledger.

    Args:
        store: the dataset's bucket.
        plan: the dataset's plan.
        on_listed: called with the number of keys seen so far each time a generator's listing ends.
        generators: look at these only.
        tried: of each generator, what this run has tried to make: what nobody recorded there is unfinished work.
        now: code and environment of each generator, as the generators' lock has them now.
        log: where the ledger can't be written.
        save: whether the ledger is written where it has changed.
        on_found: called with each generator, from several threads.
    """
    wanted = [name for name in plan.generators if generators is None or name in generators]
    evidence = take_evidence(store, wanted)
    inventory = Inventory(plan.spec.require)
    found: dict[str, Found] = {}

    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as readers:
        reader = ContentReader(
            store, Judge(plan, now), evidence, list_adopted(store), tried, readers, log if save else None
        )

        def read(generator: str, pages: Sequence[Page]) -> None:
            if generator in wanted:
                one = reader.read(generator, inventory, pages)
                if on_found:
                    on_found(generator, one)
                # The tables of three million samples do not fit beside each other.
                found[generator] = one._replace(rows=one.rows.clear(), listed=one.listed.clear())

        take_inventory(store, inventory, generators=generators, on_listed=on_listed, on_objects=read)
        for name in (name for name in wanted if name not in found):
            # Nothing of it is there; its receipts may be.
            read(name, [])
    contents = {name: found[name].contents for name in wanted}
    return Observation(
        inventory,
        find_gaps(plan, inventory, generators, contents),
        contents,
        evidence,
        {name: found[name].distinct for name in wanted},
        {name: found[name].left for name in wanted if found[name].left},
        reduce(Refilled.and_of, (one.refilled for one in found.values()), Refilled()),
        {name: found[name].videos for name in wanted if found[name].videos},
        {name: found[name].codes for name in wanted if found[name].codes},
        {name: found[name].batches for name in wanted if found[name].batches},
    )


def observe_plan(  # noqa: PLR0913 - as `observe`
    services: Services,
    plan: Plan,
    on_listed: Listed | None = None,
    *,
    generators: Collection[str] | None = None,
    tried: Mapping[str, Collection[IndexRange]] = MappingProxyType({}),
    save: bool = True,
    on_found: OnFound | None = None,
) -> Observation:
    """The same with what a run has: its bucket, its log, and the generators' lock of this machine where it matters."""
    now = Pins()
    if plan.spec.code == "current":
        now = pin(read_lock(services.config.generators_path), plan.generators)
    return observe(
        services.samples(plan.spec.prefix),
        plan,
        on_listed,
        generators=generators,
        tried=tried,
        now=now,
        log=services.log,
        save=save,
        on_found=on_found,
    )


def remove_superseded(store: ObjectStore, plan: Plan, seen: Observation) -> int:
    """Delete the files of torn samples that are whole elsewhere; returns how many samples that were.

    Where the dataset replaces what is not as it asks, also what was replaced and has other keys than what took its
    place.
    """
    folders = seen.inventory.superseded(plan.generators)
    for folder in folders:
        obstore.delete(store, [key for key, _ in sizes(store, folder)])
    replaced = replaced_objects(plan, seen)
    if replaced:
        obstore.delete(store, replaced)
    return len(folders) + len(replaced)


def replaced_objects(plan: Plan, seen: Observation) -> list[str]:
    """Keys of objects that others have replaced."""
    if plan.spec.on_mismatch != "replace":
        return []
    return [key for keys in seen.left.values() for key in keys]
