"""The task that approves what a dataset's runs may spend."""

from prefect import task
from prefect.runtime import flow_run

from tasks.retries import RETRIED
from tasks.services import services
from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.driver import approving


@task(task_run_name="{dataset}/approve", **RETRIED)
def approve(dataset: str, max_cost_usd: float) -> Approval:
    """File the approval.

    Raises:
        DataFactoryError: the bucket describes no dataset of that name.
    """
    return approving.approve(services().bucket, dataset, max_cost_usd, by=f"flow run {flow_run.name}")
