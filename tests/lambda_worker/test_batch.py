import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from socket import AF_UNIX, socket

import obstore
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.idempotency import find_earlier_result
from lambda_worker.records import Origin
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.content import FileContent, content_digest
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.core.seeds import batch_seed
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import objects, sizes, take_inventory

Deliver = Callable[..., object]
Tiny = Callable[..., str]


def contents(store: MemoryStore, folder: str = "questions") -> dict[str, bytes]:
    return {key: bytes(obstore.get(store, key).bytes()) for key, _ in sizes(store, folder)}


def whole(store: MemoryStore, generator: str) -> list[int]:
    found = take_inventory(store)[generator]
    return [i for i in range(100) if not found.missing(IndexRange(i, i + 1))]


def failure_of(store: MemoryStore) -> FailureRecord:
    (key,) = (key for key, _ in sizes(store, keys.FAILURES))
    record = records.read(store, key, FailureRecord)
    assert record
    return record


def test_samples_arrive_under_planned_indices(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """A batch that starts at 9998 stores its samples as 9998 … 10001, whatever the generator called them."""
    deliver(type=tiny(), start_index=9998)
    names = {key.split("/")[3] for key in contents(store)}
    assert names == {"tiny_9998", "tiny_9999", "tiny_10000", "tiny_10001"}


def test_every_file_of_a_sample_arrives(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """All five files of each sample are stored, byte for byte as the generator wrote them."""
    deliver(type=tiny(), num_samples=1)
    files = {key.rsplit("/", 1)[1]: data for key, data in contents(store).items()}
    assert set(files) == {
        "first_frame.png",
        "final_frame.png",
        "prompt.txt",
        "ground_truth.mp4",
        "metadata.json",
    }
    assert files["prompt.txt"].startswith(b"Continue ")


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_empty_markers_stay_behind(
    deliver: Deliver, tiny: Tiny, generators: Path, store: MemoryStore, output_format: str
) -> None:
    """A generator that leaves an empty .done beside each sample is stored as if it did not."""
    name = tiny()
    deliver(type=name, output_format=output_format)
    without = contents(store)
    obstore.delete(store, list(without))
    script = generators / name / "examples" / "generate.py"
    marking = "[(f / '.done').touch() for f in Path(sys.argv[-1]).glob('*/*')]"
    script.write_text(script.read_text().rstrip() + f"\n    {marking}\n")
    deliver(type=name, output_format=output_format)
    assert contents(store) == without


def test_twice_equals_once(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """A message delivered twice leaves the same keys with the same bytes as once."""
    name = tiny()
    deliver(type=name)
    once = contents(store)
    deliver(type=name, attempt=2)
    assert contents(store) == once


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_receipt_tells_how_to_replay(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, output_format: str
) -> None:
    """The receipt holds the message, the seed used, what was stored and the generator's digest."""
    name = tiny()
    deliver(type=name, start_index=8, output_format=output_format, salt=2)
    key = keys.ReceiptKey(name, IndexRange(8, 12), 2, 7)
    receipt = records.find_receipt(store, key)
    assert receipt
    assert (receipt.seed, receipt.stored, receipt.message.salt) == (7, [IndexRange(8, 12)], 2)
    assert len(receipt.generator_digest) == 64


BEFORE = Path(__file__).parents[1] / "data" / "before-python-hash-seed"


def prompts(store: MemoryStore) -> dict[str, bytes]:
    """Prompts of stored samples by their index."""
    return {key.split("/")[3][-4:]: data for key, data in contents(store).items() if "prompt" in key}


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_batches_of_a_generator_that_seeds_from_hashes_differ(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, output_format: str
) -> None:
    """Where only hash(str) is random, two batches share no sample, and each is the same when it is made again."""
    name = tiny(hash_seeded=True)
    for start, seed in ((0, 1), (4, 2)):
        deliver(type=name, start_index=start, seed=seed, output_format=output_format)
    first = contents(store)
    if output_format == "files":
        assert len(set(prompts(store).values())) == 8
    obstore.delete(store, list(first))
    for start, seed in ((4, 2), (0, 1)):
        deliver(type=name, start_index=start, seed=seed, output_format=output_format)
    assert contents(store) == first


def test_the_receipt_and_the_failure_record_tell_the_hash_seed(
    deliver: Deliver, tiny: Tiny, store: MemoryStore
) -> None:
    """It is the seed's own, or what the message asks for."""
    name = tiny()
    key = keys.ReceiptKey(name, IndexRange(0, 4), 0, 7)
    for asked, used in ((None, 7), (0, 0), (12345, 12345)):
        deliver(type=name, seed=7, python_hash_seed=asked)
        receipt = records.find_receipt(store, key)
        assert receipt
        assert receipt.python_hash_seed == used
    tiny(crash="x")
    with pytest.raises(BatchFailed):
        deliver(type=name, seed=9, start_index=4)
    assert failure_of(store).python_hash_seed == 9


def test_a_bucket_from_before_is_refilled_with_its_own_bytes(
    deliver: Deliver, tiny: Tiny, store: MemoryStore
) -> None:
    """What a worker stored that gave every batch the hash seed 0 comes back byte for byte."""
    name = tiny(hash_seeded=True)
    old = keys.ReceiptKey(name, IndexRange(8, 12), 0)
    obstore.put(store, keys.receipt(old), (BEFORE / "receipt.json").read_bytes())
    # The seed in that receipt is of a batch 2 that is counted.
    spec = make_spec(generators=[name], samples=12, batch_size=4, seed=1718229041, seeds="legacy")
    plan = Plan(spec)
    gaps = [Gap(name, (IndexRange(8, 9), IndexRange(10, 12)))]
    (message,) = messages_for(store, plan, gaps)
    deliver(**json.loads(message.to_json()))
    expected = json.loads((BEFORE / "prompts.json").read_text())
    found = {str(int(index)): prompt.decode() for index, prompt in prompts(store).items()}
    assert found == {index: expected[index] for index in ("8", "10", "11")}
    assert records.find_receipt(store, old._replace(seed=message.seed)).python_hash_seed == 0


def test_a_failure_record_from_before_is_read() -> None:
    """It names no hash seed, which was 0."""
    record = FailureRecord.model_validate_json((BEFORE / "failure.json").read_bytes())
    assert (record.cause, record.python_hash_seed) == (Cause.CRASH, 0)


def receipt_of(store: MemoryStore, name: str, indices: IndexRange | None = None, seed: int = 7) -> Receipt:
    found = records.find_receipt(store, keys.ReceiptKey(name, indices or IndexRange(0, 4), 0, seed))
    assert found
    return found


def digests_of_files(store: MemoryStore) -> dict[int, str]:
    """The content digest of each stored sample, from its objects."""
    samples: dict[int, dict[str, FileContent]] = {}
    for key, data in contents(store).items():
        *_, folder, file = key.split("/")
        samples.setdefault(int(folder[-4:]), {})[file] = FileContent.of(data)
    return {index: content_digest(files) for index, files in samples.items()}


def test_the_receipt_has_a_digest_of_each_sample(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """It is that of the stored objects, however they are stored; samples that differ have different ones."""
    name = tiny()
    deliver(type=name)
    found = receipt_of(store, name).digests
    assert found == digests_of_files(store)
    assert len(set(found.values())) == 4
    deliver(type=name, output_format="tar")
    assert receipt_of(store, name).digests == found


def test_repeated_samples_have_one_digest(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """Batches under one hash seed repeat each other where nothing else is random: the digests show it."""
    name = tiny(hash_seeded=True)
    for start in (0, 4):
        deliver(type=name, start_index=start, seed=start + 1, python_hash_seed=0)
    plan = Plan(make_spec(generators=[name], samples=8, batch_size=4))
    assert str(observe(store, plan).distinct[name]) == "4 of 8"


def test_a_replay_leaves_the_first_receipt(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """It has one of its own, about just what it stored, with the same digest."""
    name = tiny()
    deliver(type=name)
    before = receipt_of(store, name)
    deliver(type=name, only_indices=[2])
    after = receipt_of(store, name)
    assert (after.stored, after.digests) == ([IndexRange(2, 3)], {2: before.digests[2]})
    folder = keys.receipts_of_run(keys.ReceiptKey(name, IndexRange(0, 4), 0, 7))
    assert len([*sizes(store, folder)]) == 2


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_the_receipt_has_what_the_bucket_took(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, output_format: str
) -> None:
    """Key, size and ETag of every object, as a listing shows them."""
    name = tiny()
    deliver(type=name, output_format=output_format)
    receipt = receipt_of(store, name)
    stored = {
        f"{keys.sample_folder(keys.SampleFolder(name, receipt.task, index))}/{one.name}": (
            one.size,
            one.e_tag,
        )
        for index, stored_files in receipt.objects.items()
        for one in stored_files
    } | {f"questions/{one.name}": (one.size, one.e_tag) for one in receipt.archives}
    listed = {one.path: (one.size, one.e_tag.strip('"')) for one in objects(store, keys.QUESTIONS)}
    assert stored == listed
    assert receipt.metadata_digests.keys() == {*range(4)}


def test_a_failed_batch_records_what_it_stored(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """Its receipt is partial: no evidence that the run succeeded, and its samples are right."""
    name = tiny(torn=[1])
    with pytest.raises(BatchFailed):
        deliver(type=name, seed=batch_seed(42, name, 0))
    plan = Plan(make_spec(generators=[name], samples=4, batch_size=4))
    seen = observe(store, plan)
    assert seen.contents[name].states == bytes([State.RIGHT, State.NOT_WHOLE, State.RIGHT, State.RIGHT])
    assert seen.evidence.runs(name) == []


def test_a_receipt_that_the_bucket_does_not_take_fails_the_batch(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples without one could not be told from anybody's: the batch is tried again."""
    name = tiny()

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("lambda_worker.records.records.write_text", refuse)
    with pytest.raises(BatchFailed) as failed:
        deliver(type=name)
    assert failed.value.cause is Cause.UPLOAD
    assert failed.value.cause.is_transient


def test_what_was_changed_or_made_by_other_code_is_made_again(
    deliver: Deliver, tiny: Tiny, generators: Path, store: MemoryStore
) -> None:
    """The same message again does nothing; after a sample was replaced, or the code has changed, it makes them anew."""
    name = tiny()
    deliver(type=name)
    folder = keys.receipts_of_run(keys.ReceiptKey(name, IndexRange(0, 4), 0, 7))
    deliver(type=name, attempt=2)
    assert len([*sizes(store, folder)]) == 1
    changed = next(key for key in contents(store) if key.endswith("prompt.txt"))
    before = contents(store)[changed]
    obstore.put(store, changed, b"another prompt")
    deliver(type=name, attempt=2)
    assert (contents(store)[changed], len([*sizes(store, folder)])) == (before, 2)
    script = generators / name / "examples" / "generate.py"
    script.write_text(f"{script.read_text()}\n# mended\n")
    deliver(type=name, attempt=2)
    assert len([*sizes(store, folder)]) == 3


def test_a_large_file_has_its_digest_too(
    deliver: Deliver, tiny: Tiny, generators: Path, store: MemoryStore
) -> None:
    """A video that is sent in parts is hashed as it is read."""
    name = tiny()
    script = generators / name / "examples" / "generate.py"
    script.write_text(script.read_text().replace("mp4(digest)", "mp4(digest * 400_000)"))
    deliver(type=name, num_samples=1)
    receipt = records.find_receipt(store, keys.ReceiptKey(name, IndexRange(0, 1), 0, 7))
    assert receipt
    assert receipt.digests == digests_of_files(store)
    assert receipt.result.bytes_uploaded > 400_000 * 32


def test_what_we_index_has_names_of_its_own(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """Every batch and every generator counts its task ids from 0; sample ids, keys and receipts never repeat."""
    names = [tiny("T-1_tiny_data-generator"), tiny("T-10_tiny_data-generator")]
    results = [deliver(type=name, start_index=start, seed=start) for name in names for start in (0, 4)]
    ids = [(result.generator, sample) for result in results for sample in result.sample_ids]
    assert len(set(ids)) == len(ids) == 16
    folders = {tuple(key.split("/")[1:4:2]) for key in contents(store)}
    assert folders == set(ids)
    assert len({key for key, _ in sizes(store, keys.RECEIPTS)}) == 4


def test_archives_are_deterministic(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """The same batch packed twice gives an archive of the same name and the same bytes."""
    name = tiny()
    deliver(type=name, output_format="tar")
    once = contents(store)
    deliver(type=name, output_format="tar")
    assert list(once) == [f"questions/{name}_00000-00003.tar.gz"]
    assert contents(store) == once


def test_a_hole_is_replayed_byte_for_byte(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """With only_indices the batch is run again whole, and just the lost sample is stored, as it was."""
    name = tiny()
    deliver(type=name)
    before = contents(store)
    lost = [key for key in before if "tiny_0002" in key]
    obstore.delete(store, lost)
    result = deliver(type=name, only_indices=[2])
    assert result.sample_ids == ["tiny_0002"]
    assert contents(store) == before


def test_a_crash_is_recorded_with_its_stderr(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """A crash leaves a failure record with cause, exit code, last exception, stderr and attempt."""
    name = tiny(crash="no such shape")
    with pytest.raises(BatchFailed):
        deliver(type=name, attempt=2)
    record = failure_of(store)
    assert (record.cause, record.exit_code, record.attempt) == (Cause.CRASH, 1, 2)
    assert "ValueError: no such shape" in record.detail
    assert "Traceback" in record.stderr_tail
    assert not list(sizes(store, keys.RECEIPTS))


def test_fewer_samples_are_kept_and_the_rest_named(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """A generator that writes 3 of 4 samples has its 3 stored under their indices and 1 named as missing."""
    name = tiny(fewer=1)
    with pytest.raises(BatchFailed, match="the first is index 23"):
        deliver(type=name, start_index=20)
    record = failure_of(store)
    assert (record.cause, record.stored) == (Cause.WRONG_COUNT, [IndexRange(20, 23)])
    assert whole(store, name) == [20, 21, 22]


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_a_torn_sample_shifts_nobody(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, output_format: str
) -> None:
    """One damaged sample in the middle is left out, its neighbours keep their indices, the damage is named."""
    name = tiny(torn=[1])
    with pytest.raises(BatchFailed, match="index 1: first_frame.png: a PNG cut short"):
        deliver(type=name, output_format=output_format)
    assert whole(store, name) == [0, 2, 3]
    assert failure_of(store).cause == Cause.TORN_SAMPLES


def test_a_hanging_generator_is_stopped(deliver: Deliver, tiny: Tiny, store: MemoryStore) -> None:
    """A generator that hangs is ended at the deadline and reported as that."""
    name = tiny(hang=60)
    with pytest.raises(BatchFailed, match="deadline"):
        deliver(type=name, seconds=1)
    assert failure_of(store).cause == Cause.DEADLINE


ODD = {
    "an editor's lock": lambda place: (place / ".#generate.py").symlink_to("someone@host.1:2"),
    "a link to nowhere": lambda place: (place / "gone.py").symlink_to("/nowhere/at/all.py"),
    "a link to itself": lambda place: (place / "loop.py").symlink_to("loop.py"),
    "a link to its folder": lambda place: (place / "up.py").symlink_to(".."),
    "a folder": lambda place: (place / "folder.py").mkdir(),
    "a FIFO": lambda place: os.mkfifo(place / "pipe.py"),
    "a device": lambda place: (place / "zero.py").symlink_to("/dev/zero"),
    "a socket": lambda place: bind(place / "socket.py"),
    "requirements that are a folder": lambda place: (place.parent / "requirements.txt").mkdir(),
    "requirements from a FIFO": lambda place: os.mkfifo(place.parent / "requirements-dev.txt"),
}


def bind(path: Path) -> None:
    """A socket's path may be no longer than a hundred characters."""
    with socket(AF_UNIX) as one, chdir(path.parent):
        one.bind(path.name)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_files_beside_a_generator_cost_nothing(
    deliver: Deliver, tiny: Tiny, generators: Path, store: MemoryStore, odd: Callable[[Path], object]
) -> None:
    """Only regular files that can be read count for the code's digest: batch, receipt and failure record are written."""
    name = tiny()
    digest = code_digest(generators / name)
    odd(generators / name / "examples")
    deliver(type=name)
    receipt = records.find_receipt(store, keys.ReceiptKey(name, IndexRange(0, 4), 0, 7))
    assert receipt
    assert receipt.generator_digest == digest
    tiny(crash="x")
    with pytest.raises(BatchFailed):
        deliver(type=name, start_index=4)
    assert failure_of(store).generator_digest == digest


def test_a_name_that_is_no_text_counts_for_the_digest(tiny: Tiny, generators: Path) -> None:
    """A file whose name is not UTF-8 is code like any other."""
    folder = generators / tiny()
    before = code_digest(folder)
    (folder / os.fsdecode(b"caf\xe9.py")).write_text("x = 1")
    assert code_digest(folder) not in {before, None}


def test_the_digest_is_of_the_code_that_ran(
    deliver: Deliver, tiny: Tiny, generators: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator that is gone when its samples are stored is on record all the same."""
    name, put = tiny(), obstore.put

    def removing_put(*args: object, **options: object) -> object:
        shutil.rmtree(generators / name, ignore_errors=True)
        return put(*args, **options)

    monkeypatch.setattr(obstore, "put", removing_put)
    before = code_digest(generators / name)
    deliver(type=name)
    receipt = records.find_receipt(store, keys.ReceiptKey(name, IndexRange(0, 4), 0, 7))
    assert receipt
    assert receipt.generator_digest == before


def test_an_unknown_generator_is_named(deliver: Deliver, store: MemoryStore) -> None:
    """A message for a generator that is not there fails with its name."""
    with pytest.raises(BatchFailed, match="'G-0_nobody' has no examples"):
        deliver(type="G-0_nobody")
    assert failure_of(store).cause == Cause.UNKNOWN_GENERATOR


def test_a_missing_package_is_named(
    deliver: Deliver, tiny: Tiny, generators: Path, store: MemoryStore
) -> None:
    """A generator that imports what is not installed fails as a missing dependency, by name."""
    name = tiny()
    script = generators / name / "examples" / "generate.py"
    script.write_text("import no_such_package\n" + script.read_text())
    with pytest.raises(BatchFailed, match="no_such_package"):
        deliver(type=name)
    assert failure_of(store).cause == Cause.MISSING_DEPENDENCY


def test_a_required_file_that_is_not_made_fails_the_batch(deliver: Deliver, tiny: Tiny) -> None:
    """A dataset that requires a file the generator does not write says so, for each sample."""
    with pytest.raises(BatchFailed, match="4 samples are torn; index 0: question_metadata.json: missing"):
        deliver(type=tiny(), require=["question_metadata.json"])


def test_first_frames_are_stored_last(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the bucket stops taking files half way, the sample it happened to does not look whole."""
    name, put, puts = tiny(), obstore.put, []

    def failing_put(to: object, key: str, data: object, **options: object) -> object:
        puts.append(key)
        if key.endswith("metadata.json") and "tiny_0002" in key:
            raise OSError("the network is gone")
        return put(to, key, data, **options)

    monkeypatch.setattr(obstore, "put", failing_put)
    with pytest.raises(BatchFailed, match="the network is gone"):
        deliver(type=name)
    assert 2 not in whole(store, name)
    assert any("tiny_0002/prompt.txt" in key for key in contents(store))
    assert failure_of(store).cause == Cause.UPLOAD


def test_a_batch_under_two_seeds_leaves_a_receipt_of_each(
    deliver: Deliver, tiny: Tiny, store: MemoryStore
) -> None:
    """What made the samples that are there is the later; that there was another is not forgotten."""
    name = tiny()
    for seed in (7, 8):
        deliver(type=name, seed=seed)
    receipts = [keys.parse_receipt(key)._replace(made="") for key, _ in sizes(store, keys.RECEIPTS)]
    assert receipts == [keys.ReceiptKey(name, IndexRange(0, 4), 0, seed) for seed in (7, 8)]


@pytest.mark.parametrize("seed", [7, None], ids=["named", "of-before"])
def test_a_batch_that_was_made_is_known_by_its_receipt(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, seed: int | None
) -> None:
    """Under the name that receipts have, and under the one they had before it told the seed; under no other seed."""
    message = TaskMessage(type=tiny(), num_samples=1, seed=7)
    deliver(type=message.type, num_samples=1)
    receipt = keys.ReceiptKey(message.type, message.indices, 0, 7)
    written = records.find_receipt(store, receipt)
    obstore.delete(store, [key for key, _ in sizes(store, keys.RECEIPTS)])
    records.write(store, keys.receipt(receipt._replace(seed=seed)), written)
    origin = Origin(written.generator_digest, written.made_by)
    assert find_earlier_result(store, message, 7, origin)
    assert find_earlier_result(store, message, 8, origin) is None
    assert find_earlier_result(store, message, 7, origin._replace(code="other")) is None


@pytest.mark.parametrize(
    "other",
    [
        {"output_format": "tar"},
        {"require": ("metadata.json",)},
        {"only_indices": (0,)},
        {"python_hash_seed": 0},
    ],
    ids=str,
)
def test_a_batch_that_was_asked_for_otherwise_is_made(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, other: dict[str, object]
) -> None:
    """The receipt of a message that differs in anything is no reason to leave a batch as it is."""
    message = TaskMessage(type=tiny(), num_samples=1, seed=7)
    deliver(type=message.type, num_samples=1)
    written = receipt_of(store, message.type, message.indices)
    origin = Origin(written.generator_digest, written.made_by)
    assert find_earlier_result(store, message, 7, origin)
    assert find_earlier_result(store, message.model_copy(update=other), 7, origin) is None


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_a_slow_look_at_the_bucket_stores_nothing_over_a_batch(
    deliver: Deliver, tiny: Tiny, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, output_format: str
) -> None:
    """Where a generator has ended before the bucket has answered, a batch that is there keeps its bytes and its receipt."""
    name = tiny(random=1, each=0.05)
    message = {"type": name, "num_samples": 4, "output_format": output_format}
    deliver(**message)
    before = [(one["path"], one["e_tag"]) for one in obstore.list(store).collect()]

    def slow(*which: object) -> TaskResult | None:
        time.sleep(2)
        return find_earlier_result(*which)

    monkeypatch.setattr("lambda_worker.batch.find_earlier_result", slow)
    result = deliver(**message)
    assert [(one["path"], one["e_tag"]) for one in obstore.list(store).collect()] == before
    assert result.samples_uploaded == 4


def test_what_is_not_wanted_is_never_sent(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that come out while the generator runs are sent early, but of a replay just those it is for."""
    sent = []
    put = obstore.put

    def watched(store: MemoryStore, key: str, *content: object, **how: object) -> object:
        sent.append(key)
        return put(store, key, *content, **how)

    monkeypatch.setattr("lambda_worker.samples.upload.obstore.put", watched)
    maze = "V-1_maze_path_data-generator"
    message = TaskMessage(type=maze, num_samples=4, seed=7, only_indices=(2,))
    Worker(Path(__file__).parents[2] / "generators", lambda *_: store).process(Delivery(message, 7, 1, 60))
    samples = {key.split("/")[3] for key in sent if key.startswith(keys.QUESTIONS)}
    assert {name.rsplit("_", 1)[1] for name in samples} == {"0002"}
