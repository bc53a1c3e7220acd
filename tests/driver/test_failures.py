"""Why a generator made nothing: by its records since the run began, else by its dead letters."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from vbvrdatafactory.control.circuit_breaker import FailureSummary
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.driver.dead_letters import DeadLetterCounts
from vbvrdatafactory.driver.failures import describe_broken, summarize
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.evidence import FailedAttempt
from vbvrdatafactory.s3 import records
from vbvrdatafactory.testing import InMemoryAws

G, OTHER = "G-1_x", "G-2_y"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def fail(
    cloud: InMemoryAws, generator: str, cause: Cause, start: int = 0, detail: str = "it fell"
) -> keys.FailureKey:
    key = keys.FailureKey(generator, IndexRange(start, start + 10), 0, 1, cause)
    record = FailureRecord(
        message=None,
        cause=cause,
        detail=detail,
        stderr_tail="Traceback\nValueError: no font",
        attempt=1,
        failed_at=LONG_AGO,
    )
    records.write(cloud.store, keys.failure(key), record)
    return key


def explain(
    *generators: str, letters: DeadLetterCounts | None = None, since: datetime = LONG_AGO
) -> dict[str, FailureSummary]:
    plan = SimpleNamespace(spec=SimpleNamespace(prefix=""))
    run = SimpleNamespace(guard=SimpleNamespace(since=since), dataset="d", plan=plan)
    return summarize(Services(config), run, generators, letters or DeadLetterCounts())


def test_the_one_cause_of_all_failures_is_why(cloud: InMemoryAws) -> None:
    """Each generator by its own records; the latest failure comes with it."""
    fail(cloud, G, Cause.CRASH)
    fail(cloud, G, Cause.CRASH, start=10)
    fail(cloud, OTHER, Cause.MEMORY)
    found = explain(G, OTHER)
    assert {name: why.cause for name, why in found.items()} == {G: Cause.CRASH, OTHER: Cause.MEMORY}
    assert found[OTHER].failed.key.generator == OTHER


def test_several_causes_are_no_cause(cloud: InMemoryAws) -> None:
    """They have nothing in common to name."""
    fail(cloud, G, Cause.CRASH)
    fail(cloud, G, Cause.DEADLINE, start=10)
    assert explain(G)[G].cause is None


def test_failures_of_an_earlier_run_do_not_count(cloud: InMemoryAws) -> None:
    """What failed before the lock was taken may have been mended since."""
    fail(cloud, G, Cause.CRASH)
    assert explain(G, since=datetime.now(UTC) + timedelta(hours=1)) == {G: FailureSummary(None, None)}


def test_where_no_record_is_a_lost_worker_is_why(cloud: InMemoryAws) -> None:
    """SQS gave its messages up without a word, and the dead letters say so; of that generator alone."""
    letters = DeadLetterCounts({(G, Cause.WORKER_LOST): 2, (OTHER, Cause.CRASH): 1})
    assert explain(G, OTHER, letters=letters) == {
        G: FailureSummary(Cause.WORKER_LOST),
        OTHER: FailureSummary(None, None),
    }


def test_a_record_says_more_than_a_letter(cloud: InMemoryAws) -> None:
    """A failure that was written down is why, whatever else was lost."""
    fail(cloud, G, Cause.CRASH)
    assert explain(G, letters=DeadLetterCounts({(G, Cause.WORKER_LOST): 1}))[G].cause is Cause.CRASH


def test_a_generator_that_is_given_up_is_described_by_its_latest_failure(cloud: InMemoryAws) -> None:
    """Its cause, and what its record says with the last line of stderr."""
    key = fail(cloud, G, Cause.CRASH)
    broken = describe_broken(cloud.store, G, FailureSummary(Cause.CRASH, FailedAttempt(key, LONG_AGO)))
    assert (broken.generator, broken.cause, broken.detail) == (G, Cause.CRASH, "it fell: ValueError: no font")


@pytest.mark.parametrize("cause", [None, Cause.WORKER_LOST])
def test_without_a_record_there_is_nothing_to_quote(cloud: InMemoryAws, cause: Cause | None) -> None:
    """The cause stands alone."""
    broken = describe_broken(cloud.store, G, FailureSummary(cause))
    assert (broken.cause, broken.detail) == (cause, "")
