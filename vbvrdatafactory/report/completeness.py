"""How complete a dataset is: a tally for each generator and in total, as JSON and Markdown.

Counts, never ids: the ranges that are missing are in the JSON alone.
"""

from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256
from typing import Self

from pydantic import ConfigDict, Field, computed_field

from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.core.ranges import describe
from vbvrdatafactory.core.schema import Versioned
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.report.tallies import COLUMNS, FailureTally, Tally

# Further generators are only counted.
_REPEATING_SHOWN = 20
_OTHERS_SHOWN = 20


class Report(Versioned):
    """The completeness of one dataset at one time."""

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
        """Generators whose samples repeat, a line each, and how many receipts were read to find out."""
        repeating = [tally for tally in self.generators if tally.distinct.repeats]
        lines = [
            f"{tally.generator} repeats itself: {tally.distinct} samples checked are distinct."
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
        """The folder name of the run that is reported: its end, and a digest, since two runs may end in the same second."""
        digest = sha256(self.model_dump_json().encode()).hexdigest()[:6]
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}"

    @property
    def headline(self) -> str:
        """Whether the dataset is complete, in one sentence."""
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
        """Samples of another or an unknown seed, a line each."""
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
        """The headline, and where the dataset is incomplete the notes on the run."""
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
        """What the run did, in one line; empty where the report is of no run."""
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
        """Objects in the bucket that do not belong to the dataset, a line each."""
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
        """Headline, notes, tallies and failures in Markdown."""
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


def _row(cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"  # type: ignore[attr-defined]
