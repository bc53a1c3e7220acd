"""The dead letter queue: read without taking, moved without losing."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, to_json
from vbvrdatafactory.sqs.depth import Depth, depth

MAZE, PUZZLE = "V-1_maze_path_data-generator", "V-2_sliding_puzzle_data-generator"


@pytest.fixture
def sqs() -> Iterator[Any]:
    """An SQS of our own."""
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-2")


@pytest.fixture
def queue(sqs: Any) -> str:
    """The task queue's URL."""
    return str(sqs.create_queue(QueueName="tasks")["QueueUrl"])


@pytest.fixture
def dlq(sqs: Any) -> str:
    """The dead letter queue's URL."""
    return str(sqs.create_queue(QueueName="dead")["QueueUrl"])


@pytest.fixture
def letters(sqs: Any, dlq: str) -> DeadLetters:
    """The room under test."""
    return DeadLetters(sqs, dlq, wait_seconds=0)


def task(generator: str = MAZE, start: int = 0) -> str:
    return TaskMessage(type=generator, num_samples=25, start_index=start, seed=start).to_json()


def send(sqs: Any, url: str, *bodies: str) -> None:
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)


def bodies(sqs: Any, url: str) -> list[str]:
    """Every visible message's body, taken out of the queue."""
    found: list[str] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in batch]
    return sorted(found)


def test_reading_leaves_every_letter_visible(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """More letters than one answer holds are all read, once each, and are all there for the next reader."""
    sent = [task(start=start) for start in range(23)]
    send(sqs, dlq, *sent)
    assert sorted(letter.body for letter in letters.read()) == sorted(sent)
    assert depth(sqs, dlq) == Depth(23, 0, 0)


def test_reading_twice_shows_the_same_letters(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """Nothing is hidden from the second look."""
    send(sqs, dlq, *(task(start=start) for start in range(12)))
    assert {x.message_id for x in letters.read()} == {x.message_id for x in letters.read()}


@pytest.mark.parametrize("at_most", [1, 7, 10, 13])
def test_reading_at_most_so_many_reads_no_more(
    sqs: Any, dlq: str, letters: DeadLetters, at_most: int
) -> None:
    """A glance at a few letters of a long queue."""
    send(sqs, dlq, *(task(start=start) for start in range(25)))
    assert len(letters.read(at_most=at_most)) == at_most
    assert depth(sqs, dlq) == Depth(25, 0, 0)


def test_an_empty_queue_holds_no_letters(letters: DeadLetters) -> None:
    """Nothing went wrong."""
    assert letters.read() == []


def test_a_letter_tells_its_batch_and_its_deliveries(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """What was to be made, when it was sent, how often it was delivered."""
    send(sqs, dlq, task(PUZZLE, 50))
    [letter] = letters.read()
    assert (letter.generator, letter.message) == (PUZZLE, TaskMessage.model_validate_json(task(PUZZLE, 50)))
    assert (letter.receive_count, letter.sent_at_ms > 0) == (1, True)


@pytest.mark.parametrize(
    ("body", "generator"),
    [
        ("not json", "(unreadable)"),
        ("[1, 2]", "(unreadable)"),
        ('"text"', "(unreadable)"),
        ("{}", "(unreadable)"),
        ('{"type": "G-1_x", "num_samples": 9999}', "G-1_x"),
    ],
)
def test_a_body_that_is_no_message_is_still_a_letter(body: str, generator: str) -> None:
    """The generator is named as far as the body tells; there is no batch in it."""
    letter = DeadLetter("id", body, 3, 0, "handle")
    assert (letter.message, letter.generator) == (None, generator)


def test_letters_are_tallied_by_generator_and_cause(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """Counted, not listed; an unreadable one is a row of its own."""
    send(sqs, dlq, task(start=0), task(start=25), task(PUZZLE, 0), "garbage")
    tally = letters.tally(lambda letter: "crash" if letter.message else "invalid-message")
    assert tally == Counter(
        {(MAZE, "crash"): 2, (PUZZLE, "crash"): 1, ("(unreadable)", "invalid-message"): 1}
    )


def test_a_redrive_moves_every_letter(sqs: Any, queue: str, dlq: str, letters: DeadLetters) -> None:
    """Each arrives in the task queue once, unchanged, and none stays behind."""
    sent = [task(start=start) for start in range(23)]
    send(sqs, dlq, *sent)
    assert len(letters.redrive(queue).sent) == 23
    assert bodies(sqs, queue) == sorted(sent)
    assert depth(sqs, dlq) == Depth(0, 0, 0)


def test_a_redrive_moves_only_what_is_wanted(sqs: Any, queue: str, dlq: str, letters: DeadLetters) -> None:
    """Others' letters stay where they are, visible."""
    send(sqs, dlq, *(task(generator, start) for start in range(12) for generator in (MAZE, PUZZLE)))
    moved = letters.redrive(queue, lambda letter: letter.generator == PUZZLE)
    assert (len(moved.sent), moved.equal, moved.kept) == (12, 0, 12)
    assert bodies(sqs, queue) == sorted(task(PUZZLE, start) for start in range(12))
    assert depth(sqs, dlq) == Depth(12, 0, 0)


def test_a_letter_is_removed_only_after_it_is_filed(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """While a letter is being filed it is still in the queue, so it may exist twice, never not at all."""
    send(sqs, dlq, task())
    totals: list[int] = []
    assert letters.take(lambda _: True, lambda _: totals.append(depth(sqs, dlq).total)) == 1
    assert (totals, depth(sqs, dlq).total) == ([1], 0)


def test_taking_leaves_others_letters(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """Two datasets share the queue: one's letters are filed and removed, the other's are there and visible."""
    send(sqs, dlq, task(MAZE), task(PUZZLE), "garbage")
    filed: list[str] = []
    assert letters.take(lambda letter: letter.generator == MAZE, lambda x: filed.append(x.body)) == 1
    assert filed == [task(MAZE)]
    assert bodies(sqs, dlq) == sorted([task(PUZZLE), "garbage"])


def test_a_failure_while_filing_loses_and_hides_nothing(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """The disk is full at the third letter: two are filed, the rest are there for the next try at once."""
    send(sqs, dlq, *(task(start=start) for start in range(8)))
    filed: list[str] = []

    def file(letter: DeadLetter) -> None:
        if len(filed) == 2:
            raise OSError("no space left on device")
        filed.append(letter.body)

    with pytest.raises(OSError, match="no space left"):
        letters.take(lambda _: True, file)
    assert depth(sqs, dlq) == Depth(6, 0, 0)
    assert sorted(filed + bodies(sqs, dlq)) == sorted(task(start=start) for start in range(8))


def test_a_redrive_to_a_queue_that_is_gone_loses_nothing(sqs: Any, dlq: str, letters: DeadLetters) -> None:
    """The letters stay dead, and visible."""
    send(sqs, dlq, *(task(start=start) for start in range(3)))
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        letters.redrive(dlq.replace("dead", "gone"))
    assert depth(sqs, dlq) == Depth(3, 0, 0)


def test_saving_writes_a_file_a_letter_and_keeps_the_queue(
    sqs: Any, dlq: str, letters: DeadLetters, tmp_path: Path
) -> None:
    """The folder is made; each file holds the body as it came, readable or not."""
    send(sqs, dlq, task(), "garbage")
    written = letters.save(tmp_path / "deep" / "letters")
    assert sorted(json.loads(path.read_text())["body"] for path in written) == sorted([task(), "garbage"])
    assert depth(sqs, dlq) == Depth(2, 0, 0)


def test_saving_twice_gives_the_same_files(sqs: Any, dlq: str, letters: DeadLetters, tmp_path: Path) -> None:
    """A letter's file is named by its message id."""
    send(sqs, dlq, task(), task(PUZZLE))
    assert sorted(letters.save(tmp_path)) == sorted(letters.save(tmp_path)) == sorted(tmp_path.iterdir())


def test_a_filed_letter_reads_back() -> None:
    """Everything but the receipt handle, which is of no use later."""
    letter = DeadLetter("id", task(), 3, 1768435200000, "handle", "crash", "exit code 1")
    filed = json.loads(to_json(letter))
    assert filed == {
        "schema_version": 1,
        "message_id": "id",
        "receive_count": 3,
        "sent_at_ms": 1768435200000,
        "first_received_at_ms": 0,
        "cause": "crash",
        "detail": "exit code 1",
        "body": task(),
    }


def test_a_letter_brings_what_the_worker_said(sqs: Any, dlq: str) -> None:
    """Cause and detail come as attributes of the message; a letter that SQS gave up has none."""
    said = {name: {"DataType": "String", "StringValue": name.upper()} for name in ("cause", "detail")}
    sqs.send_message(QueueUrl=dlq, MessageBody=task(), MessageAttributes=said)
    send(sqs, dlq, task(start=10))
    letters = DeadLetters(sqs, dlq, wait_seconds=0).read()
    assert sorted((letter.cause, letter.detail) for letter in letters) == [("", ""), ("CAUSE", "DETAIL")]


class Slow:
    """An SQS that answers nothing now and then, as short polls of a sharded queue do."""

    def __init__(self, client: Any, empty: list[int]) -> None:
        self._client, self._empty, self.asked = client, empty, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def receive_message(self, **asked: Any) -> Any:
        self.asked += 1
        return {} if self.asked in self._empty else self._client.receive_message(**asked)


def test_an_empty_answer_is_not_the_end(sqs: Any, dlq: str) -> None:
    """One shard had nothing: the letters of the others are still read."""
    send(sqs, dlq, *(task(start=start) for start in range(20)))
    assert len(DeadLetters(Slow(sqs, [1, 2, 4]), dlq, wait_seconds=0).read()) == 20


def test_a_letter_that_dies_again_is_moved_once(sqs: Any, dlq: str, queue: str, letters: DeadLetters) -> None:
    """A letter given up again while a redrive runs is not sent round and round."""
    send(sqs, dlq, task())
    original = sqs.send_message

    def dies_at_once(QueueUrl: str, MessageBody: str) -> Any:  # noqa: N803
        original(QueueUrl=dlq, MessageBody=MessageBody)
        return original(QueueUrl=QueueUrl, MessageBody=MessageBody)

    sqs.send_message = dies_at_once
    assert len(letters.redrive(queue).sent) == 1
    assert (depth(sqs, queue).total, depth(sqs, dlq).total) == (1, 1)


@pytest.mark.parametrize("copies", [2, 3, 25])
def test_equal_letters_are_one_batch(
    sqs: Any, dlq: str, queue: str, letters: DeadLetters, copies: int
) -> None:
    """One of them is sent, all are removed, and the numbers say so; however many answers they come in."""
    send(sqs, dlq, *[task()] * copies, task(start=10), *[task(PUZZLE)] * 2)
    moved = letters.redrive(queue, lambda letter: letter.generator == MAZE)
    assert (len(moved.sent), moved.equal, moved.kept) == (2, copies - 1, 2)
    assert (bodies(sqs, queue), depth(sqs, dlq)) == (sorted([task(), task(start=10)]), Depth(2, 0, 0))


def test_a_redrive_that_breaks_off_loses_and_hides_nothing(
    sqs: Any, dlq: str, queue: str, letters: DeadLetters
) -> None:
    """The task queue refuses the second message: the first is moved, every other letter is visible again."""
    send(sqs, dlq, *(task(start=start) for start in range(4)))
    original, calls = sqs.send_message, iter(range(2))

    def breaks(**message: Any) -> Any:
        if next(calls) == 1:
            raise ConnectionError("gone")
        return original(**message)

    sqs.send_message = breaks
    with pytest.raises(ConnectionError):
        letters.redrive(queue)
    assert (depth(sqs, queue), depth(sqs, dlq)) == (Depth(1, 0, 0), Depth(3, 0, 0))


def test_a_redrive_to_itself_is_refused(dlq: str, letters: DeadLetters) -> None:
    """The dead letter queue is no place to move its letters to."""
    with pytest.raises(DataFactoryError, match="is the dead letter queue itself"):
        letters.redrive(dlq)
