"""How much is in the queue, and when an empty one is believed."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from vbvrdatafactory.control.queue_watch import DrainDetector
from vbvrdatafactory.sqs.depth import Depth, depth


@pytest.fixture
def sqs() -> Iterator[Any]:
    """An SQS of our own."""
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-2")


def test_the_three_counts_are_told_apart(sqs: Any) -> None:
    """Three waiting, two received and not yet deleted, one delayed."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2)
    assert depth(sqs, url) == Depth(waiting=3, in_flight=2, delayed=1)
    assert depth(sqs, url).total == 6


def test_an_unused_queue_reads_zero(sqs: Any) -> None:
    """Nothing waiting, nothing in flight, nothing delayed."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    assert str(depth(sqs, url)) == "0 waiting, 0 in flight, 0 delayed"


@given(
    st.lists(st.sampled_from([Depth(0, 0, 0), Depth(1, 0, 0), Depth(0, 1, 0), Depth(0, 0, 1)])),
    st.integers(1, 4),
)
def test_drained_is_several_empty_looks_running(seen: list[Depth], looks: int) -> None:
    """Counts are approximate: any one of the three starts the waiting again."""
    drained = DrainDetector(looks)
    verdicts = [drained.after(look) for look in seen]
    running = [all(not any(look) for look in seen[max(0, n - looks + 1) : n + 1]) for n in range(len(seen))]
    assert verdicts == [n + 1 >= looks and empty for n, empty in enumerate(running)]
