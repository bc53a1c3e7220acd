"""Two checkouts start a Prefect server at the same time: each ends up with its own."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.background import Record
from infra.local import EmbeddedAws
from infra.prefect_api import PrefectApi
from infra.ui import PrefectHere
from vbvrdatafactory.core.errors import DataFactoryError


class Other(http.server.BaseHTTPRequestHandler):
    """Another checkout's server: it is healthy, and takes no password of ours."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(self.path == "/api/health").encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another checkout's server answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Server:
    """The server of ours: it ends where its port is taken; where it is not, it would answer."""

    name = "prefect-server"

    def __init__(self, *, lives: bool = False) -> None:
        self.lives = lives

    def running(self) -> Record | None:
        return Record(1, "t", 1) if self.lives else None

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        if not self.lives:
            raise DataFactoryError("the prefect-server has ended: address already in use")
        assert is_ready()


def test_a_server_that_takes_another_password_is_not_ours(taken: int) -> None:
    """That somebody answers on the port is not enough."""
    assert not PrefectApi(f"http://127.0.0.1:{taken}/api", "admin:ours").answers()


def test_a_port_that_is_taken_meanwhile_is_left_to_the_other(
    taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another server got the port while ours started, ours is started on another one."""
    here = PrefectHere(tmp_path)
    here._password.parent.mkdir(parents=True)
    here._password.write_text("admin:ours")
    free, here._server = Record(2, "t", 9), Server()

    def start() -> Record:
        here._server = Server(lives=True)
        monkeypatch.setattr(PrefectApi, "answers", lambda self: ":9/" in self.url)
        return free

    monkeypatch.setattr(here, "_start_server", start)
    assert here._wait_for_server(Record(1, "t", taken)) == free


def test_a_server_that_ends_for_another_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the port is free our server ended of itself: that is the error, and it is not started again."""
    here = PrefectHere(tmp_path)
    here._password.parent.mkdir(parents=True)
    here._password.write_text("admin:ours")
    here._server = Server()
    monkeypatch.setattr("infra.ui.free_port", lambda port: port)
    with pytest.raises(DataFactoryError, match="has ended"):
        here._wait_for_server(Record(1, "t", 9))


@pytest.mark.aws
@pytest.mark.parametrize("ran_before", [False, True])
def test_a_start_that_fails_leaves_running_what_ran_before(
    tmp_path: Path,
    bare: EmbeddedAws,
    is_up: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
    ran_before: bool,
) -> None:
    """The embedded AWS that it started itself is stopped; one that was up, perhaps in use, is left alone."""
    here = PrefectHere(tmp_path / "checkout")
    here._aws = bare
    if ran_before:
        bare.up()

    def fail(*_: object) -> None:
        assert is_up()
        raise DataFactoryError("the deployments could not be made")

    monkeypatch.setattr(here, "_start_server", lambda: Record(1, "t", 9))
    monkeypatch.setattr(here, "_wait_for_server", fail)
    with pytest.raises(DataFactoryError, match="could not be made"):
        here.up(print)
    assert is_up() == ran_before
