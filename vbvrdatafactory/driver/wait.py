"""Waits until the task queue is drained, or until waiting is of no use any more."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError

from vbvrdatafactory.control.dataset_lock import DatasetLockLost
from vbvrdatafactory.control.queue_watch import QueueStatus, QueueWatch
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.report.live import RunSnapshot
from vbvrdatafactory.report.run_figures import EndedEarly, Reason
from vbvrdatafactory.sqs.consumers import ConsumerDiagnosis, diagnose_consumers
from vbvrdatafactory.sqs.depth import Depth, depth

# The log has a line when the status changes, few in a long wait, but at least one in so many seconds.
_LOG_AT_LEAST, _LOG_AFTER, _LOG_SHARE = 60.0, 5.0, 0.05
_AWS_ERRORS = (BotoCoreError, ClientError, BaseError)

# Shows a snapshot taken at a monotonic time; returns the progress in one line, empty where there is none.
ShowProgress = Callable[[float, RunSnapshot], str]


class WaitResult(NamedTuple):
    """How a wait ended.

    Args:
        early: why the run is to end; None where it may go on.
        proven: generators whose probes made something; empty where the queue is drained.
    """

    early: EndedEarly | None = None
    proven: frozenset[str] = frozenset()


def wait_until_drained(
    services: Services,
    run: Run,
    held_back: Collection[str] = (),
    show: ShowProgress = lambda _at, _snapshot: "",
) -> WaitResult:
    """Poll queue and bucket until the queue is drained or stalled, the failure budget is exceeded or the lock lost.

    It also ends when probes of a generator in `held_back` have made something, so that one lost probe of
    another does not hold back all others.

    Args:
        services: queue, bucket, log and clock.
        run: the run that waits; its progress is counted in it.
        held_back: generators whose messages wait for the outcome of probes.
        show: called with each poll's snapshot.

    Raises:
        BotoCoreError, ClientError, BaseError: AWS did not answer for as long as a stall may take.
    """
    return _Wait(services, run, held_back, show).until_over()


class _Wait:
    """One wait."""

    def __init__(self, services: Services, run: Run, held_back: Collection[str], show: ShowProgress) -> None:
        self._services = services
        self._run = run
        self._held_back = frozenset(held_back)
        self._show = show
        self._policy = run.policy.poll
        self._started = self._answered = services.clock.monotonic()
        self._watch = QueueWatch(
            empty_polls=self._policy.empty_polls,
            stall_seconds=self._policy.stall_seconds,
            started=self._started,
        )
        self._logged: tuple[QueueStatus | None, float] = (None, self._started)

    def until_over(self) -> WaitResult:
        while True:
            try:
                result = self._poll()
            except DatasetLockLost as lost:
                return _ended(Reason.LOCK_LOST, str(lost), "leave it to that run")
            except _AWS_ERRORS as error:
                self._retry_or_raise(error)
            else:
                self._answered = self._services.clock.monotonic()
                if result:
                    return result
            self._services.clock.sleep(self._policy.poll_seconds)

    def _poll(self) -> WaitResult | None:
        """One poll of everything; how the wait ended, None while it goes on."""
        services, run = self._services, self._run
        queue, now = depth(services.sqs, services.config.sqs_queue_url), services.clock.monotonic()
        run.guard.check(services)
        pause = run.guard.pause(services)
        run.count_samples(services)
        exceeded = run.count_failures(services)
        status = self._watch.saw(queue, run.done, now, paused=pause is not None)
        if status is QueueStatus.DRAINED:
            exceeded = run.count_failures(services, at_once=True)
        is_due = self._is_log_due(now)
        note = run.guard.describe(pause) if pause else ""
        if is_due and status is QueueStatus.SLOW:
            note = str(self._diagnose())
        self._report(status, queue, now, note, is_due=is_due)
        if exceeded:
            return self._over_budget(exceeded)
        if status is QueueStatus.STALLED:
            return self._stalled(queue)
        if proven := self._held_back & frozenset(run.proven):
            return WaitResult(proven=proven)
        return WaitResult() if status is QueueStatus.DRAINED else None

    def _is_log_due(self, now: float) -> bool:
        """Whether the log was silent for long enough."""
        pause = min(_LOG_AT_LEAST, _LOG_AFTER + _LOG_SHARE * (now - self._started))
        return now - self._logged[1] >= pause

    def _report(self, status: QueueStatus, queue: Depth, now: float, note: str, *, is_due: bool) -> None:
        """Show the snapshot, and log it where the status changed or the log is due."""
        run = self._run
        seen = RunSnapshot(status, run.done, queue, run.failures, note, work=run.work_done, cost=run.cost)
        progress = self._show(now, seen)
        if status is not self._logged[0] or is_due:
            self._logged = (status, now)
            line = "; ".join(part for part in (progress, str(queue), for_terminal(note)) if part)
            self._services.log.info("%s", line)

    def _stalled(self, queue: Depth) -> WaitResult:
        found = self._diagnose()
        minutes = self._policy.stall_seconds / 60
        result = _ended(
            Reason.STALLED,
            f"{queue}, and no message was received for {minutes:g} min: {found.reason}",
            f"{found.next_move}; then run again, and it goes on where it was",
        )
        self._services.log.error("stalled: %s", for_terminal(str(result.early)))
        return result

    def _over_budget(self, exceeded: str) -> WaitResult:
        result = _ended(
            Reason.BUDGET,
            f"the failure budget is exceeded: {exceeded}",
            "mend what the report names and run again, or allow more failures",
        )
        self._services.log.error("%s", result.early)
        return result

    def _diagnose(self) -> ConsumerDiagnosis:
        services = self._services
        return diagnose_consumers(services.sqs, services.functions, services.config.sqs_queue_url)

    def _retry_or_raise(self, error: Exception) -> None:
        """AWS, or the network to it, may be away for as long as a stall may take."""
        silent = self._services.clock.monotonic() - self._answered
        if silent > self._policy.stall_seconds:
            raise error
        first = str(error).partition("\n")[0]
        self._services.log.warning(
            "no answer for %.0f s, trying again: %s: %s", silent, type(error).__name__, for_terminal(first)
        )


def _ended(reason: Reason, detail: str, next_move: str) -> WaitResult:
    return WaitResult(EndedEarly(reason=reason, detail=detail, next_move=next_move))
