"""Flows that are killed at any moment: the next one goes on from the bucket, and nothing is paid for twice."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import obstore
import pytest

from tests.soak.door import Call, Sent
from tests.soak.needed import Trouble, Wanted, needed, seeds_of
from tests.soak.process import FlowProcess
from vbvrdatafactory.control.dataset_lock import TTL_SECONDS, LockClaim
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.listing import sizes
from vbvrdatafactory.sqs.depth import depth

pytestmark = [pytest.mark.soak, pytest.mark.aws, pytest.mark.prefect]

KILLS = int(os.environ.get("SOAK_KILLS", "20"))
KILLS_OF_A_RUN = 5
SAMPLES, BATCH = 48, 4
LONGEST_LIFE = 35.0
THINGS = (
    *(
        "SendMessageBatch",
        "SendMessageBatch",
        "GetQueueAttributes",
        "ReceiveMessage",
        "DeleteMessage",
        "LIST",
    ),
    *("PUT lease.json", "PUT spec.json", "PUT report.json"),
)
# From the first question for the lease until it is taken.
LEASE_SECONDS = 5.0


class Moment(NamedTuple):
    """When to kill: after some seconds, or before that where something was done so many times by then."""

    seconds: float
    thing: str | None = None
    times: int = 0


def any_moment(chance: random.Random) -> Moment:
    """Half of them at any second, half while a certain thing is done."""
    if chance.random() < 0.5:
        return Moment(chance.uniform(0, LONGEST_LIFE))
    return Moment(LONGEST_LIFE, chance.choice(THINGS), chance.randint(1, 3))


def after_first_probes(_: random.Random) -> Moment:
    """When each of four generators was sent its first messages."""
    return Moment(4 * LONGEST_LIFE, "SendMessageBatch", 4)


class Run(NamedTuple):
    """One dataset, and how its generators fail."""

    plan: Plan
    troubles: dict[str, Trouble]

    @property
    def dataset(self) -> str:
        return self.plan.spec.dataset

    @property
    def options(self) -> list[str]:
        spec = self.plan.spec
        return [
            *("--dataset", spec.dataset, "-n", str(spec.samples), "-b", str(spec.batch_size)),
            *("--output-format", spec.output_format, "--poll-seconds", "0.3"),
            *(part for name in spec.generators for part in ("-g", name)),
        ]


@dataclass
class Story:
    """Every life of every run, and when each that was killed was."""

    yard: Any
    chance: random.Random
    moment: Callable[[random.Random], Moment] = any_moment
    wrong_zeros: int = 0
    lines: list[str] = field(default_factory=list)
    killed_at: list[float] = field(default_factory=list)
    visibility_seconds: list[float] = field(default_factory=list)

    def live(self, run: Run, *, kill: bool, may_wait: bool = False) -> FlowProcess | None:
        """One life; None where it was killed, at a random moment, before it ended by itself."""
        door, before = self.yard.door, records(self.yard.factory)
        calls, sent = len(door.calls), len(door.sent)
        door.wrong_zeros = self.wrong_zeros
        log = self.yard.logs / f"{run.dataset}-{len(self.lines)}.log"
        flow = FlowProcess(run.options, self.yard.environment, log)
        try:
            killed = kill and self.kill(flow, self.moment(self.chance))
            flow.wait()
        finally:
            flow.kill()
        lost = before - records(self.yard.factory)
        assert not lost, f"filed before life {len(self.lines)} of a flow and gone after it: {lost}"
        assert may_wait or "is being made by" not in flow.output, "the claim of a killed flow was waited for"
        done = door.calls[calls:]
        self.visibility_seconds += lease_seconds(done)
        self.lines.append(
            f"{run.dataset} {'was killed' if killed else 'ended'} after {flow.age:.1f} s, {len(done)} calls, "
            f"{len(door.sent) - sent} messages; its last call: {done[-1].kind if done else 'none'}"
        )
        return None if killed else flow

    def kill(self, flow: FlowProcess, moment: Moment) -> bool:
        """Kill the flow when it is time; False where it ended before."""
        began = len(self.yard.door.coming)
        while flow.age < moment.seconds and not flow.ended:
            if moment.thing and self.yard.door.coming[began:].count(moment.thing) >= moment.times:
                time.sleep(self.chance.uniform(0, 0.05))
                break
            time.sleep(0.01)
        if flow.ended:
            return False
        self.killed_at.append(time.monotonic())
        flow.kill()
        return True


def test_twenty_kills_of_the_flow_change_nothing(yard, capsys) -> None:
    """Runs whose generators fail now and then, killed at 20 random moments and started again, end as planned.

    Each ends with every planned sample whole, none torn, no stray, and no record of a failure lost; no restart
    waits for the claim of the flow that was killed.

    What is needed is known beforehand: the planned batches, and for each that fails under its seed the smaller
    ones under the next salt. A flow that starts waits until the queue reads empty before it looks at the
    bucket, and the embedded SQS counts exactly. So only what was in the air when its flow was killed can be
    sent again: one call of at most ten messages for each of the threads that send.
    """
    story, runs, began = Story(yard, random.Random(20)), [], time.monotonic()
    while len(story.killed_at) < KILLS:
        run = misbehaving(yard.factory, len(runs))
        runs.append(run)
        stop = min(KILLS, len(story.killed_at) + KILLS_OF_A_RUN)
        flow = None
        while flow is None:
            flow = story.live(run, kill=len(story.killed_at) < stop)
        assert flow.wait() == 0, flow.output[-3000:]
        assert (
            flow.result["right"] == flow.result["whole"] == flow.result["expected"] == run.plan.sample_count
        )
    after = story.live(runs[-1], kill=False)
    took = time.monotonic() - began

    planned = sum(run.plan.batch_count for run in runs)
    wanted = {(run.dataset, one) for run in runs for one in needed(run.plan, run.troubles)}
    sent = Counter((one.message.dataset, Wanted.of(one.message)) for one in yard.door.sent)
    twice, air = sent - Counter(sent.keys()), in_the_air(yard.door.sent, story.killed_at)
    with capsys.disabled():
        print(*("", *story.lines), sep="\n")
        print(f"{len(story.killed_at)} kills of {len(runs)} runs, {took:.0f} s in all")
        print(f"{planned} batches planned, {len(wanted)} messages needed with those that failed,")
        print(f"{sent.total()} sent: {twice.total()} beyond need; {len(air)} were in the air at a kill")
        print("".join(f"sent again: {one}\n" for one in twice.elements()), end="")
        print(f"the claim was taken within {max(story.visibility_seconds):.2f} s")
        print(letters_line(yard.factory, runs))

    assert set(sent) == wanted
    assert set(twice) <= air
    assert after.result["messages"] == 0
    assert max(story.visibility_seconds) < LEASE_SECONDS
    check_bucket(yard.factory, runs)


def test_a_wrong_count_after_a_death_is_not_believed(yard, capsys) -> None:
    """A flow that follows a killed one does not believe a first count of zero: nothing is sent again.

    On AWS counts are approximate. What the killed one had sent is still in the queue, as nobody made it meanwhile.
    """
    story = Story(yard, random.Random(3), after_first_probes, wrong_zeros=1)
    run = misbehaving(yard.factory, 1)
    yard.factory.consume(enabled=False)
    assert story.live(run, kill=True) is None, "it was to be killed as it sent"
    yard.factory.consume(enabled=True)
    flow = story.live(run, kill=False)
    sent = Counter(Wanted.of(one.message) for one in yard.door.sent)
    twice, wanted = sent - Counter(sent.keys()), needed(run.plan, run.troubles)
    air = {one for _, one in in_the_air(yard.door.sent, story.killed_at)}
    with capsys.disabled():
        print(*("", *story.lines), sep="\n")
        print(f"{len(wanted)} messages needed, {sent.total()} sent: {twice.total()} beyond need")
    assert flow.wait() == 0, flow.output[-3000:]
    assert set(sent) == wanted
    assert set(twice) <= air
    check_bucket(yard.factory, [run])


def test_a_claim_from_a_machine_that_is_gone_ends_by_itself(yard, capsys) -> None:
    """A flow that can't see whether the one before it is dead waits for its claim to expire, and not longer."""
    story = Story(yard, random.Random(1), after_first_probes)
    run = misbehaving(yard.factory, 1)
    assert story.live(run, kill=True) is None
    key = keys.dataset_lock(run.dataset)
    lease = LockClaim.model_validate_json(bytes(obstore.get(yard.factory.store, key).bytes()))
    elsewhere = lease.model_copy(update={"holder": lease.holder._replace(machine="elsewhere")})
    obstore.put(yard.factory.store, key, elsewhere.model_dump_json().encode())
    flow = story.live(run, kill=False, may_wait=True)
    assert flow.result["whole"] == run.plan.sample_count
    with capsys.disabled():
        print(f"\nthe claim was taken after {story.visibility_seconds[-1]:.1f} s of {TTL_SECONDS:.0f}")
    assert TTL_SECONDS <= story.visibility_seconds[-1] < TTL_SECONDS + LEASE_SECONDS


def misbehaving(factory, number: int) -> Run:
    """A dataset of four generators: one slow, one that crashes, one that leaves, one that makes too few."""
    names = slow, crashes, leaves, few = [
        factory.add_generator(f"K-{number}_{kind}_data-generator")
        for kind in ("slow", "crashes", "leaves", "few")
    ]
    spec = make_spec(
        dataset=f"run-{number}",
        generators=names,
        samples=SAMPLES,
        batch_size=BATCH,
        output_format=("files", "tar")[number % 2],
    )
    plan = Plan(spec)
    once = seeds_of(plan, crashes, [4, 8, 40], salts=1)
    troubles = {
        crashes: Trouble(once | seeds_of(plan, crashes, [20], salts=2)),
        leaves: Trouble(seeds_of(plan, leaves, [0, 44], salts=2)),
        few: Trouble(seeds_of(plan, few, [12, 32], salts=1), Cause.WRONG_COUNT, fewer=1),
    }
    factory.add_generator(slow, slow=0.7)
    factory.add_generator(crashes, crash="no luck", seeds=[*troubles[crashes].seeds])
    factory.add_generator(leaves, exit=3, seeds=[*troubles[leaves].seeds])
    factory.add_generator(few, fewer=1, seeds=[*troubles[few].seeds])
    return Run(plan, troubles)


def records(factory) -> set[str]:
    """Keys of all that is filed of failures: the worker's records, and dead letters."""
    filed = {key for key, _ in sizes(factory.store, keys.FAILURES)}
    return filed | {key for key, _ in sizes(factory.store, keys.DATASETS) if "/dead-letters/" in key}


def lease_seconds(calls: Sequence[Call]) -> list[float]:
    """From the first question for the lease until it was put, where one life came to that."""
    asked = next((call.at for call in calls if call.kind == "GET lease.json"), None)
    taken = next((call.at for call in calls if call.kind == "PUT lease.json" and call.status == 200), None)
    return [taken - asked] if asked and taken else []


def in_the_air(sent: Sequence[Sent], killed_at: Sequence[float]) -> set[tuple[str | None, Wanted]]:
    """Messages of calls that were not answered yet when a flow was killed."""
    return {
        (one.message.dataset, Wanted.of(one.message))
        for one in sent
        if any(one.at <= kill <= one.taken for kill in killed_at)
    }


def letters_line(factory, runs: Sequence[Run]) -> str:
    """Where the dead letters are: filed, or hidden for a while by a flow that was killed as it filed them."""
    failed = len([*sizes(factory.store, keys.FAILURES)])
    filed = sum(len([*sizes(factory.store, keys.dataset_file(run.dataset, "dead-letters"))]) for run in runs)
    left = depth(factory.sqs, factory.config.sqs_dlq_url).total
    assert filed + left >= failed
    return f"{failed} batches failed; {filed} dead letters are filed, {left} in the queue still"


def check_bucket(factory, runs: Sequence[Run]) -> None:
    """Every planned sample is whole, none torn, and there is nothing else."""
    inventory = factory.inventory()
    for name in [name for run in runs for name in run.plan.generators]:
        assert inventory[name].missing(IndexRange(0, SAMPLES)) == []
        assert inventory[name].torn(IndexRange(0, 10 * SAMPLES)) == 0
        assert inventory[name].strays(SAMPLES) == 0
    assert inventory.unrecognised == 0
