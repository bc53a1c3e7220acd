"""``fill-gaps``: the same loop on a dataset that the bucket already describes."""

from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from flows.cancelling import say_what_is_left
from flows.ending import ending, told_in_one_line
from flows.form import Cost, Dataset, Failures, Minutes, Percent, Rounds, Seconds
from flows.loop import SUBMITTERS, make_complete
from tasks.dataset import read_plan
from tasks.services import connected
from vbvrdatafactory.control.run_policy import RunPolicy


@flow(
    name="fill-gaps",
    flow_run_name="fill-gaps/{dataset}",
    task_runner=SUBMITTERS,
    on_cancellation=[say_what_is_left],
)
@told_in_one_line
def fill_gaps(  # noqa: PLR0913 - flat parameters make the form that people fill in
    dataset: Dataset = "dataset",
    max_rounds: Rounds = 4,
    poll_seconds: Seconds = 15.0,
    stall_minutes: Minutes = 15.0,
    max_failures: Failures = None,
    max_failure_percent: Percent = 50,
    if_busy: Literal["wait", "refuse"] = "wait",
    max_cost_usd: Cost = None,
    require_approval: bool = False,  # noqa: FBT001, FBT002 - a tick box of the form
) -> State[Any]:
    """Make what a dataset lacks, exactly.

    Args:
        dataset: Name under which the dataset was asked for.
        max_rounds: How often what is still missing is sent again.
        poll_seconds: Seconds between two looks at the queue.
        stall_minutes: Minutes after which messages that no worker receives end the run.
        max_failures: Failed batches that the run may have; more end it early. Empty for any number.
        max_failure_percent: Share of finished batches that may fail, judged from 20 on; more end the run early.
        if_busy: When another run makes this dataset, wait for it to end, or refuse.
        max_cost_usd: What the run may spend, by list prices of AWS; it ends when that is used up. Empty for any amount.
        require_approval: Send nothing but a few samples to certify each generator, until somebody has approved what the
            rest costs, with the flow approve-dataset or 'datafactory approve'.
    """
    policy = RunPolicy.of(
        poll_seconds=poll_seconds,
        stall_minutes=stall_minutes,
        max_failures=max_failures,
        max_failure_percent=max_failure_percent,
        max_rounds=max_rounds,
        if_busy=if_busy,
        max_cost_usd=max_cost_usd,
        require_approval=require_approval,
    )
    with connected():
        plan = read_plan(dataset)
        return ending(make_complete(plan, policy))
