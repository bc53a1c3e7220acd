"""What receipts tell of the samples' contents, read within bounds."""

from concurrent.futures import ThreadPoolExecutor

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Receipt
from vbvrdatafactory.planning.distinct import Distinct, count_distinct, to_look_at
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.records import READ_THREADS, read_if_valid


def distinct_samples(store: ObjectStore, plan: Plan, evidence: Evidence) -> dict[str, Distinct]:
    """How many different samples each generator of `plan` made, as far as the receipts that are looked at tell.

    Receipts of one generator are in memory at a time; one that can't be read is none.
    """
    found = {}
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        for name, line in plan.generators.items():
            runs = evidence.runs(name)
            chosen = [keys.receipt(run.key) for run in to_look_at(runs, line.samples, len(plan.generators))]
            receipts = pool.map(lambda key: read_if_valid(store, key, Receipt), chosen)
            found[name] = count_distinct(filter(None, receipts), line.samples, len(runs))
    return found
