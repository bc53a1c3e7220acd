"""When a queue will be empty, from its depth at each poll."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.control.queue_forecast import QueueForecast


def after(*polls: tuple[float, int]) -> QueueForecast:
    """The forecast after (second, depth) of each poll."""
    forecast = QueueForecast()
    for at, depth in polls:
        forecast.saw(at, depth)
    return forecast


def test_one_poll_has_no_rate() -> None:
    """Neither rate nor end."""
    forecast = after((0, 100))
    assert (forecast.rate(0), forecast.remaining(0)) == (None, None)


def test_the_range_holds_the_rates_measured() -> None:
    """The likely end follows the rate of all polls; the range spans the slower and the faster parts."""
    left = after((0, 100), (10, 90), (20, 70), (30, 60), (40, 40)).remaining(40)
    assert left is not None
    assert left.soonest <= 40 / 2 < left.likely < 40 / 1 <= left.latest
    assert left.likely == pytest.approx(40 / 1.5, rel=0.15)


def test_a_queue_that_grows_has_no_end() -> None:
    """However many polls."""
    forecast = after(*((10.0 * n, 10 + n) for n in range(20)))
    assert (forecast.rate(200), forecast.remaining(200)) == (None, None)


def test_old_polls_are_forgotten() -> None:
    """An hour of which the first half was slow: the rate is the recent one."""
    polls = ((at * 60.0, 10_000 - 30 * 60 - (at - 30) * 60 * (1 if at < 30 else 3)) for at in range(61))
    assert after(*polls).rate(3600) == pytest.approx(3)


def test_messages_that_are_added_begin_a_new_forecast() -> None:
    """After a second submission the end is that of all messages, not of the first ones."""
    shrinking = [(10.0 * n, 1000 - 100 * n) for n in range(6)]
    grown = [(60.0 + 10 * n, 5000 - 100 * n) for n in range(40)]
    left = after(*shrinking, *grown).remaining(450)
    assert left is not None
    assert left.likely == pytest.approx(grown[-1][1] / 10, rel=0.1)


@given(st.lists(st.integers(0, 40), min_size=100, max_size=100))
def test_counts_that_jitter_leave_rate_and_end_nearly_the_same(jitter: list[int]) -> None:
    """Approximate counts may read too high for a poll: ten messages a second are forecast as such."""
    polls = ((5.0 * n, 10_000 - 50 * n + more * (n % 2)) for n, more in enumerate(jitter))
    forecast = after(*polls)
    left = forecast.remaining(495)
    assert left is not None
    assert left.likely == pytest.approx((10_000 - 50 * 99) / 10, rel=0.1)


def test_messages_that_fail_and_return_are_no_progress() -> None:
    """A depth that goes up and down between the same two values has no rate but the first."""
    forecast = after(*((10.0 * n, 5 - n % 2) for n in range(200)))
    assert forecast.rate(20_000) is None
