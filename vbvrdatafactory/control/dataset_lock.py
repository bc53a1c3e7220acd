"""The rules of the dataset lock: one run at a time sends messages of a dataset, and renews its claim meanwhile.

The clocks of two machines are never compared. A run that waits observes the claim by its own clock: one that stays
unchanged for its whole time to live is not renewed any more, and has expired.
"""

from datetime import datetime
from typing import NamedTuple, Self

from pydantic import ConfigDict

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.schema import Versioned

TTL_SECONDS = 120.0


class DatasetLockLost(DataFactoryError):  # noqa: N818 - it names what happened
    """Another run has taken the lock over; this run must not send anything more."""


class LockHolder(NamedTuple):
    """The process that holds the lock.

    Args:
        machine: host name, and what distinguishes one container on it from another.
        pid: its process id.
        started: when it started, in seconds since 1970; distinguishes it from a later process with the same id.
    """

    machine: str
    pid: int
    started: float


class LockClaim(Versioned):
    """A run's claim on a dataset.

    Args:
        token: unique to this claim.
        run: the flow run; a retry of it keeps its claim.
        holder: the process that renews the claim.
        ttl_seconds: how long the claim is valid without a renewal.
        taken_at: shown to people; no rule compares it.
        renewals: how often it was renewed, so that each renewal changes the lock file.
        released: whether its holder has released it.
    """

    model_config = ConfigDict(frozen=True)

    token: str
    run: str
    holder: LockHolder
    ttl_seconds: float = TTL_SECONDS
    taken_at: datetime
    renewals: int = 0
    released: bool = False

    def renewed(self) -> Self:
        return self.model_copy(update={"renewals": self.renewals + 1})

    def ended(self) -> Self:
        return self.model_copy(update={"released": True})

    def __str__(self) -> str:
        since = self.taken_at.strftime("%Y-%m-%d %H:%M:%S %Z")
        return f"run {self.run} (process {self.holder.pid} on {self.holder.machine}, since {since})"


def is_free(claim: LockClaim, run: str, unchanged_seconds: float, *, is_holder_gone: bool) -> bool:
    """Whether flow run `run` may take the lock over.

    Args:
        claim: the claim as it is now.
        run: the flow run that wants the lock.
        unchanged_seconds: for how long that run has observed the claim unchanged.
        is_holder_gone: whether the holder's process is known to have ended.
    """
    expired = unchanged_seconds >= claim.ttl_seconds
    return claim.released or is_holder_gone or claim.run == run or expired


class UnchangedTimer:
    """For how long a claim was observed unchanged, by the observer's own clock."""

    def __init__(self) -> None:
        self._version: str | None = None
        self._since = 0.0

    def unchanged(self, version: str, now: float) -> float:
        """Seconds since this version (an ETag) was first observed."""
        if version != self._version:
            self._version, self._since = version, now
        return now - self._since
