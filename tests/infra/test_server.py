import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra import processes, server
from infra.state import ServerRecord, StateFolder
from vbvrdatafactory.core.errors import DataFactoryError

pytestmark = pytest.mark.aws


@pytest.fixture
def state(state_dir: Path) -> Iterator[StateFolder]:
    folder = StateFolder(state_dir)
    yield folder
    if record := server.running(folder):
        server.stop(folder, record)


def listening_addresses(pid: int) -> set[str]:
    """The addresses a process listens on, as the kernel writes them."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {line[1].split(":")[0] for line in lines if line[3] == "0A" and line[9] in inodes}


def test_it_listens_on_loopback_only(state: StateFolder) -> None:
    """The server runs code for whoever asks, so nobody but this machine can ask."""
    record = server.start(state, temporary=False)
    assert listening_addresses(record.pid) == {"0100007F"}


def test_it_is_told_nothing_of_the_user(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the user's shell but the harmless few reaches the server."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-real-secret")
    monkeypatch.setenv("GITHUB_TOKEN", "another-secret")
    record = server.start(state, temporary=False)
    environment = Path(f"/proc/{record.pid}/environ").read_bytes()
    assert b"secret" not in environment
    assert f"HOME={state.scratch}".encode() in environment.split(b"\0")


def test_it_keeps_its_port(state: StateFolder) -> None:
    """A second start takes the first one's port again, so that addresses stay good."""
    first = server.start(state, temporary=False)
    server.stop(state, first)
    second = server.start(state, temporary=False)
    assert second.port == first.port
    assert second.token != first.token


def test_the_right_server_answers(state: StateFolder) -> None:
    """A server is recognised by its token, so that one on the same port is not taken for it."""
    record = server.start(state, temporary=False)
    assert server.answers(record)
    assert not server.answers(ServerRecord(record.pid, record.port, "another"))


def test_stop_leaves_nothing(state: StateFolder, processes_below: Callable[[Path], list[int]]) -> None:
    """After a stop no process, no temporary file and no environment file is left."""
    record = server.start(state, temporary=False)
    server.stop(state, record)
    assert server.running(state) is None
    assert processes_below(state.root) == []
    assert not state.scratch.exists()
    assert not state.env_file.exists()


def test_a_reused_pid_is_not_touched(state: StateFolder) -> None:
    """If another program has the recorded process id by now, nothing happens to it."""
    stranger = subprocess.Popen(["sleep", "60"])
    state.create()
    state.write_record(ServerRecord(stranger.pid, 1, "datafactory-0"))
    assert server.running(state) is None
    server.stop(state, ServerRecord(stranger.pid, 1, "datafactory-0"))
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.wait(0.2)
    stranger.kill()
    stranger.wait()


def test_a_taken_port_is_explained(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that fails quotes the port and what the server said, and leaves no process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "_free_port", lambda _: port)
        with pytest.raises(DataFactoryError, match=rf"port {port}.*already in use"):
            server.start(state, temporary=False)
    assert server.running(state) is None


def test_an_uninstalled_ministack_is_explained(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ministack the error says what to install."""
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    with pytest.raises(DataFactoryError, match="pip install"):
        server.start(state, temporary=False)


def test_a_proxy_is_not_asked(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment does not come between."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert server.answers(server.start(state, temporary=False))


def test_orphans_of_a_killed_server_are_cleared(state: StateFolder) -> None:
    """What a killed server's workers left running ends before the next start."""
    state.create()
    orphan = subprocess.Popen(["sleep", "60"], env={**os.environ, "TMPDIR": str(state.scratch / "batch-1")})
    assert processes.wait_listed(orphan.pid, "sleep", 2)
    server.start(state, temporary=False)
    assert orphan.wait(120) == -9


def test_a_state_that_could_not_be_saved_is_told(
    state: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a stop has no room for the queues it says what is lost and what to do; else it says nothing."""
    server.stop(state, server.start(state, temporary=False))
    assert caplog.messages == []
    record = server.start(state, temporary=False)
    saved = state.services / "sqs.json"
    os.utime(saved, (1, 1))  # that of an earlier stop
    (state.services / "sqs.json.tmp").mkdir()  # in the way of the new one
    server.stop(state, record)
    assert "could not save its queues" in caplog.text
    assert str(state.services) in caplog.text
