"""One look at the bucket, every generator's folder at once."""

import re
from collections.abc import Iterable

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore, ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.s3.listing import sizes, take_evidence, take_inventory, times

BOTH = ("first_frame.png", "prompt.txt")
TEN = IndexRange(0, 10)


@pytest.fixture
def bucket() -> MemoryStore:
    """An empty bucket."""
    return MemoryStore()


def put_samples(
    store: ObjectStore, generator: str, indices: Iterable[int], files: Iterable[str] = BOTH
) -> None:
    for index in indices:
        folder = keys.sample_folder(keys.SampleFolder(generator, "t", index))
        for name in files:
            obstore.put(store, f"{folder}/{name}", b"bytes")


def put_archive(store: ObjectStore, generator: str, start: int, stop: int) -> None:
    obstore.put(store, keys.archive(keys.Archive(generator, IndexRange(start, stop))), b"bytes")


def test_a_folder_is_listed_with_sizes_in_order(bucket: MemoryStore) -> None:
    """Key and size of every object below it, more than one page of them."""
    put_samples(bucket, "G-1_x", range(700))
    listed = list(sizes(bucket, "questions/G-1_x/"))
    assert listed == sorted((key, 5) for key, _ in listed)
    assert len(listed) == 1400


def test_a_prefix_is_a_folder_not_a_beginning(bucket: MemoryStore) -> None:
    """Listing G-1_x shows nothing of G-10_x, of G-1_xy, nor of its own archives."""
    for generator in ("G-1_x", "G-10_x", "G-1_xy"):
        put_samples(bucket, generator, [0])
        put_archive(bucket, generator, 0, 10)
    assert {key.split("/")[1] for key, _ in sizes(bucket, keys.questions_of("G-1_x"))} == {"G-1_x"}


def test_the_inventory_keeps_generators_apart(bucket: MemoryStore) -> None:
    """G-1_x and G-10_x each have their own samples, as files and as archives."""
    put_samples(bucket, "G-1_x", [0, 1])
    put_samples(bucket, "G-10_x", [5])
    put_archive(bucket, "G-1_x", 4, 6)
    inventory = take_inventory(bucket)
    assert inventory["G-1_x"].missing(TEN) == [IndexRange(2, 4), IndexRange(6, 10)]
    assert inventory["G-10_x"].whole(TEN) == 1


def test_files_and_archives_both_count(bucket: MemoryStore) -> None:
    """A dataset that changed its format half way is one dataset; torn samples and strangers are told apart."""
    put_samples(bucket, "A", range(5))
    put_samples(bucket, "A", [7], ["prompt.txt"])
    put_archive(bucket, "A", 5, 7)
    put_archive(bucket, "B", 0, 10)
    obstore.put(bucket, "questions/notes.txt", b"x")
    inventory = take_inventory(bucket)
    assert (inventory["A"].whole(TEN), inventory["A"].torn(TEN), inventory["B"].whole(TEN)) == (7, 1, 10)
    assert (inventory.unrecognised, inventory.key_count) == (1, 14)


def test_an_empty_bucket_has_an_empty_inventory(bucket: MemoryStore) -> None:
    """The first look of the first run."""
    assert list(take_inventory(bucket)) == []


def test_only_the_dataset_is_listed(bucket: MemoryStore) -> None:
    """Our own records, and what others keep beside `questions/`, are none of the inventory's business."""
    obstore.put(bucket, keys.receipt(keys.ReceiptKey("A", TEN, 0)), b"{}")
    obstore.put(bucket, "questions_old/A/t_task/t_0000/prompt.txt", b"x")
    inventory = take_inventory(bucket)
    assert (inventory.key_count, inventory.unrecognised) == (0, 0)


def test_only_the_generators_asked_for_are_listed(bucket: MemoryStore) -> None:
    """Their folders alone are read; archives lie together and are read anyway."""
    put_samples(bucket, "A", [0])
    put_samples(bucket, "AB", [0])
    put_archive(bucket, "B", 0, 10)
    assert list(take_inventory(bucket, generators=["A"])) == ["A", "B"]


def test_required_files_are_looked_for(bucket: MemoryStore) -> None:
    """A dataset that wants videos does not count samples without one."""
    put_samples(bucket, "A", [0])
    put_samples(bucket, "A", [1], [*BOTH, "ground_truth.mp4"])
    found = take_inventory(bucket, Inventory(["ground_truth.mp4"]))["A"]
    assert (found.whole(TEN), found.torn(TEN)) == (1, 1)


def test_many_generators_are_listed_at_once(bucket: MemoryStore) -> None:
    """A hundred folders: every sample is counted, and each folder's end is told."""
    for number in range(100):
        put_samples(bucket, f"G-{number}", range(number % 5))
    told: list[int] = []
    inventory = take_inventory(bucket, on_listed=told.append)
    assert [inventory[f"G-{n}"].whole(TEN) for n in range(100)] == [n % 5 for n in range(100)]
    assert (len(told), told[-1]) == (80, inventory.key_count)


def test_a_folder_on_disk_is_a_bucket_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A downloaded dataset is inventoried like the bucket it came from, in whatever order the disk lists it."""
    store = LocalStore(tmp_path_factory.mktemp("bucket"))
    put_samples(store, "A", range(10), [*BOTH, "final_frame.png", "metadata.json"])
    put_samples(store, "B", [3], ["prompt.txt"])
    inventory = take_inventory(store)
    assert (inventory["A"].whole(TEN), inventory["B"].torn(TEN)) == (10, 1)


def test_evidence_is_read_of_the_generators_asked_for(bucket: MemoryStore) -> None:
    """Receipts and failures of A, and not of AB, from names and times alone: the bodies are empty."""
    for generator in ("A", "AB"):
        obstore.put(bucket, keys.receipt(keys.ReceiptKey(generator, TEN, 0)), b"")
        obstore.put(
            bucket, keys.failure(keys.FailureKey(generator, IndexRange(10, 20), 0, 1, Cause.CRASH)), b""
        )
    evidence = take_evidence(bucket, ["A"])
    assert [run.key.indices for run in evidence.runs("A")] == [TEN]
    assert [failed.key.cause for failed in evidence.failures("A")] == [Cause.CRASH]
    assert evidence.runs("AB") == evidence.failures("AB") == []


def test_times_are_those_of_the_bucket(bucket: MemoryStore) -> None:
    """Key and last modified, with its time zone."""
    obstore.put(bucket, "_datafactory/receipts/A/one.json", b"")
    [(key, at)] = times(bucket, "_datafactory/receipts/A")
    assert (key, at.tzinfo is not None) == ("_datafactory/receipts/A/one.json", True)
    assert at == obstore.head(bucket, key)["last_modified"]


def test_names_with_a_space_and_a_dot_are_listed(bucket: MemoryStore) -> None:
    """Every safe name survives the way into a key and back."""
    put_samples(bucket, "my generator v1.2", [0])
    assert re.fullmatch(r"my generator v1\.2", next(iter(take_inventory(bucket))))
