"""Who holds a dataset, and whether its process lives."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import obstore
import psutil
import pytest
from obstore.exceptions import BaseError
from obstore.store import MemoryStore

from tasks import hold
from tasks.terms import Patience, Terms
from vbvrdatafactory.control.dataset_lock import DatasetLockLost, LockClaim, LockHolder
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.pause import write_pause

QUICK = Patience(poll_seconds=0.02)


@pytest.fixture(autouse=True)
def store(cloud, run_log) -> MemoryStore:
    """A bucket of the test's own."""
    return cloud.store


def lease(process: LockHolder, run: str = "first") -> LockClaim:
    return LockClaim(token="t", run=run, holder=process, taken_at=datetime.now(UTC))


@pytest.fixture
def child():
    """Another process of this machine."""
    made = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield made
    made.kill()
    made.wait()


def process_of(child) -> LockHolder:
    return LockHolder(hold._machine(), child.pid, psutil.Process(child.pid).create_time())


def test_a_process_that_lives_is_not_gone(child) -> None:
    """Neither another one nor the one that asks."""
    assert not hold.is_gone(lease(process_of(child)))
    assert not hold.is_gone(lease(hold.this_process()))


def test_a_killed_process_is_gone_even_before_it_is_buried(child) -> None:
    """Its parent may not have asked for its exit code yet."""
    there = process_of(child)
    child.kill()
    psutil.wait_procs([psutil.Process(child.pid)], timeout=0.5)
    assert hold.is_gone(lease(there))
    child.wait()
    assert hold.is_gone(lease(there))


def test_another_process_of_the_same_number_is_another() -> None:
    """Numbers are used again; the time of the start tells them apart."""
    mine = hold.this_process()
    assert hold.is_gone(lease(mine._replace(started=mine.started - 3600)))


def test_of_another_machine_nothing_is_known(child) -> None:
    """A number there says nothing here."""
    there = process_of(child)
    child.kill()
    child.wait()
    assert not hold.is_gone(lease(there._replace(machine="elsewhere")))


@pytest.fixture
def second(child, monkeypatch) -> Callable[[], None]:
    """From when it is called, claims are those of another run, whose process lives."""
    claim = lease(process_of(child), "second").model_copy(update={"token": "u"})
    return lambda: monkeypatch.setattr(hold, "claim", lambda: claim)


def test_a_busy_dataset_is_refused_with_the_holder_and_the_next_move(second) -> None:
    """The person knows which run, where, and what to do."""
    terms = Terms(QUICK, if_busy="refuse")
    with hold.hold("d", terms):
        second()
        with (
            pytest.raises(DataFactoryError, match=r"'d' is being made by run .* on .*; let it end, or wait"),
            hold.hold("d", terms),
        ):
            pass


def test_a_dataset_is_free_for_others_when_the_block_ends(second) -> None:
    """Even where it ends with an error, and while the process of the run before lives."""
    with pytest.raises(ZeroDivisionError), hold.hold("d", Terms(QUICK)):
        1 / 0  # noqa: B018
    second()
    with hold.hold("d", Terms(QUICK, if_busy="refuse")) as gate:
        gate.check()
        assert not gate.was_left


def test_a_busy_dataset_is_waited_for(second, caplog) -> None:
    """Who waits says for whom, once, and goes on as soon as the other lets go."""
    caplog.set_level(logging.INFO)
    with hold.hold("d", Terms(QUICK)) as first:
        second()
        letting_go = threading.Timer(0.2, first._door.release)
        letting_go.start()
        with hold.hold("d", Terms(QUICK, if_busy="wait")) as gate:
            gate.check()
    letting_go.join()
    assert caplog.text.count("waiting: 'd' is being made by run") == 1


def test_a_lease_that_cannot_be_released_costs_nobody_the_run(monkeypatch, caplog) -> None:
    """The bucket is away at the end: the lease ends by itself, and the log says when."""

    def away(_: object) -> None:
        raise BaseError("no route")

    monkeypatch.setattr(hold.DatasetLock, "release", away)
    with hold.hold("d", Terms(QUICK)):
        pass
    assert "the lease ends by itself, in 120 s: no route" in caplog.text


def test_a_paused_dataset_opens_when_it_is_resumed(store, caplog) -> None:
    """Until then nothing is sent, and the log says it once."""
    caplog.set_level(logging.INFO)
    with hold.hold("d", Terms(QUICK)) as gate:
        write_pause(store, "d", PauseState(paused=True, by="ann", at=datetime.now(UTC)))
        assert gate.pause()
        assert gate.pause()
        write_pause(store, "d", PauseState(paused=False, at=datetime.now(UTC)))
        gate.wait_until_open()
    assert caplog.text.count("'datafactory resume d' ends it") == 1


def test_a_control_file_that_cannot_be_read_stops_the_sending(store) -> None:
    """Whoever wrote it wanted something; the pause names the file."""
    with hold.hold("d", Terms(QUICK)) as gate:
        obstore.put(store, keys.pause_state("d"), b"paused: yes")
        assert "control.json is no PauseState" in str(gate.pause())


def test_a_run_whose_dataset_was_taken_over_does_not_send(store) -> None:
    """The gate says so before every send."""
    with hold.hold("d", Terms(QUICK)) as gate:
        other = hold.DatasetLock(store, keys.dataset_lock("d"), hold.claim(), is_gone=lambda _: True)
        other.take()
        gate._door.renew()
        with pytest.raises(DatasetLockLost, match="nothing more is sent"):
            gate.wait_until_open()
