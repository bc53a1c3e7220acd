"""Who holds a dataset lock, whether its process lives, and when a run may send."""

import logging
import os
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

from vbvrdatafactory.control.dataset_lock import DatasetLockLost, LockClaim, LockHolder
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.control.run_policy import PollPolicy, RunPolicy
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.driver import guard as module
from vbvrdatafactory.driver import processes
from vbvrdatafactory.driver.guard import lock_dataset, new_claim
from vbvrdatafactory.driver.processes import has_ended, this_process
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.s3.dataset_lock import DatasetLock
from vbvrdatafactory.s3.pause import write_pause

QUICK = RunPolicy(PollPolicy(poll_seconds=0.02))
REFUSING = QUICK._replace(if_busy="refuse")


@pytest.fixture
def services(cloud) -> Services:
    """A bucket of the test's own."""
    return Services(cloud.config, log=logging.getLogger("run"))


@pytest.fixture
def store(cloud) -> MemoryStore:
    """The same bucket."""
    return cloud.store


def claim_of(process: LockHolder, run: str = "first") -> LockClaim:
    return LockClaim(token="t", run=run, holder=process, taken_at=datetime.now(UTC))


@pytest.fixture
def child():
    """Another process of this machine."""
    made = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield made
    made.kill()
    made.wait()


def process_of(child) -> LockHolder:
    return LockHolder(processes._machine(), child.pid, psutil.Process(child.pid).create_time())


def test_a_process_that_lives_is_not_gone(child) -> None:
    """Neither another one nor the one that asks."""
    assert not has_ended(claim_of(process_of(child)))
    assert not has_ended(claim_of(this_process()))


def test_a_killed_process_is_gone_even_before_it_is_buried(child) -> None:
    """Its parent may not have asked for its exit code yet."""
    there = process_of(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(claim_of(there))
    child.wait()
    assert has_ended(claim_of(there))


def test_another_process_of_the_same_number_is_another() -> None:
    """Numbers are used again; the time of the start tells them apart."""
    mine = this_process()
    assert has_ended(claim_of(mine._replace(started=mine.started - 3600)))


def test_of_another_machine_nothing_is_known(child) -> None:
    """A number there says nothing here."""
    there = process_of(child)
    child.kill()
    child.wait()
    assert not has_ended(claim_of(there._replace(machine="elsewhere")))


@pytest.fixture
def second(child, monkeypatch) -> Callable[[], None]:
    """From when it is called, claims are those of another run, whose process lives."""
    claim = claim_of(process_of(child), "second").model_copy(update={"token": "u"})
    return lambda: monkeypatch.setattr(module, "new_claim", lambda: claim)


def test_a_busy_dataset_is_refused_with_the_holder_and_the_next_move(services, second) -> None:
    """The person knows which run, where, and what to do."""
    with lock_dataset(services, "d", REFUSING):
        second()
        with (
            pytest.raises(DataFactoryError, match=r"'d' is being made by run .* on .*; let it end, or wait"),
            lock_dataset(services, "d", REFUSING),
        ):
            pass


def test_a_dataset_is_free_for_others_when_the_block_ends(services, second) -> None:
    """Even where it ends with an error, and while the process of the run before lives."""
    with pytest.raises(ZeroDivisionError), lock_dataset(services, "d", QUICK):
        1 / 0  # noqa: B018
    second()
    with lock_dataset(services, "d", REFUSING) as guard:
        guard.check(services)
        assert not guard.took_over


def test_a_busy_dataset_is_waited_for(services, second, caplog) -> None:
    """Who waits says for whom, once, and goes on as soon as the other lets go."""
    caplog.set_level(logging.INFO)
    first = DatasetLock(services.bucket, keys.dataset_lock("d"), new_claim())
    assert first.take() is None
    second()
    letting_go = threading.Timer(0.2, first.release)
    letting_go.start()
    with lock_dataset(services, "d", QUICK) as guard:
        guard.check(services)
        assert guard.waited
    letting_go.join()
    assert caplog.text.count("waiting: 'd' is being made by run") == 1


def test_a_lock_that_cannot_be_released_costs_nobody_the_run(services, monkeypatch, caplog) -> None:
    """The bucket is away at the end: the lock expires by itself, and the log says when."""

    def away(_: object) -> None:
        raise BaseError("no route")

    monkeypatch.setattr(module.DatasetLock, "release", away)
    with lock_dataset(services, "d", QUICK):
        pass
    assert "the dataset lock expires by itself in 120 s: no route" in caplog.text


def test_a_paused_dataset_opens_when_it_is_resumed(services, store, caplog) -> None:
    """Until then nothing is sent, and the log says it once."""
    caplog.set_level(logging.INFO)
    with lock_dataset(services, "d", QUICK) as guard:
        write_pause(store, "d", PauseState(paused=True, by="ann", at=datetime.now(UTC)))
        assert guard.pause(services)
        resumed = PauseState(paused=False, at=datetime.now(UTC))
        resume = threading.Timer(0.2, write_pause, (store, "d", resumed))
        resume.start()
        guard.wait_until_open(services)
        assert guard.pause(services) is None
    resume.join()
    assert caplog.text.count("'datafactory resume d' ends it") == 1


def test_a_control_file_that_cannot_be_read_stops_the_sending(services, store) -> None:
    """Whoever wrote it wanted something; the pause names the file."""
    with lock_dataset(services, "d", QUICK) as guard:
        obstore.put(store, keys.pause_state("d"), b"paused: yes")
        assert "control.json is no PauseState" in str(guard.pause(services))


def test_a_run_whose_dataset_was_taken_over_does_not_send(services, store) -> None:
    """The send guard sees in the bucket whose the lock is, before every send."""
    with lock_dataset(services, "d", QUICK) as guard:
        other = DatasetLock(store, keys.dataset_lock("d"), new_claim(), is_gone=lambda _: True)
        other.take()
        with pytest.raises(DatasetLockLost, match="nothing more is sent"):
            guard.wait_until_open(services)


def test_a_lock_file_that_was_deleted_is_nobody_elses(services, store) -> None:
    """Its holder writes it again; until then the run may send."""
    with lock_dataset(services, "d", QUICK) as guard:
        obstore.delete(store, keys.dataset_lock("d"))
        guard.wait_until_open(services)


def test_a_process_number_is_no_run(services: Services) -> None:
    """Two claims of processes with one number, as on two machines, are two runs: the second is refused."""
    with (
        lock_dataset(services, "d", QUICK),
        pytest.raises(DataFactoryError, match="is being made by"),
        lock_dataset(services, "d", REFUSING),
    ):
        pass


def test_another_lambda_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda's machines have one name and the same process numbers: what runs on another one is not taken for ended."""
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]aaaa")
    claim = new_claim()
    gone = claim.model_copy(update={"holder": claim.holder._replace(pid=2**22 - 1)})
    assert (has_ended(claim), has_ended(gone)) == (False, True)
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]bbbb")
    assert not has_ended(gone)
