"""Shards: tar archives whose bytes follow from their members alone.

Headers are those of USTAR. Owner, mode and time are fixed.
"""

from collections.abc import Iterable

from vbvrdatafactory.core.errors import ReleaseError

BLOCK = 512
# Tar writes whole records; some readers complain about less.
_RECORD = 20 * BLOCK
_MOST_BYTES = 8**11 - 1
_NAME_BYTES = 100


def header(name: str, size: int) -> bytes:
    """The header of a member.

    Raises:
        ReleaseError: its name is longer than 100 bytes, or it is larger than 8 GiB.
    """
    encoded = name.encode()
    if len(encoded) > _NAME_BYTES or size > _MOST_BYTES:
        raise ReleaseError(
            f"{name!r} of {size:,} bytes does not fit a shard: 100 bytes of name, 8 GiB at most"
        )
    length = b"%011o" % size
    # The checksum adds up all bytes, with blanks in its own place.
    checksum = _SUM + sum(encoded) + sum(length)
    return b"%b%b%b%b%06o\0 %b" % (encoded.ljust(_NAME_BYTES, b"\0"), _OWNER, length, _TIME, checksum, _REST)


_OWNER = b"0000644\x000000000\x000000000\x00"
_TIME = b"\x0000000000000\x00"
_REST = (b"0" + bytes(100) + b"ustar\x0000").ljust(BLOCK - 156, b"\0")
_SUM = sum(_OWNER + _TIME + b" " * 8 + _REST)


def padding(size: int) -> bytes:
    """What follows a member of that size, to the next block."""
    return bytes(-size % BLOCK)


def end(size: int) -> bytes:
    """What follows the last member of an archive that has that size so far."""
    return bytes(2 * BLOCK + -(size + 2 * BLOCK) % _RECORD)


def bytes_of(sizes: Iterable[int]) -> int:
    """What members of these sizes take in a shard."""
    return sum(BLOCK + size + -size % BLOCK for size in sizes)
