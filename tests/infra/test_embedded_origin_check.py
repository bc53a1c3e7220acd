"""The embedded AWS answers programs of this machine, and no web page: tried with raw requests on the running server."""

import asyncio
import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.addresses import EmbeddedInfo
from infra.embedded.origin_check import OriginCheck, refusal
from infra.local import EmbeddedAws
from vbvrdatafactory import aws

PORT = 4000
OWN = [b"127.0.0.1:4000", b"localhost:4000", b"LOCALHOST:4000", b"[::1]:4000", b"bucket.s3.localhost:4000"]
STRANGE = [
    b"",
    b"127.0.0.1",
    b"127.0.0.1:80",
    b"127.0.0.1:4000.evil.example",
    b"evil.example:4000",
    b"evil.example",
    b"127.0.0.1.evil.example:4000",
    b"localhost.evil.example:4000",
    b"evillocalhost:4000",
    b"user@127.0.0.1:4000",
    b"0.0.0.0:4000",
    b"2130706433:4000",
]
OTHER_ORIGINS = [
    "null",
    "http://evil.example",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://localhost:{port}",
    "http://127.0.0.1:{port}.evil.example",
    "",
]


@pytest.mark.parametrize("host", OWN)
def test_its_own_names_are_answered(host: bytes) -> None:
    """Each name that leads to this port of this machine, and a bucket before it, may stand in Host."""
    assert refusal([(b"Host", host)], PORT) is None
    assert refusal([(b"host", host), (b"origin", b"http://" + host)], PORT) is None


@pytest.mark.parametrize("host", STRANGE)
def test_other_names_are_refused(host: bytes) -> None:
    """A name that a stranger's name server may lead here, or another port's, is not answered."""
    assert "localhost:4000" in str(refusal([(b"host", host)], PORT))


def test_a_host_is_said_once() -> None:
    """None, or two of which another part of the server might read the other one, is refused."""
    assert refusal([], PORT)
    assert refusal([(b"host", OWN[0]), (b"Host", b"evil.example")], PORT)


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"nonsense"])
def test_another_sites_page_is_refused(site: bytes) -> None:
    """A picture or a link of another page sends no Origin; the browser says where it comes from all the same."""
    headers = [(b"host", OWN[0]), (b"sec-fetch-site", site)]
    assert "another site" in str(refusal(headers, PORT))


@pytest.mark.parametrize("site", [b"none", b"same-origin"])
def test_what_the_user_opens_is_answered(site: bytes) -> None:
    """An address the user types into the browser is no other page's."""
    assert refusal([(b"host", OWN[0]), (b"sec-fetch-site", site)], PORT) is None


def test_a_web_socket_is_refused_as_well() -> None:
    """A browser opens web sockets across origins without asking first."""
    sent: list[Any] = []

    async def nothing(*_: object) -> None:
        raise AssertionError("it was let through")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"host", OWN[0]), (b"origin", b"http://evil.example")]}
    asyncio.run(OriginCheck(nothing, PORT)(scope, nothing, send))  # type: ignore[arg-type]
    assert [each["type"] for each in sent] == ["websocket.close"]


def ask(endpoint: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """One raw request; `port` in a header is the server's."""
    port = urlsplit(endpoint).port
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": "127.0.0.1:{port}", "Content-Length": "0", **headers}.items():
        connection.putheader(name.replace("_", "-"), value.format(port=port))
    connection.endheaders()
    response = connection.getresponse()
    body = response.read().decode(errors="replace")
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


@pytest.fixture(scope="module")
def info(shared: EmbeddedAws) -> EmbeddedInfo:
    return shared.up()


ATTACKS = [{"Origin": origin} for origin in OTHER_ORIGINS] + [
    {"Host": "evil.example:{port}"},
    {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
]


@pytest.mark.aws
@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_a_page_of_another_origin_can_do_nothing(info: EmbeddedInfo, attack: dict[str, str]) -> None:
    """No request of a page reads, writes, deletes or resets anything, nor gets leave to in a preflight."""
    s3, sqs = aws.s3(info.config), aws.sqs(info.config)
    s3.put_object(Bucket=info.bucket, Key="kept.html", Body=b"kept")
    purge = f"/?Action=DeleteQueue&QueueUrl={info.dead_letter_url}"
    for method, path in (
        ("GET", f"/{info.bucket}/kept.html"),
        ("GET", purge),
        ("POST", purge),
        ("PUT", f"/{info.bucket}/kept.html"),
        ("DELETE", f"/{info.bucket}/kept.html"),
        ("POST", "/_ministack/reset"),
        ("GET", "/_ministack/health"),
        ("OPTIONS", f"/{info.bucket}/kept.html"),
    ):
        status, headers, body = ask(info.endpoint, method, path, **attack)
        assert (status, "kept" in body) == (403, False), (method, path)
        assert not any(name.startswith("access-control-") for name in headers)
    assert s3.get_object(Bucket=info.bucket, Key="kept.html")["Body"].read() == b"kept"
    assert info.dead_letter_url in sqs.list_queues()["QueueUrls"]


@pytest.mark.aws
def test_programs_are_answered_as_before(info: EmbeddedInfo) -> None:
    """Curl on either name, and a bucket before localhost, need no header of a browser's."""
    aws.s3(info.config).put_object(
        Bucket=info.bucket, Key="page.html", Body=b"<script>", ContentType="text/html"
    )
    for host in ("127.0.0.1:{port}", "localhost:{port}"):
        status, headers, body = ask(info.endpoint, "GET", f"/{info.bucket}/page.html", Host=host)
        assert (status, body) == (200, "<script>")
        # A generator's page would be of the server's own origin: it runs no script.
        assert headers["content-security-policy"] == "sandbox"
    status, _, body = ask(info.endpoint, "GET", "/page.html", Host=f"{info.bucket}.s3.localhost:{{port}}")
    assert (status, body) == (200, "<script>")
    assert json.loads(ask(info.endpoint, "GET", "/_ministack/health")[2])["edition"]
