"""The circuit breaker: which generators get probes first, and which are given up."""

from datetime import UTC, datetime, timedelta

import pytest

from vbvrdatafactory.control.circuit_breaker import (
    CircuitBreaker,
    FailureSummary,
    first_portion,
    probes,
    summarize_failures,
)
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap, Gaps

START = datetime(2026, 1, 15, tzinfo=UTC)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def receipt(minute: int, start: int = 0, salt: int = 0) -> tuple[str, datetime]:
    return keys.receipt(keys.ReceiptKey("G", IndexRange(start, start + 10), salt)), at(minute)


def failure(minute: int, cause: Cause, start: int = 0, salt: int = 0) -> tuple[str, datetime]:
    key = keys.FailureKey("G", IndexRange(start, start + 10), salt, 1, cause)
    return keys.failure(key), at(minute)


def gaps(**lacking: int) -> Gaps:
    return Gaps(Gap(name, (IndexRange(0, count),)) for name, count in lacking.items())


def test_a_generator_that_nobody_knows_is_probed() -> None:
    """Two messages are tried of one without any record."""
    assert probes(Evidence(), "G") == 2


def test_a_generator_whose_latest_record_is_a_receipt_is_proven() -> None:
    """What failed before does not matter then, and neither does which of two records of one second is named first."""
    assert probes(Evidence([failure(1, Cause.CRASH), receipt(2, start=10)]), "G") is None
    assert probes(Evidence([failure(2, Cause.CRASH), receipt(2, start=10)]), "G") is None


def test_a_generator_that_failed_since_is_probed_again() -> None:
    """A receipt of old is no proof once it failed."""
    assert probes(Evidence([receipt(1), failure(2, Cause.CRASH, start=10)]), "G") == 2


@pytest.mark.parametrize("cause", [Cause.MISSING_DEPENDENCY, Cause.UNKNOWN_GENERATOR, Cause.DISK])
def test_a_generator_broken_for_good_is_reopened_by_one_probe(cause: Cause) -> None:
    """Where another seed would not have helped, one message shows whether it was mended."""
    evidence = Evidence([receipt(1, start=50), failure(2, cause), failure(3, cause, start=10)])
    assert probes(evidence, "G") == 1


def test_a_generator_that_failed_under_two_salts_is_reopened_by_one_probe() -> None:
    """So does one that failed two rounds running for one reason; after one round it gets two more chances."""
    first_round = [failure(1, Cause.CRASH), failure(1, Cause.CRASH, start=10)]
    assert probes(Evidence(first_round), "G") == 2
    assert probes(Evidence([*first_round, failure(2, Cause.CRASH, salt=1)]), "G") == 1


def test_different_causes_are_no_broken_generator() -> None:
    """Failures that differ may have to do with luck."""
    evidence = Evidence([failure(1, Cause.DISK), failure(2, Cause.CRASH, start=10)])
    assert probes(evidence, "G") == 2


@pytest.mark.parametrize(
    ("cause", "is_final"),
    [
        (Cause.MISSING_DEPENDENCY, True),
        (Cause.UNKNOWN_GENERATOR, True),
        (Cause.INVALID_MESSAGE, True),
        (Cause.DISK, True),
        (Cause.CRASH, False),
        (Cause.DEADLINE, False),
        (Cause.UPLOAD, False),
        (Cause.WORKER_LOST, False),
    ],
)
def test_what_neither_seed_nor_time_cures_is_final(cause: Cause, is_final: bool) -> None:
    """A crash may be one seed's, an upload the network's; a missing dependency stays missing."""
    assert summarize_failures(Evidence([failure(1, cause)]), "G", START).is_final is is_final


def test_a_setback_is_about_this_run_and_since_the_last_receipt() -> None:
    """What failed before the run began, or before the generator last made something, is not why it makes nothing."""
    evidence = Evidence(
        [failure(1, Cause.CRASH), receipt(2, start=20), failure(3, Cause.MEMORY), failure(5, Cause.DISK, 10)]
    )
    assert summarize_failures(evidence, "G", START).cause is None
    assert summarize_failures(evidence, "G", at(4)).cause is Cause.DISK
    assert summarize_failures(evidence, "G", at(9)) == FailureSummary(None, None)


def test_a_retried_batch_is_one_failure_by_its_last_attempt() -> None:
    """Three attempts at one batch that ended otherwise each count as the last of them."""
    three = [
        (keys.failure(keys.FailureKey("G", IndexRange(0, 10), 0, n, cause)), at(n))
        for n, cause in ((1, Cause.UPLOAD), (2, Cause.UPLOAD), (3, Cause.DISK))
    ]
    assert summarize_failures(Evidence(three), "G", START).cause is Cause.DISK


@pytest.mark.parametrize(
    ("count", "sent", "held"), [(0, 0, False), (4, 4, False), (5, 2, True), (400, 2, True)]
)
def test_probes_come_first_where_there_are_many(count: int, sent: int, held: bool) -> None:
    """A handful of messages goes at once: waiting for two of them would be no gain."""
    portion, held_back = first_portion(range(count), 2)
    assert (list(portion), held_back) == (list(range(sent)), held)


def test_only_as_many_messages_are_made_as_are_needed() -> None:
    """Holding back does not make all of a million messages first."""
    made = []
    portion, _ = first_portion((made.append(n) or n for n in range(1000)), 2)
    assert (list(portion), len(made)) == ([0, 1], 5)


def test_a_proven_generator_gets_all() -> None:
    """Without probes nothing is held back."""
    portion, held_back = first_portion(range(9), None)
    assert (len(list(portion)), held_back) == (9, False)


def test_a_missing_dependency_breaks_a_generator_at_once() -> None:
    """It is given up after one round, the others are tried again."""
    circuit = CircuitBreaker()
    given_up = circuit.learn(
        {"G": FailureSummary(Cause.MISSING_DEPENDENCY), "H": FailureSummary(Cause.CRASH)}
    )
    assert list(given_up) == ["G"]
    assert [gap.generator for gap in circuit.worth_trying(gaps(G=10, H=10, I=1))] == ["H", "I"]


def test_a_generator_that_stands_still_twice_is_given_up() -> None:
    """After two rounds without one new sample a generator is not asked again, whatever the cause."""
    circuit = CircuitBreaker()
    assert circuit.learn({"G": FailureSummary(None)}) == {}
    assert circuit.learn({"G": FailureSummary(Cause.CRASH)}) == {"G": FailureSummary(Cause.CRASH)}
    assert circuit.worth_trying(gaps(G=10)) == []


def test_one_new_sample_earns_another_chance() -> None:
    """Rounds without progress count only when they follow each other, and a sample proves a generator."""
    circuit = CircuitBreaker()
    circuit.learn({"G": FailureSummary(Cause.CRASH)})
    rest = circuit.progressed(gaps(G=10), gaps(G=9))
    assert [gap.samples for gap in rest] == [9]
    assert circuit.learn({"G": FailureSummary(Cause.CRASH)}) == {}
    assert circuit.proven == {"G"}


def test_what_stood_still_and_what_moved_are_told_apart() -> None:
    """A generator that became complete has moved and lacks nothing; one that lacks as much stood still."""
    circuit = CircuitBreaker()
    tried, after = [*gaps(done=5, moved=5, still=5)], gaps(moved=2, still=5)
    assert [gap.generator for gap in circuit.progressed(tried, after)] == ["moved"]
    assert [gap.generator for gap in circuit.stood_still(tried, after)] == ["still"]
    assert circuit.proven == {"done", "moved"}
