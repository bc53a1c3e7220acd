"""Whether a dataset is complete already: answered without Prefect, which takes seconds to load."""

from obstore.store import ObjectStore

from tasks.connection import bucket, sqs
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.lease import Lease
from vbvrdatafactory.core.plan import DatasetSpec, Plan
from vbvrdatafactory.core.report import Report
from vbvrdatafactory.s3 import records, work
from vbvrdatafactory.sqs.depth import depth


def already_complete(plan: Plan) -> Report | None:
    """The report of the dataset as it is now, where a run would find nothing to do; None where it would.

    A run has something to do where samples are missing or torn ones left behind, where the bucket describes something else under the name
    or has no report on it, where another run has the dataset, and where messages wait in either queue.
    """
    store = bucket()
    if not _is_settled(store, plan.spec) or _queued():
        return None
    seen = work.look(store, plan)
    if len(seen.gaps) or seen.inventory.superseded(plan.generators):
        return None
    report = work.report(store, plan, seen, config.output_bucket)
    return report if report.complete else None


def _is_settled(store: ObjectStore, spec: DatasetSpec) -> bool:
    """Whether just this was asked for before, was reported on, and nobody is making it."""
    filed = records.read(store, keys.dataset_file(spec.dataset, records.SPEC), DatasetSpec)
    if filed != spec or not records.has_report(store, spec.dataset):
        return False
    lease = records.read(store, keys.lease(spec.dataset), Lease)
    return lease is None or lease.released


def _queued() -> int:
    return depth(sqs(), config.sqs_queue_url).total + depth(sqs(), config.sqs_dlq_url).total
