"""How fast a queue empties, measured, and when it will be empty, as a range. Values only; the clock is the caller's."""

from __future__ import annotations

import math
from collections import deque
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vbvrdatafactory.sqs.depth import Depth

# A rate is that of the last ten minutes: generators differ, and the first minutes say little of the last.
_REMEMBERED_SECONDS = 600.0
_PIECES = 4
# SQS counts are approximate, and pollers take a moment to begin: a few looks that show no change say nothing.
STALLED_LOOKS = 4
STALLED_SECONDS = 15.0


class Seen(NamedTuple):
    """One look at a queue."""

    at: float
    depth: Depth


class Left(NamedTuple):
    """Seconds until a queue is empty; the range is that of the rates measured."""

    seconds: float
    least: float
    most: float


class Pace:
    """Looks at one queue, in order of time."""

    def __init__(self) -> None:
        self._looks: deque[Seen] = deque()

    def add(self, at: float, depth: Depth) -> None:
        """Remember one look, and forget the oldest but for what the rate and the stall need."""
        self._looks.append(Seen(at, depth))
        while len(self._looks) > STALLED_LOOKS and self._looks[1].at < at - _REMEMBERED_SECONDS:
            self._looks.popleft()

    @property
    def rate(self) -> float | None:
        """Messages a second that left the queue on balance; None before the second look."""
        return _rate(list(self._looks))

    @property
    def left(self) -> Left | None:
        """When the queue will be empty at the pace measured; None where it does not empty."""
        looks = list(self._looks)
        rate = _rate(looks)
        if not rate or rate <= 0:
            return None
        total = looks[-1].depth.total
        rates = [piece for piece in map(_rate, _pieces(looks)) if piece is not None]
        slowest, fastest = min(rates, default=rate), max(rates, default=rate)
        return Left(total / rate, total / fastest, total / slowest if slowest > 0 else math.inf)

    @property
    def stalled(self) -> bool:
        """Whether messages wait, none is in flight, and nothing has changed for some looks."""
        same = list(takewhile(lambda seen: seen.depth == self._looks[-1].depth, reversed(self._looks)))
        depth = same[0].depth if same else None
        if not depth or not depth.total or depth.in_flight:
            return False
        return len(same) >= STALLED_LOOKS and same[0].at - same[-1].at >= STALLED_SECONDS


def _rate(looks: Sequence[Seen]) -> float | None:
    if len(looks) < 2 or looks[-1].at <= looks[0].at:
        return None
    return (looks[0].depth.total - looks[-1].depth.total) / (looks[-1].at - looks[0].at)


def _pieces(looks: Sequence[Seen]) -> list[Sequence[Seen]]:
    """The looks in up to four parts that meet at their ends; one look alone makes no part."""
    step = max(1, math.ceil((len(looks) - 1) / _PIECES))
    return [looks[start : start + step + 1] for start in range(0, len(looks) - 1, step)]
