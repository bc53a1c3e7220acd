"""The small parts of `datafactory worker`: errors in one line, retries, and what a machine can take."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from lambda_worker.pull import host
from lambda_worker.pull.errors import one_line
from lambda_worker.pull.outage import is_away, with_jitter

GB = 1024**3


def test_an_error_is_told_in_short() -> None:
    """Its type and text, without the pages that obstore adds."""
    assert one_line(OSError("no route\n\nDebug source:\nGeneric {")) == "OSError: no route"


def test_delays_differ() -> None:
    """Two workers do not come back in step."""
    assert 0.25 <= with_jitter(0.5) <= 0.5
    assert 15 <= with_jitter(30) <= 30
    assert with_jitter(30) != with_jitter(30)


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
