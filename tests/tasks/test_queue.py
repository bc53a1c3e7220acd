import pytest

from tasks.queue import Patience, _Watch
from vbvrdatafactory.sqs.depth import Depth


def test_progress_never_goes_back() -> None:
    """A count that grows again, as SQS counts do, does not take back what was done."""
    watch = _Watch(sent=10, started=0.0)
    for total in (6, 8, 2):
        watch.is_news(Depth(total, 0, 0), now=1.0)
    assert watch.percent == 80.0


def test_the_forecast_follows_the_measured_rate() -> None:
    """With 4 of 10 messages done in 60 seconds, the other 6 take about a minute and a half."""
    watch = _Watch(sent=10, started=0.0)
    watch.is_news(Depth(6, 0, 0), now=60.0)
    assert watch.forecast(60.0) == "4 of 10 messages done, 4.0 a minute, about 0:01:30 left"


def test_time_without_change_is_idle_time() -> None:
    """Idle seconds count from the last change of the counts."""
    watch = _Watch(sent=1, started=0.0)
    watch.is_news(Depth(1, 0, 0), now=5.0)
    assert not watch.is_news(Depth(1, 0, 0), now=9.0)
    assert watch.idle(9.0) == 4.0


@pytest.mark.parametrize("poll", [0.0, -1.0])
def test_a_queue_is_never_polled_without_pause(poll: float) -> None:
    """However small a pause is asked for, there is one."""
    assert Patience.of(poll, 1).poll_seconds > 0
