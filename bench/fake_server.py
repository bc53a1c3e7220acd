"""A loopback HTTP/1.1 server that spends as little as Python can on a request, so that a client is what is measured.

It reads the request line, `Content-Length` and the body; an answer is bytes that were rendered by then. Everything
below ``/-bench/`` steers the server: ``/-bench/delay?ms=10`` holds back what follows, ``/-bench/state`` tells. It
ends when its standard input does, so it never outlives the process that started it.
"""

import argparse
import asyncio
import json
import resource
import sys
import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_CONTINUE = b"\r\nexpect: 100-continue"


class Request(NamedTuple):
    """One request; `head` is all of it above the body, in lower case."""

    method: bytes
    target: bytes
    head: bytes
    body: bytes

    def header(self, name: bytes) -> str:
        """A header's value, in lower case; empty where there is none."""
        _, found, rest = self.head.partition(b"\r\n%b:" % name)
        return rest.partition(b"\r\n")[0].strip().decode() if found else ""


class FakeService(ABC):
    """What a service answers, and what it counted."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def answer(self, request: "Request") -> bytes:
        """The whole response, head and body."""

    def steer(self, target: str) -> bytes:
        """Set the delay, or forget the counts; in every case return counts and processor seconds."""
        url = urlsplit(target)
        query = parse_qs(url.query)
        if url.path == "/-bench/delay":
            self.delay = float(query["ms"][0]) / 1000
        if url.path == "/-bench/reset":
            self.forget()
        used = resource.getrusage(resource.RUSAGE_SELF)
        state = {"counts": self.counts, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}
        return response(json.dumps(state).encode(), b"application/json")

    def forget(self) -> None:
        """Begin to count anew."""
        self.counts.clear()


def response(body: bytes, kind: bytes, status: bytes = b"200 OK") -> bytes:
    """Head and body."""
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nx-amzn-RequestId: 0\r\n\r\n%b" % (
        status, kind, len(body), body,
    )  # fmt: skip


class _Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time."""

    def __init__(self, fake: FakeService, loop: asyncio.AbstractEventLoop) -> None:
        self.fake, self.loop = fake, loop
        self.buffer = b""
        self.asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        at = self.buffer.find(_END)
        if at < 0:
            return
        head = self.buffer[:at]
        small = head.lower()
        length = _length(small)
        start = at + len(_END)
        if len(self.buffer) < start + length:
            if _CONTINUE in small and not self.asked:
                self.asked = True
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body, self.buffer, self.asked = (
            self.buffer[start : start + length],
            self.buffer[start + length :],
            False,
        )
        method, target, _ = head.partition(b"\r\n")[0].split(b" ", 2)
        self._reply(Request(method, target, small, body))

    def _reply(self, request: Request) -> None:
        if request.target.startswith(b"/-bench/"):
            self.transport.write(self.fake.steer(request.target.decode()))
        elif self.fake.delay:
            self.loop.call_later(self.fake.delay, self._write, request)
        else:
            self._write(request)

    def _write(self, request: Request) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.fake.answer(request))


def _length(head: bytes) -> int:
    """`head` is in lower case."""
    at = head.find(_LENGTH)
    if at < 0:
        return 0
    start = at + len(_LENGTH)
    end = head.find(b"\r\n", start)
    return int(head[start : end if end >= 0 else None])


async def _serve(fake: FakeService) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: _Connection(fake, loop), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=_wait_for_end, args=(loop, ended), daemon=True).start()
    await ended.wait()


def _wait_for_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(ended.set)


def serve(fake: FakeService) -> None:
    """Listen on a free port of loopback, print which, and stay until standard input ends."""
    asyncio.run(_serve(fake))


def command_line(description: str | None) -> argparse.ArgumentParser:
    """A parser for a module's command line; `description` is the module's docstring."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
