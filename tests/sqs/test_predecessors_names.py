"""What scripts written for the predecessor's library import and call."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.sqs.dlq import DLQManager
from vbvrdatafactory.sqs.monitor import QueueMonitor
from vbvrdatafactory.sqs.submitter import TaskSubmitter

MESSAGE = TaskMessage(type="A", num_samples=5, start_index=10, seed=7)


@pytest.fixture
def sqs() -> Iterator[Any]:
    """An SQS of our own, with a task queue and a dead letter queue."""
    with mock_aws():
        client = boto3.client("sqs", region_name="us-east-2")
        client.create_queue(QueueName="tasks")
        client.create_queue(QueueName="dead")
        yield client


def url(sqs: Any, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])


def bodies(sqs: Any, name: str) -> list[Any]:
    got = sqs.receive_message(QueueUrl=url(sqs, name), MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in got.get("Messages", [])]


def manager(sqs: Any, *letters: str) -> DLQManager:
    for letter in letters:
        sqs.send_message(QueueUrl=url(sqs, "dead"), MessageBody=letter)
    return DLQManager(url(sqs, "dead"), client=sqs, wait_seconds=0)


def test_the_monitor_counts_both_queues(sqs) -> None:
    """Waiting, in flight and delayed, of each queue."""
    for _ in range(3):
        sqs.send_message(QueueUrl=url(sqs, "tasks"), MessageBody="x")
    sqs.receive_message(QueueUrl=url(sqs, "tasks"), VisibilityTimeout=60)
    status = QueueMonitor(url(sqs, "tasks"), url(sqs, "dead"), client=sqs).get_status()
    assert status["main_queue"] == {"available": 2, "in_flight": 1, "delayed": 0}
    assert status["dlq"] == {"available": 0, "in_flight": 0, "delayed": 0}


def test_without_a_dead_letter_queue_there_is_none(sqs, monkeypatch, tmp_path) -> None:
    """Where SQS_DLQ_URL is not set the status says None, and nothing fails."""
    monkeypatch.delenv("SQS_DLQ_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    monitor = QueueMonitor(url(sqs, "tasks"), client=sqs, settings=Config())
    assert monitor.get_status()["dlq"] is None


@pytest.mark.parametrize(("delete_after", "left"), [(False, 2), (True, 0)])
def test_dead_letters_are_written_to_files(sqs, tmp_path: Path, *, delete_after: bool, left: int) -> None:
    """One file each, and the queue keeps them unless it is told not to."""
    there = manager(sqs, MESSAGE.to_json(), "not json")
    assert there.download_messages(tmp_path / "new", delete_after=delete_after) == 2
    assert len(list((tmp_path / "new").glob("*.json"))) == 2
    status = QueueMonitor(url(sqs, "tasks"), url(sqs, "dead"), client=sqs).get_status()
    assert status["dlq"] == {"available": left, "in_flight": 0, "delayed": 0}


@pytest.mark.parametrize("delete_after", [False, True])
def test_no_more_than_asked_are_written(sqs, tmp_path: Path, *, delete_after: bool) -> None:
    """With a maximum the rest stays, unread."""
    there = manager(sqs, *(MESSAGE.to_json() for _ in range(3)))
    assert there.download_messages(tmp_path, delete_after=delete_after, max_messages=2) == 2
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_files_go_back_to_a_queue(sqs, tmp_path: Path) -> None:
    """What was written is sent again, the predecessor's files too; what is no message of ours is counted."""
    manager(sqs, MESSAGE.to_json(), "not json").download_messages(tmp_path)
    theirs = {"message_id": "m", "body": {"type": "B", "num_samples": 1, "dedup": False}}
    (tmp_path / "20260115_120000_m.json").write_text(json.dumps(theirs))
    (tmp_path / "damaged.json").write_text("{")
    done = manager(sqs).resubmit_messages(tmp_path, url(sqs, "tasks"))
    assert done == {"total_successful": 2, "total_failed": 0, "total_messages": 2, "skipped": 2}
    assert {body["type"] for body in bodies(sqs, "tasks")} == {"A", "B"}


def test_task_messages_are_those_that_are_sent(sqs) -> None:
    """`create_task_messages` gives what `submit_tasks` sends, with the seeds of a plan."""
    submitter = TaskSubmitter(url(sqs, "tasks"), client=sqs)
    made = submitter.create_task_messages("A", total_samples=7, batch_size=3, seed=42)
    plan = Plan(make_spec(generators=("A",), samples=7, batch_size=3, seed=42))
    assert [(m.start_index, m.num_samples, m.seed) for m in made] == [(b.start, b.size, b.seed) for b in plan]
    submitter.submit_tasks(["A"], 7, 3, 42, dedup=False)
    assert sorted(body["seed"] for body in bodies(sqs, "tasks")) == sorted(m.seed for m in made if m.seed)


def test_dedup_is_refused_with_the_reason(sqs) -> None:
    """What is not there any more is said, and nothing is sent."""
    submitter = TaskSubmitter(url(sqs, "tasks"), client=sqs)
    for ask in (submitter.create_task_messages, submitter.submit_tasks):
        with pytest.raises(SpecError, match="dedup=True: there is no table"):
            ask("A", 7, 3, 42, dedup=True)  # type: ignore[operator]
    assert bodies(sqs, "tasks") == []
