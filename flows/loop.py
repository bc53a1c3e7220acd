"""The loop of the flows: the driver's, each of its steps a task."""

from typing import Any, cast

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.services import services
from tasks.steps import TaskSteps
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.driver import loop
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.completeness import Report

# More side by side are slower: Prefect's own work for a task takes longer than the waiting.
SUBMITTERS = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=8))


def make_complete(
    plan: Plan, policy: RunPolicy, *, is_new: bool = False, replace_spec: bool = False
) -> Report:
    """Make the bucket hold exactly what `plan` says, and report; file its spec first where it `is_new`."""
    return loop.make_complete(TaskSteps(services()), plan, policy, is_new=is_new, replace_spec=replace_spec)
