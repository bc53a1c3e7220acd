"""Counts of samples, failed attempts and dead letters, as a report files them."""

from pydantic import BaseModel, ConfigDict, Field, computed_field

from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.distinct import Distinct

COLUMNS = ("generator", "expected", "whole", "torn", "missing", "stray", "percent", "distinct")


class Frozen(BaseModel):
    """A part of a report: a value."""

    model_config = ConfigDict(frozen=True)


class Tally(Frozen):
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


class FailureTally(Frozen):
    """Attempts of one generator that failed of one cause and were not made good since."""

    generator: str
    cause: Cause
    count: int
    detail: str = Field(default="", description="What the latest of them said")


class DeadLetterTally(Frozen):
    """Messages of one generator that were given up of one cause in a run; they are filed in the bucket."""

    generator: str
    cause: Cause
    count: int
