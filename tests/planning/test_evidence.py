"""Receipts and failure records, read from their names and times alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.evidence import Evidence

FIRST = IndexRange(0, 25)


def at(minute: int) -> datetime:
    return datetime(2026, 1, 15, tzinfo=UTC) + timedelta(minutes=minute)


def receipt(minute: int, indices: IndexRange = FIRST, salt: int = 0) -> tuple[str, datetime]:
    return keys.receipt(keys.ReceiptKey("G", indices, salt)), at(minute)


def failure(
    minute: int, indices: IndexRange = FIRST, salt: int = 0, attempt: int = 1
) -> tuple[str, datetime]:
    return keys.failure(keys.FailureKey("G", indices, salt, attempt, Cause.CRASH)), at(minute)


def test_runs_come_latest_first() -> None:
    """The latest run is the one whose samples are there now."""
    evidence = Evidence([receipt(1), receipt(3, IndexRange(5, 6), 1), receipt(2, IndexRange(25, 50))])
    assert [made.key.indices.start for made in evidence.runs("G")] == [5, 25, 0]


def test_a_later_receipt_makes_a_failure_good() -> None:
    """Two attempts failed and the third did it: nothing failed."""
    assert Evidence([failure(1, attempt=1), failure(2, attempt=2), receipt(3)]).failures("G") == []


def test_a_failure_after_the_receipt_counts() -> None:
    """The run went well once, but its replay did not."""
    evidence = Evidence([receipt(1), failure(2)])
    assert [failed.at for failed in evidence.failures("G")] == [at(2)]


def test_only_the_same_run_makes_a_failure_good() -> None:
    """Another salt or another piece that went well says nothing about this run."""
    evidence = Evidence([failure(1), receipt(2, salt=1), receipt(3, IndexRange(0, 12))])
    assert len(evidence.failures("G")) == 1


def test_other_keys_are_no_evidence() -> None:
    """Reports, specs and strangers' files among the records are passed over; so are other generators."""
    evidence = Evidence([("_datafactory/receipts/G/readme.txt", at(1)), receipt(1), failure(2)])
    assert (len(evidence.runs("G")), evidence.runs("H"), evidence.failures("H")) == (1, [], [])


@given(
    st.permutations(
        [receipt(1), failure(2), failure(3, salt=1), receipt(4, salt=1), receipt(5, IndexRange(3, 4))]
    )
)
def test_the_order_of_the_listing_does_not_matter(listing: list[tuple[str, datetime]]) -> None:
    """Times decide, not positions."""
    evidence = Evidence(listing)
    assert [made.at for made in evidence.runs("G")] == [at(5), at(4), at(1)]
    assert [failed.at for failed in evidence.failures("G")] == [at(2)]


def test_runs_that_ended_since_are_counted_once_each() -> None:
    """Attempts at one run are one; what a later receipt made good is made; what ended before is left out."""
    evidence = Evidence(
        [
            receipt(1),
            receipt(5, IndexRange(25, 50)),
            failure(2, salt=1),
            failure(5, IndexRange(50, 75), attempt=1),
            failure(6, IndexRange(50, 75), attempt=2),
            failure(4, IndexRange(25, 50)),
        ]
    )
    assert evidence.outcomes(at(4)) == (1, 1)
    assert evidence.outcomes(at(0)) == (2, 2)
    assert [failed.at for failed in evidence.failed_since(at(4))] == [at(6)]


def test_the_last_failure_of_a_run_is_known_even_if_it_was_made_good() -> None:
    """A letter of it may lie in the queue still."""
    evidence = Evidence([failure(1), failure(2, attempt=2), receipt(3)])
    assert evidence.last_failure("G", FIRST, 0).at == at(2)
    assert evidence.last_failure("G", FIRST, 1) is None


def test_of_a_receipt_and_a_failure_of_one_second_the_receipt_counts() -> None:
    """The bucket's clock has whole seconds: an attempt that failed in the very second did not undo what was made."""
    evidence = Evidence([receipt(1), failure(1)])
    assert evidence.failures("G") == []
    assert evidence.newest("G") == evidence.runs("G")[0]
    assert evidence.outcomes(at(1)) == (1, 0)


@given(st.permutations([receipt(2), failure(2, IndexRange(25, 50)), failure(2, IndexRange(50, 75), salt=1)]))
def test_failures_in_the_second_of_the_last_receipt_are_not_since_it(
    listing: list[tuple[str, datetime]],
) -> None:
    """Nobody knows which came first; a generator that made something in that second is not broken by them."""
    evidence = Evidence(listing)
    assert evidence.since_last_made("G") == []
    assert evidence.newest("G") == evidence.runs("G")[0]
    assert len(evidence.failures("G")) == 2


def test_what_ended_in_the_second_asked_for_counts_as_since() -> None:
    """A run's own first results may bear the second in which it took the lease."""
    evidence = Evidence([receipt(4), failure(4, IndexRange(25, 50)), failure(3, IndexRange(50, 75))])
    assert evidence.outcomes(at(4)) == (1, 1)
    assert [failed.key.indices.start for failed in evidence.failed_since(at(4))] == [25]


def test_a_batch_made_under_two_seeds_has_two_receipts_and_is_one_run() -> None:
    """Both tell how samples were made, the latest first; the batch is counted once, and its failure was made good."""
    one, other = (keys.receipt(keys.ReceiptKey("G", FIRST, 0, seed)) for seed in (7, 42))
    evidence = Evidence([(one, at(3)), (other, at(1)), failure(2)])
    assert [made.key.seed for made in evidence.runs("G")] == [7, 42]
    assert evidence.outcomes(at(0)) == (1, 0)
    assert evidence.failures("G") == []


def test_of_attempts_in_one_second_the_later_attempt_is_the_last() -> None:
    """S3 tells whole seconds: a number of an attempt says which came after which."""
    evidence = Evidence([failure(1, attempt=2), failure(1, attempt=1)])
    assert evidence.last_failure("G", FIRST, 0).key.attempt == 2
    assert [failed.key.attempt for failed in evidence.failures("G")] == [1, 2]


def started(minute: int, attempt: int, indices: IndexRange = FIRST, salt: int = 0) -> tuple[str, datetime]:
    return keys.started(keys.StartedKey("G", indices, salt, attempt)), at(minute)


@pytest.mark.parametrize(
    ("listing", "lost"),
    [
        ([started(5, 2)], 2),
        ([started(5, 2), receipt(6)], 1),
        ([started(5, 2), started(9, 3)], 3),
        ([failure(4), started(5, 2), receipt(6)], 0),
        ([failure(4), started(5, 2), failure(6, attempt=2)], 0),
        ([failure(4), started(5, 2), started(9, 3), receipt(10)], 1),
        ([receipt(1), started(5, 2)], 2),
        ([failure(7, attempt=3), started(5, 2)], 2),
        ([failure(4)], 0),
        ([started(1, 2)], 0),
    ],
)
def test_attempts_that_left_no_word_of_their_end_are_lost(
    listing: list[tuple[str, datetime]], lost: int
) -> None:
    """An attempt that began from the second on says how many there were; those with a record of their end are none of them."""
    assert Evidence(listing).lost("G", since=at(2)) == [FIRST] * lost


def test_each_run_has_its_own_lost_attempts() -> None:
    """Of another piece, or under another salt, an attempt that ended says nothing about this one."""
    evidence = Evidence(
        [
            started(5, 2),
            failure(4, salt=1),
            receipt(6, IndexRange(25, 50)),
            started(5, 2, IndexRange(25, 50)),
        ]
    )
    assert evidence.lost("G", at(0)) == [FIRST, FIRST, IndexRange(25, 50)]
    assert evidence.lost("H", at(0)) == []
