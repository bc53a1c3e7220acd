"""Fits a straight line to what batches of different lengths took."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from vbvrdatafactory.core.certificates import Line

# What takes less was not measured; and what is further off says no more than that it is far off.
_LEAST, _MOST_SPREAD = 1e-6, 1000.0


class Measured(NamedTuple):
    """What batches of one length took.

    Args:
        samples: their length.
        mean: what they took on average.
        squared: the mean square of that.
        batches: how many they are.
    """

    samples: int
    mean: float
    squared: float
    batches: int = 1


def fit(points: Iterable[Measured]) -> Line:
    """The line with the least relative squares: a batch twice as long may be off by twice as much.

    Neither its start nor its slope is negative. Of batches of one length only the slope is known.
    """
    points = [point for point in points if point.mean >= _LEAST]
    if not points:
        return Line()
    start, each = _solve(points)
    batches = sum(point.batches for point in points)
    of = {point: max(start + each * point.samples, 1e-12) for point in points}
    # The mean square of (took - line) / line, by the means of each length.
    off = sum(
        point.batches * (point.squared - 2 * point.mean * line + line * line) / (line * line)
        for point, line in of.items()
    )
    spread = math.sqrt(max(0.0, off) / max(1, batches - 2))
    return Line(start=start, each=each, spread=min(_MOST_SPREAD, spread), batches=batches)


def _solve(points: list[Measured]) -> tuple[float, float]:
    """(start, slope), neither negative."""
    weights = [point.batches / point.mean**2 for point in points]
    total = sum(weights)
    mean_x = sum(w * p.samples for w, p in zip(weights, points, strict=True)) / total
    mean_y = sum(w * p.mean for w, p in zip(weights, points, strict=True)) / total
    spread_x = sum(w * (p.samples - mean_x) ** 2 for w, p in zip(weights, points, strict=True))
    if spread_x <= 1e-9 * total * mean_x**2:
        return 0.0, mean_y / mean_x
    each = (
        sum(w * (p.samples - mean_x) * (p.mean - mean_y) for w, p in zip(weights, points, strict=True))
        / spread_x
    )
    if each < 0:
        return mean_y, 0.0
    start = mean_y - each * mean_x
    if start < 0:
        # The best line through nothing.
        squares = sum(w * p.samples**2 for w, p in zip(weights, points, strict=True))
        return 0.0, sum(w * p.samples * p.mean for w, p in zip(weights, points, strict=True)) / squares
    return start, each
