"""The dataset lock of a run, and the send guard: whether the run may send now.

The lock is renewed by a thread of whoever holds it. The send guard is a value: it reads from the bucket whose the
lock is and whether the dataset is paused, so that it can be passed to any task.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from obstore.exceptions import BaseError

from vbvrdatafactory.control.dataset_lock import TTL_SECONDS, DatasetLockLost, LockClaim
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver.processes import has_ended, this_process
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.s3.dataset_lock import DatasetLock, read_claim
from vbvrdatafactory.s3.pause import read_pause

# While a run waits, it logs why at least once in so many seconds.
_LOG_EVERY_SECONDS = 60.0
_BUSY_POLL_SECONDS = 5.0


class SendGuard(NamedTuple):
    """Whether a run may send: it holds the dataset's lock, and the dataset is not paused.

    Args:
        dataset: its name.
        token: of the run's claim on the lock.
        since: when the lock was acquired, by the bucket's clock.
        poll_seconds: seconds between two checks of a pause while it lasts.
        took_over: whether the run before this one ended without releasing the lock, perhaps while it sent.
        waited: whether another run was waited for.
    """

    dataset: str
    token: str
    since: datetime
    poll_seconds: float = 15.0
    took_over: bool = False
    waited: bool = False

    def check(self, services: Services) -> None:
        """Check that the run still holds the lock.

        A lock file that somebody deleted is nobody else's: its holder writes it again.

        Raises:
            DatasetLockLost: another run holds it.
            BaseError: the bucket could not be read.
        """
        key = keys.dataset_lock(self.dataset)
        claim = read_claim(services.bucket, key)
        if claim and claim.token != self.token:
            raise DatasetLockLost(f"the dataset lock {key} was taken over by {claim}; nothing more is sent")

    def pause(self, services: Services) -> PauseState | None:
        """Who paused the dataset, and why; None where the run may go on.

        A pause file that can't be read was meant to stop something, and sending costs money: it counts as a pause.
        """
        try:
            state = read_pause(services.bucket, self.dataset)
        except DataFactoryError as error:
            return PauseState(paused=True, reason=str(error), at=datetime.now(UTC))
        return state if state and state.paused else None

    def wait_until_open(self, services: Services) -> None:
        """Return when the run may send.

        Raises:
            DatasetLockLost: another run holds the lock.
        """
        self.check(services)
        logged = -_LOG_EVERY_SECONDS
        while state := self.pause(services):
            now = services.clock.monotonic()
            if now - logged >= _LOG_EVERY_SECONDS:
                logged = now
                services.log.info("%s", for_terminal(self.describe(state)))
            services.clock.sleep(self.poll_seconds)
            self.check(services)

    def describe(self, state: PauseState) -> str:
        """The pause in one line, with what ends it."""
        return f"{state}; nothing new is sent, messages in flight go on; 'datafactory resume {self.dataset}' ends it"


@contextmanager
def lock_dataset(
    services: Services,
    dataset: str,
    policy: RunPolicy,
    claim: LockClaim | None = None,
    on_take_over: Callable[[LockClaim], None] = lambda _: None,
) -> Iterator[SendGuard]:
    """Hold the dataset's lock for as long as the block lasts.

    Args:
        services: the bucket, the log and the clock.
        dataset: its name.
        policy: whether to wait for a run that holds the lock, or to refuse.
        claim: the run's claim; default one of this process.
        on_take_over: called with the claim of a run that ended without releasing the lock.

    Raises:
        DataFactoryError: another run holds the lock, and the policy says to refuse.
    """
    claim = claim or new_claim()
    lock = DatasetLock(
        services.bucket,
        keys.dataset_lock(dataset),
        claim,
        is_gone=has_ended,
        clock=services.clock.monotonic,
    )
    waited = _acquire(services, lock, dataset, policy)
    lock.keep()
    try:
        if lock.left_by:
            on_take_over(lock.left_by)
        took_over = lock.left_by is not None
        poll_seconds = policy.poll.poll_seconds
        yield SendGuard(dataset, claim.token, lock.taken_at(), poll_seconds, took_over, waited)
    finally:
        try:
            lock.release()
        except BaseError as error:
            services.log.warning("the dataset lock expires by itself in %.0f s: %s", TTL_SECONDS, error)


def new_claim(run: str = "") -> LockClaim:
    """A claim of this process; `run` is the id of its flow run, where it has one: a retry of that run is no other run.

    Process numbers are no such ids: two machines have the same ones.
    """
    token = secrets.token_hex(8)
    return LockClaim(
        token=token,
        run=run or f"process-{os.getpid()}-{token[:6]}",
        holder=this_process(),
        taken_at=datetime.now(UTC),
    )


def _acquire(services: Services, lock: DatasetLock, dataset: str, policy: RunPolicy) -> bool:
    """Acquire the lock, after waiting for the run that holds it where the policy says so; returns whether it waited."""
    logged = -_LOG_EVERY_SECONDS
    waited = False
    while holder := lock.take():
        waited = True
        if policy.if_busy == "refuse":
            raise DataFactoryError(
                f"{dataset!r} is being made by {holder}; let it end, or wait for it with if_busy='wait' "
                f"(--if-busy wait). If it died, its lock expires {holder.ttl_seconds:.0f} s after that"
            )
        if services.clock.monotonic() - logged >= _LOG_EVERY_SECONDS:
            logged = services.clock.monotonic()
            services.log.info("waiting: %r is being made by %s", dataset, for_terminal(str(holder)))
        services.clock.sleep(min(_BUSY_POLL_SECONDS, policy.poll.poll_seconds))
    return waited
