"""How complete a dataset is: a tally for each generator and in total, as JSON and Markdown.

Counts, never ids: the ranges that are missing are in the JSON alone.
"""

from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256
from typing import Self

from pydantic import ConfigDict, Field, computed_field

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.core.ranges import describe
from vbvrdatafactory.core.records import BandRecord
from vbvrdatafactory.core.schema import Versioned
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.report.codes import code_notes
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.report.tallies import COLUMNS, FailureTally, Tally
from vbvrdatafactory.report.videos import band_notes, video_notes

# Further generators are only counted.
_REPEATING_SHOWN = 20
_OTHERS_SHOWN = 20
_STATES = ("right", "unproven", "adopted", "stale", "foreign", "other_seed", "kept", "copies")


class Report(Versioned):
    """The completeness of one dataset at one time."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    at: datetime
    bucket: str = ""
    prefix: str = Field(default="", description="Folders of the bucket that its samples lie below")
    generators: list[Tally]
    strangers: int = Field(default=0, description="Generators in the bucket that the plan does not name")
    unrecognised: int = Field(default=0, description="Folders and files that are no sample and no archive")
    unrecognised_example: str = Field(default="", description="One of them")
    odd_records: int = Field(
        default=0, description="Objects among receipts and failure records that are neither"
    )
    odd_records_example: str = Field(default="", description="One of them")
    failures: list[FailureTally] = Field(default_factory=list)
    bands: list[BandRecord] = Field(
        default_factory=list, description="Of generators that are not held to an end of their videos"
    )
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
            **{name: sum(getattr(t, name) for t in self.generators) for name in _STATES},
        )

    @property
    def repeats(self) -> list[str]:
        """Generators whose samples repeat, a line each."""
        repeating = [tally for tally in self.generators if tally.distinct.repeats]
        lines = [_repeats(tally) for tally in repeating[:_REPEATING_SHOWN]]
        if (more := len(repeating) - _REPEATING_SHOWN) > 0:
            lines.append(f"{more:,} more generators repeat themselves.")
        return lines

    def place(self, folder: str | None = None) -> str:
        """Where its samples lie: as an S3 URI, or below the folder that the bucket is on this machine."""
        return "/".join(filter(None, (folder or f"s3://{self.bucket}", self.prefix, "questions"))) + "/"

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
            right = f", {total.right:,} are right" if total.right else ""
            return (
                f"{self.dataset} is complete: {total.whole:,} of {total.expected:,} samples are whole{right}."
            )
        counts = {
            "are missing or torn": total.missing + total.torn,
            "were made for another seed": total.other_seed,
            "were made by other code or in another environment": total.stale - total.other_seed,
            "are foreign": total.foreign,
            "are copies of others": total.copies,
        }
        found = [f"{count:,} of {total.expected:,} samples {what}" for what, count in counts.items() if count]
        return f"{self.dataset} is incomplete: {', '.join(found)}."

    @property
    def content_notes(self) -> list[str]:
        """What whole samples are that are not right, a line for each generator, then for each kind."""
        others = [tally for tally in self.generators if tally.stale or tally.foreign]
        lines = [_mismatch(tally) for tally in others[:_OTHERS_SHOWN]]
        if (more := len(others) - _OTHERS_SHOWN) > 0:
            lines.append(f"{more:,} more generators have samples that are not what the dataset asks for.")
        total = self.total
        if total.kept:
            lines.append(f"{total.kept:,} of these are kept, as the dataset's on_mismatch says.")
        if total.adopted:
            lines.append(f"{total.adopted:,} samples were adopted: nobody recorded how they were made.")
        if total.unproven:
            lines.append(
                f"{total.unproven:,} samples are unproven: receipts of an older version cover them, which do not say "
                f"what was stored. 'datafactory adopt {self.dataset}' reads and proves them."
            )
        return lines

    @property
    def notes_on_samples(self) -> list[str]:
        """Rates and sizes of the videos, which generators' do not begin or end with their pictures, and mixed code."""
        return [*video_notes(self.generators), *band_notes(self.bands), *code_notes(self.generators)]

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
            f"missing={total.missing} messages={sent} other_seed={total.other_seed} right={total.right}"
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
        if self.odd_records:
            lines.append(
                f"{self.odd_records:,} objects under {keys.OWN} are no records where only records belong, "
                f"such as {self.odd_records_example!r}."
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
        lines = (*self.content_notes, *self.repeats, *self.notes_on_samples)
        notes += [f"- {for_markdown(line)}" for line in lines]
        notes += map(for_markdown, self.foreign)
        return [*notes, ""] if notes else []


def _repeats(tally: Tally) -> str:
    """That a generator repeats itself, and whether it can make as many distinct samples as are asked for."""
    found = tally.distinct
    text = f"{tally.generator} repeats itself: {found} samples are distinct"
    if found.can_make is None:
        return f"{text}."
    bound = f"it can make {found.can_make:,} at least (Chao1's estimate)"
    return f"{text}, and {bound}{f', fewer than the {tally.expected:,} asked for' * (found.can_make < tally.expected)}."


def _mismatch(tally: Tally) -> str:
    """How many samples of a generator are not what the dataset asks for, and why."""
    counts = {
        "were made for another seed than the dataset's": tally.other_seed,
        "were made by other code or in another environment": tally.stale - tally.other_seed,
        "are foreign: nobody recorded them, or they were changed since": tally.foreign,
    }
    found = "; ".join(f"{count:,} samples {what}" for what, count in counts.items() if count)
    return f"{tally.generator}: {found}."


def _row(cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"  # type: ignore[attr-defined]
