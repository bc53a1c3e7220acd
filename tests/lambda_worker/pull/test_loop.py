"""The loop of `datafactory worker`, on a queue and a bucket in memory."""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_worker.processor import Outcome
from lambda_worker.pull import loop, outage, visibility
from lambda_worker.pull.loop import PullOptions, PullWorker
from lambda_worker.pull.visibility import TaskQueue
from tests.lambda_worker.pull.queue_in_memory import (
    AGAIN,
    DEAD,
    DONE,
    HANGS_SECONDS,
    MemoryS3,
    MemorySqs,
    cancellable,
    finish,
    stop,
    until,
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(outage, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(outage, "_LONGEST_PAUSE", 0.1)


@pytest.fixture
def s3() -> MemoryS3:
    return MemoryS3()


@pytest.fixture
def running(s3: MemoryS3) -> Iterator[Callable[..., SimpleNamespace]]:
    """Starts a worker in a thread; stops it at the end of the test."""
    started = []

    def start(sqs: MemorySqs, deliver: Callable[..., Outcome], **asked: Any) -> SimpleNamespace:
        queue = TaskQueue(sqs, "queue", asked.pop("visibility", 60), asked.pop("wait", 0.05))
        views: list[Any] = []
        options = PullOptions(asked.pop("concurrency", 2), **asked)
        pulling = PullWorker(queue, deliver, s3.probe, options, views.append)
        result = SimpleNamespace(pulling=pulling, views=views, totals=None, error=None)

        def run() -> None:
            try:
                result.totals = pulling.run()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                result.error = error

        result.thread = threading.Thread(target=run, daemon=True)
        result.thread.start()
        started.append(result)
        return result

    yield start
    for one in started:
        one.pulling.stop()
        one.pulling.stop()
        one.thread.join(HANGS_SECONDS)


class ExtenderClock:
    """Time that passes only while a worker waits to extend a visibility timeout: the same on any machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = self
        self.now = 0.0

        class Event(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                clock.now += timeout or 0.0
                return super().wait(0.001)

        namespace = SimpleNamespace(Event=Event, Thread=threading.Thread)
        monkeypatch.setattr(visibility, "threading", namespace)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visibility timeouts are extended a thousand times as often as they need to be."""

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait((timeout or 0.0) / 1000)

    monkeypatch.setattr(visibility, "threading", SimpleNamespace(Event=Event, Thread=threading.Thread))


def test_all_messages_are_done_once(running) -> None:
    """Every message is worked on once and deleted, and with --until-empty the worker then ends."""
    sqs, seen = MemorySqs(25), []
    worker = running(sqs, lambda record, *_: seen.append(record["messageId"]) or DONE, until_empty=True)
    totals = finish(worker)
    assert sorted(seen, key=int) == [str(n) for n in range(25)]
    assert (sqs.messages, totals.done, totals.samples) == ({}, 25, 125)


def test_an_empty_queue_is_looked_at_several_times(running) -> None:
    """One empty look ends nothing: the counts of SQS are approximate."""
    sqs = MemorySqs()
    finish(running(sqs, lambda *_: DONE, until_empty=True))
    assert sqs.calls["look"] >= 3


def test_a_worker_waits_for_what_others_have(running) -> None:
    """With --until-empty a message in flight elsewhere keeps the worker: it may come back."""
    sqs = MemorySqs(1)
    sqs.messages["0"].visible_at = time.monotonic() + 1
    totals = finish(running(sqs, lambda *_: DONE, until_empty=True))
    assert totals.done == 1


def test_no_more_messages_than_slots(running) -> None:
    """A worker holds only as many messages as it works on: the rest is for others."""
    sqs, most = MemorySqs(9), []

    def deliver(*_: object) -> Outcome:
        most.append(len(sqs.messages) - sqs.visible())
        time.sleep(0.03)
        return DONE

    finish(running(sqs, deliver, concurrency=3, until_empty=True))
    assert max(most) == 3


def test_a_handler_sees_what_lambda_would_give_it(running) -> None:
    """The handler gets a record in the shape of a Lambda event, and the seconds a batch may take."""
    sqs, seen = MemorySqs(1), []
    finish(running(sqs, lambda *args: seen.append(args) or DONE, batch_seconds=77.0, until_empty=True))
    record, seconds, _ = seen[0]
    assert (record["messageId"], record["attributes"]) == ("0", {"ApproximateReceiveCount": "1"})
    assert json.loads(record["body"])["type"] == "T-0"
    assert seconds == 77


@pytest.mark.parametrize("failing", [0, 3])
def test_a_visibility_timeout_is_extended(running, monkeypatch, failing: int) -> None:
    """A batch that takes three times the visibility timeout is never delivered to anybody else, nor where extensions fail at first."""
    clock = ExtenderClock(monkeypatch)
    sqs, visible = MemorySqs(1, clock), []
    sqs.failing["hide"] = failing
    change = sqs.change_message_visibility

    def watched(**asked: Any) -> None:
        visible.append(sqs.visible())
        change(**asked)

    sqs.change_message_visibility = watched

    def deliver(*_: object) -> Outcome:
        until(lambda: clock.now > 180)
        return DONE

    totals = finish(running(sqs, deliver, visibility=60, concurrency=4, until_empty=True))
    assert (totals.done, sqs.calls["receive"] > 0, sqs.calls["delete"]) == (1, True, 1)
    assert set(visible) == {0}
    assert sqs.failing["hide"] <= 0


@pytest.mark.usefixtures("_hasty")
def test_an_expired_timeout_stops_nothing(running, caplog) -> None:
    """A message that somebody else has is said once, and the batch goes on: twice equals once."""
    sqs, expired = MemorySqs(1), "its visibility timeout expired, the batch goes on"

    def deliver(*_: object) -> Outcome:
        sqs.messages["0"].receives, sqs.messages["0"].visible_at = 2, time.monotonic() + 60
        until(lambda: expired in caplog.text)
        time.sleep(0.2)
        return DONE

    totals = finish(running(sqs, deliver, until_empty=True))
    assert totals.done == 1
    assert caplog.text.count(expired) == 1


def test_stop_gives_messages_back(running, monkeypatch) -> None:
    """On SIGTERM running batches end, their messages are visible at once, and the worker is gone without waiting."""
    monkeypatch.setattr(loop, "_GRACE_SECONDS", 2 * HANGS_SECONDS)
    sqs = MemorySqs(5)
    worker = running(sqs, cancellable(sqs), concurrency=3)
    until(lambda: sqs.visible() == 2)
    stop(worker)
    assert sqs.visible() == 5
    assert (worker.totals.released, worker.totals.failed, worker.pulling.has_leftovers) == (3, 0, False)


@pytest.mark.usefixtures("_hasty")
def test_no_extension_after_the_message_is_released(running) -> None:
    """A renewal under way when the worker stops does not hide again what is released."""
    sqs, began, ended = MemorySqs(1), threading.Event(), threading.Event()
    change = sqs.change_message_visibility

    def slow(**asked: Any) -> None:
        began.set()
        worker.pulling._stopping.wait()
        time.sleep(0.1)
        change(**asked)
        ended.set()

    sqs.change_message_visibility = slow

    def deliver(record: Any, _seconds: float, cancelled: threading.Event) -> Outcome:
        cancelled.wait()
        change(ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0)
        return AGAIN

    sqs.held.clear()
    worker = running(sqs, deliver)
    sqs.held.set()
    until(began.is_set)
    stop(worker)
    until(ended.is_set)
    # A receive under way may have released it once more.
    assert (sqs.hidden[0], set(sqs.hidden[1:])) == (60, {0})


def test_what_arrives_after_the_stop_is_released(running) -> None:
    """A message that a receive brings after SIGTERM is released unopened."""
    sqs, seen = MemorySqs(1), []
    sqs.held.clear()
    worker = running(sqs, lambda *args: seen.append(args) or DONE)
    until(lambda: sqs.messages["0"].receives)
    worker.pulling.stop()
    until(worker.pulling._stopping.is_set)
    sqs.held.set()
    finish(worker)
    assert (seen, sqs.visible()) == ([], 1)


def test_a_second_signal_waits_for_nothing(running, monkeypatch) -> None:
    """A batch that does not end is released over its head as soon as a second signal says so."""
    monkeypatch.setattr(loop, "_GRACE_SECONDS", 2 * HANGS_SECONDS)
    sqs, forever = MemorySqs(1), threading.Event()
    worker = running(sqs, lambda *_: forever.wait() and DONE)
    until(lambda: worker.pulling.has_leftovers)  # it runs
    worker.pulling.stop()
    stop(worker)
    assert (sqs.visible(), worker.totals.released, worker.pulling.has_leftovers) == (1, 1, True)
    forever.set()


def test_one_signal_is_enough_for_a_batch_that_hangs(running, monkeypatch) -> None:
    """Without a second signal a batch that does not end is released after the grace."""
    monkeypatch.setattr(loop, "_GRACE_SECONDS", 0.3)
    sqs, forever = MemorySqs(1), threading.Event()
    worker = running(sqs, lambda *_: forever.wait() and DONE)
    until(lambda: worker.pulling.has_leftovers)  # it runs
    stop(worker)
    assert sqs.visible() == 1
    forever.set()


def test_sqs_may_be_away(running, caplog) -> None:
    """While SQS is away nothing ends and nothing is lost; that it went and that it is back is said once each."""
    sqs, delivered = MemorySqs(6), []

    def deliver(*_: object) -> Outcome:
        delivered.append(sqs)
        sqs.away = sqs.away or len(delivered) == 3
        return DONE

    worker = running(sqs, deliver, until_empty=True)
    until(lambda: sqs.away)
    asked = sqs.calls.total()
    until(lambda: sqs.calls.total() > asked + 5)
    until(lambda: any("SQS" in view.away for view in worker.views))
    assert worker.thread.is_alive()
    sqs.away = False
    totals = finish(worker)
    said = [record.getMessage() for record in caplog.records if record.name == "lambda_worker.pull.outage"]
    assert (sqs.messages, totals.done, totals.failed) == ({}, 6, 0)
    assert len(said) == 2
    assert "SQS is away (EndpointConnectionError" in said[0]
    assert "SQS is back after" in said[1]


def test_a_batch_done_while_sqs_is_away_is_not_made_again(running) -> None:
    """A batch that ends while SQS is away is deleted when SQS is back, not delivered again."""
    sqs, seen = MemorySqs(1), []

    def deliver(*_: object) -> Outcome:
        seen.append(sqs)
        sqs.away = True
        return DONE

    worker = running(sqs, deliver, until_empty=True)
    until(lambda: sqs.calls["delete"] > 1)
    sqs.away = False
    finish(worker)
    assert (len(seen), sqs.messages) == (1, {})


def test_a_stop_does_not_wait_for_sqs(running, monkeypatch) -> None:
    """A worker told to stop while SQS is away stops all the same."""
    monkeypatch.setattr(loop, "_GRACE_SECONDS", 2 * HANGS_SECONDS)
    sqs = MemorySqs(1)
    worker = running(sqs, cancellable(sqs, 0.05))
    sqs.away = True
    until(lambda: any("SQS" in view.away for view in worker.views))
    stop(worker)


def test_s3_may_be_away(running, s3, caplog) -> None:
    """What failed because S3 was away is made again here when it is back, at no receive; nothing is taken meanwhile."""
    sqs, delivered = MemorySqs(8), []

    def deliver(record: Any, *_: object) -> Outcome:
        delivered.append(record["messageId"])
        time.sleep(0.02)
        if not s3.away:
            return DONE
        sqs.show_again(record, 0.05)
        return Outcome(delete=False, failure="upload: no route")

    s3.away = True
    worker = running(sqs, deliver, until_empty=True)
    until(lambda: len(delivered) == 2 and "S3 is away" in caplog.text)
    time.sleep(0.3)
    assert sum(sent.receives for sent in sqs.messages.values()) == 2
    s3.away = False
    totals = finish(worker)
    assert (sqs.messages, totals.done, totals.failed) == ({}, 8, 0)
    assert Counter(delivered).most_common(1)[0][1] == 2
    assert sqs.calls["delete"] == 8
    assert caplog.text.count("S3 is away") == caplog.text.count("S3 is back after") == 1


@pytest.mark.usefixtures("_hasty")
def test_an_outage_that_is_over_when_the_batch_fails_counts(running, s3) -> None:
    """A batch that fails just when the network is back is made again here, too, at no receive."""
    sqs, delivered = MemorySqs(1), []

    def deliver(record: Any, *_: object) -> Outcome:
        delivered.append(record["attributes"]["ApproximateReceiveCount"])
        if len(delivered) > 1:
            return DONE
        sqs.away = True
        until(lambda: worker.pulling._sqs.seconds)
        sqs.away = False
        until(lambda: not worker.pulling._sqs.seconds)
        return AGAIN

    sqs.held.clear()
    worker = running(sqs, deliver, until_empty=True)
    sqs.held.set()
    totals = finish(worker)
    assert (delivered, totals.done, totals.failed) == (["1", "1"], 1, 0)


def test_what_others_took_during_an_outage_is_left_to_them(running, s3) -> None:
    """A message whose visibility timeout expired in an outage is not made again here: somebody else has it."""
    sqs, delivered = MemorySqs(1), []

    def deliver(record: Any, *_: object) -> Outcome:
        delivered.append(record["attributes"]["ApproximateReceiveCount"])
        if len(delivered) > 1:
            return DONE
        sqs.messages["0"].receives, sqs.messages["0"].visible_at = 2, time.monotonic() + 0.5
        s3.away = True
        threading.Timer(0.2, setattr, (s3, "away", False)).start()
        return AGAIN

    totals = finish(running(sqs, deliver, until_empty=True))
    assert (delivered, totals.done, totals.failed) == (["1", "3"], 1, 1)


def test_a_stop_does_not_wait_for_s3(running, s3, monkeypatch) -> None:
    """Messages kept until S3 is back are released when the worker is to stop."""
    monkeypatch.setattr(loop, "_GRACE_SECONDS", 2 * HANGS_SECONDS)
    sqs = MemorySqs(2)
    s3.away = True
    worker = running(sqs, lambda *_: AGAIN)
    until(lambda: sqs.calls["hide"] == 2)  # both are kept
    stop(worker)
    assert sqs.visible() == 2


def test_a_failure_is_one_line(running, caplog) -> None:
    """Each failure is one line with the batch, why, and what becomes of the message; the totals tell them apart."""
    sqs = MemorySqs(3)
    ends = {"0": DONE, "1": DEAD}

    def deliver(record: Any, *_: object) -> Outcome:
        if record["attributes"]["ApproximateReceiveCount"] == "2":
            return DONE
        if record["messageId"] == "2":
            sqs.show_again(record, 0.05)
        return ends.get(record["messageId"], AGAIN)

    with caplog.at_level(logging.WARNING):
        totals = finish(running(sqs, deliver, until_empty=True))
    assert str(totals) == "2 batches done, 2 failed, 10 samples"
    assert sorted(record.getMessage() for record in caplog.records) == [
        "T-1 0-4: crash: no font; it is in the dead letter queue",
        "T-2 0-4: crash: bad luck; it will be received again",
    ]


def test_a_fault_of_the_handler_costs_one_delivery(running, caplog) -> None:
    """A handler that raises frees its slot, and the message comes again when its visibility timeout expires."""
    sqs = MemorySqs(1)

    def deliver(record: Any, *_: object) -> Outcome:
        if record["attributes"]["ApproximateReceiveCount"] == "1":
            raise RuntimeError("a bug")
        return DONE

    totals = finish(running(sqs, deliver, visibility=0.3, concurrency=1, until_empty=True))
    assert (totals.done, totals.failed) == (1, 1)
    assert "RuntimeError: a bug" in caplog.text


def test_a_worker_that_cannot_receive_says_so(running) -> None:
    """A fault in the loop itself ends the worker with that fault, not with a process that does nothing."""
    sqs = MemorySqs()
    sqs.receive_message = None
    worker = running(sqs, lambda *_: DONE)
    finish(worker)
    assert isinstance(worker.error, TypeError)


def test_the_view_tells_what_a_person_wants_to_know(running) -> None:
    """A view holds the running batches, the totals, the pace, the queue and when it will be empty."""
    sqs = MemorySqs(12)
    sqs.messages["11"].body = "no JSON"

    def is_full(view: Any) -> bool:
        return view.running and view.seconds_left is not None and view.samples_per_minute

    def deliver(record: Any, *_: object) -> Outcome:
        time.sleep(0.1)
        if record["messageId"] == "11":
            # Nobody sees a batch that ends before the next look.
            until(lambda: any(batch.generator == "(unreadable)" for batch in worker.views[-1].running))
            until(lambda: any(map(is_full, worker.views)))
        return DONE

    drain_look = loop._POLL_SECONDS
    loop._POLL_SECONDS = 0.05
    try:
        worker = running(sqs, deliver, until_empty=True)
        finish(worker)
    finally:
        loop._POLL_SECONDS = drain_look
    full = next(filter(is_full, worker.views))
    assert 1 <= len(full.running) <= 2
    assert (full.running[0].generator, full.running[0].samples) != ("", 0)
    assert "running" in full.lines[0]
    assert "samples (" in full.lines[0]
    assert "empty in about" in full.lines[1]
    assert any(batch.generator == "(unreadable)" for view in worker.views for batch in view.running)
