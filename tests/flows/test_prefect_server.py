"""Which Prefect server a run talks to, and what is said when that can't be."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import prefect_server
from vbvrdatafactory.core.errors import DataFactoryError


@contextmanager
def answering(status: int) -> Iterator[str]:
    """The API address of a server that answers everything with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'"3.0.0"')

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said_about(url: str) -> str:
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(DataFactoryError) as caught:
        prefect_server.check_server()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "127.0.0.1:9", "http://", "ftp://127.0.0.1/api"])
def test_a_server_that_is_gone_is_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with the address, the line has the variable with its value, and what to do."""
    monkeypatch.setenv("PREFECT_API_URL", url)
    said = said_about(url)
    assert said.startswith(f"PREFECT_API_URL={url}: ")
    assert "unset PREFECT_API_URL" in said


@pytest.mark.parametrize(
    ("status", "move"),
    [
        (401, "set PREFECT_API_AUTH_STRING"),
        (403, "set PREFECT_API_AUTH_STRING"),
        (404, "no Prefect API there"),
        (500, "no Prefect API there"),
    ],
)
def test_a_server_that_refuses_is_one_line(status: int, move: str) -> None:
    """A password that is missing is told from an address that is wrong."""
    with answering(status) as url:
        assert move in said_about(url)


def test_a_server_that_answers_is_taken() -> None:
    """Nothing is said about a Prefect server that lets us in."""
    with answering(200) as url, temporary_settings({PREFECT_API_URL: url}):
        prefect_server.check_server()


def test_a_password_in_the_address_is_not_shown() -> None:
    """An address may hold a password; what is said goes to logs."""
    said = said_about("http://somebody:secret@127.0.0.1:9/api")
    assert "PREFECT_API_URL=http://127.0.0.1:9/api" in said
    assert "secret" not in said


def test_an_address_from_a_settings_file_is_not_unset_in_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shell has no such variable, the next move is where Prefect shows its settings."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert "prefect config view" in said_about("http://127.0.0.1:9/api")


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:9"), ("https_proxy", "ftp://127.0.0.1:9")]
)
def test_a_proxy_that_prefect_cannot_use_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect's client can't even be made with some proxies; the line has the variable."""
    monkeypatch.setenv(name, value)
    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(DataFactoryError) as caught:
        prefect_server.check_server()
    assert str(caught.value).startswith(f"{name.upper()}={value}: ")


def prepared(monkeypatch: pytest.MonkeyPatch, **outer: str) -> dict[str, str]:
    environment = dict(outer)
    monkeypatch.setattr(os, "environ", environment)
    prefect_server.prepare_environment()
    return environment


def test_a_server_of_our_own_has_time_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making its database takes longer than Prefect's limit; a limit that somebody has set stays."""
    name = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
    assert int(prepared(monkeypatch)[name]) >= 120
    assert prepared(monkeypatch, **{name: "7"})[name] == "7"


def test_no_proxy_stands_before_a_server_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exceptions that were there stay, in both spellings."""
    environment = prepared(monkeypatch, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="example.com")
    assert environment["NO_PROXY"] == environment["no_proxy"] == "example.com,127.0.0.1,localhost,::1"


def test_a_password_for_servers_is_known_to_who_starts_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of our own takes PREFECT_SERVER_API_AUTH_STRING; its client did not, and was refused."""
    mine = prepared(monkeypatch, PREFECT_SERVER_API_AUTH_STRING="a:b", PREFECT_API_AUTH_STRING="other")
    assert mine["PREFECT_API_AUTH_STRING"] == "a:b"
    theirs = prepared(
        monkeypatch,
        PREFECT_SERVER_API_AUTH_STRING="a:b",
        PREFECT_API_AUTH_STRING="other",
        PREFECT_API_URL="http://127.0.0.1:9/api",
    )
    assert theirs["PREFECT_API_AUTH_STRING"] == "other"


@pytest.mark.parametrize(
    ("name", "value"), [("PREFECT_LOGGING_LEVEL", "loud"), ("OTEL_PROPAGATORS", "nonsense")]
)
def test_a_setting_that_prefect_refuses_is_named(name: str, value: str) -> None:
    """Prefect reads its settings on being imported, and ends in a traceback at one it can't read."""
    code = (
        "from flows.prefect_server import prepare_environment as p\ntry: p()\nexcept Exception as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, name: value}, capture_output=True, text=True
    )
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Prefect cannot be loaded")
    assert last.endswith(f"unset {name}")
