"""Holding a dataset: the lease that one run has on it, and the pause that people may want of it."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psutil
from httpx import HTTPError
from obstore.exceptions import BaseError
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Crashed

from tasks.connection import bucket
from tasks.terms import Terms
from vbvrdatafactory.control.dataset_lock import TTL_SECONDS, LockClaim, LockHolder
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.s3.dataset_lock import DatasetLock
from vbvrdatafactory.s3.pause import read_pause

# A wait is never silent for longer.
_SILENT_SECONDS = 60.0
_BUSY_POLL_SECONDS = 5.0
# Clocks are set now and then, and with them the start of every process.
_SAME_START_SECONDS = 2.0
_LOST = "Its process is gone: it was interrupted or killed. The next run of the dataset went on from there."


class Gate:
    """Whether this run may send: the dataset is its own, and nobody paused it.

    Args:
        dataset: its name.
        door: the lease, which is held.
        since: when it was taken, by the bucket's clock.
        poll_seconds: how often a pause is looked at while it lasts.
    """

    def __init__(self, dataset: str, door: DatasetLock, since: datetime, poll_seconds: float) -> None:
        self.dataset = dataset
        self.since = since
        self._door = door
        self._poll_seconds = poll_seconds
        self._said = -_SILENT_SECONDS
        self._saying = threading.Lock()

    @property
    def was_left(self) -> bool:
        """Whether the run before this one died while it held the dataset, perhaps while it sent."""
        return self._door.left_by is not None

    def check(self) -> None:
        """Make sure that the dataset is still this run's.

        Raises:
            LeaseLost: another run took it over.
        """
        self._door.check()

    def pause(self) -> PauseState | None:
        """Who wants the run to pause, and why; None where it may go on."""
        control = self._wanted()
        if control is None or not control.paused:
            return None
        if self._is_time_to_say():
            get_run_logger().info(
                "%s; nothing new is sent, what is in flight goes on; 'datafactory resume %s' ends it",
                control,
                self.dataset,
            )
        return control

    def _wanted(self) -> PauseState | None:
        """What people want; a file that can't be read was meant to stop something, and sending costs money."""
        try:
            return read_pause(bucket(), self.dataset)
        except DataFactoryError as error:
            return PauseState(paused=True, reason=str(error), at=datetime.now(UTC))

    def wait_until_open(self) -> None:
        """Return when this run may send.

        Raises:
            LeaseLost: it may not any more.
        """
        self.check()
        while self.pause():
            time.sleep(self._poll_seconds)
            self.check()

    def _is_time_to_say(self) -> bool:
        with self._saying:
            now = time.monotonic()
            if now - self._said < _SILENT_SECONDS:
                return False
            self._said = now
            return True


@contextmanager
def hold(dataset: str, terms: Terms) -> Iterator[Gate]:
    """Make the dataset this run's own, for as long as the block lasts.

    Raises:
        DataFactoryError: another run has it, and the terms say to refuse.
    """
    door = DatasetLock(bucket(), keys.dataset_lock(dataset), claim(), is_gone=is_gone)
    take(door, dataset, terms)
    door.keep()
    if door.left_by:
        end_lost_run(door.left_by)
    try:
        yield Gate(dataset, door, door.taken_at(), terms.patience.poll_seconds)
    finally:
        try:
            door.release()
        except BaseError as error:
            get_run_logger().warning("the lease ends by itself, in %.0f s: %s", TTL_SECONDS, error)


def take(door: DatasetLock, dataset: str, terms: Terms) -> None:
    """Take the lease, after waiting for whoever has it where the terms say so."""
    said = -_SILENT_SECONDS
    while holder := door.take():
        if terms.if_busy == "refuse":
            raise DataFactoryError(
                f"{dataset!r} is being made by {holder}; let it end, or wait for it with if_busy='wait'. "
                f"If it died, its claim ends {holder.ttl_seconds:.0f} s after it"
            )
        if time.monotonic() - said >= _SILENT_SECONDS:
            said = time.monotonic()
            get_run_logger().info("waiting: %r is being made by %s", dataset, for_terminal(str(holder)))
        time.sleep(min(_BUSY_POLL_SECONDS, terms.patience.poll_seconds))


def end_lost_run(left: LockClaim) -> None:
    """Have the Prefect server say that the flow run which died with this claim has crashed.

    One that was ended by Ctrl-C or a kill told nobody, and would stay Running in the history for good.
    """
    try:
        number = UUID(left.run)
    except ValueError:
        return  # it ran without Prefect
    try:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(number)
            if str(run.id) != flow_run.id and run.state and not run.state.is_final():
                client.set_flow_run_state(run.id, Crashed(name="Lost", message=_LOST), force=True)
    except ObjectNotFound:
        return  # it ran on another server
    except HTTPError as error:
        get_run_logger().warning(
            "the flow run %s, which died, still counts as running: %s", for_terminal(left.run), error
        )


def claim() -> LockClaim:
    """A claim of this flow run in this process."""
    run = flow_run.id or f"process-{os.getpid()}"
    return LockClaim(token=secrets.token_hex(8), run=run, holder=this_process(), taken_at=datetime.now(UTC))


def this_process() -> LockHolder:
    """The process that asks, as another one on this machine would find it."""
    return LockHolder(_machine(), os.getpid(), psutil.Process().create_time())


def is_gone(lease: LockClaim) -> bool:
    """Whether the process that holds a lease was on this machine and has ended; False where it was elsewhere."""
    if lease.holder.machine != _machine():
        return False
    try:
        process = psutil.Process(lease.holder.pid)
        same = abs(process.create_time() - lease.holder.started) < _SAME_START_SECONDS
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _machine() -> str:
    """The host's name; on Linux with its process namespace: containers of one name count processes apart."""
    namespace = ""
    with suppress(OSError):
        namespace = f"/{Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}{namespace}"
