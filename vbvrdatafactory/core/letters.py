"""Why a message was given up, as far as anybody wrote it down."""

from collections import Counter
from typing import NamedTuple

from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.models import Cause, TaskMessage

# More than so many generators and causes are only counted.
_ROWS = 20


def cause_of(message: TaskMessage, said: str, evidence: Evidence) -> Cause:
    """What the worker `said` when it gave the message up, else the last failure record of its batch.

    A message that SQS gave up and nobody recorded was lost with its worker, three times over.
    """
    if said in set(Cause):
        return Cause(said)
    failed = evidence.last_failure(message.type, message.indices, message.salt)
    return failed.key.cause if failed else Cause.WORKER_LOST


class Redriven(NamedTuple):
    """Dead letters that went back to the task queue, or would have: (generator, cause) -> how many."""

    tally: Counter[tuple[str, Cause]]
    dry_run: bool

    def __str__(self) -> str:
        total, generators = self.tally.total(), len({generator for generator, _ in self.tally})
        if not total:
            return "No dead letter matches; none was moved."
        moved = "would go" if self.dry_run else "went"
        return f"{total:,} dead letters of {generators:,} generators {moved} back to the task queue. {_rows(self.tally)}"


def describe(tally: Counter[tuple[str, Cause]]) -> str:
    """Dead letters for a log: how many, and of whom and why, the most first."""
    return f"{tally.total():,} dead letters: {_rows(tally)}"


def _rows(tally: Counter[tuple[str, Cause]]) -> str:
    rows = "; ".join(f"{g}: {count:,} {cause}" for (g, cause), count in tally.most_common(_ROWS))
    more = len(tally) - _ROWS
    return rows + (f"; and {more:,} more" if more > 0 else "")
