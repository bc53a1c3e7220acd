"""Why a message became a dead letter, from its attributes and the failure records."""

from collections import Counter
from datetime import datetime
from typing import NamedTuple

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.records import StartedRecord
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt, StartedAttempt

# Further generators and causes are only counted.
_ROWS = 20


class DeadLetterDiagnosis(NamedTuple):
    """Why a message became a dead letter.

    Args:
        cause: why.
        failed: the last failure record of its batch.
        made_since: whether the batch has succeeded since.
        started: of a batch whose worker was lost, the latest attempt that is known to have begun.
    """

    cause: Cause
    failed: FailedAttempt | None = None
    made_since: bool = False
    started: StartedAttempt | None = None


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
    cause, run = attached or on_record, (message.type, message.indices, message.salt)
    started = evidence.last_started(*run) if cause is Cause.WORKER_LOST else None
    return DeadLetterDiagnosis(cause, failed, evidence.is_made(*run), started)


def describe_lost(
    started: StartedAttempt | None,
    record: StartedRecord | None = None,
    *,
    receives: int = 0,
    sent: datetime | None = None,
    first_received: datetime | None = None,
) -> str:
    """What is known of a batch whose worker was lost each time, for a person.

    Args:
        started: the latest attempt that is known to have begun.
        record: its record.
        receives: how often the message was received; 0 where that is not known.
        sent: when the message was sent.
        first_received: when it was received first.
    """
    known = [
        "no worker said why: it was killed, or ran out of memory or of the function's time",
        f"received {format_count(receives, 'time')}, reads of the dead letter queue included"
        if receives
        else "",
        f"sent {_shown(sent)}" if sent else "",
        f"first received {_shown(first_received)}" if first_received else "",
        _where(started, record) if started else "no second attempt is on record",
    ]
    return "; ".join(filter(None, known))


def _where(started: StartedAttempt, record: StartedRecord | None) -> str:
    where = f" on {record.worker}" if record else f", see {keys.started(started.key)}"
    stream = f", log stream {record.log_stream}" if record and record.log_stream else ""
    return f"attempt {started.key.attempt} began {_shown(started.at)}{where}{stream}"


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


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
