"""SQS in memory does as SQS does: each promise here is tried on an emulator of AWS and on the double."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
import moto.sqs.models
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from vbvrdatafactory.testing import Clock, InMemorySqs

MB = 1024 * 1024
KINDS = ("emulator", "in memory")


class World(NamedTuple):
    """A client, and a way to let time pass."""

    sqs: Any
    advance: Callable[[float], None]
    name: str

    def queue(self, name: str = "tasks", **attributes: str) -> str:
        made = self.sqs.create_queue(QueueName=f"{self.name}-{name}", Attributes=attributes)
        return str(made["QueueUrl"])

    def with_dead_letters(self, max_receives: int) -> tuple[str, str]:
        dead = self.queue("dead")
        policy = {"deadLetterTargetArn": self.attribute(dead, "QueueArn"), "maxReceiveCount": max_receives}
        return self.queue(RedrivePolicy=json.dumps(policy)), dead

    def attribute(self, url: str, name: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return str(found["Attributes"][name])

    def counts(self, url: str) -> list[int]:
        """Waiting, in flight, delayed."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        return [int(self.attribute(url, name)) for name in names]

    def send(self, url: str, *bodies: str, **otherwise: Any) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=url, MessageBody=body, **otherwise)

    def receive(self, url: str, **otherwise: Any) -> list[dict[str, Any]]:
        asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], **otherwise}
        return list(self.sqs.receive_message(QueueUrl=url, **asked).get("Messages", []))


@pytest.fixture(scope="module")
def emulator() -> Iterator[Any]:
    """A client of an emulated SQS; slow to make, so there is one."""
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-2")


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """Queues of the test's own, at a time of its own."""
    clock, name = Clock(), uuid.uuid4().hex[:8]
    if request.param == "in memory":
        return World(InMemorySqs(clock), clock.advance, name)
    monkeypatch.setattr(moto.sqs.models, "unix_time", clock)
    monkeypatch.setattr(moto.sqs.models, "unix_time_millis", lambda: clock() * 1000)
    return World(request.getfixturevalue("emulator"), clock.advance, name)


# The emulator takes what AWS's documentation says it refuses.
in_memory_alone = pytest.mark.parametrize("world", ["in memory"], indirect=True)


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_message_arrives_as_it_was_sent(world: World) -> None:
    """Body, attributes and the moment of the send; the first receive is the first."""
    url = world.queue()
    said = {"cause": {"DataType": "String", "StringValue": "crash"}}
    world.send(url, "é\n\t{}", MessageAttributes=said)
    [message] = world.receive(url, MessageAttributeNames=["cause"])
    assert message["Body"] == "é\n\t{}"
    assert message["MessageAttributes"]["cause"]["StringValue"] == "crash"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["SentTimestamp"]) == 1_767_225_600_000


def test_attributes_come_only_to_who_asks_for_them(world: World) -> None:
    """A receive that names none gets none."""
    url = world.queue()
    world.send(url, "x", MessageAttributes={"cause": {"DataType": "String", "StringValue": "crash"}})
    [message] = world.receive(url, AttributeNames=[])
    assert "Attributes" not in message
    assert "MessageAttributes" not in message


def test_what_is_received_is_hidden_and_comes_back(world: World) -> None:
    """In flight for the visibility timeout, waiting again after it; receives are counted."""
    url = world.queue(VisibilityTimeout="30")
    world.send(url, "a", "b")
    assert len(world.receive(url)) == 2
    assert (world.counts(url), world.receive(url)) == ([0, 2, 0], [])
    world.advance(29)
    assert world.receive(url) == []
    world.advance(2)
    assert world.counts(url) == [2, 0, 0]
    assert {m["Attributes"]["ApproximateReceiveCount"] for m in world.receive(url)} == {"2"}


def test_a_receive_may_hide_for_another_time(world: World) -> None:
    """Its own timeout wins over the queue's."""
    url = world.queue(VisibilityTimeout="30")
    world.send(url, "a")
    world.receive(url, VisibilityTimeout=600)
    world.advance(300)
    assert world.counts(url) == [0, 1, 0]
    world.advance(301)
    assert world.counts(url) == [1, 0, 0]


def test_at_most_so_many_are_received(world: World) -> None:
    """As many as were asked for, one where nothing was said."""
    url = world.queue()
    world.send(url, *map(str, range(12)))
    assert len(world.sqs.receive_message(QueueUrl=url)["Messages"]) == 1
    assert [len(world.receive(url, MaxNumberOfMessages=n)) for n in (3, 10)] == [3, 8]


def test_an_empty_queue_answers_without_messages(world: World) -> None:
    """There is no such key in the answer."""
    assert "Messages" not in world.sqs.receive_message(QueueUrl=world.queue(), WaitTimeSeconds=0)


def test_a_deleted_message_is_gone(world: World) -> None:
    """It does not come back after its timeout; deleting it twice is no error."""
    url = world.queue(VisibilityTimeout="30")
    world.send(url, "a")
    [message] = world.receive(url)
    for _ in range(2):
        world.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    world.advance(31)
    assert world.counts(url) == [0, 0, 0]


def test_a_message_can_be_hidden_longer_or_shown_at_once(world: World) -> None:
    """Visibility changes from now on, one by one or in a batch."""
    url = world.queue(VisibilityTimeout="30")
    world.send(url, "a", "b")
    first = world.receive(url)[0]["ReceiptHandle"]
    world.advance(20)
    world.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first, VisibilityTimeout=100)
    world.advance(20)
    assert world.counts(url) == [1, 1, 0]
    answer = world.sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{"Id": "0", "ReceiptHandle": first, "VisibilityTimeout": 0}]
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["0"]
    world.advance(0.1)
    assert world.counts(url) == [2, 0, 0]


@in_memory_alone
def test_what_is_not_in_flight_cannot_be_hidden(world: World) -> None:
    """Its time was over, and somebody else may have it: who held it has to hear that."""
    url = world.queue(VisibilityTimeout="30")
    world.send(url, "a")
    [message] = world.receive(url)
    world.advance(31)
    handle = message["ReceiptHandle"]
    with pytest.raises(ClientError) as refused:
        world.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=10)
    assert "MessageNotInflight" in code_of(refused)
    entry = {"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": 10}
    answer = world.sqs.change_message_visibility_batch(QueueUrl=url, Entries=[entry])
    assert [failed["Id"] for failed in answer["Failed"]] == ["0"]


def test_a_delayed_message_waits_later(world: World) -> None:
    """Until then it is counted as delayed, and nobody receives it."""
    url = world.queue()
    world.send(url, "a", DelaySeconds=10)
    assert (world.counts(url), world.receive(url)) == ([0, 0, 1], [])
    world.advance(11)
    assert world.counts(url) == [1, 0, 0]
    assert len(world.receive(url)) == 1


@pytest.mark.parametrize("max_receives", [1, 3])
def test_a_message_received_too_often_is_a_dead_letter(world: World, max_receives: int) -> None:
    """The receive after the last one that is allowed moves it; body, id and the moment of the send stay."""
    url, dead = world.with_dead_letters(max_receives)
    world.send(url, "a")
    sent = None
    for _ in range(max_receives):
        [sent] = world.receive(url, VisibilityTimeout=5)
        world.advance(6)
    assert world.counts(dead) == [0, 0, 0]
    assert world.receive(url) == []
    [letter] = world.receive(dead)
    assert (letter["Body"], letter["MessageId"]) == ("a", sent["MessageId"])
    assert letter["Attributes"]["SentTimestamp"] == sent["Attributes"]["SentTimestamp"]


def test_a_batch_is_taken_entry_by_entry(world: World) -> None:
    """Each entry is answered for by its id."""
    url = world.queue()
    entries = [{"Id": str(n), "MessageBody": f"body {n}"} for n in range(10)]
    answer = world.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == [str(n) for n in range(10)]
    assert not answer.get("Failed")
    assert sorted(m["Body"] for m in world.receive(url)) == sorted(e["MessageBody"] for e in entries)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([("1", "x"), ("1", "y")], "BatchEntryIdsNotDistinct"),
        ([(str(n), "x") for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([("1", "x" * (MB // 2)), ("2", "x" * (MB // 2 + 1))], "BatchRequestTooLong"),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(
    world: World, entries: list[tuple[str, str]], code: str
) -> None:
    """Nothing of it is sent."""
    url = world.queue()
    with pytest.raises(ClientError) as refused:
        world.sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": number, "MessageBody": body} for number, body in entries]
        )
    assert code in code_of(refused)
    assert world.counts(url) == [0, 0, 0]


@in_memory_alone
@pytest.mark.parametrize("body", ["\x00", "a\x1b[31m", "\ufffe"])
def test_characters_that_xml_does_not_know_are_refused(world: World, body: str) -> None:
    """The message is not sent."""
    url = world.queue()
    with pytest.raises(ClientError) as refused:
        world.send(url, body)
    assert "InvalidMessageContents" in code_of(refused)
    assert world.counts(url) == [0, 0, 0]


@pytest.mark.parametrize("count", [0, 11])
def test_one_to_ten_messages_are_received_together(world: World, count: int) -> None:
    """Another number is refused."""
    with pytest.raises(ClientError):
        world.receive(world.queue(), MaxNumberOfMessages=count)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("send_message", {"MessageBody": "x"}),
        ("receive_message", {}),
        ("get_queue_attributes", {"AttributeNames": ["All"]}),
        ("purge_queue", {}),
    ],
)
def test_a_queue_that_is_not_there_is_named_so(world: World, call: str, arguments: dict[str, Any]) -> None:
    """By the code that tells it from every other refusal."""
    url = world.queue().replace("tasks", "nowhere")
    with pytest.raises(ClientError) as refused:
        getattr(world.sqs, call)(QueueUrl=url, **arguments)
    assert "NonExistentQueue" in code_of(refused)


def test_a_purge_removes_everything(world: World) -> None:
    """What waits, what is in flight and what is delayed."""
    url = world.queue()
    world.send(url, "a", "b")
    world.receive(url, MaxNumberOfMessages=1)
    world.send(url, "c", DelaySeconds=60)
    world.sqs.purge_queue(QueueUrl=url)
    assert world.counts(url) == [0, 0, 0]


def test_a_queue_is_made_once(world: World) -> None:
    """Asked for again it is the same, with its messages."""
    url = world.queue()
    world.send(url, "a")
    assert world.queue() == url
    assert world.counts(url) == [1, 0, 0]


# What only the double can do


@pytest.fixture
def sqs() -> InMemorySqs:
    return InMemorySqs()


def test_entries_can_be_refused_on_demand(sqs: InMemorySqs) -> None:
    """So many, then no more; the others of the batch are sent."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    sqs.refuse(times=2, code="ThrottlingException")
    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(3)]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]] == [
        ("0", "ThrottlingException", False),
        ("1", "ThrottlingException", False),
    ]
    assert sqs.bodies(url) == ["2"]
    assert not sqs.send_message_batch(QueueUrl=url, Entries=entries)["Failed"]


def test_a_strange_character_refuses_its_entry_alone(sqs: InMemorySqs) -> None:
    """The sender is to blame: to send it again would be of no use."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    answer = sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": "0", "MessageBody": "\x00"}, {"Id": "1", "MessageBody": "x"}]
    )
    assert [(e["Id"], e["SenderFault"]) for e in answer["Failed"]] == [("0", True)]
    assert sqs.bodies(url) == ["x"]


def test_calls_can_fail_on_demand(sqs: InMemorySqs) -> None:
    """With the error of the test's choice, so often, and without effect."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    sqs.fail(ConnectionError("the network is away"), times=2)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="away"):
            sqs.send_message(QueueUrl=url, MessageBody="x")
    assert sqs.bodies(url) == []
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert sqs.bodies(url) == ["x"]


def test_an_older_handle_removes_nothing(sqs: InMemorySqs) -> None:
    """The message was received by somebody else since, and is theirs."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    first, _second = (
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"][0]["ReceiptHandle"]
        for _ in range(2)
    )
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first)
    assert sqs.bodies(url) == ["x"]


def test_looking_at_the_bodies_receives_nothing(sqs: InMemorySqs) -> None:
    """Counts and receives are as before."""
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert (sqs.bodies(url), sqs.bodies(url)) == (["x"], ["x"])
    [message] = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_time_does_not_go_backwards() -> None:
    """A clock that is moved back is a mistake in the test."""
    with pytest.raises(ValueError, match="-1"):
        Clock().advance(-1)
