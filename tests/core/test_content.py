"""A sample's digest tells its content from another's, and nothing else."""

import io

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.content import CONTENT_FILES, FileContent, HashedFile, content_digest

contents = st.dictionaries(st.sampled_from(CONTENT_FILES), st.binary(max_size=40))


def digest(files: dict[str, bytes]) -> str:
    return content_digest({name: FileContent.of(data) for name, data in files.items()})


@given(contents, contents)
def test_equal_digests_mean_equal_files(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    """Name by name and byte by byte: a file that is not there is told from an empty one."""
    assert (digest(one) == digest(other)) is (one == other)


def test_bytes_that_move_from_file_to_file_are_another_content() -> None:
    """What one file ends with and the next begins with can't be confused."""
    frames = [
        {"first_frame.png": b"ab", "final_frame.png": b"c"},
        {"first_frame.png": b"a", "final_frame.png": b"bc"},
    ]
    assert digest(frames[0]) != digest(frames[1])
    assert digest({"first_frame.png": b"a"}) != digest({"final_frame.png": b"a"})


@given(contents, st.binary(max_size=9))
def test_metadata_is_no_content(files: dict[str, bytes], data: bytes) -> None:
    """The time of day in metadata.json, or any file of another name, changes nothing; nor does the order."""
    more = {"metadata.json": data, "mask.png": data, **dict(reversed(files.items()))}
    assert digest(more) == digest(files)


@given(st.binary(max_size=3000), st.integers(1, 999))
def test_a_file_is_hashed_while_it_is_read(data: bytes, piece: int) -> None:
    """However it is cut, what was read is the file, and the digest is that of the file."""
    hashed = HashedFile(io.BytesIO(data))
    assert b"".join(iter(lambda: hashed.read(piece), b"")) == data
    assert hashed.content == FileContent.of(data)
    again = HashedFile(io.BytesIO(data))
    assert b"".join(again.pieces()) == data
    assert again.content == hashed.content


def test_the_digest_stays_what_it_is() -> None:
    """Receipts of years are compared by it."""
    files = {
        "first_frame.png": b"first",
        "final_frame.png": b"final",
        "prompt.txt": b"Go.",
        "ground_truth.mp4": b"mp4",
    }
    assert digest(files) == "602f2e883ce8d22941ef0a2e68d8eb9bddb641951d36a4a07057a39410f573c3"
