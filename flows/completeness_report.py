"""``completeness-report``: looks and tells; sends nothing, and writes nothing to the bucket but new receipts into the ledger."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.ending import ending, told_in_one_line
from flows.form import Dataset
from tasks.dataset import observe_bucket, publish_report, read_plan
from tasks.services import connected


@flow(name="completeness-report", flow_run_name="completeness-report/{dataset}")
@told_in_one_line
def completeness_report(dataset: Dataset = "dataset") -> State[Any]:
    """Say how complete a dataset is right now.

    Args:
        dataset: Name under which the dataset was asked for.
    """
    with connected():
        plan = read_plan(dataset)
        return ending(publish_report(plan, observe_bucket(plan, "now"), file=False))
