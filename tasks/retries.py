"""The one rule by which tasks are retried: AWS may be away for a while, what we refuse stays refused."""

from typing import Any, TypedDict

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from vbvrdatafactory.core.errors import DataFactoryError


def is_worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether another try may succeed: not where the task was refused with a next move for a person."""
    return not isinstance(state.result(raise_on_failure=False), DataFactoryError)


class Options(TypedDict):
    """Options of `prefect.task`."""

    retries: int
    retry_delay_seconds: list[float]
    retry_condition_fn: Any
    persist_result: bool


# Every step may run twice, and what a step found is read from AWS again: no result is kept.
RETRIED = Options(
    retries=3,
    retry_delay_seconds=[5.0, 20.0, 60.0],
    retry_condition_fn=is_worth_retrying,
    persist_result=False,
)
