"""The loop, with its real rules on AWS in memory; a wait is when the worker works."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import obstore
import pytest

from tests.recorded import put_recorded
from vbvrdatafactory.control.circuit_breaker import PROBES, FailureSummary
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts
from vbvrdatafactory.driver.loop import Loop, finish_earlier_messages
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.driver.submit import Submitted, submit_gap
from vbvrdatafactory.driver.wait import WaitResult
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.report.run_figures import EndedEarly, Reason
from vbvrdatafactory.report.tallies import DeadLetterTally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.testing import InMemoryAws

GOOD, BAD = "G-1_good", "G-2_bad"
STALLED = EndedEarly(reason=Reason.STALLED, detail="nobody took any", next_move="deploy")
SPENT = STALLED.model_copy(update={"reason": Reason.BUDGET})
TAKEN_OVER = STALLED.model_copy(update={"reason": Reason.LOCK_LOST})


class World(Steps):
    """A dataset's bucket and queue, and a worker that does as the test says when it is waited for."""

    def __init__(self, cloud: InMemoryAws, samples: int = 60, generators: Iterable[str] = (GOOD,)) -> None:
        super().__init__(Services(cloud.config))
        self.cloud = cloud
        self.plan = Plan(make_spec(dataset="d", generators=tuple(generators), samples=samples, batch_size=10))
        self.guard = SimpleNamespace(
            since=datetime(2020, 1, 1, tzinfo=UTC), wait_until_open=lambda _: None, took_over=False
        )
        self.waits: list[tuple[str, frozenset[str]]] = []
        self.endings: list[WaitResult] = []
        self.fails: dict[str, Cause] = {}
        self.leaves_records = True
        self.letters = DeadLetterCounts()
        self.filed: list[str] = []
        self.published: list[tuple[Observation, Any, bool]] = []

    def loop(self, early: EndedEarly | None = None, **policy: Any) -> Loop:
        run = Run(self.plan, RunPolicy(**policy), self.guard, self.look().gaps)
        return Loop(self, run, early)

    def look(self) -> Observation:
        return observe(self.cloud.store, self.plan)

    def play(self, loop: Loop) -> Observation:
        return loop.run_round(list(self.look().gaps))

    # Steps

    def wait(self, run: Run, step: str, held_back: Iterable[str] = ()) -> WaitResult:
        self.waits.append((step, frozenset(held_back)))
        for message in self.cloud.messages():
            self.work(message)
        self.cloud.sqs.purge_queue(QueueUrl=self.cloud.queue_url)
        return self.endings.pop(0) if self.endings else WaitResult()

    def submit(self, run: Run, gaps: Any, step: str, proven: Any) -> list[Submitted]:
        """Generator by generator; one whose messages were refused sent nothing that it tells of."""
        return [self.submit_one(run, gap, proven) for gap in gaps]

    def submit_one(self, run: Run, gap: Gap, proven: Any) -> Submitted:
        try:
            return submit_gap(self.services, run, gap, proven)
        except DataFactoryError:
            return Submitted()

    def file_dead_letters(self, dataset: str, step: str) -> DeadLetterCounts:
        self.filed.append(step)
        found, self.letters = self.letters, DeadLetterCounts()
        return found

    def publish(self, plan: Plan, seen: Observation, figures: Any, *, file: bool) -> Any:
        self.published.append((seen, figures, file))
        return figures

    # The worker

    def work(self, message: TaskMessage) -> None:
        cause = self.fails.get(message.type)
        if cause is None:
            self.make(message.type, expand(message.wanted))
        if self.leaves_records:
            self.note(message, cause)

    def make(self, generator: str, indices: Iterable[int]) -> None:
        put_recorded(self.cloud.store, generator, indices)

    def note(self, message: TaskMessage, cause: Cause | None) -> None:
        if cause:
            failed = keys.FailureKey(message.type, message.indices, message.salt, 1, cause)
            obstore.put(self.cloud.store, keys.failure(failed), b"{}")
            return
        receipt = Receipt(
            message=message,
            seed=message.seed or 0,
            stored=message.wanted,
            result=TaskResult(generator=message.type, samples_uploaded=message.num_samples, sample_ids=[]),
            attempt=1,
            generator_digest="d",
            finished_at=datetime.now(UTC),
        )
        key = keys.receipt(keys.ReceiptKey(message.type, message.indices, message.salt))
        records.write(self.cloud.store, key, receipt)


@pytest.fixture
def make(cloud) -> Callable[..., World]:
    """Makes the world; every step of the loop that is not the world's own is the real one."""
    return lambda **otherwise: World(cloud, **otherwise)


# A round


def test_a_round_sends_what_is_missing_and_looks_at_what_came_of_it(make) -> None:
    """Proven by its probes the generator gets the rest in the same round, and nothing is lacking after it."""
    world = make()
    loop = world.loop()
    seen = world.play(loop)
    assert (len(seen.gaps), loop.rounds, loop.messages) == (0, 1, 6)
    assert (loop.run.done, loop.breaker.proven, loop.broken) == (60, {GOOD}, [])
    assert world.filed == ["round-1"]


def test_rounds_are_counted_and_named(make) -> None:
    """The second round is the second, with steps of its own."""
    world = make(samples=20)
    world.fails = {GOOD: Cause.CRASH}
    loop = world.loop()
    for _ in range(2):
        world.play(loop)
    assert (loop.rounds, [step for step, _ in world.waits]) == (2, ["round-1", "round-2"])
    assert world.filed == ["round-1", "round-2"]


def test_it_goes_on_for_so_many_rounds(make) -> None:
    """And not at all where something has ended it."""
    world = make()
    loop = world.loop(max_rounds=2)
    assert loop.goes_on
    loop.rounds = 1
    assert loop.goes_on
    loop.rounds = 2
    assert not loop.goes_on
    assert not world.loop(STALLED).goes_on


def test_a_round_that_is_lost_whole_sends_the_same_again(make) -> None:
    """Records and samples of one generator are nowhere: the next round has the same batches and makes them."""
    world = make(samples=20)
    loop = world.loop()
    work, world.work = world.work, lambda _: None
    assert world.play(loop).gaps.sample_count == 20
    world.work = work
    assert world.play(loop).gaps.sample_count == 0
    assert (loop.messages, loop.breaker.broken) == (4, {})


# Sending


def test_what_was_sent_and_what_is_held_back_are_told_apart(make) -> None:
    """A proven generator holds nothing back; one that lacks nothing to send is not among those that were asked."""
    world = make(generators=(GOOD, BAD))
    loop = world.loop()
    loop.breaker.proven.add(GOOD)
    gaps = list(world.look().gaps)
    asked, held_back = loop.send(gaps, "round-1")
    assert asked == gaps
    assert held_back == [Gap(BAD, (IndexRange(20, 60),))]
    assert Counter(message.type for message in world.cloud.messages()) == {GOOD: 6, BAD: PROBES}
    assert loop.messages == 6 + PROBES


def test_a_submission_that_failed_was_not_asked(make, monkeypatch) -> None:
    """Its generator is not blamed for what nobody asked of it; the others go their way."""
    monkeypatch.setattr("vbvrdatafactory.sqs.submitter.time.sleep", lambda _: None)
    world = make(samples=10, generators=(BAD, GOOD))
    world.cloud.sqs.refuse(5)
    loop = world.loop()
    asked, held_back = loop.send(list(world.look().gaps), "round-1")
    assert ([gap.generator for gap in asked], held_back, loop.messages) == ([GOOD], [], 1)


def test_who_was_sent_nothing_is_not_judged(make, monkeypatch) -> None:
    """SQS refused every message in two rounds: the generator made nothing, and had nothing to make."""
    monkeypatch.setattr("vbvrdatafactory.sqs.submitter.time.sleep", lambda _: None)
    world = make(samples=10)
    world.cloud.sqs.refuse(1000)
    loop = world.loop()
    for _ in range(2):
        world.play(loop)
    assert (loop.messages, loop.broken) == (0, [])


def test_a_round_that_makes_something_proves_its_generator(make) -> None:
    """Two batches, too few for probes: what they made counts for the rounds that follow."""
    world = make(samples=20)
    loop = world.loop()
    world.play(loop)
    assert loop.breaker.proven == {GOOD}


def test_why_nothing_was_sent_is_reported_until_something_is(make, cloud) -> None:
    """A receipt that can't be read is named in the report; once it is deleted, fresh samples are made, and it is not."""
    world = make(samples=10)
    key = keys.receipt(keys.ReceiptKey(GOOD, IndexRange(0, 10), 0))
    obstore.put(cloud.store, key, b"no receipt")
    loop = world.loop()
    world.play(loop)
    figures = loop.report(world.look(), seconds=1.0)
    assert [problem.startswith(key) for problem in figures.problems] == [True]
    assert any("Restore it, or delete it" in remark for remark in figures.remarks)
    assert (loop.broken, loop.messages) == ([], 0)
    obstore.delete(cloud.store, key)
    assert world.play(loop).gaps.sample_count == 0
    assert loop.report(world.look(), seconds=1.0).problems == ()


# Waiting


def test_what_is_held_back_goes_when_its_generator_has_proved_itself(make) -> None:
    """Ended by a record, the wait begins again for those that are still held back, and only for them."""
    world = make(generators=(GOOD, BAD))
    loop = world.loop()
    _, held_back = loop.send(list(world.look().gaps), "round-1")
    world.fails = {BAD: Cause.CRASH}
    world.endings = [WaitResult(proven=frozenset({GOOD}))]
    loop.wait("round-1", held_back)
    assert world.waits == [("round-1", {GOOD, BAD}), ("round-1", {BAD})]
    assert loop.breaker.proven == {GOOD}
    assert loop.messages == 2 * PROBES + 4


def test_probes_that_made_something_without_a_record_prove_it_too(make) -> None:
    """A worker that died after it stored leaves samples and no word: the bucket is looked at."""
    world = make()
    world.leaves_records = False
    loop = world.loop()
    _, held_back = loop.send(list(world.look().gaps), "round-1")
    loop.wait("round-1", held_back)
    assert (loop.breaker.proven, loop.messages) == ({GOOD}, 6)
    assert [waiting for _, waiting in world.waits] == [{GOOD}, frozenset()]


def test_what_is_held_back_of_a_broken_generator_is_never_sent(make) -> None:
    """Its probes made nothing: the queue is drained and the wait is over."""
    world = make()
    world.fails = {GOOD: Cause.CRASH}
    loop = world.loop()
    _, held_back = loop.send(list(world.look().gaps), "round-1")
    loop.wait("round-1", held_back)
    assert (loop.messages, len(world.waits), loop.breaker.proven) == (PROBES, 1, set())


@pytest.mark.parametrize("early", [STALLED, SPENT, TAKEN_OVER], ids=lambda early: early.reason)
def test_a_wait_that_ended_early_sends_no_more(make, early: EndedEarly) -> None:
    """Not even what is held back of a generator that proved itself meanwhile."""
    world = make()
    loop = world.loop()
    _, held_back = loop.send(list(world.look().gaps), "round-1")
    world.endings = [WaitResult(early, frozenset({GOOD}))]
    loop.wait("round-1", held_back)
    assert (loop.early, loop.messages, loop.goes_on) == (early, PROBES, False)


def test_what_ended_a_run_first_is_why_it_ended(make) -> None:
    """A later reason does not take its place."""
    world = make()
    loop = world.loop(STALLED)
    world.endings = [WaitResult(SPENT)]
    loop.wait("round-1", [])
    assert loop.early == STALLED


def test_made_something_is_more_than_there_was_at_first(make) -> None:
    """Samples that were there before the run prove nothing; one more does; nothing held back is no question."""
    world = make(generators=(GOOD, BAD))
    world.make(BAD, range(30))
    loop = world.loop()
    held_back = [Gap(name, (IndexRange(40, 60),)) for name in (GOOD, BAD)]
    assert loop.made_something(held_back, "round-1") == frozenset()
    world.make(BAD, [30])
    assert loop.made_something(held_back, "round-1") == {BAD}
    assert loop.made_something(held_back[:1], "round-1") == frozenset()
    assert loop.made_something([], "round-1") == frozenset()


# Judging


def test_a_generator_that_no_seed_can_help_is_given_up_at_once(make) -> None:
    """With its cause; the others go on, and it is not tried again in this run."""
    world = make(generators=(GOOD, BAD))
    world.fails = {BAD: Cause.MISSING_DEPENDENCY}
    loop = world.loop()
    seen = world.play(loop)
    assert [(broken.generator, broken.cause) for broken in loop.broken] == [(BAD, Cause.MISSING_DEPENDENCY)]
    assert loop.breaker.worth_trying(seen.gaps) == []
    assert world.look().inventory[GOOD].whole(IndexRange(0, 60)) == 60


def test_a_generator_that_crashes_is_given_up_after_two_fruitless_rounds(make) -> None:
    """The first might have been the seed's fault."""
    world = make()
    world.fails = {GOOD: Cause.CRASH}
    loop = world.loop()
    assert loop.breaker.worth_trying(world.play(loop).gaps)
    assert loop.breaker.worth_trying(world.play(loop).gaps) == []
    assert [broken.cause for broken in loop.broken] == [Cause.CRASH]


def test_where_workers_are_lost_letters_say_why(make) -> None:
    """SQS gave the batches up without a record: their dead letters name the cause."""
    world = make(samples=20)
    loop = world.loop()
    world.work = lambda _: None
    for _ in range(2):
        world.letters = DeadLetterCounts({(GOOD, Cause.WORKER_LOST): 2})
        world.play(loop)
    assert loop.breaker.broken == {GOOD: FailureSummary(Cause.WORKER_LOST)}
    assert loop.dead_letters == {(GOOD, Cause.WORKER_LOST): 4}
    (tally,) = loop.report(world.look(), seconds=1).dead_letters
    assert tally.detail.startswith("no worker said why")


@pytest.mark.parametrize(
    ("early", "judged"), [(STALLED, False), (TAKEN_OVER, False), (SPENT, True), (None, True)]
)
def test_nobody_is_judged_by_a_round_that_was_cut_off(make, early: EndedEarly | None, judged: bool) -> None:
    """Only where messages were given the time to be made, or failed too often, is it the generator's fault."""
    world = make(samples=20)
    world.fails = {GOOD: Cause.MISSING_DEPENDENCY}
    world.endings = [WaitResult(early)]
    loop = world.loop()
    world.play(loop)
    assert bool(loop.broken) is judged


def test_who_made_something_is_not_judged(make) -> None:
    """One sample more than before is progress, whatever else failed."""
    world = make(samples=20)
    world.fails = {GOOD: Cause.MISSING_DEPENDENCY}
    loop = world.loop()
    gaps = list(world.look().gaps)
    work, world.work = world.work, lambda message: (work(message), world.make(GOOD, [0]))
    loop.run_round(gaps)
    assert loop.broken == []


def test_a_run_that_was_taken_over_leaves_the_letters_alone(make) -> None:
    """They are for the run that has the dataset now."""
    world = make(samples=20)
    world.letters = DeadLetterCounts({(GOOD, Cause.CRASH): 1})
    world.endings = [WaitResult(TAKEN_OVER)]
    loop = world.loop()
    world.play(loop)
    assert (world.filed, loop.dead_letters) == ([], DeadLetterCounts())


# The end


def test_the_report_says_what_the_run_did(make) -> None:
    """Messages, rounds, samples, seconds, what is queued still, who was given up, and the letters, most first."""
    world = make(samples=20, generators=(GOOD, BAD))
    world.fails = {BAD: Cause.MISSING_DEPENDENCY}
    loop = world.loop()
    world.letters = DeadLetterCounts({(GOOD, Cause.CRASH): 1, (BAD, Cause.MISSING_DEPENDENCY): 2})
    seen = world.play(loop)
    world.cloud.sqs.send_message(QueueUrl=world.cloud.queue_url, MessageBody="another's")
    figures = loop.report(seen, seconds=12.5)
    assert world.published == [(seen, figures, True)]
    assert (figures.messages, figures.rounds, figures.samples, figures.seconds) == (4, 1, 20, 12.5)
    assert (figures.queued, figures.early, figures.broken) == (1, None, tuple(loop.broken))
    assert figures.dead_letters == (
        DeadLetterTally(generator=BAD, cause=Cause.MISSING_DEPENDENCY, count=2),
        DeadLetterTally(generator=GOOD, cause=Cause.CRASH, count=1),
    )


@pytest.mark.parametrize(("early", "filed"), [(TAKEN_OVER, False), (STALLED, True), (SPENT, True)])
def test_another_runs_dataset_is_not_ours_to_report_on(make, early: EndedEarly, filed: bool) -> None:
    """The report is shown, and filed only by who has the dataset."""
    world = make()
    loop = world.loop(early)
    assert loop.report(world.look(), seconds=1.0).early == early
    assert [file for *_, file in world.published] == [filed]


# What was before


@pytest.mark.parametrize("reason", ["a message", "a run that died"])
def test_what_an_earlier_run_left_is_waited_for(make, reason: str) -> None:
    """Its messages are made first instead of twice; after a run that died one count of zero is not believed."""
    world = make(samples=10)
    if reason == "a message":
        world.cloud.sqs.send_message(
            QueueUrl=world.cloud.queue_url, MessageBody=next(world.plan.messages()).to_json()
        )
    world.guard.took_over = reason == "a run that died"
    assert finish_earlier_messages(world, world.loop().run) is None
    assert world.waits == [("earlier", frozenset())]
    assert world.look().gaps.sample_count == (0 if reason == "a message" else 10)
    assert world.filed == ["earlier"]


def test_an_empty_queue_is_not_waited_for(make) -> None:
    """Letters that an earlier run left are filed all the same."""
    world = make()
    assert finish_earlier_messages(world, world.loop().run) is None
    assert (world.waits, world.filed) == ([], ["earlier"])


def test_a_stall_of_the_earlier_messages_ends_the_run(make) -> None:
    """Nothing is sent behind messages that nobody takes, and their letters are left alone."""
    world = make()
    world.guard.took_over = True
    world.endings = [WaitResult(STALLED)]
    assert finish_earlier_messages(world, world.loop().run) == STALLED
    assert world.filed == []
