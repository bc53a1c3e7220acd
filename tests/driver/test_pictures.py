"""One sample of each generator, to look at."""

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.driver.pictures import MAX_PICTURES, pick
from vbvrdatafactory.report.html import Picture


@pytest.fixture
def bucket() -> MemoryStore:
    """An empty bucket."""
    return MemoryStore()


def put(bucket: MemoryStore, generator: str, index: int, files: dict[str, bytes]) -> None:
    folder = keys.sample_folder(keys.SampleFolder(generator, "t", index))
    for name, data in files.items():
        obstore.put(bucket, f"{folder}/{name}", data)


def test_the_first_sample_of_each_generator_is_picked(bucket: MemoryStore) -> None:
    """Its frames and its prompt, as they are stored; a generator of a longer name is not mixed in."""
    for generator in ("A", "AB"):
        for index in (0, 1):
            name = f"{generator}{index}".encode()
            put(
                bucket,
                generator,
                index,
                {"first_frame.png": name, "final_frame.png": b"end", "prompt.txt": b" Go. "},
            )
    assert list(pick(bucket, ["AB", "A"])) == [
        Picture("AB", b"AB0", b"end", "Go."),
        Picture("A", b"A0", b"end", "Go."),
    ]


def test_a_sample_without_the_optional_frame_is_a_picture_too(bucket: MemoryStore) -> None:
    """What is not there is left out, and a prompt that is no UTF-8 does not stop the report."""
    put(bucket, "A", 0, {"first_frame.png": b"one", "prompt.txt": b"\xff!"})
    assert list(pick(bucket, ["A"])) == [Picture("A", b"one", None, "\ufffd!")]


def test_a_generator_without_files_has_no_picture(bucket: MemoryStore) -> None:
    """Archives are not opened for a glance; generators that are not there are passed over."""
    obstore.put(bucket, keys.archive(keys.Archive("A", keys.IndexRange(0, 10))), b"tar")
    assert list(pick(bucket, ["A", "B"])) == []


def test_a_page_holds_only_so_many_pictures(bucket: MemoryStore) -> None:
    """Of many generators the first few are shown."""
    names = [f"G-{number:02d}" for number in range(MAX_PICTURES + 5)]
    for name in names:
        put(bucket, name, 0, {"first_frame.png": b"x", "prompt.txt": b"y"})
    assert [picture.generator for picture in pick(bucket, names)] == names[:MAX_PICTURES]
