"""What a cancelled run leaves: said when it is cancelled, by whoever ends its process."""

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from tasks.leftovers import leftovers_of


def say_what_is_left(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Say in the run's log what is in flight still, and that the next run goes on from there."""
    del state
    flow_run_logger(flow_run, flow).warning("%s", leftovers_of(flow_run))
