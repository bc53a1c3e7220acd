"""Compares bytes that were received with the size and ETag that S3 reports."""

import hashlib
import re
from typing import NamedTuple

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


def md5_of(e_tag: str | None) -> str | None:
    """The MD5 in an ETag; None where the ETag is no digest, as after a multipart upload.

    With SSE-KMS the ETag is no digest either, but looks like one: check the encryption (`reading.e_tag_is_md5`)
    before a difference counts.

    >>> md5_of('"9dd4e461268c8034f5c8564e155c67a6"'), md5_of('"9dd4e461268c8034f5c8564e155c67a6-2"')
    ('9dd4e461268c8034f5c8564e155c67a6', None)
    """
    match = _MD5.fullmatch(e_tag or "")
    return match[1] if match else None


def unquoted(e_tag: str | None) -> str:
    """An ETag as records have it: without quotes; empty for None.

    >>> unquoted('"9dd4e461268c8034f5c8564e155c67a6-2"')
    '9dd4e461268c8034f5c8564e155c67a6-2'
    """
    return (e_tag or "").strip('"')


class ExpectedContent(NamedTuple):
    """Size in bytes and ETag of an object, as S3 reports them."""

    size: int
    e_tag: str | None


class ContentSum:
    """Size and MD5 of bytes as they are received."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        self.size += len(data)
        self._md5.update(data)

    @property
    def md5(self) -> str:
        """The MD5 of all bytes so far, in hexadecimal."""
        return self._md5.hexdigest()

    def has_size(self, expected: ExpectedContent) -> bool:
        return self.size == expected.size

    def has_digest(self, expected: ExpectedContent) -> bool:
        """Whether the ETag is the MD5 of these bytes; True where the ETag is no digest."""
        return md5_of(expected.e_tag) in (None, self.md5)
