"""Why messages were given up."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from vbvrdatafactory.control.dead_letters import RedriveSummary, describe, diagnose_dead_letter
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.planning.evidence import Evidence

MESSAGE = TaskMessage(type="G", num_samples=10, start_index=20, salt=1)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def failure(minute: int, cause: Cause, salt: int = 1) -> tuple[str, datetime]:
    key = keys.FailureKey("G", MESSAGE.indices, salt, minute, cause)
    return keys.failure(key), NOON + timedelta(minutes=minute)


def test_the_worker_knows_best() -> None:
    """What it said as it gave the message up goes before any record."""
    evidence = Evidence([failure(1, Cause.UPLOAD)])
    assert diagnose_dead_letter(MESSAGE, "memory", evidence).cause is Cause.MEMORY


def test_a_letter_of_sqs_is_explained_by_the_records_of_its_batch() -> None:
    """The last attempt's cause counts; another salt's says nothing."""
    evidence = Evidence(
        [failure(1, Cause.UPLOAD), failure(2, Cause.UNKNOWN_GENERATOR), failure(3, Cause.DISK, salt=0)]
    )
    assert diagnose_dead_letter(MESSAGE, "", evidence).cause is Cause.UNKNOWN_GENERATOR


def test_a_letter_without_a_record_was_lost_with_its_worker() -> None:
    """Nobody lived to write one."""
    assert diagnose_dead_letter(MESSAGE, "", Evidence()) == (Cause.WORKER_LOST, None, False, None)


def test_a_cause_that_is_none_is_not_believed() -> None:
    """Anybody may send a message with attributes."""
    assert diagnose_dead_letter(MESSAGE, "bad luck", Evidence()).cause is Cause.WORKER_LOST


def test_what_is_no_message_is_just_that() -> None:
    """Unless the worker said otherwise; a record can't be of it."""
    assert diagnose_dead_letter(None, "", Evidence()).cause is Cause.INVALID_MESSAGE
    assert diagnose_dead_letter(None, "worker-lost", Evidence()).cause is Cause.WORKER_LOST


def test_a_batch_that_was_made_since_is_told() -> None:
    """A receipt of the same run counts if no failure is later than it; another salt's does not."""

    def receipt(minute: int, salt: int = 1) -> tuple[str, datetime]:
        key = keys.receipt(keys.ReceiptKey("G", MESSAGE.indices, salt))
        return key, NOON + timedelta(minutes=minute)

    crash = failure(2, Cause.CRASH)
    for evidence, made in (
        ([crash, receipt(3)], True),
        ([receipt(3)], True),
        ([crash, receipt(1)], False),
        ([crash, receipt(3, salt=0)], False),
        ([crash], False),
    ):
        assert diagnose_dead_letter(MESSAGE, "", Evidence(evidence)).made_since is made


def test_equal_letters_that_went_along_are_told() -> None:
    """The total is that of messages that were sent."""
    assert "1 dead letter of 1 generator went back to the task queue, and 2 equal ones with them. " in str(
        RedriveSummary(Counter({("G", Cause.CRASH): 1}), dry_run=False, equal=2)
    )


def test_what_went_back_is_told_by_generator_and_cause() -> None:
    """The total first, then the most frequent."""
    tally = Counter({("G", Cause.CRASH): 3, ("H", Cause.DISK): 1200})
    assert str(RedriveSummary(tally, dry_run=False)) == (
        "1,203 dead letters of 2 generators went back to the task queue. H: 1,200 disk; G: 3 crash"
    )
    assert "would go back" in str(RedriveSummary(tally, dry_run=True))
    assert str(RedriveSummary(Counter(), dry_run=False)) == "No dead letter matches; none was moved."


def test_a_log_counts_letters_and_does_not_list_them() -> None:
    """However many generators have dead letters, the log has one line with the most frequent of them."""
    tally = Counter({(f"G-{number}", Cause.CRASH): number for number in range(1, 301)})
    line = describe(tally)
    assert line.startswith("45,150 dead letters: G-300: 300 crash; G-299: 299 crash")
    assert line.endswith("; and 280 more")
