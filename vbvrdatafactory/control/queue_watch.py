"""Whether a queue is worked on, slow, stalled, paused or drained. Values only; the clock is the caller's.

SQS counts are approximate: they may read zero while messages are still moving. A queue is drained when it
reads empty several looks running; and even then only a listing of the bucket says what is done.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

# Nothing finished for this share of the time that counts as a stall: a person should know.
_SLOW_SHARE = 0.5


class QueueStatus(StrEnum):
    """How a queue stands.

    SLOW: nothing was finished for half the time that counts as a stall, but messages were taken since, or
    may still be. A worker whose every attempt fails looks like this; ask `sqs.consumers.diagnose`.
    STALLED: messages wait, and nobody took or finished any for the whole of it.
    """

    WORKING = "working"
    SLOW = "slow"
    STALLED = "stalled"
    PAUSED = "paused"
    DRAINED = "drained"


class Counts(Protocol):
    """Messages in a queue, each count approximate; `sqs.depth.Depth` is one."""

    @property
    def waiting(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def delayed(self) -> int: ...
    @property
    def total(self) -> int: ...


@dataclass
class DrainDetector:
    """Believes an empty queue after `looks` empty looks running."""

    looks: int = 3
    _empty: int = 0

    def after(self, seen: Counts) -> bool:
        """Whether the queue counts as drained after this look."""
        self._empty = 0 if seen.total else self._empty + 1
        return self._empty >= self.looks


class QueueWatch:
    """The looks at one queue, in order of time.

    Args:
        looks: empty looks running that count as drained.
        stall_seconds: how long messages may wait with none taken and nothing finished.
        started: the clock's reading now; any monotonic clock in seconds.
    """

    def __init__(self, *, looks: int, stall_seconds: float, started: float) -> None:
        self._looks = looks
        self._drained = DrainDetector(looks)
        self._stall_seconds = stall_seconds
        self._finished = self._taken = started
        self._done: int | None = None
        self._fewest: int | None = None

    def saw(self, depth: Counts, done: int, now: float, *, paused: bool = False) -> QueueStatus:
        """How the queue stands after this look; `done` is what was finished so far, in any unit."""
        self._learn(depth, done, now)
        if paused:
            self._begin_anew(now)
            return QueueStatus.PAUSED
        if self._drained.after(depth):
            return QueueStatus.DRAINED
        if now - self._taken >= self._stall_seconds:
            return QueueStatus.STALLED
        return (
            QueueStatus.SLOW if self.idle(now) >= _SLOW_SHARE * self._stall_seconds else QueueStatus.WORKING
        )

    def idle(self, now: float) -> float:
        """Seconds since something was finished, or since the start or the end of a pause."""
        return now - self._finished

    def _learn(self, depth: Counts, done: int, now: float) -> None:
        if self._is_progress(depth, done):
            self._finished = self._taken = now
        # What is only delayed will wait later; nobody can take it now.
        if depth.in_flight or not depth.waiting:
            self._taken = now
        self._done = max(done, self._done or 0)
        if depth.total:
            self._fewest = min(depth.total, self._fewest or depth.total)

    def _is_progress(self, depth: Counts, done: int) -> bool:
        """More is done, or fewer messages are there than ever: those that fail and come back are neither."""
        more = self._done is not None and done > self._done
        fewer = self._fewest is not None and 0 < depth.total < self._fewest
        return more or fewer

    def _begin_anew(self, now: float) -> None:
        self._drained = DrainDetector(self._looks)
        self._finished = self._taken = now
