"""Reads objects whole or not at all: what came is compared with the size, and the digest, that S3 has of it."""

from collections.abc import Callable
from typing import NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from vbvrdatafactory import aws
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.checksums import ContentSum, ExpectedContent

# Once more: what a proxy or a disk cut short may come whole the second time.
_TRIES = 2
_CHUNK = 4 * 1024 * 1024
# With KMS an ETag is a token that looks like an MD5.
_ETAG_IS_MD5 = (None, "AES256")


class DamagedObjectError(DataFactoryError):
    """An object did not come as S3 describes it, twice running."""


class Whole(NamedTuple):
    """An object's bytes and the version of it that they are."""

    data: bytes
    e_tag: str | None


def read(store: ObjectStore, key: str) -> Whole:
    """All bytes of the object at `key`, for one that is small.

    Raises:
        FileNotFoundError: there is none.
        DamagedObjectError: what came is not what S3 has.
    """
    pieces: list[bytes] = []
    found = stream(store, key, pieces.append, pieces.clear)
    return Whole(b"".join(pieces), found.e_tag)


def stream(
    store: ObjectStore,
    key: str,
    take: Callable[[bytes], object],
    forget: Callable[[], object],
    listed: ExpectedContent | None = None,
) -> ExpectedContent:
    """Give the bytes of the object at `key` to `take`, piece by piece; returns what S3 says of them.

    Args:
        store: the bucket.
        key: the object.
        take: called with each piece.
        forget: called where it all begins anew.
        listed: how a listing showed the object. One that was overwritten since is compared with what S3
            says now.

    Raises:
        FileNotFoundError: there is none.
        DamagedObjectError: what came is not what S3 has. It was given to `take` and is to be forgotten.
    """
    said = ""
    for _ in range(_TRIES):
        forget()
        expected, said = _once(store, key, take, listed)
        if not said:
            return expected
    raise DamagedObjectError(f"{key!r} did not come whole: {said}; try again, or have it made again")


def _once(
    store: ObjectStore, key: str, take: Callable[[bytes], object], listed: ExpectedContent | None
) -> tuple[ExpectedContent, str]:
    """What S3 says of the object, and what was wrong with what came; empty where nothing was."""
    got, came = obstore.get(store, key), ContentSum()
    expected = ExpectedContent(got.meta["size"], got.meta["e_tag"])
    if listed and listed.e_tag == expected.e_tag:
        expected = listed
    try:
        for chunk in got.stream(min_chunk_size=_CHUNK):
            piece = bytes(chunk)
            came.add(piece)
            take(piece)
    except BaseError:
        # obstore has tried again ten times, from where it was cut.
        return expected, f"{expected.size:,} bytes were expected, the connection broke after {came.size:,}"
    return expected, _defect(store, key, came, expected)


def _defect(store: ObjectStore, key: str, came: ContentSum, expected: ExpectedContent) -> str:
    if not came.has_size(expected):
        return f"{expected.size:,} bytes were expected, {came.size:,} came"
    if came.has_digest(expected) or not e_tag_is_md5(store, key):
        return ""
    return f"ETag {expected.e_tag} was expected, the MD5 of what came is {came.md5}"


def e_tag_is_md5(store: ObjectStore, key: str) -> bool:
    """Whether the object's ETag, which looks like an MD5, is one: S3 says how it keeps the object."""
    if not isinstance(store, S3Store):
        return True
    said = aws.s3_of(store).head_object(Bucket=str(store.config["bucket"]), Key=key)
    return said.get("ServerSideEncryption") in _ETAG_IS_MD5
