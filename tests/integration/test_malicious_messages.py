"""The same bodies through the real queue and the real handler: each is a dead letter with its cause, and nothing ran."""

import json
import time
import uuid
from typing import Any

import pytest

from tests.malicious_messages import BODIES, GENERATOR
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.s3.listing import sizes
from vbvrdatafactory.s3.records import read
from vbvrdatafactory.sqs.dead_letters import DeadLetters

pytestmark = [pytest.mark.aws, pytest.mark.slow]
# In the bucket of another, or in none.
FOREIGN = ("nobodys-bucket", "169.254.169.254", "bucket.of.nobody")


def _message(**fields: object) -> str:
    return json.dumps({"type": GENERATOR, "num_samples": 2, "seed": 1, **fields})


def _arrived(running: Any, count: int) -> list[Any]:
    letters = DeadLetters(running.sqs, running.config.sqs_dlq_url, wait_seconds=0)
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = [letter for letter in letters.read() if letter.body in sent(running)]
        if len(found) >= count:
            return found
        time.sleep(1)
    raise AssertionError(f"{len(found)} of {count} arrived")


def sent(running: Any) -> dict[str, str]:
    return {body: name for name, (body, _) in BODIES.items()} | {
        _message(output_bucket=bucket): bucket for bucket in FOREIGN
    }


def test_each_is_a_dead_letter_with_its_cause(running: Any) -> None:
    """Bodies that are no message, and messages for buckets that are not the worker's, end at once as what they are."""
    generator = running.add_generator(GENERATOR)
    before = {bucket["Name"] for bucket in aws.s3(running.config).list_buckets()["Buckets"]}
    bodies = [*sent(running)]
    for start in range(0, len(bodies), 5):
        entries = [{"Id": uuid.uuid4().hex, "MessageBody": body} for body in bodies[start : start + 5]]
        answer = running.sqs.send_message_batch(QueueUrl=running.config.sqs_queue_url, Entries=entries)
        assert len(answer["Successful"]) == len(entries), answer
    letters = _arrived(running, len(bodies))
    names = sent(running)
    for letter in letters:
        name = names[letter.body]
        if name in FOREIGN:
            assert letter.cause == Cause.ACCESS_DENIED, (name, letter.cause, letter.detail)
            assert name in letter.detail
        else:
            assert letter.cause == Cause.INVALID_MESSAGE, (name, letter.cause, letter.detail)
    assert {letter.body for letter in letters} == set(bodies)
    filed = [read(running.store, key, FailureRecord) for key, _ in sizes(running.store, keys.UNREADABLE)]
    assert {body[:10_000] for body, name in names.items() if name in BODIES} <= {one.body for one in filed}
    assert [*sizes(running.store, keys.questions_of(generator))] == []
    assert {bucket["Name"] for bucket in aws.s3(running.config).list_buckets()["Buckets"]} == before
    dead = DeadLetters(running.sqs, running.config.sqs_dlq_url, wait_seconds=0)
    dead.take(lambda letter: letter.body in names, lambda _: None)
