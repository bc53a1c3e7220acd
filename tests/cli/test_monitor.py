"""`datafactory monitor`: one poll, or polls until Ctrl-C."""

import os
import pty
import signal
import subprocess
from types import SimpleNamespace

import pytest

from vbvrdatafactory.cli import watching
from vbvrdatafactory.testing.clock import Clock


def send(place, count):
    for _ in range(count):
        place.sqs.send_message(QueueUrl=place.config.sqs_queue_url, MessageBody="{}")


def watch(installed, stdout):
    return subprocess.Popen(
        [installed, "monitor", "--watch", "--interval", "0.2"], stdout=stdout, stderr=subprocess.PIPE
    )


def test_one_poll(run, place):
    """Without --watch both queues are polled once."""
    send(place, 3)
    place.sqs.send_message(QueueUrl=place.config.sqs_dlq_url, MessageBody="{}")
    result = run("monitor")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["tasks", "3", "0", "0"] in lines
    assert ["dead", "letters", "1", "0", "0"] in lines
    assert "'datafactory dlq list' says why messages failed" in result.stdout
    assert result.exit_code == 0


def test_empty_queue_is_no_proof(run, place):
    """An empty queue points at the report, which alone says done."""
    assert "'datafactory report' says whether every sample is there" in run("monitor").stdout


def test_dead_letter_queue_may_be_unset(run, place, monkeypatch):
    """Without SQS_DLQ_URL the task queue is shown, and that dead letters are not counted."""
    monkeypatch.delenv("SQS_DLQ_URL")
    result = run("monitor")
    assert "SQS_DLQ_URL is not set" in result.stdout
    assert result.exit_code == 0


def test_watch_in_a_pipe(place, installed):
    """In a pipe --watch prints a line for each poll, and Ctrl-C ends it with exit code 0 and no word."""
    send(place, 4)
    process = watch(installed, subprocess.PIPE)
    lines = [process.stdout.readline().decode() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert all("4 waiting, 0 in flight, 0 delayed, 0 dead" in line for line in lines)
    assert "4 messages to go" in lines[0]
    assert (process.returncode, err) == (0, b"")


def test_watch_on_a_terminal(place, installed):
    """On a terminal --watch redraws one table, and Ctrl-C ends it with exit code 0."""
    send(place, 4)
    ours, theirs = pty.openpty()
    process = watch(installed, theirs)
    os.close(theirs)
    seen = b""
    while seen.count(b"tasks") < 3:
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    os.close(ours)
    assert b"\x1b[" in seen
    assert (process.returncode, err) == (0, b"")


@pytest.fixture
def polls(monkeypatch):
    """--watch ends by Ctrl-C after the given number of polls, `every` seconds apart."""

    def after(count, between=lambda: None, every=5.0):
        clock = Clock(0.0)

        def sleep(seconds):
            clock.advance(seconds)
            if clock() >= every * count:
                raise KeyboardInterrupt
            between()

        monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=clock, sleep=sleep))

    return after


def last_verdict(result):
    assert result.exit_code == 0
    return result.stdout.splitlines()[-1].partition("; ")[2]


def test_stall_is_hinted(run, place, polls):
    """A queue that waits with nothing in flight is called stalled after four polls, with where to look."""
    send(place, 2)
    polls(3)
    assert last_verdict(run("monitor", "--watch")) == "not getting fewer so far"
    polls(4)
    assert last_verdict(run("monitor", "--watch")).startswith(
        "stalled? no message is in flight; is the worker's"
    )


def test_polls_that_are_far_between_are_no_sooner_a_stall(run, place, polls):
    """Two or three polls say nothing, however long they are apart."""
    send(place, 2)
    polls(3, every=300.0)
    assert last_verdict(run("monitor", "--watch", "--interval", "300")) == "not getting fewer so far"


def test_polls_that_are_close_are_no_sooner_a_stall(run, place, polls):
    """Fifteen seconds pass before a stall is suspected: pollers take a moment to begin."""
    send(place, 2)
    polls(15, every=1.0)
    assert last_verdict(run("monitor", "--watch", "--interval", "1")) == "not getting fewer so far"
    polls(16, every=1.0)
    assert last_verdict(run("monitor", "--watch", "--interval", "1")).startswith("stalled?")


def test_work_in_flight_is_no_stall(run, place, polls):
    """A long batch keeps a message in flight."""
    send(place, 2)
    receive(place)
    polls(8)
    assert last_verdict(run("monitor", "--watch")) == "not getting fewer so far"


def test_rate_and_end(run, place, polls):
    """A queue that shrinks shows its measured rate and when it will be empty, as a range."""
    send(place, 30)
    polls(6, between=lambda: place.sqs.delete_message(**receive(place)))
    assert last_verdict(run("monitor", "--watch")) == "12 messages/min, about 2 min left (1 min to 3 min)"


def test_queue_that_grows_has_no_end(run, place, polls):
    """Messages are added faster than they are received: no end is foretold."""
    send(place, 2)
    receive(place)
    polls(6, between=lambda: send(place, 1))
    assert last_verdict(run("monitor", "--watch")) == "not getting fewer so far"


def test_drained(run, place, polls):
    """An empty queue is called drained after several polls, not after one."""
    polls(4)
    lines = run("monitor", "--watch").stdout.splitlines()
    assert "; empty;" in lines[0]
    assert "; drained;" in lines[-1]


def receive(place):
    url = place.config.sqs_queue_url
    (message,) = place.sqs.receive_message(QueueUrl=url)["Messages"]
    return {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
