"""The one loop: observe the bucket, send what is missing, wait, observe again, until nothing is missing.

First run, resume, gap-fill and extension are this loop on another inventory. It ends when the dataset is
complete, when its rounds are used up, when every generator that lacks something is skipped, or early: when
the queue stalls, the failure budget is exceeded, or another run takes the dataset lock over.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from vbvrdatafactory.control.circuit_breaker import CircuitBreaker
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver.choosing import check_lock
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts, describe_last_lost
from vbvrdatafactory.driver.failures import describe_broken
from vbvrdatafactory.driver.mismatch import refuse_mismatch
from vbvrdatafactory.driver.observe import replaced_objects
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.spending import price, run_costs
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.planning.gaps import Gap, Gaps, Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.costs import RunCosts
from vbvrdatafactory.report.run_figures import Broken, EndedEarly, Reason, RunFigures
from vbvrdatafactory.report.tallies import DeadLetterTally
from vbvrdatafactory.s3.specs import check_spec
from vbvrdatafactory.sqs.depth import depth


def make_complete(
    steps: Steps, plan: Plan, policy: RunPolicy, *, is_new: bool = False, replace_spec: bool = False
) -> Report:
    """Make the bucket hold exactly what `plan` says, and report.

    Args:
        steps: carries out each step.
        plan: the dataset's plan.
        policy: what the run is allowed.
        is_new: whether the plan's spec is to be filed first.
        replace_spec: file it even where the bucket describes another dataset under its name.

    Raises:
        DataFactoryError: another run makes the dataset, and the policy says to refuse.
        Redefined: the spec is of another dataset than the one described, and `replace_spec` is not set; or the
            generators here are others than it was planned with.
    """
    services = steps.services
    started = services.clock.monotonic()
    if is_new:
        check_spec(services.bucket, plan.spec, replace=replace_spec)
    else:
        check_lock(services, plan)
    with steps.locked(plan.spec.dataset, policy) as guard:
        if is_new:
            steps.file_spec(plan, replace=replace_spec)
        early = finish_earlier_messages(steps, Run(plan, policy, guard, Gaps(iter(()))))
        seen = steps.observe(plan, "start")
        early = early or refuse_mismatch(services.bucket, plan, seen)
        with steps.progress(plan.spec.dataset, seen.gaps.sample_count):
            loop = Loop(steps, Run(plan, policy, guard, seen.gaps), early)
            loop.find_certificates(seen)
            seen = loop.run_rounds(seen)
        return loop.report(seen, seconds=services.clock.monotonic() - started)


@dataclass
class Loop:
    """The rounds of one run, and what became of them.

    Args:
        steps: carries out each step.
        run: the run.
        early: why it is to end before its first round; None where it may begin.
    """

    steps: Steps
    run: Run
    early: EndedEarly | None = None
    rounds: int = 0
    messages: int = 0
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    broken: list[Broken] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    dead_letters: DeadLetterCounts = field(default_factory=DeadLetterCounts)
    plan_price: PlanPrice | None = None
    early_certified: set[str] = field(default_factory=set)
    unpriced: set[str] = field(default_factory=set)

    def find_certificates(self, seen: Observation) -> None:
        """Read the certificates of the generators that lack something, and by what a price is estimated."""
        run, steps = self.run, self.steps
        if not len(seen.gaps):
            return
        terms = steps.find_terms(strict=run.policy.spending.is_limited)
        run.evidence = seen.evidence
        run.begin_pricing(terms, steps.services.clock.monotonic())
        found = steps.find_certificates(run.plan, seen)
        # One that failed is tried again: what was wrong may have been mended where nobody sees it from here.
        run.take_certificates({name: one for name, one in found.items() if one.passed})

    def run_rounds(self, seen: Observation) -> Observation:
        """Play rounds until nothing is missing or the run ends; returns the last observation."""
        while self.goes_on and (tried := self.worth_trying(seen)):
            if self.run.policy.spending.is_limited:
                seen = run_round_within_budget(self, tried, seen)
            else:
                seen = self.run_round(tried)
        return seen

    @property
    def goes_on(self) -> bool:
        return not self.early and self.rounds < self.run.policy.max_rounds

    def run_round(self, tried: list[Gap]) -> Observation:
        """Send what `tried` lack, wait, and observe: probes first of generators that are not proven."""
        self.rounds += 1
        step = f"round-{self.rounds}"
        sent, held_back = self.send(tried, step)
        if not held_back:
            self.publish_plan(step)
        self.wait(step, held_back)
        return self.look(sent, step)

    def look(self, sent: list[Gap], step: str) -> Observation:
        """See what came of what was sent: certify its generators, and find out why others made nothing.

        `sent` is all that its generators lacked before, also where just a part of it was sent.
        """
        letters = self.file_dead_letters(step)
        seen = self.steps.observe(self.run.plan, step, tried=self.run.tried)
        self.run.take_in(seen)
        self.run.evidence = seen.evidence
        self.breaker.progressed(sent, seen.gaps)
        self.certify([gap.generator for gap in sent], step, seen)
        if self.early_certified and self.run.is_pricing:
            # One probe was enough to go on; others of theirs have failed since, perhaps.
            self.run.take_certificates(self.steps.note_failed_probes(self.run, self.early_certified))
            self.early_certified.clear()
        self.judge(self.breaker.stood_still(sent, seen.gaps), letters, step)
        return seen

    def certify(self, generators: Collection[str], step: str, seen: Observation | None = None) -> None:
        """Certify those of some generators that have no certificate; it then is known what their batches take."""
        due = [name for name in generators if name not in self.run.certified]
        if due and self.run.is_pricing:
            self.run.take_certificates(self.steps.certify(self.run, due, step, seen))

    def run_probes(self, tried: list[Gap], seen: Observation, step: str) -> Observation:
        """Send probes of the generators that have no certificate, wait, and certify these; returns the last observation."""
        due = [gap for gap in tried if gap.generator not in self.run.certified]
        if not due:
            return seen
        self.run.sends_probes_alone = True
        sent, _ = self.send(due, step)
        self.run.sends_probes_alone = False
        self.wait(step, ())
        seen = self.look(sent, step)
        for gap in sent:
            if gap.generator not in self.run.certified and seen.gaps.of(gap.generator).samples < gap.samples:
                self._leave_unpriced(gap.generator)
        return seen

    def _leave_unpriced(self, generator: str) -> None:
        """Send a generator nothing more that makes samples, and of which nobody knows what they take."""
        self.unpriced.add(generator)
        self._note_problem(
            generator,
            f"{generator} was sent nothing more: its probes were made, and their receipts do not say what they took, so it "
            "has no price; deploy workers of this version, then run again",
        )

    def worth_trying(self, seen: Observation) -> list[Gap]:
        """What generators lack that are not skipped."""
        return [gap for gap in self.breaker.worth_trying(seen.gaps) if gap.generator not in self.unpriced]

    def publish_plan(self, step: str, but: Collection[str] = ()) -> None:
        """Show what the run takes, once; `but` are generators that are sent nothing."""
        run = self.run
        if self.plan_price is None and run.terms and run.forecasts:
            run.all_is_sent(self.steps.services.clock.monotonic(), but)
            missing = {gap.generator: gap.ranges for gap in (*run.first, *run.forecast_gaps.values())}
            self.plan_price = price(run, run.terms, missing)
            self.steps.publish_plan(run.plan, self.plan_price, step)

    def send(self, gaps: Sequence[Gap], step: str) -> tuple[list[Gap], list[Gap]]:
        """Send what each generator lacks, or probes.

        Returns:
            The gaps of the generators that were sent messages, and the gaps that are held back.
        """
        gaps = self._fitting(gaps)
        submitted = self.steps.submit(self.run, gaps, step, frozenset(self.breaker.proven))
        self.messages += sum(each.messages for each in submitted)
        for gap, each in zip(gaps, submitted, strict=True):
            self._note_problem(gap.generator, each.problem)
        sent = [gap for gap, each in zip(gaps, submitted, strict=True) if each.messages]
        held_back = [each.held_back for each in submitted if each.held_back]
        waiting = {gap.generator for gap in held_back}
        self.run.forecast(gap for gap in sent if gap.generator not in waiting)
        return sent, held_back

    def _fitting(self, gaps: Sequence[Gap]) -> list[Gap]:
        """The gaps whose batches fit into the workers' limits, as far as that is known; of others the number is told."""
        found = []
        for gap in gaps:
            problem = self.run.does_not_fit(gap)
            if problem:
                self._note_problem(gap.generator, f"{gap.generator} was sent nothing more: {problem}")
            else:
                found.append(gap)
        return found

    def _note_problem(self, generator: str, problem: str) -> None:
        """Remember why nothing could be sent for a generator; forget it once something can."""
        if problem and self.problems.get(generator) != problem:
            self.steps.services.log.error("%s", for_terminal(problem))
        self.problems.pop(generator, None)
        if problem:
            self.problems[generator] = problem

    def wait(self, step: str, held_back: Sequence[Gap], *, for_probes_alone: bool = False) -> list[Gap]:
        """Wait until the queue is drained; send what is held back as soon as its generator is proven.

        Args:
            step: its name.
            held_back: what waits for the outcome of probes.
            for_probes_alone: return as soon as nothing is held back, whatever is in the queue.

        Returns:
            What is held back still: of generators whose probes made nothing.
        """
        left = list(held_back)
        while True:
            result = self.steps.wait(self.run, step, {gap.generator for gap in left})
            self.early = self.early or result.early
            if self.early:
                return left
            proven = result.proven or self.made_something(left, step)
            rest = [gap for gap in left if gap.generator in proven]
            if not rest:
                # What is held back still is not sent in this round.
                self.publish_plan(step, {gap.generator for gap in left})
                return left
            self.breaker.proven.update(proven)
            self.certify([gap.generator for gap in rest], f"{step}/certify")
            self.early_certified.update(gap.generator for gap in rest)
            left = [gap for gap in left if gap not in rest]
            self.send(rest, f"{step}/rest")
            if not left:
                self.publish_plan(step)
            if for_probes_alone and not left:
                return left

    def made_something(self, held_back: Sequence[Gap], step: str) -> frozenset[str]:
        """Generators whose probes failed and yet made samples: no record proves them, but the bucket does."""
        generators = [gap.generator for gap in held_back]
        if not generators:
            return frozenset()
        seen = self.steps.observe(self.run.plan, f"{step}/probes", generators, tried=self.run.tried)
        self.run.take_in_refilled(seen)
        missing = seen.gaps
        return frozenset(
            name for name in generators if missing.of(name).samples < self.run.first.of(name).samples
        )

    def file_dead_letters(self, step: str) -> DeadLetterCounts:
        """File the dead letters of this step; a run that lost the dataset lock leaves them to the one that has it."""
        if self.early and self.early.reason is Reason.LOCK_LOST:
            return DeadLetterCounts()
        letters = self.steps.file_dead_letters(self.run.dataset, step)
        self.dead_letters += letters
        return letters

    def judge(self, stood_still: list[Gap], letters: DeadLetterCounts, step: str) -> None:
        """Find out why generators made nothing, and skip those that can't do better in this run."""
        if not stood_still or (self.early and self.early.reason is not Reason.BUDGET):
            return
        generators = [gap.generator for gap in stood_still]
        summaries = self.steps.summarize_failures(self.run, generators, letters, step)
        store = self.steps.services.samples(self.run.plan.spec.prefix)
        for generator, why in self.breaker.learn(summaries).items():
            broken = describe_broken(store, generator, why)
            self.steps.services.log.error("%s; the others go on", for_terminal(str(broken)))
            self.steps.skip(self.run, broken)
            self.broken.append(broken)

    def report(self, seen: Observation, seconds: float) -> Report:
        """Report what is there and what this run did; `seconds` is how long it took."""
        services = self.steps.services
        figures = RunFigures(
            messages=self.messages,
            rounds=self.rounds,
            samples=self.run.done,
            restored=self.run.refilled.restored,
            made_anew=self.run.refilled.anew,
            seconds=seconds,
            queued=depth(services.sqs, services.config.sqs_queue_url).total,
            broken=tuple(self.broken),
            problems=tuple(self.problems.values()),
            costs=self._costs(seen, seconds),
            dead_letters=tuple(
                self._tally(generator, cause, count, seen)
                for (generator, cause), count in self.dead_letters.most_common()
            ),
            early=self.early,
        )
        has_left = seen.inventory.superseded(self.run.plan.generators) or replaced_objects(
            self.run.plan, seen
        )
        if self.early is None and has_left:
            self.steps.remove_superseded(self.run.plan, seen)
        file = self.early is None or self.early.reason is not Reason.LOCK_LOST
        return self.steps.publish(self.run.plan, seen, figures, file=file)

    def _costs(self, seen: Observation, seconds: float) -> RunCosts | None:
        """What the run took, beside what was estimated; what was learned goes back into the certificates."""
        run = self.run
        lost = self.early is not None and self.early.reason is Reason.LOCK_LOST
        if run.terms is None or not self.messages or lost:
            return None
        run.take_certificates(self.steps.sharpen(run, seen))
        costs = run_costs(self.steps.services, run, run.terms, seen, seconds)
        if self.plan_price:
            self.steps.publish_plan(run.plan, self.plan_price, "end", costs)
        return costs

    def _tally(self, generator: str, cause: Cause, count: int, seen: Observation) -> DeadLetterTally:
        store, is_lost = self.steps.services.samples(self.run.plan.spec.prefix), cause is Cause.WORKER_LOST
        detail = describe_last_lost(store, seen.evidence, generator) if is_lost else ""
        return DeadLetterTally(generator=generator, cause=cause, count=count, detail=detail)


def finish_earlier_messages(steps: Steps, run: Run) -> EndedEarly | None:
    """Let the messages that an earlier run left in the queues be processed, instead of sending them twice.

    Counts are approximate: after a run that died while it sent, one poll that finds nothing is not enough.

    Args:
        steps: carries out the wait.
        run: a run that has sent nothing yet.

    Returns:
        Why the run is to end; None where it may begin.
    """
    services, early = steps.services, None
    if depth(services.sqs, services.config.sqs_queue_url).total or run.guard.took_over:
        services.log.info("waiting for the messages of an earlier run")
        early = steps.wait(run, "earlier").early
    if early is None:
        steps.file_dead_letters(run.dataset, "earlier")
    return early


def run_round_within_budget(loop: Loop, tried: list[Gap], seen: Observation) -> Observation:
    """As `Loop.run_round`, but nothing else is sent before all generators are certified, and the price is allowed."""
    loop.rounds += 1
    step, run = f"round-{loop.rounds}", loop.run
    seen = loop.run_probes(tried, seen, f"{step}/certify")
    portion = 0
    while not loop.early and (gaps := _certified(loop, seen)):
        allowed = loop.steps.allow(run, seen, gaps)
        run.forecast(gaps)
        loop.publish_plan(step)
        loop.early = allowed.early
        if loop.early:
            break
        portion += 1
        sent, _ = loop.send(allowed.gaps, f"{step}/portion-{portion}")
        loop.wait(f"{step}/portion-{portion}", ())
        names = {gap.generator for gap in sent}
        before = seen.gaps.sample_count
        seen = loop.look([gap for gap in gaps if gap.generator in names], f"{step}/portion-{portion}")
        run.take_certificates(loop.steps.sharpen(run, seen))
        is_all = sum(gap.samples for gap in allowed.gaps) == sum(gap.samples for gap in gaps)
        if is_all or seen.gaps.sample_count >= before:
            break
    return seen


def _certified(loop: Loop, seen: Observation) -> list[Gap]:
    """What generators lack that are certified and not skipped."""
    return [gap for gap in loop.worth_trying(seen) if gap.generator in loop.run.certified]
