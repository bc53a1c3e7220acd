"""Why messages were given up."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.letters import Redriven, cause_of, describe
from vbvrdatafactory.core.models import Cause, TaskMessage

MESSAGE = TaskMessage(type="G", num_samples=10, start_index=20, salt=1)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def failure(minute: int, cause: Cause, salt: int = 1) -> tuple[str, datetime]:
    key = keys.FailureKey("G", MESSAGE.indices, salt, minute, cause)
    return keys.failure(key), NOON + timedelta(minutes=minute)


def test_the_worker_knows_best() -> None:
    """What it said as it gave the message up goes before any record."""
    evidence = Evidence([failure(1, Cause.UPLOAD)])
    assert cause_of(MESSAGE, "memory", evidence) is Cause.MEMORY


def test_a_letter_of_sqs_is_explained_by_the_records_of_its_batch() -> None:
    """The last attempt's cause counts; another salt's says nothing."""
    evidence = Evidence(
        [failure(1, Cause.UPLOAD), failure(2, Cause.UNKNOWN_GENERATOR), failure(3, Cause.DISK, salt=0)]
    )
    assert cause_of(MESSAGE, "", evidence) is Cause.UNKNOWN_GENERATOR


def test_a_letter_without_a_record_was_lost_with_its_worker() -> None:
    """Nobody lived to write one."""
    assert cause_of(MESSAGE, "", Evidence()) is Cause.WORKER_LOST


def test_a_cause_that_is_none_is_not_believed() -> None:
    """Anybody may send a message with attributes."""
    assert cause_of(MESSAGE, "bad luck", Evidence()) is Cause.WORKER_LOST


def test_what_went_back_is_told_by_generator_and_cause() -> None:
    """The total first, then the most frequent."""
    tally = Counter({("G", Cause.CRASH): 3, ("H", Cause.DISK): 1200})
    assert str(Redriven(tally, dry_run=False)) == (
        "1,203 dead letters of 2 generators went back to the task queue. H: 1,200 disk; G: 3 crash"
    )
    assert "would go back" in str(Redriven(tally, dry_run=True))
    assert str(Redriven(Counter(), dry_run=False)) == "No dead letter matches; none was moved."


def test_a_log_counts_letters_and_does_not_list_them() -> None:
    """However many generators have dead letters, the log has one line with the most frequent of them."""
    tally = Counter({(f"G-{number}", Cause.CRASH): number for number in range(1, 301)})
    line = describe(tally)
    assert line.startswith("45,150 dead letters: G-300: 300 crash; G-299: 299 crash")
    assert line.endswith("; and 280 more")
