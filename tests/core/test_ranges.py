"""Ranges hold a set of indices without listing it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.ranges import IndexRange, compress, describe, expand

indices = st.lists(st.integers(0, 60))
ranges = st.builds(
    lambda start, size: IndexRange(start, start + size), st.integers(0, 50), st.integers(1, 20)
)


@given(indices)
def test_compress_then_expand_gives_the_set_back(chosen: list[int]) -> None:
    """Nothing is lost, nothing added, and the order is ascending."""
    assert list(expand(compress(chosen))) == sorted(set(chosen))


@given(indices)
def test_compressed_ranges_are_apart(chosen: list[int]) -> None:
    """No fewer ranges could hold the same indices: between two there is always a gap."""
    found = compress(chosen)
    assert all(a.stop < b.start for a, b in pairwise(found))


@given(ranges, ranges)
def test_clip_is_the_intersection(one: IndexRange, other: IndexRange) -> None:
    """The clipped range holds exactly the indices of both; where there are none it is None."""
    clipped = one.clip(other)
    assert set(expand([clipped] if clipped else [])) == set(range(*one)) & set(range(*other))


def test_ranges_read_with_both_ends_included() -> None:
    """Ranges are written as archives are named: 25-49 is twenty-five samples."""
    assert (str(IndexRange(25, 50)), IndexRange(25, 50).size, str(IndexRange(7, 8))) == ("25-49", 25, "7")


def test_many_ranges_are_described_by_the_first_and_a_count() -> None:
    """A person gets the first few and how many were left off."""
    many = compress(range(0, 40, 2))
    assert describe(many, at_most=2) == "0, 2 and 18 more ranges"
    assert describe(many[:2], at_most=2) == "0, 2"
