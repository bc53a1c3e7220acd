"""How many samples differ, and how many different ones a generator can make at least."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.planning.distinct import Distinct, count_distinct


def test_repeats_are_counted() -> None:
    """Twenty samples of nine contents repeat themselves."""
    seen = count_distinct(f"d{n % 9}" for n in range(20))
    assert (seen.distinct, seen.known, str(seen), seen.repeats) == (9, 20, "9 of 20", True)


def test_without_digests_nothing_is_known() -> None:
    """Nothing is said to repeat, and no bound is given."""
    seen = count_distinct([])
    assert (str(seen), seen.repeats, seen.can_make) == ("-", False, None)


def test_no_repeat_is_no_bound() -> None:
    """Where all samples differ, nothing tells how many more there are."""
    assert count_distinct(map(str, range(100))).can_make is None


@given(st.integers(2, 400), st.integers(0, 1000))
def test_the_bound_lies_between_what_was_seen_and_not_far_above_what_there_is(kinds: int, seed: int) -> None:
    """Drawn three times as often as there are kinds, the estimate is at least what was seen and near the truth."""
    draws = Random(seed).choices(range(kinds), k=3 * kinds)
    seen = count_distinct(map(str, draws))
    assert seen.can_make is not None
    assert seen.distinct <= seen.can_make <= 1.3 * kinds + 10


def test_generators_add_up() -> None:
    """Samples of two generators are different ones."""
    one, two = Distinct(distinct=3, known=4), Distinct(distinct=5, known=6)
    assert one.and_of(two) == Distinct(distinct=8, known=10)
