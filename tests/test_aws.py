"""Clients are built in one place; this machine never sees a real key."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import obstore
import pytest
from botocore.exceptions import ClientError, ConfigParseError

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.sqs.submitter import SUBMIT_THREADS


class HTTPServer6(HTTPServer):
    address_family = socket.AF_INET6


class Listener:
    """A server on loopback that refuses everything and remembers what it was shown."""

    def __init__(self, host: str = "127.0.0.1") -> None:
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
        self.server = (HTTPServer6 if host == "[::1]" else HTTPServer)((host.strip("[]"), 0), Handler)
        self.config = Config(
            aws_endpoint_url=f"http://{host}:{self.server.server_port}", output_bucket="bucket"
        )

    def ask_for_everything(self) -> str:
        """What a call to SQS and a call to S3 showed the server."""
        with pytest.raises(ClientError):
            aws.sqs(self.config).list_queues()
        with pytest.raises(FileNotFoundError):
            obstore.get(aws.bucket(self.config), "key")
        assert len(self.seen) == 2
        return "".join(self.seen)


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    thread = threading.Thread(target=listener.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()
    thread.join()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Listener]:
    """The listener, with real-looking keys in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALKEY")
    with listening(Listener()) as listener:
        yield listener


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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_comes_between(name: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint on this machine is asked directly, whatever proxy the shell has and whatever it excludes."""
    for one in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(one, "example.com")
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    with listening(Listener(host)) as listener:
        listener.ask_for_everything()


def test_a_role_on_this_machine_is_asked_for_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of a role come from this machine's STS as directly as what is done with them."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with listening(Sts()) as sts:
        identity = aws.Identity("MINE", "secret", role_arn="arn:aws:iam::1:role/maker")
        credentials = aws.session(sts.config, identity).get_credentials()
        assert credentials.get_frozen_credentials().access_key == "ROLE1"


def test_a_real_account_is_asked_through_the_users_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anywhere else the proxy of the environment counts, as for every AWS client."""
    for one in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(one, raising=False)
    with listening(Listener()) as proxy:
        monkeypatch.setenv("http_proxy", str(proxy.config.aws_endpoint_url))
        elsewhere = Config(aws_endpoint_url="http://s3.elsewhere.example", output_bucket="bucket")
        with pytest.raises(ClientError):
            aws.sqs(elsewhere).list_queues()
        with pytest.raises(FileNotFoundError):
            obstore.get(aws.bucket(elsewhere), "key")
        assert len(proxy.seen) == 2


BROKEN = "[default\nregion = us-east-1\n"
# What a shell may have for a real account, or by mistake; none of it is meant for this machine.
SETTINGS = {
    "AWS_CA_BUNDLE": "/not/there",
    "AWS_CHECKSUM_ALGORITHM": "sha256",
    "AWS_DATA_PATH": "/not/there",
    "AWS_DEFAULTS_MODE": "nonsense",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_MAX_ATTEMPTS": "nonsense",
    "AWS_PROXY_URL": "http://127.0.0.1:9",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "nonsense",
    "AWS_REQUEST_PAYER": "requester",
    "AWS_RETRY_MODE": "nonsense",
    "AWS_S3_EXPRESS": "true",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "nonsense",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
}


@pytest.mark.parametrize(("name", "value"), SETTINGS.items(), ids=SETTINGS)
def test_settings_for_a_real_account_do_not_count_on_this_machine(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """No variable of botocore's or obstore's leads a call to this machine astray, or stops it."""
    monkeypatch.setenv(name, value)
    assert listener.ask_for_everything().count("Credential=test/") == 2


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize("identity", [aws.NOBODY_ELSE, aws.Identity("MINE", "secret")])
def test_no_file_of_the_users_is_read_for_this_machine(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, identity: aws.Identity
) -> None:
    """A configuration that cannot be parsed harms only who needs it: not the embedded AWS, but a real account."""
    (tmp_path / "broken").write_text(BROKEN)
    monkeypatch.setenv(name, str(tmp_path / "broken"))
    with pytest.raises(ClientError):
        aws.sqs(listener.config, identity).list_queues()
    with pytest.raises(FileNotFoundError):
        obstore.get(aws.bucket(listener.config, identity=identity), "key")
    for gone in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(gone)
    with pytest.raises(ConfigParseError):
        aws.sqs(Config()).list_queues()


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
    with pytest.raises(ConfigError, match="'My_Bucket' is not a valid bucket name"):
        aws.bucket(Config(output_bucket="My_Bucket"))


def test_an_identitys_own_keys_go_where_it_says(listener: Listener) -> None:
    """Keys that somebody gave for this very account are used for SQS and S3, also on loopback."""
    mine = aws.Identity("MINE", "secret")
    with pytest.raises(ClientError):
        aws.sqs(listener.config, mine).list_queues()
    with pytest.raises(FileNotFoundError):
        obstore.get(aws.bucket(listener.config, identity=mine), "key")
    assert "".join(listener.seen).count("Credential=MINE/") == 2


class Sts(Listener):
    """Grants a role for a minute, under another key each time."""

    def __init__(self) -> None:
        super().__init__()
        granted, seen = iter(range(1, 99)), self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                until = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
                body = (
                    "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
                    f"<AccessKeyId>ROLE{next(granted)}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                    f"<SessionToken>t</SessionToken><Expiration>{until}</Expiration>"
                    "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
                ).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

        self.server.RequestHandlerClass = Handler


def test_a_role_is_renewed_before_it_runs_out() -> None:
    """A run that lasts longer than its role asks for it again, with the arguments it was given."""
    sts = Sts()
    thread = threading.Thread(target=sts.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    identity = aws.Identity(role_arn="arn:aws:iam::1:role/maker", role_arguments={"ExternalId": "lab"})
    credentials = aws.session(sts.config, identity).get_credentials()
    keys = [credentials.get_frozen_credentials().access_key for _ in range(3)]
    sts.server.shutdown()
    sts.server.server_close()
    assert keys == ["ROLE1", "ROLE2", "ROLE3"]
    assert all("role%2Fmaker" in asked and "ExternalId=lab" in asked for asked in sts.seen)
