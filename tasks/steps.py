"""The steps of a run, each as a Prefect task."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

from prefect import unmapped
from prefect.futures import PrefectFuture

from tasks import certificates, dataset, dead_letters, events, failures, queue, waiting
from tasks.artifacts import LiveProgress
from tasks.lock import locked
from vbvrdatafactory.control.circuit_breaker import FailureSummary
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.errors import UnreadableRecordError
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts
from vbvrdatafactory.driver.guard import SendGuard
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.driver.submit import Submitted
from vbvrdatafactory.driver.wait import WaitResult
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.costs import RunCosts
from vbvrdatafactory.report.run_figures import Broken, RunFigures


class TaskSteps(Steps):
    """Carries out each step as a task of the flow run."""

    def locked(self, name: str, policy: RunPolicy) -> AbstractContextManager[SendGuard]:
        return locked(name, policy)

    def progress(self, name: str, total: int) -> AbstractContextManager[object]:
        return LiveProgress(name, total)

    def file_spec(self, plan: Plan, *, replace: bool) -> None:
        dataset.file_spec(plan, replace=replace)

    def observe(
        self,
        plan: Plan,
        step: str,
        generators: Collection[str] | None = None,
        *,
        tried: Mapping[str, Collection[IndexRange]] = MappingProxyType({}),
    ) -> Observation:
        return dataset.observe_bucket(plan, step, generators, tried=tried)

    def certify(
        self, run: Run, generators: Collection[str], step: str, seen: Observation | None
    ) -> dict[str, Certificate]:
        return certificates.certify_generators(run, list(generators), step, seen)

    def publish_plan(self, plan: Plan, price: PlanPrice, step: str, costs: RunCosts | None = None) -> None:
        dataset.publish_plan(plan, price, step, costs)

    def submit(self, run: Run, gaps: Sequence[Gap], step: str, proven: Collection[str]) -> list[Submitted]:
        """One task run for each generator, side by side."""
        futures = queue.submit_gap.map(unmapped(run), gaps, unmapped(step), unmapped(proven))
        return [submitted(future) for future in futures]

    def wait(self, run: Run, step: str, held_back: Collection[str] = ()) -> WaitResult:
        return waiting.wait_until_drained(run, step, held_back)

    def file_dead_letters(self, name: str, step: str) -> DeadLetterCounts:
        return dead_letters.file_dead_letters(name, step)

    def summarize_failures(
        self, run: Run, generators: Iterable[str], letters: DeadLetterCounts, step: str
    ) -> dict[str, FailureSummary]:
        return failures.summarize_failures(run, list(generators), letters, step)

    def skip(self, run: Run, broken: Broken) -> None:
        events.generator_broken(run.dataset, broken)

    def remove_superseded(self, plan: Plan, seen: Observation) -> None:
        dataset.remove_superseded(plan, seen)

    def publish(self, plan: Plan, seen: Observation, figures: RunFigures, *, file: bool) -> Report:
        return dataset.publish_report(plan, seen, figures, file=file)


def submitted(future: PrefectFuture[Any]) -> Submitted:
    """What a submission sent, as far as it said so: what a failed one sent shows in the next observation."""
    future.wait()
    if future.state.is_completed():
        done: Submitted = future.result()
        return done
    error = future.state.result(raise_on_failure=False)
    return Submitted(problem=str(error) if isinstance(error, UnreadableRecordError) else "")
