"""Why generators made nothing in a run."""

from collections.abc import Iterable

from obstore.store import ObjectStore

from vbvrdatafactory.control.circuit_breaker import FailureSummary, summarize_failures
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts
from vbvrdatafactory.driver.reports import detail_of
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.report.run_figures import Broken
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.records import read_if_valid

# Characters of a generator's stderr that a report has.
_STDERR = 4000


def summarize(
    services: Services, run: Run, generators: Iterable[str], dead_letters: DeadLetterCounts
) -> dict[str, FailureSummary]:
    """Why each of these generators made nothing: by its failures in this run, else by its dead letters."""
    generators = list(generators)
    evidence = take_evidence(services.samples(run.plan.spec.prefix), generators)
    found = {name: summarize_failures(evidence, name, run.guard.since) for name in generators}
    lost = {name for name, cause in dead_letters if cause is Cause.WORKER_LOST}
    return {
        name: FailureSummary(Cause.WORKER_LOST) if why.failed is None and name in lost else why
        for name, why in found.items()
    }


def describe_broken(store: ObjectStore, generator: str, why: FailureSummary) -> Broken:
    """A generator that is skipped for the rest of a run, with what its latest failure record says."""
    detail = detail_of(store, why.failed) if why.failed else ""
    record = read_if_valid(store, keys.failure(why.failed.key), FailureRecord) if why.failed else None
    stderr = record.stderr_tail[-_STDERR:] if record else ""
    return Broken(generator=generator, cause=why.cause, detail=detail, stderr_tail=stderr)
