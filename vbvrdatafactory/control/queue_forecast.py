"""When a queue will be empty, from its depth at each poll. Values only; the clock is the caller's."""

from vbvrdatafactory.planning.forecast import Forecast, Remaining

# SQS counts are approximate, and one poll may read too high: several in succession are believed.
_POLLS_THAT_GREW = 3


class QueueForecast:
    """Forecasts from the depth of one queue, in messages; times in seconds of any monotonic clock.

    A message that fails and returns to the queue is no progress: only a depth below the lowest so far is. Where
    messages are added, the forecast begins anew from the new depth.
    """

    def __init__(self) -> None:
        self._forecast: Forecast | None = None
        self._grew = 0

    def saw(self, at: float, depth: int) -> None:
        """Record that the queue held `depth` messages at `at`."""
        lowest = self._forecast.total - self._forecast.done if self._forecast else 0
        self._grew = self._grew + 1 if depth > lowest else 0
        if self._forecast is None or self._grew >= _POLLS_THAT_GREW:
            self._forecast, self._grew = Forecast(depth), 0
        self._forecast.saw(at, self._forecast.total - depth)

    def rate(self, now: float) -> float | None:
        """Messages a second by which the queue shrank of late; None where it did not."""
        return self._forecast.rate(now) if self._forecast else None

    def remaining(self, now: float) -> Remaining | None:
        """Seconds until the queue is empty; None where it does not shrink."""
        return self._forecast.remaining(now) if self._forecast else None
