"""A dead letter without a failure record: its worker was killed. What is known is said in the file, list and report."""

import json
from datetime import UTC, datetime

import pytest

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.records import FailureRecord, StartedRecord
from vbvrdatafactory.driver import dead_letters
from vbvrdatafactory.driver.dead_letters import describe_last_lost, diagnosed, file_dead_letters
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.driver.reports import build_report
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.report.html import to_html
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.report.tallies import DeadLetterTally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.testing import InMemoryAws

MESSAGE = TaskMessage(type="G-1_x", num_samples=10, start_index=20, seed=3, dataset="d")
STREAM = "2026/11/27/[$LATEST]0123"


@pytest.fixture(autouse=True)
def _no_long_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = dead_letters.DeadLetters
    monkeypatch.setattr(dead_letters, "DeadLetters", lambda *given, **_: quick(*given, wait_seconds=0))


@pytest.fixture
def lost(cloud: InMemoryAws) -> InMemoryAws:
    """A message that was received three times, and whose worker was killed each time."""
    cloud.sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=MESSAGE.to_json())
    cloud.clock.advance(60)
    for _ in range(4):
        cloud.sqs.receive_message(QueueUrl=cloud.queue_url, VisibilityTimeout=10)
        cloud.clock.advance(11)
    assert not cloud.messages()
    return cloud


def began(cloud: InMemoryAws, attempt: int, message: TaskMessage = MESSAGE, stream: str = STREAM) -> None:
    key = keys.StartedKey(message.type, message.indices, message.salt, attempt)
    record = StartedRecord(
        attempt=attempt, worker="function worker", log_stream=stream, started_at=datetime.now(UTC)
    )
    records.write(cloud.store, keys.started(key), record)


def test_the_list_says_what_is_known(lost: InMemoryAws) -> None:
    """How often it was received, when it was sent and first received, and where its last worker logged."""
    began(lost, 2)
    began(lost, 3)
    services = Services(lost.config)
    ((letter, why),) = diagnosed(services)
    detail = dead_letters.detail_of_letter(services, letter, why)
    assert why.cause is Cause.WORKER_LOST
    assert detail.startswith(
        "no worker said why: it was killed, or ran out of memory or of the function's time"
    )
    assert "received 4 times, reads of the dead letter queue included" in detail
    assert f"sent {letter.sent:%Y-%m-%d %H:%M:%S} UTC" in detail
    assert f"first received {letter.first_received:%Y-%m-%d %H:%M:%S} UTC" in detail
    assert (letter.first_received - letter.sent).total_seconds() == 60
    assert "attempt 3 began " in detail
    assert detail.endswith(f" on function worker, log stream {STREAM}")


def test_without_a_second_attempt_that_is_said(lost: InMemoryAws) -> None:
    """Nothing is made up: a first attempt leaves no record of its start."""
    services = Services(lost.config)
    ((letter, why),) = diagnosed(services)
    assert dead_letters.detail_of_letter(services, letter, why).endswith("no second attempt is on record")


def test_the_filed_letter_says_it_too(lost: InMemoryAws) -> None:
    """The letter that is deleted from the queue keeps times, count, and the key of the last start."""
    began(lost, 3)
    assert file_dead_letters(Services(lost.config), "d") == {(MESSAGE.type, Cause.WORKER_LOST): 1}
    (key,) = (key for key in stored(lost) if "/dead-letters/" in key)
    filed = json.loads(bytes(lost.store.get(key).bytes()))
    assert filed["cause"] == "worker-lost"
    assert filed["first_received_at_ms"] - filed["sent_at_ms"] == 60_000
    assert "attempt 3 began " in filed["detail"]
    assert "see _datafactory/failures/G-1_x/00020-00029.s0/003.started.json" in filed["detail"]


def test_a_record_of_the_failure_is_what_counts(lost: InMemoryAws) -> None:
    """Where the last worker wrote why, a start says nothing more."""
    began(lost, 2)
    failed = keys.FailureKey(MESSAGE.type, MESSAGE.indices, 0, 3, Cause.UPLOAD)
    record = FailureRecord(
        message=MESSAGE, cause=Cause.UPLOAD, detail="no bucket", attempt=3, failed_at=datetime.now(UTC)
    )
    records.write(lost.store, keys.failure(failed), record)
    services = Services(lost.config)
    ((letter, why),) = diagnosed(services)
    assert (why.cause, dead_letters.detail_of_letter(services, letter, why)) == (Cause.UPLOAD, "no bucket")
    assert take_evidence(lost.store, [MESSAGE.type]).last_lost(MESSAGE.type) is None


def test_the_report_says_it_as_text(lost: InMemoryAws) -> None:
    """A run's report has a line for each generator whose workers were lost; a stranger's record shows as text."""
    began(lost, 3, stream="<img src=x>\x1b[2J\n# x")
    services = Services(lost.config)
    detail = describe_last_lost(services.bucket, take_evidence(lost.store, [MESSAGE.type]), MESSAGE.type)
    tally = DeadLetterTally(generator=MESSAGE.type, cause=Cause.WORKER_LOST, count=2, detail=detail)
    figures = RunFigures(dead_letters=(tally,))
    assert figures.remarks[1].startswith(
        "G-1_x: 2 worker-lost; of the latest: no worker said why: it was killed"
    )
    plan = Plan(make_spec(dataset="d", generators=(MESSAGE.type,), samples=40))
    report = build_report(lost.store, plan, observe(lost.store, plan), "b").with_run(figures, [])
    for text in (report.to_markdown(), to_html(report, [])):
        assert "attempt 3 began" in text
        assert "&lt;img src=x&gt;" in text
        assert "<img" not in text
        assert "\x1b" not in text


def test_many_lost_generators_are_counted() -> None:
    """The report stays short."""
    tallies = tuple(
        DeadLetterTally(generator=f"G-{n}", cause=Cause.WORKER_LOST, count=1, detail="lost")
        for n in range(30)
    )
    remarks = RunFigures(dead_letters=tallies).remarks
    assert (len(remarks), remarks[-1]) == (12, "Workers of 20 more generators were lost.")


def stored(cloud: InMemoryAws) -> list[str]:
    return [one["path"] for page in cloud.store.list() for one in page]
