"""Reads which seeds made the samples that are there: a listing of receipts, which carry the seed in their names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Receipt
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.evidence import Evidence, SuccessRecord
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.origins import Origin, describe, next_move, origin_of
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.run_figures import EndedEarly, Reason
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.records import READ_THREADS, read_if_valid
from vbvrdatafactory.s3.specs import read_all_specs


def take_origins(
    store: ObjectStore, plan: Plan, inventory: Inventory, evidence: Evidence | None = None
) -> dict[str, Origin]:
    """What made the samples of each of the plan's generators that has any.

    Receipts of before their names had the seed are read, one by one.

    Args:
        store: the dataset's bucket.
        plan: the dataset's plan.
        inventory: what is there.
        evidence: receipts of all its generators; read from the bucket where not given.
    """
    shown = {
        line.generator: inventory[line.generator].present(IndexRange(0, line.samples))
        for line in plan.generators.values()
    }
    there = {generator: present for generator, present in shown.items() if 1 in present}
    evidence = evidence or take_evidence(store, there)
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as readers:
        return {
            generator: origin_of(plan, present, _with_seeds(store, readers, evidence.runs(generator)))
            for generator, present in there.items()
        }


def _with_seeds(
    store: ObjectStore, readers: ThreadPoolExecutor, runs: list[SuccessRecord]
) -> Iterator[SuccessRecord]:
    yield from (made for made in runs if made.key.seed is not None)
    yield from readers.map(
        lambda made: _with_seed(store, made), [made for made in runs if made.key.seed is None]
    )


def other_seed(store: ObjectStore, plan: Plan, seen: Observation) -> EndedEarly | None:
    """Why nothing is sent for the plan where some samples were made for another seed; None where none were.

    What is sent would mix with them, and the dataset could never be complete.
    """
    if not seen.origins or not seen.other_seed:
        return None
    return EndedEarly(
        reason=Reason.OTHER_SEED,
        detail=describe(seen.origins, plan.spec),
        next_move=next_move(seen.origins, read_all_specs(store)),
    )


def _with_seed(store: ObjectStore, made: SuccessRecord) -> SuccessRecord:
    """The run with the seed that its receipt tells; without one where it can't be read."""
    receipt = read_if_valid(store, keys.receipt(made.key), Receipt)
    return made._replace(key=made.key._replace(seed=receipt.seed)) if receipt else made
