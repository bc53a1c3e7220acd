"""What S3 says of an object's bytes, and whether the bytes that came are those."""

import hashlib
import re
from typing import NamedTuple

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


def md5_of(e_tag: str | None) -> str | None:
    """The MD5 that an ETag spells; None where it is a token, as after an upload in parts.

    It is a token too where KMS encrypts, and looks just the same: ask S3 before one that differs is believed.

    >>> md5_of('"9dd4e461268c8034f5c8564e155c67a6"'), md5_of('"9dd4e461268c8034f5c8564e155c67a6-2"')
    ('9dd4e461268c8034f5c8564e155c67a6', None)
    """
    match = _MD5.fullmatch(e_tag or "")
    return match[1] if match else None


class ExpectedContent(NamedTuple):
    """An object's bytes as S3 describes them."""

    size: int
    e_tag: str | None


class ContentSum:
    """Size and MD5 of bytes as they come."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, data: bytes | memoryview) -> None:
        """Take in the next bytes."""
        self.size += len(data)
        self._md5.update(data)

    @property
    def md5(self) -> str:
        """Of all that came, in hexadecimal."""
        return self._md5.hexdigest()

    def has_size(self, expected: ExpectedContent) -> bool:
        return self.size == expected.size

    def has_digest(self, expected: ExpectedContent) -> bool:
        """Whether the ETag is that of these bytes; True where it is none that could tell."""
        return md5_of(expected.e_tag) in (None, self.md5)
