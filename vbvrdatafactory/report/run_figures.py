"""What one run of the loop did, why it ended early, and the generators it skipped."""

from collections import Counter
from enum import StrEnum

from pydantic import Field

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.report.costs import RunCosts
from vbvrdatafactory.report.tallies import DeadLetterTally, Frozen

# The state of a run is one line: further generators are only counted.
_BROKEN_SHOWN = 10


class Broken(Frozen):
    """A generator that was skipped for the rest of a run, after every batch that was tried had failed."""

    generator: str
    cause: Cause | None = Field(default=None, description="None where there are several, or no record")
    detail: str = Field(default="", description="The error of the latest attempt")
    stderr_tail: str = Field(default="", description="The end of what its process wrote to stderr then")

    def __str__(self) -> str:
        why = f"{self.cause or 'no single cause'}{f'; {self.detail}' if self.detail else ''}"
        return f"{self.generator} was skipped for the rest of the run: {why}"


class Reason(StrEnum):
    """Why a run ended before its work was done or its rounds were used up."""

    BUDGET = "budget"
    APPROVAL = "approval"
    SPENT = "spent"
    STALLED = "stalled"
    OTHER_SEED = "other-seed"
    MISMATCH = "mismatch"
    # Reports have called it so from the first.
    LOCK_LOST = "lease"


class EndedEarly(Frozen):
    """Why a run ended early, and what to do next."""

    reason: Reason
    detail: str
    next_move: str

    def __str__(self) -> str:
        return f"It ended early ({self.reason}): {self.detail}; {self.next_move}"


class RunFigures(Frozen):
    """The figures of one run.

    Args:
        messages: messages that were sent.
        rounds: rounds of the loop.
        samples: samples that became whole during the run.
        restored: samples that were made again with the content that they had.
        made_anew: samples that were made again and have another content: their generator does not repeat itself.
        seconds: its duration.
        queued: messages still in the queue at its end, waiting or in flight.
        broken: generators that were skipped.
        problems: why nothing was sent for some generators.
        dead_letters: dead letters that were filed in the bucket.
        early: why it ended early; None where it did not.
        costs: what it took, beside what was estimated; None where nobody measured.
    """

    messages: int = 0
    rounds: int = 0
    samples: int = 0
    restored: int = 0
    made_anew: int = 0
    seconds: float = 0.0
    queued: int = Field(default=0, description="Messages still in the queue, waiting or in flight")
    broken: tuple[Broken, ...] = ()
    problems: tuple[str, ...] = Field(default=(), description="Why nothing was sent for a generator")
    dead_letters: tuple[DeadLetterTally, ...] = ()
    early: EndedEarly | None = None
    costs: RunCosts | None = None

    @property
    def remarks(self) -> list[str]:
        """Notes besides the counts, a line each."""
        lines = [f"{self.early}."] if self.early else []
        if self.costs:
            lines.append(self.costs.line)
        if self.restored or self.made_anew:
            lines.append(
                f"Of samples that were there before, {self.restored:,} were restored with the same content and "
                f"{self.made_anew:,} were made anew with another."
            )
        if self.queued:
            lines.append(f"{self.queued:,} messages are still in the queue; the next run waits for them.")
        if self.dead_letters:
            lines.append(f"Dead letters that were filed in the bucket: {self._causes}.")
        lines += self._lost
        lines += [f"{str(broken).rstrip('.')}." for broken in self.broken[:_BROKEN_SHOWN]]
        if (more := len(self.broken) - _BROKEN_SHOWN) > 0:
            lines.append(f"{more:,} more generators were skipped.")
        lines += [f"{problem.rstrip('.')}." for problem in self.problems[:_BROKEN_SHOWN]]
        if (more := len(self.problems) - _BROKEN_SHOWN) > 0:
            lines.append(f"For {more:,} more generators nothing was sent, as records could not be read.")
        return lines

    @property
    def _lost(self) -> list[str]:
        """Generators whose workers were lost without a record, with what is known of the latest."""
        lost = [tally for tally in self.dead_letters if tally.detail]
        lines = [
            f"{tally.generator}: {tally.count:,} {tally.cause}; of the latest: {tally.detail}."
            for tally in lost[:_BROKEN_SHOWN]
        ]
        if (more := len(lost) - _BROKEN_SHOWN) > 0:
            lines.append(f"Workers of {more:,} more generators were lost.")
        return lines

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds if self.seconds else 0.0

    @property
    def _causes(self) -> str:
        """Dead letters by cause, the most frequent first."""
        causes: Counter[Cause] = Counter()
        for tally in self.dead_letters:
            causes[tally.cause] += tally.count
        return ", ".join(f"{count:,} {cause}" for cause, count in causes.most_common())
