"""Every message is sent or named: none is lost, none dropped in silence."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError, DataFactoryError, SpecError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.sqs.submitter import BYTES_PER_CALL, TRIES, TaskSubmitter

MAZE, PUZZLE = "V-1_maze_path_data-generator", "V-2_sliding_puzzle_data-generator"
URL = "https://sqs.us-east-2.amazonaws.com/123456789012/tasks"

Entry = dict[str, str]
Refusals = dict[str, tuple[str, bool]]
Script = Callable[[int, Sequence[Entry]], Refusals]


def error(code: str, status: int) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "said so"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendMessageBatch")  # type: ignore[arg-type]


class FakeSqs:
    """An SQS that refuses what its script says: entry id -> (code, whether the sender is blamed).

    The script is called with the number of the call and its entries; it may also raise.
    """

    def __init__(self, script: Script = lambda number, entries: {}) -> None:
        self._script, self._lock = script, threading.Lock()
        self.calls: list[int] = []
        self.accepted: list[str] = []

    def send_message_batch(self, QueueUrl: str, Entries: Sequence[Entry]) -> dict[str, Any]:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        assert sum(len(entry["MessageBody"].encode()) for entry in Entries) <= BYTES_PER_CALL
        with self._lock:
            self.calls.append(len(Entries))
            refused = self._script(len(self.calls), Entries)
            taken = [entry for entry in Entries if entry["Id"] not in refused]
            self.accepted += [entry["MessageBody"] for entry in taken]
        failed = [{"Id": i, "Code": code, "SenderFault": blamed} for i, (code, blamed) in refused.items()]
        return {"Successful": [{"Id": entry["Id"]} for entry in taken], "Failed": failed}


def submitter(client: Any, threads: int = 4) -> TaskSubmitter:
    return TaskSubmitter(URL, client=client, threads=threads, pause=0)


def batches(count: int, generator: str = MAZE) -> Iterator[TaskMessage]:
    return (TaskMessage(type=generator, num_samples=1, start_index=n, seed=n) for n in range(count))


@pytest.fixture
def sqs() -> Iterator[Any]:
    """An SQS of our own."""
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-2")


@pytest.fixture
def queue(sqs: Any) -> str:
    """The task queue's URL."""
    return str(sqs.create_queue(QueueName="tasks")["QueueUrl"])


def received(sqs: Any, url: str) -> list[TaskMessage]:
    """Every message in the queue, read as the worker reads it."""
    found: list[TaskMessage] = []
    while answer := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [TaskMessage.model_validate_json(message["Body"]) for message in answer]
    return found


def test_submit_tasks_sends_the_plan(sqs: Any, queue: str) -> None:
    """Every batch of every generator arrives once, valid, with its planned seed."""
    done = TaskSubmitter(queue, client=sqs).submit_tasks(
        generators=[MAZE, PUZZLE], total_samples=105, batch_size=10, seed=7
    )
    plan = Plan(make_spec(generators=[MAZE, PUZZLE], samples=105, batch_size=10, seed=7))
    assert {(m.type, m.start_index, m.num_samples, m.seed) for m in received(sqs, queue)} == set(plan)
    assert (done["total_successful"], done["total_failed"], done["total_generators"]) == (22, 0, 2)
    assert (done["failed_generators"], done["unsent"]) == ([], [])


def test_submit_tasks_passes_format_and_bucket_on() -> None:
    """Where the samples go, and how, is on every message; nothing of a dataset that nobody named is."""
    client = FakeSqs()
    submitter(client).submit_tasks([MAZE], 20, 10, 42, output_format="tar", output_bucket="my-bucket")
    wire = [json.loads(body) for body in client.accepted]
    assert [(m["output_format"], m["output_bucket"], "dataset" in m) for m in wire] == [
        ("tar", "my-bucket", False)
    ] * 2


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"total_samples": 0}, "samples=0"),
        ({"total_samples": -1}, "samples=-1"),
        ({"batch_size": 1001}, "batch_size=1001"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"generators": [MAZE, MAZE]}, "named twice"),
        ({"generators": []}, "generators"),
        ({"generators": ["../x"]}, "not a safe name"),
        ({"seed": -1}, "seed=-1"),
        ({"output_format": "zip"}, "output_format='zip'"),
        ({"output_bucket": "ab"}, "output_bucket='ab'"),
    ],
)
def test_what_cannot_be_planned_is_refused_before_anything_is_sent(
    wish: dict[str, Any], refusal: str
) -> None:
    """The worker would refuse it: no message, and a line that shows the value."""
    client = FakeSqs()
    asked = {"generators": [MAZE], "total_samples": 10, "batch_size": 5, "seed": 42} | wish
    with pytest.raises(SpecError, match=refusal):
        submitter(client).submit_tasks(**asked)
    assert client.calls == []


@given(st.integers(0, 120), st.integers(1, 8), st.integers(0, 2**32), st.floats(0, 0.9))
def test_no_message_is_lost_whatever_fails(count: int, threads: int, luck: int, rate: float) -> None:
    """Entries refused, blamed, calls throttled, cut off or refused: sent and unsent together are what was given."""
    random = Random(luck)

    def script(_: int, entries: Sequence[Entry]) -> Refusals:
        if random.random() < rate / 3:
            raise random.choice(
                [
                    error("Throttling", 400),
                    error("InvalidMessageContents", 400),
                    EndpointConnectionError(endpoint_url=URL),
                ]
            )
        return {e["Id"]: ("InternalError", random.random() < 0.3) for e in entries if random.random() < rate}

    client, given_ = FakeSqs(script), list(batches(count))
    done = submitter(client, threads).submit(iter(given_))
    named = [unsent.message.to_json() for unsent in done.unsent]
    assert Counter(client.accepted + named) == Counter(message.to_json() for message in given_)
    assert done.sent == len(client.accepted)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1000])
def test_messages_travel_in_tens(count: int) -> None:
    """As few calls as the limit of ten allows."""
    client = FakeSqs()
    assert submitter(client).submit(batches(count)).sent == count
    assert len(client.calls) == -(-count // 10)


def test_refused_entries_alone_are_sent_again() -> None:
    """Three of ten are refused once: one more call, with three entries, and all ten are there."""
    client = FakeSqs(
        lambda number, entries: dict.fromkeys("258", ("InternalError", False)) if number == 1 else {}
    )
    done = submitter(client).submit(batches(10))
    assert (done.sent, done.unsent, client.calls) == (10, [], [10, 3])
    assert len(set(client.accepted)) == 10


def test_an_entry_its_sender_is_blamed_for_is_named_and_not_sent_again() -> None:
    """SenderFault says that trying again is useless; the other nine go."""
    client = FakeSqs(lambda number, entries: {"4": ("InvalidMessageContents", True)})
    done = submitter(client).submit(batches(10))
    assert (done.sent, client.calls) == (9, [10])
    [unsent] = done.unsent
    assert (unsent.message.start_index, unsent.reason.split(":")[0]) == (4, "InvalidMessageContents")


@pytest.mark.parametrize(
    "failure",
    [
        error("Throttling", 400),
        error("RequestThrottled", 403),
        error("ThrottlingException", 400),
        error("TooManyRequests", 429),
        error("InternalFailure", 500),
        error("ServiceUnavailable", 503),
        EndpointConnectionError(endpoint_url=URL),
    ],
    ids=str,
)
def test_a_call_that_may_succeed_later_is_tried_again(failure: Exception) -> None:
    """Throttled, failed or unreachable twice, then taken: nobody notices."""

    def script(number: int, entries: Sequence[Entry]) -> Refusals:
        if number <= 2:
            raise failure
        return {}

    client = FakeSqs(script)
    assert submitter(client).submit(batches(10)).sent == 10
    assert client.calls == [10, 10, 10]


@pytest.mark.parametrize("failure", [error("AccessDenied", 403), error("QueueDoesNotExist", 400)], ids=str)
def test_a_call_that_cannot_succeed_is_not_tried_again(failure: Exception) -> None:
    """No permission, no queue: every message is named at once."""

    def script(number: int, entries: Sequence[Entry]) -> Refusals:
        raise failure

    client = FakeSqs(script)
    done = submitter(client).submit(batches(10))
    assert (done.sent, len(done.unsent), client.calls) == (0, 10, [10])
    assert str(failure) in done.unsent[0].reason


def test_an_error_that_meets_every_call_stops_the_rest() -> None:
    """Without permission a hundred thousand messages cost a few calls, and are not all held to be named."""

    def script(number: int, entries: Sequence[Entry]) -> Refusals:
        raise error("AccessDenied", 403)

    client = FakeSqs(script)
    done = submitter(client).submit(batches(100_000))
    assert "AccessDenied" in done.stopped
    assert len(client.calls) < 100
    with pytest.raises(DataFactoryError, match="AccessDenied"):
        done.raise_if_unsent()


def test_what_fails_to_the_end_is_named() -> None:
    """Five tries and no more; each message is there with what SQS said last."""

    def script(number: int, entries: Sequence[Entry]) -> Refusals:
        raise error("Throttling", 400)

    client = FakeSqs(script)
    done = submitter(client).submit(batches(10))
    assert sorted(unsent.message.start_index for unsent in done.unsent) == list(range(10))
    assert (client.calls, "Throttling" in done.unsent[0].reason) == ([10] * TRIES, True)


def test_an_entry_that_sqs_does_not_answer_for_is_sent_again() -> None:
    """Neither taken nor refused is not taken: an answer without the entry proves nothing."""

    class Forgetful(FakeSqs):
        def send_message_batch(self, QueueUrl: str, Entries: Sequence[Entry]) -> dict[str, Any]:  # noqa: N803
            answered = Entries[:7] if not self.calls else Entries
            return super().send_message_batch(QueueUrl, answered)

    client = Forgetful()
    assert submitter(client).submit(batches(10)).sent == 10
    assert client.calls == [7, 3]


def test_unsent_messages_can_be_raised_in_one_line() -> None:
    """How many of how many, which is the first, why, and what to do."""
    client = FakeSqs(lambda number, entries: {"0": ("InvalidMessageContents", True)})
    done = submitter(client, threads=1).submit(batches(20))
    with pytest.raises(DataFactoryError, match=rf"2 of 20 .* {MAZE} 0: InvalidMessageContents.*run again"):
        done.raise_if_unsent()
    submitter(FakeSqs()).submit(batches(20)).raise_if_unsent()


def test_failed_generators_are_named() -> None:
    """The summary says whose batches are lacking."""
    client = FakeSqs(
        lambda number, entries: {e["Id"]: ("Bad", True) for e in entries if PUZZLE in e["MessageBody"]}
    )
    done = submitter(client).submit_tasks([MAZE, PUZZLE], 30, 10, 42)
    assert (done["total_successful"], done["total_failed"], done["failed_generators"]) == (3, 3, [PUZZLE])


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_a_stream_is_read_only_as_there_is_room(threads: int) -> None:
    """Of twenty thousand messages at most two calls' worth for each thread is held at any time."""
    read = held = 0

    def stream() -> Iterator[TaskMessage]:
        nonlocal read
        for message in islice(batches(20_000), 4000):
            read += 1
            yield message

    class Watched(FakeSqs):
        def send_message_batch(self, QueueUrl: str, Entries: Sequence[Entry]) -> dict[str, Any]:  # noqa: N803
            nonlocal held
            held = max(held, read - len(self.accepted))
            return super().send_message_batch(QueueUrl, Entries)

    assert submitter(Watched(), threads).submit(stream()).sent == 4000
    assert held <= threads * 2 * 10 + 1


def test_large_messages_are_packed_below_one_mebibyte() -> None:
    """Messages of 300 kB travel in threes; the fake refuses a call that is too large."""
    fat = [message.model_copy(update={"require": ("prompt.txt",) * 23_000}) for message in batches(10)]
    client = FakeSqs()
    assert submitter(client).submit(fat).sent == 10
    assert sorted(client.calls) == [1, 3, 3, 3]


@given(st.lists(st.integers(0, 60_000), max_size=25))
def test_packing_respects_both_limits(sizes: list[int]) -> None:
    """Whatever the sizes: at most ten and 1 MiB a call, every message once."""
    fat = [
        message.model_copy(update={"require": ("prompt.txt",) * size})
        for message, size in zip(batches(len(sizes)), sizes, strict=True)
    ]
    client = FakeSqs()
    assert submitter(client).submit(fat).sent == len(sizes)
    assert len(set(client.accepted)) == len(sizes)


def test_a_callback_hears_of_every_call() -> None:
    """What was sent and what was not, call by call, in the caller's own thread."""
    heard: list[tuple[int, int]] = []
    threads: set[int] = set()
    client = FakeSqs(lambda number, entries: {"0": ("Bad", True)})
    submitter(client).submit(
        batches(95), lambda *told: (heard.append(told), threads.add(threading.get_ident()))
    )
    assert (len(heard), [sum(column) for column in zip(*heard, strict=True)]) == (10, [85, 10])
    assert threads == {threading.get_ident()}


def test_calls_are_under_way_at_once() -> None:
    """Four threads, four calls: each waits for the others, so one after the other would never end."""
    together = threading.Barrier(4, timeout=20)

    class Slow(FakeSqs):
        def send_message_batch(self, QueueUrl: str, Entries: Sequence[Entry]) -> dict[str, Any]:  # noqa: N803
            together.wait()
            return super().send_message_batch(QueueUrl, Entries)

    assert submitter(Slow(), threads=4).submit(batches(40)).sent == 40


def test_a_submitter_without_a_queue_names_the_variable() -> None:
    """`TaskSubmitter()` needs SQS_QUEUE_URL and says so."""
    with pytest.raises(ConfigError, match="SQS_QUEUE_URL is not set"):
        TaskSubmitter(settings=Config())


def test_a_submitter_takes_its_queue_from_the_settings(sqs: Any, queue: str) -> None:
    """With the address set, nothing but the settings is needed."""
    done = TaskSubmitter(settings=Config(sqs_queue_url=queue)).submit(batches(25))
    assert (done.sent, len(received(sqs, queue))) == (25, 25)


@given(st.integers(1, 300), st.integers(1, 40), st.sampled_from(["hashed", "legacy"]))
def test_the_messages_of_one_generator_can_be_had_without_sending(
    samples: int, size: int, seeds: str
) -> None:
    """They are those that would be sent: the plan's, of no dataset."""
    asked = {"batch_size": size, "seed": 42, "output_format": "tar", "seeds": seeds}
    made = submitter(object()).create_task_messages("A", samples, output_bucket="my-bucket", **asked)
    plan = Plan(make_spec(generators=["A"], samples=samples, **asked))
    assert made == list(plan.messages(output_bucket="my-bucket", dataset=None))


def test_legacy_seeds_are_sent_where_they_are_asked_for(sqs: Any, queue: str) -> None:
    """Seed + number of the batch, for every generator alike."""
    TaskSubmitter(queue, client=sqs).submit_tasks(["A", "B"], 30, 10, 7, seeds="legacy")
    assert Counter(message.seed for message in received(sqs, queue)) == {7: 2, 8: 2, 9: 2}
