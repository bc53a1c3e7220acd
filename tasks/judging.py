"""The task that finds out why generators made nothing."""

from collections.abc import Sequence

from prefect import task

from tasks.connection import bucket
from tasks.letters import Letters
from tasks.run import Run
from vbvrdatafactory.control.circuit_breaker import FailureSummary, summarize_failures
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.driver.reports import detail_of
from vbvrdatafactory.report.completeness import Broken
from vbvrdatafactory.s3.listing import take_evidence


@task(task_run_name="{run.dataset}/{step}/judge", persist_result=False)
def explain_setbacks(
    run: Run, generators: Sequence[str], letters: Letters, step: str
) -> dict[str, FailureSummary]:
    """Why each of these generators made nothing, by their failures in this run, else by their dead letters."""
    del step  # it names the task run
    evidence = take_evidence(bucket(), generators)
    found = {generator: summarize_failures(evidence, generator, run.gate.since) for generator in generators}
    lost = {generator for generator, cause in letters if cause is Cause.WORKER_LOST}
    return {
        generator: FailureSummary(Cause.WORKER_LOST) if why.failed is None and generator in lost else why
        for generator, why in found.items()
    }


def describe_broken(generator: str, why: FailureSummary) -> Broken:
    """A generator that was given up, with what its latest failure said."""
    detail = detail_of(bucket(), why.failed) if why.failed else ""
    return Broken(generator=generator, cause=why.cause, detail=detail)
