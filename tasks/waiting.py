"""The task that waits until the queue is drained, or until waiting is of no use any more."""

from collections.abc import Collection

from prefect import task

from tasks import artifacts, events
from tasks.services import services
from vbvrdatafactory.driver import wait
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.wait import WaitResult
from vbvrdatafactory.report.run_figures import Reason


@task(task_run_name="{run.dataset}/{step}/wait", persist_result=False)
def wait_until_drained(run: Run, step: str, held_back: Collection[str] = ()) -> WaitResult:
    """Poll queue and bucket, show the progress on the run page, and emit an event where the queue has stalled."""
    del step  # it names the task run
    result = wait.wait_until_drained(services(), run, held_back, artifacts.show_progress)
    if result.early and result.early.reason is Reason.STALLED:
        events.queue_stalled(run.dataset, result.early)
    return result
