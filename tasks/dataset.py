"""Tasks that say what is wanted and what is there: plan, look, report."""

from collections.abc import Collection

from prefect import task
from prefect.logging import get_run_logger

from tasks import artifacts, events
from tasks.connection import bucket
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver import observe
from vbvrdatafactory.driver.origins import other_seed
from vbvrdatafactory.driver.reports import build_report, write_report
from vbvrdatafactory.fleet.catalogue import read_catalogue
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.selection import ALL, choose_generators
from vbvrdatafactory.planning.spec_changes import describe
from vbvrdatafactory.report.completeness import EndedEarly, Report, RunFigures
from vbvrdatafactory.s3.specs import read_spec, write_spec

_PAUSES = [5.0, 20.0, 60.0]


@task(task_run_name="{dataset}/plan", persist_result=False)
def plan_dataset(dataset: str, generators: list[str], **wanted: object) -> Plan:
    """Plan the dataset, of every generator where none is named; nothing is written.

    Raises:
        SpecError: what can't be planned, with the value.
    """
    catalogue = read_catalogue(config.generators_path)
    chosen = choose_generators(generators or [ALL], catalogue.usable, catalogue.unusable)
    for name, why in catalogue.left_out(generators or [ALL]).items():
        get_run_logger().warning("generator %r is left out: %s", name, why)
    plan = Plan(make_spec(dataset=dataset, generators=chosen, **wanted))
    get_run_logger().info(
        "planned %d samples of %d generators in %d batches",
        plan.sample_count,
        len(plan.generators),
        plan.batch_count,
    )
    return plan


@task(
    task_run_name="{plan.spec.dataset}/file-plan",
    retries=3,
    retry_delay_seconds=_PAUSES,
    retry_condition_fn=lambda _task, _run, state: (
        not isinstance(state.result(raise_on_failure=False), DataFactoryError)
    ),
    persist_result=False,
)
def file_plan(plan: Plan, *, replace: bool = False) -> None:
    """File what was asked for in the bucket, so that its gaps can be filled later.

    Raises:
        Redefined: the bucket describes another dataset under the name, and `replace` is not set.
    """
    changes = write_spec(bucket(), plan.spec, replace=replace)
    if changes:
        get_run_logger().info("%s differs from before: %s", plan.spec.dataset, describe(changes))
    events.dataset_planned(plan)


@task(task_run_name="{dataset}/recall", persist_result=False)
def recall_dataset(dataset: str) -> Plan:
    """The plan of a dataset that the bucket already describes."""
    return Plan(read_spec(bucket(), dataset))


@task(
    task_run_name="{plan.spec.dataset}/{step}/look",
    retries=3,
    retry_delay_seconds=_PAUSES,
    persist_result=False,
)
def look_at_bucket(
    plan: Plan, step: str, generators: Collection[str] | None = None, *, origins: bool = False
) -> Observation:
    """List the bucket and subtract it from the plan; only `generators` of it where they are given.

    With `origins`, receipts too: they tell which seed made what is there.
    """
    del step  # it names the task run
    seen = observe.look(bucket(), plan, generators=generators)
    get_run_logger().info(
        "%d keys listed; %d samples missing or torn, in %d generators",
        seen.inventory.key_count,
        seen.gaps.sample_count,
        len(seen.gaps),
    )
    return observe.with_origins(bucket(), plan, seen) if origins else seen


def made_for_another_seed(plan: Plan, seen: Observation) -> EndedEarly | None:
    """Why nothing is sent where samples that are there were made for another seed; None where none were."""
    return other_seed(bucket(), plan, seen)


@task(
    task_run_name="{plan.spec.dataset}/remove-superseded",
    retries=3,
    retry_delay_seconds=_PAUSES,
    persist_result=False,
)
def remove_superseded(plan: Plan, seen: Observation) -> None:
    """Delete what is left of torn samples that are whole elsewhere, as after a refill in another format."""
    if count := observe.remove_superseded(bucket(), plan, seen):
        get_run_logger().info("removed what was left of %d torn samples that are whole elsewhere", count)


@task(
    task_run_name="{plan.spec.dataset}/report", retries=3, retry_delay_seconds=_PAUSES, persist_result=False
)
def publish_report(
    plan: Plan, seen: Observation, figures: RunFigures | None = None, *, file: bool = True
) -> Report:
    """Tally what is there and why the rest is not; show it, and file it in the bucket unless told not to."""
    report = build_report(bucket(), plan, seen, config.output_bucket).model_copy(update={"run": figures})
    if file:
        write_report(bucket(), report)
    artifacts.publish(report, filed=file)
    if figures:
        events.dataset_reported(report)
    for line in report.repeats:
        get_run_logger().warning("%s", for_terminal(line))
    get_run_logger().info("%s", for_terminal(report.verdict))
    return report
