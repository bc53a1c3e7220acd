"""Whether a dataset needs no run: seen in one listing."""

from obstore.store import ObjectStore

from vbvrdatafactory.control.dataset_lock import LockClaim
from vbvrdatafactory.core import keys
from vbvrdatafactory.driver.observe import observe_plan, replaced_objects
from vbvrdatafactory.driver.reports import REPORT_JSON, build_report
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import SPEC
from vbvrdatafactory.sqs.depth import depth


def already_complete(services: Services, plan: Plan) -> Report | None:
    """The report of the dataset as it is now, where a run would find nothing to do; None where it would.

    A run has something to do where samples are missing or torn ones left behind, where the bucket has another spec
    under the name or its report does not show what it holds now, where another run holds the dataset lock, and
    where messages are in either queue.
    """
    store = services.bucket
    if not _is_settled(store, plan.spec) or _queued(services):
        return None
    seen = observe_plan(services, plan, save=False)
    if len(seen.gaps) or seen.inventory.superseded(plan.generators) or replaced_objects(plan, seen):
        return None
    report = build_report(services.samples(plan.spec.prefix), plan, seen, services.config.output_bucket)
    return report if report.complete and _is_reported(store, report) else None


def _is_settled(store: ObjectStore, spec: DatasetSpec) -> bool:
    """Whether exactly this spec is filed, and no run holds the lock."""
    if records.read(store, keys.dataset_file(spec.dataset, SPEC), DatasetSpec) != spec:
        return False
    claim = records.read(store, keys.dataset_lock(spec.dataset), LockClaim)
    return claim is None or claim.released


def _is_reported(store: ObjectStore, report: Report) -> bool:
    """Whether the latest filed report says so too: samples may have come after a run that ended without them."""
    filed = records.read_if_valid(store, keys.dataset_file(report.dataset, REPORT_JSON), Report)
    return filed is not None and filed.complete and filed.total.expected == report.total.expected


def _queued(services: Services) -> int:
    config = services.config
    return sum(depth(services.sqs, url).total for url in (config.sqs_queue_url, config.sqs_dlq_url))
