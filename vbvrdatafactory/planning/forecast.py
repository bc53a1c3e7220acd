"""When a run will be done, as a range, from the rates measured so far. Values only; the clock is the caller's.

The likely end follows the recent rate: that of the last ten minutes, or of a quarter of the run where that is longer,
so that a slow start (Lambda scales up gradually) stops to count. The range spans the recent rates of shorter
intervals, the rate of the whole run, and the uncertainty of few polls.
"""

import math
from collections import deque
from itertools import pairwise
from typing import NamedTuple

from vbvrdatafactory.core.humanize import format_estimate, format_rate

_RECENT_SECONDS = 600.0
_RECENT_SHARE = 0.25
# The recent interval is divided into so many pieces; the slowest and the fastest of them are ignored.
_PIECES = 8
# A piece without progress says little about the run: the latest end is at most so many times the likely one.
_AT_MOST = 4.0
# From so many steps on, the first is ignored: it includes the time until the worker had started.
_ENOUGH_STEPS = 4


class Remaining(NamedTuple):
    """Seconds until the end."""

    soonest: float
    likely: float
    latest: float


class _Point(NamedTuple):
    at: float
    done: int


class Forecast:
    """The progress of one run. `total` and `done` in any unit; times in seconds of any monotonic clock."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._steps: deque[_Point] = deque()
        self._first: _Point | None = None
        self._count = 0
        self._longest_wait = 0.0
        self._stood = 0.0
        self._looked = 0.0

    @property
    def done(self) -> int:
        """How much was done at the last poll."""
        return self._steps[-1].done if self._steps else 0

    def saw(self, at: float, done: int, *, paused: bool = False) -> None:
        """Record that `done` was done at `at`. Time in a pause does not count."""
        grew = bool(self._steps) and done > self.done
        if paused and self._steps and not grew:
            self._stood += at - self._looked
        self._looked = at
        if not self._steps:
            self._steps.append(_Point(at, done))
        elif grew:
            self._step(_Point(at - self._stood, done))

    def rate(self, now: float) -> float | None:
        """The recent rate, in units a second; None before anything was done."""
        rates = self._recent_rates(now)
        return sum(rates) / len(rates) if rates and sum(rates) else None

    def remaining(self, now: float) -> Remaining | None:
        """When the rest will be done; None while there is no rate."""
        if self._steps and self.done >= self.total:
            return Remaining(0.0, 0.0, 0.0)
        rates = sorted(self._recent_rates(now))
        if not sum(rates):
            return None
        likely = sum(rates) / len(rates)
        bounds = [rates[1], rates[-2], self._overall(now), *_unsure(likely, self._count)]
        slowest = max(min(likely, *bounds), likely / _AT_MOST)
        return Remaining(*(self._left(rate, now) for rate in (max(likely, *bounds), likely, slowest)))

    def describe(self, now: float, noun: str = "samples") -> str:
        """Progress, rate and end in one line, such as ``1,200 of 9,000 samples, 2.3/s, about 55 min left (50 min to 2 h)``."""
        line, left, rate = self.counts(noun), self.remaining(now), self.rate(now)
        if left is None or rate is None or not left.latest:
            return line
        return f"{line}, {format_rate(rate)}, {describe_remaining(left)}"

    def counts(self, noun: str = "samples") -> str:
        """What is done, such as ``1,200 of 9,000 samples``."""
        return f"{self.done:,} of {self.total:,} {noun}"

    def _step(self, point: _Point) -> None:
        last = self._steps[-1]
        self._count += 1
        self._longest_wait = max(self._longest_wait, point.at - last.at) if self._count > 1 else 0.0
        self._steps.append(point)
        if self._first is None or self._count == _ENOUGH_STEPS:
            self._first = self._steps[0] if self._first is None else self._steps[1]
        while len(self._steps) > _ENOUGH_STEPS and self._steps[1].at < self._since(point.at):
            self._steps.popleft()

    def _since(self, end: float) -> float:
        """When the recent interval begins."""
        first = self._first.at if self._first else end
        return max(first, end - max(_RECENT_SECONDS, _RECENT_SHARE * (end - first)))

    def _end(self, now: float) -> float:
        """Up to when the curve is known: work completes in steps, and a wait as long as any before is no slowdown."""
        last = self._steps[-1].at
        return last + max(0.0, self._clock(now) - last - self._longest_wait)

    def _clock(self, now: float) -> float:
        return now - self._stood

    def _recent_rates(self, now: float) -> list[float]:
        """The rates of equal pieces of the recent interval."""
        if not self._count:
            return []
        end = self._end(now)
        since = self._since(end)
        width = (end - since) / _PIECES
        if width <= 0:
            return []
        curve = [self._done_at(since + n * width) for n in range(_PIECES + 1)]
        return [(after - before) / width for before, after in pairwise(curve)]

    def _done_at(self, at: float) -> float:
        """What was done at `at`, on straight lines between the steps."""
        for before, after in pairwise(self._steps):
            if at < after.at:
                return before.done + (after.done - before.done) * (at - before.at) / (after.at - before.at)
        return self._steps[-1].done

    def _overall(self, now: float) -> float:
        first = self._first or self._steps[0]
        return (self.done - first.done) / (self._end(now) - first.at)

    def _left(self, rate: float, now: float) -> float:
        waited = min(self._clock(now) - self._steps[-1].at, self._longest_wait)
        return max(0.0, (self.total - self.done) / rate - waited)


def describe_remaining(left: Remaining) -> str:
    """Such as ``about 1 h 30 min left (1 h 10 min to 2 h)``."""
    likely, soonest, latest = (format_estimate(s) for s in (left.likely, left.soonest, left.latest))
    return f"about {likely} left" if soonest == latest else f"about {likely} left ({soonest} to {latest})"


def _unsure(rate: float, steps: int) -> tuple[float, float]:
    """The rates that can't be distinguished from `rate` after so many steps."""
    factor = 1 + 1 / math.sqrt(steps)
    return rate / factor, rate * factor
