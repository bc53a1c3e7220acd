"""`datafactory monitor`: one look, or looks until Ctrl-C."""

import os
import pty
import signal
import subprocess
import time

import pytest

from vbvrdatafactory.cli import pace


def send(place, count):
    for _ in range(count):
        place.sqs.send_message(QueueUrl=place.config.sqs_queue_url, MessageBody="{}")


def watch(installed, stdout):
    return subprocess.Popen(
        [installed, "monitor", "--watch", "--interval", "0.2"], stdout=stdout, stderr=subprocess.PIPE
    )


def test_one_look(run, place):
    """Without --watch there is one look at both queues."""
    send(place, 3)
    place.sqs.send_message(QueueUrl=place.config.sqs_dlq_url, MessageBody="{}")
    result = run("monitor")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["tasks", "3", "0", "0"] in lines
    assert ["dead", "letters", "1", "0", "0"] in lines
    assert "'datafactory dlq list' says why letters are dead" in result.stdout
    assert result.exit_code == 0


def test_empty_queue_is_no_proof(run, place):
    """An empty queue points at the report, which alone says done."""
    assert "'datafactory report' says whether every sample is there" in run("monitor").stdout


def test_dead_letter_queue_may_be_unset(run, place, monkeypatch):
    """Without SQS_DLQ_URL the task queue is shown, and that dead letters were not looked at."""
    monkeypatch.delenv("SQS_DLQ_URL")
    result = run("monitor")
    assert "SQS_DLQ_URL is not set" in result.stdout
    assert result.exit_code == 0


def test_watch_in_a_pipe(place, installed):
    """In a pipe --watch prints a line for each look, and Ctrl-C ends it with exit code 0 and no word."""
    send(place, 4)
    process = watch(installed, subprocess.PIPE)
    lines = [process.stdout.readline().decode() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
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
    _, err = process.communicate(timeout=10)
    os.close(ours)
    assert b"\x1b[" in seen
    assert (process.returncode, err) == (0, b"")


@pytest.fixture
def hurried(monkeypatch):
    """Looks without pause that end by Ctrl-C after the given number, and a stall that shows at once."""
    monkeypatch.setattr(pace, "STALLED_SECONDS", 0.0)

    def after(looks, between=lambda: None):
        count = iter(range(looks))

        def sleep(_):
            if next(count, None) is None:
                raise KeyboardInterrupt
            between()

        monkeypatch.setattr(time, "sleep", sleep)

    return after


def test_stall_is_hinted(run, place, hurried):
    """A queue that waits unchanged with nothing in flight is called stalled, with where to look."""
    send(place, 2)
    hurried(5)
    result = run("monitor", "--watch")
    assert "stalled? nothing changes and nothing is in flight" in result.stdout
    assert result.exit_code == 0


def test_rate_and_end(run, place, hurried):
    """A queue that empties shows its measured rate and when it will be empty."""
    send(place, 30)
    hurried(5, between=lambda: place.sqs.delete_message(**receive(place)))
    assert "messages/s; empty in about" in run("monitor", "--watch").stdout


def test_drained(run, place, hurried):
    """An empty queue is called drained after several looks, not after one."""
    hurried(4)
    lines = run("monitor", "--watch").stdout.splitlines()
    assert "; empty;" in lines[0]
    assert "; drained;" in lines[-1]


def receive(place):
    url = place.config.sqs_queue_url
    (message,) = place.sqs.receive_message(QueueUrl=url)["Messages"]
    return {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
