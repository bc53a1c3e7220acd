"""Who may ask the embedded AWS: programs of this machine, and no web page.

A page in the user's browser reaches 127.0.0.1 as any program does, and ministack answers everybody; but the
browser says where a request comes from, in headers that no page can forge: `Host` names what the page asked
for, `Origin` and `Sec-Fetch-Site` who asked.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]
    Headers = Iterable[tuple[bytes, bytes]]

# Buckets may stand before localhost (`bucket.s3.localhost`): no name server is asked for names below it.
_OWN_NAME = re.compile(r"127\.0\.0\.1|\[::1\]|([a-z0-9-]+\.)*localhost")
# Whoever sends none is no browser; "none" is the user who typed the address.
_NOT_ANOTHER_SITE = {"none", "same-origin"}


def refusal(headers: Headers, port: int) -> str | None:
    """Why a request is not answered; None if it is."""
    hosts, origins, sites = (_values(headers, name) for name in (b"host", b"origin", b"sec-fetch-site"))
    if len(hosts) != 1 or not _is_own(hosts[0], port):
        return (
            f"the Host of a request has to be 127.0.0.1:{port} or localhost:{port}, not {', '.join(hosts)!r}"
        )
    if any(origin != f"http://{hosts[0]}" for origin in origins):
        return f"the embedded AWS answers no web page of another origin; this is {', '.join(origins)!r}"
    if any(site not in _NOT_ANOTHER_SITE for site in sites):
        return "the embedded AWS answers no web page of another site"
    return None


def _values(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip().lower() for name, value in headers if name.lower() == wanted]


def _is_own(host: str, port: int) -> bool:
    name, _, given = host.rpartition(":")
    return given == str(port) and _OWN_NAME.fullmatch(name) is not None


class OriginCheck:
    """An ASGI application that lets pass what a program of this machine asks.

    What it lets out is no page either: an HTML file in a bucket is a stranger's, and from here its scripts would
    be of the server's own origin.
    """

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif reason := refusal(scope["headers"], self._port):
            await _refuse(scope["type"], reason, send)
        else:
            await self._app(scope, receive, _sandboxed(send))


def _sandboxed(send: Send) -> Send:
    async def sandboxed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"content-security-policy", b"sandbox")]
        await send(message)

    return sandboxed


async def _refuse(kind: str, reason: str, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    # As S3 words an error, which the other services' clients show too.
    body = f"<Error><Code>AccessDenied</Code><Message>{escape(reason)}</Message></Error>".encode()
    headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
