"""How many distinct samples a generator made, by the content digests in its receipts.

Some generators can make only few distinct samples. Each sample is whole, so a listing does not show repeats; receipts
have a digest of every sample's content.
"""

from collections.abc import Iterable, Sequence
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.core.models import Receipt
from vbvrdatafactory.planning.evidence import SuccessRecord

# Three million samples have 120,000 receipts, too many to read for one report.
_RECEIPTS_EACH, _RECEIPTS_IN_ALL = 200, 6000

Item = TypeVar("Item")


class Distinct(BaseModel):
    """How many samples have a known content digest, and how many of those digests differ."""

    model_config = ConfigDict(frozen=True)

    distinct: int = 0
    known: int = Field(default=0, description="Planned samples with a content digest in a receipt")
    looked_at: int = Field(default=0, description="Receipts that were read")
    receipts: int = Field(default=0, description="Receipts that exist")

    def __str__(self) -> str:
        return f"{self.distinct:,} of {self.known:,}" if self.known else "-"

    @property
    def repeats(self) -> bool:
        """Whether any content occurs more than once."""
        return self.distinct < self.known

    def and_of(self, other: "Distinct") -> Self:
        """The sum of two generators' figures; samples of two generators always count as distinct."""
        return type(self)(
            distinct=self.distinct + other.distinct,
            known=self.known + other.known,
            looked_at=self.looked_at + other.looked_at,
            receipts=self.receipts + other.receipts,
        )


def to_look_at(runs: Sequence[SuccessRecord], samples: int, generators: int) -> list[SuccessRecord]:
    """The runs of one generator whose receipts to read, the latest first: all, or an even sample.

    Args:
        runs: its runs, the latest first.
        samples: how many samples of it are planned.
        generators: how many generators the report covers.
    """
    planned = [run for run in runs if run.key.indices.start < samples]
    at_most = max(1, min(_RECEIPTS_EACH, _RECEIPTS_IN_ALL // generators))
    chosen = _spread(sorted(planned, key=lambda run: (run.key.indices, run.key.salt)), at_most)
    return sorted(chosen, key=lambda run: run.at, reverse=True)


def count_distinct(latest_first: Iterable[Receipt], samples: int, receipts: int) -> Distinct:
    """The distinct samples among one generator's first `samples`; of an index the latest receipt counts."""
    contents: dict[int, str] = {}
    looked_at = 0
    for receipt in latest_first:
        looked_at += 1
        for index, digest in receipt.digests.items():
            if index < samples:
                contents.setdefault(index, digest)
    distinct = len(set(contents.values()))
    return Distinct(distinct=distinct, known=len(contents), looked_at=looked_at, receipts=receipts)


def _spread(items: Sequence[Item], at_most: int) -> list[Item]:
    """All of `items`, or `at_most` of them, evenly spaced.

    >>> _spread(range(10), 4)
    [0, 2, 5, 7]
    """
    count = min(len(items), at_most)
    return [items[number * len(items) // count] for number in range(count)]
