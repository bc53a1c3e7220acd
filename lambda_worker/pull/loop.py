"""Receives messages of the task queue on any machine, and processes them as the Lambda does.

One thread receives as many messages as slots are free; each batch runs in a thread of its own, which waits
for the generator's process; each message's visibility timeout is extended until its batch is done. Workers share
nothing but the queue, so any number of them may run, beside the Lambda too. All threads are daemons: one that hangs
must not keep the worker from ending in time.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lambda_worker.processor import Outcome, Record
from lambda_worker.pull.errors import one_line, shorten
from lambda_worker.pull.outage import FAULTS, Outage, Stopped, retry_until_answered
from lambda_worker.pull.progress import RunningBatch, Totals, WorkerProgress, WorkerStatus
from lambda_worker.pull.visibility import ReceiptHandleExpired, TaskQueue, VisibilityExtender
from vbvrdatafactory.control.queue_watch import DrainDetector
from vbvrdatafactory.sqs.depth import Depth

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.2
_POLL_SECONDS = 5.0
# To end generators and release their messages; the messages of those that take longer are released anyway.
_GRACE_SECONDS = 6.0
_LAST_CALL_SECONDS = 2.0
_NEXT = {True: "it is in the dead letter queue", False: "it will be received again"}

# Processes a record within so many seconds, until it is cancelled.
Process = Callable[[Record, float, threading.Event], Outcome]


@dataclass(frozen=True)
class PullOptions:
    """How messages are pulled.

    Args:
        concurrency: batches at a time.
        batch_seconds: what one batch may take.
        until_empty: end when the queue reads empty several looks running.
    """

    concurrency: int
    batch_seconds: float = 900.0
    until_empty: bool = False


class PullWorker:
    """One run of `datafactory worker`.

    Args:
        queue: the task queue.
        process: processes a message.
        probe: asks the bucket for a sign of life, and raises where there is none.
        options: how messages are pulled.
        show: is called with the status several times a second.
    """

    def __init__(
        self,
        queue: TaskQueue,
        process: Process,
        probe: Callable[[], None],
        options: PullOptions,
        show: Callable[[WorkerStatus], None] = lambda _: None,
    ) -> None:
        self._queue = queue
        self._process_record = process
        self._probe = probe
        self._options = options
        self._show_status = show
        self._sqs, self._s3 = Outage("SQS"), Outage("S3")
        self._changed = threading.Condition()
        self._running: list[RunningBatch] = []
        self._progress = WorkerProgress()
        self._poll_at = 0.0
        self._drained = DrainDetector()
        self._stops = 0
        self._stopping, self._cancelled = threading.Event(), threading.Event()
        self._broken: Exception | None = None

    def run(self) -> Totals:
        """Process messages until `stop`, or until the queue is drained where the options say so."""
        receiver = threading.Thread(target=self._receive_until_stopped, name="receive", daemon=True)
        receiver.start()
        while receiver.is_alive() and not self._stops:
            self._show()
        self._end(receiver)
        if self._broken:
            raise self._broken
        return self._progress.totals

    def stop(self) -> None:
        """End soon; called once more, end at once. Safe in a signal handler: it takes no lock."""
        self._stops += 1

    @property
    def has_leftovers(self) -> bool:
        """Whether batches are still running after `run`: they did not end in time, and their messages were released."""
        return bool(self._running)

    # Receiving

    def _receive_until_stopped(self) -> None:
        try:
            while not self._stopping.is_set():
                self._poll_if_due()
                if (free := self._wait_for_slot()) and self._receive(free):
                    return
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 - run() raises it: a worker that receives nothing must end
            self._broken = error

    def _receive(self, free: int) -> bool:
        """Receive up to `free` messages and start them; True where the queue is drained and that is the end."""
        if self._s3.seconds:
            retry_until_answered(self._s3, self._probe, self._stopping)
        records = retry_until_answered(self._sqs, lambda: self._queue.receive(free), self._stopping)
        if self._stopping.is_set():
            self._release(records)
            return False
        for record in records:
            self._start(record)
        return self._options.until_empty and self._is_drained(records)

    def _is_drained(self, records: list[Record]) -> bool:
        if records or self._running:
            self._drained = DrainDetector()
            return False
        return self._drained.after(self._poll())

    def _wait_for_slot(self) -> int:
        """How many slots are free, after waiting for a while where none was."""
        most = self._options.concurrency
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._running) < most or self._stopping.is_set(), timeout=_POLL_SECONDS
            )
            return most - len(self._running)

    def _poll_if_due(self) -> None:
        if time.monotonic() >= self._poll_at:
            self._poll()

    def _poll(self) -> Depth:
        depth = retry_until_answered(self._sqs, self._queue.depth, self._stopping)
        self._poll_at = time.monotonic() + _POLL_SECONDS
        self._progress.polled(depth)
        return depth

    # One batch

    def _start(self, record: Record) -> None:
        batch = RunningBatch.of(record, VisibilityExtender(self._queue, record, self._sqs))
        with self._changed:
            self._running.append(batch)
        threading.Thread(target=self._work, args=(batch,), name="batch", daemon=True).start()

    def _work(self, batch: RunningBatch) -> None:
        try:
            outcome = self._process(batch)
            if outcome.delete:
                # For as long as it takes: the visibility timeout is extended, and without SQS there is no other work.
                retry_until_answered(self._sqs, lambda: self._queue.delete(batch.record), self._stopping)
        except Stopped:
            log.warning("%s is done, but its message could not be deleted; it will be received again", batch)
        except Exception as error:  # noqa: BLE001 - it must cost no slot, and is told like any failure
            outcome = Outcome(delete=False, failure=one_line(error))
        batch.visibility.end()
        self._finish(batch, outcome)

    def _process(self, batch: RunningBatch) -> Outcome:
        """Process the message, and once more each time that an outage was met: that costs it no receive."""
        while True:
            began = time.monotonic()
            outcome = self._process_record(batch.record, self._options.batch_seconds, self._cancelled)
            if outcome.delete or self._cancelled.is_set() or not self._met_outage(began):
                return outcome
            try:
                # It was released, and would be received by others.
                retry_until_answered(self._sqs, lambda: self._queue.extend(batch.record), self._stopping)
                retry_until_answered(self._s3, self._probe, self._stopping)
            except Stopped:
                self._release([batch.record])
                return outcome
            except ReceiptHandleExpired:
                return outcome

    def _met_outage(self, began: float) -> bool:
        self._s3.is_over(self._probe)
        return self._s3.was_since(began) or self._sqs.was_since(began)

    def _finish(self, batch: RunningBatch, outcome: Outcome) -> None:
        with self._changed:
            self._running.remove(batch)
            self._changed.notify_all()
            self._progress.finished(batch, outcome, stopping=self._stopping.is_set())
        if outcome.is_passed_on:
            log.info("%s: %s", batch, shorten(outcome.failure))
        elif outcome.failure and not self._stopping.is_set():
            log.warning("%s: %s; %s", batch, shorten(outcome.failure), _NEXT[outcome.delete])

    # Ending

    def _end(self, receiver: threading.Thread) -> None:
        self._stopping.set()
        batches = self._here()
        if batches:
            log.warning("stopping; running batches that are ended and released: %d", len(batches))
        for batch in batches:
            batch.visibility.end()
        last = time.monotonic() + 1
        for batch in batches:
            # An extension under way would hide again a message that is about to be released.
            batch.visibility.wait_ended(max(0.0, last - time.monotonic()))
        self._cancelled.set()
        last = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < last and self._stops < 2 and self._is_busy(receiver):
            self._show()
        self._abandon(self._here())

    def _is_busy(self, receiver: threading.Thread) -> bool:
        """Whether something is still ending, or a receive under way that may yet bring a message."""
        return bool(self._running) or (receiver.is_alive() and not self._sqs.seconds)

    def _abandon(self, batches: list[RunningBatch]) -> None:
        """Release what did not end in time, without waiting long for that either."""
        if not batches:
            return
        log.warning("batches that did not end in time and are released as they are: %d", len(batches))
        self._progress.totals.released += len(batches)
        call = threading.Thread(target=self._release, args=([b.record for b in batches],), daemon=True)
        call.start()
        call.join(_LAST_CALL_SECONDS)

    def _release(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                self._queue.release(record)
            except (*FAULTS, ReceiptHandleExpired) as error:
                log.warning(
                    "message %s will be received again when its visibility timeout expires: %s",
                    record["messageId"],
                    error,
                )

    def _here(self) -> list[RunningBatch]:
        with self._changed:
            return [*self._running]

    def _show(self) -> None:
        time.sleep(_TICK_SECONDS)
        away = [outage.service for outage in (self._sqs, self._s3) if outage.seconds]
        self._show_status(self._progress.view(self._here(), away, stopping=self._stopping.is_set()))
