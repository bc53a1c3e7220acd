"""The end of a run as a range that holds, from the rates measured."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.planning.forecast import Forecast, Remaining


def after(seconds: int, done_at: Callable[[float], float], *, total: int, every: int = 15) -> Forecast:
    """The forecast after looks up to `seconds`."""
    forecast = Forecast(total)
    for at in range(0, seconds + 1, every):
        forecast.saw(float(at), min(total, int(done_at(at))))
    return forecast


def test_nothing_is_known_before_something_is_done() -> None:
    """No rate, no end, however many looks."""
    forecast = Forecast(100)
    assert (forecast.remaining(0.0), forecast.rate(0.0)) == (None, None)
    for at in range(10):
        forecast.saw(float(at), 40)
    assert (forecast.remaining(9.0), forecast.rate(9.0)) == (None, None)
    assert forecast.describe(9.0) == "40 of 100 samples"


@given(st.integers(1, 400), st.integers(40, 400))
def test_a_steady_rate_is_measured_and_its_end_foretold(rate: int, looks: int) -> None:
    """The likely end is the true one, and the range holds it."""
    seconds = 15 * looks
    total = rate * seconds * 3
    forecast = after(seconds, lambda at: rate * at, total=total)
    left = forecast.remaining(seconds)
    assert forecast.rate(seconds) == pytest.approx(rate)
    assert left is not None
    assert left.likely == pytest.approx(2 * seconds)
    assert left.soonest <= left.likely <= left.latest <= 1.2 * left.likely


@given(
    st.lists(st.tuples(st.floats(0, 300), st.integers(0, 50), st.booleans()), min_size=1, max_size=60),
    st.floats(0, 2000),
)
def test_whatever_was_seen_the_range_is_in_order_and_finite(
    steps: list[tuple[float, int, bool]], later: float
) -> None:
    """Stalls, jumps, pauses, looks at the same moment: soonest, likely and latest stay in order."""
    forecast, at, done = Forecast(1000), 0.0, 0
    for wait, more, paused in steps:
        at, done = at + wait, done + more
        forecast.saw(at, done, paused=paused)
        left = forecast.remaining(at + later)
        assert left is None or 0 <= left.soonest <= left.likely <= left.latest < float("inf")


def test_what_was_there_at_the_start_is_not_speed() -> None:
    """A run that goes on at 9,000 of 10,000 knows nothing until it makes more."""
    forecast = after(600, lambda at: 9000 + at, total=10_000)
    assert forecast.rate(600) == pytest.approx(1.0)
    assert forecast.remaining(600).likely == pytest.approx(400)  # type: ignore[union-attr]


def test_a_slow_start_is_forgotten() -> None:
    """Ten minutes at a hundredth of the speed: an hour later neither end of the range remembers them."""
    forecast = after(4200, lambda at: 0.2 * at if at < 600 else 120 + 20 * (at - 600), total=200_000)
    left = forecast.remaining(4200)
    assert left is not None
    true = (200_000 - 120 - 20 * 3600) / 20
    assert left.likely == pytest.approx(true, rel=0.01)
    assert left.latest < 1.3 * true


def test_a_rate_that_fell_pushes_the_end_out() -> None:
    """Half the speed since a while: the likely end follows it, and the range still holds the earlier speed."""
    forecast = after(6000, lambda at: 20 * at if at < 3000 else 60_000 + 10 * (at - 3000), total=120_000)
    left = forecast.remaining(6000)
    assert left is not None
    assert left.likely == pytest.approx(3000, rel=0.01)
    assert left.soonest < 2100


@pytest.mark.parametrize(("batch", "wait"), [(1, 15), (100, 15), (2000, 195)])
def test_work_that_comes_in_steps_is_not_a_stall(batch: int, wait: int) -> None:
    """Samples are seen a batch at a time; between two steps the end stays where it was."""
    forecast = after(6000, lambda at: 10 * at // batch * batch, total=100_000)
    for now in (6000, 6000 + wait // 2, 6000 + wait):
        left = forecast.remaining(now)
        assert left is not None
        assert left.likely + now - 6000 == pytest.approx(4000, rel=0.06)


def test_a_stall_moves_the_end_away() -> None:
    """Nothing comes for much longer than ever before: the rate falls, and in the end nothing is known."""
    forecast = after(1200, lambda at: 5 * at, total=20_000)
    rates = [forecast.rate(now) for now in (1200, 1500, 1700)]
    assert rates[0] == pytest.approx(5.0)
    assert rates[0] > rates[1] > rates[2]  # type: ignore[operator]
    assert forecast.rate(20_000) is None
    assert forecast.remaining(20_000) is None


def test_a_pause_is_not_slowness() -> None:
    """An hour of pause in the middle changes neither rate nor end."""
    forecast = after(1200, lambda at: 5 * at, total=20_000)
    for at in range(1215, 4815, 15):
        forecast.saw(at, 6000, paused=True)
    for at in range(4815, 6015, 15):
        forecast.saw(at, 6000 + 5 * (at - 4800))
    assert forecast.rate(6000) == pytest.approx(5.0, rel=0.02)
    assert forecast.remaining(6000).likely == pytest.approx(1600, rel=0.02)  # type: ignore[union-attr]


def test_few_looks_say_that_they_know_little() -> None:
    """After one step the range is half to double; after a hundred it is a tenth."""
    few, many = (after(15 * n, lambda at: at, total=10_000) for n in (1, 100))
    for forecast, now, width in ((few, 15, 2.0), (many, 1500, 1.1)):
        left = forecast.remaining(now)
        assert left is not None
        assert left.latest / left.likely == pytest.approx(width, rel=0.02)


def test_done_is_done_and_never_goes_back() -> None:
    """A count that shrinks is an old one; at the total nothing is left."""
    forecast = Forecast(10)
    for at, done in enumerate([0, 6, 4, 10, 9]):
        forecast.saw(float(at), done)
    assert (forecast.done, forecast.remaining(9.0)) == (10, Remaining(0.0, 0.0, 0.0))
    assert forecast.describe(9.0) == "10 of 10 samples"


def test_the_line_for_a_person() -> None:
    """Counts, rate, the likely end and its range."""
    forecast = after(1200, lambda at: at, total=9000)
    assert (
        forecast.describe(1200) == "1,200 of 9,000 samples, 1.0/s, about 2 h 10 min left (2 h to 2 h 20 min)"
    )


def test_a_day_of_looks_stays_small() -> None:
    """A look each second for a day: memory is that of the recent quarter, and a forecast takes milliseconds."""
    forecast = after(86_400, lambda at: at / 30, total=10_000, every=1)
    assert len(forecast._steps) < 86_400 / 30 * 0.27
