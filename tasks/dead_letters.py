"""Tasks on the dead letter queue."""

from collections.abc import Sequence

from prefect import task

from tasks.retries import RETRIED
from tasks.services import services
from vbvrdatafactory.control.dead_letters import RedriveSummary
from vbvrdatafactory.driver import dead_letters
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts


@task(task_run_name="{dataset}/{step}/file-dead-letters", **RETRIED)
def file_dead_letters(dataset: str, step: str) -> DeadLetterCounts:
    """File this dataset's dead letters with their causes, then delete them from the queue."""
    del step  # it names the task run
    return dead_letters.file_dead_letters(services(), dataset)


@task(task_run_name="redrive", persist_result=False)
def redrive(patterns: Sequence[str], *, dry_run: bool) -> RedriveSummary:
    """Move dead letters back to the task queue; names, globs or ``all`` say whose."""
    return dead_letters.redrive(services(), patterns, dry_run=dry_run)
