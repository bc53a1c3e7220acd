"""Drains the task queue on any machine, with the handler of the Lambda.

One thread receives, as many messages as slots are free; each batch runs in a thread of its own, which waits
for the generator's process; each message's lease is renewed until its batch is done. Nothing is shared with
other workers but the queue, so any number of them may run, beside the Lambda too. All threads are daemons:
what hangs must not keep the worker from ending in time.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lambda_worker.pull.outage import FAULTS, Outage, Stopped, persist
from lambda_worker.pull.outcome import Deliver, Outcome, in_short
from lambda_worker.pull.progress import Batch, Score, Totals, View
from lambda_worker.pull.visibility import Lease, LeaseLost, Queue, Record
from vbvrdatafactory.control.queue_watch import DrainDetector
from vbvrdatafactory.sqs.depth import Depth

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.2
_LOOK_SECONDS = 5.0
# To end generators and give their messages back; what takes longer is given back over its head.
_GRACE_SECONDS = 6.0
_LAST_CALL_SECONDS = 2.0
_NEXT = {True: "it is a dead letter", False: "it comes again"}


@dataclass(frozen=True)
class Options:
    """How to drain.

    Args:
        concurrency: batches at a time.
        batch_seconds: what one batch may take.
        until_empty: end when the queue reads empty several looks running.
    """

    concurrency: int
    batch_seconds: float = 900.0
    until_empty: bool = False


class Drain:
    """One run of a worker.

    Args:
        queue: the task queue.
        deliver: what processes a message.
        probe: asks the bucket for a sign of life, and raises where there is none.
        options: how to drain.
        watch: is shown the state several times a second.
    """

    def __init__(
        self,
        queue: Queue,
        deliver: Deliver,
        probe: Callable[[], None],
        options: Options,
        watch: Callable[[View], None] = lambda _: None,
    ) -> None:
        self._queue = queue
        self._deliver = deliver
        self._probe = probe
        self._options = options
        self._watch = watch
        self._sqs, self._s3 = Outage("SQS"), Outage("S3")
        self._changed = threading.Condition()
        self._running: list[Batch] = []
        self._score = Score()
        self._look_at = 0.0
        self._drained = DrainDetector()
        self._stops = 0
        self._stopping, self._cancelled = threading.Event(), threading.Event()
        self._broken: Exception | None = None

    def run(self) -> Totals:
        """Drain until `stop`, or until the queue is empty where that is asked for."""
        receiver = threading.Thread(target=self._receive_until_stopped, name="receive", daemon=True)
        receiver.start()
        while receiver.is_alive() and not self._stops:
            self._show()
        self._end(receiver)
        if self._broken:
            raise self._broken
        return self._score.totals

    def stop(self) -> None:
        """End soon; called once more, end at once. Safe in a signal handler: it takes no lock."""
        self._stops += 1

    @property
    def has_leftovers(self) -> bool:
        """Whether batches are still running after `run`: they did not end in time, and were given back."""
        return bool(self._running)

    # Receiving

    def _receive_until_stopped(self) -> None:
        try:
            while not self._stopping.is_set():
                self._look_now_and_then()
                if (free := self._wait_for_slot()) and self._receive(free):
                    return
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 - run() raises it: a worker that receives nothing must end
            self._broken = error

    def _receive(self, free: int) -> bool:
        """Take up to `free` messages and start them; True where the queue is empty and that is the end."""
        if self._s3.seconds:
            persist(self._s3, self._probe, self._stopping)
        records = persist(self._sqs, lambda: self._queue.receive(free), self._stopping)
        if self._stopping.is_set():
            self._give_back(records)
            return False
        for record in records:
            self._start(record)
        return self._options.until_empty and self._is_drained(records)

    def _is_drained(self, records: list[Record]) -> bool:
        if records or self._running:
            self._drained = DrainDetector()
            return False
        return self._drained.after(self._look())

    def _wait_for_slot(self) -> int:
        """How many slots are free, after waiting for a while where none was."""
        most = self._options.concurrency
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._running) < most or self._stopping.is_set(), timeout=_LOOK_SECONDS
            )
            return most - len(self._running)

    def _look_now_and_then(self) -> None:
        if time.monotonic() >= self._look_at:
            self._look()

    def _look(self) -> Depth:
        depth = persist(self._sqs, self._queue.depth, self._stopping)
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self._score.looked(depth)
        return depth

    # One batch

    def _start(self, record: Record) -> None:
        batch = Batch.of(record, Lease(self._queue, record, self._sqs))
        with self._changed:
            self._running.append(batch)
        threading.Thread(target=self._work, args=(batch,), name="batch", daemon=True).start()

    def _work(self, batch: Batch) -> None:
        try:
            outcome = self._process(batch)
            if outcome.delete:
                # For as long as it takes: the lease holds, and without the queue there is no other work.
                persist(self._sqs, lambda: self._queue.delete(batch.record), self._stopping)
        except Stopped:
            log.warning("%s is over, but SQS could not be told; it comes again", batch)
        except Exception as error:  # noqa: BLE001 - it must cost no slot, and is told like any failure
            outcome = Outcome(delete=False, failure=in_short(error))
        batch.lease.end()
        self._finish(batch, outcome)

    def _process(self, batch: Batch) -> Outcome:
        """Deliver the message, and once more each time that met an outage: it costs the message no receive."""
        while True:
            began = time.monotonic()
            outcome = self._deliver(batch.record, self._options.batch_seconds, self._cancelled)
            if outcome.delete or self._cancelled.is_set() or not self._met_outage(began):
                return outcome
            try:
                # It was about to be shown to others.
                persist(self._sqs, lambda: self._queue.renew(batch.record), self._stopping)
                persist(self._s3, self._probe, self._stopping)
            except Stopped:
                self._give_back([batch.record])
                return outcome
            except LeaseLost:
                return outcome

    def _met_outage(self, began: float) -> bool:
        self._s3.is_over(self._probe)
        return self._s3.was_since(began) or self._sqs.was_since(began)

    def _finish(self, batch: Batch, outcome: Outcome) -> None:
        with self._changed:
            self._running.remove(batch)
            self._changed.notify_all()
            self._score.finished(batch, outcome, stopping=self._stopping.is_set())
        if outcome.failure and not self._stopping.is_set():
            log.warning("%s: %s; %s", batch, outcome.failure, _NEXT[outcome.delete])

    # Ending

    def _end(self, receiver: threading.Thread) -> None:
        self._stopping.set()
        batches = self._here()
        if batches:
            log.warning("stopping; running batches that are ended and given back: %d", len(batches))
        for batch in batches:
            batch.lease.end()
        last = time.monotonic() + 1
        for batch in batches:
            # A renewal that is on its way would hide again what is about to be given back.
            batch.lease.wait_ended(max(0.0, last - time.monotonic()))
        self._cancelled.set()
        last = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < last and self._stops < 2 and self._is_busy(receiver):
            self._show()
        self._abandon(self._here())

    def _is_busy(self, receiver: threading.Thread) -> bool:
        """Whether something is still ending, or a receive under way that may yet bring a message."""
        return bool(self._running) or (receiver.is_alive() and not self._sqs.seconds)

    def _abandon(self, batches: list[Batch]) -> None:
        """Give back what did not end in time, without waiting long for that either."""
        if not batches:
            return
        log.warning("batches that did not end in time and are given back as they are: %d", len(batches))
        self._score.totals.given_back += len(batches)
        call = threading.Thread(target=self._give_back, args=([b.record for b in batches],), daemon=True)
        call.start()
        call.join(_LAST_CALL_SECONDS)

    def _give_back(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                self._queue.give_back(record)
            except (*FAULTS, LeaseLost) as error:
                log.warning("message %s comes again when its lease ends: %s", record["messageId"], error)

    def _here(self) -> list[Batch]:
        with self._changed:
            return [*self._running]

    def _show(self) -> None:
        time.sleep(_TICK_SECONDS)
        away = [outage.service for outage in (self._sqs, self._s3) if outage.seconds]
        self._watch(self._score.view(self._here(), away, stopping=self._stopping.is_set()))
