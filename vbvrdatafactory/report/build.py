"""Builds a report from a plan, the inventory and the records."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.origins import Origin
from vbvrdatafactory.planning.plan import GeneratorPlan, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import FailureTally, Tally


def make_report(  # noqa: PLR0913 - what a report is made of
    plan: Plan,
    inventory: Inventory,
    *,
    at: datetime,
    bucket: str = "",
    distinct: Mapping[str, Distinct] = MappingProxyType({}),
    origins: Mapping[str, Origin] = MappingProxyType({}),
) -> Report:
    """The completeness of the plan's dataset as the inventory shows it.

    Args:
        plan: the dataset's plan.
        inventory: the samples in the bucket.
        at: when the bucket was listed.
        bucket: the bucket's name.
        distinct: distinct samples by generator, from receipts.
        origins: samples of another seed by generator, from receipts.
    """
    return Report(
        dataset=plan.spec.dataset,
        at=at,
        bucket=bucket,
        generators=[
            _tally(
                inventory,
                line,
                distinct.get(line.generator, Distinct()),
                origins.get(line.generator, Origin()),
            )
            for line in plan.generators.values()
        ],
        strangers=sum(name not in plan.generators for name in inventory),
        unrecognised=inventory.unrecognised,
        unrecognised_example=inventory.unrecognised_example,
    )


def failures_in(evidence: Evidence, gaps: Iterable[Gap]) -> Iterator[FailedAttempt]:
    """Failed attempts at samples that are still missing; those of one generator in order of time."""
    for gap in gaps:
        for failed in evidence.failures(gap.generator):
            if any(failed.key.indices.clip(r) for r in gap.ranges):
                yield failed


def tally_failures(evidence: Evidence, gaps: Iterable[Gap]) -> list[FailureTally]:
    """Failed attempts at samples that are still missing, by generator and cause, the most frequent first."""
    counts = Counter((failed.key.generator, failed.key.cause) for failed in failures_in(evidence, gaps))
    tallies = [FailureTally(generator=g, cause=c, count=n) for (g, c), n in counts.items()]
    return sorted(tallies, key=lambda t: (-t.count, t.generator))


def _tally(inventory: Inventory, line: GeneratorPlan, distinct: Distinct, origin: Origin) -> Tally:
    generator, samples = line.generator, line.samples
    found, planned = inventory[generator], IndexRange(0, samples)
    return Tally(
        generator=generator,
        expected=samples,
        whole=found.whole(planned),
        torn=found.torn(planned),
        stray=found.strays(samples),
        other_seed=origin.other_seed,
        without_receipt=origin.without_receipt,
        gaps=tuple(found.missing(planned)),
        distinct=distinct,
    )
