"""Reads objects completely or fails: the bytes received are compared with the size and digest that S3 reports."""

from collections.abc import Callable
from typing import NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from vbvrdatafactory import aws
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.checksums import ContentSum, ExpectedContent

# A second try: what a proxy or a disk cut short may be complete then.
_TRIES = 2
_CHUNK = 4 * 1024 * 1024
# Of records, reports and the ledger; the largest that the factory writes has some megabytes.
MOST_BYTES = 256 * 1024 * 1024
# With SSE-KMS an ETag is no MD5, but looks like one.
_ETAG_IS_MD5 = (None, "AES256")


class DamagedObjectError(DataFactoryError):
    """An object was received twice in other bytes than S3 reports."""


class OversizedObjectError(DataFactoryError):
    """An object is larger than what may lie under its key, and was not read."""


class Content(NamedTuple):
    """An object's bytes and their ETag."""

    data: bytes
    e_tag: str | None


def read(store: ObjectStore, key: str, *, at_most: int = MOST_BYTES) -> Content:
    """All bytes of the object `key`; for small objects.

    Args:
        store: the bucket.
        key: the object.
        at_most: the bytes that it may have: whoever can write to the bucket must not fill this machine's memory.

    Raises:
        FileNotFoundError: it does not exist.
        OversizedObjectError: it has more than `at_most` bytes.
        DamagedObjectError: other bytes than S3 reports were received.
    """
    pieces: list[bytes] = []
    found = stream(store, key, pieces.append, pieces.clear, at_most=at_most)
    return Content(b"".join(pieces), found.e_tag)


def stream(  # noqa: PLR0913 - what, where to, and how much
    store: ObjectStore,
    key: str,
    write: Callable[[bytes], object],
    restart: Callable[[], object],
    listed: ExpectedContent | None = None,
    *,
    at_most: int | None = None,
) -> ExpectedContent:
    """Call `write` with the bytes of the object `key`, chunk by chunk; returns their size and ETag as S3 reports them.

    Args:
        store: the bucket.
        key: the object.
        write: called with each chunk.
        restart: called before the first chunk of each try; earlier chunks are void.
        listed: size and ETag of a listing. An object that was overwritten since is compared with what GetObject
            reports.
        at_most: the bytes that it may have; None for any number.

    Raises:
        FileNotFoundError: it does not exist.
        OversizedObjectError: it has more than `at_most` bytes.
        DamagedObjectError: other bytes than S3 reports were received; what was written is void.
    """
    defect = ""
    for _ in range(_TRIES):
        restart()
        expected, defect = _once(store, key, write, listed, at_most)
        if not defect:
            return expected
    raise DamagedObjectError(
        f"{key!r} was not received whole: {defect}; try again, or delete it and run again"
    )


def _once(
    store: ObjectStore,
    key: str,
    write: Callable[[bytes], object],
    listed: ExpectedContent | None,
    at_most: int | None,
) -> tuple[ExpectedContent, str]:
    """Size and ETag as S3 reports them, and what is wrong with the bytes received; empty where nothing is."""
    got, received = obstore.get(store, key), ContentSum()
    expected = ExpectedContent(got.meta["size"], got.meta["e_tag"])
    if at_most is not None and expected.size > at_most:
        raise OversizedObjectError(
            f"{key!r} has {expected.size:,} bytes, and nothing larger than {at_most:,} belongs there; delete it"
        )
    if listed and listed.e_tag == expected.e_tag:
        expected = listed
    try:
        for chunk in got.stream(min_chunk_size=_CHUNK):
            piece = bytes(chunk)
            received.add(piece)
            write(piece)
    except BaseError:
        # obstore has retried ten times, from where the connection broke.
        return (
            expected,
            f"{expected.size:,} bytes were expected, the connection broke after {received.size:,}",
        )
    return expected, _defect(store, key, received, expected)


def _defect(store: ObjectStore, key: str, received: ContentSum, expected: ExpectedContent) -> str:
    if not received.has_size(expected):
        return f"{expected.size:,} bytes were expected, {received.size:,} were received"
    if received.has_digest(expected) or not e_tag_is_md5(store, key):
        return ""
    return f"ETag {expected.e_tag} was expected, the MD5 of what was received is {received.md5}"


def e_tag_is_md5(store: ObjectStore, key: str) -> bool:
    """Whether the object's ETag is an MD5, as far as its encryption tells (HeadObject)."""
    if not isinstance(store, S3Store):
        return True
    bucket, name = aws.address(store, key)
    head = aws.s3_of(store).head_object(Bucket=bucket, Key=name)
    return head.get("ServerSideEncryption") in _ETAG_IS_MD5
