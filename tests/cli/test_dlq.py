"""`datafactory dlq`: letters are counted in the queues they end up in."""

import json
from collections import Counter
from functools import partial

import pytest

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.driver import dead_letters
from vbvrdatafactory.s3 import records

MAZE, FIRST = "G-3_maze_data-generator", "O-1_first_data-generator"
AT = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _no_long_poll(monkeypatch):
    monkeypatch.setattr(dead_letters, "DeadLetters", partial(dead_letters.DeadLetters, wait_seconds=0))


@pytest.fixture
def dead(place):
    """Three dead letters of one generator, one of another, and one that is no message."""
    bodies = [TaskMessage(type=MAZE, num_samples=10, start_index=start).to_json() for start in (0, 10, 20)]
    bodies += [TaskMessage(type=FIRST, num_samples=10).to_json(), "{not json"]
    for body in bodies:
        place.sqs.send_message(QueueUrl=place.config.sqs_dlq_url, MessageBody=body)
    return place


def depth(place, url):
    answer = place.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def fail(place, start, cause, attempt=1):
    record = FailureRecord(message=None, cause=cause, detail="d", attempt=attempt, failed_at=AT)
    key = keys.FailureKey(MAZE, IndexRange(start, start + 10), 0, attempt, cause)
    records.write(place.store, keys.failure(key), record)


def rows(result):
    return [
        line.split() for line in result.stdout.splitlines() if "generator" in line and line.startswith(" ")
    ]


def test_tally(run, dead):
    """Letters are counted by generator and the cause of their last failure; what was made since is said."""
    fail(dead, 0, "deadline")
    fail(dead, 0, "crash", attempt=2)
    fail(dead, 10, "crash")
    dead.put(keys.receipt(keys.ReceiptKey(FIRST, IndexRange(0, 10), 0)))
    result = run("dlq", "list")
    assert [MAZE, "crash", "2", "0"] in rows(result)
    assert [MAZE, "worker-lost", "1", "0"] in rows(result)
    assert [FIRST, "worker-lost", "1", "1"] in rows(result)
    assert "invalid-message" in result.stdout
    assert result.stdout.splitlines()[-1] == "5 dead letters of 3 generators."
    assert "message_id" not in result.stdout


def test_list_keeps_the_letters(run, dead):
    """Listing leaves every letter in the queue, visible to the next reader."""
    run("dlq", "list")
    assert depth(dead, dead.config.sqs_dlq_url) == 5


def test_save(run, dead, tmp_path):
    """Saving writes each letter to a file of its own and keeps it in the queue."""
    result = run("dlq", "save", tmp_path / "letters")
    saved = [json.loads(path.read_text())["body"] for path in (tmp_path / "letters").iterdir()]
    assert len(saved) == 5
    assert "{not json" in saved
    assert "Saved 5 dead letters" in result.stdout
    assert depth(dead, dead.config.sqs_dlq_url) == 5


def test_saved_letters_have_the_causes_that_are_listed(run, dead, tmp_path):
    """What `dlq list` counts, `dlq save` writes: by the worker's word, else by the last failure record, with its detail."""
    fail(dead, 0, "deadline")
    fail(dead, 0, "crash", attempt=2)
    said = {
        "cause": {"DataType": "String", "StringValue": "memory"},
        "detail": {"DataType": "String", "StringValue": "it said so"},
    }
    dead.sqs.send_message(
        QueueUrl=dead.config.sqs_dlq_url,
        MessageBody=TaskMessage(type=MAZE, num_samples=10, start_index=30).to_json(),
        MessageAttributes=said,
    )
    run("dlq", "save", tmp_path / "letters")
    saved = [json.loads(path.read_text()) for path in (tmp_path / "letters").iterdir()]
    assert Counter((letter["cause"], letter["detail"].partition(":")[0]) for letter in saved) == {
        ("crash", "d"): 1,
        ("memory", "it said so"): 1,
        ("worker-lost", "no worker said why"): 3,
        ("invalid-message", ""): 1,
    }
    listed = run("dlq", "list").stdout
    for cause, count in Counter(letter["cause"] for letter in saved).items():
        shown = [int(line.split()[2]) for line in listed.splitlines() if line.split()[1:2] == [cause]]
        assert sum(shown) == count


def test_redrive_of_equal_letters(run, dead):
    """Letters for one batch are sent once and none stays; what the line says is what the queues hold."""
    for _ in range(2):
        dead.sqs.send_message(
            QueueUrl=dead.config.sqs_dlq_url, MessageBody=TaskMessage(type=FIRST, num_samples=10).to_json()
        )
    result = run("dlq", "redrive", "-g", FIRST)
    assert result.stdout == "Moved 1 dead letter back to the task queue (2 equal ones removed); 4 stay.\n"
    assert (depth(dead, dead.config.sqs_queue_url), depth(dead, dead.config.sqs_dlq_url)) == (1, 4)


def test_redrive_all(run, dead):
    """A redrive moves every letter to the task queue and says how many."""
    result = run("dlq", "redrive")
    assert result.stdout == "Moved 5 dead letters back to the task queue; 0 stay.\n"
    assert (depth(dead, dead.config.sqs_queue_url), depth(dead, dead.config.sqs_dlq_url)) == (5, 0)


def test_redrive_some(run, dead):
    """A redrive of one generator moves its letters and leaves the others where they are."""
    result = run("dlq", "redrive", "-g", "G-*")
    assert result.stdout == "Moved 3 dead letters back to the task queue; 2 stay.\n"
    assert {message["type"] for message in dead.messages()} == {MAZE}
    assert depth(dead, dead.config.sqs_dlq_url) == 2


def test_redrive_into_itself_is_refused(run, dead, monkeypatch):
    """Where both variables name one queue, a redrive would never end and is refused."""
    monkeypatch.setenv("SQS_QUEUE_URL", dead.config.sqs_dlq_url)
    result = run("dlq", "redrive")
    assert "one queue" in result.stderr
    assert (result.exit_code, depth(dead, dead.config.sqs_dlq_url)) == (1, 5)


def test_no_letters(run, place):
    """An empty dead letter queue is said to be empty."""
    assert run("dlq", "list").stdout == "There are no dead letters.\n"


@pytest.mark.parametrize("command", [["list"], ["save", "x"], ["redrive"]])
def test_unset_variable(run, place, monkeypatch, command):
    """Without SQS_DLQ_URL each command names it and where its value comes from."""
    monkeypatch.delenv("SQS_DLQ_URL")
    result = run("dlq", *command)
    assert "SQS_DLQ_URL is not set; it is the output DlqUrl of the stack" in result.stderr
    assert result.exit_code == 1


def test_a_message_of_a_newer_schema_is_not_called_invalid(run, place):
    """Workers that did not know it gave it up; its generator is named, and it goes back when they are updated."""
    newer = json.dumps({"type": MAZE, "num_samples": 5, "schema_version": 9, "shape": "round"})
    place.sqs.send_message(QueueUrl=place.config.sqs_dlq_url, MessageBody=newer)
    assert [MAZE, "newer-schema", "1", "0"] in rows(run("dlq", "list"))
    run("dlq", "redrive")
    assert [message["shape"] for message in place.messages()] == ["round"]
