"""The simulated AWS makes what it is sent, loses what it is told to lose, and keeps records as the worker does."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import obstore
import pytest
from obstore.exceptions import PreconditionError
from obstore.store import S3Store

from bench.control import FakeProcess, fake
from bench.fake_world import BUCKET, DLQ, QUEUE, Settings
from vbvrdatafactory import aws
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.planning.gaps import find_gaps
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence, take_inventory
from vbvrdatafactory.s3.specs import list_datasets
from vbvrdatafactory.sqs.dead_letters import DeadLetters
from vbvrdatafactory.sqs.depth import depth
from vbvrdatafactory.sqs.submitter import TaskSubmitter

SETTINGS = Settings(generators=3, samples=450, slots=10, always_failing=1, lost_share=0.0, twice_share=0.0)
BROKEN, *SOUND = SETTINGS.names


class Away:
    """The world seen through the library's own clients."""

    def __init__(self, world: FakeProcess) -> None:
        self.world = world
        self.config = Config(
            sqs_queue_url=f"{world.url}/0/{QUEUE}",
            sqs_dlq_url=f"{world.url}/0/{DLQ}",
            output_bucket=BUCKET,
            aws_endpoint_url=world.url,
        )
        self.sqs: Any = aws.sqs(self.config)
        self.store: S3Store = aws.bucket(self.config)
        self.plan = Plan(
            make_spec(dataset="simulated", generators=SETTINGS.names, samples=450, batch_size=25)
        )

    def send_all(self) -> None:
        done = TaskSubmitter(settings=self.config).submit(self.plan.messages())
        assert done.sent == self.plan.batch_count


def _begin(**other: Any) -> Iterator[Away]:
    with fake("fake_world", json.dumps(asdict(SETTINGS) | other)) as world:
        yield Away(world)


@pytest.fixture
def away() -> Iterator[Away]:
    """A world of three generators, one of which always fails."""
    yield from _begin()


def test_workers_make_what_they_are_sent_in_their_time(away: Away) -> None:
    """At first nothing is there and messages are in flight; an hour later all that can be made is."""
    away.send_all()
    before = depth(away.sqs, away.config.sqs_queue_url)
    assert (before.in_flight, before.total) == (10, 54)
    assert take_inventory(away.store).key_count == 0
    away.world.steer("skip?seconds=3600")
    assert depth(away.sqs, away.config.sqs_queue_url).total == 0
    gaps = find_gaps(away.plan, take_inventory(away.store))
    assert {gap.generator: gap.samples for gap in gaps} == {BROKEN: 450}


def test_records_are_those_of_the_worker(away: Away) -> None:
    """A receipt for each batch made, a failure record and a dead letter with its cause for each that was not."""
    away.send_all()
    away.world.steer("skip?seconds=3600")
    evidence = take_evidence(away.store, SETTINGS.names)
    assert [len(evidence.runs(name)) for name in SETTINGS.names] == [0, 18, 18]
    failed = evidence.failures(BROKEN)
    assert {one.key.cause for one in failed} == {Cause.CRASH}
    assert _causes(away) == ["crash"]
    letters = DeadLetters(away.sqs, away.config.sqs_dlq_url, wait_seconds=0)
    assert letters.take(lambda letter: letter.generator == BROKEN, lambda _: None) == len(failed) == 18
    assert letters.read() == []


def _causes(away: Away) -> list[str]:
    """What the first dead letter says of its cause; it is put back."""
    url = away.config.sqs_dlq_url
    [letter] = away.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["cause"])["Messages"]
    back = [{"Id": "0", "ReceiptHandle": letter["ReceiptHandle"], "VisibilityTimeout": 0}]
    away.sqs.change_message_visibility_batch(QueueUrl=url, Entries=back)
    return [said["StringValue"] for said in letter.get("MessageAttributes", {}).values()]


def test_lost_messages_become_letters_that_say_nothing() -> None:
    """Nobody wrote a record of them, and their samples are missing."""
    for away in _begin(lost_share=1.0, lost_seconds=60.0):
        away.send_all()
        away.world.steer("skip?seconds=3600")
        assert _causes(away) == []
        letters = DeadLetters(away.sqs, away.config.sqs_dlq_url, wait_seconds=0).read()
        assert (len(letters), take_inventory(away.store).key_count) == (54, 0)


def test_small_objects_are_put_under_conditions(away: Away) -> None:
    """As a lease needs it: created once, and replaced only as what it was."""
    first = obstore.put(away.store, "_datafactory/datasets/d/lease.json", b"{}", mode="create")
    with pytest.raises(Exception, match=r"(?i)precondition|exists"):
        obstore.put(away.store, "_datafactory/datasets/d/lease.json", b"{}", mode="create")
    obstore.put(away.store, "_datafactory/datasets/d/lease.json", b"[]", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(away.store, "_datafactory/datasets/d/lease.json", b"[]", mode={"e_tag": first["e_tag"]})
    assert list_datasets(away.store) == ["d"]


def test_a_record_can_be_read_back(away: Away) -> None:
    """What is listed can be read."""
    away.send_all()
    away.world.steer("skip?seconds=3600")
    [page] = obstore.list(away.store, f"_datafactory/failures/{BROKEN}")
    record = records.read(away.store, page[0]["path"], FailureRecord)
    assert record is not None
    assert record.message is not None
    assert record.message.type == BROKEN
    assert "heptagon" in record.stderr_tail
