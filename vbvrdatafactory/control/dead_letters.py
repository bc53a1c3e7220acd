"""Why a message became a dead letter, from its attributes and the failure records."""

from collections import Counter
from typing import NamedTuple

from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.core.models import Cause, TaskMessage
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt

# Further generators and causes are only counted.
_ROWS = 20


class DeadLetterDiagnosis(NamedTuple):
    """Why a message became a dead letter.

    Args:
        cause: why.
        failed: the last failure record of its batch.
        made_since: whether the batch has succeeded since.
    """

    cause: Cause
    failed: FailedAttempt | None = None
    made_since: bool = False


def diagnose_dead_letter(
    message: TaskMessage | None, attribute: str, evidence: Evidence
) -> DeadLetterDiagnosis:
    """The cause that the worker attached to the message, else that of the last failure record of its batch.

    A message without either was moved by SQS after its last receive: its worker was lost each time.

    Args:
        message: the batch; None where the body is no valid message.
        attribute: the message attribute ``cause``; empty where there is none.
        evidence: the records of the generator.
    """
    attached = Cause(attribute) if attribute in set(Cause) else None
    if message is None:
        return DeadLetterDiagnosis(attached or Cause.INVALID_MESSAGE)
    failed = evidence.last_failure(message.type, message.indices, message.salt)
    on_record = failed.key.cause if failed else Cause.WORKER_LOST
    return DeadLetterDiagnosis(
        attached or on_record, failed, evidence.is_made(message.type, message.indices, message.salt)
    )


class RedriveSummary(NamedTuple):
    """Dead letters that were moved back to the task queue, or would have been.

    Args:
        tally: (generator, cause) -> how many.
        dry_run: whether they were only counted.
        equal: how many more with an equal body were deleted with them, and not sent.
        kept: how many stay in the dead letter queue.
    """

    tally: Counter[tuple[str, Cause]]
    dry_run: bool
    equal: int = 0
    kept: int = 0

    def __str__(self) -> str:
        total, generators = self.tally.total(), len({generator for generator, _ in self.tally})
        if not total:
            return "No dead letter matches; none was moved."
        moved = "would go" if self.dry_run else "went"
        with_them = f", and {self.equal:,} equal ones with them" if self.equal else ""
        return (
            f"{format_count(total, 'dead letter')} of {format_count(generators, 'generator')} {moved} back to the task queue{with_them}. "
            f"{_rows(self.tally)}"
        )


def describe(tally: Counter[tuple[str, Cause]]) -> str:
    """Dead letters for a log: how many, then by generator and cause, the most frequent first."""
    return f"{format_count(tally.total(), 'dead letter')}: {_rows(tally)}"


def _rows(tally: Counter[tuple[str, Cause]]) -> str:
    rows = "; ".join(f"{g}: {count:,} {cause}" for (g, cause), count in tally.most_common(_ROWS))
    more = len(tally) - _ROWS
    return rows + (f"; and {more:,} more" if more > 0 else "")
