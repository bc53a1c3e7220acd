"""An object comes whole, or it is said what came instead."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import obstore
import pytest
from obstore.store import MemoryStore, S3Store

from vbvrdatafactory.s3.reading import DamagedObjectError, OversizedObjectError, read

BODY = b"x" * 34_747
MD5 = hashlib.md5(BODY).hexdigest()


class Answer(NamedTuple):
    """What the stand-in says of an object, and the bytes that it sends."""

    body: bytes
    e_tag: str
    claimed: int | None = None
    encryption: str = "AES256"


@contextmanager
def serving(*answers: Answer) -> Iterator[tuple[S3Store, list[str]]]:
    """A bucket whose GETs are answered so, the last answer for ever; and the requests it had."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(answers[min(asked.count("GET"), len(answers) - 1)])

        def do_HEAD(self) -> None:
            self.answer(answers[-1])

        def answer(self, said: Answer) -> None:
            asked.append(self.command)
            self.send_response(200)
            self.send_header("Content-Length", str(said.claimed or len(said.body)))
            self.send_header("ETag", f'"{said.e_tag}"')
            self.send_header("Last-Modified", "Thu, 15 Jan 2026 12:00:00 GMT")
            self.send_header("x-amz-server-side-encryption", said.encryption)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else said.body)
            self.close_connection = said.claimed is not None

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield (
            S3Store(
                "bucket",
                endpoint=f"http://127.0.0.1:{server.server_port}",
                region="us-east-2",
                credential_provider=lambda: {
                    "access_key_id": "test",
                    "secret_access_key": "test",
                    "token": None,
                    "expires_at": None,
                },
                client_options={"allow_http": True},
                retry_config={"max_retries": 0},
            ),
            asked,
        )
    finally:
        server.shutdown()
        server.server_close()


def test_a_whole_object_is_read_once() -> None:
    """Its bytes and its version; nothing more is asked."""
    with serving(Answer(BODY, MD5)) as (store, asked):
        assert read(store, "key") == (BODY, f'"{MD5}"')
        assert asked == ["GET"]


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (Answer(BODY[:100], MD5), "the MD5 of what was received is"),
        (Answer(b"", MD5), "the MD5 of what was received is"),
        (Answer(b"y" * len(BODY), MD5), f'ETag "{MD5}" was expected'),
        (Answer(BODY[:100], MD5, len(BODY)), "34,747 bytes were expected, the connection broke after"),
    ],
    ids=["cut", "empty", "other bytes", "cut by the connection"],
)
def test_an_object_that_does_not_come_whole_is_read_once_more(came: Answer, said: str) -> None:
    """A second time it may; then it is as if nothing had been. Else the key and what came are named."""
    with serving(came, Answer(BODY, MD5)) as (store, _):
        assert read(store, "key").data == BODY
    with serving(came) as (store, asked), pytest.raises(DamagedObjectError, match=f"'key'.*{said}"):
        read(store, "key")
    assert asked.count("GET") == 2


@pytest.mark.parametrize("e_tag", [f"{MD5[:-1]}-2", "a-token"], ids=["in parts", "of another store"])
def test_a_token_is_no_digest(e_tag: str) -> None:
    """An object that was uploaded in parts is whole if its size is right."""
    with serving(Answer(BODY, e_tag)) as (store, asked):
        assert read(store, "key").data == BODY
        assert asked == ["GET"]


def test_an_etag_under_kms_is_a_token() -> None:
    """It looks like an MD5 and is none: S3 is asked how it keeps the object before anything is called damaged."""
    with serving(Answer(BODY, "0" * 32, encryption="aws:kms")) as (store, asked):
        assert read(store, "key").data == BODY
        assert asked == ["GET", "HEAD"]


def test_other_stores_have_no_digest() -> None:
    """A store whose versions are numbers is read as it is."""
    store = MemoryStore()
    obstore.put(store, "key", b"bytes")
    assert read(store, "key").data == b"bytes"
    with pytest.raises(FileNotFoundError):
        read(store, "nothing")


def test_what_is_too_large_is_not_read() -> None:
    """Whoever can write to the bucket can't fill this machine's memory with a record: it is named, and no byte is taken."""
    store = MemoryStore()
    obstore.put(store, "_datafactory/x", bytes(1001))
    with pytest.raises(OversizedObjectError, match=r"'_datafactory/x' has 1,001 bytes.*1,000.*delete it"):
        read(store, "_datafactory/x", at_most=1000)
    assert len(read(store, "_datafactory/x", at_most=1001).data) == 1001
