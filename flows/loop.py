"""The one loop: look at the bucket, send what is missing, wait, look again, until nothing is missing.

First run, resume, gap-fill and extension are this loop on another inventory. It ends when the dataset is
complete, when its rounds are used up, when every generator that lacks something is given up, or early: when
the queue stalls, the budget of failures is spent, or another run took the dataset over.
"""

import time
from dataclasses import dataclass, field
from typing import Any, cast

from prefect import unmapped
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks import events
from tasks.artifacts import LiveProgress
from tasks.dataset import file_plan, look_at_bucket, made_for_another_seed, publish_report, remove_superseded
from tasks.hold import Gate, hold
from tasks.judging import describe_broken, explain_setbacks
from tasks.letters import Letters, file_dead_letters
from tasks.queue import Sent, queue_depth, submit_gap
from tasks.run import Run
from tasks.spec import check_name
from tasks.terms import Terms
from tasks.waiting import wait_until_drained
from vbvrdatafactory.control.circuit_breaker import CircuitBreaker
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.planning.gaps import Gap, Gaps, Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.completeness import (
    Broken,
    DeadLetterTally,
    EndedEarly,
    Reason,
    Report,
    RunFigures,
)

# More side by side are slower: Prefect's own work for a task takes longer than the waiting.
SUBMITTERS = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=8))

# Another run's dataset is another run's to report on.
_NOT_OURS = Reason.LEASE


def make_complete(plan: Plan, terms: Terms, *, is_new: bool = False, replace_spec: bool = False) -> Report:
    """Make the bucket hold exactly what `plan` says, and report; file the plan first where it `is_new`.

    Raises:
        DataFactoryError: another run makes the dataset, and the terms say to refuse; or the plan is of another
            dataset than the bucket describes under its name, and `replace_spec` is not set.
    """
    started = time.monotonic()
    if is_new:
        check_name(plan, replace=replace_spec)
    with hold(plan.spec.dataset, terms) as gate:
        if is_new:
            file_plan(plan, replace=replace_spec)
        early = finish_earlier_messages(plan, terms, gate)
        seen = look_at_bucket(plan, "start", origins=True)
        early = early or made_for_another_seed(plan, seen)
        with LiveProgress(plan.spec.dataset, seen.gaps.sample_count) as live:
            loop = Loop(Run(plan, terms, gate, seen.gaps, live), early)
            while loop.goes_on and (tried := loop.circuit.worth_trying(seen.gaps)):
                seen = loop.play_round(tried)
        return loop.report(seen, seconds=time.monotonic() - started)


def finish_earlier_messages(plan: Plan, terms: Terms, gate: Gate) -> EndedEarly | None:
    """Let what a run before this one left in the queues finish, instead of sending it a second time.

    Counts are approximate: after a run that died in mid-sending one look that shows nothing is not believed.
    """
    early = None
    if queue_depth().total or gate.was_left:
        get_run_logger().info("waiting for the messages of an earlier run")
        early = wait_until_drained(Run(plan, terms, gate, Gaps(iter(()))), "earlier").early
    if early is None:
        file_dead_letters(plan.spec.dataset, "earlier")
    return early


@dataclass
class Loop:
    """The rounds of one run, and what became of them."""

    run: Run
    early: EndedEarly | None = None
    rounds: int = 0
    messages: int = 0
    circuit: CircuitBreaker = field(default_factory=CircuitBreaker)
    broken: list[Broken] = field(default_factory=list)
    letters: Letters = field(default_factory=Letters)

    @property
    def goes_on(self) -> bool:
        return not self.early and self.rounds < self.run.terms.max_rounds

    def play_round(self, tried: list[Gap]) -> Observation:
        """Send what `tried` lack, wait, and look: probes first of those that have proved nothing yet."""
        self.rounds += 1
        step = f"round-{self.rounds}"
        asked, held_back = self.send(tried, step)
        self.wait(step, held_back)
        letters = self.file_letters(step)
        seen = look_at_bucket(self.run.plan, step)
        self.run.found(seen.gaps)
        self.circuit.progressed(asked, seen.gaps)
        self.judge(self.circuit.stood_still(asked, seen.gaps), letters, step)
        return seen

    def send(self, gaps: list[Gap], step: str) -> tuple[list[Gap], list[Gap]]:
        """One task run for each generator; returns those that were sent messages, and what is held back of them.

        A generator whose messages could not all be sent fails its task run; the next look shows what it lacks.
        """
        proven = frozenset(self.circuit.proven)
        runs = submit_gap.map(unmapped(self.run), gaps, unmapped(step), unmapped(proven))
        sent = list(zip(gaps, map(sent_by, runs), strict=True))
        self.messages += sum(done.messages for _, done in sent)
        return [gap for gap, done in sent if done.messages], [
            done.held_back for _, done in sent if done.held_back
        ]

    def wait(self, step: str, held_back: list[Gap]) -> None:
        """Wait until the queue is drained; what is held back goes as soon as its generator has proved itself."""
        while True:
            waited = wait_until_drained(self.run, step, {gap.generator for gap in held_back})
            self.early = self.early or waited.early
            if self.early:
                return
            proven = waited.proven or self.made_something(held_back, step)
            rest = [gap for gap in held_back if gap.generator in proven]
            if not rest:
                return
            self.circuit.proven.update(proven)
            held_back = [gap for gap in held_back if gap not in rest]
            self.send(rest, f"{step}/rest")

    def made_something(self, held_back: list[Gap], step: str) -> frozenset[str]:
        """Those whose probes failed and yet made samples: no record proves it, but the bucket does."""
        generators = [gap.generator for gap in held_back]
        if not generators:
            return frozenset()
        lacking = look_at_bucket(self.run.plan, f"{step}/probes", generators).gaps
        return frozenset(
            gap.generator
            for gap in held_back
            if lacking.of(gap.generator).samples < self.run.first.of(gap.generator).samples
        )

    def file_letters(self, step: str) -> Letters:
        """The dead letters of this step, filed; they are left to the run that took the dataset over."""
        if self.early and self.early.reason is _NOT_OURS:
            return Letters()
        letters = file_dead_letters(self.run.dataset, step)
        self.letters += letters
        return letters

    def judge(self, stood_still: list[Gap], letters: Letters, step: str) -> None:
        """Find out why generators made nothing, and give up those that can't do better in this run."""
        if not stood_still or (self.early and self.early.reason is not Reason.BUDGET):
            return
        generators = [gap.generator for gap in stood_still]
        setbacks = explain_setbacks(self.run, generators, letters, step)
        for generator, why in self.circuit.learn(setbacks).items():
            broken = describe_broken(generator, why)
            get_run_logger().error("%s; the others go on", for_terminal(str(broken)))
            events.generator_broken(self.run.dataset, broken)
            self.broken.append(broken)

    def report(self, seen: Observation, seconds: float) -> Report:
        """What is there, and what this run did."""
        figures = RunFigures(
            messages=self.messages,
            rounds=self.rounds,
            samples=self.run.done,
            seconds=seconds,
            queued=queue_depth().total,
            broken=tuple(self.broken),
            dead_letters=tuple(
                DeadLetterTally(generator=generator, cause=cause, count=count)
                for (generator, cause), count in self.letters.most_common()
            ),
            early=self.early,
        )
        if self.early is None and seen.inventory.superseded(self.run.plan.generators):
            remove_superseded(self.run.plan, seen)
        file = self.early is None or self.early.reason is not _NOT_OURS
        return publish_report(self.run.plan, seen, figures, file=file)


def sent_by(run: PrefectFuture[Sent]) -> Sent:
    """What a submission sent, as far as it said so."""
    run.wait()
    return run.result() if run.state.is_completed() else Sent()
