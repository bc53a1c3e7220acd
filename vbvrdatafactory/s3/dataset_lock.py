"""The dataset lock in S3: conditional puts (``If-None-Match``, ``If-Match``), so that of two runs one gets it.

Its holder renews it from a thread. While S3 is not reachable it can't, and no other run can take the lock either;
afterwards the lock file's token says who holds it.
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

# Renewals within a time to live, so that two may fail.
_RENEWALS = 3

Clock = Callable[[], float]


class _Found(NamedTuple):
    """The lock file: the claim in it, and its ETag."""

    claim: LockClaim
    version: str


class DatasetLock:
    """One claim on one key.

    Args:
        store: the bucket.
        key: the lock file.
        claim: what is written to it.
        is_gone: whether the process that holds a claim is known to have ended.
        clock: a monotonic clock in seconds.

    `left_by` is the claim of the run that it was taken from, where that ended without releasing the lock.
    """

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        claim: LockClaim,
        *,
        is_gone: Callable[[LockClaim], bool] = lambda _: False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._key = key
        self._claim = claim
        self._is_gone = is_gone
        self._clock = clock
        self._unchanged = UnchangedTimer()
        self._version = ""
        self._renewed = 0.0
        self._lost: LockClaim | None = None
        self.left_by: LockClaim | None = None
        self._write_lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # Acquiring

    def take(self) -> LockClaim | None:
        """Try to take the lock; returns the claim that holds it, None where it is taken now."""
        found = self._read()
        if found is None:
            return self._put(self._claim, None)
        if found.claim.token == self._claim.token:
            self._adopt(found)
            return None
        unchanged = self._unchanged.unchanged(found.version, self._clock())
        if is_free(found.claim, self._claim.run, unchanged, is_holder_gone=self._is_gone(found.claim)):
            self.left_by = None if found.claim.released else found.claim
            return self._put(self._claim, found.version)
        return found.claim

    def taken_at(self) -> datetime:
        """When the lock file was last written, by S3's clock, in whole seconds."""
        at: datetime = obstore.head(self._store, self._key)["last_modified"]
        return at

    # Holding

    def keep(self) -> None:
        """Renew the lock in a thread, until `release`."""
        self._thread = threading.Thread(target=self._renew_until_ended, name="dataset-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that the lock is held; renew it where that is overdue.

        Raises:
            DatasetLockLost: another run has it.
            BaseError: it is overdue and S3 is not reachable.
        """
        if self._lost is None and self._clock() - self._renewed >= self._claim.ttl_seconds:
            self.renew()
        if self._lost is not None:
            raise DatasetLockLost(
                f"the lock {self._key} was taken over by {self._lost}; nothing more is sent"
            )

    def renew(self) -> None:
        """Write the lock file again; where that fails, another run holds the lock."""
        with self._write_lock:
            if self._lost is None and not self._ended.is_set():
                self._lost = self._put(self._claim.renewed(), self._version)

    def release(self) -> None:
        """Release the lock, so that the next run need not wait."""
        with self._write_lock:
            self._ended.set()
            if self._lost is None:
                self._put(self._claim.ended(), self._version)

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(self._claim.ttl_seconds / _RENEWALS) and self._lost is None:
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001 - S3 is not reachable: that loses no lock
                log.warning("the lock %s could not be renewed: %s", self._key, _first_line(error))

    # Bucket

    def _put(self, claim: LockClaim, version: str | None) -> LockClaim | None:
        """Write `claim` if the lock file has the ETag `version` (None: if it does not exist); else the claim that holds it."""
        began = self._clock()
        data = claim.model_dump_json(indent=1).encode()
        try:
            done = obstore.put(
                self._store, self._key, data, mode="create" if version is None else {"e_tag": version}
            )
        except (AlreadyExistsError, PreconditionError):
            return self._holder_instead_of(claim)
        self._claim, self._version, self._renewed = claim, done["e_tag"] or "", began
        return None

    def _holder_instead_of(self, wanted: LockClaim) -> LockClaim | None:
        """The claim that holds the lock: None where it is ours, as after a put whose response was lost."""
        found = self._read()
        if found is None:
            return self._put(wanted, None)
        if found.claim.token != wanted.token:
            return found.claim
        self._adopt(found)
        return None

    def _adopt(self, found: _Found) -> None:
        self._claim, self._version, self._renewed = found.claim, found.version, self._clock()

    def _read(self) -> _Found | None:
        return _read(self._store, self._key)


def read_claim(store: ObjectStore, key: str) -> LockClaim | None:
    """The claim in the lock file; None where there is no file.

    Raises:
        DataFactoryError: the file can't be read as a claim.
    """
    found = _read(store, key)
    return found and found.claim


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
        raise DataFactoryError(f"{error}; delete it if no run of the dataset is active") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
