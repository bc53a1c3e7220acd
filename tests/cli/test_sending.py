"""`datafactory submit` drives as the flows do: under the dataset lock, held up by a pause, probes first."""

import threading
import time
from datetime import UTC, datetime
from typing import Any, Self

import obstore

from tests.certified import certificate
from vbvrdatafactory.control.circuit_breaker import PROBES
from vbvrdatafactory.control.dataset_lock import LockClaim, LockHolder
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver import guard
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.certificates import write_certificate
from vbvrdatafactory.s3.pause import read_pause, write_pause
from vbvrdatafactory.sqs.depth import depth

MAZE, FIRST = "G-3_maze_data-generator", "O-1_first_data-generator"
ELSEWHERE = LockHolder("another-machine", 7, 0.0)
MANY = ("submit", "-g", MAZE, "-n", 50, "-b", 5, "--poll-seconds", 0.1)


class Worker(threading.Thread):
    """Receives messages of a place's queue until it is stopped: makes their samples, or fails of a cause."""

    def __init__(self, place: Any, fails: Cause | None = None, most: int | None = None) -> None:
        super().__init__(daemon=True)
        self._place, self._fails, self._most = place, fails, most
        self._stopped = threading.Event()
        self.received: list[dict[str, Any]] = []

    def run(self) -> None:
        while not self._stopped.wait(0.05) and (self._most is None or len(self.received) < self._most):
            for message in self._place.messages():
                self.received.append(message)
                indices = range(message["start_index"], message["start_index"] + message["num_samples"])
                if self._fails is None:
                    self._place.make(message["type"], indices)
                key = keys.FailureKey(message["type"], IndexRange(*_ends(indices)), 0, 1, Cause.CRASH)
                done = keys.ReceiptKey(message["type"], IndexRange(*_ends(indices)), 0, message["seed"])
                self._place.put(keys.failure(key) if self._fails else keys.receipt(done), b"{}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()


def _ends(indices: range) -> tuple[int, int]:
    return indices.start, indices.stop


def hold(place: Any, dataset: str = "dataset") -> None:
    claim = LockClaim(token="t", run="other", holder=ELSEWHERE, taken_at=datetime.now(UTC))
    records.write(place.store, keys.dataset_lock(dataset), claim)


def test_a_dataset_that_a_run_makes_is_refused(run, place):
    """Nothing is sent or described beside the run that holds the lock; the run is named."""
    hold(place)
    result = run("submit", "-g", MAZE, "-n", 5)
    assert result.exit_code == 1
    assert "'dataset' is being made by run other (process 7 on another-machine" in result.stderr
    assert (place.messages(), place.listed()) == ([], [keys.dataset_lock("dataset")])


def test_the_lock_is_released_whatever_happens(run, place):
    """A second submission need not wait for the first to expire."""
    assert run("submit", "-g", MAZE, "-n", 5).exit_code == 0
    assert run("submit", "-g", MAZE, "-n", 9).exit_code == 0


def test_a_paused_dataset_is_refused_with_who_paused_it(run, place):
    """`datafactory pause` stops `datafactory submit` as it stops a run."""
    run("submit", "-g", MAZE, "-n", 1)
    place.messages()
    run("pause", "dataset", "--reason", "too dear")
    result = run("submit", "-g", MAZE, "-n", 5)
    assert result.exit_code == 1
    assert "too dear" in result.stderr
    assert "'datafactory resume dataset' ends it" in result.stderr
    assert place.messages() == []
    run("resume", "dataset")
    assert run("submit", "-g", MAZE, "-n", 5).exit_code == 0


def test_a_pause_is_waited_for_on_request(run, place, monkeypatch):
    """With --if-busy wait the command looks again and again, and goes on when the dataset is resumed."""
    write_pause(place.store, "dataset", PauseState(paused=True, by="ann", at=datetime.now(UTC)))
    waiting = []

    def look(*asked):
        waiting.append(depth(place.sqs, place.config.sqs_queue_url).total)
        if len(waiting) == 4:
            write_pause(place.store, "dataset", PauseState(paused=False, at=datetime.now(UTC)))
        return read_pause(*asked)

    monkeypatch.setattr(guard, "read_pause", look)
    result = run(*MANY, "--if-busy", "wait", "--no-probes")
    assert (result.exit_code, len(place.messages())) == (0, 10)
    assert waiting[:4] == [0] * 4
    assert "paused by ann" in result.stderr


def test_a_new_generator_is_tried_before_all_of_it_is_sent(run, place):
    """Two messages first; when one of them has made something, the rest."""
    with Worker(place) as worker:
        result = run(*MANY)
        assert result.exit_code == 0
        assert "sent probes of 1 generator" in result.stderr
        assert "Sent 10 messages for 50 samples" in result.stdout
        deadline = time.monotonic() + 120
        while len(worker.received) < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert sorted(message["start_index"] for message in worker.received) == list(range(0, 50, 5))


def test_the_command_ends_when_everything_is_sent(run, place):
    """It waits for probes, not for the dataset: a worker that stops after them leaves the rest in the queue."""
    with Worker(place, most=PROBES) as worker:
        result = run(*MANY)
    assert (result.exit_code, len(worker.received)) == (0, PROBES)
    assert len(place.messages()) == 10 - PROBES


def test_of_a_generator_that_always_fails_two_messages_are_sent(run, place):
    """The command says why and how much was held back, and exits 1; the other generator's messages are sent."""
    obstore.put(
        place.store, keys.receipt(keys.ReceiptKey(FIRST, IndexRange(100, 105), 0)), b"{}"
    )  # proves it
    write_certificate(place.store, certificate(FIRST, code=code_digest(place.generators / FIRST)))
    with Worker(place, fails=Cause.CRASH) as worker:
        result = run(*MANY, "-g", FIRST)
    assert result.exit_code == 1
    assert f"{MAZE} was skipped for the rest of the run: crash" in result.stderr
    assert "40 samples were held back" in result.stderr
    assert len([message for message in worker.received if message["type"] == MAZE]) == PROBES
    assert len([message for message in worker.received if message["type"] == FIRST]) == 10


def test_without_probes_everything_is_sent_at_once(run, place):
    """For who knows the generators, or wants the command to end."""
    result = run(*MANY, "--no-probes")
    assert (result.exit_code, len(place.messages())) == (0, 10)
