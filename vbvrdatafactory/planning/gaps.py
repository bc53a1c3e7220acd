"""Plan minus inventory: what is planned and not in the bucket as the dataset asks for it, exact to the sample."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.batches import MeasuredBatch
from vbvrdatafactory.planning.codes import Code
from vbvrdatafactory.planning.contents import ACCEPTED, MISMATCHED, Contents, State
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.plan import DatasetSpec, GeneratorPlan, Plan
from vbvrdatafactory.planning.videos import Videos


class Gap(NamedTuple):
    """The missing samples of one generator.

    Args:
        generator: its name.
        ranges: index ranges, ascending and disjoint.
        copies: those of them that are there, with the content of other samples: they are made under another seed.
    """

    generator: str
    ranges: tuple[IndexRange, ...]
    copies: tuple[IndexRange, ...] = ()

    @property
    def samples(self) -> int:
        return sum(r.size for r in self.ranges)

    def without(self, others: Iterable[IndexRange]) -> "Gap":
        """The gap outside of `others`.

        >>> Gap("g", (IndexRange(0, 9),)).without([IndexRange(2, 4)]).ranges
        (IndexRange(start=0, stop=2), IndexRange(start=4, stop=9))
        """
        ranges, copies = self.ranges, self.copies
        for other in others:
            ranges = tuple(part for mine in ranges for part in _around(mine, other))
            copies = tuple(part for mine in copies for part in _around(mine, other))
        return Gap(self.generator, ranges, copies)


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


class Refilled(NamedTuple):
    """Samples that were made again since they were last seen.

    Args:
        restored: with the content that they had.
        anew: with another content, by the same run: its generator does not repeat itself.
    """

    restored: int = 0
    anew: int = 0

    def and_of(self, other: "Refilled") -> "Refilled":
        """The sum of two."""
        return Refilled(self.restored + other.restored, self.anew + other.anew)


class Observation(NamedTuple):
    """What one look at the bucket shows of a plan.

    Args:
        inventory: the samples that exist.
        gaps: the planned samples that have to be made.
        contents: what the samples of each generator are by their content.
        evidence: receipts and failure records of the plan's generators.
        distinct: how many samples of each generator differ.
        left: keys of objects whose samples are all there in another place, by generator.
        refilled: samples that were made again since the look before.
        videos: rates and sizes of the videos of each generator.
        codes: which code made how many of its samples.
        batches: the batches that made its samples, with what each used, in order of time.
    """

    inventory: Inventory
    gaps: Gaps
    contents: Mapping[str, Contents] = MappingProxyType({})
    evidence: Evidence = Evidence()
    distinct: Mapping[str, Distinct] = MappingProxyType({})
    left: Mapping[str, Sequence[str]] = MappingProxyType({})
    refilled: Refilled = Refilled()
    videos: Mapping[str, Sequence[Videos]] = MappingProxyType({})
    codes: Mapping[str, Sequence[Code]] = MappingProxyType({})
    batches: Mapping[str, Sequence[MeasuredBatch]] = MappingProxyType({})

    def count(self, *states: State) -> int:
        """How many samples have one of these states."""
        return sum(contents.count(*states) for contents in self.contents.values())


def accepted(spec: DatasetSpec) -> frozenset[State]:
    """The states of samples that are not made again."""
    there = ACCEPTED | {State.LAST_COPY}
    return there if spec.on_mismatch == "replace" else there | MISMATCHED


def find_gaps(
    plan: Plan,
    inventory: Inventory,
    among: Collection[str] | None = None,
    contents: Mapping[str, Contents] = MappingProxyType({}),
) -> Gaps:
    """The planned samples that have to be made, of all generators or of those in `among`.

    Args:
        plan: the dataset's plan.
        inventory: which samples are whole.
        among: look at these generators only.
        contents: what the whole samples are; one of a generator that is not in it counts by its name alone.
    """
    return Gaps(
        Gap(
            line.generator,
            _missing(plan, inventory, contents.get(line.generator), line),
            contents.get(line.generator, Contents()).ranges(State.COPY),
        )
        for line in plan.generators.values()
        if among is None or line.generator in among
    )


def _missing(
    plan: Plan, inventory: Inventory, contents: Contents | None, line: GeneratorPlan
) -> tuple[IndexRange, ...]:
    planned = IndexRange(0, line.samples)
    if contents is None:
        return tuple(inventory[line.generator].missing(planned))
    return contents.ranges(*set(State) - accepted(plan.spec), within=planned)
