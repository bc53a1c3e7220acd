"""What a draining worker has to show: values only, made by `drain`, drawn by `commands`."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import ValidationError

from lambda_worker.pull.outcome import Outcome
from lambda_worker.pull.visibility import Lease, Record
from vbvrdatafactory.core.errors import NewerSchemaError
from vbvrdatafactory.core.humanize import format_duration
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import compress, describe
from vbvrdatafactory.sqs.depth import Depth

# Generators differ: the first minutes say little of the last ones.
_REMEMBERED_SECONDS = 600.0


@dataclass(frozen=True, eq=False)
class Batch:
    """One message that is worked on here."""

    record: Record
    lease: Lease
    generator: str
    indices: str
    samples: int
    started: float

    @classmethod
    def of(cls, record: Record, lease: Lease) -> "Batch":
        """The batch in a message; the handler judges a message that can't be read."""
        try:
            message = TaskMessage.model_validate_json(record["body"])
        except (ValidationError, NewerSchemaError):
            return cls(record, lease, "(unreadable)", "", 0, time.monotonic())
        wanted = compress(message.only_indices) if message.only_indices else [message.indices]
        samples = sum(indices.size for indices in wanted)
        return cls(record, lease, message.type, describe(wanted, 2), samples, time.monotonic())

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
        failed: deliveries that failed; each message comes again or is a dead letter.
        given_back: batches that were ended because the worker was.
        samples: asked for by the batches that are done.
    """

    done: int = 0
    failed: int = 0
    given_back: int = 0
    samples: int = 0

    def __str__(self) -> str:
        back = f", {self.given_back:,} given back" if self.given_back else ""
        return f"{_plural(self.done, 'batch', 'batches')} done, {self.failed:,} failed{back}, {self.samples:,} samples"


class View(NamedTuple):
    """The state of a draining worker at one moment.

    Args:
        running: batches worked on, the oldest first.
        totals: what became of the others.
        samples_per_minute: of the last ten minutes; None where nothing was done.
        depth: the last look at the queue; None before the first.
        seconds_left: until the queue is empty at the pace measured, whoever drains it; None if unknown.
        away: services that do not answer.
        stopping: whether the worker is to end.
    """

    running: tuple[Batch, ...]
    totals: Totals
    samples_per_minute: float | None
    depth: Depth | None
    seconds_left: float | None
    away: tuple[str, ...]
    stopping: bool

    @property
    def lines(self) -> list[str]:
        """What the numbers say: this worker, the queue, and what is wrong."""
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


class Score:
    """Keeps the totals and the paces of one worker."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._depth: Depth | None = None
        self._queue, self._samples = _Pace(), _Pace()
        self._queue_per_second: float | None = None

    def looked(self, depth: Depth) -> None:
        """Remember a look at the queue."""
        self._depth = depth
        self._queue_per_second = self._queue.per_second(time.monotonic(), depth.total)

    def finished(self, batch: Batch, outcome: Outcome, *, stopping: bool) -> None:
        """Count a delivery that is over."""
        if not outcome.failure:
            self.totals.done += 1
            self.totals.samples += batch.samples
        elif stopping and not outcome.delete:
            self.totals.given_back += 1
        else:
            self.totals.failed += 1

    def view(self, running: Iterable[Batch], away: Iterable[str], *, stopping: bool) -> View:
        """The state now."""
        pace = self._samples.per_second(time.monotonic(), self.totals.samples)
        return View(
            tuple(running),
            replace(self.totals),
            60 * pace if pace else None,
            self._depth,
            self._seconds_left(),
            tuple(away),
            stopping,
        )

    def _seconds_left(self) -> float | None:
        pace = self._queue_per_second
        return self._depth.total / -pace if self._depth and self._depth.total and pace and pace < 0 else None


class _Pace:
    """How fast a number changes, over the last ten minutes.

    >>> pace = _Pace()
    >>> [pace.per_second(at, value) for at, value in ((0.0, 50), (10.0, 30), (20.0, 10))]
    [None, -2.0, -2.0]
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def per_second(self, at: float, value: float) -> float | None:
        """Remember `value` seen `at`, and tell the pace up to it; None before the second look."""
        self._seen.append((at, value))
        while len(self._seen) > 2 and self._seen[1][0] < at - _REMEMBERED_SECONDS:
            self._seen.popleft()
        since, first = self._seen[0]
        return (value - first) / (at - since) if at > since else None


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
