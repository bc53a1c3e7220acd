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


class Outcomes(NamedTuple):
    """How many runs ended well and how many did not, each run of a generator counted once."""

    made: int
    failed: int

    @property
    def finished(self) -> int:
        return self.made + self.failed


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

    def newest(self, generator: str) -> Made | Failed | None:
        """The latest record; of a receipt and a failure of one moment, the receipt."""
        records = (*self._made.get(generator, {}).values(), *self._failed.get(generator, ()))
        return max(records, key=lambda record: (record.at, isinstance(record, Made)), default=None)

    def since_last_made(self, generator: str) -> list[Failed]:
        """The last failure of each run that failed after the generator's latest receipt, in order of time."""
        made = max((made.at for made in self._made.get(generator, {}).values()), default=None)
        failed = [f for f in self.failures(generator) if made is None or f.at > made]
        return _last_of_each(failed)

    def last_failure(self, generator: str, indices: IndexRange, salt: int) -> Failed | None:
        """The latest failed attempt at one run, made good since or not."""
        attempts = (
            failed
            for failed in self._failed.get(generator, ())
            if (failed.key.indices, failed.key.salt) == (indices, salt)
        )
        return max(attempts, key=lambda failed: failed.at, default=None)

    def is_made(self, generator: str, indices: IndexRange, salt: int) -> bool:
        """Whether one run ended well, and did not fail again since."""
        made, failed = (
            self._made.get(generator, {}).get((indices, salt)),
            self.last_failure(generator, indices, salt),
        )
        return made is not None and (failed is None or made.at >= failed.at)

    def failed_since(self, since: datetime) -> list[Failed]:
        """The last failure of each run that failed at `since` (the bucket's clock) or later."""
        return [
            failed
            for generator in self._failed
            for failed in _last_of_each(f for f in self.failures(generator) if f.at >= since)
        ]

    def outcomes(self, since: datetime) -> Outcomes:
        """How many runs of all these generators ended at `since` (the bucket's clock) or later."""
        made = sum(made.at >= since for runs in self._made.values() for made in runs.values())
        return Outcomes(made, len(self.failed_since(since)))


def _last_of_each(failed: Iterable[Failed]) -> list[Failed]:
    """Of failures in order of time the last one of each run, in order of time."""
    latest = {(f.key.indices, f.key.salt): f for f in failed}
    return sorted(latest.values(), key=lambda f: f.at)
