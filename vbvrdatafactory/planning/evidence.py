"""Receipts and failure records, read from their names alone: how samples were made, and why attempts failed.

Evidence decides the seed and size of the next attempt. Which samples exist is decided by a listing alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import IndexRange


class SuccessRecord(NamedTuple):
    """A successful run of a generator, by its receipt.

    Args:
        key: what the receipt's name says.
        at: when it was last modified, by S3's clock, to the second.
    """

    key: keys.ReceiptKey
    at: datetime


class FailedAttempt(NamedTuple):
    """One failed attempt, by its failure record."""

    key: keys.FailureKey
    at: datetime


class StartedAttempt(NamedTuple):
    """An attempt that began, by its record; how it ended another record says, if its worker lived."""

    key: keys.StartedKey
    at: datetime


Record = TypeVar("Record", SuccessRecord, FailedAttempt, StartedAttempt)


class Outcomes(NamedTuple):
    """How many runs succeeded and how many failed, each run of a generator counted once."""

    made: int
    failed: int

    @property
    def finished(self) -> int:
        return self.made + self.failed


class Evidence:
    """Receipts and failures of some generators.

    Attributes:
        unrecognised: keys that lie where they do, and are neither.
    """

    def __init__(self, listing: Iterable[tuple[str, datetime]] = ()) -> None:
        """Parse (key, last modified) pairs of ``_datafactory/receipts/`` and ``_datafactory/failures/``."""
        self._made: dict[str, list[SuccessRecord]] = defaultdict(list)
        self._failed: dict[str, list[FailedAttempt]] = defaultdict(list)
        self._started: dict[str, list[StartedAttempt]] = defaultdict(list)
        self.unrecognised: list[str] = []
        self._receipts: dict[str, list[keys.ReceiptKey]] = defaultdict(list)
        for key, at in listing:
            if receipt := keys.parse_receipt(key):
                self._receipts[receipt.generator].append(receipt)
                if not receipt.is_partial:
                    self._made[receipt.generator].append(SuccessRecord(receipt, at))
            elif failure := keys.parse_failure(key):
                self._failed[failure.generator].append(FailedAttempt(failure, at))
            elif started := keys.parse_started(key):
                self._started[started.generator].append(StartedAttempt(started, at))
            else:
                self.unrecognised.append(key)

    def receipts(self, generator: str) -> list[keys.ReceiptKey]:
        """All its receipts, partial ones too, in no order."""
        return self._receipts.get(generator, [])

    def tried(self, generator: str) -> list[IndexRange]:
        """Indices of runs that failed, whether they succeeded since or not."""
        return sorted({failed.key.indices for failed in self._failed.get(generator, ())})

    def runs(self, generator: str) -> list[SuccessRecord]:
        """Successful runs, the latest first: of two with the same indices, its samples are the ones in the bucket.

        A batch that succeeded under two seeds is in the list twice.
        """
        return sorted(self._made.get(generator, ()), key=lambda made: made.at, reverse=True)

    def failures(self, generator: str) -> list[FailedAttempt]:
        """Failed attempts whose run has not succeeded since, in order of time."""
        made = _last_of_each(self.runs(generator)[::-1])
        return sorted(
            (
                failed
                for failed in self._failed.get(generator, ())
                if (good := made.get((failed.key.indices, failed.key.salt))) is None or good.at < failed.at
            ),
            key=_when,
        )

    def attempts(self, generator: str, since: datetime) -> list[FailedAttempt]:
        """All attempts that failed at `since` (S3's clock) or later, in order of time: each was paid for."""
        return sorted((failed for failed in self._failed.get(generator, ()) if failed.at >= since), key=_when)

    def newest(self, generator: str) -> SuccessRecord | FailedAttempt | None:
        """The latest record; of a receipt and a failure of the same second, the receipt."""
        records = (*self._made.get(generator, ()), *self._failed.get(generator, ()))
        return max(records, key=lambda record: (record.at, isinstance(record, SuccessRecord)), default=None)

    def since_last_made(self, generator: str) -> list[FailedAttempt]:
        """The last failure of each run that failed after the generator's latest receipt, in order of time."""
        made = max((made.at for made in self._made.get(generator, ())), default=None)
        failed = [f for f in self.failures(generator) if made is None or f.at > made]
        return _in_order(_last_of_each(failed))

    def last_failure(self, generator: str, indices: IndexRange, salt: int) -> FailedAttempt | None:
        """The latest failed attempt of one run, whether it succeeded since or not."""
        attempts = (
            failed
            for failed in self._failed.get(generator, ())
            if (failed.key.indices, failed.key.salt) == (indices, salt)
        )
        return max(attempts, key=_when, default=None)

    def last_started(self, generator: str, indices: IndexRange, salt: int) -> StartedAttempt | None:
        """The latest attempt at one run that is known to have begun: a first attempt is not recorded."""
        attempts = (
            started
            for started in self._started.get(generator, ())
            if (started.key.indices, started.key.salt) == (indices, salt)
        )
        return max(attempts, key=_when, default=None)

    def last_lost(self, generator: str) -> StartedAttempt | None:
        """The latest attempt of a generator that began, and whose batch has no record of how it ended."""
        lost = (
            started
            for started in self._started.get(generator, ())
            if not self.is_made(generator, started.key.indices, started.key.salt)
            and self.last_failure(generator, started.key.indices, started.key.salt) is None
        )
        return max(lost, key=_when, default=None)

    def lost(self, generator: str, since: datetime) -> list[IndexRange]:
        """What attempts were to make that no record says the end of: of runs of which one began at `since` or later.

        A run is in the list once for each: an attempt from the second on says that there were others before it.
        """
        return [
            indices
            for (indices, salt), last in _last_of_each(
                sorted((one for one in self._started.get(generator, ()) if one.at >= since), key=_when)
            ).items()
            for _ in range(last.key.attempt - self._ended(generator, indices, salt, last))
        ]

    def _ended(self, generator: str, indices: IndexRange, salt: int, last: StartedAttempt) -> int:
        """How many attempts at a run, up to the last that is known to have begun, have a record of how they ended."""
        failed = {
            one.key.attempt
            for one in self._failed.get(generator, ())
            if _run(one) == (indices, salt) and one.key.attempt <= last.key.attempt
        }
        made = any(
            _run(one) == (indices, salt) and one.at >= last.at for one in self._made.get(generator, ())
        )
        return len(failed) + made

    def is_made(self, generator: str, indices: IndexRange, salt: int) -> bool:
        """Whether one run succeeded, and has not failed since."""
        receipts = [made for made in self._made.get(generator, ()) if _run(made) == (indices, salt)]
        made = max(receipts, key=lambda made: made.at, default=None)
        failed = self.last_failure(generator, indices, salt)
        return made is not None and (failed is None or made.at >= failed.at)

    def failed_since(self, since: datetime) -> list[FailedAttempt]:
        """The last failure of each run that failed at `since` (S3's clock) or later."""
        return [
            failed
            for generator in self._failed
            for failed in _in_order(_last_of_each(f for f in self.failures(generator) if f.at >= since))
        ]

    def outcomes(self, since: datetime) -> Outcomes:
        """How many runs of all these generators ended at `since` (S3's clock) or later."""
        made = sum(len({_run(m) for m in runs if m.at >= since}) for runs in self._made.values())
        return Outcomes(made, len(self.failed_since(since)))


def _when(failed: FailedAttempt | StartedAttempt) -> tuple[datetime, int]:
    """Sorts attempts: S3's times are whole seconds, and two attempts may end in the same one."""
    return failed.at, failed.key.attempt


def _run(record: SuccessRecord | FailedAttempt | StartedAttempt) -> tuple[IndexRange, int]:
    return record.key.indices, record.key.salt


def _last_of_each(records: Iterable[Record]) -> dict[tuple[IndexRange, int], Record]:
    """Of records in order of time the last one of each run."""
    return {_run(record): record for record in records}


def _in_order(latest: Mapping[tuple[IndexRange, int], FailedAttempt]) -> list[FailedAttempt]:
    return sorted(latest.values(), key=_when)
