"""Look, subtract, send, look again: the loop on a bucket in memory."""

from collections.abc import Callable
from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange, compress, expand
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import observe, remove_superseded
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import sizes

FORMATS = pytest.mark.parametrize("output_format", ["files", "tar"])


@pytest.fixture
def bucket() -> MemoryStore:
    """An empty bucket."""
    return MemoryStore()


def plan_of(output_format: str = "files", samples: int = 30) -> Plan:
    return Plan(
        make_spec(generators=["A", "AB"], samples=samples, batch_size=10, output_format=output_format)
    )


def wanted(message: TaskMessage) -> list[int]:
    return list(message.only_indices or expand([message.indices]))


def work(bucket: MemoryStore, message: TaskMessage) -> None:
    """A worker: stores the samples as their seed makes them, the receipt last."""
    for index in wanted(message) if message.output_format == "files" else ():
        folder = keys.sample_folder(keys.SampleFolder(message.type, "t", index))
        for name in ("first_frame.png", "prompt.txt"):
            obstore.put(bucket, f"{folder}/{name}", f"{message.seed} {index - message.start_index}".encode())
    for indices in compress(wanted(message)) if message.output_format == "tar" else ():
        obstore.put(bucket, keys.archive(keys.Archive(message.type, indices)), str(message.seed).encode())
    receipt = Receipt(
        message=message,
        seed=message.seed or 0,
        stored=compress(wanted(message)),
        result=TaskResult(generator=message.type, samples_uploaded=len(wanted(message)), sample_ids=[]),
        attempt=1,
        generator_digest="d",
        finished_at=datetime.now(UTC),
    )
    key = keys.ReceiptKey(message.type, message.indices, message.salt, receipt.seed)
    records.write(bucket, keys.receipt(key), receipt)


def fail(bucket: MemoryStore, message: TaskMessage, cause: Cause) -> None:
    record = FailureRecord(message=message, cause=cause, detail="x", attempt=1, failed_at=datetime.now(UTC))
    key = keys.FailureKey(message.type, message.indices, message.salt, 1, cause)
    records.write(bucket, keys.failure(key), record)


def round_of(
    bucket: MemoryStore, plan: Plan, worker: Callable[[MemoryStore, TaskMessage], None] = work
) -> int:
    """One turn of the loop; returns how many messages it took."""
    sent = list(messages_for(bucket, plan, observe(bucket, plan).gaps))
    for message in sent:
        worker(bucket, message)
    return len(sent)


def dataset(bucket: MemoryStore) -> dict[str, bytes]:
    keys_there = [item["path"] for page in obstore.list(bucket, "questions") for item in page]
    return {key: bytes(obstore.get(bucket, key).bytes()) for key in keys_there}


@FORMATS
def test_the_first_round_makes_the_dataset_and_the_second_nothing(
    bucket: MemoryStore, output_format: str
) -> None:
    """Two generators of thirty in tens: six messages, then none."""
    assert [round_of(bucket, plan_of(output_format)) for _ in range(3)] == [6, 0, 0]
    assert observe(bucket, plan_of(output_format)).gaps.sample_count == 0


def test_what_was_lost_comes_back_as_it_was(bucket: MemoryStore) -> None:
    """Files deleted in three batches: three messages, and every object is byte for byte as before."""
    round_of(bucket, plan_of())
    before = dataset(bucket)
    for key in (
        "A/t_task/t_0003/prompt.txt",
        "A/t_task/t_0007/first_frame.png",
        "AB/t_task/t_0029/prompt.txt",
    ):
        obstore.delete(bucket, f"questions/{key}")
    for index in range(10, 20):
        obstore.delete(bucket, f"questions/A/t_task/t_{index:04d}/first_frame.png")
    assert round_of(bucket, plan_of()) == 3
    assert dataset(bucket) == before


def test_a_lost_archive_comes_back_as_it_was(bucket: MemoryStore) -> None:
    """One archive deleted: one message, with the seed that made it."""
    round_of(bucket, plan_of("tar"))
    before = dataset(bucket)
    obstore.delete(bucket, "questions/AB_00010-00019.tar.gz")
    assert round_of(bucket, plan_of("tar")) == 1
    assert dataset(bucket) == before


@FORMATS
def test_asking_for_more_makes_exactly_the_difference(bucket: MemoryStore, output_format: str) -> None:
    """From 30 to 55 of each of two generators: three batches each, and what was there is untouched."""
    round_of(bucket, plan_of(output_format))
    before = dataset(bucket)
    assert round_of(bucket, plan_of(output_format, 55)) == 6
    assert {key: data for key, data in dataset(bucket).items() if key in before} == before
    assert observe(bucket, plan_of(output_format, 55)).gaps.sample_count == 0


def test_asking_for_less_leaves_strays_alone(bucket: MemoryStore) -> None:
    """Nothing is sent and nothing removed; the rest is counted as stray."""
    round_of(bucket, plan_of())
    assert round_of(bucket, plan_of(samples=20)) == 0
    assert observe(bucket, plan_of(samples=20)).inventory["A"].strays(20) == 10


def test_both_formats_fill_one_dataset(bucket: MemoryStore) -> None:
    """Half made as files, the rest as archives: whole together."""
    round_of(bucket, plan_of("files", 20))
    assert round_of(bucket, plan_of("tar", 30)) == 2
    assert observe(bucket, plan_of(samples=30)).gaps.sample_count == 0


def test_a_failed_generator_is_asked_again_in_halves(bucket: MemoryStore) -> None:
    """The failure records in the bucket change the next round: six batches become twelve, under a new salt."""
    assert round_of(bucket, plan_of(), lambda store, message: fail(store, message, Cause.CRASH)) == 6
    again = list(messages_for(bucket, plan_of(), observe(bucket, plan_of()).gaps))
    assert {(message.num_samples, message.salt) for message in again} == {(5, 1)}
    assert (round_of(bucket, plan_of()), round_of(bucket, plan_of())) == (12, 0)


def test_what_infrastructure_lost_is_asked_again_unchanged(bucket: MemoryStore) -> None:
    """The same six messages as long as it takes."""
    first = list(messages_for(bucket, plan_of(), observe(bucket, plan_of()).gaps))
    round_of(bucket, plan_of(), lambda store, message: fail(store, message, Cause.WORKER_LOST))
    assert list(messages_for(bucket, plan_of(), observe(bucket, plan_of()).gaps)) == first


def test_one_generators_gaps_leave_the_other_alone(bucket: MemoryStore) -> None:
    """A and AB share a beginning and nothing else."""
    round_of(bucket, plan_of())
    for index in range(30):
        obstore.delete(bucket, f"questions/A/t_task/t_{index:04d}/prompt.txt")
    sent = list(messages_for(bucket, plan_of(), observe(bucket, plan_of()).gaps))
    assert {message.type for message in sent} == {"A"}
    assert sum(len(wanted(message)) for message in sent) == 30


def test_a_look_tells_its_progress(bucket: MemoryStore) -> None:
    """Keys seen so far, each time a folder is done."""
    round_of(bucket, plan_of())
    told: list[int] = []
    observe(bucket, plan_of(), told.append)
    assert told[-1] == 120


def test_only_missing_is_not_only_new(bucket: MemoryStore) -> None:
    """A sample that is torn is made again, in place of what is there."""
    round_of(bucket, plan_of())
    obstore.put(bucket, "questions/A/t_task/t_0005/prompt.txt", b"")
    seen = observe(bucket, plan_of())
    assert (seen.gaps.of("A").ranges, seen.inventory["A"].torn(IndexRange(0, 30))) == ((IndexRange(5, 6),), 1)
    assert (round_of(bucket, plan_of()), observe(bucket, plan_of()).gaps.sample_count) == (1, 0)


def test_what_a_dataset_requires_is_looked_for(bucket: MemoryStore) -> None:
    """Samples without a file that the spec asks for are gaps, and the messages ask for it too."""
    round_of(bucket, plan_of())
    strict = Plan(make_spec(generators=["A"], samples=30, batch_size=10, require=["metadata.json"]))
    seen = observe(bucket, strict)
    assert (seen.gaps.sample_count, seen.inventory["A"].torn(IndexRange(0, 30))) == (30, 30)
    assert {m.require for m in messages_for(bucket, strict, seen.gaps)} == {("metadata.json",)}


def test_what_a_refill_as_archives_leaves_of_torn_samples_is_removed(bucket: MemoryStore) -> None:
    """A torn sample that is whole in an archive by now is removed as files, whole ones stay, and twice is once."""
    plan = Plan(make_spec(generators=["A"], samples=10, batch_size=10))
    for message in messages_for(bucket, plan, observe(bucket, plan).gaps):
        work(bucket, message)
    obstore.delete(bucket, "questions/A/t_task/t_0003/first_frame.png")
    assert remove_superseded(bucket, plan, observe(bucket, plan)) == 0
    tar = Plan(plan.spec.model_copy(update={"output_format": "tar"}))
    for message in messages_for(bucket, tar, observe(bucket, tar).gaps):
        work(bucket, message)
    for count in (1, 0):
        assert remove_superseded(bucket, tar, observe(bucket, tar)) == count
    left = [key for key, _ in sizes(bucket, "questions")]
    assert len(left) == 9 * 2 + 1
    assert not [key for key in left if "t_0003" in key]
    assert len(observe(bucket, plan).gaps) == 0
