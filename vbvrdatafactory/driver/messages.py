"""The messages that make exactly what is missing: receipts and failure records say how."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError, UnreadableRecordError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.replan import holes, messages
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.records import READ_THREADS, read_receipt


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


def read_receipts(
    store: ObjectStore, plan: Plan, gap: Gap, evidence: Evidence
) -> dict[keys.ReceiptKey, Receipt]:
    """The receipts of the runs that made the neighbours of what is missing; those deleted meanwhile are left out.

    One whose name does not tell its seed may turn out to be of another than the dataset's; then an earlier run counts.

    Raises:
        UnreadableRecordError: one can't be read. Fresh samples would take the place of those it could replay.
    """
    found: dict[keys.ReceiptKey, Receipt] = {}
    deleted: set[keys.ReceiptKey] = set()
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        while wanted := holes(plan, gap, evidence, found).keys() - found.keys() - deleted:
            read_now = pool.map(lambda key: (key, _read(store, key)), wanted)
            found |= {key: receipt for key, receipt in read_now if receipt}
            deleted |= wanted - found.keys()
    return found


def _read(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    try:
        return read_receipt(store, key)
    except DataFactoryError as error:
        raise UnreadableRecordError(
            f"{error}; it says how samples of {key.generator} were made that are missing now. Restore it, or delete it "
            "to have fresh samples made in their place"
        ) from error
