"""The task that finds out why generators made nothing."""

from collections.abc import Sequence

from prefect import task

from tasks.connection import bucket
from tasks.letters import Letters
from tasks.run import Run
from vbvrdatafactory.core.circuit import Setback, setback
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.core.report import Broken
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence


@task(task_run_name="{run.dataset}/{step}/judge", persist_result=False)
def explain_setbacks(run: Run, generators: Sequence[str], letters: Letters, step: str) -> dict[str, Setback]:
    """Why each of these generators made nothing, by their failures in this run, else by their dead letters."""
    del step  # it names the task run
    evidence = take_evidence(bucket(), generators)
    found = {generator: setback(evidence, generator, run.gate.since) for generator in generators}
    lost = {generator for generator, cause in letters if cause is Cause.WORKER_LOST}
    return {
        generator: Setback(Cause.WORKER_LOST) if why.failed is None and generator in lost else why
        for generator, why in found.items()
    }


def describe_broken(generator: str, why: Setback) -> Broken:
    """A generator that was given up, with what its latest failure said."""
    detail = records.detail_of(bucket(), why.failed) if why.failed else ""
    return Broken(generator=generator, cause=why.cause, detail=detail)
