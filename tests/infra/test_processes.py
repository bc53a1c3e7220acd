import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import processes

SLEEP = ["sleep", "60"]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def sleeper(scratch: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own whose temporary folder is below ours."""
    child = subprocess.Popen(
        SLEEP, env={**os.environ, "TMPDIR": str(scratch / "batch")}, start_new_session=True
    )
    yield child
    child.kill()
    child.wait()


def test_alive_is_told_by_the_token() -> None:
    """A process is ours if its command line says so; the same number with another token is not."""
    child = subprocess.Popen([sys.executable, "-X", "token-1", "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.wait_listed(child.pid, "token-1", 2)
    assert not processes.is_alive(child.pid, "token-2")
    child.communicate(b"\n")
    assert not processes.is_alive(child.pid, "token-1")


def test_an_ended_child_is_gone() -> None:
    """A child that has ended and was not waited for does not count as alive."""
    child = subprocess.Popen([sys.executable, "-X", "token-3", "-c", ""])
    assert processes.wait_gone(child.pid, "token-3", 5)
    child.returncode = 0


def test_waiting_ends() -> None:
    """Waiting for a process that stays gives up."""
    child = subprocess.Popen(SLEEP)
    assert processes.wait_listed(child.pid, "sleep", 2)
    assert not processes.wait_gone(child.pid, "sleep", 0.1)
    child.kill()
    child.wait()


def test_users_of_a_folder_are_killed(sleeper: subprocess.Popen[bytes], scratch: Path) -> None:
    """A process with its temporary folder below ours ends, whatever its session."""
    processes.kill_users_of(scratch)
    assert sleeper.wait(5) == -9


def test_no_user_of_a_folder_is_left(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process starts while it is being killed ends too, and all have ended when the call returns."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        environment = {**os.environ, "TMPDIR": str(scratch)}
        started.append(subprocess.Popen(SLEEP, env=environment, start_new_session=True))

    def kill(pid: int, number: int) -> None:
        if len(started) == 1:
            start()
        before(pid, number)

    before = os.kill
    monkeypatch.setattr(processes.os, "kill", kill)
    start()
    try:
        processes.kill_users_of(scratch)
        # Not those that wait to be reaped.
        left = [child.pid for child in started if processes.exists(child.pid)]
    finally:
        for child in started:
            child.kill()
            child.wait()
    assert len(started) == 2
    assert left == []


def test_users_of_another_folder_stay(sleeper: subprocess.Popen[bytes], scratch: Path) -> None:
    """A process with its temporary folder beside ours, even with a name that begins alike, stays."""
    processes.kill_users_of(scratch.with_name("scr"))
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.2)


def test_a_process_that_waits_to_be_reaped_is_gone() -> None:
    """Whoever asks about an ended process is told so, even if its parent does not care."""
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.exists(ended.pid)
    ended.stdin.close()
    deadline = time.monotonic() + 10
    while processes.exists(ended.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ended.wait()
    assert not processes.exists(ended.pid)


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    """An error quotes the end of a log on one line, and nothing if there is none."""
    log = tmp_path / "log"
    assert processes.last_lines(log) == ""
    log.write_text("one\ntwo\n three \n")
    assert processes.last_lines(log, 2) == "two | three"
