"""Clients are built in one place; this machine never sees a real key."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import obstore
import pytest
from botocore.exceptions import ClientError

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.sqs.submitter import SUBMIT_THREADS


class Listener:
    """A server on loopback that refuses everything and remembers what it was shown."""

    def __init__(self) -> None:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(str(self.headers))
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

        self.seen = seen
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.config = Config(
            aws_endpoint_url=f"http://127.0.0.1:{self.server.server_port}", output_bucket="bucket"
        )

    def ask_for_everything(self) -> str:
        """What a call to SQS and a call to S3 showed the server."""
        with pytest.raises(ClientError):
            aws.sqs(self.config).list_queues()
        with pytest.raises(FileNotFoundError):
            obstore.get(aws.bucket(self.config), "key")
        assert len(self.seen) == 2
        return "".join(self.seen)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Listener]:
    """The listener, with real-looking keys in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALKEY")
    listener = Listener()
    thread = threading.Thread(target=listener.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()
    thread.join()


def test_an_emulator_never_sees_a_real_key(listener: Listener) -> None:
    """Whatever keys the shell has, requests to loopback are signed with a dummy."""
    shown = listener.ask_for_everything()
    assert shown.count("Credential=test/") == 2
    assert "AKIAREALKEY" not in shown


def test_an_emulator_never_sees_a_real_session_token(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that belongs to a real key goes nowhere without it."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "REALTOKEN")
    assert "REALTOKEN" not in listener.ask_for_everything()


def test_a_stale_profile_does_not_break_the_embedded_aws(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_PROFILE is of no account on loopback, so one that does not exist there does no harm."""
    monkeypatch.setenv("AWS_PROFILE", "nonexistent")
    assert listener.ask_for_everything().count("Credential=test/") == 2


def test_a_client_takes_region_and_endpoint_from_the_config() -> None:
    """Nothing else decides where calls go."""
    config = Config(aws_region="eu-west-3", aws_endpoint_url="http://127.0.0.1:9")
    client = aws.sqs(config)
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-west-3", "http://127.0.0.1:9")


def test_threads_do_not_wait_for_connections() -> None:
    """A client keeps a connection for each thread of the largest pool that shares it."""
    client = aws.sqs(Config(aws_endpoint_url="http://127.0.0.1:9"))
    assert client.meta.config.max_pool_connections >= SUBMIT_THREADS


def test_a_bucket_on_aws_can_be_opened() -> None:
    """Without an endpoint the bucket is on AWS."""
    assert "my-bucket" in repr(aws.bucket(Config(output_bucket="my-bucket")))


def test_the_configured_bucket_is_the_default() -> None:
    """Without a name it is OUTPUT_BUCKET, and without that the error says so."""
    config = Config(output_bucket="my-bucket", aws_endpoint_url="http://127.0.0.1:9")
    assert "my-bucket" in repr(aws.bucket(config))
    assert "other" in repr(aws.bucket(config, "other"))
    with pytest.raises(ConfigError, match="OUTPUT_BUCKET is not set"):
        aws.bucket(Config())


def test_a_name_that_no_bucket_can_have_is_refused() -> None:
    """A bucket name that S3 would not take fails with the name, before anything is sent."""
    with pytest.raises(ConfigError, match="'My_Bucket' is no name of a bucket"):
        aws.bucket(Config(output_bucket="My_Bucket"))
