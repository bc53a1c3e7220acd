"""What a batch used, and whether its generator repeats itself: real runs of a tiny generator, in the sandbox."""

import json
from collections.abc import Callable

import obstore
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.failure import BatchFailed
from lambda_worker.generator import processes
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.s3 import records


@pytest.fixture
def receipts(store: MemoryStore) -> Callable[[], list[Receipt]]:
    """The receipts in the bucket, in order of time."""

    def read() -> list[Receipt]:
        found = [one["path"] for one in obstore.list(store, prefix=keys.RECEIPTS).collect()]
        return sorted(
            (records.read(store, key, Receipt) for key in found), key=lambda receipt: receipt.finished_at
        )

    return read


def test_a_receipt_says_what_its_batch_used(deliver, tiny, receipts) -> None:
    """Seconds and processor time, the most memory, what its folders held, what it left, and what was stored."""
    deliver(type=tiny(fat=30, left=2, each=0.05), num_samples=4)
    (receipt,) = receipts()
    usage, (run,) = receipt.usage, receipt.usage.runs
    assert (run.samples, usage.objects, usage.stored_bytes) == (4, 20, receipt.result.bytes_uploaded)
    assert 0.2 < run.seconds < usage.seconds < 20
    assert 0.01 < run.cpu_seconds < usage.cpu_seconds
    assert 120_000_000 < run.memory_bytes < 400_000_000
    assert 8_000_000 <= run.left_bytes < run.disk_bytes < 12_000_000
    assert (run.left_processes, usage.certifying_seconds, receipt.repetition) == (0, 0.0, None)
    assert usage.worker_bytes > 10_000_000


def test_the_first_batch_of_a_process_is_told_from_the_others(deliver, tiny, receipts) -> None:
    """It has not loaded yet what it needs, so that it takes longer."""
    name = tiny()
    for start in (0, 4):
        deliver(type=name, start_index=start)
    assert [receipt.usage.is_first for receipt in receipts()] == [True, False]


def test_a_process_that_is_left_is_counted(deliver, tiny, receipts, monkeypatch) -> None:
    """On a host without namespaces, such as Lambda: it is ended with the run, and the receipt says that it was there."""
    monkeypatch.setattr("lambda_worker.generator.namespaces.are_allowed", lambda: False)
    processes.prepare()
    deliver(type=tiny(process=1))
    assert receipts()[0].usage.runs[0].left_processes == 1


def test_a_failed_batch_says_what_it_used(deliver, tiny, store) -> None:
    """It was paid for as well."""
    with pytest.raises(BatchFailed):
        deliver(type=tiny(slow=0.3, crash="no"))
    (key,) = [one["path"] for one in obstore.list(store, prefix=keys.FAILURES).collect()]
    assert records.read(store, key, FailureRecord).usage.seconds > 0.3


def test_what_a_batch_used_that_failed_in_part_is_told_once(deliver, tiny, receipts, store) -> None:
    """Its partial receipt has none of it, as the record of its failure has."""
    with pytest.raises(BatchFailed):
        deliver(type=tiny(fewer=1))
    (key,) = [one["path"] for one in obstore.list(store, prefix=keys.FAILURES).collect()]
    assert records.read(store, key, FailureRecord).usage.seconds > 0
    assert receipts()[0].usage is None


def test_whatever_a_batch_failed_of_its_time_was_paid_for(deliver, tiny, store, monkeypatch) -> None:
    """Here the bucket takes nothing but records."""
    refused = BatchFailed("upload", "no route")
    monkeypatch.setattr("lambda_worker.batch.FileUploads.finish", lambda *_: (_ for _ in ()).throw(refused))
    with pytest.raises(BatchFailed):
        deliver(type=tiny(slow=0.2))
    (key,) = [one["path"] for one in obstore.list(store, prefix=keys.FAILURES).collect()]
    assert records.read(store, key, FailureRecord).usage.seconds > 0.2


@pytest.mark.parametrize(
    ("behaviour", "repeats", "of_fewer", "runs"),
    [
        ({}, True, True, [2]),
        ({"counted": 1}, True, False, [2, 8]),
        ({"random": 1}, False, False, [2, 8]),
    ],
)
def test_a_certifying_batch_runs_its_generator_again(
    deliver, tiny, receipts, behaviour, repeats, of_fewer, runs
) -> None:
    """For a quarter of the samples; and for as many where these are not the first of the batch again."""
    name = tiny(**behaviour)
    deliver(type=name, num_samples=8, certify=True, schema_version=3)
    (receipt,) = receipts()
    found = receipt.repetition
    assert (found.repeats, found.of_fewer, [run.samples for run in found.runs]) == (repeats, of_fewer, runs)
    assert found.differing == (None if repeats else 0)
    assert receipt.usage.certifying_seconds > 0
    assert receipt.usage.certifying_seconds >= sum(run.seconds for run in found.runs)
    assert receipt.result.samples_uploaded == 8


def test_one_sample_is_made_again_as_one(deliver, tiny, receipts) -> None:
    """There are no fewer: the same run is made again."""
    deliver(type=tiny(), num_samples=1, certify=True, schema_version=3)
    found = receipts()[0].repetition
    assert (found.repeats, found.of_fewer, found.same) == (True, None, True)


def test_what_fails_when_it_is_run_again_fails_no_batch(deliver, tiny, receipts, monkeypatch) -> None:
    """Its samples are stored; the receipt says why it could not be compared."""
    name = tiny()
    monkeypatch.setattr(
        "lambda_worker.certifying.run_generator",
        lambda *_: (_ for _ in ()).throw(BatchFailed("deadline", "no time was left")),
    )
    assert deliver(type=name, certify=True, schema_version=3).samples_uploaded == 4
    found = receipts()[0].repetition
    assert (found.repeats, found.problem) == (False, "no time was left")


def test_without_time_nothing_is_run_again(deliver, tiny, receipts) -> None:
    """A batch that took most of its time is stored as any other."""
    deliver(type=tiny(slow=1.5), seconds=4, num_samples=1, certify=True, schema_version=3)
    found = receipts()[0].repetition
    assert (found.repeats, found.runs) == (None, ())


def test_a_receipt_does_not_repeat_the_wish_to_certify(deliver, tiny, receipts, store) -> None:
    """What it records is the batch: one that asks for it again finds it made, and an older version reads its message."""
    name = tiny()
    deliver(type=name, certify=True, schema_version=3)
    message = receipts()[0].message
    assert (message.certify, message.schema_version) == (False, 1)
    for certify in (True, False):
        deliver(type=name, certify=certify, schema_version=3 if certify else 1)
    assert len(receipts()) == 1


def test_a_worker_of_before_leaves_a_certifying_message_to_a_newer_one(worker: Worker) -> None:
    """The message says schema 3, which that one does not know; any other message it takes as ever."""
    from vbvrdatafactory.core.models import TaskMessage

    message = TaskMessage(type="G", num_samples=4, seed=7)
    assert json.loads(message.certifying().to_json())["schema_version"] == 3
    assert "certify" not in message.to_json()
    assert message.certifying().plain == message
    below = TaskMessage(type="G", num_samples=4, output_prefix="train", schema_version=2)
    assert below.certifying().plain == below
