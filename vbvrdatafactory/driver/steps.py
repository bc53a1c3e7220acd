"""The steps of a run. A caller may carry out each in its own way, as the Prefect flows do in tasks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType

from vbvrdatafactory.control.circuit_breaker import FailureSummary
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver import certificates, dead_letters, failures, observe
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts
from vbvrdatafactory.driver.guard import SendGuard, lock_dataset
from vbvrdatafactory.driver.plan_page import write_plan_page
from vbvrdatafactory.driver.reports import build_report, write_report
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.spending import Allowed, allow
from vbvrdatafactory.driver.submit import Submitted, submit_gaps
from vbvrdatafactory.driver.terms import find_terms
from vbvrdatafactory.driver.wait import WaitResult, wait_until_drained
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import PlanPrice, Terms
from vbvrdatafactory.planning.spec_changes import describe
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.costs import RunCosts
from vbvrdatafactory.report.run_figures import Broken, RunFigures
from vbvrdatafactory.s3.specs import write_spec


class Steps:
    """Carries out each step directly.

    Every method takes the name of the step, such as ``round-1``: callers that show steps name them by it.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    def locked(self, dataset: str, policy: RunPolicy) -> AbstractContextManager[SendGuard]:
        """Hold the dataset's lock while the block lasts."""
        return lock_dataset(self.services, dataset, policy)

    def progress(self, dataset: str, total: int) -> AbstractContextManager[object]:
        """Show the progress of a run that is about `total` samples, while the block lasts."""
        del dataset, total
        return nullcontext()

    def file_spec(self, plan: Plan, *, replace: bool) -> None:
        """File the spec in the bucket.

        Raises:
            Redefined: the bucket describes another dataset under the name, and `replace` is not set.
        """
        if changes := write_spec(self.services.bucket, plan.spec, replace=replace):
            self.services.log.info("%s differs from before: %s", plan.spec.dataset, describe(changes))

    def observe(
        self,
        plan: Plan,
        step: str,
        generators: Collection[str] | None = None,
        *,
        tried: Mapping[str, Collection[IndexRange]] = MappingProxyType({}),
    ) -> Observation:
        """Look at the bucket; `tried` is what the run has tried to make so far."""
        del step
        return observe.observe_plan(self.services, plan, generators=generators, tried=tried)

    def find_terms(self, *, strict: bool) -> Terms:
        """By what prices are estimated: the settings of the workers, and the prices of the region.

        Raises:
            ConfigError: there are no prices of the region, and those of another don't do.
        """
        return find_terms(self.services, strict=strict)

    def find_certificates(self, plan: Plan, seen: Observation) -> dict[str, Certificate]:
        """The certificates that hold for the plan's generators as they are now, by generator."""
        return certificates.valid_certificates(self.services, plan, seen)

    def certify(
        self, run: Run, generators: Collection[str], step: str, seen: Observation | None
    ) -> dict[str, Certificate]:
        """Certify generators by what their first batches left, and file that."""
        del step
        return certificates.certify_generators(self.services, run.plan, generators, seen, run.guard.since)

    def note_failed_probes(self, run: Run, generators: Collection[str]) -> dict[str, Certificate]:
        """The certificates of generators with probes that failed after they were made."""
        these = {name: run.certificates[name] for name in generators if name in run.certificates}
        return certificates.note_failed_probes(self.services, run.plan, these, run.guard.since)

    def sharpen(self, run: Run, seen: Observation) -> dict[str, Certificate]:
        """The run's certificates with what batches took since, filed where they changed."""
        return certificates.sharpen_certificates(self.services, run.plan, run.certificates, seen)

    def allow(self, run: Run, seen: Observation, gaps: Collection[Gap]) -> Allowed:
        """What of the gaps the run may send, by what it may spend and has spent."""
        return allow(self.services, run, seen, gaps)

    def publish_plan(self, plan: Plan, price: PlanPrice, step: str, costs: RunCosts | None = None) -> None:
        """File what the plan takes, as a page to look at; after the run with what it took."""
        del step
        write_plan_page(self.services.bucket, plan, price, costs)

    def submit(self, run: Run, gaps: Sequence[Gap], step: str, proven: Collection[str]) -> list[Submitted]:
        """Send what each generator lacks, or probes of it; in the order of `gaps`."""
        del step
        return submit_gaps(self.services, run, gaps, proven)

    def wait(self, run: Run, step: str, held_back: Collection[str] = ()) -> WaitResult:
        """Wait until the queue is drained, or until waiting is of no use any more."""
        del step
        return wait_until_drained(self.services, run, held_back)

    def file_dead_letters(self, dataset: str, step: str) -> DeadLetterCounts:
        """File the dataset's dead letters in the bucket."""
        del step
        return dead_letters.file_dead_letters(self.services, dataset)

    def summarize_failures(
        self, run: Run, generators: Iterable[str], letters: DeadLetterCounts, step: str
    ) -> dict[str, FailureSummary]:
        """Why each of these generators made nothing."""
        del step
        return failures.summarize(self.services, run, generators, letters)

    def skip(self, run: Run, broken: Broken) -> None:
        """Called when a generator is skipped for the rest of the run."""

    def remove_superseded(self, plan: Plan, seen: Observation) -> None:
        """Delete what is left of torn samples that are whole elsewhere."""
        if count := observe.remove_superseded(self.services.samples(plan.spec.prefix), plan, seen):
            self.services.log.info("removed what was left of %d torn samples that are whole elsewhere", count)

    def publish(self, plan: Plan, seen: Observation, figures: RunFigures, *, file: bool) -> Report:
        """Build the report, and file it in the bucket unless told not to."""
        services = self.services
        samples = services.samples(plan.spec.prefix)
        report = build_report(samples, plan, seen, services.config.output_bucket)
        report = report.model_copy(update={"run": figures})
        if file:
            write_report(services.bucket, report, samples)
        return report
