"""The task that waits: until the queue is drained, or until waiting is of no use any more."""

import time
from collections.abc import Collection
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from prefect import task
from prefect.logging import get_run_logger

from tasks import events
from tasks.connection import functions, sqs
from tasks.queue import queue_depth
from tasks.run import Run
from vbvrdatafactory.control.dataset_lock import DatasetLockLost
from vbvrdatafactory.control.queue_watch import QueueStatus, QueueWatch
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.report.completeness import EndedEarly, Reason
from vbvrdatafactory.report.live import RunSnapshot
from vbvrdatafactory.sqs.consumers import ConsumerDiagnosis, diagnose_consumers
from vbvrdatafactory.sqs.depth import Depth

# The log says how it stands when that changes, seldom in a long wait, but never less than once in so long.
_SILENT_SECONDS, _SAY_AFTER, _SAY_SHARE = 60.0, 5.0, 0.05
_AWAY = (BotoCoreError, ClientError, BaseError)


class Waited(NamedTuple):
    """How a wait ended.

    Args:
        early: why the run is to end; None where it may go on.
        proven: generators that were waited for and have made something; none where the queue is drained.
    """

    early: EndedEarly | None = None
    proven: frozenset[str] = frozenset()


@task(task_run_name="{run.dataset}/{step}/wait", persist_result=False)
def wait_until_drained(run: Run, step: str, held_back: Collection[str] = ()) -> Waited:
    """Watch queue and bucket until the queue is drained, the queue stalls, the budget is spent or the lease lost.

    It also ends when probes of a generator in `held_back` have made something, so that one lost probe of
    another does not hold back the rest of all.
    """
    del step  # it names the task run
    return _Wait(run, held_back).until_over()


class _Wait:
    """One wait: what is looked at in each turn, and what is said of it."""

    def __init__(self, run: Run, held_back: Collection[str] = ()) -> None:
        self._run = run
        self._held_back = held_back
        self._log = get_run_logger()
        self._patience = run.terms.patience
        self._started = self._heard = time.monotonic()
        self._watch = QueueWatch(
            looks=self._patience.looks, stall_seconds=self._patience.stall_seconds, started=self._started
        )
        self._said: tuple[QueueStatus | None, float] = (None, self._started)

    def until_over(self) -> Waited:
        while True:
            try:
                over = self._turn()
            except DatasetLockLost as lost:
                return Waited(
                    EndedEarly(reason=Reason.LEASE, detail=str(lost), next_move="leave it to that run")
                )
            except _AWAY as error:
                self._is_away(error)
            else:
                self._heard = time.monotonic()
                if over:
                    return over
            time.sleep(self._patience.poll_seconds)

    def _turn(self) -> Waited | None:
        """One look at everything; how the wait ended, None while it goes on."""
        run, seen, now = self._run, queue_depth(), time.monotonic()
        run.gate.check()
        pause = run.gate.pause()
        run.look()
        overspent = run.audit()
        status = self._watch.saw(seen, run.done, now, paused=pause is not None)
        if status is QueueStatus.DRAINED:
            overspent = run.audit(at_once=True)
        self._show(status, seen, now, str(pause or ""))
        if overspent:
            return self._hopeless(overspent)
        if status is QueueStatus.STALLED:
            return self._stalled(seen)
        if proven := frozenset(self._held_back) & frozenset(run.proven):
            return Waited(proven=proven)
        return Waited() if status is QueueStatus.DRAINED else None

    def _show(self, status: QueueStatus, seen: Depth, now: float, note: str) -> None:
        said, at = self._said
        is_time = now - at >= min(_SILENT_SECONDS, _SAY_AFTER + _SAY_SHARE * (now - self._started))
        if is_time and status is QueueStatus.SLOW:
            note = str(self._diagnosis())
        snapshot = RunSnapshot(status, self._run.done, seen, self._run.failures, note)
        line = f"{seen}"
        if self._run.live:
            self._run.live.show(now, snapshot)
            line = f"{self._run.live.headline(now, snapshot)}; {line}"
        if status is not said or is_time:
            self._said = (status, now)
            self._log.info("%s%s", line, f"; {for_terminal(note)}" if note else "")

    def _stalled(self, seen: Depth) -> Waited:
        found = self._diagnosis()
        minutes = self._patience.stall_seconds / 60
        early = EndedEarly(
            reason=Reason.STALLED,
            detail=f"{seen}, and nobody took any for {minutes:g} min: {found.reason}",
            next_move=f"{found.next_move}; then run again, and it goes on where it was",
        )
        self._log.error("stalled: %s", for_terminal(f"{early.detail}; {early.next_move}"))
        events.queue_stalled(self._run.dataset, early)
        return Waited(early)

    def _hopeless(self, overspent: str) -> Waited:
        early = EndedEarly(
            reason=Reason.BUDGET,
            detail=f"the budget of failures is spent: {overspent}",
            next_move="mend what the report names and run again, or allow more failures",
        )
        self._log.error("%s; %s", early.detail, early.next_move)
        return Waited(early)

    def _diagnosis(self) -> ConsumerDiagnosis:
        return diagnose_consumers(sqs(), functions(), config.sqs_queue_url)

    def _is_away(self, error: Exception) -> None:
        """AWS or the way to it is away: a run sits that out for as long as it waits for a worker."""
        silent = time.monotonic() - self._heard
        if silent > self._patience.stall_seconds:
            raise error
        first = str(error).partition("\n")[0]
        self._log.warning("no answer for %.0f s, trying again: %s: %s", silent, type(error).__name__, first)
