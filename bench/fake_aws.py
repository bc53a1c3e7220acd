"""A loopback S3, with an SQS and a CloudWatch that nod: fast, delayed on demand, and frugal with memory.

Of an object only size and digest are kept; small JSON stays in memory and archives and parts go to a folder,
so that they can be read back. Everything below ``/-bench/`` steers the server itself. It ends when its
standard input does, so it never outlives the process that started it.

    python -m bench.fake_aws FOLDER      prints the port it listens on
"""

import argparse
import asyncio
import json
import re
import resource
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

SMALL = 256 * 1024
_PAGE = 1000
_REASONS = {
    100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 404: "Not Found",
    412: "Precondition Failed", 501: "Not Implemented",
}  # fmt: skip
_XML = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass
class Stored:
    """An object or a part of one. What can be read back is in `body` or, in order, in `files`."""

    size: int
    digest: str
    body: bytes | None = None
    files: list[Path] = field(default_factory=list)

    def read(self) -> bytes | None:
        if self.files:
            return b"".join(path.read_bytes() for path in self.files)
        return self.body


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One request; its body went into `stored` as it came, and into `body` where it is small."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    length: int
    stored: Stored
    body: bytes = b""

    @property
    def key(self) -> str:
        """The object's key, without the bucket."""
        return self.path.lstrip("/").partition("/")[2]

    def option(self, name: str) -> str:
        return self.query.get(name, [""])[0]


class Cloud:
    """All buckets as one, uploads under way, and what was counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.delay = 0.0
        self.forget()

    def forget(self) -> None:
        """Drop every object and every count."""
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, dict[int, Stored]] = {}
        self.counts: Counter[str] = Counter()
        self.serial = 0
        for path in self.folder.iterdir():
            path.unlink()

    def spool(self) -> Path:
        """A new file for a body."""
        self.serial += 1
        return self.folder / str(self.serial)

    def answer(self, request: Request) -> Answer:
        """What S3, or whichever service it is, would say."""
        if request.path.startswith("/-bench/"):
            return self._steer(request)
        if request.path.startswith("/service/") or "x-amz-target" in request.headers:
            self.counts["other"] += 1
            return Answer(body=b"{}" if "x-amz-target" in request.headers else b"")
        self.counts[request.method] += 1
        if not request.key:
            return self._of_bucket(request)
        return getattr(self, f"_{request.method.lower()}", self._unknown)(request)

    def _steer(self, request: Request) -> Answer:
        if request.path.endswith("/reset"):
            self.forget()
            self.delay = float(request.option("ms") or 0) / 1000
        used = resource.getrusage(resource.RUSAGE_SELF)
        state = {
            "counts": self.counts,
            "cpu": used.ru_utime + used.ru_stime,
            "objects": {key: [stored.size, stored.digest] for key, stored in self.objects.items()},
        }
        return Answer(body=json.dumps(state).encode())

    def _of_bucket(self, request: Request) -> Answer:
        if request.method == "POST":
            return self._delete_many(request)
        if request.method != "GET":
            return Answer()
        prefix = request.option("prefix")
        after = request.option("continuation-token") or request.option("start-after")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        page = keys[:_PAGE]
        more = len(keys) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        rows = "".join(self._row(key) for key in page)
        return _xml(
            f"<ListBucketResult><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )

    def _delete_many(self, request: Request) -> Answer:
        keys = [unescape(key) for key in re.findall(r"<Key>([^<]*)</Key>", request.body.decode())]
        for key in keys:
            self.objects.pop(key, None)
        rows = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return _xml(f"<DeleteResult>{rows}</DeleteResult>")

    def _row(self, key: str) -> str:
        stored = self.objects[key]
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{stored.size}</Size><ETag>{stored.digest[:32]}</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        )

    def _put(self, request: Request) -> Answer:
        etag = {"ETag": f'"{request.stored.digest[:32]}"'}
        if upload := request.option("uploadId"):
            self.uploads[upload][int(request.option("partNumber"))] = request.stored
            return Answer(headers=etag)
        if "x-amz-copy-source" in request.headers or "aws-chunked" in request.headers.get(
            "content-encoding", ""
        ):
            return Answer(501)
        if request.headers.get("if-none-match") == "*" and request.key in self.objects:
            return Answer(412)
        self.objects[request.key] = request.stored
        return Answer(headers=etag)

    def _post(self, request: Request) -> Answer:
        if "uploads" in request.query:
            upload = f"upload-{len(self.uploads)}"
            self.uploads[upload] = {}
            return _xml(
                f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            )
        parts = self.uploads.pop(request.option("uploadId"), None)
        if parts is None:
            return Answer(404)
        ordered = [parts[number] for number in sorted(parts)]
        files = [path for part in ordered for path in part.files]
        digest = sha256("".join(part.digest for part in ordered).encode()).hexdigest()
        self.objects[request.key] = Stored(sum(part.size for part in ordered), digest, files=files)
        return _xml(
            f'<CompleteMultipartUploadResult><Key>{escape(request.key)}</Key><ETag>"{digest[:32]}"</ETag>'
            "</CompleteMultipartUploadResult>"
        )

    def _get(self, request: Request) -> Answer:
        stored = self.objects.get(request.key)
        if stored is None:
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        body = stored.read()
        if body is None:
            return Answer(501)
        return Answer(body=body, headers=_about(stored))

    def _head(self, request: Request) -> Answer:
        stored = self.objects.get(request.key)
        if stored is None:
            return Answer(404)
        return Answer(headers={**_about(stored), "Content-Length": str(stored.size)})

    def _delete(self, request: Request) -> Answer:
        self.uploads.pop(request.option("uploadId"), None)
        self.objects.pop(request.key, None)
        return Answer(204)

    def _unknown(self, request: Request) -> Answer:
        del request
        return Answer(501)


def _about(stored: Stored) -> dict[str, str]:
    return {"ETag": f'"{stored.digest[:32]}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}


def _xml(text: str) -> Answer:
    return Answer(body=f"{_XML}{text}".encode(), headers={"Content-Type": "application/xml"})


class Connection(asyncio.Protocol):
    """One kept-alive connection: a head, then a body that is digested as it arrives."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.buffer = b""
        self.request: Request | None = None
        self.file: BinaryIO | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.request is None:
            data, self.buffer = self.buffer + data, b""
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.buffer = head
                return
            self._begin(head.decode("latin-1"))
        self._take(data)

    def _begin(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        url = urlsplit(target)
        query = parse_qs(url.query, keep_blank_values=True)
        length = int(headers.get("content-length", 0))
        stored = Stored(0, "")
        self.request = Request(method, unquote(url.path), query, headers, length, stored)
        self.digest = sha256()
        self.pieces: list[bytes] = []
        self.keep = length <= SMALL and not self.request.path.endswith((".png", ".mp4"))
        if method == "PUT" and (url.path.endswith(".gz") or "uploadId" in query):
            stored.files.append(self.cloud.spool())
            self.file = stored.files[0].open("wb")
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self, data: bytes) -> None:
        request = self.request
        if request is None:
            return
        request.stored.size += len(data)
        self.digest.update(data)
        if self.file:
            self.file.write(data)
        elif self.keep:
            self.pieces.append(data)
        if request.stored.size >= request.length:
            self._finish(request)

    def _finish(self, request: Request) -> None:
        if self.file:
            self.file.close()
        self.request = self.file = None
        request.stored.digest = self.digest.hexdigest()
        if self.keep:
            request.body = b"".join(self.pieces)
            request.stored.body = request.body
        if request.path.startswith("/-bench/") or not self.cloud.delay:
            self._reply(request)
        else:
            asyncio.get_running_loop().call_later(self.cloud.delay, self._reply, request)

    def _reply(self, request: Request) -> None:
        answer = self.cloud.answer(request)
        headers = {"Content-Length": str(len(answer.body)), "x-amz-request-id": "0", **answer.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\n{lines}\r\n"
        self.transport.write(head.encode("latin-1") + (b"" if request.method == "HEAD" else answer.body))


async def serve(folder: Path) -> None:
    """Listen on a free port of loopback, say which, and stay until standard input ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    cloud = Cloud(folder)
    server = await loop.create_server(lambda: Connection(cloud), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=_wait_for_end, args=(loop, ended), daemon=True).start()
    await ended.wait()


def _wait_for_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(ended.set)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    asyncio.run(serve(parser.parse_args().folder))
