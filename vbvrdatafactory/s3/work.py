"""What is left to do for a dataset, read from its bucket: the one step that flows and the command share."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.gaps import Gap, Look, find_gaps
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.plan import Plan
from vbvrdatafactory.core.replan import messages
from vbvrdatafactory.core.report import Report, make_report
from vbvrdatafactory.s3.contents import distinct_samples
from vbvrdatafactory.s3.listing import Listed, sizes, take_evidence, take_inventory
from vbvrdatafactory.s3.origins import take_origins
from vbvrdatafactory.s3.records import explain_failures, read_receipts


def look(
    store: ObjectStore,
    plan: Plan,
    on_listed: Listed | None = None,
    *,
    generators: Collection[str] | None = None,
) -> Look:
    """List the bucket and subtract it from the plan; only `generators` of it where they are given."""
    inventory = take_inventory(store, plan.spec.require, generators=generators, on_listed=on_listed)
    return Look(inventory, find_gaps(plan, inventory, generators))


def with_origins(store: ObjectStore, plan: Plan, seen: Look) -> Look:
    """The same look with what receipts tell of which seed made what is there."""
    return seen._replace(origins=take_origins(store, plan, seen.inventory))


def report(store: ObjectStore, plan: Plan, seen: Look, bucket: str) -> Report:
    """The dataset's completeness as it was seen, dated now, and why what is missing is: all but what a run did.

    Args:
        store: the dataset's bucket.
        plan: the dataset's plan.
        seen: what a listing showed.
        bucket: the bucket's name, for people.
    """
    evidence = take_evidence(store, plan.generators)
    made = make_report(
        plan,
        seen.inventory,
        at=datetime.now(UTC),
        bucket=bucket,
        distinct=distinct_samples(store, plan, evidence),
        origins=take_origins(store, plan, seen.inventory, evidence),
    )
    return made.model_copy(update={"failures": explain_failures(store, evidence, seen.gaps)})


def remove_superseded(store: ObjectStore, plan: Plan, seen: Look) -> int:
    """Delete what is left of torn samples that were seen whole elsewhere; returns how many samples that were."""
    folders = seen.inventory.superseded(plan.generators)
    for folder in folders:
        obstore.delete(store, [key for key, _ in sizes(store, folder)])
    return len(folders)


def messages_for(
    store: ObjectStore, plan: Plan, gaps: Iterable[Gap], evidence: Evidence | None = None
) -> Iterator[TaskMessage]:
    """The messages that make exactly what is missing, generator by generator.

    Args:
        store: the dataset's bucket.
        plan: the dataset's plan.
        gaps: what it lacks.
        evidence: receipts and failures of those generators; read from the bucket where not given.
    """
    gaps = list(gaps)
    evidence = evidence or take_evidence(store, [gap.generator for gap in gaps])
    for gap in gaps:
        yield from messages(plan, gap, evidence, read_receipts(store, plan, gap, evidence))
