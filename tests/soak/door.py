"""A way to the embedded AWS that notes what passes: every call of a flow, and every message that SQS took of it.

It can also answer as AWS may and the embedded AWS never does: that a queue is empty which is not.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from vbvrdatafactory.core.models import TaskMessage

_TARGET = "AmazonSQS."
_OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Call(NamedTuple):
    """One call: when it came, by the monotonic clock, what it was, and what was answered."""

    at: float
    kind: str
    status: int


class Sent(NamedTuple):
    """One message that SQS took; when the call that brought it came, and when SQS had taken it."""

    at: float
    taken: float
    message: TaskMessage


class Door:
    """What has passed so far. Whoever reads it may keep a length and ask later for what came since.

    Args:
        endpoint: the embedded AWS.
        queue_url: the task queue, whose messages are kept.
    """

    def __init__(self, endpoint: str, queue_url: str) -> None:
        self.address = urlsplit(endpoint).netloc
        self.queue_url = queue_url
        self.coming: list[str] = []
        self.calls: list[Call] = []
        self.sent: list[Sent] = []
        self.url = ""
        # So many of the next looks at the task queue read zero, whatever is in it.
        self.wrong_zeros = 0

    @contextmanager
    def open(self) -> Iterator["Door"]:
        """Listen on loopback for as long as the block lasts."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, name="door", daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def as_told(self, kind: str, question: bytes, answer: bytes) -> bytes:
        """The answer as it is given; where wrong zeros are asked for, a count of zero."""
        wrong = kind == "GetQueueAttributes" and self.wrong_zeros > 0
        if not wrong or json.loads(question)["QueueUrl"] != self.queue_url:
            return answer
        self.wrong_zeros -= 1
        found = json.loads(answer)
        counts = {name: "0" for name in found["Attributes"] if name.startswith("ApproximateNumber")}
        return json.dumps({**found, "Attributes": {**found["Attributes"], **counts}}).encode()

    def passed(self, at: float, kind: str, status: int, question: bytes, answer: bytes) -> None:
        """Note a call that was answered."""
        self.calls.append(Call(at, kind, status))
        if kind == "SendMessageBatch" and status == 200:
            self._keep(at, json.loads(question), json.loads(answer))

    def _keep(self, at: float, question: dict, answer: dict) -> None:
        if question["QueueUrl"] != self.queue_url:
            return
        now = time.monotonic()
        bodies = {entry["Id"]: entry["MessageBody"] for entry in question["Entries"]}
        for entry in answer["Successful"]:
            self.sent.append(Sent(at, now, TaskMessage.model_validate_json(bodies[entry["Id"]])))


def kind_of(method: str, path: str, target: str | None) -> str:
    """``SendMessageBatch``, ``LIST``, ``PUT lease.json``: what a call is, in few words."""
    if target and target.startswith(_TARGET):
        return target.removeprefix(_TARGET)
    url = urlsplit(path)
    return "LIST" if "list-type=2" in url.query else f"{method} {PurePosixPath(url.path).name}"


def _handler(door: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Answers are small and waited for.
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            at, kind = time.monotonic(), kind_of(self.command, self.path, self.headers.get("X-Amz-Target"))
            door.coming.append(kind)
            question = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            # It is carried out to its end, also when who asked is killed meanwhile.
            with closing(HTTPConnection(door.address, timeout=120)) as behind:
                # The embedded AWS answers who calls it by its own name alone.
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                behind.request(self.command, self.path, question, {**headers, "Host": door.address})
                answered = behind.getresponse()
                answer = answered.read()
            door.passed(at, kind, answered.status, question, answer)
            self.answer(answered, door.as_told(kind, question, answer))

        def answer(self, answered: HTTPResponse, body: bytes) -> None:
            self.send_response_only(answered.status)
            for name, value in answered.getheaders():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
            length = answered.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                # Who asked was killed: that is what the tests do.
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """The calls are kept; nobody reads them on a screen."""

    return Handler
