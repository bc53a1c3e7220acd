"""Tasks on the dataset: plan it, file its spec, observe its bucket, report."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from prefect import task
from prefect.logging import get_run_logger

from tasks import artifacts, events
from tasks.retries import RETRIED
from tasks.services import services
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver import choosing, observe
from vbvrdatafactory.driver.plan_page import write_plan_page
from vbvrdatafactory.driver.reports import build_report, write_report
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.planning.selection import ALL
from vbvrdatafactory.planning.spec_changes import describe
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.costs import RunCosts
from vbvrdatafactory.report.plan_text import headline
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.s3 import specs


@task(task_run_name="{dataset}/plan", persist_result=False)
def plan_dataset(dataset: str, generators: list[str], **wanted: object) -> Plan:
    """Plan the dataset, of every generator where none is named; nothing is written.

    Raises:
        SpecError: what can't be planned, with the value.
    """
    log = get_run_logger()
    config = services().config
    chosen = choosing.choose(config, generators or [ALL])
    for name, why in chosen.left_out.items():
        log.warning("generator %r is left out: %s", name, why)
    plan = choosing.plan(config, chosen, {"dataset": dataset, **wanted})
    log.info(
        "planned %d samples of %d generators in %d batches",
        plan.sample_count,
        len(plan.generators),
        plan.batch_count,
    )
    return plan


@task(task_run_name="{plan.spec.dataset}/file-spec", **RETRIED)
def file_spec(plan: Plan, *, replace: bool = False) -> None:
    """File the spec in the bucket, so that the dataset's gaps can be filled later.

    Raises:
        Redefined: the bucket describes another dataset under the name, and `replace` is not set.
    """
    changes = specs.write_spec(services().bucket, plan.spec, replace=replace)
    if changes:
        get_run_logger().info("%s differs from before: %s", plan.spec.dataset, describe(changes))
    events.dataset_planned(plan)


@task(task_run_name="{dataset}/read-spec", **RETRIED)
def read_plan(dataset: str) -> Plan:
    """The plan of a dataset whose spec the bucket has."""
    return Plan(specs.read_spec(services().bucket, dataset))


@task(task_run_name="{plan.spec.dataset}/{step}/observe", **RETRIED)
def observe_bucket(
    plan: Plan,
    step: str,
    generators: Collection[str] | None = None,
    *,
    tried: Mapping[str, Collection[IndexRange]] = MappingProxyType({}),
) -> Observation:
    """Look at the bucket and subtract what is right from the plan; only `generators` of it where they are given.

    `tried` is what the run has tried to make so far.
    """
    del step  # it names the task run
    seen = observe.observe_plan(services(), plan, generators=generators, tried=tried)
    get_run_logger().info(
        "%d keys listed; %d samples to make, in %d generators",
        seen.inventory.key_count,
        seen.gaps.sample_count,
        len(seen.gaps),
    )
    return seen


@task(task_run_name="{plan.spec.dataset}/remove-superseded", **RETRIED)
def remove_superseded(plan: Plan, seen: Observation) -> None:
    """Delete the files of torn samples that are whole elsewhere, as after a refill in another format."""
    if count := observe.remove_superseded(services().samples(plan.spec.prefix), plan, seen):
        get_run_logger().info("removed what was left of %d torn samples that are whole elsewhere", count)


@task(task_run_name="{plan.spec.dataset}/{step}/price", **RETRIED)
def publish_plan(plan: Plan, price: PlanPrice, step: str, costs: RunCosts | None = None) -> None:
    """Show what the plan takes on the run page, and file it as a page in the bucket; after the run with what it took."""
    here = services()
    write_plan_page(here.bucket, plan, price, costs)
    if costs is None:
        artifacts.publish_plan(price)
    here.log.info("%s", for_terminal(costs.line if costs else headline(price)))
    del step  # it names the task run


@task(task_run_name="{plan.spec.dataset}/report", **RETRIED)
def publish_report(
    plan: Plan, seen: Observation, figures: RunFigures | None = None, *, file: bool = True
) -> Report:
    """Build the report; show it on the run page, and file it in the bucket unless told not to."""
    here = services()
    samples = here.samples(plan.spec.prefix)
    report = build_report(samples, plan, seen, here.config.output_bucket)
    report = report.model_copy(update={"run": figures})
    if file:
        write_report(here.bucket, report, samples)
    artifacts.publish(report, filed=file)
    if figures:
        events.dataset_reported(report)
    for line in report.repeats:
        here.log.warning("%s", for_terminal(line))
    here.log.info("%s", for_terminal(report.verdict))
    return report
