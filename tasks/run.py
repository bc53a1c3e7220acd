"""One run of the loop, as its tasks see it: what it is about, and what it sees of its own progress."""

import time
from collections import Counter
from collections.abc import Collection, Mapping

from tasks.artifacts import LiveProgress
from tasks.connection import bucket
from tasks.hold import Gate
from tasks.terms import Terms
from vbvrdatafactory.control.circuit_breaker import is_proven
from vbvrdatafactory.control.throttle import Throttle
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.driver.observe import look
from vbvrdatafactory.planning.evidence import Outcomes
from vbvrdatafactory.planning.gaps import Gaps
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.listing import take_evidence


class Run:
    """The plan, the terms, the gate; and what was seen of the bucket, looked at now and then.

    Args:
        plan: the dataset's plan.
        terms: what the run is allowed.
        gate: whether it may send.
        first: what was lacking when it began.
        live: where people see how it stands; None before anything is sent.
    """

    def __init__(
        self, plan: Plan, terms: Terms, gate: Gate, first: Gaps, live: LiveProgress | None = None
    ) -> None:
        self.plan = plan
        self.terms = terms
        self.gate = gate
        self.live = live
        self.done = 0
        self.outcomes = Outcomes(0, 0)
        self.failures: Mapping[Cause, int] = {}
        self.proven: Collection[str] = ()
        self.first = first
        self._generators = [gap.generator for gap in first]
        self._looks = Throttle(terms.patience.poll_seconds)
        self._audits = Throttle(terms.patience.poll_seconds)

    @property
    def dataset(self) -> str:
        return self.plan.spec.dataset

    def found(self, gaps: Gaps) -> None:
        """Remember what is lacking by now; samples that somebody deletes meanwhile are no progress backwards."""
        self.done = max(0, self.first.sample_count - gaps.sample_count)

    def look(self) -> None:
        """Count this run's samples in the bucket, if that is due."""
        began = time.monotonic()
        if self._looks.is_due(began):
            self.found(look(bucket(), self.plan, generators=self._generators).gaps)
            self._looks.took(began, time.monotonic())

    def audit(self, *, at_once: bool = False) -> str | None:
        """Count this run's failures, if that is due; how they overspend the budget, None where they do not."""
        began = time.monotonic()
        if at_once or self._audits.is_due(began):
            evidence = take_evidence(bucket(), self._generators)
            self.outcomes = evidence.outcomes(self.gate.since)
            self.proven = {g for g in self._generators if is_proven(evidence, g)}
            self.failures = Counter(failed.key.cause for failed in evidence.failed_since(self.gate.since))
            self._audits.took(began, time.monotonic())
        return self.terms.budget.overspent(self.outcomes)
