"""What receipts and failure records tell, read from their names alone: how samples were made, why some were not.

Evidence chooses the seed and size of the next try. It never says what is there: only a listing does.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import IndexRange


class Made(NamedTuple):
    """A run of a generator that ended well, by its receipt."""

    key: keys.ReceiptKey
    at: datetime


class Failed(NamedTuple):
    """One failed attempt, by its failure record."""

    key: keys.FailureKey
    at: datetime


class Evidence:
    """Receipts and failures of some generators."""

    def __init__(self, listing: Iterable[tuple[str, datetime]] = ()) -> None:
        """Take in (key, last modified) pairs of ``_datafactory/receipts/`` and ``_datafactory/failures/``."""
        self._made: dict[str, dict[tuple[IndexRange, int], Made]] = defaultdict(dict)
        self._failed: dict[str, list[Failed]] = defaultdict(list)
        for key, at in listing:
            if receipt := keys.parse_receipt(key):
                self._made[receipt.generator][receipt.indices, receipt.salt] = Made(receipt, at)
            elif failure := keys.parse_failure(key):
                self._failed[failure.generator].append(Failed(failure, at))

    def runs(self, generator: str) -> list[Made]:
        """Runs that ended well, the latest first: it is the one whose samples are there now."""
        return sorted(self._made.get(generator, {}).values(), key=lambda made: made.at, reverse=True)

    def failures(self, generator: str) -> list[Failed]:
        """Failed attempts that no later receipt of the same run made good, in order of time."""
        made = self._made.get(generator, {})
        return sorted(
            (
                failed
                for failed in self._failed.get(generator, ())
                if (good := made.get((failed.key.indices, failed.key.salt))) is None or good.at < failed.at
            ),
            key=lambda failed: failed.at,
        )
