"""Sets of sample indices as ranges."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class IndexRange(NamedTuple):
    """Indices start, start + 1, …, stop - 1. Its text is ``25-49``, both ends included, as in the names of archives."""

    start: int
    stop: int

    def __str__(self) -> str:
        return str(self.start) if self.size == 1 else f"{self.start}-{self.stop - 1}"

    @property
    def size(self) -> int:
        return self.stop - self.start

    def clip(self, other: "IndexRange") -> "IndexRange | None":
        """The indices in both, or None."""
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        return IndexRange(start, stop) if start < stop else None


def compress(indices: Iterable[int]) -> list[IndexRange]:
    """The fewest ranges that hold exactly `indices`, in order.

    >>> [str(r) for r in compress([7, 1, 2, 3])]
    ['1-3', '7']
    """
    ranges: list[IndexRange] = []
    for index in sorted(set(indices)):
        if ranges and ranges[-1].stop == index:
            ranges[-1] = IndexRange(ranges[-1].start, index + 1)
        else:
            ranges.append(IndexRange(index, index + 1))
    return ranges


def expand(ranges: Iterable[IndexRange]) -> Iterator[int]:
    """Every index of every range, in order."""
    for start, stop in ranges:
        yield from range(start, stop)


def describe(ranges: Iterable[IndexRange], at_most: int = 8) -> str:
    """Ranges for a person: ``0-24, 31, …`` with how many were left off."""
    shown = list(ranges)
    text = ", ".join(str(r) for r in shown[:at_most])
    left_off = len(shown) - at_most
    return f"{text} and {left_off} more ranges" if left_off > 0 else text
