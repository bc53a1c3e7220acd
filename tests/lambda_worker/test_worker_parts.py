"""The small parts of `datafactory worker`: what it hears of failures, its patience, and what a machine can take."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from lambda_worker.pull import host
from lambda_worker.pull.outage import is_away, pause
from lambda_worker.pull.outcome import Ear, Outcome

GB = 1024**3
RECORD = {"messageId": "m-1"}


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def handlers_log(ear: Ear) -> Iterator[logging.Logger]:
    log = logging.getLogger("a handler")
    log.setLevel(logging.INFO)
    log.addFilter(ear)
    yield log
    log.removeFilter(ear)


def test_a_failure_is_heard(ear, handlers_log, caplog) -> None:
    """What the handler says of a failure becomes the outcome, instead of a second line in the log."""
    caplog.set_level(logging.INFO)

    def deliver() -> bool:
        handlers_log.info("began")
        handlers_log.warning("attempt %d of message %s: %s", 2, "m-1", "crash: no font")
        return True

    assert ear.outcome_of(RECORD, deliver) == Outcome(delete=True, failure="attempt 2: crash: no font")
    assert [record.getMessage() for record in caplog.records] == ["began"]


def test_an_exception_is_heard_in_short(ear, handlers_log) -> None:
    """Of an exception its type and text are told, without the pages that obstore adds."""

    def deliver() -> bool:
        error = OSError("no route\n\nDebug source:\nGeneric {")
        handlers_log.error("attempt 1", exc_info=error)
        return False

    assert ear.outcome_of(RECORD, deliver).failure == "attempt 1: OSError: no route"


def test_other_threads_are_not_heard(ear, handlers_log) -> None:
    """A failure counts for the batch whose thread said it, and for no other."""

    def deliver() -> bool:
        other = threading.Thread(target=handlers_log.warning, args=("another batch failed",))
        other.start()
        other.join()
        return True

    assert ear.outcome_of(RECORD, deliver) == Outcome(delete=True)


def test_a_message_left_without_a_word_is_a_failure(ear) -> None:
    """A delivery that is to come again counts as failed even where the handler said nothing."""
    assert ear.outcome_of(RECORD, lambda: False).failure


def test_pauses_grow_and_differ() -> None:
    """Pauses grow to half a minute, and two workers do not come back in step."""
    assert pause(0) <= 0.5 < pause(4) <= 8
    assert 15 <= pause(1000) <= 30
    assert pause(50) != pause(50)


@pytest.mark.parametrize(
    ("status", "away"), [(500, True), (503, True), (429, True), (400, False), (403, False), (404, False)]
)
def test_who_is_to_blame(status: int, away: bool) -> None:
    """A service that fails by itself is away; one that refuses tells of settings, which waiting does not cure."""
    answer = {"Error": {"Code": "?"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert is_away(ClientError(answer, "ReceiveMessage")) is away


def test_no_answer_is_away_and_no_credentials_is_not() -> None:
    """An endpoint that can't be reached may come back; credentials that are not there do not."""
    assert is_away(EndpointConnectionError(endpoint_url="https://sqs"))
    assert not is_away(NoCredentialsError())


def test_memory_bounds_the_batches() -> None:
    """A machine with many cores and little memory takes as many batches as fit, and always one."""
    assert host.batches_at_a_time(64, 16 * GB) == 10
    assert host.batches_at_a_time(4, 16 * GB) == 4
    assert host.batches_at_a_time(64, GB // 2) == 1


def test_a_container_counts_its_own_share(tmp_path: Path) -> None:
    """In a container the quota of its control group counts, not what the machine has."""
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text(f"{GB}\n")
    (tmp_path / "memory.current").write_text(f"{GB // 4}\n")
    assert host.usable_cores(tmp_path) == 0.5
    assert host.usable_memory(tmp_path) == GB * 3 // 4


def test_without_a_quota_the_machine_counts(tmp_path: Path) -> None:
    """Without a quota, or without control groups at all, the machine's own cores and memory count."""
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert host.usable_cores(tmp_path) == host.usable_cores(tmp_path / "none") >= 1
    assert host.usable_memory(tmp_path) > 0
