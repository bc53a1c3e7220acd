"""Builds a report from a plan, what was seen of it, and the records."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.contents import MISMATCHED, Contents, State
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import GeneratorPlan, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import FailureTally, Tally


def make_report(plan: Plan, seen: Observation, *, at: datetime, bucket: str = "") -> Report:
    """The completeness of the plan's dataset as it was seen.

    Args:
        plan: the dataset's plan.
        seen: the samples in the bucket, and what they are.
        at: when the bucket was listed.
        bucket: the bucket's name.
    """
    inventory = seen.inventory
    return Report(
        dataset=plan.spec.dataset,
        at=at,
        bucket=bucket,
        prefix=plan.spec.prefix,
        generators=[_tally(plan, seen, line) for line in plan.generators.values()],
        strangers=sum(name not in plan.generators for name in inventory),
        unrecognised=inventory.unrecognised,
        unrecognised_example=inventory.unrecognised_example,
        odd_records=len(seen.evidence.unrecognised),
        odd_records_example=min(seen.evidence.unrecognised, default=""),
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


def _tally(plan: Plan, seen: Observation, line: GeneratorPlan) -> Tally:
    generator, samples = line.generator, line.samples
    found, planned = seen.inventory[generator], IndexRange(0, samples)
    contents = seen.contents.get(generator, Contents())
    return Tally(
        generator=generator,
        expected=samples,
        whole=found.whole(planned),
        torn=found.torn(planned),
        stray=found.strays(samples),
        right=contents.count(State.RIGHT),
        unproven=contents.count(State.UNPROVEN),
        adopted=contents.count(State.ADOPTED),
        stale=contents.count(State.STALE_SEED, State.STALE_CODE),
        foreign=contents.count(State.FOREIGN, State.UNFINISHED),
        other_seed=contents.count(State.STALE_SEED),
        kept=contents.count(*MISMATCHED) if plan.spec.on_mismatch == "keep" else 0,
        copies=contents.count(State.COPY, State.LAST_COPY),
        gaps=tuple(found.missing(planned)),
        distinct=seen.distinct.get(generator, Distinct()),
        codes=tuple(seen.codes.get(generator, ())),
        videos=tuple(seen.videos.get(generator, ())),
    )
