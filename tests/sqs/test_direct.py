"""DirectSender sends the request that boto3 sends, and leaves every response but a 200 to boto3."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, SSLError
from botocore.session import Session
from moto import mock_aws

from vbvrdatafactory.sqs import direct
from vbvrdatafactory.sqs.direct import DirectSender

URL = "https://sqs.us-east-2.amazonaws.com/123456789012/tasks"
ENTRIES: list[Any] = [{"Id": str(n), "MessageBody": f'{{"type": "Ünï-{n}"}}'} for n in range(10)]
TAKEN = {"Successful": [{"Id": "0"}], "Failed": []}

Answer = tuple[int, dict[str, Any]]


class Wire:
    """A boto3 client whose requests are kept and answered from a list; an exception in it is raised."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[AWSPreparedRequest] = []
        session = boto3.Session("AKIDEXAMPLE", "secret", "token", region_name="us-east-2")
        self.client: Any = session.client("sqs")
        self.client.meta.events.register("before-send.sqs.SendMessageBatch", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return AWSResponse(request.url, status, {}, _Raw(json.dumps(body).encode()))

    @property
    def by_boto3(self) -> list[bool]:
        """Of each request, whether boto3 itself made it: it counts its own attempts in a header."""
        return ["amz-sdk-invocation-id" in request.headers for request in self.requests]


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header


def refusal(code: str) -> dict[str, Any]:
    return {"__type": f"com.amazonaws.sqs#{code}", "message": "said so"}


def test_the_request_is_the_one_that_boto3_makes() -> None:
    """Same address, same words, same signed headers and same credentials."""
    wire = Wire((200, TAKEN), (200, TAKEN))
    ours = DirectSender(wire.client).send_message_batch(URL, ENTRIES)
    theirs = wire.client.send_message_batch(QueueUrl=URL, Entries=ENTRIES)
    short, long = wire.requests
    assert wire.by_boto3 == [False, True]
    assert (short.method, short.url.rstrip("/")) == (long.method, long.url.rstrip("/"))
    assert json.loads(short.body) == json.loads(long.body)
    for name in ("X-Amz-Target", "Content-Type", "X-Amz-Security-Token"):
        assert _text(short.headers[name]) == _text(long.headers[name])
    scopes = [_text(request.headers["Authorization"]).split(",")[0] for request in (short, long)]
    assert scopes[0] == scopes[1]
    assert scopes[0].endswith("/us-east-2/sqs/aws4_request")
    assert ours["Successful"] == theirs["Successful"]


def test_what_is_sent_arrives_once() -> None:
    """Ten entries, ten messages, whatever letters they are written in."""
    with mock_aws():
        client = boto3.client("sqs", region_name="us-east-2")
        url = client.create_queue(QueueName="tasks")["QueueUrl"]
        answer = DirectSender(client).send_message_batch(url, ENTRIES)
        found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert {entry["Id"] for entry in answer["Successful"]} == {entry["Id"] for entry in ENTRIES}
    assert {m["Body"] for m in found} == {entry["MessageBody"] for entry in ENTRIES}


def test_refused_entries_are_returned_as_they_are() -> None:
    """A 200 may refuse single entries; the call is not repeated."""
    failed = {"Successful": [], "Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}
    wire = Wire((200, failed))
    assert DirectSender(wire.client).send_message_batch(URL, ENTRIES) == failed
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [(503, {}), (400, refusal("ThrottlingException")), EndpointConnectionError(endpoint_url=URL)],
    ids=["503", "throttled", "unreachable"],
)
def test_whatever_is_no_200_goes_again_through_boto3(trouble: Answer | Exception) -> None:
    """boto3's own retries see to it, and the caller gets boto3's answer."""
    wire = Wire(trouble, (200, TAKEN))
    assert DirectSender(wire.client).send_message_batch(URL, ENTRIES)["Successful"] == [{"Id": "0"}]
    assert wire.by_boto3 == [False, True]


def test_an_error_is_boto3s_own() -> None:
    """A refusal comes with its code and status, as from boto3 alone."""
    denied = (403, refusal("AccessDenied"))
    wire = Wire(denied, denied)
    with pytest.raises(ClientError, match="AccessDenied") as raised:
        DirectSender(wire.client).send_message_batch(URL, ENTRIES)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_without_credentials_boto3_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signer's error is not swallowed."""
    monkeypatch.setattr(Session, "get_credentials", lambda *_, **__: None)
    client: Any = boto3.Session(region_name="us-east-2").client("sqs")
    with pytest.raises(NoCredentialsError):
        DirectSender(client).send_message_batch(URL, ENTRIES)


def test_after_a_failed_handshake_boto3_sends_everything() -> None:
    """A CA bundle may be known to the client alone: no second handshake is tried without it."""
    wire = Wire(SSLError(endpoint_url=URL, error="self-signed"), (200, TAKEN), (200, TAKEN))
    sender = DirectSender(wire.client)
    for _ in range(2):
        assert sender.send_message_batch(URL, ENTRIES)["Successful"] == [{"Id": "0"}]
    assert wire.by_boto3 == [False, True, True]


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (None, {"https": "http://proxy.test:3128"}),
        ({}, {}),
        ({"https": "http://other.test:1"}, {"https": "http://other.test:1"}),
    ],
    ids=["environment", "none", "configured"],
)
def test_connections_are_made_as_the_client_is_configured(
    monkeypatch: pytest.MonkeyPatch, configured: dict[str, str] | None, expected: dict[str, str]
) -> None:
    """The proxies are the configured ones, else the environment's; timeouts and pool size are the client's."""
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    made: dict[str, Any] = {}
    monkeypatch.setattr(direct, "URLLib3Session", lambda **settings: made.update(settings))
    settings = Config(proxies=configured, connect_timeout=3, read_timeout=7, max_pool_connections=21)
    DirectSender(boto3.Session("a", "b", region_name="us-east-2").client("sqs", config=settings))
    assert made["proxies"] == expected
    assert (made["timeout"], made["max_pool_connections"]) == ((3, 7), 21)
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in made["socket_options"]
