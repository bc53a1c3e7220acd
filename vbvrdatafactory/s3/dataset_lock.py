"""The door to a dataset's lease: conditional puts, so that of two who want it one gets it.

A holder renews it from a thread of its own. While the bucket is away it can't, and nobody else can take it;
when it comes back, the content says whose it is.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import ObjectStore

from vbvrdatafactory.control.dataset_lock import DatasetLockLost, LockClaim, UnchangedTimer, is_free
from vbvrdatafactory.core.errors import DataFactoryError, NewerSchemaError, UnreadableRecordError
from vbvrdatafactory.s3 import reading, records

log = logging.getLogger(__name__)

# Within its time to live a lease is renewed so often: two renewals may fail.
_RENEWALS = 3

Clock = Callable[[], float]


class _Found(NamedTuple):
    """A lease as it lies in the bucket."""

    lease: LockClaim
    version: str


class DatasetLock:
    """One claim on one key.

    Args:
        store: the bucket.
        key: where the lease lies.
        mine: the claim.
        is_gone: whether the process that holds a lease is known to have ended.
        clock: seconds that only go forward.

    `left_by` is the claim of the run that it was taken from, where that died without ending it.
    """

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        mine: LockClaim,
        *,
        is_gone: Callable[[LockClaim], bool] = lambda _: False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._key = key
        self._mine = mine
        self._is_gone = is_gone
        self._clock = clock
        self._sighting = UnchangedTimer()
        self._version = ""
        self._renewed = 0.0
        self._lost: LockClaim | None = None
        self.left_by: LockClaim | None = None
        self._one_at_a_time = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # Taking

    def take(self) -> LockClaim | None:
        """Try to take the lease; returns the one that is in the way, or None when it is taken."""
        found = self._read()
        if found is None:
            return self._put(self._mine, None)
        if found.lease.token == self._mine.token:
            self._adopt(found)
            return None
        unchanged = self._sighting.unchanged(found.version, self._clock())
        if is_free(found.lease, self._mine.run, unchanged, is_holder_gone=self._is_gone(found.lease)):
            self.left_by = None if found.lease.released else found.lease
            return self._put(self._mine, found.version)
        return found.lease

    def taken_at(self) -> datetime:
        """The moment of the last put of the lease, by the bucket's clock, in whole seconds."""
        at: datetime = obstore.head(self._store, self._key)["last_modified"]
        return at

    # Holding

    def keep(self) -> None:
        """Renew the lease from now on, until `release`."""
        self._thread = threading.Thread(target=self._renew_until_ended, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure the lease is held: renew it where that is overdue.

        Raises:
            LeaseLost: another run has it.
            BaseError: it is overdue and the bucket is away.
        """
        if self._lost is None and self._clock() - self._renewed >= self._mine.ttl_seconds:
            self.renew()
        if self._lost is not None:
            raise DatasetLockLost(
                f"the lease {self._key} was taken over by {self._lost}; nothing more is sent"
            )

    def renew(self) -> None:
        """Put the lease anew, and find out whether it is still ours."""
        with self._one_at_a_time:
            if self._lost is None and not self._ended.is_set():
                self._lost = self._put(self._mine.renewed(), self._version)

    def release(self) -> None:
        """End the claim; the next run need not wait."""
        with self._one_at_a_time:
            self._ended.set()
            if self._lost is None:
                self._put(self._mine.ended(), self._version)

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(self._mine.ttl_seconds / _RENEWALS) and self._lost is None:
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001 - the bucket is away: that loses no lease
                log.warning("the lease %s could not be renewed: %s", self._key, _first_line(error))

    # Bucket

    def _put(self, lease: LockClaim, version: str | None) -> LockClaim | None:
        """Put `lease` where `version` still lies (None: where nothing does); what is in the way otherwise."""
        began = self._clock()
        data = lease.model_dump_json(indent=1).encode()
        try:
            done = obstore.put(
                self._store, self._key, data, mode="create" if version is None else {"e_tag": version}
            )
        except (AlreadyExistsError, PreconditionError):
            return self._whose_is_it(lease)
        self._mine, self._version, self._renewed = lease, done["e_tag"] or "", began
        return None

    def _whose_is_it(self, wanted: LockClaim) -> LockClaim | None:
        """Who was faster: perhaps we were, and just did not hear of it."""
        found = self._read()
        if found is None:
            return self._put(wanted, None)
        if found.lease.token != wanted.token:
            return found.lease
        self._adopt(found)
        return None

    def _adopt(self, found: _Found) -> None:
        self._mine, self._version, self._renewed = found.lease, found.version, self._clock()

    def _read(self) -> _Found | None:
        return _read(self._store, self._key)


def read_claim(store: ObjectStore, key: str) -> LockClaim | None:
    """The claim in the lock file; None where there is no file.

    Raises:
        DataFactoryError: the file can't be read as a claim.
    """
    found = _read(store, key)
    return found and found.lease


def _read(store: ObjectStore, key: str) -> _Found | None:
    try:
        got = reading.read(store, key)
    except FileNotFoundError:
        return None
    try:
        return _Found(records.parse(got.data, key, LockClaim), got.e_tag or "")
    except NewerSchemaError:
        raise
    except UnreadableRecordError as error:
        raise DataFactoryError(f"{error}; delete it if no run makes the dataset") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
