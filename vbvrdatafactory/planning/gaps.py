"""Plan minus inventory: what is planned and not whole in the bucket, exact to the sample."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.origins import Origin
from vbvrdatafactory.planning.plan import Plan


class Gap(NamedTuple):
    """What one generator lacks: ranges of indices, ascending and apart."""

    generator: str
    ranges: tuple[IndexRange, ...]

    @property
    def samples(self) -> int:
        return sum(r.size for r in self.ranges)

    def without(self, others: Iterable[IndexRange]) -> "Gap":
        """What is lacking outside of `others`.

        >>> Gap("g", (IndexRange(0, 9),)).without([IndexRange(2, 4)]).ranges
        (IndexRange(start=0, stop=2), IndexRange(start=4, stop=9))
        """
        ranges = self.ranges
        for other in others:
            ranges = tuple(part for mine in ranges for part in _around(mine, other))
        return Gap(self.generator, ranges)


def _around(mine: IndexRange, other: IndexRange) -> Iterator[IndexRange]:
    """`mine` without `other`: what is left before it and behind it."""
    for part in (
        IndexRange(mine.start, min(mine.stop, other.start)),
        IndexRange(max(mine.start, other.stop), mine.stop),
    ):
        if part.start < part.stop:
            yield part


class Gaps:
    """What every generator of a plan lacks; generators that lack nothing are not in it."""

    def __init__(self, gaps: Iterator[Gap]) -> None:
        self._gaps = {gap.generator: gap for gap in gaps if gap.ranges}

    def __iter__(self) -> Iterator[Gap]:
        return iter(self._gaps.values())

    def __len__(self) -> int:
        return len(self._gaps)

    def of(self, generator: str) -> Gap:
        """The generator's gap; one without ranges where it lacks nothing."""
        return self._gaps.get(generator, Gap(generator, ()))

    @property
    def sample_count(self) -> int:
        return sum(gap.samples for gap in self._gaps.values())


class Observation(NamedTuple):
    """One look at the bucket: what is there, and what of the plan is not.

    Args:
        inventory: what is there.
        gaps: what of the plan is not.
        origins: what made the samples that are there, by generator; None where receipts were not looked at.
    """

    inventory: Inventory
    gaps: Gaps
    origins: Mapping[str, Origin] | None = None

    @property
    def other_seed(self) -> int:
        """Samples that are there and were made for another seed, as far as was looked at."""
        return sum(origin.other_seed for origin in (self.origins or {}).values())


def find_gaps(plan: Plan, inventory: Inventory, among: Collection[str] | None = None) -> Gaps:
    """What the plan asks for and the inventory does not show whole, of all generators or `among` some."""
    return Gaps(
        Gap(line.generator, tuple(inventory[line.generator].missing(IndexRange(0, line.samples))))
        for line in plan.generators.values()
        if among is None or line.generator in among
    )
