"""Durations and rates that a person reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.humanize import format_duration, format_estimate, format_rate


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "5 s"),
        (52, "50 s"),
        (58, "1 min"),
        (95, "2 min"),
        (3590, "1 h"),
        (5300, "1 h 30 min"),
        (7200, "2 h"),
    ],
)
def test_an_estimate_has_no_more_digits_than_are_known(seconds: float, words: str) -> None:
    """Seconds below a minute, minutes below ten, then fives and tens of them."""
    assert format_estimate(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(40_000, "11 h"), (172_800, "48 h"), (400_000, "5 days")])
def test_long_estimates_are_in_hours_and_days(seconds: float, words: str) -> None:
    """Nobody plans by the minute of the day after tomorrow."""
    assert format_estimate(seconds) == words


@given(st.floats(0, 10**7), st.floats(0, 10**7))
def test_more_time_never_reads_as_less(one: float, other: float) -> None:
    """Rounding keeps the order of two estimates."""

    def read(words: str) -> int:
        units = {"s": 1, "min": 60, "h": 3600, "days": 86_400}
        parts = words.replace(",", "").split()
        return sum(int(n) * units[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))

    low, high = sorted((one, other))
    assert read(format_estimate(low)) <= read(format_estimate(high))


def test_what_was_measured_is_told_to_the_second() -> None:
    """Below an hour; the minute beyond."""
    assert [format_duration(s) for s in (8, 95, 4000, 360_000)] == [
        "8 s",
        "1 min 35 s",
        "1 h 06 min",
        "100 h 00 min",
    ]


def test_a_rate_is_in_the_unit_that_keeps_it_above_one() -> None:
    """Seconds, minutes, hours."""
    assert [format_rate(r) for r in (1234.5, 85, 2.34, 0.2, 0.002)] == [
        "1,234/s",
        "85/s",
        "2.3/s",
        "12/min",
        "7.2/h",
    ]
