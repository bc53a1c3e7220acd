"""A background process is found again by its record, ended by its id, and never mistaken for another."""

import json
import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from infra import processes, ui
from infra.background import Background
from infra.ui import HOST, free_port
from vbvrdatafactory.core.errors import DataFactoryError


@pytest.fixture
def sleeper(tmp_path: Path) -> Background:
    """A module that says a word and then sleeps, with a child that does too."""
    (tmp_path / "sleeper.py").write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('awake', child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    return Background("sleeper", tmp_path / "state")


def start(sleeper: Background, tmp_path: Path) -> int:
    """Start it; the child's number, when it has one."""
    sleeper.start(["sleeper"], os.environ, tmp_path)
    deadline = time.monotonic() + 120
    while "awake" not in sleeper.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(sleeper.log.read_text().split()[1])


def test_another_command_finds_and_ends_it(sleeper: Background, tmp_path: Path) -> None:
    """What one command started, another finds by the folder, and ends with all it started; twice is once."""
    child = start(sleeper, tmp_path)
    other = Background("sleeper", tmp_path / "state")
    record = other.running()
    assert record
    assert other.stop()
    deadline = time.monotonic() + 120
    while "time.sleep" in processes._command_line(child):
        assert time.monotonic() < deadline, "its child lives"
        time.sleep(0.02)
    assert not processes.is_alive(record.pid, record.token)
    assert not other.stop()


def test_a_number_used_again_is_not_it(sleeper: Background, tmp_path: Path) -> None:
    """A record whose number now belongs to another process counts as not running, and that process lives."""
    (tmp_path / "state").mkdir()
    record = {"pid": os.getpid(), "token": "datafactory-of-yesterday", "port": 0}
    (tmp_path / "state" / "sleeper.json").write_text(json.dumps(record))
    assert sleeper.running() is None
    assert not sleeper.stop()


def test_one_that_ended_is_told_with_its_last_words(tmp_path: Path) -> None:
    """A part that does not start is named with the end of its log."""
    part = Background("nothing", tmp_path)
    record = part.start(["no_such_module"], os.environ, tmp_path)
    assert processes.wait_gone(record.pid, record.token, 30)
    with pytest.raises(DataFactoryError, match=r"the nothing has ended; .*No module named no_such_module"):
        part.wait_until(lambda: False, 30)


def test_the_next_port_is_taken_where_one_is_busy() -> None:
    """Whoever listens on the first port keeps it."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 100


def test_a_port_range_that_is_full_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the range and the option."""

    class Full(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError

    monkeypatch.setattr(ui.socket, "socket", Full)
    with pytest.raises(DataFactoryError, match=r"from 4200 to 4299; give another with --port"):
        free_port(4200)


def test_a_copy_of_its_folder_leaves_it_alone(sleeper: Background, tmp_path: Path) -> None:
    """Seen from a copy of the folder it does not run, and is not ended."""
    start(sleeper, tmp_path)
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    copy = Background("sleeper", tmp_path / "copy")
    assert copy.running() is None
    assert not copy.stop()
    assert sleeper.stop()
