"""How long a run takes whose messages are all sent at its start."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from vbvrdatafactory.planning.estimates import Estimate, total
from vbvrdatafactory.planning.worker_limits import WorkerLimits


class Work(NamedTuple):
    """The batches of one generator.

    Args:
        batches: how many.
        batch_seconds: one of them takes.
        seconds: all of them take, one after the other.
    """

    batches: int
    batch_seconds: Estimate
    seconds: Estimate


def wall_seconds(work: Iterable[Work], limits: WorkerLimits) -> Estimate:
    """How long a run takes whose messages are all sent at its start.

    Functions are started gradually, and the longest batch may be the last one to begin.
    """
    found = [one for one in work if one.batches]
    whole = total(one.seconds for one in found)
    batches = sum(one.batches for one in found)
    slots = max(1, min(limits.concurrency * limits.side_by_side, batches))
    longest = max((one.batch_seconds.high for one in found), default=0.0)
    typical = whole.likely / batches if batches else 0.0
    low, likely, high = (_ramped(part, slots, limits) for part in whole)
    return Estimate(max(low, typical), likely + typical / 2, high + longest)


def _ramped(work: float, slots: int, limits: WorkerLimits) -> float:
    """Seconds until so many seconds of work are done, where functions are started gradually."""
    start, per_second = 5.0 * limits.side_by_side, limits.ramp_per_minute / 60 * limits.side_by_side
    if not per_second or slots <= start:
        return work / slots
    ramp = (slots - start) / per_second
    in_ramp = (start + slots) / 2 * ramp
    if work >= in_ramp:
        return ramp + (work - in_ramp) / slots
    # start t + per_second t² / 2 = work
    return (math.sqrt(start**2 + 2 * per_second * work) - start) / per_second
