"""Tasks that move and watch messages: submit, wait until drained, file dead letters."""

import time
from datetime import timedelta
from typing import NamedTuple

from prefect import task
from prefect.logging import get_run_logger

from tasks import artifacts
from tasks.connection import bucket, sqs
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.gaps import Gap
from vbvrdatafactory.core.plan import Plan
from vbvrdatafactory.s3 import records, work
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, to_json
from vbvrdatafactory.sqs.depth import Depth, Drained, depth
from vbvrdatafactory.sqs.submitter import TaskSubmitter

# A wait is never silent for longer.
_SILENT_SECONDS = 60.0
# Mapped submissions run side by side already; each needs few calls under way.
_THREADS_EACH = 4


class Patience(NamedTuple):
    """How the queue is watched.

    Args:
        poll_seconds: between two looks.
        looks: empty looks running that count as drained.
        stall_seconds: how long messages may wait with none in flight and none taken.
    """

    poll_seconds: float = 15.0
    looks: int = 4
    stall_seconds: float = 900.0

    @classmethod
    def of(cls, poll_seconds: float, stall_minutes: float) -> "Patience":
        """The patience that a flow's parameters ask for."""
        return cls(poll_seconds=max(0.1, poll_seconds), stall_seconds=60 * stall_minutes)


class Waited(NamedTuple):
    """How a wait ended: drained, or stalled because nobody takes messages."""

    stalled: bool
    last: Depth


def queue_depth() -> Depth:
    """One look at the task queue."""
    return depth(sqs(), config.sqs_queue_url)


@task(task_run_name="submit-{gap.generator}-round-{round_number}", persist_result=False)
def submit_gap(plan: Plan, gap: Gap, round_number: int) -> int:
    """Send the messages that make exactly what one generator lacks; returns how many were sent.

    Raises:
        DataFactoryError: some could not be sent; the first is named, the next round sends them again.
    """
    del round_number  # it names the task run
    submitter = TaskSubmitter(config.sqs_queue_url, client=sqs(), threads=_THREADS_EACH)
    done = submitter.submit(work.messages_for(bucket(), plan, [gap]))
    get_run_logger().info("%s: %d samples missing, %d messages sent", gap.generator, gap.samples, done.sent)
    done.raise_if_unsent()
    return done.sent


@task(task_run_name="wait-round-{round_number}", persist_result=False)
def wait_until_drained(sent: int, patience: Patience, round_number: int) -> Waited:
    """Watch the queue until it reads empty several looks running, or nobody takes messages any more."""
    log, drained, watch = get_run_logger(), Drained(patience.looks), _Watch(sent, time.monotonic())
    progress = artifacts.Progress(f"progress-round-{round_number}", f"Messages of round {round_number} done")
    while True:
        seen = queue_depth()
        if drained.after(seen):
            progress.move(100.0)
            return Waited(stalled=False, last=seen)
        if watch.is_news(seen, time.monotonic()):
            progress.move(watch.percent)
        if watch.is_due(time.monotonic()):
            log.info("%s; %s", seen, watch.forecast(time.monotonic()))
        if watch.idle(time.monotonic()) > patience.stall_seconds and not seen.in_flight and seen.total:
            log.error(
                "stalled: %s and nobody takes any for %.0f s; is the event source mapping enabled and the "
                "function there? ('datafactory local status' on the embedded AWS)",
                seen,
                patience.stall_seconds,
            )
            return Waited(stalled=True, last=seen)
        time.sleep(patience.poll_seconds)


@task(task_run_name="file-dead-letters-round-{round_number}", persist_result=False)
def file_dead_letters(dataset: str, round_number: int) -> int:
    """File this dataset's dead letters in the bucket, then remove them; other people's stay. Returns how many."""
    del round_number

    def ours(letter: DeadLetter) -> bool:
        return letter.message is not None and letter.message.dataset == dataset

    def file(letter: DeadLetter) -> None:
        records.write_text(bucket(), keys.dead_letter(dataset, letter.message_id), to_json(letter))

    if not depth(sqs(), config.sqs_dlq_url).total:
        return 0
    taken = DeadLetters(sqs(), config.sqs_dlq_url).take(ours, file)
    get_run_logger().info(
        "%d dead letters filed under %s", taken, keys.dataset_file(dataset, "dead-letters/")
    )
    return taken


class _Watch:
    """What the looks at the queue say about speed. Messages done = sent - still there, never going back."""

    def __init__(self, sent: int, started: float) -> None:
        self._sent = sent
        self._started = self._changed = started
        self._said: tuple[Depth | None, float] = (None, started)
        self._last: Depth | None = None
        self._done = 0

    def is_news(self, seen: Depth, now: float) -> bool:
        if seen == self._last:
            return False
        self._last, self._changed = seen, now
        self._done = max(self._done, self._sent - seen.total)
        return True

    def is_due(self, now: float) -> bool:
        """Whether the log should say how it stands: when the counts changed, and each minute when they do not."""
        seen, at = self._said
        if seen == self._last and now - at < _SILENT_SECONDS:
            return False
        self._said = (self._last, now)
        return True

    def idle(self, now: float) -> float:
        """Seconds since the counts last changed."""
        return now - self._changed

    @property
    def percent(self) -> float:
        return 100 * self._done / self._sent if self._sent else 0.0

    def forecast(self, now: float) -> str:
        """How much is done and when the rest will be, from the rate so far."""
        if not self._sent or not self._done:
            return "no message done yet"
        rate = self._done / max(now - self._started, 1e-3)
        left = timedelta(seconds=round((self._sent - self._done) / rate))
        return f"{self._done} of {self._sent} messages done, {60 * rate:.1f} a minute, about {left} left"
