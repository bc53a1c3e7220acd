import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

import boto3
import obstore
import pytest
from moto import mock_aws
from obstore.store import MemoryStore

from lambda_worker import handler as module
from lambda_worker import processor as processor_module
from lambda_worker.batch import Worker
from lambda_worker.generator.limits import Limits
from lambda_worker.processor import MessageProcessor, Outcome
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import StartedRecord
from vbvrdatafactory.s3.listing import sizes, take_inventory
from vbvrdatafactory.s3.records import read


@dataclass
class Context:
    seconds: float = 60
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * self.seconds)


@dataclass
class Queue:
    """The task queue and the dead letter queue of a test."""

    client: Any
    url: str
    dlq: str
    processor: MessageProcessor

    def receive(self, *bodies: str) -> list[dict[str, Any]]:
        """Send these bodies and receive them as a Lambda event has them."""
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return [
            {
                "messageId": m["MessageId"],
                "receiptHandle": m["ReceiptHandle"],
                "body": m["Body"],
                "attributes": m["Attributes"],
            }
            for m in answer.get("Messages", [])
        ]

    def dead(self) -> list[dict[str, Any]]:
        answer = self.client.receive_message(
            QueueUrl=self.dlq, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return answer.get("Messages", [])


@cache
def sqs_client() -> Any:
    """One client for all tests: it takes longer to make than most of them; what it sees is each test's own."""
    return boto3.client("sqs", region_name="us-east-2")


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, generators: Path, store: MemoryStore) -> Iterator[Queue]:
    """The handler, with this test's queues, generators and bucket."""
    with mock_aws():
        client = sqs_client()
        url, dlq = (client.create_queue(QueueName=name)["QueueUrl"] for name in ("tasks", "dead"))
        config = Config(sqs_queue_url=url, sqs_dlq_url=dlq)
        processor = MessageProcessor(Worker(generators, lambda *_: store), config)
        monkeypatch.setattr(aws, "sqs", lambda _: client)
        monkeypatch.setattr(module, "processor", lambda: processor)
        yield Queue(client, url, dlq, processor)


def body(generator: str, **fields: object) -> str:
    return json.dumps({"type": generator, "num_samples": 2, "seed": 1, **fields})


def test_messages_of_one_event_are_judged_one_by_one(queue: Queue, tiny: Callable[..., str], store) -> None:
    """Of two messages in one event the good one is stored, the bad one given up; neither comes again."""
    good, bad = tiny("T-good"), tiny("T-bad", crash="x")
    event = {"Records": queue.receive(body(good), body(bad))}
    assert module.handler(event, Context()) == {"batchItemFailures": []}
    assert take_inventory(store)[good].whole(IndexRange(0, 2)) == 2
    assert [json.loads(letter["Body"])["type"] for letter in queue.dead()] == [bad]


def test_what_would_fail_again_is_given_up_at_once(queue: Queue, tiny: Callable[..., str]) -> None:
    """A crash is not paid for three times: the message is in the dead letter queue with its cause, and done."""
    records = queue.receive(body(tiny("T-bad", crash="no such colour")))
    assert module.handler({"Records": records}, Context()) == {"batchItemFailures": []}
    (letter,) = queue.dead()
    assert letter["Body"] == records[0]["body"]
    assert letter["MessageAttributes"]["cause"]["StringValue"] == "crash"
    assert "no such colour" in letter["MessageAttributes"]["detail"]["StringValue"]


def test_what_may_pass_comes_back(queue: Queue, tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that does not take the files is no reason to give up: the message is delivered again."""
    monkeypatch.setattr("lambda_worker.samples.upload.obstore.put", away)
    records = queue.receive(body(tiny()))
    failures = module.handler({"Records": records}, Context())["batchItemFailures"]
    assert failures == [{"itemIdentifier": records[0]["messageId"]}]
    assert queue.dead() == []


def test_a_dead_letter_queue_that_is_away_loses_nothing(queue: Queue, tiny, monkeypatch) -> None:
    """Where the message can't be moved it stays in its queue, and the log says why."""
    elsewhere = Config(sqs_queue_url=queue.url, sqs_dlq_url=None)
    monkeypatch.setattr(module, "processor", lambda: MessageProcessor(queue.processor.worker, elsewhere))
    monkeypatch.chdir("/")
    records = queue.receive(body(tiny("T-bad", crash="x")))
    assert len(module.handler({"Records": records}, Context())["batchItemFailures"]) == 1


def test_an_unreadable_message_is_recorded_with_the_reason(queue: Queue, store: MemoryStore) -> None:
    """A body that is no message leaves a record of the field that is wrong, and is given up."""
    records = queue.receive(body("T-1", num_samples=0))
    assert module.handler({"Records": records}, Context()) == {"batchItemFailures": []}
    assert keys.unreadable(records[0]["messageId"]) in {key for key, _ in sizes(store, keys.OWN)}
    assert "num_samples" in queue.dead()[0]["MessageAttributes"]["detail"]["StringValue"]


def test_a_bare_message_is_answered(queue: Queue, tiny: Callable[..., str]) -> None:
    """Invoked directly, the handler returns what was stored."""
    result = module.handler({"type": tiny(), "num_samples": 2, "start_index": 5}, Context())
    assert result["sample_ids"] == ["tiny_0005", "tiny_0006"]


def test_without_a_seed_every_attempt_has_the_same(queue: Queue, tiny, store: MemoryStore) -> None:
    """A message that leaves the seed open gives the same samples each time it is delivered."""
    message = json.dumps({"type": tiny(), "num_samples": 1})
    (record,) = queue.receive(message)
    queue.processor.process(record, 30)
    before = dict(sizes(store, "questions")), receipts(store)
    # What is there is looked for while the generator starts already.
    tiny(slow=1)
    queue.processor.process(record, 30)
    assert (dict(sizes(store, "questions")), receipts(store)) == before


def test_finished_batches_are_not_made_again(queue: Queue, tiny: Callable[..., str]) -> None:
    """A message delivered again after its batch was finished costs a look: its generator, which would hang, is let go."""
    (record,) = queue.receive(body(tiny()))
    assert queue.processor.process(record, 30).delete
    tiny(hang=30)
    again = {**record, "attributes": {"ApproximateReceiveCount": "2"}}
    assert queue.processor.process(again, 5).delete
    assert queue.dead() == []


def test_a_finished_batch_that_lost_a_file_is_made_again(queue: Queue, tiny, store: MemoryStore) -> None:
    """A receipt alone is no proof: with one prompt gone the batch is made, and the prompt is back."""
    (record,) = queue.receive(body(tiny()))
    queue.processor.process(record, 30)
    (prompt, *_) = (key for key, _ in sizes(store, "questions") if key.endswith("tiny_0001/prompt.txt"))
    obstore.delete(store, prompt)
    queue.processor.process(record, 30)
    assert prompt in dict(sizes(store, "questions"))


def receipts(store: MemoryStore) -> list[str]:
    return [key for key, _ in sizes(store, keys.RECEIPTS)]


def away(*_: object, **__: object) -> None:
    raise OSError("the bucket is away")


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 30), (3, 90), (4, 270), (9, 270)])
def test_what_may_pass_is_tried_again_later_each_time(
    queue: Queue, tiny, monkeypatch: pytest.MonkeyPatch, attempt: int, seconds: int
) -> None:
    """After a failure that may pass the message is hidden for ten seconds, three times as long each time, 270 at most."""
    hidden = []
    monkeypatch.setattr("lambda_worker.samples.upload.obstore.put", away)
    (record,) = queue.receive(body(tiny()))
    record["attributes"]["ApproximateReceiveCount"] = str(attempt)
    client = SimpleNamespace(
        change_message_visibility=lambda **asked: hidden.append(asked["VisibilityTimeout"])
    )
    monkeypatch.setattr(aws, "sqs", lambda _: client)
    outcome = queue.processor.process(record, 30)
    assert (outcome.delete, outcome.error) == (False, None)
    assert outcome.failure == f"attempt {attempt}: upload: OSError: the bucket is away"
    assert hidden == [seconds]


GB = 1024**3


@pytest.mark.parametrize(
    ("memory_mb", "cores", "batches"),
    [("1769", 6, 1), ("3538", 6, 2), ("10240", 6, 6), ("10240", 2, 2), ("128", 6, 1), (None, 3, 3)],
)
def test_a_worker_makes_a_batch_for_each_processor_it_pays_for(
    monkeypatch: pytest.MonkeyPatch, memory_mb: str | None, cores: int, batches: int
) -> None:
    """Lambda gives one processor for each 1769 MB: so many batches at once, no more than there are cores, never none."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    if memory_mb:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb)
    else:
        monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
    assert processor_module.concurrency(trusted=True) == batches


def test_a_host_that_cannot_isolate_makes_one_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Lambda's kernel one generator could rewrite its neighbour's samples: side by side only where all are trusted."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "10240")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr(processor_module.landlock, "version", lambda: 0)
    assert (processor_module.concurrency(), processor_module.concurrency(trusted=True)) == (1, 6)
    monkeypatch.setattr(processor_module.landlock, "version", lambda: 4)
    assert processor_module.concurrency() == 6


def test_each_record_has_its_share_of_the_time() -> None:
    """Of three records one after the other the last has as much time as the first; what one leaves goes to the others."""
    left = [90.0]
    share = module.TimeShare(3, 1, lambda: left[0])
    assert share.next() == 30
    left[0] = 60.0
    assert share.next() == 30
    left[0] = 55.0
    assert share.next() == 55
    two = module.TimeShare(3, 2, lambda: 90.0)
    assert [two.next(), two.next(), two.next()] == [45, 90, 90]


def test_messages_of_one_event_are_worked_on_side_by_side(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batches of one event run at the same time where the worker has two processors."""
    both = Barrier(2, timeout=20)
    monkeypatch.setattr(module, "concurrency", lambda **_: 2)
    processor = SimpleNamespace(process=lambda *_: Outcome(delete=both.wait() >= 0, failure="x"))
    monkeypatch.setattr(module, "processor", lambda: processor)
    records = queue.receive("{}", "{}")
    assert module.handler({"Records": records}, Context()) == {"batchItemFailures": []}


@pytest.mark.parametrize(("memory", "side_by_side"), [(8 * GB, 1), (8 * GB, 4), (GB // 4, 1)])
def test_a_batch_may_use_its_share_of_the_host(
    monkeypatch: pytest.MonkeyPatch, memory: int, side_by_side: int
) -> None:
    """Memory without what the worker needs (half of it where that is little), nine tenths of the disk; shared equally."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=40 * GB))
    limits = Limits.of_host(memory, side_by_side=side_by_side)
    assert limits.memory_bytes == max(memory - GB // 4, memory // 2) // side_by_side
    assert limits.disk_bytes == int(40 * GB * 0.9) // side_by_side
    assert limits.file_bytes == Limits.file_bytes


def test_no_file_may_be_larger_than_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small disk the largest file is bounded by the share of it."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100_000))
    assert Limits.of_host(8 * GB, side_by_side=2).file_bytes == 45_000


def test_a_message_of_a_newer_schema_is_left_to_a_newer_worker(
    queue: Queue, tiny: Callable[..., str], store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither buried nor recorded as invalid: it is released for a while, and the log says so."""
    newer = [body(tiny(), schema_version=4, shape="round"), body(tiny(), schema_version=4, start_index=2)]
    records = queue.receive(*newer)
    failures = module.handler({"Records": records}, Context())["batchItemFailures"]
    assert {item["itemIdentifier"] for item in failures} == {record["messageId"] for record in records}
    assert (queue.dead(), [key for key, _ in sizes(store, "")]) == ([], [])
    assert caplog.text.count("the TaskMessage has schema_version 4, and this version") == 2
    assert not queue.receive()


def test_a_receipt_of_a_newer_version_is_not_written_over(
    queue: Queue, tiny: Callable[..., str], store: MemoryStore
) -> None:
    """The batch is left to a newer worker, which knows what the receipt says."""
    name = tiny()
    key = keys.receipt(keys.ReceiptKey(name, IndexRange(0, 2), 0, 1))
    written = b'{"schema_version": 2, "made_how": "otherwise"}'
    obstore.put(store, key, written)
    records = queue.receive(body(name))
    assert module.handler({"Records": records}, Context())["batchItemFailures"]
    assert bytes(obstore.get(store, key).bytes()) == written
    assert queue.dead() == []


def test_an_outcome_tells_what_was_stored(queue: Queue, tiny: Callable[..., str]) -> None:
    """The message may be deleted; the result and the message come with it."""
    (record,) = queue.receive(body(tiny()))
    outcome = queue.processor.process(record, 30)
    assert (outcome.delete, outcome.failure, outcome.error) == (True, "", None)
    assert outcome.result.samples_uploaded == outcome.message.num_samples == 2


def test_an_outcome_tells_why_a_batch_failed_and_the_log_does_not(
    queue: Queue, tiny: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever receives messages says it once, in its own way."""
    (record,) = queue.receive(body(tiny("T-bad", crash="no font")))
    outcome = queue.processor.process(record, 30)
    assert outcome.delete
    assert outcome.failure.startswith("attempt 1: crash: the generator ended with exit code 1")
    assert "no font" not in caplog.text


def test_what_nobody_foresaw_is_an_outcome_with_its_traceback(
    queue: Queue, tiny: Callable[..., str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The message is released, and the Lambda's log has the traceback."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(Worker, "process", fail)
    (record,) = queue.receive(body(tiny()))
    outcome = queue.processor.process(record, 30)
    assert (outcome.delete, outcome.failure) == (False, "attempt 1: ZeroDivisionError: of ours")
    assert isinstance(outcome.error, ZeroDivisionError)
    module.handler({"Records": [record]}, Context())
    assert "in fail" in caplog.text


@pytest.mark.parametrize(("attempt", "noted"), [(1, []), (2, ["002"]), (3, ["003"])])
def test_who_begins_again_says_so_first(
    queue: Queue, tiny, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, attempt: int, noted: list[str]
) -> None:
    """A worker that may be killed leaves its name before it begins; a first attempt costs no such PUT."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "worker")
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/[$LATEST]1")
    seen = []
    monkeypatch.setattr(Worker, "process", lambda *_: seen.extend(sizes(store, keys.FAILURES)) or 1 / 0)
    (record,) = queue.receive(body(tiny()))
    record["attributes"]["ApproximateReceiveCount"] = str(attempt)
    queue.processor.process(record, 30)
    assert [key.rpartition("/")[2] for key, _ in seen] == [f"{number}.started.json" for number in noted]
    for key, _ in seen:
        started = read(store, key, StartedRecord)
        assert (started.worker, started.log_stream) == ("function worker", "2026/[$LATEST]1")
        assert keys.parse_started(key).attempt == started.attempt == attempt


def test_a_cancelled_batch_is_released_at_once(queue: Queue, tiny: Callable[..., str]) -> None:
    """Another worker receives it."""
    (record,) = queue.receive(body(tiny(hang=30)))
    cancelled = Event()
    cancelled.set()
    assert queue.processor.process(record, 30, cancelled) == Outcome(False, "it was cancelled")
    assert len(queue.receive()) == 1
