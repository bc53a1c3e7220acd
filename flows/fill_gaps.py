"""``fill-gaps``: the same loop on a dataset that the bucket already describes."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.ending import ending
from flows.loop import make_complete
from tasks.dataset import recall_dataset
from tasks.queue import Patience


@flow(name="fill-gaps", flow_run_name="fill-{dataset}")
def fill_gaps(
    dataset: str = "dataset", max_rounds: int = 4, poll_seconds: float = 15.0, stall_minutes: float = 15.0
) -> State[Any]:
    """Make what a dataset lacks, exactly.

    Args:
        dataset: Name under which the dataset was asked for.
        max_rounds: How often what is still missing is sent again.
        poll_seconds: Seconds between two looks at the queue.
        stall_minutes: Minutes after which messages that nobody takes end the run.
    """
    plan = recall_dataset(dataset)
    return ending(make_complete(plan, Patience.of(poll_seconds, stall_minutes), max_rounds))
