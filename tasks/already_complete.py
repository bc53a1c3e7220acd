"""Whether a dataset is complete already: answered without Prefect, which takes seconds to load."""

from obstore.store import ObjectStore

from tasks.connection import bucket, sqs
from vbvrdatafactory.control.dataset_lock import LockClaim
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.driver.observe import look
from vbvrdatafactory.driver.reports import REPORT_JSON, build_report
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import SPEC
from vbvrdatafactory.sqs.depth import depth


def already_complete(plan: Plan) -> Report | None:
    """The report of the dataset as it is now, where a run would find nothing to do; None where it would.

    A run has something to do where samples are missing or torn ones left behind, where the bucket describes something
    else under the name or its report is not of what is there now, where another run has the dataset, and where
    messages wait in either queue.
    """
    store = bucket()
    if not _is_settled(store, plan.spec) or _queued():
        return None
    seen = look(store, plan)
    if len(seen.gaps) or seen.inventory.superseded(plan.generators):
        return None
    report = build_report(store, plan, seen, config.output_bucket)
    return report if report.complete and _is_reported(store, report) else None


def _is_settled(store: ObjectStore, spec: DatasetSpec) -> bool:
    """Whether just this was asked for before, and nobody is making it."""
    if records.read(store, keys.dataset_file(spec.dataset, SPEC), DatasetSpec) != spec:
        return False
    lease = records.read(store, keys.dataset_lock(spec.dataset), LockClaim)
    return lease is None or lease.released


def _is_reported(store: ObjectStore, report: Report) -> bool:
    """Whether the latest report filed says so too: samples may have come after a run that ended without them."""
    filed = records.read_if_valid(store, keys.dataset_file(report.dataset, REPORT_JSON), Report)
    return filed is not None and filed.complete and filed.total.expected == report.total.expected


def _queued() -> int:
    return depth(sqs(), config.sqs_queue_url).total + depth(sqs(), config.sqs_dlq_url).total
