"""Whether a queue is being processed, slow, stalled, paused or drained. Values only; the clock is the caller's.

SQS counts are approximate: they may be zero while messages are still in flight. A queue is drained when
several polls in succession find it empty; and even then only a listing of the bucket says what is done.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

# Slow: nothing was finished for this share of `stall_seconds`.
_SLOW_SHARE = 0.5


class QueueStatus(StrEnum):
    """The status of a queue.

    SLOW: nothing was finished for half of the stall time, but messages were received, or may still be. A worker
    whose every attempt fails looks like this; `sqs.consumers.diagnose_consumers` tells why.
    STALLED: messages wait, and none was received or finished for the whole of it.
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
    """Reports a queue as drained after `polls` empty polls in succession."""

    polls: int = 3
    _empty: int = 0

    def after(self, depth: Counts) -> bool:
        """Whether the queue counts as drained after a poll that found this depth."""
        self._empty = 0 if depth.total else self._empty + 1
        return self._empty >= self.polls


class QueueWatch:
    """The polls of one queue, in order of time.

    Args:
        empty_polls: consecutive empty polls after which the queue counts as drained.
        stall_seconds: how long messages may wait while none is received or finished.
        started: the time now, in seconds of any monotonic clock.
    """

    def __init__(self, *, empty_polls: int, stall_seconds: float, started: float) -> None:
        self._empty_polls = empty_polls
        self._drained = DrainDetector(empty_polls)
        self._stall_seconds = stall_seconds
        self._finished = self._received = started
        self._done: int | None = None
        self._fewest: int | None = None

    def saw(self, depth: Counts, done: int, now: float, *, paused: bool = False) -> QueueStatus:
        """The status after a poll that found `depth`; `done` is how much was finished so far, in any unit."""
        self._learn(depth, done, now)
        if paused:
            self._restart(now)
            return QueueStatus.PAUSED
        if self._drained.after(depth):
            return QueueStatus.DRAINED
        if now - self._received >= self._stall_seconds:
            return QueueStatus.STALLED
        return (
            QueueStatus.SLOW if self.idle(now) >= _SLOW_SHARE * self._stall_seconds else QueueStatus.WORKING
        )

    def idle(self, now: float) -> float:
        """Seconds since the last progress, or since the start or the end of a pause."""
        return now - self._finished

    def _learn(self, depth: Counts, done: int, now: float) -> None:
        if self._is_progress(depth, done):
            self._finished = self._received = now
        # Delayed messages can't be received yet.
        if depth.in_flight or not depth.waiting:
            self._received = now
        self._done = max(done, self._done or 0)
        if depth.total:
            self._fewest = min(depth.total, self._fewest or depth.total)

    def _is_progress(self, depth: Counts, done: int) -> bool:
        """More is done, or the depth is lower than ever. A message that fails and returns to the queue is neither."""
        more = self._done is not None and done > self._done
        fewer = self._fewest is not None and 0 < depth.total < self._fewest
        return more or fewer

    def _restart(self, now: float) -> None:
        self._drained = DrainDetector(self._empty_polls)
        self._finished = self._received = now
