"""Serves a look at a dataset on this machine, to the browser that its user opened and to nobody else."""

from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import compare_digest, token_urlsafe
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from obstore.exceptions import BaseError

from vbvrdatafactory.browse.choice import QueryError
from vbvrdatafactory.browse.requests import has_cookie, parse_range, refusal
from vbvrdatafactory.core.errors import DataFactoryError

_TYPES = {".png": "image/png", ".mp4": "video/mp4"}
_TEXT, _HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
# A report is a page that lies in a bucket: no script of it runs, and it is of no origin.
_OF_A_REPORT = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
_OF_A_FILE = "default-src 'none'; sandbox"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_LONGEST_WAIT_SECONDS = 30


class Site(NamedTuple):
    """What is served: the page of a query, its policy, a file of a sample, and the report of a run."""

    page: Callable[[dict[str, str]], str]
    policy: str
    file: Callable[[str, int, str], bytes]
    report: Callable[[str], bytes]


class Server(ThreadingHTTPServer):
    """Serves `site` on 127.0.0.1; `url` signs in the first who opens it, and nobody after.

    Args:
        site: what it serves.
        port: where; 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.site = site
        self.cookie, self.secret = f"datafactory-{self.server_port}", token_urlsafe(32)
        self._token = token_urlsafe(32)

    @property
    def url(self) -> str:
        """The address to open, once."""
        return f"http://127.0.0.1:{self.server_port}/?token={self._token}"

    def use_token(self, given: str) -> bool:
        """Whether it is the token, which is then used up."""
        is_it = bool(self._token) and compare_digest(given.encode(), self._token.encode())
        if is_it:
            self._token = ""
        return is_it


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "datafactory", ""
    timeout = _LONGEST_WAIT_SECONDS

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = dict(parse_qsl(address.query, max_num_fields=20))
        if reason := refusal(dict(self.headers.items()), self.server.server_port):
            self._say(HTTPStatus.FORBIDDEN, reason)
        elif address.path == "/" and self.server.use_token(asked.get("token", "")):
            cookie = f"{self.server.cookie}={self.server.secret}; HttpOnly; SameSite=Strict; Path=/"
            self._send(HTTPStatus.SEE_OTHER, b"", _TEXT, {"Location": "/", "Set-Cookie": cookie})
        elif not has_cookie(dict(self.headers.items()), self.server.cookie, self.server.secret):
            self._say(
                HTTPStatus.FORBIDDEN, "open the address that 'datafactory browse' printed; it works once"
            )
        else:
            self._answer(address.path, asked)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _answer(self, path: str, asked: dict[str, str]) -> None:
        try:
            self._route([unquote(part) for part in path.split("/")[1:]], asked)
        except FileNotFoundError:
            self._say(HTTPStatus.NOT_FOUND, "there is no such thing")
        except QueryError as error:
            self._say(HTTPStatus.BAD_REQUEST, str(error))
        except (DataFactoryError, BaseError) as error:
            self._say(HTTPStatus.BAD_GATEWAY, str(error))

    def _route(self, parts: list[str], asked: dict[str, str]) -> None:
        match parts:
            case [""]:
                self._send(
                    HTTPStatus.OK,
                    self.server.site.page(asked).encode(),
                    _HTML,
                    _policy(self.server.site.policy),
                )
            case ["sample", generator, index, name] if (
                index.isascii() and index.isdigit() and len(index) <= 12
            ):
                self._send_file(name, self.server.site.file(generator, int(index), name))
            case ["run", name] if name.endswith(".html"):
                page = self.server.site.report(name.removesuffix(".html"))
                self._send(HTTPStatus.OK, page, _HTML, _policy(_OF_A_REPORT))
            case _:
                raise FileNotFoundError(self.path)

    def _send_file(self, name: str, data: bytes) -> None:
        kind = _TYPES.get(name[-4:], _TEXT)
        headers = {"Accept-Ranges": "bytes", **_policy(_OF_A_FILE)}
        try:
            part = parse_range(self.headers.get("Range"), len(data))
        except ValueError:
            headers["Content-Range"] = f"bytes */{len(data)}"
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", kind, headers)
            return
        if part is None:
            self._send(HTTPStatus.OK, data, kind, headers)
            return
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
        self._send(HTTPStatus.PARTIAL_CONTENT, data[part.start : part.stop], kind, headers)

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._send(status, f"{text}\n".encode(errors="replace"), _TEXT, _policy(_OF_A_FILE))

    def _send(self, status: HTTPStatus, data: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            **_HEADERS,
            **headers,
            "Content-Type": kind,
            "Content-Length": str(len(data)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Log nothing: an address has the token."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionResetError, BrokenPipeError):
            # A browser ends a video's connection when it has enough.
            self.close_connection = True


def _policy(text: str) -> dict[str, str]:
    return {"Content-Security-Policy": f"{text}; frame-ancestors 'none'"}
