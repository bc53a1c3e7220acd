"""One run of a dataset: what it is about, and what it has seen of its own progress. Values only."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from vbvrdatafactory.control.circuit_breaker import is_proven
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.control.throttle import Throttle
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.humanize import format_usd
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.guard import SendGuard
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.batch_sizes import longest_batch, sizes
from vbvrdatafactory.planning.estimates import Estimate, total
from vbvrdatafactory.planning.evidence import Evidence, Outcomes
from vbvrdatafactory.planning.gaps import Gap, Gaps, Observation, Refilled
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import GeneratorPrice, Terms, affordable_size, price_generator
from vbvrdatafactory.planning.replan import replays
from vbvrdatafactory.planning.spent import Spent, spent_since
from vbvrdatafactory.planning.wall_time import wall_seconds
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
        proven: generators whose latest record is a receipt; of those that had no certificate, one of this run.
        evidence: the records that the last whole look found.
        certificates: those of its generators that are valid, by generator.
        sends_probes_alone: whether nothing but probes is to be sent.
        is_approved: whether what it costs was approved, where that is asked for.
        forecasts: what was estimated for the batches of each generator, when they were sent.
        forecast_gaps: what these make.
        forecast_seconds: what was estimated for the run; None before all is sent.
        forecast_usd: the same in dollars, with what had been spent by then.
        terms: by what its price is estimated; None where that is not known.
        spent: what its batches took so far, as far as they have receipts.
        work_done: what is done of its work, 0 to 1, weighed by what samples take; None where that is not known.
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
        self.evidence = Evidence()
        self.certificates: dict[str, Certificate] = {}
        self.sends_probes_alone = False
        self.is_approved = False
        self.forecasts: dict[str, GeneratorPrice] = {}
        self.forecast_gaps: dict[str, Gap] = {}
        self.forecast_seconds: Estimate | None = None
        self.forecast_usd: Estimate | None = None
        self.terms: Terms | None = None
        self.spent: Spent = Spent()
        self.work_done: float | None = None
        self._began = 0.0
        self._sizes: dict[str, int] = {}
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

    @property
    def certified(self) -> Collection[str]:
        """Generators that have a valid certificate, passed, and of which it says what their batches take."""
        return {
            name for name, one in self.certificates.items() if one.passed and one.costs.seconds.batches > 0
        }

    @property
    def cost(self) -> str:
        """What its batches cost so far, as far as they have receipts; empty where nobody knows."""
        usd = self.spent.total.usd
        return format_usd(usd) if usd else ""

    def take_in(self, seen: Observation) -> None:
        """Take in what is there now; samples that somebody deletes meanwhile are not counted backwards."""
        self.done = max(0, self.first.sample_count - seen.gaps.sample_count)
        self.work_done = self._share_of_work(seen.gaps)
        if self.terms:
            self.spent = spent_since(seen.batches, self.guard.since, self.terms)
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
            self.proven = {name for name in self._generators if self._has_proved(evidence, name)}
            self.failures = Counter(failed.key.cause for failed in evidence.failed_since(since))
            self._audits.took(began, services.clock.monotonic())
        return self.policy.budget.overspent(self.outcomes)

    def _has_proved(self, evidence: Evidence, generator: str) -> bool:
        """Whether its latest record is a receipt, and, where it has no certificate, one of this run."""
        newest = evidence.newest(generator)
        is_new = newest is not None and newest.at >= self.guard.since
        return is_proven(evidence, generator) and (is_new or generator in self.certified)

    def _share_of_work(self, now: Gaps) -> float | None:
        """What is done of the work, weighed by what a sample of each generator takes; None where that is not known of all."""
        each = {gap.generator: self._seconds_each(gap.generator) for gap in self.first}
        if not each or not all(each.values()):
            return None
        total = sum(each[gap.generator] * gap.samples for gap in self.first)
        left = sum(each[gap.generator] * now.of(gap.generator).samples for gap in self.first)
        return min(1.0, max(0.0, 1 - left / total))

    def _seconds_each(self, generator: str) -> float:
        certificate = self.certificates.get(generator)
        size = self.plan.generators[generator].batch_size
        return certificate.costs.seconds.of(size) / size if certificate else 0.0

    @property
    def is_pricing(self) -> bool:
        """Whether it is known by what a price is estimated."""
        return self.terms is not None

    def begin_pricing(self, terms: Terms, at: float) -> None:
        """Estimate prices from now on, by these terms; `at` is the monotonic clock's time."""
        self.terms, self._began = terms, at

    def take_certificates(self, found: Mapping[str, Certificate]) -> None:
        """Take certificates in; batch sizes that are to be chosen follow them."""
        self.certificates |= found
        if self.terms and self.plan.automatic:
            missing = {gap.generator: gap.samples for gap in self.first}
            passed = {name: one for name, one in self.certificates.items() if one.passed}
            chosen = sizes(self.plan, missing, passed, self.terms.limits)
            # Borders that move cut batches in two: a size that something was sent for stays while it fits.
            fits = {name: longest_batch(passed[name].costs, self.terms.limits) for name in chosen}
            kept = {
                name: size
                for name, size in self._sizes.items()
                if name in self.forecasts and size <= fits.get(name, 0)
            }
            self._sizes = chosen | kept
            self.plan = Plan(self.plan.spec, self._sizes)

    def shorten_batches(self, gaps: Iterable[Gap], usd: float) -> None:
        """Have batches of one generator that cost no more than that, where their size is chosen: of the cheapest samples.

        Args:
            gaps: what is missing, of generators that have a certificate.
            usd: what a batch may cost.
        """
        if self.terms is None:
            return
        found = {
            gap.generator: affordable_size(
                self.plan.generators[gap.generator],
                self.certificates[gap.generator],
                self.terms,
                self.plan.spec.output_format,
                usd,
            )
            for gap in gaps
            if gap.generator in self._sizes
        }
        longest = max(found, key=lambda name: found[name], default="")
        if longest and found[longest]:
            self._sizes[longest] = found[longest]
            self.plan = Plan(self.plan.spec, self._sizes)

    def does_not_fit(self, gap: Gap) -> str:
        """Why batches of a generator can't be made, with the number that does not fit; empty where they can."""
        priced = self._price(gap)
        return priced.problem if priced else ""

    def forecast(self, gaps: Iterable[Gap]) -> None:
        """Remember what is estimated for batches that were just sent."""
        for gap in gaps:
            priced = self._price(gap)
            if priced and gap.generator not in self.forecasts:
                self.forecasts[gap.generator], self.forecast_gaps[gap.generator] = priced, gap

    def all_is_sent(self, now: float, but: Collection[str] = ()) -> None:
        """Estimate when the run ends, and what it costs, if that is known of all.

        Args:
            now: the monotonic clock's time.
            but: generators that are sent nothing.
        """
        known = self.forecasts.keys() | set(but)
        if self.terms is None or not all(gap.generator in known for gap in self.first):
            return
        wall = wall_seconds((one.work for one in self.forecasts.values()), self.terms.limits)
        # What was sent first may be done by now, or all of it is still to be made.
        tail = self.policy.poll.poll_seconds * self.policy.poll.empty_polls
        before = now - self._began
        self.forecast_seconds = Estimate(
            max(wall.low, before) + tail, before + wall.likely + tail, before + wall.high + 2 * tail + 10
        )
        self.forecast_usd = total(one.usd for one in self.forecasts.values()).plus(self.spent.total.usd)

    def longest_seconds(self, generator: str, samples: int) -> float:
        """What a batch takes at most that no record tells of: what it is estimated to, or all of the function's time."""
        priced = self._price(Gap(generator, (IndexRange(0, samples),)))
        limit = self.terms.limits.timeout_seconds if self.terms else 0.0
        return min(limit, priced.batch_seconds.high) if priced else limit

    def most_usd(self, gap: Gap) -> float:
        """What filling a gap costs at most, of a generator that has a certificate."""
        priced = self._price(gap)
        return priced.usd.high if priced else math.inf

    def _price(self, gap: Gap) -> GeneratorPrice | None:
        """What making a gap takes; None where nobody knows."""
        certificate = self.certificates.get(gap.generator)
        if self.terms is None or certificate is None or not certificate.costs.seconds.batches:
            return None
        line = self.plan.generators[gap.generator]
        again = replays(self.plan, gap, self.evidence)
        return price_generator(line, gap.ranges, certificate, self.terms, self.plan.spec.output_format, again)
