"""A line through what batches took."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.planning.lines import Measured, fit


def took(samples: int, value: float, batches: int = 1) -> Measured:
    return Measured(samples, value, value**2, batches)


@given(st.floats(0.01, 100), st.floats(0.001, 100), st.sets(st.integers(1, 1000), min_size=2, max_size=9))
def test_a_line_is_found_again(start: float, each: float, lengths: set[int]) -> None:
    """Whatever the start and the slope, points on a line give that line, without a spread."""
    line = fit(took(samples, start + each * samples) for samples in lengths)
    for samples in lengths:
        assert line.of(samples) == pytest.approx(start + each * samples, rel=1e-6)
    assert line.spread < 1e-3
    assert line.batches == len(lengths)


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), st.floats(0.001, 1e6), st.integers(1, 500)), min_size=1, max_size=9
    )
)
def test_neither_start_nor_slope_is_negative(points: list[tuple[int, float, int]]) -> None:
    """A batch of more samples takes no less, and one of none takes no less than nothing."""
    line = fit(took(*point) for point in points)
    assert line.start >= 0
    assert line.each >= 0
    assert line.of(10) > 0
    assert line.spread >= 0


def test_of_one_length_the_slope_is_known() -> None:
    """What a start takes is in it."""
    line = fit([took(25, 10.0, 3)])
    assert (line.start, line.each, line.spread, line.batches) == (0.0, 0.4, 0.0, 3)


def test_of_nothing_nothing_is_known() -> None:
    """No batch, no line."""
    assert fit([]).batches == 0


def test_the_spread_is_that_of_batches_about_the_line() -> None:
    """Batches that take ten percent more or less have a spread of ten percent."""
    chance = random.Random(1)
    values = [
        (samples, (1 + samples) * chance.choice((0.9, 1.1))) for samples in (10, 100) for _ in range(500)
    ]
    points = []
    for length in (10, 100):
        mine = [value for samples, value in values if samples == length]
        points.append(
            Measured(length, sum(mine) / len(mine), sum(value**2 for value in mine) / len(mine), len(mine))
        )
    assert fit(points).spread == pytest.approx(0.1, rel=0.05)
