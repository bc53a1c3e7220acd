"""What one run of the loop did, why it ended early, and the generators it skipped."""

from collections import Counter
from enum import StrEnum

from pydantic import Field

from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.report.tallies import DeadLetterTally, Frozen

# The state of a run is one line: further generators are only counted.
_BROKEN_SHOWN = 10


class Broken(Frozen):
    """A generator that was given up in a run: every batch that was tried failed."""

    generator: str
    cause: Cause | None = Field(default=None, description="None where there are several, or none on record")
    detail: str = Field(default="", description="What the latest failure said")

    def __str__(self) -> str:
        why = f"{self.cause or 'no single cause'}{f'; {self.detail}' if self.detail else ''}"
        return f"{self.generator} was given up: {why}"


class Reason(StrEnum):
    """Why a run ended before its work was done or its rounds were used up."""

    BUDGET = "budget"
    STALLED = "stalled"
    OTHER_SEED = "other-seed"
    LEASE = "lease"


class EndedEarly(Frozen):
    """Why a run ended early, for a person: what happened, and the next move."""

    reason: Reason
    detail: str
    next_move: str

    def __str__(self) -> str:
        return f"It ended early ({self.reason}): {self.detail}; {self.next_move}"


class RunFigures(Frozen):
    """What one run of the loop did. Samples are those that became whole while it ran."""

    messages: int = 0
    rounds: int = 0
    samples: int = 0
    seconds: float = 0.0
    queued: int = Field(default=0, description="Messages that are in the queue still, waiting or in flight")
    broken: tuple[Broken, ...] = ()
    problems: tuple[str, ...] = Field(default=(), description="Why nothing was sent for a generator")
    dead_letters: tuple[DeadLetterTally, ...] = ()
    early: EndedEarly | None = None

    @property
    def remarks(self) -> list[str]:
        """What a person should know besides the counts, a line each."""
        lines = [f"{self.early}."] if self.early else []
        if self.queued:
            lines.append(f"{self.queued:,} messages are in the queue still; the next run waits for them.")
        if self.dead_letters:
            lines.append(f"Messages that were given up, and are filed in the bucket: {self._given_up}.")
        lines += [f"{str(broken).rstrip('.')}." for broken in self.broken[:_BROKEN_SHOWN]]
        if (more := len(self.broken) - _BROKEN_SHOWN) > 0:
            lines.append(f"{more:,} more generators were given up.")
        lines += [f"{problem.rstrip('.')}." for problem in self.problems[:_BROKEN_SHOWN]]
        if (more := len(self.problems) - _BROKEN_SHOWN) > 0:
            lines.append(f"For {more:,} more generators nothing was sent, as records could not be read.")
        return lines

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def _given_up(self) -> str:
        """Dead letters by cause, the most frequent first."""
        causes: Counter[Cause] = Counter()
        for tally in self.dead_letters:
            causes[tally.cause] += tally.count
        return ", ".join(f"{count:,} {cause}" for cause, count in causes.most_common())
