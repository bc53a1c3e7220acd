"""A stub of Lambda's Runtime API: hands events to a runtime interface client, and keeps what it answers."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any, NamedTuple
from uuid import uuid4

_VERSION = "/2018-06-01/runtime"
_ARN = "arn:aws:lambda:us-east-2:123456789012:function:worker"


class Answer(NamedTuple):
    """What became of an invocation: ``response``, ``error`` or ``init/error``, its body, and the seconds it took."""

    kind: str
    body: Any
    seconds: float


class RuntimeApi:
    """The Runtime API of one function.

    Args:
        timeout: seconds that the function has for an invocation.
    """

    def __init__(self, timeout: float) -> None:
        self.address = ""
        # Set at the client's first question: all is imported by then.
        self.is_ready = threading.Event()
        self._timeout = timeout
        self._events: Queue[tuple[str, bytes]] = Queue()
        self._answers: Queue[tuple[str, Any]] = Queue()

    def invoke(self, event: object, wait: float = 300) -> Answer:
        """Hand over an event, and wait for what is answered."""
        started = time.monotonic()
        self._events.put((str(uuid4()), json.dumps(event).encode()))
        kind, body = self._answers.get(timeout=wait)
        return Answer(kind, body, time.monotonic() - started)

    @contextmanager
    def open(self) -> Iterator["RuntimeApi"]:
        """Listen on loopback for as long as the block lasts."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.address = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, name="runtime-api", daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def next(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of the next invocation, once there is one."""
        self.is_ready.set()
        request, body = self._events.get()
        deadline = int((time.time() + self._timeout) * 1000)
        return {
            "Lambda-Runtime-Aws-Request-Id": request,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": _ARN,
            "Content-Type": "application/json",
        }, body

    def answered(self, kind: str, body: bytes) -> None:
        """Keep what the client posted."""
        self._answers.put((kind, json.loads(body or b"null")))


def _handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != f"{_VERSION}/invocation/next":
                self.send_error(404)
                return
            headers, body = api.next()
            self._send(200, headers, body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = "init/error" if self.path == f"{_VERSION}/init/error" else self.path.rpartition("/")[2]
            api.answered(kind, body)
            self._send(202, {}, b"")

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            # A function that is killed leaves its question for the next event behind.
            with suppress(BrokenPipeError, ConnectionResetError):
                super().handle()

        def log_message(self, *_: object) -> None:
            """The answers are kept; nobody reads calls on a screen."""

    return Handler
