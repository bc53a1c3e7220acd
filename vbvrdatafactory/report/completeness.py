"""How complete a dataset is: a tally for each generator and in total, as JSON and Markdown.

Counts, never ids: the ranges that are missing are in the JSON alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import reduce
from hashlib import sha256
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, computed_field

from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.core.ranges import IndexRange, describe
from vbvrdatafactory.core.schema import Versioned
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.origins import Origin
from vbvrdatafactory.planning.plan import GeneratorPlan, Plan

# More generators that were given up are counted: the line of a run's state is for one look.
_BROKEN_SHOWN = 10
_REPEATING_SHOWN = 20
_OTHERS_SHOWN = 20

COLUMNS = ("generator", "expected", "whole", "torn", "missing", "stray", "percent", "distinct")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Tally(_Frozen):
    """Samples counted: expected = whole + torn + missing; strays are beyond the plan."""

    generator: str
    expected: int
    whole: int
    torn: int
    stray: int = 0
    other_seed: int = Field(default=0, description="Whole, but made for another seed than the dataset's")
    without_receipt: int = Field(default=0, description="Whole, and no receipt says what made them")
    gaps: tuple[IndexRange, ...] = Field(default=(), description="Missing and torn, [start, stop)")
    distinct: Distinct = Field(default=Distinct(), description="Different samples, as far as receipts tell")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def missing(self) -> int:
        return self.expected - self.whole - self.torn

    @computed_field  # type: ignore[prop-decorator]
    @property
    def percent(self) -> float:
        """Whole of expected; 100.0 only when nothing is lacking."""
        share = 100 * self.whole / self.expected
        return 100.0 if self.whole == self.expected else min(round(share, 2), 99.99)

    @property
    def is_complete(self) -> bool:
        """Whether everything is whole, and made for the dataset's seed as far as receipts tell."""
        return self.whole == self.expected and not self.other_seed

    @property
    def cells(self) -> tuple[str, ...]:
        counts = (self.expected, self.whole, self.torn, self.missing, self.stray)
        return (
            self.generator,
            *(f"{count:,}" for count in counts),
            f"{self.percent:.2f} %",
            str(self.distinct),
        )


class FailureTally(_Frozen):
    """Attempts of one generator that failed of one cause and were not made good since."""

    generator: str
    cause: Cause
    count: int
    detail: str = Field(default="", description="What the latest of them said")


class Broken(_Frozen):
    """A generator that was given up in a run: every batch that was tried failed."""

    generator: str
    cause: Cause | None = Field(default=None, description="None where there are several, or none on record")
    detail: str = Field(default="", description="What the latest failure said")

    def __str__(self) -> str:
        why = f"{self.cause or 'no single cause'}{f'; {self.detail}' if self.detail else ''}"
        return f"{self.generator} was given up: {why}"


class DeadLetterTally(_Frozen):
    """Messages of one generator that were given up of one cause in a run; they are filed in the bucket."""

    generator: str
    cause: Cause
    count: int


class Reason(StrEnum):
    """Why a run ended before its work was done or its rounds were used up."""

    BUDGET = "budget"
    STALLED = "stalled"
    OTHER_SEED = "other-seed"
    LEASE = "lease"


class EndedEarly(_Frozen):
    """Why a run ended early, for a person: what happened, and the next move."""

    reason: Reason
    detail: str
    next_move: str

    def __str__(self) -> str:
        return f"It ended early ({self.reason}): {self.detail}; {self.next_move}"


class RunFigures(_Frozen):
    """What one run of the loop did. Samples are those that became whole while it ran."""

    messages: int = 0
    rounds: int = 0
    samples: int = 0
    seconds: float = 0.0
    queued: int = Field(default=0, description="Messages that are in the queue still, waiting or in flight")
    broken: tuple[Broken, ...] = ()
    problems: tuple[str, ...] = Field(default=(), description="Why nothing was sent for a generator")
    dead_letters: tuple[DeadLetterTally, ...] = ()
    early: EndedEarly | None = None

    @property
    def remarks(self) -> list[str]:
        """What a person should know besides the counts, a line each."""
        lines = [f"{self.early}."] if self.early else []
        if self.queued:
            lines.append(f"{self.queued:,} messages are in the queue still; the next run waits for them.")
        if self.dead_letters:
            lines.append(f"Messages that were given up, and are filed in the bucket: {self._given_up}.")
        lines += [f"{str(broken).rstrip('.')}." for broken in self.broken[:_BROKEN_SHOWN]]
        if (more := len(self.broken) - _BROKEN_SHOWN) > 0:
            lines.append(f"{more:,} more generators were given up.")
        lines += [f"{problem.rstrip('.')}." for problem in self.problems[:_BROKEN_SHOWN]]
        if (more := len(self.problems) - _BROKEN_SHOWN) > 0:
            lines.append(f"For {more:,} more generators nothing was sent, as records could not be read.")
        return lines

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def _given_up(self) -> str:
        """Dead letters by cause, the most frequent first."""
        causes: Counter[Cause] = Counter()
        for tally in self.dead_letters:
            causes[tally.cause] += tally.count
        return ", ".join(f"{count:,} {cause}" for cause, count in causes.most_common())


class Report(Versioned):
    """The completeness of one dataset at one moment."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    at: datetime
    bucket: str = ""
    generators: list[Tally]
    strangers: int = Field(default=0, description="Generators in the bucket that the plan does not name")
    unrecognised: int = Field(default=0, description="Folders and files that are no sample and no archive")
    unrecognised_example: str = Field(default="", description="One of them")
    failures: list[FailureTally] = Field(default_factory=list)
    run: RunFigures | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Tally:
        return Tally(
            generator="total",
            expected=sum(t.expected for t in self.generators),
            whole=sum(t.whole for t in self.generators),
            torn=sum(t.torn for t in self.generators),
            stray=sum(t.stray for t in self.generators),
            distinct=reduce(Distinct.and_of, (t.distinct for t in self.generators), Distinct()),
            other_seed=sum(t.other_seed for t in self.generators),
            without_receipt=sum(t.without_receipt for t in self.generators),
        )

    @property
    def repeats(self) -> list[str]:
        """Generators whose samples repeat, a line each, and how much was looked at to know; complete or not."""
        repeating = [tally for tally in self.generators if tally.distinct.repeats]
        lines = [
            f"{tally.generator} repeats itself: {tally.distinct} samples looked at are distinct."
            for tally in repeating[:_REPEATING_SHOWN]
        ]
        if (more := len(repeating) - _REPEATING_SHOWN) > 0:
            lines.append(f"{more:,} more generators repeat themselves.")
        seen = self.total.distinct
        if seen.looked_at < seen.receipts:
            lines.append(f"Distinct samples are counted in {seen.looked_at:,} of {seen.receipts:,} receipts.")
        return lines

    @property
    def complete(self) -> bool:
        return self.total.is_complete

    @property
    def run_name(self) -> str:
        """What the run that it reports on is filed under: its end, and a digest that tells two of one second apart."""
        digest = sha256(self.model_dump_json().encode()).hexdigest()[:6]
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}"

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        total = self.total
        if self.complete:
            return f"{self.dataset} is complete: {total.whole:,} of {total.expected:,} samples are whole."
        lacking = total.missing + total.torn
        found = [f"{lacking:,} of {total.expected:,} samples are missing or torn"] if lacking else []
        if total.other_seed:
            found.append(f"{total.other_seed:,} of {total.expected:,} samples were made for another seed")
        return f"{self.dataset} is incomplete: {', '.join(found)}."

    @property
    def origin_notes(self) -> list[str]:
        """What receipts tell of which seed made what, a line each; complete or not."""
        others = [tally for tally in self.generators if tally.other_seed]
        lines = [
            f"{tally.generator}: {tally.other_seed:,} samples were made for another seed than the dataset's."
            for tally in others[:_OTHERS_SHOWN]
        ]
        if (more := len(others) - _OTHERS_SHOWN) > 0:
            lines.append(f"{more:,} more generators have samples that were made for another seed.")
        if unknown := self.total.without_receipt:
            lines.append(f"{unknown:,} whole samples have no receipt: which seed made them is not known.")
        return lines

    @property
    def verdict(self) -> str:
        """The answer, and what a person should know of the run besides."""
        remarks = self.run.remarks if self.run and not self.complete else []
        return " ".join([self.headline, *remarks])

    @property
    def result_line(self) -> str:
        """The last line of a run, for scripts."""
        total, sent = self.total, self.run.messages if self.run else 0
        return (
            f"RESULT expected={total.expected} whole={total.whole} torn={total.torn} "
            f"missing={total.missing} messages={sent} other_seed={total.other_seed}"
        )

    @property
    def run_line(self) -> str:
        """What the run did, for a person; empty where there was none."""
        if self.run is None:
            return ""
        if not self.run.messages:
            why = "Nothing was missing: no" if self.complete else "No"
            return f"{why} message was sent ({self.run.seconds:.1f} s)."
        return (
            f"{format_count(self.run.samples, 'sample')} in {self.run.seconds:.1f} s ({self.run.rate:.1f} samples/s), "
            f"{format_count(self.run.messages, 'message')} in {format_count(self.run.rounds, 'round')}."
        )

    @property
    def foreign(self) -> list[str]:
        """What lies in the bucket beside the dataset, a line each."""
        lines = []
        if self.unrecognised:
            such = f", such as {self.unrecognised_example!r}" if self.unrecognised_example else ""
            lines.append(
                f"{self.unrecognised:,} entries under questions/ are no sample and no archive{such}."
            )
        if self.strangers:
            lines.append(f"{self.strangers:,} generators in the bucket are not in the plan.")
        return lines

    def with_run(self, figures: RunFigures, failures: list[FailureTally]) -> Self:
        """The same report with what the run did and what failed in it."""
        return self.model_copy(update={"run": figures, "failures": failures})

    def to_markdown(self) -> str:
        """The answer, the tally and what failed, in Markdown."""
        lines = [f"**{for_markdown(self.headline)}**", "", *self._notes()]
        lines += [_row(COLUMNS), _row("---" for _ in COLUMNS)]
        lines += [_row(map(for_markdown, tally.cells)) for tally in [*self.generators, self.total]]
        if self.failures:
            lines += ["", "| generator | cause | failed attempts | the latest said |", "|---|---|---|---|"]
            lines += [
                _row((for_markdown(f.generator), f.cause, f"{f.count:,}", code_for_markdown(f.detail)))
                for f in self.failures
            ]
        gaps = [tally for tally in self.generators if tally.gaps]
        if gaps:
            lines += ["", "Missing or torn:", ""]
            lines += [f"- {for_markdown(tally.generator)}: {describe(tally.gaps)}" for tally in gaps]
        return "\n".join(lines) + "\n"

    def _notes(self) -> list[str]:
        notes = (
            [self.run_line, "", *(f"- {for_markdown(remark)}" for remark in self.run.remarks)]
            if self.run
            else []
        )
        notes += [f"- {for_markdown(line)}" for line in (*self.origin_notes, *self.repeats)]
        notes += map(for_markdown, self.foreign)
        return [*notes, ""] if notes else []


def make_report(  # noqa: PLR0913 - a report tells much
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
        inventory: what the bucket holds.
        at: when it was looked at.
        bucket: the bucket's name.
        distinct: different samples of each generator, as far as receipts tell.
        origins: what made each generator's samples, as far as receipts tell.
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
    """Failed attempts in what is still missing; those of one generator in order of time."""
    for gap in gaps:
        for failed in evidence.failures(gap.generator):
            if any(failed.key.indices.clip(r) for r in gap.ranges):
                yield failed


def tally_failures(evidence: Evidence, gaps: Iterable[Gap]) -> list[FailureTally]:
    """Failed attempts in what is still missing, by generator and cause, the most frequent first."""
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


def _row(cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"  # type: ignore[attr-defined]
