"""A message whose generator this worker can't run is left to others, and its receives are not worn out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.processor import MessageProcessor, Outcome
from lambda_worker.pull.visibility import TaskQueue
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.generators_lock import (
    GeneratorsLock,
    LockedEnvironment,
    LockedGenerator,
    environment_id,
)
from vbvrdatafactory.fleet.lock_writer import write_lock
from vbvrdatafactory.sqs.depth import depth
from vbvrdatafactory.testing import InMemoryAws

NAME = "B-1_blender_data-generator"
ELSEWHERE = LockedEnvironment(digest="d" * 64, interpreter="/nowhere/blender/python")


@pytest.fixture
def processor(
    cloud: InMemoryAws, tiny: Callable[..., str], generators: Path, store: MemoryStore
) -> MessageProcessor:
    """A worker that has the generator's code, and not its interpreter."""
    tiny(NAME)
    name = environment_id(ELSEWHERE.digest)
    lock = GeneratorsLock(
        generators={NAME: LockedGenerator(environment=name)}, environments={name: ELSEWHERE}
    )
    write_lock(generators, lock)
    return MessageProcessor(Worker(generators, lambda *_: store), config.answering)


@pytest.fixture
def queue(cloud: InMemoryAws) -> TaskQueue:
    return TaskQueue(aws.sqs(config), config.sqs_queue_url, wait_seconds=0)


def send(queue: TaskQueue, **attributes: str) -> None:
    queue.client.send_message(
        QueueUrl=queue.url,
        MessageBody=json.dumps({"type": NAME, "num_samples": 2, "seed": 1}),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def dead(queue: TaskQueue) -> int:
    return depth(queue.client, config.sqs_dlq_url).total


def turn(queue: TaskQueue, processor: MessageProcessor, cloud: InMemoryAws) -> tuple[dict[str, Any], Outcome]:
    """Receive the message when it can be received, process it, and delete it where that is asked."""
    cloud.clock.advance(400)
    (record,) = queue.receive(1)
    outcome = processor.process(record, 60)
    if outcome.delete:
        queue.delete(record)
    return record, outcome


def test_receives_are_not_worn_out(
    queue: TaskQueue, processor: MessageProcessor, cloud: InMemoryAws, store
) -> None:
    """However often it is passed on, each receive is the first; nothing is recorded, and its attributes stay."""
    send(queue, trace="x")
    for turns in range(5):
        record, outcome = turn(queue, processor, cloud)
        assert (record["attributes"]["ApproximateReceiveCount"], outcome.is_passed_on) == ("1", True)
        assert record["messageAttributes"].get("passedOn", {}).get("stringValue") == (
            str(turns) if turns else None
        )
        assert record["messageAttributes"]["trace"]["stringValue"] == "x"
    assert not [item for batch in store.list() for item in batch]
    assert dead(queue) == 0


def test_it_is_given_up_after_hours(
    queue: TaskQueue, processor: MessageProcessor, cloud: InMemoryAws, store
) -> None:
    """A message that nobody can run ends in the dead letter queue, with its cause and a record that says why."""
    send(queue)
    passes = 0
    while passes < 100 and turn(queue, processor, cloud)[1].is_passed_on:
        passes += 1
    assert 60 < passes < 90
    (path,) = [item["path"] for batch in store.list() for item in batch]
    assert keys.parse_failure(path).cause is Cause.NO_ENVIRONMENT
    detail = json.loads(bytes(obstore.get(store, path).bytes()))["detail"]
    assert "/nowhere/blender/python" in detail
    assert dead(queue) == 1


def test_another_worker_makes_it(
    queue: TaskQueue, processor: MessageProcessor, cloud: InMemoryAws, tmp_path: Path, store
) -> None:
    """The worker that has the interpreter makes the batch of the message that the other passed on."""
    send(queue)
    turn(queue, processor, cloud)
    (processor.worker.generators / "generators.lock.toml").unlink()
    record, outcome = turn(queue, processor, cloud)
    assert (outcome.result.samples_uploaded, record["attributes"]["ApproximateReceiveCount"]) == (2, "1")


def test_a_queue_that_takes_nothing_loses_nothing(
    queue: TaskQueue, processor: MessageProcessor, cloud: InMemoryAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the copy can't be sent the message itself comes back."""
    send(queue)
    cloud.clock.advance(1)
    (record,) = queue.receive(1)
    from botocore.exceptions import EndpointConnectionError

    def away(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="x")

    monkeypatch.setattr(processor._sqs, "send_message", away)
    assert not processor.process(record, 60).delete
    monkeypatch.undo()
    cloud.clock.advance(400)
    assert len(queue.receive(1)) == 1
