"""How many distinct samples a generator made, and how many it can make at least.

Some generators can make only few distinct samples. Each sample is whole, so a listing does not show repeats; the
ledger has a digest of every sample's content.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

# How often a copy is made again where distinct samples are required.
TRIES = 8
# Below this chance that a further sample is a new one, no more are made.
_LIKELY_NEW = 0.05


class Distinct(BaseModel):
    """How many samples have a known content digest, and how many of those digests differ."""

    model_config = ConfigDict(frozen=True)

    distinct: int = 0
    known: int = Field(default=0, description="Planned samples whose content digest is known")
    can_make: int | None = Field(
        default=None, description="Distinct samples that can be made, at least (Chao1); None without repeats"
    )

    def __str__(self) -> str:
        return f"{self.distinct:,} of {self.known:,}" if self.known else "-"

    @property
    def repeats(self) -> bool:
        """Whether any content occurs more than once."""
        return self.distinct < self.known

    def and_of(self, other: "Distinct") -> Self:
        """The sum of two generators' figures; samples of two generators always count as distinct."""
        return type(self)(distinct=self.distinct + other.distinct, known=self.known + other.known)


def count_distinct(digests: Iterable[str]) -> Distinct:
    """The distinct samples among those with these content digests.

    >>> count_distinct(["a", "b", "b", "c", "c"]).can_make
    3
    """
    times = Counter(digests)
    known = times.total()
    return Distinct(distinct=len(times), known=known, can_make=chao1(times) if known > len(times) else None)


def is_exhausted(times: Counter[str]) -> bool:
    """Whether hardly any further sample would be a new one.

    The share of contents that were seen once estimates how likely a next sample is of a content that was not seen yet
    (Good 1953).

    Args:
        times: how often each content was seen.
    """
    known = times.total()
    return known > 0 and Counter(times.values())[1] < _LIKELY_NEW * known


def chao1(times: Counter[str]) -> int:
    """A lower bound, as an estimate, of how many kinds there are: Chao1, bias-corrected.

    Kinds that were seen once tell of kinds that were not seen: S + f1 (f1 - 1) / (2 (f2 + 1)), with f1 kinds seen
    once and f2 seen twice (Chao 1984; Chiu and others 2014).
    """
    seen = Counter(times.values())
    return len(times) + seen[1] * (seen[1] - 1) // (2 * (seen[2] + 1))
