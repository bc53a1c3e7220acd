"""Delays between attempts: each longer than the one before, up to a cap."""

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.control.backoff import delays


@given(st.floats(0.01, 100), st.floats(0.01, 1000), st.floats(1.1, 10))
def test_each_delay_is_longer_by_the_factor_until_the_cap(first: float, cap: float, factor: float) -> None:
    """The first delay is the first or the cap, and no delay exceeds the cap."""
    found = [*islice(delays(first, cap, factor), 200)]
    assert found[0] == min(first, cap)
    assert found[-1] == cap
    for before, after in pairwise(found):
        assert after == pytest.approx(min(cap, before * factor))


def test_a_thousand_attempts_do_not_overflow() -> None:
    """A service may be away for days."""
    assert next(islice(delays(0.5, 30.0), 5000, None)) == 30.0
