"""Pace: rate, end and stall from looks at a queue."""

import math

import pytest

from vbvrdatafactory.cli.pace import Pace
from vbvrdatafactory.sqs.depth import Depth


def paced(*looks):
    """A pace that saw (second, waiting) or (second, waiting, in flight)."""
    pace = Pace()
    for at, waiting, *in_flight in looks:
        pace.add(at, Depth(waiting, *(in_flight or [0]), 0))
    return pace


def test_one_look_has_no_rate():
    """One look says nothing of pace or end."""
    pace = paced((0, 100))
    assert (pace.rate, pace.left, pace.stalled) == (None, None, False)


def test_rate_and_range():
    """The rate is that of all looks; the range is that of its slowest and fastest part."""
    pace = paced((0, 100), (10, 90), (20, 70), (30, 60), (40, 40))
    assert pace.rate == pytest.approx(1.5)
    assert pace.left == pytest.approx((40 / 1.5, 40 / 2, 40 / 1))


def test_part_that_stood_still_has_no_upper_end():
    """Where one part of the time brought nothing, the end may be any time from the fastest on."""
    assert paced((0, 30), (10, 20), (20, 20)).left == pytest.approx((40, 20, math.inf))


def test_growing_queue_has_no_end():
    """A queue that grows has a negative rate and no end."""
    pace = paced((0, 10), (10, 20))
    assert pace.rate == pytest.approx(-1)
    assert pace.left is None


def test_old_looks_are_forgotten():
    """The rate is that of the last ten minutes."""
    pace = paced(*((at * 60, 10_000 - at * 60 * (1 if at < 30 else 3)) for at in range(61)))
    assert pace.rate == pytest.approx(3)


def test_stalled():
    """Messages wait, none is in flight and nothing changes for a while: stalled."""
    assert paced((0, 5), (5, 5), (10, 5), (15, 5)).stalled


@pytest.mark.parametrize(
    "looks",
    [
        [(0, 5), (1, 5), (2, 5), (3, 5)],
        [(0, 5), (30, 5)],
        [(0, 5, 1), (5, 5, 1), (10, 5, 1), (15, 5, 1)],
        [(0, 5), (5, 5), (10, 5), (15, 4)],
        [(0, 0), (5, 0), (10, 0), (15, 0)],
    ],
    ids=["too soon", "too few looks", "in flight", "changed", "empty"],
)
def test_not_stalled(looks):
    """Little time, few looks, work in flight, a change or an empty queue is no stall."""
    assert not paced(*looks).stalled


def test_memory_is_bounded():
    """A day of looks keeps those of ten minutes."""
    pace = paced(*((at, 10**6 - at) for at in range(5000)))
    assert len(pace._looks) < 610
