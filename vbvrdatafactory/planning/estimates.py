"""An estimate as a range: the likely value, and how far off it may be."""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Estimate(NamedTuple):
    """A value that was estimated.

    Args:
        low: it is hardly less.
        likely: the best guess.
        high: it is hardly more.
    """

    low: float = 0.0
    likely: float = 0.0
    high: float = 0.0

    def times(self, factor: float) -> "Estimate":
        """The estimate of so many times as much."""
        return Estimate(self.low * factor, self.likely * factor, self.high * factor)

    def plus(self, amount: float) -> "Estimate":
        """The estimate of so much more, which is known."""
        return Estimate(self.low + amount, self.likely + amount, self.high + amount)

    def holds(self, value: float) -> bool:
        """Whether a value lies within the range."""
        return self.low <= value <= self.high

    @classmethod
    def around(cls, likely: float, share: float) -> "Estimate":
        """A range of `share` to both sides: three fifths at least stay below it."""
        return cls(likely * max(0.4, 1 - share), likely, likely * (1 + share))


# How much estimates of one run are off together, as where all functions are slower than those that were measured.
_TOGETHER = 0.5


def total(estimates: Iterable[Estimate]) -> Estimate:
    """The sum of estimates of one run: half of their errors cancel out, as far as they are many; half do not."""
    found = list(estimates)
    likely = sum(one.likely for one in found)
    below = _off([one.likely - one.low for one in found])
    above = _off([one.high - one.likely for one in found])
    return Estimate(max(0.0, likely - below), likely, likely + above)


def _off(errors: list[float]) -> float:
    """The error of the sum of values with these errors, correlated by `_TOGETHER`."""
    apart = sum(error**2 for error in errors)
    return math.sqrt((1 - _TOGETHER) * apart + _TOGETHER * sum(errors) ** 2)
