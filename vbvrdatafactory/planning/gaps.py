"""Plan minus inventory: what is planned and not whole in the bucket, exact to the sample."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.origins import Origin
from vbvrdatafactory.planning.plan import Plan


class Gap(NamedTuple):
    """The missing samples of one generator.

    Args:
        generator: its name.
        ranges: index ranges, ascending and disjoint.
    """

    generator: str
    ranges: tuple[IndexRange, ...]

    @property
    def samples(self) -> int:
        return sum(r.size for r in self.ranges)

    def without(self, others: Iterable[IndexRange]) -> "Gap":
        """The gap outside of `others`.

        >>> Gap("g", (IndexRange(0, 9),)).without([IndexRange(2, 4)]).ranges
        (IndexRange(start=0, stop=2), IndexRange(start=4, stop=9))
        """
        ranges = self.ranges
        for other in others:
            ranges = tuple(part for mine in ranges for part in _around(mine, other))
        return Gap(self.generator, ranges)


def _around(mine: IndexRange, other: IndexRange) -> Iterator[IndexRange]:
    """`mine` without `other`: the parts before and after it."""
    for part in (
        IndexRange(mine.start, min(mine.stop, other.start)),
        IndexRange(max(mine.start, other.stop), mine.stop),
    ):
        if part.start < part.stop:
            yield part


class Gaps:
    """The gaps of a plan's generators; complete generators are not in it."""

    def __init__(self, gaps: Iterator[Gap]) -> None:
        self._gaps = {gap.generator: gap for gap in gaps if gap.ranges}

    def __iter__(self) -> Iterator[Gap]:
        return iter(self._gaps.values())

    def __len__(self) -> int:
        return len(self._gaps)

    def of(self, generator: str) -> Gap:
        """The generator's gap; one without ranges where it is complete."""
        return self._gaps.get(generator, Gap(generator, ()))

    @property
    def sample_count(self) -> int:
        return sum(gap.samples for gap in self._gaps.values())


class Observation(NamedTuple):
    """What one listing of the bucket shows of a plan.

    Args:
        inventory: the samples that exist.
        gaps: the planned samples that are missing or torn.
        origins: the seeds of the existing samples, by generator; None where receipts were not listed.
    """

    inventory: Inventory
    gaps: Gaps
    origins: Mapping[str, Origin] | None = None

    @property
    def other_seed(self) -> int:
        """How many existing samples were made for another seed; 0 where receipts were not listed."""
        return sum(origin.other_seed for origin in (self.origins or {}).values())


def find_gaps(plan: Plan, inventory: Inventory, among: Collection[str] | None = None) -> Gaps:
    """The planned samples that are not whole in the inventory, of all generators or of those in `among`."""
    return Gaps(
        Gap(line.generator, tuple(inventory[line.generator].missing(IndexRange(0, line.samples))))
        for line in plan.generators.values()
        if among is None or line.generator in among
    )
