"""The progress of `datafactory worker`: values only, made by `loop`, shown by `screen`."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import ValidationError

from lambda_worker.processor import Outcome, Record
from lambda_worker.pull.visibility import VisibilityExtender
from vbvrdatafactory.control.queue_forecast import QueueForecast
from vbvrdatafactory.core.errors import NewerSchemaError
from vbvrdatafactory.core.humanize import format_count, format_duration
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import compress, describe
from vbvrdatafactory.planning.forecast import Forecast
from vbvrdatafactory.sqs.depth import Depth

# A worker has no end of its own.
_ENDLESS = 10**15


@dataclass(frozen=True, eq=False)
class RunningBatch:
    """A message whose batch is being made here."""

    record: Record
    visibility: VisibilityExtender
    generator: str
    indices: str
    samples: int
    started: float

    @classmethod
    def of(cls, record: Record, visibility: VisibilityExtender) -> "RunningBatch":
        """The batch in a message, as far as it can be read."""
        try:
            message = TaskMessage.model_validate_json(record["body"])
        except (ValidationError, NewerSchemaError):
            return cls(record, visibility, "(unreadable)", "", 0, time.monotonic())
        wanted = compress(message.only_indices) if message.only_indices else [message.indices]
        samples = sum(indices.size for indices in wanted)
        return cls(record, visibility, message.type, describe(wanted, 2), samples, time.monotonic())

    def __str__(self) -> str:
        return f"{self.generator} {self.indices}" if self.samples else f"message {self.record['messageId']}"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


@dataclass
class Totals:
    """What became of the messages so far.

    Args:
        done: batches whose samples are all stored.
        failed: deliveries that failed; each message is received again or is a dead letter.
        released: messages that were released because the worker was stopped.
        passed_on: messages that were left to other workers, because this one can't run their generator.
        samples: those of the batches that are done.
    """

    done: int = 0
    failed: int = 0
    released: int = 0
    passed_on: int = 0
    samples: int = 0

    def __str__(self) -> str:
        back = f", {self.released:,} released" if self.released else ""
        back += f", {self.passed_on:,} left to other workers" if self.passed_on else ""
        return f"{format_count(self.done, 'batch', 'batches')} done, {self.failed:,} failed{back}, {self.samples:,} samples"


class WorkerStatus(NamedTuple):
    """The status of a worker at one moment.

    Args:
        running: batches being made, the oldest first.
        totals: what became of the others.
        samples_per_minute: of the last ten minutes; None where none was made.
        depth: the queue's depth at the last poll; None before the first.
        seconds_left: until the queue is empty at its recent rate, by this and all other workers; None if unknown.
        away: services that do not answer.
        stopping: whether the worker is to end.
    """

    running: tuple[RunningBatch, ...]
    totals: Totals
    samples_per_minute: float | None
    depth: Depth | None
    seconds_left: float | None
    away: tuple[str, ...]
    stopping: bool

    @property
    def lines(self) -> list[str]:
        """The worker itself, the queue, and services that are away, a line each."""
        pace = f" ({self.samples_per_minute:,.0f}/min)" if self.samples_per_minute else ""
        lines = [f"{len(self.running):,} running, {self.totals}{pace}"]
        if self.depth:
            left = (
                "" if self.seconds_left is None else f", empty in about {format_duration(self.seconds_left)}"
            )
            lines.append(f"queue: {self.depth}{left}")
        lines += [f"{service} is away" for service in self.away]
        return [*lines, "stopping"] if self.stopping else lines

    def __str__(self) -> str:
        return "; ".join(self.lines)


class WorkerProgress:
    """Keeps the totals and the rates of one worker."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._depth: Depth | None = None
        self._queue, self._samples = QueueForecast(), Forecast(_ENDLESS)

    def polled(self, depth: Depth) -> None:
        """Record the queue's depth now."""
        self._depth = depth
        self._queue.saw(time.monotonic(), depth.total)

    def finished(self, batch: RunningBatch, outcome: Outcome, *, stopping: bool) -> None:
        """Count a delivery that is over."""
        if not outcome.failure:
            self.totals.done += 1
            self.totals.samples += batch.samples
        elif outcome.is_passed_on:
            self.totals.passed_on += 1
        elif stopping and not outcome.delete:
            self.totals.released += 1
        else:
            self.totals.failed += 1

    def view(self, running: Iterable[RunningBatch], away: Iterable[str], *, stopping: bool) -> WorkerStatus:
        """The state now."""
        now = time.monotonic()
        self._samples.saw(now, self.totals.samples)
        rate, left = self._samples.rate(now), self._queue.remaining(now)
        return WorkerStatus(
            tuple(running),
            replace(self.totals),
            60 * rate if rate else None,
            self._depth,
            left.likely if left and self._depth and self._depth.total else None,
            tuple(away),
            stopping,
        )
