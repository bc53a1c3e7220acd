"""GitHub's API, played by a server on this machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.fleet.github import GitHub

# Status, body and headers of an answer, by the request's path and headers.
Answer = Callable[[str, dict[str, str]], tuple[int, Any, dict[str, str]]]


class Stand:
    """A server that answers as the test says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Answer = lambda *_: (404, {}, {})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body, headers = outer.answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    made.close()


def repository(name: str, kb: int = 0) -> dict[str, Any]:
    return {"name": name, "clone_url": f"https://example.com/{name}.git", "size": kb}


def test_every_page_is_read(stand: Stand) -> None:
    """An organisation's repositories are those of all pages, with their sizes in megabytes."""

    def answer(path: str, _: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        if "page=2" in path:
            return 200, [repository("b", 5000)], {}
        return 200, [repository("a")], {"Link": f'<{stand.url}/orgs/o/repos?page=2>; rel="next"'}

    stand.answer = answer
    found = [*GitHub(api=stand.url).repositories("o")]
    assert [(one.name, one.mb) for one in found] == [("a", 0), ("b", 4)]


def test_a_user_will_do(stand: Stand) -> None:
    """A name that is a user's, not an organisation's, is listed too; one that is neither is said."""
    stand.answer = lambda path, _: (200, [repository("a")], {}) if "/users/" in path else (404, {}, {})
    assert [one.name for one in GitHub(api=stand.url).repositories("somebody")] == ["a"]
    stand.answer = lambda *_: (404, {}, {})
    with pytest.raises(DataFactoryError, match="no organisation and no user 'nobody'"):
        [*GitHub(api=stand.url).repositories("nobody")]


def test_a_short_limit_is_waited_for(stand: Stand) -> None:
    """A rate limit that ends soon is waited for, and said."""
    waits: list[float] = []
    said: list[str] = []
    stand.answer = lambda *_: (200, [], {}) if len(stand.asked) > 1 else (429, {}, {"retry-after": "7"})
    assert [*GitHub(api=stand.url, sleep=waits.append, say=said.append).repositories("o")] == []
    assert (waits, "going on in 7 s" in said[0]) == ([7.0], True)


def test_a_long_limit_is_explained(stand: Stand) -> None:
    """A rate limit that ends in an hour ends the command, with the time and how to raise it; with a token, without the hint."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}
    stand.answer = lambda *_: (403, {"message": "no"}, headers)
    with pytest.raises(DataFactoryError, match=r"used up until \d\d:\d\d UTC.*set GITHUB_TOKEN"):
        [*GitHub(api=stand.url).repositories("o")]
    with pytest.raises(DataFactoryError) as told:
        [*GitHub("secret", api=stand.url).repositories("o")]
    assert "GITHUB_TOKEN" not in str(told.value)


def test_a_refusal_that_is_no_limit_is_shown(stand: Stand) -> None:
    """Another 403 is shown with what GitHub said."""
    stand.answer = lambda *_: (403, {"message": "SAML"}, {})
    with pytest.raises(DataFactoryError, match="answered 403.*SAML"):
        [*GitHub(api=stand.url).repositories("o")]


def test_the_token_is_sent(stand: Stand) -> None:
    """With a token every request has it."""
    seen: list[str] = []
    stand.answer = lambda _, headers: (200, seen.append(headers.get("Authorization", "")) or [], {})
    [*GitHub("secret", api=stand.url).repositories("o")]
    assert seen == ["Bearer secret"]


@pytest.mark.parametrize("body", [{"a": 1}, [{"name": "x"}], ["x"]])
def test_what_is_no_listing_is_said(stand: Stand, body: Any) -> None:
    """An answer of another shape is an error with the address, not a crash."""
    stand.answer = lambda *_: (200, body, {})
    with pytest.raises(DataFactoryError, match="answered"):
        [*GitHub(api=stand.url).repositories("o")]


def test_a_server_that_fails_is_asked_again(stand: Stand) -> None:
    """A 502 or two is not the end."""
    stand.answer = lambda *_: (200, [repository("a")], {}) if len(stand.asked) > 2 else (502, {}, {})
    assert len([*GitHub(api=stand.url, sleep=lambda _: None).repositories("o")]) == 1


def test_nobody_there_is_said() -> None:
    """Without a network the address is named."""
    with pytest.raises(DataFactoryError, match="can't be reached"):
        [*GitHub(api="http://127.0.0.1:9", sleep=lambda _: None).repositories("o")]
