"""Counts of samples, failed attempts and dead letters, as a report files them."""

from pydantic import BaseModel, ConfigDict, Field, computed_field

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.codes import Code
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.videos import Videos

COLUMNS = ("generator", "expected", "whole", "right", "torn", "missing", "stray", "percent", "distinct")


class Frozen(BaseModel):
    """A part of a report: a value."""

    model_config = ConfigDict(frozen=True)


class Tally(Frozen):
    """Counts of samples: expected = whole + torn + missing; stray samples are beyond the plan.

    Whole samples are right, unproven, adopted, stale or foreign: `vbvrdatafactory.planning.contents.State` has what
    these mean. A report of before has none of these counts.
    """

    generator: str
    expected: int
    whole: int
    torn: int
    stray: int = 0
    right: int = Field(default=0, description="Exactly as recorded, and made as the dataset asks")
    unproven: int = Field(default=0, description="Recorded by an older version, which kept no ETags")
    adopted: int = Field(default=0, description="Recorded by nobody, taken over by 'datafactory adopt'")
    stale: int = Field(default=0, description="As recorded, but made with another seed, code or environment")
    foreign: int = Field(default=0, description="Recorded by nobody, or changed since")
    other_seed: int = Field(default=0, description="Of the stale ones: made for another seed")
    kept: int = Field(
        default=0, description="Of the stale and foreign ones: those that the dataset's policy keeps"
    )
    copies: int = Field(
        default=0,
        description="With the content of an earlier sample, where the dataset requires distinct ones",
    )
    gaps: tuple[IndexRange, ...] = Field(default=(), description="Missing and torn, [start, stop)")
    videos: tuple[Videos, ...] = Field(
        default=(), description="Rates and sizes of its videos, the commonest first"
    )
    codes: tuple[Code, ...] = Field(
        default=(), description="Codes that made its samples, the commonest first"
    )
    distinct: Distinct = Field(default=Distinct(), description="Distinct samples, by the digests in receipts")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def missing(self) -> int:
        return self.expected - self.whole - self.torn

    @computed_field  # type: ignore[prop-decorator]
    @property
    def percent(self) -> float:
        """The share of whole samples, 0 to 100; 100.0 only when all are whole."""
        share = 100 * self.whole / self.expected
        return 100.0 if self.whole == self.expected else min(round(share, 2), 99.99)

    @property
    def is_complete(self) -> bool:
        """Whether all samples are whole, and each is what was asked for, or is to be kept."""
        return self.whole == self.expected and self.stale + self.foreign == self.kept and not self.copies

    @property
    def cells(self) -> tuple[str, ...]:
        counts = (self.expected, self.whole, self.right, self.torn, self.missing, self.stray)
        return (
            self.generator,
            *(f"{count:,}" for count in counts),
            f"{self.percent:.2f} %",
            str(self.distinct),
        )


class FailureTally(Frozen):
    """How many attempts of one generator failed with one cause and have not succeeded since."""

    generator: str
    cause: Cause
    count: int
    detail: str = Field(default="", description="The error of the latest attempt")


class DeadLetterTally(Frozen):
    """How many dead letters of one generator and cause a run filed in the bucket."""

    generator: str
    cause: Cause
    count: int
    detail: str = Field(default="", description="What is known of the latest, where its worker was lost")
