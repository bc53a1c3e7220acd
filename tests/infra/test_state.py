import threading
from pathlib import Path

import pytest
from dotenv import dotenv_values

from infra import state as state_module
from infra.state import ServerRecord, StateFolder
from vbvrdatafactory.core.errors import DataFactoryError


@pytest.fixture
def state(state_dir: Path) -> StateFolder:
    folder = StateFolder(state_dir)
    folder.create()
    return folder


def test_a_record_is_read_as_written(state: StateFolder) -> None:
    """What is remembered of a server comes back whole."""
    record = ServerRecord(pid=1, port=2, token="three", temporary=True)
    state.write_record(record)
    assert state.read_record() == record


def test_a_record_of_an_earlier_version_is_read(state: StateFolder) -> None:
    """A record that names no folder, as they did not before, is this folder's."""
    (state.root / "server.json").write_text('{"pid": 1, "port": 2, "token": "t", "temporary": false}')
    record = state.read_record()
    assert record == ServerRecord(1, 2, "t")
    assert state.came_from(record) is None


def test_a_copy_knows_where_it_came_from(state: StateFolder, tmp_path: Path) -> None:
    """A record that names another folder says that this one is a copy of it, or was moved."""
    record = ServerRecord(1, 2, "t", folder=str(state.root))
    assert state.came_from(record) is None
    assert StateFolder(tmp_path / "copy").came_from(record) == state.root


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "port": 2, "token": "t", "more": 3}']
)
def test_a_broken_record_is_none(state: StateFolder, text: str) -> None:
    """A record cut short, or of another version, counts as none."""
    (state.root / "server.json").write_text(text)
    assert state.read_record() is None


@pytest.mark.parametrize("value", ["plain", "/with space/#x", "it's", "back\\slash", "quoted\"'"])
def test_the_env_file_reads_back(state: StateFolder, value: str) -> None:
    """Any path survives the way through the file."""
    state.write_env_file({"GENERATORS_PATH": value})
    assert dotenv_values(state.env_file) == {"GENERATORS_PATH": value}


def test_plain_values_are_not_quoted(state: StateFolder) -> None:
    """A URL stands there as it is, for tools that take quotes literally."""
    state.write_env_file({"SQS_QUEUE_URL": "http://127.0.0.1:1/000000000000/queue-A"})
    assert state.env_file.read_text() == "SQS_QUEUE_URL=http://127.0.0.1:1/000000000000/queue-A\n"


def test_delete_spares_what_is_not_its_own(state: StateFolder) -> None:
    """Deleting the state leaves a stranger's file in the folder, and everything beside the folder."""
    state.log.touch()
    (state.objects / "sample").touch()
    stranger, neighbour = state.root / "notes.txt", state.root.parent / "neighbour"
    stranger.touch()
    neighbour.touch()
    state.delete()
    assert stranger.exists()
    assert neighbour.exists()
    assert {entry.name for entry in state.root.iterdir()} == {"notes.txt"}


def test_delete_does_not_follow_links(state: StateFolder, tmp_path: Path) -> None:
    """A link in the state folder is not a way out of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (state.objects / "link").symlink_to(outside)
    state.delete()
    assert (outside / "precious").exists()


def test_the_lock_is_held_alone(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the folder locked for too long is told what to wait for."""
    monkeypatch.setattr(state_module, "LOCK_SECONDS", 0.2)
    with (
        state.locked(),
        pytest.raises(DataFactoryError, match="wait for it"),
        StateFolder(state.root).locked(),
    ):
        pass


def test_the_lock_is_waited_for(state: StateFolder) -> None:
    """Who finds the folder locked waits and then has it."""
    order: list[str] = []

    def second() -> None:
        with StateFolder(state.root).locked():
            order.append("second")

    with state.locked():
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(120)
    assert order == ["first", "second"]


def test_users_are_counted(state: StateFolder) -> None:
    """The folder has users until the last one leaves."""
    with state.in_use():
        with StateFolder(state.root).in_use():
            pass
        assert state.has_users()
    assert not state.has_users()
