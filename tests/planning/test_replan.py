"""From gaps to messages: exactly what is missing, under the right seed."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange, compress, expand
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.core.seeds import python_hash_seed
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.replan import messages

G = "G-1_x"
START = datetime(2026, 1, 15, tzinfo=UTC)
SEEDS_FAULTS = [cause for cause in Cause if cause.is_seeds_fault]
OTHER_CAUSES = [cause for cause in Cause if not cause.is_seeds_fault]


class Origin(NamedTuple):
    """What decides a sample's bytes: the seeds of its run, how many the run makes, which of them it is."""

    seed: int | None
    python_hash_seed: int
    count: int
    position: int


def wanted(message: TaskMessage) -> list[int]:
    return list(message.only_indices or expand([message.indices]))


def origins(message: TaskMessage) -> dict[int, Origin]:
    start, count = message.start_index, message.num_samples
    return {i: Origin(message.seed, hash_seed_of(message), count, i - start) for i in wanted(message)}


def hash_seed_of(message: TaskMessage) -> int:
    """As the worker takes it."""
    asked = message.python_hash_seed
    return python_hash_seed(message.seed or 0) if asked is None else asked


@dataclass
class World:
    """A bucket and a worker in memory; what goes wrong is up to the test."""

    plan: Plan
    samples: dict[int, Origin] = field(default_factory=dict)
    receipts: dict[keys.ReceiptKey, Receipt] = field(default_factory=dict)
    listing: list[tuple[str, datetime]] = field(default_factory=list)
    named: bool = True

    def gap(self) -> Gap:
        return Gap(G, tuple(compress(set(range(self.plan.sample_count)) - set(self.samples))))

    def work(self) -> list[TaskMessage]:
        return list(messages(self.plan, self.gap(), Evidence(self.listing), self.receipts))

    def make(self, message: TaskMessage, seed: int = 0) -> None:
        """A delivery that goes well; the worker chooses `seed` where the message has none."""
        self.samples |= origins(message)
        receipt = receipt_of(message, seed)
        key = keys.ReceiptKey(G, message.indices, message.salt, receipt.seed if self.named else None)
        self.receipts[key] = receipt
        self._note(keys.receipt(key))

    def fail(self, message: TaskMessage, cause: Cause | None = None, stored: int = 0) -> None:
        """A delivery that stores its first samples and then fails; without a cause nobody wrote down why."""
        self.samples |= dict(list(origins(message).items())[:stored])
        if cause:
            self._note(keys.failure(keys.FailureKey(G, message.indices, message.salt, 1, cause)))

    def finish(self, rounds: int = 30) -> "World":
        for _ in range(rounds):
            for message in self.work():
                self.make(message)
        assert not self.gap().ranges
        return self

    def _note(self, key: str) -> None:
        self.listing.append((key, START + timedelta(seconds=len(self.listing))))


def receipt_of(message: TaskMessage, seed: int = 0) -> Receipt:
    return Receipt(
        message=message,
        seed=message.seed or seed,
        python_hash_seed=hash_seed_of(message) if message.seed else python_hash_seed(seed),
        stored=compress(wanted(message)),
        result=TaskResult(generator=G, samples_uploaded=len(wanted(message)), sample_ids=[]),
        attempt=1,
        generator_digest="d",
        finished_at=START,
    )


def plan_of(samples: int, batch_size: int = 10) -> Plan:
    return Plan(make_spec(generators=[G], samples=samples, batch_size=batch_size))


plans = st.builds(plan_of, st.integers(1, 40), st.integers(1, 15))
runs = st.builds(lambda start, size: IndexRange(start, start + size), st.integers(0, 60), st.integers(1, 15))
records = st.one_of(
    st.builds(
        lambda run, salt, seed: keys.receipt(keys.ReceiptKey(G, run, salt, seed)),
        runs,
        st.integers(0, 3),
        st.none() | st.integers(0, 2),
    ),
    st.builds(
        lambda run, salt, cause: keys.failure(keys.FailureKey(G, run, salt, 1, cause)),
        runs,
        st.integers(0, 3),
        st.sampled_from(Cause),
    ),
)
evidences = st.lists(records, max_size=15).map(
    lambda found: Evidence((key, START + timedelta(seconds=n)) for n, key in enumerate(found))
)


def receipts_for(plan: Plan, evidence: Evidence) -> dict[keys.ReceiptKey, Receipt]:
    """The receipts of every run on record: the dataset's own where the name has a seed or the salt is even."""
    receipts = {}
    for key in (made.key for made in evidence.runs(G)):
        planned = plan.batch(G, key.indices, key.salt)
        seed = planned.seed if key.seed is None and key.salt % 2 == 0 else key.seed
        message = plan.message(planned, salt=key.salt).model_copy(update={"seed": seed or 5})
        receipts[key] = receipt_of(message)
    return receipts


@given(plans, st.sets(st.integers(0, 39)), evidences, st.booleans())
def test_messages_make_exactly_the_gap(
    plan: Plan, whole: set[int], evidence: Evidence, readable: bool
) -> None:
    """Whatever was tried before, every missing index is made once and no index that is whole is touched."""
    missing = set(range(plan.sample_count)) - whole
    gap = Gap(G, tuple(compress(missing)))
    receipts = receipts_for(plan, evidence) if readable else {}
    made = [index for message in messages(plan, gap, evidence, receipts) for index in wanted(message)]
    assert sorted(made) == sorted(missing)


@given(plans)
def test_the_first_round_is_the_plan(plan: Plan) -> None:
    """With nothing there and nothing known, the messages are the planned batches with their planned seeds."""
    assert World(plan).work() == [plan.message(batch) for batch in plan]


@given(plans, st.sets(st.integers(0, 5)))
def test_whole_batches_that_are_missing_are_sent_as_planned(plan: Plan, lost: set[int]) -> None:
    """A gap of whole batches is those batches again, one message each, under their own seeds."""
    batches = list(plan)
    world = World(plan)
    for number, batch in enumerate(batches):
        if number not in lost:
            world.make(plan.message(batch))
    assert world.work() == [plan.message(batches[number]) for number in sorted(lost) if number < len(batches)]


@given(plans, st.sets(st.integers(0, 39), min_size=1))
def test_lost_samples_come_back_byte_for_byte(plan: Plan, lost: set[int]) -> None:
    """A hole is replayed with the seed and the count that made its neighbours, storing the hole alone."""
    world = World(plan).finish()
    before = dict(world.samples)
    for index in lost:
        world.samples.pop(index, None)
    assert sorted(index for message in world.work() for index in wanted(message)) == sorted(
        lost & set(before)
    )
    assert world.finish().samples == before


@given(plans, st.data())
def test_infrastructure_failures_leave_no_trace(plan: Plan, data: st.DataObject) -> None:
    """Batches lost whole or half way, recorded or not, twice or thrice: the dataset is the undisturbed one."""
    world = World(plan)
    for _ in range(3):
        for message in world.work():
            if data.draw(st.booleans(), "lost"):
                cause = data.draw(st.sampled_from([None, *OTHER_CAUSES]), "cause")
                world.fail(message, cause, stored=data.draw(st.integers(0, message.num_samples), "stored"))
            else:
                world.make(message)
    assert world.finish().samples == World(plan).finish().samples


@given(plans, st.data())
def test_the_loop_ends_whatever_fails(plan: Plan, data: st.DataObject) -> None:
    """After any failures of any kind the rounds still fill every gap, and no two runs share samples."""
    world = World(plan)
    for _ in range(4):
        for message in world.work():
            cause = data.draw(st.sampled_from([None, *Cause, "fine", "fine"]), "outcome")
            if cause == "fine":
                world.make(message)
            else:
                world.fail(
                    message, cause, stored=data.draw(st.integers(0, message.num_samples - 1), "stored")
                )
    samples = world.finish().samples
    assert len({(origin.seed, origin.position) for origin in samples.values()}) == plan.sample_count


@pytest.mark.parametrize("cause", OTHER_CAUSES)
def test_a_batch_lost_to_infrastructure_is_sent_unchanged(cause: Cause) -> None:
    """It was not the seed's fault: same indices, same seed, same salt, however often it was lost."""
    world = World(plan_of(30))
    planned = world.work()
    for _ in range(3):
        for message in world.work():
            world.fail(message, cause)
    assert world.work() == planned


def test_what_is_left_of_a_batch_nobody_accounts_for_is_that_batch_again() -> None:
    """A worker that died while storing leaves a part: the planned batch runs again and stores the rest."""
    world = World(plan_of(10))
    [planned] = world.work()
    world.fail(planned, stored=4)
    del world.samples[1]
    assert world.work() == [planned.model_copy(update={"only_indices": (1, 4, 5, 6, 7, 8, 9)})]


@given(plans, evidences)
def test_no_seed_is_used_again_where_it_failed(plan: Plan, evidence: Evidence) -> None:
    """However batches were cut before: where a run failed, fresh samples come under a salt above all that failed."""
    gap = Gap(G, (IndexRange(0, plan.sample_count),))
    failed = [failed.key for failed in evidence.failures(G) if failed.key.cause.is_seeds_fault]
    for message in messages(plan, gap, evidence, {}):
        there = [key.salt for key in failed if key.indices.clip(message.indices)]
        assert not there or message.salt > max(there), message


def test_a_failed_run_counts_in_every_batch_it_reaches_into() -> None:
    """Ten samples failed, then batches of fifteen are asked for: both that share indices with it get fresh seeds."""
    world = World(plan_of(30, 10))
    planned = world.work()
    world.make(planned[0])
    world.fail(planned[1], Cause.CRASH)
    world.plan = plan_of(30, 15)
    assert [(m.indices, m.salt) for m in world.work()] == [
        (IndexRange(10, 15), 1),
        *((IndexRange(start, start + 5), 1) for start in (15, 20, 25)),
    ]


def test_pieces_are_half_of_the_smallest_that_failed() -> None:
    """Of runs of six and of four samples that failed under one salt, the next are of two."""
    plan = plan_of(10)
    world = World(plan)
    for start, stop in ((0, 6), (6, 10)):
        world.fail(plan.message(plan.batch(G, IndexRange(start, stop), 1), salt=1), Cause.MEMORY)
    assert [(m.num_samples, m.salt) for m in world.work()] == [(2, 2)] * 5


@given(st.integers(1, 40), st.integers(0, 5), st.sampled_from(SEEDS_FAULTS))
def test_a_failed_generator_gets_a_new_salt_and_half_the_size(size: int, salt: int, cause: Cause) -> None:
    """Another seed and smaller pieces: the next salt, at most half as many samples, every index once."""
    plan = plan_of(size, size)
    world = World(plan)
    world.fail(plan.message(plan.batch(G, IndexRange(0, size), salt), salt=salt), cause)
    again = world.work()
    assert {message.salt for message in again} == {salt + 1}
    assert max(message.num_samples for message in again) == max(1, size // 2)
    assert [message.seed for message in again] == [plan.batch(G, m.indices, salt + 1).seed for m in again]
    assert [index for message in again for index in wanted(message)] == list(range(size))


def test_a_generator_that_keeps_failing_is_asked_for_single_samples() -> None:
    """25, 12, 6, 3, 1: a sample that no seed can make is soon alone, and its neighbours are there."""
    world = World(plan_of(25, 25))
    sizes = []
    for _ in range(6):
        for message in world.work():
            if 7 in wanted(message):
                sizes.append(message.num_samples)
                world.fail(message, Cause.CRASH)
            else:
                world.make(message)
    assert sizes == [25, 12, 6, 3, 1, 1]
    assert world.gap() == Gap(G, (IndexRange(7, 8),))


def test_fresh_samples_take_the_indices_a_failed_run_did_not_store() -> None:
    """A run that made 7 of 10 keeps them; the other three are made under the next salt."""
    world = World(plan_of(10))
    [planned] = world.work()
    world.fail(planned, Cause.WRONG_COUNT, stored=7)
    [message] = world.work()
    assert (message.indices, message.salt, message.only_indices) == (IndexRange(7, 10), 1, None)
    assert message.seed == world.plan.batch(G, IndexRange(7, 10), 1).seed


def test_a_replay_that_fails_gives_way_to_fresh_samples() -> None:
    """The seed that made the neighbours does not work any more: the hole is filled under a new salt."""
    world = World(plan_of(10)).finish()
    del world.samples[3], world.samples[4]
    [replay] = world.work()
    assert (replay.only_indices, replay.salt) == ((3, 4), 0)
    world.fail(replay, Cause.CRASH)
    [fresh] = world.work()
    assert (fresh.indices, fresh.salt, fresh.only_indices) == (IndexRange(3, 5), 1, None)


def test_a_replay_lost_to_infrastructure_is_replayed() -> None:
    """Only the generator's own failure retires a seed."""
    world = World(plan_of(10)).finish()
    del world.samples[3]
    [replay] = world.work()
    world.fail(replay, Cause.UPLOAD)
    assert world.work() == [replay]


def test_a_batch_lost_after_its_receipt_is_sent_whole() -> None:
    """Where every sample of a run is gone, nothing is left out of the replay."""
    world = World(plan_of(10)).finish()
    world.samples.clear()
    assert world.work() == [world.plan.message(batch) for batch in world.plan]


@pytest.mark.parametrize("named", [True, False], ids=["named", "of-before"])
@pytest.mark.parametrize("seed", [7, 4_000_000_000])
def test_what_another_seed_made_is_not_made_again(named: bool, seed: int) -> None:
    """Samples of another dataset, or of a seed that a worker chose, make room for the dataset's own.

    A receipt's name tells it; that of a receipt of before names had a seed does not, and the receipt does.
    """
    world = World(plan_of(10), named=named)
    world.make(TaskMessage(type=G, num_samples=10, salt=0), seed=seed)
    world.samples.clear()
    assert world.work() == [world.plan.message(batch) for batch in world.plan]


@pytest.mark.parametrize("named", [True, False], ids=["named", "of-before"])
def test_the_run_of_this_seed_is_replayed_where_another_seed_came_after_it(named: bool) -> None:
    """The dataset's own run made the batch first; what is lost is what that run makes."""
    world = World(plan_of(10), named=True).finish()
    world.named = named
    world.make(TaskMessage(type=G, num_samples=10, salt=1), seed=7)
    del world.samples[9]
    [replay] = world.work()
    assert (replay.seed, replay.num_samples, replay.only_indices) == (next(iter(world.plan)).seed, 10, (9,))


@pytest.mark.parametrize("lost", [{3}, set(range(10))], ids=["a hole", "all of the batch"])
def test_a_run_from_before_hash_seeds_were_recorded_is_replayed_under_its_own(lost: set[int]) -> None:
    """A receipt that names no hash seed means 0; one whose hash seed is its seed's own needs no word of it."""
    world = World(plan_of(20)).finish()
    first, second = world.receipts
    kept = json.loads(world.receipts[first].model_dump_json(exclude={"python_hash_seed"}))
    world.receipts[first] = Receipt.model_validate(kept)
    for index in (*lost, 13):
        del world.samples[index]
    old, new = sorted(world.work(), key=lambda message: message.start_index)
    assert (old.python_hash_seed, old.seed) == (0, world.receipts[first].seed)
    assert (new.python_hash_seed, new.seed) == (None, world.receipts[second].seed)
    world.make(old)
    assert world.receipts[first].python_hash_seed == 0, "and so it is by the next replay"


def test_the_latest_run_over_an_index_is_the_one_replayed() -> None:
    """Index 3 was made again under salt 1: that is the sample that was lost."""
    world = World(plan_of(10)).finish()
    later = world.plan.message(world.plan.batch(G, IndexRange(3, 5), 1), salt=1)
    world.make(later)
    del world.samples[3], world.samples[6]
    assert [(m.indices, m.salt, m.only_indices) for m in world.work()] == [
        (IndexRange(3, 5), 1, (3,)),
        (IndexRange(0, 10), 0, (6,)),
    ]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 15))
def test_asking_for_more_makes_exactly_the_difference(samples: int, more: int, batch_size: int) -> None:
    """Extending a dataset generates no sample twice and gives none a seed that was used."""
    world = World(plan_of(samples, batch_size)).finish()
    before = dict(world.samples)
    world.plan = plan_of(samples + more, batch_size)
    assert sum(message.num_samples for message in world.work()) == more
    after = world.finish().samples
    assert {index: after[index] for index in before} == before
    assert len({(origin.seed, origin.position) for origin in after.values()}) == samples + more


@given(st.integers(1, 15), st.integers(1, 15), st.sets(st.integers(0, 39), min_size=1))
def test_another_batch_size_still_replays_what_was_made(old: int, new: int, lost: set[int]) -> None:
    """The plan's cut may change; a hole is still replayed as the run that made it."""
    world = World(plan_of(40, old)).finish()
    before = dict(world.samples)
    for index in lost:
        del world.samples[index]
    world.plan = plan_of(40, new)
    assert world.finish().samples == before


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_every_message_carries_what_the_dataset_asks_for(output_format: str) -> None:
    """Replays and fresh samples alike are stored in the dataset's format and held to its requirements."""
    spec = make_spec(
        dataset="spring",
        generators=[G],
        samples=10,
        batch_size=5,
        output_format=output_format,
        require=["metadata.json"],
    )
    world = World(Plan(spec)).finish()
    del world.samples[1]
    world.fail(world.plan.message(next(iter(world.plan))).model_copy(update={"start_index": 5}), Cause.CRASH)
    del world.samples[7]
    for message in world.work():
        assert (message.dataset, message.output_format, message.require) == (
            "spring",
            output_format,
            ("metadata.json",),
        )


def test_scattered_holes_of_one_run_are_one_message() -> None:
    """Five lost samples of a run cost one replay, not five."""
    world = World(plan_of(100, 25)).finish()
    for index in (1, 3, 5, 7, 9, 30):
        del world.samples[index]
    assert sorted((m.start_index, m.only_indices) for m in world.work()) == [
        (0, (1, 3, 5, 7, 9)),
        (25, (30,)),
    ]


def test_copies_get_another_salt_of_their_batch() -> None:
    """One message a planned batch, which stores the copies alone; what is missing besides is made as ever."""
    plan = Plan(make_spec(generators=(G,), samples=20, batch_size=10))
    made = keys.receipt(keys.ReceiptKey(G, IndexRange(0, 10), 3, 7, "20260101T000000000000Z-00000000"))
    gap = Gap(
        G, (IndexRange(2, 4), IndexRange(8, 20)), (IndexRange(2, 4), IndexRange(8, 9), IndexRange(12, 13))
    )
    sent = list(messages(plan, gap, Evidence([(made, START)]), {}))
    assert [(m.start_index, m.num_samples, m.salt, m.only_indices) for m in sent[:2]] == [
        (0, 10, 4, (2, 3, 8)),
        (10, 10, 1, (12,)),
    ]
    assert sent[0].seed == plan.batch(G, IndexRange(0, 10), 4).seed
    assert sorted(index for message in sent for index in wanted(message)) == [*expand(gap.ranges)]
