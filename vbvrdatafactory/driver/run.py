"""One run of a dataset: what it is about, and what it has seen of its own progress. Values only."""

from collections import Counter
from collections.abc import Collection, Mapping

from vbvrdatafactory.control.circuit_breaker import is_proven
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.control.throttle import Throttle
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.guard import SendGuard
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.evidence import Outcomes
from vbvrdatafactory.planning.gaps import Gaps, Observation, Refilled
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.listing import take_evidence


class Run:
    """The plan, the policy and the send guard of a run; and what it has seen of the bucket so far.

    Args:
        plan: the dataset's plan.
        policy: what the run is allowed.
        guard: whether it may send.
        first: what was missing when it began.
        output_bucket: the bucket that messages name; None leaves it to the worker's configuration.

    Attributes:
        done: samples that became whole since the run began.
        refilled: samples that were made again since the run began.
        outcomes: batches that succeeded and failed in the run.
        failures: failed batches of the run by cause.
        proven: generators whose latest record is a receipt.
    """

    def __init__(
        self, plan: Plan, policy: RunPolicy, guard: SendGuard, first: Gaps, output_bucket: str | None = None
    ) -> None:
        self.plan = plan
        self.policy = policy
        self.guard = guard
        self.first = first
        self.output_bucket = output_bucket
        self.done = 0
        self.refilled = Refilled()
        self.outcomes = Outcomes(0, 0)
        self.failures: Mapping[Cause, int] = {}
        self.proven: Collection[str] = ()
        self._generators = [gap.generator for gap in first]
        self._listings = Throttle(policy.poll.poll_seconds)
        self._audits = Throttle(policy.poll.poll_seconds)

    @property
    def dataset(self) -> str:
        return self.plan.spec.dataset

    @property
    def tried(self) -> dict[str, tuple[IndexRange, ...]]:
        """What the run makes of each generator."""
        return {gap.generator: gap.ranges for gap in self.first}

    def take_in(self, seen: Observation) -> None:
        """Take in what is there now; samples that somebody deletes meanwhile are not counted backwards."""
        self.done = max(0, self.first.sample_count - seen.gaps.sample_count)
        self.take_in_refilled(seen)

    def take_in_refilled(self, seen: Observation) -> None:
        """Take in what was made again, from a look at some generators."""
        self.refilled = self.refilled.and_of(seen.refilled)

    def count_samples(self, services: Services) -> None:
        """List the bucket and count this run's samples, if that is due."""
        began = services.clock.monotonic()
        if self._listings.is_due(began):
            self.take_in(observe_plan(services, self.plan, generators=self._generators, tried=self.tried))
            self._listings.took(began, services.clock.monotonic())

    def count_failures(self, services: Services, *, at_once: bool = False) -> str | None:
        """List this run's records and count its failures, if that is due.

        Returns:
            How the failures exceed the budget; None where they do not.
        """
        began = services.clock.monotonic()
        if at_once or self._audits.is_due(began):
            since = self.guard.since
            evidence = take_evidence(services.samples(self.plan.spec.prefix), self._generators)
            self.outcomes = evidence.outcomes(since)
            self.proven = {name for name in self._generators if is_proven(evidence, name)}
            self.failures = Counter(failed.key.cause for failed in evidence.failed_since(since))
            self._audits.took(began, services.clock.monotonic())
        return self.policy.budget.overspent(self.outcomes)
