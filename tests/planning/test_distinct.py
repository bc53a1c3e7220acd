"""Receipts tell how many samples differ, and few enough of them are read."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.core.models import Receipt, TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.distinct import Distinct, count_distinct, to_look_at
from vbvrdatafactory.planning.evidence import SuccessRecord

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
G = "G-1_x"


def receipt(digests: dict[int, str]) -> Receipt:
    return Receipt(
        message=TaskMessage(type=G, num_samples=10),
        seed=1,
        stored=[IndexRange(0, 10)],
        digests=digests,
        result=TaskResult(generator=G, samples_uploaded=10, sample_ids=[]),
        attempt=1,
        generator_digest="d",
        finished_at=NOON,
    )


def runs(count: int, size: int = 10) -> list[SuccessRecord]:
    """So many runs, one after the other, the latest first."""
    made = [
        SuccessRecord(ReceiptKey(G, IndexRange(n * size, (n + 1) * size), 0), NOON + timedelta(seconds=n))
        for n in range(count)
    ]
    return made[::-1]


def test_repeats_are_counted_within_and_across_batches() -> None:
    """Twenty samples of which ten are the other ten again, and two of those the same."""
    half = {n: f"d{n % 9}" for n in range(10)}
    seen = count_distinct([receipt(half), receipt({n + 10: d for n, d in half.items()})], 20, 2)
    assert seen == Distinct(distinct=9, known=20, looked_at=2, receipts=2)
    assert (str(seen), seen.repeats) == ("9 of 20", True)


def test_of_an_index_the_latest_receipt_counts() -> None:
    """A sample that was made again is not told from its predecessor, but instead of it."""
    seen = count_distinct([receipt({0: "new"}), receipt({0: "old", 1: "other"})], 20, 2)
    assert (seen.distinct, seen.known) == (2, 2)


def test_samples_beyond_the_plan_do_not_count() -> None:
    """A stray's repeat is no repeat of the dataset's."""
    assert count_distinct([receipt({9: "a", 10: "a"})], 10, 1).known == 1


def test_receipts_without_digests_know_nothing() -> None:
    """Older ones have none: nothing is known, and nothing said to repeat."""
    seen = count_distinct([receipt({})], 10, 1)
    assert (str(seen), seen.repeats) == ("-", False)


@given(st.integers(0, 500), st.integers(1, 400), st.integers(1, 2000))
def test_what_is_looked_at_is_bounded_and_spread(count: int, generators: int, samples: int) -> None:
    """At most 200 receipts of a generator and 6,000 in all, the first planned one among them, at even distances."""
    chosen = to_look_at(runs(count), samples, generators)
    planned = min(count, -(-samples // 10))
    assert len(chosen) == min(planned, 200, max(1, 6000 // generators))
    assert [run.at for run in chosen] == sorted((run.at for run in chosen), reverse=True)
    starts = sorted(run.key.indices.start // 10 for run in chosen)
    assert starts[:1] == [0][:planned]
    steps = {later - earlier for earlier, later in pairwise(starts)}
    assert not steps or max(steps) - min(steps) <= 1


def test_generators_add_up() -> None:
    """Samples of two generators are never each other's repeats."""
    one = Distinct(distinct=3, known=4, looked_at=1, receipts=2)
    assert one.and_of(one) == Distinct(distinct=6, known=8, looked_at=2, receipts=4)
