"""The task that finds out why generators made nothing."""

from collections.abc import Sequence

from prefect import task

from tasks.retries import RETRIED
from tasks.services import services
from vbvrdatafactory.control.circuit_breaker import FailureSummary
from vbvrdatafactory.driver import failures
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts
from vbvrdatafactory.driver.run import Run


@task(task_run_name="{run.dataset}/{step}/summarize-failures", **RETRIED)
def summarize_failures(
    run: Run, generators: Sequence[str], letters: DeadLetterCounts, step: str
) -> dict[str, FailureSummary]:
    """Why each of these generators made nothing in the run."""
    del step  # it names the task run
    return failures.summarize(services(), run, generators, letters)
