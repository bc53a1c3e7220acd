"""Who is making a dataset: one run at a time, for as long as it says so again and again.

Two machines' clocks are never compared. Whoever waits watches the lease by its own clock: one that stayed
the same for its whole time to live has nobody any more who renews it.
"""

from datetime import datetime
from typing import NamedTuple, Self

from pydantic import ConfigDict

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.schema import Versioned

TTL_SECONDS = 120.0


class DatasetLockLost(DataFactoryError):  # noqa: N818 - it names what happened
    """Another run makes the dataset now; this one must not send any more."""


class LockHolder(NamedTuple):
    """One process of one machine. `started` (its epoch seconds) tells it from a later one of the same number.

    `machine` is a host name with what tells one container on it from another.
    """

    machine: str
    pid: int
    started: float


class LockClaim(Versioned):
    """A run's claim on a dataset.

    Args:
        token: of this claim alone.
        run: the flow run; a retry of it goes on under the same.
        holder: the process that renews the claim.
        ttl_seconds: how long it holds without being renewed.
        taken_at: for people; no rule compares it.
        renewals: how often it was renewed: every renewal is another content.
        released: whether its holder has ended it.
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


def is_free(lease: LockClaim, run: str, unchanged_seconds: float, *, is_holder_gone: bool) -> bool:
    """Whether flow run `run` may take the lease over.

    Args:
        lease: the lease as it is now.
        run: who wants it.
        unchanged_seconds: how long the one who wants it has seen it unchanged.
        is_holder_gone: whether its process is known to have ended.
    """
    expired = unchanged_seconds >= lease.ttl_seconds
    return lease.released or is_holder_gone or lease.run == run or expired


class UnchangedTimer:
    """For how long a lease was seen unchanged, by one observer's clock."""

    def __init__(self) -> None:
        self._version: str | None = None
        self._since = 0.0

    def unchanged(self, version: str, now: float) -> float:
        """Seconds since this version was first seen."""
        if version != self._version:
            self._version, self._since = version, now
        return now - self._since
