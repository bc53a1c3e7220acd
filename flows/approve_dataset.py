"""``approve-dataset``: says what the runs of a dataset may spend, where they ask for that."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.ending import told_in_one_line
from flows.form import Dataset, Usd
from tasks.approval import approve
from tasks.services import connected
from vbvrdatafactory.core.escaping import for_terminal


@flow(name="approve-dataset", flow_run_name="approve-dataset/{dataset}")
@told_in_one_line
def approve_dataset(dataset: Dataset = "dataset", max_cost_usd: Usd = 0.0) -> State[Any]:
    """Approve what the runs of a dataset may spend from now on; it takes the place of what was approved before.

    Args:
        dataset: Name under which the dataset was asked for.
        max_cost_usd: At most so much, by list prices of AWS; 0 takes an approval back.
    """
    with connected():
        approval = approve(dataset, max_cost_usd)
    return Completed(message=for_terminal(f"{dataset}: {approval}"), data=approval)
